/** What is done to files relative to a directory handle (unlink_beneath), to directories (fsync_directory) and to open files (file_lock). */
import { GatewayError } from '../../errors.js';
import { fromNative, native, type NativeTrouble } from './addon.js';

interface Settled extends NativeTrouble {
  readonly outcome?: UnlinkOutcome;
}

declare module './addon.js' {
  interface Addon {
    unlinkBeneath(
      root: Buffer,
      files: readonly (ExpectedFile & { readonly path: Buffer })[],
      yields: boolean,
    ): Promise<Settled[]>;
    fsyncDirectory(path: Buffer): Promise<void>;
    tryLock(fd: number): boolean | null;
    lowerThreadPriority(): boolean;
    dropFromCache(fd: number): boolean;
  }
}

const bytesOf = (path: string | Buffer): Buffer => (typeof path === 'string' ? Buffer.from(path) : path);

/**
 * What the index knows about a file; `device` and `modifiedUs` are compared when given. Give `modifiedUs` (stat's mtimeNs / 1000n)
 * where it is known: file systems hand the inode of a removed file to the next new one, and recorders preallocate files of one size.
 */
export interface ExpectedFile {
  readonly inode: bigint;
  readonly sizeBytes: bigint;
  readonly device?: bigint;
  readonly modifiedUs?: bigint;
}

export type UnlinkOutcome = 'unlinked' | 'absent';

/**
 * Unlinks files below a root, in order, following no link and never leaving the root, and only if each is a regular file with
 * exactly the expected inode and size. Afterwards the directories are fsynced, once each. A path is relative to the root, in
 * bytes, because file names need not be UTF-8.
 *
 * One result per file, in order: `absent` when the file or its directory is not there (then too the directory is fsynced: an
 * earlier run may have died between its unlink and its fsync), or the error: `segment-changed` (a link, other inode or size, not
 * a regular file, `..`, absolute, empty, NUL), `root-untrusted`, `io-failed`.
 *
 * `yields`: with the lowest I/O priority there is short of none at all (best effort, 7). BFQ and mq-deadline go by it, other
 * schedulers do not; the journal of the file system, which does most of it, has its own.
 */
export async function unlinkManyBeneath(
  rootPath: string,
  files: readonly { readonly relativePath: string | Buffer; readonly expected: ExpectedFile }[],
  { yields = false }: { readonly yields?: boolean } = {},
): Promise<(UnlinkOutcome | GatewayError)[]> {
  const results = await native().unlinkBeneath(
    Buffer.from(rootPath),
    files.map(({ relativePath, expected }) => ({
      path: bytesOf(relativePath),
      ...expected,
    })),
    yields,
  );
  return results.map((result, index) => {
    if (result.outcome !== undefined) return result.outcome;
    return fromNative(result, `Deleting ${String(files[index]?.relativePath)} below ${rootPath}`);
  });
}

/** {@link unlinkManyBeneath} for one file; throws its error. */
export async function unlinkBeneath(
  rootPath: string,
  relativePath: string | Buffer,
  expected: ExpectedFile,
): Promise<UnlinkOutcome> {
  const [result] = await unlinkManyBeneath(rootPath, [{ relativePath, expected }]);
  if (result === undefined) throw new GatewayError('internal', 'unlinkBeneath gave no result');
  if (result instanceof GatewayError) throw result;
  return result;
}

/** Makes renames, creations and removals in a directory durable. */
export async function fsyncDirectory(path: string): Promise<void> {
  try {
    await native().fsyncDirectory(Buffer.from(path));
  } catch (error) {
    throw fromNative(error, `Syncing ${path}`);
  }
}

/**
 * Locks an open file for this open descriptor alone (flock), without waiting: `taken` where any other one has it, also one of
 * this process. The lock ends when the descriptor is closed, or its process ends in whatever way; renaming or unlinking the
 * file does not touch it. `unknown`: this file system keeps no locks. Throws `io-failed`.
 */
export function tryLock(fd: number): 'locked' | 'taken' | 'unknown' {
  try {
    const isLocked = native().tryLock(fd);
    return isLocked === null ? 'unknown' : isLocked ? 'locked' : 'taken';
  } catch (error) {
    throw fromNative(error, 'Locking a file');
  }
}

/** From now on this thread alone reads, writes and runs behind everybody else. Never on the main thread. False: no such thing here. */
export const lowerThreadPriority = (): boolean => native().lowerThreadPriority();

/**
 * Writes an open file to the disk and drops it from memory, so that what is read next comes from the disk. False where the file
 * system keeps it in memory all the same (tmpfs). Waits for the disk. Throws `io-failed`.
 */
export function dropFromCache(fd: number): boolean {
  try {
    return native().dropFromCache(fd);
  } catch (error) {
    throw fromNative(error, 'Writing a file to the disk');
  }
}
