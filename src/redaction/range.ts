/** A part of a recording: which of it is analysed, and what of the analysis concerns it. Pure; loads no detector. */
import { clipPath } from '../domain/redaction-plan.js';
import type { TimeRange } from '../domain/segment.js';
import { GatewayError } from '../errors.js';
import type { Analysis } from './analysis.js';

/** Seconds since the first frame, half-open: only there people are looked for. */
export interface SearchWindow {
  readonly fromS: number;
  readonly toS: number;
}

/** Half-open. */
export interface FrameRange {
  readonly firstFrame: number;
  readonly endFrame: number;
}

/** Analysed on both sides of a range, so that whoever is in it when it begins has been seen coming. Longer than any pause bridged. */
const runUpS = 3;

/**
 * The part of a file to look for people in, for a range of which alone frames will be shown.
 * @param startUs of the file's first frame.
 */
export const windowOf = (startUs: number, range: TimeRange): SearchWindow => ({
  fromS: (range.startUs - startUs) / 1e6 - runUpS,
  toS: (range.endUs - startUs) / 1e6 + runUpS,
});

/**
 * Only what concerns these frames: tracks and uncertain spans elsewhere are nobody's to review, and nothing is kept of people
 * in footage that is not handed over. Track numbers and frame numbers stay as they are.
 */
export function analysisOf(analysis: Analysis, frames: FrameRange): Analysis {
  const { firstFrame, endFrame } = frames;
  assertSearched(analysis, frames);
  const tracks = analysis.tracks.map((track) => ({
    ...track,
    path: clipPath(track, firstFrame, endFrame),
    uncertain: track.uncertain
      .filter((span) => span.fromFrame < endFrame && span.toFrame > firstFrame)
      .map((span) => ({
        ...span,
        fromFrame: Math.max(span.fromFrame, firstFrame),
        toFrame: Math.min(span.toFrame, endFrame),
      })),
  }));
  return { ...analysis, tracks: tracks.filter(({ path }) => path.length > 0), searched: { firstFrame, endFrame } };
}

/** Throws `internal` where frames would be shown in which nobody looked for people. */
export function assertSearched(analysis: Analysis, { firstFrame, endFrame }: FrameRange): void {
  const { searched } = analysis;
  if (searched === undefined || (firstFrame >= searched.firstFrame && endFrame <= searched.endFrame)) return;
  throw new GatewayError(
    'internal',
    `Frames ${firstFrame} to ${endFrame} are to be shown, but people were looked for only in ${searched.firstFrame} to ${searched.endFrame}.`,
    { remedy: 'Analyse the recording again for the whole range.' },
  );
}
