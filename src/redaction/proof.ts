/**
 * The proof that a masked copy is what was to be covered, taken from the bytes of the file itself, while the encoder still
 * writes it: they are read behind it, decoded, and every frame is compared natively. What lies in the file in the end is held
 * against the hash of what was decoded, so nothing can come between.
 */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, toGatewayError } from '../errors.js';
import { startBitstreamDecoder, type BitstreamDecoding } from '../platform/ffmpeg.js';
import { checkFrames, type CheckResult, type MaskBatch, type MaskOptions } from '../platform/native.js';

export interface ProofRequest extends MaskOptions {
  /** Of the file that the encoder writes. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
  readonly niceness?: number | undefined;
}

export interface ProvedCopy extends CheckResult {
  /** Of everything that was decoded: the file's media data from `offset` on. */
  readonly mediaSha256: string;
  readonly mediaOffset: number;
  readonly mediaBytes: number;
}

export interface Proof {
  /** What is covered in the next frames. */
  expect(batch: MaskBatch): void;
  /** Rejects as soon as something is wrong; never resolves before `finish`. */
  readonly done: Promise<CheckResult>;
  /** The encoder has ended, and no further frame was covered. */
  finish(): Promise<ProvedCopy>;
  stop(): void;
}

const pollMs = 25;
const pieceBytes = 1 << 18;

export const refuted = (path: string, what: string, cause?: unknown): GatewayError =>
  new GatewayError('verification-failed', `${path} is not what was to be rendered: ${what}`, {
    remedy: 'The copy is not used. Try again; if it happens again, report it with this message.',
    ...(cause === undefined ? {} : { cause }),
  });

/** Starts the proof of a copy that is about to be written. Throws what starting ffmpeg throws. */
export async function startProof({ path, signal, niceness, ...masks }: ProofRequest): Promise<Proof> {
  const decoder = await startBitstreamDecoder(`Proving ${path}`, { signal, niceness });
  const check = checkFrames({ ...masks, readFd: decoder.readFd }, signal);
  const follower = followMedia(path, decoder);
  follower.done.catch(() => undefined); // told by finish(), or by what failed first
  const done = check.done.catch(async (error: unknown) => {
    throw await whatFailed(path, decoder, error);
  });
  done.catch(() => undefined); // likewise
  return {
    expect: (batch) => {
      check.expect(batch);
    },
    done,
    async finish() {
      check.expectNoMore();
      follower.complete();
      try {
        const [result, media] = await Promise.all([done, follower.done]);
        const { damaged, complaints } = await decoder.done;
        if (damaged) throw refuted(path, `it does not decode cleanly (${complaints})`);
        return { ...result, ...media };
      } catch (error) {
        throw await whatFailed(path, decoder, error);
      }
    },
    stop() {
      follower.stop();
      check.stop();
      decoder.stop();
    },
  };
}

async function whatFailed(path: string, decoder: BitstreamDecoding, error: unknown): Promise<GatewayError> {
  const failure = toGatewayError(error, `proving ${path}`);
  if (['interrupted', 'verification-failed', 'disk-full'].includes(failure.code)) return failure;
  // A decoder that was killed says nothing about the copy; by now it is gone, or it waits for us.
  const end = await Promise.race([decoder.done.catch((killed: unknown) => killed), sleep(500)]);
  return end instanceof GatewayError && end.code === 'ffmpeg-failed' ? end : refuted(path, failure.message, failure);
}

interface Media {
  readonly mediaSha256: string;
  readonly mediaOffset: number;
  readonly mediaBytes: number;
}

/** Reads the media data of a growing MP4 and hands it to the decoder as a bare bitstream. */
function followMedia(
  path: string,
  decoder: BitstreamDecoding,
): { readonly done: Promise<Media>; complete(): void; stop(): void } {
  let [isComplete, isStopped] = [false, false];
  const complete = new AbortController();
  const wait = async (): Promise<void> => {
    if (isStopped) throw new GatewayError('interrupted', `Proving ${path}: stopped`);
    await sleep(pollMs, undefined, { signal: complete.signal }).catch(() => undefined); // woken: there is no more to wait for
  };
  // A decoder that ended early is told by `decoder.done`; writing to it then fails, which must not be an unhandled event.
  decoder.input.on('error', () => undefined);

  const follow = async (): Promise<Media> => {
    const file = await openWhenThere(path, wait, () => isComplete);
    try {
      const mediaOffset = await findMedia(file, path, wait, () => isComplete);
      const hash = createHash('sha256');
      const toBitstream = startCodes(path);
      const piece = Buffer.allocUnsafe(pieceBytes);
      let at = mediaOffset;
      for (;;) {
        // Asked before reading: what is there when the encoder has ended is all there is.
        const last = isComplete;
        const { bytesRead } = await file.read(piece, 0, piece.length, at);
        // Asked after reading: the muxer notes where the media data ends before it writes anything behind it.
        const end = await mediaEnd(file, mediaOffset);
        if (last && end === null) throw refuted(path, 'its media data has no end');
        const bytes = piece.subarray(0, Math.min(bytesRead, (end ?? Infinity) - at));
        at += bytes.length;
        if (bytes.length > 0) {
          hash.update(bytes);
          toBitstream(bytes);
          await handOver(decoder.input, bytes);
        }
        if (at === end) break;
        if (last && bytesRead === 0) throw refuted(path, 'it is shorter than it says');
        if (bytesRead === 0) await wait();
      }
      decoder.input.end();
      return { mediaSha256: hash.digest('hex'), mediaOffset, mediaBytes: at - mediaOffset };
    } finally {
      await file.close();
    }
  };
  return {
    done: follow(),
    complete() {
      isComplete = true;
      complete.abort();
    },
    stop() {
      isStopped = true;
      complete.abort();
      decoder.input.destroy();
    },
  };
}

/** Resolves when the decoder has taken it: the piece may be used again. */
const handOver = (into: Writable, bytes: Buffer): Promise<void> =>
  new Promise((settle, fail) => {
    into.write(bytes, (error) => {
      if (error) fail(error);
      else settle();
    });
  });

async function openWhenThere(path: string, wait: () => Promise<void>, isComplete: () => boolean): Promise<FileHandle> {
  for (;;) {
    const last = isComplete();
    try {
      return await open(path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      if (last) throw refuted(path, 'the encoder wrote no file');
      await wait();
    }
  }
}

/** Where the bytes of the pictures begin: behind the header of the first `mdat`, before which only small boxes may lie. */
async function findMedia(
  file: FileHandle,
  path: string,
  wait: () => Promise<void>,
  isComplete: () => boolean,
): Promise<number> {
  const header = Buffer.alloc(8);
  for (let at = 0; ;) {
    const last = isComplete();
    const { bytesRead } = await file.read(header, 0, 8, at);
    if (bytesRead < 8) {
      if (last) throw refuted(path, 'there is no media data in it');
      await wait();
      continue;
    }
    const [size, type] = [header.readUInt32BE(0), header.toString('latin1', 4)];
    // The long form is only noted in the end, which may be before we come to look.
    if (type === 'mdat') return at + (size === 1 ? 16 : 8);
    if (size < 8 || size > 4096 || !['ftyp', 'free', 'wide'].includes(type)) {
      throw refuted(path, `a box "${type}" of ${size} bytes stands before the media data`);
    }
    at += size;
  }
}

/**
 * Where the media data ends, as soon as the muxer has noted it. Beyond 4 GiB it puts the long form of the size in place of the
 * empty box before.
 */
async function mediaEnd(file: FileHandle, mediaOffset: number): Promise<number | null> {
  const header = Buffer.alloc(16);
  await file.read(header, 0, 16, mediaOffset - 16);
  if (header.readUInt32BE(0) === 1 && header.toString('latin1', 4, 8) === 'mdat') {
    return mediaOffset - 16 + Number(header.readBigUInt64BE(8));
  }
  const size = header.readUInt32BE(8);
  return size < 8 ? null : mediaOffset - 8 + size;
}

/** Replaces the four bytes of length before each NAL unit by a start code, in place, across pieces. */
function startCodes(path: string): (bytes: Buffer) => void {
  let left = 0; // bytes of the NAL unit under way
  let [length, have] = [0, 0]; // the next length, as far as it is read
  return (bytes) => {
    for (let at = 0; at < bytes.length;) {
      if (left > 0) {
        const skip = Math.min(left, bytes.length - at);
        left -= skip;
        at += skip;
        continue;
      }
      length = length * 256 + (bytes[at] ?? 0);
      bytes[at] = have === 3 ? 1 : 0;
      at += 1;
      have += 1;
      if (have < 4) continue;
      if (length === 0) throw refuted(path, 'there is an empty unit in its bitstream');
      [left, length, have] = [length, 0, 0];
    }
  };
}
