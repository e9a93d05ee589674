/** Where the recordings of a camera could be cut to show a range, without decoding them. */
import { overlaps, type TimeRange } from '../../domain/segment.js';
import { rangeInVideo } from '../../domain/wall-clock.js';
import { GatewayError, toGatewayError } from '../../errors.js';
import { cutOf, keyFramesOf } from '../key-frames/index.js';
import type { PictureContext } from './context.js';
import { lookable } from './find.js';

export interface Cut extends TimeRange {
  readonly segmentId: number;
  /** What a cut has to carry: from key frame to key frame, so that no frame is in it that cannot be seen. Null where unknown. */
  readonly cut: TimeRange | null;
  /** Instants within the range and the cut. */
  readonly keyFramesUs: readonly number[];
  /** False where there are more of them than are listed, or where that is not known. */
  readonly complete: boolean;
  /** Why the recording does not tell. */
  readonly problem: string | null;
}

/** More than anybody cuts at once: each may have to be read from the disk. */
const maxRecordings = 200;

/** By recording, in the order of time. Throws `not-found`, `input-invalid` for too long a range; what one recording cannot tell is said with it. */
export async function cutsIn(ctx: PictureContext, cameraId: string, range: TimeRange): Promise<Cut[]> {
  const { shows } = lookable(ctx, cameraId, range);
  const segments = new Map(shows.map(({ segment }) => [segment.id, segment]));
  if (segments.size > maxRecordings) {
    throw new GatewayError('input-invalid', `The range has ${segments.size} recordings.`, {
      remedy: `Ask for at most ${maxRecordings} at once.`,
    });
  }
  const cuts: Cut[] = [];
  for (const segment of segments.values()) {
    const { id: segmentId, startUs, endUs } = segment;
    try {
      const keys = await keyFramesOf(ctx, segment);
      const cut = cutOf(segment, keys, rangeInVideo(range, segment));
      const keyFramesUs = keys.offsetsUs
        .map((offset) => startUs + offset)
        .filter((us) => cut !== null && (overlaps({ startUs: us, endUs: us + 1 }, cut) || us === cut.endUs));
      cuts.push({ segmentId, startUs, endUs, cut, keyFramesUs, complete: keys.complete, problem: null });
    } catch (error) {
      const { code, message } = toGatewayError(error);
      if (!['media-unreadable', 'footage-gone', 'segment-changed'].includes(code)) throw error;
      cuts.push({ segmentId, startUs, endUs, cut: null, keyFramesUs: [], complete: false, problem: message });
    }
  }
  return cuts;
}
