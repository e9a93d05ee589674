/**
 * Only one run makes a copy of a certain name. `<output>.partial` is there from the first moment, empty, and locked for as long
 * as the run lasts; at its end it becomes the output. The kernel ends the lock with the process, also on SIGKILL: a file that
 * nobody has locked was left by a crash, and is no hindrance. The lock is on the file and not on its name, so that two paths
 * to one folder make no difference.
 */
import { constants } from 'node:fs';
import { lstat, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GatewayError, toGatewayError } from '../errors.js';
import { growingSuffix, partialSuffix, syncDirectory } from '../platform/durable-file.js';
import { tryLock } from '../platform/native.js';

export interface OutputClaim {
  readonly output: string;
  /** Where the encoder writes. */
  readonly growing: string;
  /** What gets the name of the output; empty at first. */
  readonly partial: { readonly path: string; readonly file: FileHandle };
  /** Gives the partial file its name, in place of what has it. Throws `conflict` where somebody took that file away. */
  name(): Promise<void>;
}

/**
 * Runs `work` while nobody else makes this output. Whatever it left under a temporary name is removed in the end. A crash leaves
 * `<output>.partial` and `<output>.growing.partial`, which nobody takes for a copy and the next run removes.
 *
 * Throws `conflict` while another run makes it, in this process or in any other on this machine; `io-failed` where no file can
 * be made there; and what `work` throws.
 */
export async function withOutput<T>(output: string, work: (claim: OutputClaim) => Promise<T>): Promise<T> {
  const partial = output + partialSuffix;
  const growing = output + growingSuffix;
  const file = await claim(output, partial).catch((error: unknown) => {
    throw toGatewayError(error, `writing ${output}`);
  });
  const end = { isNamed: false };
  try {
    return await work({
      output,
      growing,
      partial: { path: partial, file },
      async name() {
        // A worker that slept through its lease: by now its files are cleaned up, and the names may be another one's.
        if ((await whoseIs(partial, file)) !== 'ours') throw takenAway(partial);
        await rename(partial, output);
        end.isNamed = true;
        await syncDirectory(dirname(output));
      },
    });
  } finally {
    // Who has the one name has the other.
    if (!end.isNamed && (await whoseIs(partial, file)) !== "another's") {
      await rm(growing, { force: true });
      await rm(partial, { force: true });
    }
    // Last: until here nobody else takes these names.
    await file.close();
  }
}

/** Others come and go between two system calls; so many of them do not. */
const mostTries = 100;

/** Makes `partial` and locks it. Nobody's left-over is written into: it may be a link, or another name of some other file. */
async function claim(output: string, partial: string): Promise<FileHandle> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const made = await openNew(partial);
    const file = made ?? (await openLeft(partial));
    if (file === null) continue;
    let isClaimed = false;
    try {
      // Where there are no locks nobody is kept out; whose file was removed by another then learns it when it gets its name.
      if (tryLock(file.fd) === 'taken') break;
      // Between opening and locking it may have got its name, or been removed.
      if ((await whoseIs(partial, file)) !== 'ours') continue;
      isClaimed = made !== null;
      if (isClaimed) return file;
      await rm(partial);
    } finally {
      if (!isClaimed) await file.close();
    }
  }
  throw new GatewayError('conflict', `${output} is being made by another run right now.`, {
    remedy: 'Wait until that one has ended, or name another output. What a crashed run left is no hindrance.',
  });
}

const orNull = (wanted: string) => (error: unknown) => {
  if ((error as NodeJS.ErrnoException).code === wanted) return null;
  throw error;
};

const openNew = (path: string): Promise<FileHandle | null> =>
  open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600).catch(
    orNull('EEXIST'),
  );

/** What is there already, to ask whether it is locked; null where it is gone, or was nothing that any run makes. */
async function openLeft(path: string): Promise<FileHandle | null> {
  const found = await lstat(path).catch(orNull('ENOENT'));
  if (found === null) return null;
  if (found.isDirectory()) {
    throw new GatewayError('io-failed', `${path} is a folder.`, { remedy: 'Name another output.' });
  }
  if (!found.isFile()) {
    // A link goes, never what it leads to.
    await rm(path, { force: true });
    return null;
  }
  try {
    return await open(path, constants.O_RDWR | constants.O_NOFOLLOW).catch(orNull('ENOENT'));
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new GatewayError('io-failed', `${path} is there and belongs to another user.`, {
      remedy: 'Name another output; or, if no run of theirs makes this one, remove that file.',
      cause: error,
    });
  }
}

/** Whether a name is that of the open file. */
async function whoseIs(path: string, file: FileHandle): Promise<'ours' | "another's" | "nobody's"> {
  const named = await lstat(path, { bigint: true }).catch(orNull('ENOENT'));
  if (named === null) return "nobody's";
  const { ino, dev } = await file.stat({ bigint: true });
  return named.ino === ino && named.dev === dev ? 'ours' : "another's";
}

const takenAway = (path: string): GatewayError =>
  new GatewayError('conflict', `${path} was taken away while it was written.`, {
    remedy: 'Another worker has taken over, or somebody cleaned up; look whether the copy is being made again.',
  });
