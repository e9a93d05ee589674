/** One recorded file and what is known of its time. Instants are UTC microseconds, ranges half-open `[startUs, endUs)`. */

/** How sure the times are: all clocks agree; only the name or container spoke; or they disagree by more than a minute. */
export type TimeQuality = 'agreed' | 'single' | 'disagreeing';

/**
 * indexed: on disk as known. deleting: a deletion is intended and not yet done. missing: not on disk and not by us; kept as
 * a row so that the loss stays visible. vaulted: missing like that, but held, and a whole copy of it is in the vault.
 */
export type SegmentState = 'indexed' | 'deleting' | 'missing' | 'vaulted';

/** There to be looked at, held and handed over: on the recorder's disk, or as the copy that the gateway keeps of it. */
export const isThere = ({ state }: { readonly state: SegmentState }): boolean =>
  state === 'indexed' || state === 'vaulted';

export interface Segment {
  readonly id: number;
  readonly rootId: string;
  /** Relative to the root, `/` between components, byte for byte as the VMS named it. */
  readonly path: string;
  readonly cameraId: string;
  /** Capture time of the oldest frame: what every limit counts from. */
  readonly startUs: number;
  readonly endUs: number;
  readonly timeSource: string;
  readonly timeQuality: TimeQuality;
  readonly timeDisagreementMs: number | null;
  readonly sizeBytes: number;
  /** 64-bit inode number as text: larger than a double holds. */
  readonly inode: string;
  readonly mtimeUs: number;
  readonly container: string;
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number | null;
  readonly hasAudio: boolean;
  /** The file ends before its index says, or was cut inside a fragment; the playable part is what is indexed. */
  readonly truncated: boolean;
  readonly state: SegmentState;
  readonly firstSeenUs: number;
}

export interface TimeRange {
  readonly startUs: number;
  readonly endUs: number;
}

export const overlaps = (a: TimeRange, b: TimeRange): boolean => a.startUs < b.endUs && b.startUs < a.endUs;

/**
 * The parts of `range` that no given segment covers, oldest first. Cracks below `toleranceUs` between neighbours are not
 * gaps: a recorder needs some milliseconds to open its next file.
 */
export function gapsIn(range: TimeRange, segments: readonly TimeRange[], toleranceUs: number): TimeRange[] {
  const gaps: TimeRange[] = [];
  let reachedUs = range.startUs;
  for (const segment of [...segments].sort((a, b) => a.startUs - b.startUs)) {
    if (segment.endUs <= reachedUs) continue;
    if (segment.startUs >= range.endUs) break;
    if (segment.startUs - reachedUs > toleranceUs) gaps.push({ startUs: reachedUs, endUs: segment.startUs });
    reachedUs = segment.endUs;
  }
  if (range.endUs - reachedUs > toleranceUs) gaps.push({ startUs: reachedUs, endUs: range.endUs });
  return gaps;
}
