/**
 * The native addon (native-bindings/), typed. Everything that must not pass through JavaScript - raw frames - or cannot be done
 * from it - unlinking relative to a directory handle - is here.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { GatewayError, toGatewayError } from '../errors.js';

interface Settled {
  readonly outcome?: 'unlinked' | 'absent';
  readonly code?: string;
  readonly message?: string;
  readonly errno?: number;
}

interface NativeFile {
  readonly path: Buffer;
  readonly inode: bigint;
  readonly sizeBytes: bigint;
  readonly device?: bigint;
  readonly modifiedUs?: bigint;
}

export interface Addon {
  unlinkBeneath(root: Buffer, files: readonly NativeFile[]): Promise<Settled[]>;
  fsyncDirectory(path: Buffer): Promise<void>;
  openFramePipe(): FramePipe;
  openFrameReader(readFd: number): FrameReader;
  pumpFrames(options: object): NativeJob<PumpResult>;
  checkFrames(options: object): NativeJob<CheckResult>;
}

interface NativeJob<Result> {
  readonly done: Promise<Result>;
  stop(): void;
}

let loaded: Addon | undefined;

/**
 * The addon, loaded at first use so that commands which need none of it work without a compiler.
 * @throws GatewayError `internal` when it is missing or does not load, with what to do.
 */
export function native(): Addon {
  if (loaded !== undefined) return loaded;
  // dist/platform/native.js when built, src/platform/native.ts in tests.
  const places = ['../native/tredive.node', '../../dist/native/tredive.node'].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  const path = places.find((place) => existsSync(place));
  if (path === undefined) {
    throw new GatewayError('internal', 'The native addon dist/native/tredive.node is missing.', {
      remedy: 'Run `npm run build`; it needs make and g++.',
    });
  }
  try {
    loaded = createRequire(import.meta.url)(path) as Addon;
  } catch (error) {
    throw new GatewayError('internal', `The native addon does not load: ${(error as Error).message}`, {
      remedy: `It was built for another system or Node (this is ${process.platform} ${process.arch}, Node ${process.versions.node}). Delete dist/native and run \`npm run build\`.`,
      cause: error,
    });
  }
  return loaded;
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** What the addon reports, as a GatewayError. `doing` begins the message. */
export function fromNative(thrown: unknown, doing: string): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  const { code, message, errno } = thrown as Settled;
  const text = `${doing}: ${message ?? String(thrown)}`;
  switch (code) {
    case 'changed':
      return new GatewayError('segment-changed', text, {
        remedy: 'Nothing was deleted. Scan again and look at what was put in its place.',
      });
    case 'root':
      return new GatewayError('root-untrusted', text, { remedy: 'Mount the root, or correct its path.' });
    case 'interrupted':
      return new GatewayError('interrupted', text);
    case 'malformed':
      return new GatewayError('media-unreadable', text, { remedy: 'The decoded stream is not what it should be.' });
    case 'truncated':
      return new GatewayError('ffmpeg-failed', text, { remedy: 'ffmpeg ended before its stream did.' });
    case 'mismatch':
      return new GatewayError('verification-failed', text);
    case 'io': {
      const name = errnoNames.get(errno ?? 0);
      if (name === 'EPIPE') {
        return new GatewayError('ffmpeg-failed', text, { remedy: 'ffmpeg ended before it had all frames.' });
      }
      return toGatewayError(Object.assign(new Error(text, { cause: thrown }), { code: name ?? 'EIO' }));
    }
    case undefined:
    default:
      return new GatewayError('internal', text, { cause: thrown });
  }
}

const bytesOf = (path: string | Buffer): Buffer => (typeof path === 'string' ? Buffer.from(path) : path);

/**
 * What the index knows about a file; `device` and `modifiedUs` are compared when given. Give `modifiedUs` (stat's mtimeNs / 1000n)
 * where it is known: file systems hand the inode of a removed file to the next new one, and recorders preallocate files of one size.
 */
export interface ExpectedFile {
  readonly inode: bigint;
  readonly sizeBytes: bigint;
  readonly device?: bigint;
  readonly modifiedUs?: bigint;
}

export type UnlinkOutcome = 'unlinked' | 'absent';

/**
 * Unlinks files below a root, in order, following no link and never leaving the root, and only if each is a regular file with
 * exactly the expected inode and size. Afterwards the directories are fsynced, once each. A path is relative to the root, in
 * bytes, because file names need not be UTF-8.
 *
 * One result per file, in order: `absent` when the file or its directory is not there (then too the directory is fsynced: an
 * earlier run may have died between its unlink and its fsync), or the error: `segment-changed` (a link, other inode or size, not
 * a regular file, `..`, absolute, empty, NUL), `root-untrusted`, `io-failed`.
 */
export async function unlinkManyBeneath(
  rootPath: string,
  files: readonly { readonly relativePath: string | Buffer; readonly expected: ExpectedFile }[],
): Promise<(UnlinkOutcome | GatewayError)[]> {
  const results = await native().unlinkBeneath(
    Buffer.from(rootPath),
    files.map(({ relativePath, expected }) => ({
      path: bytesOf(relativePath),
      ...expected,
    })),
  );
  return results.map((result, index) => {
    if (result.outcome !== undefined) return result.outcome;
    return fromNative(result, `Deleting ${String(files[index]?.relativePath)} below ${rootPath}`);
  });
}

/** {@link unlinkManyBeneath} for one file; throws its error. */
export async function unlinkBeneath(
  rootPath: string,
  relativePath: string | Buffer,
  expected: ExpectedFile,
): Promise<UnlinkOutcome> {
  const [result] = await unlinkManyBeneath(rootPath, [{ relativePath, expected }]);
  if (result === undefined) throw new GatewayError('internal', 'unlinkBeneath gave no result');
  if (result instanceof GatewayError) throw result;
  return result;
}

/** Makes renames, creations and removals in a directory durable. */
export async function fsyncDirectory(path: string): Promise<void> {
  try {
    await native().fsyncDirectory(Buffer.from(path));
  } catch (error) {
    throw fromNative(error, `Syncing ${path}`);
  }
}

export interface FramePipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/** A pipe for raw frames. Both ends are ours to close, except that a reader or pump owns the end it was given. */
export function openFramePipe(): FramePipe {
  try {
    return native().openFramePipe();
  } catch (error) {
    throw fromNative(error, 'Opening a pipe');
  }
}

export interface TimeBase {
  readonly num: number;
  readonly den: number;
}

export interface FrameHeader {
  readonly width: number;
  readonly height: number;
  /** Seconds per unit of `pts`: num / den. */
  readonly timeBase: TimeBase;
  readonly pixelFormat: string;
}

export interface FrameReader {
  /** Known when the first frame is there. */
  header(): Promise<FrameHeader>;
  /**
   * The next frame in presentation order, null at the end of the stream. `into` (3 * width * height, planar R, G, B, 0..255)
   * is written on another thread: leave it alone until the promise settles. With null the pixels are skipped.
   * The end of the stream is clean only if ffmpeg also exits with success: await its `done` as well.
   */
  next(into: Float32Array | null): Promise<{ readonly index: number; readonly pts: bigint } | null>;
  /** Stops and frees everything; a pending call rejects with `interrupted`. May be called twice. */
  close(): void;
}

/** Reads raw frames (NUT; rgb24, gbrp or yuv420p) that ffmpeg writes into a pipe, ahead of the caller. Owns `readFd`. */
export function openFrameReader(readFd: number, signal?: AbortSignal): FrameReader {
  let reader: FrameReader;
  try {
    reader = native().openFrameReader(readFd);
  } catch (error) {
    throw fromNative(error, 'Opening a frame reader');
  }
  const abort = (): void => {
    reader.close();
  };
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  const doing = 'Reading decoded frames';
  return {
    header: () => reader.header().catch((error: unknown) => Promise.reject(fromNative(error, doing))),
    next: (into) => reader.next(into).catch((error: unknown) => Promise.reject(fromNative(error, doing))),
    close: () => {
      signal?.removeEventListener('abort', abort);
      reader.close();
    },
  };
}

/** A line burnt in along an edge of the picture, a text for each frame. */
export interface BurntLabel {
  /** In the letters of the built-in font, see {@link toLabelText}. */
  readonly texts: readonly string[];
  /** Index into `texts` for each frame of the timeline. */
  readonly textOfFrame: Uint32Array;
  readonly edge: 'top' | 'bottom';
}

/** What each frame must be and what is covered in it, as flat arrays. */
export interface FrameMasks {
  /** Rectangles of frame i are `rects[offsets[i] * 4 .. offsets[i + 1] * 4)`, as x, y, w, h. frameCount + 1 entries. */
  readonly offsets: Uint32Array;
  readonly rects: Int32Array;
  /** Strictly growing time stamps in units of `timeBase`. */
  readonly expectedPts: BigInt64Array;
  readonly timeBase: TimeBase;
  readonly style: 'solid' | 'pixelate';
  readonly label?: BurntLabel | undefined;
}

export interface PumpOptions extends FrameMasks {
  /** From `startDecoder` and `startEncoder`; owned by the pump from here on, closed whatever happens. */
  readonly readFd: number;
  readonly writeFd: number;
  /** Frames outside `[firstFrame, endFrame)` are read but not written; after endFrame reading stops. */
  readonly firstFrame: number;
  readonly endFrame: number;
  /** Called a few times a second with the number of frames written. */
  readonly onProgress?: ((framesDone: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PumpResult {
  readonly framesRead: number;
  readonly framesWritten: number;
}

export interface CheckResult {
  readonly frames: number;
  readonly rectangles: number;
  /** Largest mean distance of a covered rectangle from its fill, in levels of 0..255. */
  readonly worstDeviation: number;
}

async function runJob<Result>(start: () => NativeJob<Result>, doing: string, signal?: AbortSignal): Promise<Result> {
  let job: NativeJob<Result> | undefined;
  const abort = (): void => {
    job?.stop();
  };
  try {
    job = start();
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
    return await job.done;
  } catch (error) {
    throw fromNative(error, doing);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** A plain object of own properties without undefined ones, as the addon reads it. */
const forAddon = (options: object): object =>
  Object.fromEntries(Object.entries(options).filter(([name, value]) => value !== undefined && name !== 'signal'));

/**
 * The render pump: decoded frames in, rectangles covered in place, frames out, on threads of its own; no frame passes through
 * JavaScript. Written time stamps count from the first written frame.
 *
 * Rejects with `verification-failed` if a frame is missing, surplus or at another time than expected, `ffmpeg-failed` if a side
 * ended early, `media-unreadable`, `interrupted`. After any rejection nothing that was written can be trusted.
 */
export function pumpFrames(options: PumpOptions): Promise<PumpResult> {
  return runJob(() => native().pumpFrames(forAddon(options)), 'Masking frames', options.signal);
}

/**
 * Proves a decoded masked copy: exactly these frames at exactly these times (counted from the first on both sides), every
 * rectangle covered, the label where it should be. Rejects with `verification-failed` at the first doubt. Owns `readFd`.
 */
export function checkFrames(
  options: FrameMasks & { readonly readFd: number; readonly signal?: AbortSignal | undefined },
): Promise<CheckResult> {
  return runJob(() => native().checkFrames(forAddon(options)), 'Proving the masked copy', options.signal);
}
