/** Gathers key frames in bounded memory, however many a file has or claims. */
import type { KeyFrames } from '../../store/key-frames.js';

/** A day of recording with one a second, and an hour of a camera that makes nothing else. */
export const maxKeyFrames = 2 ** 17;

export interface Collector {
  /** In microseconds after the first frame. */
  add(offsetUs: number): void;
  /** `count` key frames at equal distances. Costs no more than what is kept of them. */
  addRun(firstUs: number, stepUs: number, count: number): void;
  keyFrames(): KeyFrames;
}

/** Past its limit it keeps every second one, then every fourth, and so on: what stays is true, and spread evenly. */
export function makeCollector(limit = maxKeyFrames): Collector {
  let offsets: number[] = [];
  let stride = 1;
  let seen = 0;
  const addRun = (firstUs: number, stepUs: number, count: number): void => {
    for (let index = toNext(); index < count; index += toNext(index)) {
      if (offsets.length >= limit) {
        offsets = offsets.filter((_, at) => at % 2 === 0);
        stride *= 2;
        // This one may have been between two that are kept now.
        if ((seen + index) % stride !== 0) continue;
      }
      offsets.push(Math.round(firstUs + index * stepUs));
    }
    seen += count;
  };
  /** How far it is from `index` (or from before the run) to the next one that is kept. */
  const toNext = (index = -1): number =>
    index === -1 ? (stride - (seen % stride)) % stride : stride - ((seen + index) % stride);
  return {
    add: (offsetUs) => {
      addRun(offsetUs, 0, 1);
    },
    addRun,
    keyFrames: () => ({
      offsetsUs: [...new Set(offsets.filter((one) => Number.isSafeInteger(one) && one >= 0))].sort((a, b) => a - b),
      complete: stride === 1,
    }),
  };
}
