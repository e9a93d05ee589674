/** Reads from a file where it can be cut without decoding it. */
import type { Segment, TimeRange } from '../../domain/segment.js';
import { GatewayError, toGatewayError, type ErrorCode } from '../../errors.js';
import type { KeyFrames } from '../../store/key-frames.js';
import {
  behindInit,
  defaultLimits,
  LimitReached,
  openBounded,
  type BoundedFile,
  type ReadLimits,
} from '../containers/bounded-file.js';
import { ProbeRefusal } from '../containers/summary.js';
import { aviKeyFrames } from './avi.js';
import { makeCollector } from './collect.js';
import { isobmffKeyFrames } from './isobmff.js';
import { matroskaKeyFrames } from './matroska.js';
import { mpegtsKeyFrames } from './mpegts.js';

/** What the thread is asked: where the file is, and what the index says of it. */
export interface KeyFrameTask {
  readonly what: 'key-frames';
  readonly path: string;
  readonly limits: ReadLimits;
  /** Of a fragment: the path of its initialisation segment. */
  readonly init: string | undefined;
  readonly segment: TimeRange & Pick<Segment, 'container' | 'codec' | 'sizeBytes'>;
}

/** A GatewayError does not cross from one thread to another as what it is. */
export type KeyFrameAnswer =
  | { readonly keyFrames: KeyFrames }
  | { readonly failed: { readonly code: ErrorCode; readonly message: string; readonly remedy: string | undefined } };

/** In this thread: `readKeyFrames`, with its error as an answer. */
export async function keyFramesHere({ path, segment, limits, init }: KeyFrameTask): Promise<KeyFrameAnswer> {
  try {
    return { keyFrames: await readKeyFrames(path, segment, limits, init) };
  } catch (error) {
    const { code, message, remedy } = toGatewayError(error);
    return { failed: { code, message, remedy } };
  }
}

/** Reads them from the file; offsets beyond what the segment shows are left out. Throws `media-unreadable`, `segment-changed`. */
export async function readKeyFrames(
  path: string,
  segment: TimeRange & Pick<Segment, 'container' | 'codec' | 'sizeBytes'>,
  limits: ReadLimits = defaultLimits,
  init?: string,
): Promise<KeyFrames> {
  const collect = makeCollector();
  let isComplete: boolean;
  let file: BoundedFile | null = null;
  try {
    file = openBounded(path, limits);
    if (file.facts.sizeBytes !== segment.sizeBytes) {
      throw new GatewayError('segment-changed', `${path} is not the file that was indexed.`, { remedy: 'Scan again.' });
    }
    if (init !== undefined) file = await behindInit(file, init, limits);
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
