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
  tryLock(fd: number): boolean | null;
  openFramePipe(): FramePipe;
  openFrameLine(options: object): NativeLine;
  checkFrames(options: object): NativeCheck;
  createMotionModel(width: number, height: number): MotionModel;
  /** A yuv420p picture at another size as planar R, G, B, 0..255. */
  shrinkToRgb(
    picture: Uint8Array,
    width: number,
    height: number,
    toWidth: number,
    toHeight: number,
    matrix: 'bt601' | 'bt709',
    fullRange: boolean,
  ): Float32Array;
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

/**
 * Locks an open file for this open descriptor alone (flock), without waiting: `taken` where any other one has it, also one of
 * this process. The lock ends when the descriptor is closed, or its process ends in whatever way; renaming or unlinking the
 * file does not touch it. `unknown`: this file system keeps no locks. Throws `io-failed`.
 */
export function tryLock(fd: number): 'locked' | 'taken' | 'unknown' {
  try {
    const isLocked = native().tryLock(fd);
    return isLocked === null ? 'unknown' : isLocked ? 'locked' : 'taken';
  } catch (error) {
    throw fromNative(error, 'Locking a file');
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
}

/** How one picture is covered; `frames` are in order and follow the ones given before. */
export interface MaskBatch {
  /** Rectangles of each frame. */
  readonly counts: Uint32Array;
  /** All of them, x, y, w, h each, in pixels; clipped to the picture. */
  readonly rects: Int32Array;
  /** What is written along the edge of each frame, in the letters of the built-in font; needed where there is a label. */
  readonly texts?: readonly string[] | undefined;
  /** These frames are not part of the copy. */
  readonly drop?: boolean | undefined;
}

export interface LabelOptions {
  readonly edge: 'top' | 'bottom';
  /** Letters of the longest text there will be. */
  readonly longest: number;
}

export interface MaskOptions {
  readonly style: 'solid' | 'pixelate';
  readonly label?: LabelOptions | undefined;
}

/** Where a look at the frame in hand is written, on another thread: leave the arrays alone until the promise settles. */
export interface LookInto {
  /** 3 * width * height, planar R, G, B, 0..255. */
  readonly rgb: { readonly pixels: Float32Array; readonly width: number; readonly height: number } | null;
  /** yuv420p without padding. */
  readonly small: { readonly pixels: Uint8Array; readonly width: number; readonly height: number } | null;
  readonly matrix: 'bt601' | 'bt709';
}

interface NativeLine {
  header(): Promise<FrameHeader>;
  next(): Promise<Frame | null>;
  look(...values: unknown[]): Promise<void>;
  writeTo(fd: number): void;
  release(batch: object): void;
  finish(): Promise<number>;
  close(): void;
}

export interface Frame {
  /** From 0, in presentation order. */
  readonly index: number;
  /** In units of the header's time base; strictly growing. */
  readonly pts: number;
}

/**
 * The way of the frames from the decoder to the encoder, on threads of its own; no frame passes through JavaScript. Each frame
 * is told of once, waits until it is said what is covered in it, is covered in place, and is written on. After any rejection
 * nothing that was written can be trusted.
 */
export interface FrameLine {
  /** Known when the first frame is there. */
  header(): Promise<FrameHeader>;
  /**
   * Takes the next frame in hand; null at the end of the stream, when the last one stays in hand. Waits while the encoder is
   * behind. The end of the stream is clean only if ffmpeg also exits with success: await its `done` as well.
   */
  next(): Promise<Frame | null>;
  /** Small pictures of the frame in hand. */
  look(into: LookInto): Promise<void>;
  /** Where covered frames go, told before the second `next()`; owned by the line from here on. Without it nothing is kept. */
  writeTo(fd: number): void;
  /** What is covered in the next frames that were not released yet; they must have been in hand. */
  release(batch: MaskBatch): void;
  /** After the last frame that is wanted: resolves with the number of frames written when the encoder has all of them. */
  finish(): Promise<number>;
  /** Stops and frees everything; pending calls reject with `interrupted`. May be called twice. */
  close(): void;
}

/** Reads raw frames (NUT, yuv420p) that ffmpeg writes into a pipe. Owns `readFd`. */
export function openFrameLine(options: MaskOptions & { readonly readFd: number }, signal?: AbortSignal): FrameLine {
  const doing = 'Passing frames on';
  let line: NativeLine;
  try {
    line = native().openFrameLine(forAddon(options));
  } catch (error) {
    throw fromNative(error, doing);
  }
  const told = <T>(promise: Promise<T>): Promise<T> =>
    promise.catch((error: unknown) => Promise.reject(fromNative(error, doing)));
  const abort = (): void => {
    line.close();
  };
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return {
    header: () => told(line.header()),
    next: () => told(line.next()),
    look: ({ rgb, small, matrix }) =>
      told(
        line.look(
          rgb?.pixels ?? null,
          ...[rgb?.width ?? 0, rgb?.height ?? 0, matrix === 'bt709', false],
          small?.pixels ?? null,
          ...[small?.width ?? 0, small?.height ?? 0],
        ),
      ),
    writeTo: (fd) => {
      line.writeTo(fd);
    },
    release: (batch) => {
      line.release(forAddon(batch));
    },
    finish: () => told(line.finish()),
    close: () => {
      signal?.removeEventListener('abort', abort);
      line.close();
    },
  };
}

export interface CheckResult {
  readonly frames: number;
  readonly rectangles: number;
  /** Largest mean distance of a covered rectangle from its fill, in levels of 0..255. */
  readonly worstDeviation: number;
}

interface NativeCheck {
  readonly done: Promise<CheckResult>;
  expect(batch: object): void;
  expectNoMore(): void;
  stop(): void;
}

export interface FrameCheck {
  /** Rejects with `verification-failed` at the first doubt. */
  readonly done: Promise<CheckResult>;
  /** What was covered in the next frames. */
  expect(batch: MaskBatch): void;
  expectNoMore(): void;
  stop(): void;
}

/** Proves a decoded masked copy while it is made: exactly these frames, every rectangle covered, the label where it should be. Owns `readFd`. */
export function checkFrames(options: MaskOptions & { readonly readFd: number }, signal?: AbortSignal): FrameCheck {
  const doing = 'Proving the masked copy';
  let check: NativeCheck;
  try {
    check = native().checkFrames(forAddon(options));
  } catch (error) {
    throw fromNative(error, doing);
  }
  const abort = (): void => {
    check.stop();
  };
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  const done = check.done
    .catch((error: unknown) => Promise.reject(fromNative(error, doing)))
    .finally(() => signal?.removeEventListener('abort', abort));
  done.catch(() => undefined); // whoever waits for it is told; often something else has failed first
  return {
    done,
    expect: (batch) => {
      check.expect(forAddon(batch));
    },
    expectNoMore: () => {
      check.expectNoMore();
    },
    stop: () => {
      check.stop();
    },
  };
}

/** A plain object of own properties without undefined ones, as the addon reads it. */
const forAddon = (options: object): object =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/** What a look says about each cell of 4x4 luma pixels, row by row; the last cells of a row or column may be cut. */
export interface MotionLook {
  readonly cols: number;
  readonly rows: number;
  /** Share of each cell that is not the empty scene, 0..255. */
  readonly foreground: Uint8Array;
  /** Share of each cell that changed since the look before, 0..255. */
  readonly moving: Uint8Array;
  /**
   * False where the model does not know the scene: the camera moves or has rested for less than two seconds since, or all of the
   * picture changed. Then foreground says nothing. A camera that trembles by a pixel or two is taken back, and stays reliable.
   */
  readonly reliable: boolean;
  /** A light was switched at this look. */
  readonly lightChanged: boolean;
}

/**
 * Tells the empty scene of a fixed camera from all else, in small yuv420p pictures (without padding, chroma sides rounded up).
 * Foreground is never learned, so whoever stands still stays in it. Synchronous, about a millisecond a look at 320x180.
 */
export interface MotionModel {
  /** The pictures of the first seconds, at least one: what most of them share is the empty scene. */
  prime(pictures: readonly Uint8Array[]): void;
  /**
   * The next picture in order of time. `occupied` has x, y, width, height of known people in pixels of the small picture, clipped
   * here: nothing is learned there and around. Throws `internal` for another size.
   */
  look(picture: Uint8Array, timeS: number, occupied: Int32Array): MotionLook;
}

/** @throws GatewayError `internal` unless both sides are 16 to 4096 pixels. */
export function createMotionModel(width: number, height: number): MotionModel {
  const doing = 'Looking for motion';
  const run = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      throw fromNative(error, doing);
    }
  };
  const model = run(() => native().createMotionModel(width, height));
  return {
    prime: (pictures) => {
      run(() => {
        model.prime(pictures);
      });
    },
    look: (picture, timeS, occupied) => run(() => model.look(picture, timeS, occupied)),
  };
}
