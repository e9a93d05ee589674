import { fromNative, native } from './addon.js';

declare module './addon.js' {
  interface Addon {
    openFramePipe(): FramePipe;
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
