/** Files that are either not there or whole and on the disk. */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GatewayError, toGatewayError } from '../errors.js';

export const partialSuffix = '.partial';
/** A masked copy while the encoder writes it. Whoever removes a file removes what a crash left under both names. */
export const growingSuffix = `.growing${partialSuffix}`;

export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes `bytes` as `path`: temporary name, fsync, rename, fsync of the folder. A crash leaves the old file or the new. */
export async function writeDurably(path: string, bytes: string | Uint8Array, mode = 0o640): Promise<void> {
  const partial = path + partialSuffix;
  try {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(partial, 'w', mode);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(partial, { force: true });
    throw toGatewayError(error, `writing ${path}`);
  }
}

/** SHA-256 of a file in lower-case hex, streamed. */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/**
 * Copies a file bit by bit and proves it: hash of the source against the hash of the copy as read back. Shares blocks where
 * the file system can (reflink). A source that is written to meanwhile ends in `segment-changed`, with no copy left.
 */
export async function copyVerified(
  source: string,
  target: string,
  signal?: AbortSignal,
): Promise<{ sha256: string; sizeBytes: number }> {
  const partial = target + partialSuffix;
  try {
    await mkdir(dirname(target), { recursive: true });
    const before = await sha256File(source, signal);
    await copyFile(source, partial, constants.COPYFILE_FICLONE);
    await syncFile(partial);
    const after = await sha256File(partial, signal);
    if (before !== after) {
      throw new GatewayError('segment-changed', `${source} changed while it was copied.`, {
        remedy: 'Try again when it is closed.',
      });
    }
    const handle = await open(partial, 'r');
    const sizeBytes = await handle
      .stat()
      .then((stat) => stat.size)
      .finally(() => handle.close());
    await rename(partial, target);
    await syncDirectory(dirname(target));
    return { sha256: after, sizeBytes };
  } catch (error) {
    await rm(partial, { force: true });
    throw toGatewayError(error, `copying ${source}`);
  }
}

/** A text file's content, or null where there is none. */
export async function readTextIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw toGatewayError(error, `reading ${path}`);
  }
}

/** `child` below `parent`, refused as `input-invalid` where it would lead out of it. For names that are not ours. */
export function joinBeneath(parent: string, child: string): string {
  const parts = child.split('/');
  if (
    child === '' ||
    child.startsWith('/') ||
    child.includes('\0') ||
    parts.some((part) => part === '..' || part === '.' || part === '')
  ) {
    throw new GatewayError('input-invalid', `"${child}" is not a path below its folder.`, {
      remedy: 'Use a relative path without "..".',
    });
  }
  return join(parent, ...parts);
}
