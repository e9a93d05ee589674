/**
 * Room that is kept for deleting. A full disk is freed by deletion, and a deletion is first written down: without room to write, a
 * recorder that filled the disk would stop retention for good. So some megabytes are taken in good times, and given back, a part
 * at a time, to who may spend them. Who else writes to that disk may be quicker: then the next part is given.
 */
import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { toGatewayError } from '../errors.js';
import type { Log } from './log.js';

/** A batch of deletions takes two or three megabytes of the WAL, which is written over from its begin every four. */
const partBytes = 4 << 20;
const parts = 4;
const wholeBytes = partBytes * parts;

export interface Reserve {
  /** Does `work`, once more for each part that had to be given back because the disk was full. It must begin anew each time. */
  spend<T>(work: () => T): T;
  /** Takes again what was given, where twice as much is free. False where it is not whole. Never throws. */
  fill(): boolean;
}

/** As `spend`, where there may be no reserve. */
export const spending = <T>(reserve: Reserve | undefined, work: () => T): T =>
  reserve === undefined ? work() : reserve.spend(work);

/** Errors of a write without room; SQLite has names of its own for some of its files. */
const fullCodes = new Set([
  ...['ENOSPC', 'EDQUOT', 'disk-full'],
  ...['SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_IOERR_SHMSIZE', 'SQLITE_CANTOPEN'],
]);

function isFull(thrown: unknown): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if ('code' in error && fullCodes.has(String(error.code))) return true;
  }
  return false;
}

/** The reserve of a folder, in one file of it. It need not be there yet. */
export function makeReserve(folder: string, log: Log): Reserve {
  const file = join(folder, 'reserve');
  const sizeBytes = (): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

  function giveBack(): boolean {
    const left = sizeBytes();
    if (left === 0) return false;
    const fd = openSync(file, 'r+');
    try {
      ftruncateSync(fd, Math.max(0, left - partBytes));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    log.warn({ leftBytes: Math.max(0, left - partBytes) }, 'the disk of the data folder is full: its reserve is used');
    return true;
  }

  return {
    spend(work) {
      for (;;) {
        try {
          return work();
        } catch (error) {
          if (!isFull(error) || !giveBack()) throw error;
        }
      }
    },
    fill() {
      try {
        const has = sizeBytes();
        if (has >= wholeBytes) return true;
        const { bavail, bsize } = statfsSync(folder);
        if (bavail * bsize < 2 * wholeBytes) return false;
        const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o640);
        try {
          // Not zeros: some file systems keep no room for those.
          const bytes = randomFillSync(Buffer.alloc(partBytes));
          for (let at = has; at < wholeBytes;) at += writeSync(fd, bytes, 0, Math.min(partBytes, wholeBytes - at), at);
          fsyncSync(fd);
        } finally {
          closeSync(fd);
        }
        return true;
      } catch (error) {
        log.warn({ err: toGatewayError(error) }, 'no room is kept for deleting on a full disk');
        // Half of it is in nobody's way, unless that is what the disk has no room for.
        try {
          rmSync(file, { force: true });
        } catch {
          // Said above: nothing can be written there now, and the next sweep tries again.
        }
        return false;
      }
    },
  };
}
