/**
 * Renders a masked copy: decoder -> pipe -> native pump, which covers the rectangles -> pipe -> encoder. Nothing of the source
 * is taken over but the pixels outside the masks and the times of the frames.
 */
import { closeSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FilePathSource, Input, MATROSKA, MP4, MPEG_TS, QTFF, WEBM } from 'mediabunny';
import type { RedactionPlan } from '../domain/redaction-plan.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { partialSuffix, syncDirectory, syncFile } from '../platform/durable-file.js';
import { startDecoder, startEncoder, type ColorTags, type Decoding, type Encoding } from '../platform/ffmpeg.js';
import { pumpFrames, type FrameMasks } from '../platform/native.js';
import { flattenMasks, sliceMasks, type FrameRange, type MaskStyle, type RenderLabel, type Timeline } from './masks.js';
import { proveMasked } from './prove.js';

/** No playlists: they would make the library open what they name. */
const formats = [MP4, QTFF, MATROSKA, WEBM, MPEG_TS];

export interface RenderRequest {
  readonly input: string;
  /** An .mp4; replaced if it is there. */
  readonly output: string;
  readonly plan: RedactionPlan;
  readonly timeline: Timeline;
  /** All frames where left out. */
  readonly range?: FrameRange | undefined;
  readonly style: MaskStyle;
  readonly label?: RenderLabel | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A few times a second: frames written so far. */
  readonly onProgress?: ((framesDone: number) => void) | undefined;
  readonly niceness?: number | undefined;
}

export interface RenderResult {
  readonly frames: number;
  /** The source has damage; every frame that was analysed is in the copy all the same. */
  readonly damaged: boolean;
  readonly complaints: string;
  /** Covered rectangles that were found covered in the finished copy. */
  readonly rectanglesProved: number;
}

/**
 * Renders, proves, and only then gives the copy its name. Each frame of the range is there once, at its time relative to the
 * first. A failure - abort, a killed ffmpeg, a full disk, a source that decodes differently than when it was analysed - leaves no
 * file. A crash leaves `<output>.partial`, which nobody takes for a copy and the next run overwrites.
 *
 * @throws GatewayError `media-unreadable`, `ffmpeg-failed`, `disk-full`, `verification-failed`, `interrupted`, `io-failed`
 */
export async function renderMasked(request: RenderRequest): Promise<RenderResult> {
  const { output, plan, timeline, signal } = request;
  const masks = flattenMasks(plan, timeline, request.style, request.label);
  const range = request.range ?? { firstFrame: 0, endFrame: plan.frameCount };
  if (range.firstFrame < 0 || range.firstFrame >= range.endFrame || range.endFrame > plan.frameCount) {
    throw new GatewayError('internal', `No frames in [${range.firstFrame}, ${range.endFrame}) of ${plan.frameCount}.`);
  }
  const partial = output + partialSuffix;
  try {
    // What a crash left, or a link that somebody else put there: ffmpeg would write through it.
    await rm(partial, { force: true });
    const end = await encodeMasked(request, masks, range, partial);
    await syncFile(partial);
    const proof = await proveMasked({
      path: partial,
      masks: sliceMasks(masks, range),
      width: toEven(plan.width),
      height: toEven(plan.height),
      signal,
      niceness: request.niceness,
    });
    signal?.throwIfAborted();
    await rename(partial, output);
    await syncDirectory(dirname(output));
    return { frames: proof.frames, rectanglesProved: proof.rectangles, ...end };
  } catch (error) {
    await rm(partial, { force: true });
    if (signal?.aborted === true)
      throw new GatewayError('interrupted', `Rendering ${output}: stopped`, { cause: error });
    throw toGatewayError(error, `rendering ${output}`);
  }
}

/** 4:2:0 has no odd sizes. */
const toEven = (side: number): number => side + (side % 2);

async function encodeMasked(
  request: RenderRequest,
  masks: FrameMasks,
  range: FrameRange,
  partial: string,
): Promise<{ damaged: boolean; complaints: string }> {
  const { input, plan, timeline, signal, niceness, onProgress } = request;
  const color = await colorOf(input);
  const decoder = await startDecoder({
    input,
    pixelFormat: 'yuv420p',
    // The plan's own size: its boxes are right even where the source changes its size half-way.
    size: { width: plan.width, height: plan.height },
    padToEven: true,
    signal,
    niceness,
  });
  let encoder: Encoding;
  try {
    encoder = await startEncoder({ output: partial, timescale: timeline.timeBase.den, color, signal, niceness });
  } catch (error) {
    closeSync(decoder.readFd);
    decoder.stop();
    throw error;
  }
  try {
    await pumpFrames({ ...masks, ...range, readFd: decoder.readFd, writeFd: encoder.writeFd, onProgress, signal });
    await encoder.done;
    // Of a range that ends before the footage the rest is of no interest, nor is damage in it.
    if (range.endFrame < plan.frameCount) return { damaged: false, complaints: '' };
    return await decoder.done;
  } catch (error) {
    throw await firstCause(error, decoder, encoder);
  } finally {
    decoder.stop();
    encoder.stop();
    // Both are gone before anybody removes or renames their file.
    await Promise.allSettled([decoder.done, encoder.done]);
  }
}

/** When one of the three fails, the others fail after it: which one was it? */
async function firstCause(error: unknown, decoder: Decoding, encoder: Encoding): Promise<unknown> {
  const ends = Promise.allSettled([decoder.done, encoder.done]);
  // A process that has failed by itself is gone within this time; one that waits for us never is.
  await Promise.race([ends, sleep(500)]);
  decoder.stop();
  encoder.stop();
  const [decoderEnd, encoderEnd] = await ends;
  const failureOf = (end: PromiseSettledResult<unknown>): GatewayError | undefined =>
    end.status === 'rejected' && end.reason instanceof GatewayError && end.reason.code !== 'interrupted'
      ? end.reason
      : undefined;
  const decoderFailure = failureOf(decoderEnd);
  // A broken pipe is what the decoder meets when we stopped reading: an effect, not the cause.
  if (decoderFailure !== undefined && !JSON.stringify(decoderFailure.details ?? {}).includes('Broken pipe'))
    return decoderFailure;
  const lostASide = error instanceof GatewayError && error.code === 'ffmpeg-failed';
  return (lostASide ? failureOf(encoderEnd) : undefined) ?? error;
}

/** How the source's colours were meant; none where the container does not say, or is one that mediabunny does not read. */
async function colorOf(path: string): Promise<ColorTags> {
  const input = new Input({ source: new FilePathSource(path), formats });
  try {
    const { primaries, transfer, matrix } = (await (await input.getPrimaryVideoTrack())?.getColorSpace()) ?? {};
    return { primaries: primaries ?? undefined, transfer: transfer ?? undefined, matrix: matrix ?? undefined };
  } catch {
    // The decoder judges the file; without tags players assume the usual.
    return {};
  } finally {
    input.dispose();
  }
}
