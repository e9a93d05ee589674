/**
 * What a recorder counts in the files that it writes (MediaMTX): a stream lasts from when it was connected to the camera until it
 * was not any more, and the segments of a stream are numbered. Numbers that follow one another prove that nothing lies between.
 * Pure.
 */
import type { Segment } from './segment.js';

export interface RecorderNumber {
  /** As the recorder names it: 32 hexadecimal digits. */
  readonly stream: string;
  readonly number: number;
}

export const follows = (one: RecorderNumber | null, next: RecorderNumber | null): boolean =>
  one !== null && next !== null && one.stream === next.stream && one.number + 1 === next.number;

/**
 * segments-lost: the recorder made `lost` segments in between that are not here. new-stream: it was connected anew; how much it
 * missed is not known, and its picture may have changed.
 */
export interface Discontinuity {
  readonly kind: 'segments-lost' | 'new-stream';
  /** Null for `new-stream`. */
  readonly lost: number | null;
  /** Where the one before ends and the one after begins; the other way round where they overlap. */
  readonly fromUs: number;
  readonly untilUs: number;
}

type Numbered = Pick<Segment, 'startUs' | 'endUs'> & { readonly number: RecorderNumber | null };

/** Between recordings of one stream of a camera, by start. What has no number is passed over; copies of one are no break. */
export function discontinuitiesIn(recordings: readonly Numbered[]): Discontinuity[] {
  const found: Discontinuity[] = [];
  let before: { readonly endUs: number; readonly number: RecorderNumber } | null = null;
  for (const { startUs, endUs, number } of recordings) {
    if (number === null) continue;
    if (before !== null) {
      const between = { fromUs: before.endUs, untilUs: startUs };
      const lost = number.number - before.number.number - 1;
      if (number.stream !== before.number.stream) found.push({ kind: 'new-stream', lost: null, ...between });
      else if (lost > 0) found.push({ kind: 'segments-lost', lost, ...between });
    }
    before = { endUs, number };
  }
  return found;
}
