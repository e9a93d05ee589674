/** The reading end of a pipe, and what a process holds: open handles, threads. */
import { closeSync, read, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'vitest';

const readSome = promisify(read);

/** Everything up to the end; then the pipe is closed. */
export async function readToEnd(fd: number, { pieceBytes = 1 << 16, pauseMs = 0 } = {}): Promise<Buffer> {
  const pieces: Buffer[] = [];
  try {
    for (;;) {
      const piece = Buffer.alloc(pieceBytes);
      const { bytesRead } = await readSome(fd, piece, 0, pieceBytes, null);
      if (bytesRead === 0) return Buffer.concat(pieces);
      pieces.push(piece.subarray(0, bytesRead));
      if (pauseMs > 0) await sleep(pauseMs);
    }
  } finally {
    closeSync(fd);
  }
}

export const openFds = (): number => readdirSync('/proc/self/fd').length;
export const threads = (): number => readdirSync('/proc/self/task').length;

/** Waits until no more handles and threads are open than before; the limit is only for a failure. */
export async function expectNoLeak(fdsBefore: number, threadsBefore: number): Promise<void> {
  const fine = (): boolean => openFds() <= fdsBefore && threads() <= threadsBefore;
  for (let i = 0; i < 150 && !fine(); i += 1) await sleep(20);
  expect([openFds() - fdsBefore, Math.max(0, threads() - threadsBefore)]).toEqual([0, 0]);
}
