/** Where a recording can be cut without decoding it. Read when first asked for, and kept with the segment. */
import type { Segment, TimeRange } from '../../domain/segment.js';
import { GatewayError } from '../../errors.js';
import { findKeyFrames, putKeyFrames, type KeyFrames } from '../../store/key-frames.js';
import { defaultLimits, type ReadLimits } from '../containers/bounded-file.js';
import { askReader } from '../reader-threads.js';
import { initBeside } from '../playable.js';
import { fileOf, type FilePlaces } from '../segment-file.js';

export type KeyFrameContext = FilePlaces;

/**
 * The key frames of a segment. Bounded in bytes, reads, time and memory, whatever the file claims. Throws `media-unreadable`
 * where the file does not tell, `footage-gone`, `segment-changed`, `root-untrusted`.
 */
export async function keyFramesOf(
  ctx: KeyFrameContext,
  segment: Segment,
  limits: ReadLimits = defaultLimits,
): Promise<KeyFrames> {
  const { db } = ctx.store;
  const known = findKeyFrames(db, segment);
  if (known !== null) return known;
  const path = await fileOf(ctx, segment);
  const found = await readApart(path, initBeside(segment, path), segment, limits);
  putKeyFrames(db, segment, found);
  return found;
}

async function readApart(
  path: string,
  init: string | undefined,
  segment: Segment,
  limits: ReadLimits,
): Promise<KeyFrames> {
  const { startUs, endUs, container, codec, sizeBytes } = segment;
  const answer = await askReader({
    ...{ what: 'key-frames', path, limits, init },
    segment: { startUs, endUs, container, codec, sizeBytes },
  });
  if ('keyFrames' in answer) return answer.keyFrames;
  if ('lost' in answer) {
    throw new GatewayError('media-unreadable', `${path} does not tell where it can be cut: ${answer.detail}.`, {
      remedy: 'It can still be decoded from its start, if it is playable at all.',
    });
  }
  const { code, message, remedy } = answer.failed;
  throw new GatewayError(code, message, remedy === undefined ? {} : { remedy });
}

/**
 * What a cut without decoding has to carry of a segment to show `range`: from the last key frame before its start to the first
 * one at or after its end, or to the end of the segment. Null where the segment has nothing of the range.
 */
export function cutOf(segment: TimeRange, { offsetsUs }: KeyFrames, range: TimeRange): TimeRange | null {
  if (segment.startUs >= range.endUs || segment.endUs <= range.startUs) return null;
  const keys = offsetsUs.map((offset) => segment.startUs + offset);
  return {
    startUs: keys.findLast((key) => key <= range.startUs) ?? segment.startUs,
    endUs: keys.find((key) => key >= range.endUs) ?? segment.endUs,
  };
}
