/**
 * A network mount whose server is gone answers nothing, not even with an error, and whoever asks waits in the kernel. So a thread of
 * the pool asks, and is waited for so long only; while it waits nobody else asks: two threads a folder at most, never all of them.
 */
import { stat } from 'node:fs/promises';
import { GatewayError } from '../errors.js';

const probePatienceMs = 10_000;

/** Folders of which something has not come back, and how many things. */
const waitedFor = new Map<string, number>();

/** Something was asked of this folder longer ago than anybody waits, and has not come back yet. */
export const isStuck = (path: string): boolean => waitedFor.has(path);

const stuckError = (path: string): GatewayError =>
  new GatewayError('io-failed', `${path} does not answer.`, {
    remedy: 'See to its disk or server. What was asked of it may still be carried out.',
    cause: Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }),
  });

/**
 * The result of `work`, which asks something of the folder in a thread. Throws `io-failed` (cause ETIMEDOUT) where it takes longer
 * than `patienceMs`, and at once, without asking, while the folder is stuck. What was begun goes on by itself.
 */
export async function withPatience<T>(path: string, patienceMs: number, work: () => Promise<T>): Promise<T> {
  if (isStuck(path)) throw stuckError(path);
  const working = work();
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      waitedFor.set(path, (waitedFor.get(path) ?? 0) + 1);
      const back = (): void => {
        const left = (waitedFor.get(path) ?? 1) - 1;
        if (left === 0) waitedFor.delete(path);
        else waitedFor.set(path, left);
      };
      working.then(back, back);
      reject(stuckError(path));
    }, patienceMs);
  });
  try {
    return await Promise.race([working, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks a folder for a sign of life; afterwards `isStuck` tells. Whatever it answers, also that it is not there, is one. */
export async function askFolder(path: string, patienceMs = probePatienceMs): Promise<void> {
  try {
    await withPatience(path, patienceMs, () => stat(path));
  } catch {
    // Who looks at it next meets the same error, or asks `isStuck`.
  }
}
