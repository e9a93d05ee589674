/**
 * How far a recording reaches by the clock on the wall. Its own length does not always tell: some cameras deliver fewer frames
 * than they promise, and a recorder that believes them makes 60 s of video of 72 s. What ends later than its video says so by
 * when its file was written last, and by when the next one begins.
 *
 * Two answers, because two things are asked. Whether a moment is covered is said to others, so it is only claimed as far as
 * both clocks speak for it. Whether a recording may show a moment decides what is held and handed over, and there one too many
 * does less harm than one too few. Pure.
 */
import type { Segment, TimeRange } from './segment.js';

export interface WallEnd {
  /** Until when it covers the time; never before its video ends. */
  readonly coveredUntilUs: number;
  /** No frame of it can be later than this; never before `coveredUntilUs`. */
  readonly latestEndUs: number;
}

export type WallSegment = Segment & WallEnd;

/** No more than half as long again: a recording of less video than that was idle, or its file was written to by somebody else. */
const slowest = 0.5;
/** A recorder needs some seconds to close a file, in which it records nothing into it. */
const closingUs = 5_000_000;
/** Recorders that collect before they store (Frigate) write within this time; a later write is that of a copy. */
const storedWithinUs = 60_000_000;

/**
 * `nextStartUs` is when the first recording of the same camera begins that does not begin within the video of this one; null
 * where there is none.
 */
export function wallEndOf(
  { startUs, endUs, mtimeUs, truncated }: Pick<Segment, 'startUs' | 'endUs' | 'mtimeUs' | 'truncated'>,
  nextStartUs: number | null,
): WallEnd {
  const boundUs = endUs + Math.floor((endUs - startUs) * slowest);
  const latestEndUs = Math.max(endUs, Math.min(mtimeUs, nextStartUs ?? Infinity, boundUs));
  // What follows a cut is lost, not late.
  if (latestEndUs === endUs || truncated) return { coveredUntilUs: endUs, latestEndUs };
  if (nextStartUs !== null && nextStartUs <= mtimeUs) {
    // Written to until the next one began, or a moment longer: the recorder never paused.
    const ranOn = nextStartUs <= boundUs && mtimeUs - nextStartUs <= storedWithinUs;
    return { coveredUntilUs: ranOn ? nextStartUs : endUs, latestEndUs };
  }
  // Nothing followed at once. The last write alone speaks for it, less what closing may have taken.
  const alone = mtimeUs <= boundUs && mtimeUs - endUs <= storedWithinUs;
  return { coveredUntilUs: alone ? Math.max(endUs, mtimeUs - closingUs) : endUs, latestEndUs };
}

/**
 * The same range for somebody who only sees the video: each frame of it that may be from the range is in it. No frame is earlier
 * than the video says, and none is later by more than the whole of it is. Where nothing speaks for a video that runs slow, it is
 * taken at its word, unless the range lies behind all that it is said to cover.
 */
export function rangeInVideo(
  range: TimeRange,
  { endUs, coveredUntilUs, latestEndUs }: WallEnd & { readonly endUs: number },
): TimeRange {
  const isSlow = coveredUntilUs > endUs || range.startUs >= coveredUntilUs;
  return { startUs: range.startUs - (isSlow ? latestEndUs - endUs : 0), endUs: range.endUs };
}

type Stretched = Pick<WallSegment, 'startUs' | 'endUs' | 'coveredUntilUs'>;
const stretchOf = ({ startUs, endUs, coveredUntilUs }: Stretched): number =>
  (coveredUntilUs - startUs) / (endUs - startUs);

/** Microseconds of video at which a moment is most likely shown, `offsetUs` after the start: as if it ran slow all the time. */
export const videoOffsetUs = (one: Stretched, offsetUs: number): number => Math.floor(offsetUs / stretchOf(one));
/** The other way round. */
export const wallOffsetUs = (one: Stretched, videoUs: number): number => Math.round(videoUs * stretchOf(one));
