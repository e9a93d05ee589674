import { forAddon, fromNative, native } from './addon.js';
import type { MaskBatch, MaskOptions } from './masks.js';

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

declare module './addon.js' {
  interface Addon {
    openFrameLine(options: object): NativeLine;
  }
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

/**
 * Reads raw yuv420p frames that ffmpeg writes into a pipe: NUT, or YUV4MPEG2 with the times on another pipe, a small picture
 * of NUT for each. Owns `readFd` and `timesFd`.
 */
export function openFrameLine(
  options: MaskOptions & { readonly readFd: number; readonly timesFd?: number | undefined },
  signal?: AbortSignal,
): FrameLine {
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
