/** How a sweep gives way to the recorders: it must not take the disk from who writes to it, and must not fall behind its limit. */

/** A batch of fewer files says more about its one sync than about the disk. */
const fewestFiles = 32;
/** So many times as slow as the best batch of this sweep: somebody else is at the disk. */
const busyFactor = 4;
/** A disk that stands still for a while is no reason to do so too. */
export const longestPauseMs = 2000;

export interface Pace {
  /** How long to let the disk to others after a batch: as long as the batch had it, where it took far longer than the quickest one. */
  pauseMs(batch: { readonly files: number; readonly tookMs: number; readonly urgent: boolean }): number;
}

/** For one sweep. What is urgent never waits. */
export function makePace(): Pace {
  let bestMs = Infinity;
  return {
    pauseMs({ files, tookMs, urgent }) {
      if (files < fewestFiles) return 0;
      const eachMs = tookMs / files;
      const busy = eachMs > busyFactor * bestMs;
      bestMs = Math.min(bestMs, eachMs);
      return busy && !urgent ? Math.min(tookMs, longestPauseMs) : 0;
    },
  };
}
