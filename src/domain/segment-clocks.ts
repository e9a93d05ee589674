/** What each clock said of when a segment begins, for those of which the one that won does not tell it all. */
import type { Micros } from './time.js';

export interface SegmentClocks {
  /** The earliest and the latest instant that the name can mean; the same where it means one. */
  readonly nameFromUs: Micros;
  readonly nameUntilUs: Micros;
  /** The container's `creation_time`; some recorders set it when they close the file. Null where there is none. */
  readonly containerUs: Micros | null;
  /** The recorder's own wall clock at the first frame, where it writes it into the container. */
  readonly recorderUs: Micros | null;
  /** Last write to the file when it was indexed: near its end, or late where it was copied. */
  readonly writtenUs: Micros;
}
