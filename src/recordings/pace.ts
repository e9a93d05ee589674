/** Long work on the JavaScript thread, in slices: whoever waits for an answer of the API waits for one slice at most. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Long enough that taking turns costs little, short enough that nobody notices. */
const sliceMs = 4;

export interface Pace {
  /** True when the slice is used up: then `await rest()`. */
  spent(): boolean;
  rest(): Promise<void>;
}

export function makePace(signal?: AbortSignal): Pace {
  let beganMs = performance.now();
  return {
    spent: () => performance.now() - beganMs > sliceMs,
    async rest() {
      await nextTurn();
      signal?.throwIfAborted();
      beganMs = performance.now();
    },
  };
}
