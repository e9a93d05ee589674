import { forAddon, fromNative, native } from './addon.js';
import type { MaskBatch, MaskOptions } from './masks.js';

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

declare module './addon.js' {
  interface Addon {
    checkFrames(options: object): NativeCheck;
  }
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
