/** The proof that a masked copy is what the plan says, taken from the finished file alone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { FilePathSource, Input, MP4 } from 'mediabunny';
import { GatewayError, toGatewayError } from '../errors.js';
import { startDecoder } from '../platform/ffmpeg.js';
import { checkFrames, type CheckResult, type FrameMasks } from '../platform/native.js';

export interface ProveRequest {
  readonly path: string;
  /** Exactly the frames of the copy. */
  readonly masks: FrameMasks;
  /** Of the picture in the copy. */
  readonly width: number;
  readonly height: number;
  readonly signal?: AbortSignal | undefined;
  readonly niceness?: number | undefined;
}

const refuted = (path: string, what: string, cause?: unknown): GatewayError =>
  new GatewayError('verification-failed', `${path} is not what was to be rendered: ${what}`, {
    remedy: 'The copy is not used. Try again; if it happens again, report it with this message.',
    ...(cause === undefined ? {} : { cause }),
  });

/**
 * Reads the copy back and checks it against the plan: one H.264 track and nothing else, no tags, the right size; then decodes it
 * and compares frame by frame, natively: count, times, every covered rectangle, the label.
 *
 * Throws `verification-failed` at the first doubt; the caller then removes the file. `interrupted` on abort.
 */
export async function proveMasked(request: ProveRequest): Promise<CheckResult> {
  const { path, masks, signal, niceness } = request;
  await proveContainer(request);
  const decoder = await startDecoder({ input: path, pixelFormat: 'yuv420p', signal, niceness });
  try {
    const result = await checkFrames({ ...masks, readFd: decoder.readFd, signal });
    const { damaged, complaints } = await decoder.done;
    if (damaged) throw refuted(path, `it does not decode cleanly (${complaints})`);
    return result;
  } catch (error) {
    const failure = toGatewayError(error);
    if (failure.code === 'interrupted' || failure.code === 'verification-failed') throw failure;
    // A decoder that was killed says nothing about the copy; by now it is gone, or it waits for us.
    const killed = await Promise.race([decoder.done.catch((end: unknown) => end), sleep(500)]);
    if (killed instanceof GatewayError && killed.code === 'ffmpeg-failed') throw killed;
    throw refuted(path, failure.message, failure);
  } finally {
    decoder.stop();
  }
}

async function proveContainer({ path, width, height }: ProveRequest): Promise<void> {
  const input = new Input({ source: new FilePathSource(path), formats: [MP4] });
  try {
    const tracks = await input.getTracks();
    const [track] = tracks;
    if (tracks.length !== 1 || track?.isVideoTrack() !== true) {
      throw refuted(path, `tracks: ${tracks.map(({ type }) => type).join(', ') || 'none'}`);
    }
    const codec = await track.getCodec();
    if (codec !== 'avc') throw refuted(path, `the codec is ${String(codec)}`);
    const [codedWidth, codedHeight] = [await track.getCodedWidth(), await track.getCodedHeight()];
    if (codedWidth !== width || codedHeight !== height) {
      throw refuted(path, `the picture is ${codedWidth}x${codedHeight}, not ${width}x${height}`);
    }
    if ((await track.getRotation()) !== 0) throw refuted(path, 'it is marked as rotated');
    const { raw = {}, ...tags } = await input.getMetadataTags();
    const names = [...Object.keys(raw), ...Object.keys(tags)];
    if (names.length > 0) throw refuted(path, `it carries tags: ${names.join(', ')}`);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw refuted(path, `its container cannot be read (${(error as Error).message})`, error);
  } finally {
    input.dispose();
  }
}
