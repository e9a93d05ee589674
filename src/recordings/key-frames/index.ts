/** Where a recording can be cut without decoding it. Read when first asked for, and kept with the segment. */
import type { Segment, TimeRange } from '../../domain/segment.js';
import { GatewayError, toGatewayError } from '../../errors.js';
import type { Store } from '../../store/audit-log.js';
import { findKeyFrames, putKeyFrames, type KeyFrames } from '../../store/key-frames.js';
import {
  defaultLimits,
  LimitReached,
  openBounded,
  type BoundedFile,
  type ReadLimits,
} from '../containers/bounded-file.js';
import { ProbeRefusal } from '../containers/summary.js';
import { fileOf, type RootPaths } from '../segment-file.js';
import { aviKeyFrames } from './avi.js';
import { makeCollector } from './collect.js';
import { isobmffKeyFrames } from './isobmff.js';
import { matroskaKeyFrames } from './matroska.js';
import { mpegtsKeyFrames } from './mpegts.js';

export interface KeyFrameContext extends RootPaths {
  readonly store: Pick<Store, 'db'>;
}

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
  const found = await readKeyFrames(fileOf(ctx, segment), segment, limits);
  putKeyFrames(db, segment, found);
  return found;
}

/** Reads them from the file; offsets beyond what the segment shows are left out. Throws `media-unreadable`, `segment-changed`. */
export async function readKeyFrames(
  path: string,
  segment: TimeRange & Pick<Segment, 'container' | 'codec' | 'sizeBytes'>,
  limits: ReadLimits = defaultLimits,
): Promise<KeyFrames> {
  const collect = makeCollector();
  let isComplete: boolean;
  let file: BoundedFile | null = null;
  try {
    file = openBounded(path, limits);
    if (file.facts.sizeBytes !== segment.sizeBytes) {
      throw new GatewayError('segment-changed', `${path} is not the file that was indexed.`, { remedy: 'Scan again.' });
    }
    isComplete = await readInto(file, segment, collect);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const isRefusal = error instanceof ProbeRefusal || error instanceof LimitReached;
    if (!isRefusal) throw toGatewayError(error, `reading ${path}`);
    throw new GatewayError('media-unreadable', `${path} does not tell where it can be cut: ${error.message}.`, {
      remedy: 'It can still be decoded from its start, if it is playable at all.',
      cause: error,
    });
  } finally {
    file?.close();
  }
  const { offsetsUs, complete } = collect.keyFrames();
  const lengthUs = segment.endUs - segment.startUs;
  return { offsetsUs: offsetsUs.filter((offset) => offset < lengthUs), complete: complete && isComplete };
}

async function readInto(
  file: BoundedFile,
  { container, codec }: Pick<Segment, 'container' | 'codec'>,
  collect: ReturnType<typeof makeCollector>,
): Promise<boolean> {
  switch (container) {
    case 'mp4':
    case 'fmp4':
    case 'mov':
      await isobmffKeyFrames(file, collect);
      return true;
    case 'mkv':
    case 'webm':
      return matroskaKeyFrames(file, collect);
    case 'ts':
      await mpegtsKeyFrames(file, collect);
      return true;
    case 'avi':
      await aviKeyFrames(file, codec, collect);
      return true;
    default:
      throw new ProbeRefusal('unknown-format', `nothing is known of "${container}"`);
  }
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
