/**
 * Whether a folder is the one it was. A disk that is not mounted, another one in its place, and one that failed and became
 * read-only look like footage that vanished; nothing may be judged by what is seen then.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, constants, fsyncSync, opendirSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inodeText } from './file-identity.js';
import { native } from './native.js';
import { isStuck } from './patience.js';

declare module './native/addon.js' {
  interface Addon {
    folderMount(path: Buffer): { readonly filesystem: string; readonly readOnly: boolean };
  }
}

/** Lies in each root that can be written to; hidden, so that no recorder and no layout takes it for a recording. */
export const markerName = '.tredive-root';

/** By what a root is known again. Null where it was not looked at or cannot be had. */
export interface KnownFolder {
  /** Inode number of the folder itself. Most file systems give theirs the same one. */
  readonly identity: string;
  readonly marker: string | null;
  readonly filesystem: string | null;
  readonly readOnly: boolean | null;
}

export interface FolderVerdict {
  /** Why it is not the known folder, or null. */
  readonly problem: string | null;
  /** False where only the inode speaks for it, so that what lies in it should be asked too. */
  readonly certain: boolean;
}

export const inodeOf = (path: string): string => inodeText(statSync(path, { bigint: true }).ino);

const doubt = (problem: string): FolderVerdict => ({ problem, certain: true });

/**
 * Compares a folder with what is known of it. Missing, not answering, no folder, another inode, another marker, read-only where it could be
 * written to, or empty. Never throws for what is or is not there. Synchronous: a few system calls.
 */
export function judgeFolder(
  path: string,
  rootId: string,
  known: KnownFolder,
  { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean } = {},
): FolderVerdict {
  // What follows would wait in the kernel, and everybody with it.
  if (isStuck(path)) return doubt(`${path} does not answer; is its disk or server down?`);
  try {
    if (!statSync(path).isDirectory()) return doubt(`${path} is not a folder`);
    const inode = inodeOf(path);
    if (inode !== known.identity) {
      return doubt(
        `${path} is not the folder that was indexed as "${rootId}" (inode ${inode} instead of ${known.identity}); is the right disk mounted?`,
      );
    }
    if (!mayBeEmpty && isEmpty(path)) {
      return doubt(`${path} is empty, but footage was indexed in it; is it mounted?`);
    }
    const marker = readMarker(path);
    if (known.marker !== null && marker !== null && marker !== known.marker) {
      return doubt(
        `${path} is not the folder that was indexed as "${rootId}": its marker ${markerName} is that of another; is the right disk mounted?`,
      );
    }
    const { filesystem, readOnly } = native().folderMount(Buffer.from(path));
    if (readOnly && known.readOnly === false) {
      return doubt(`${path} can only be read, and could be written to when it was indexed; did its disk fail?`);
    }
    const marked = known.marker !== null && marker === known.marker;
    return { problem: null, certain: marked || (known.filesystem !== null && filesystem === known.filesystem) };
  } catch (error) {
    return doubt(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}); is it mounted?`);
  }
}

/** Reads no further than the first name: a root may hold a million of them. */
function isEmpty(path: string): boolean {
  const folder = opendirSync(path);
  try {
    let entry = folder.readSync();
    if (entry?.name === markerName) entry = folder.readSync();
    return entry === null;
  } finally {
    folder.closeSync();
  }
}

/**
 * What a folder that is trusted now will be known by. Writes the marker, the known one where there was one, unless there is one
 * already or it cannot be: not on a read-only mount, and not where everybody's right to write was taken away. Throws the
 * system's error where the folder cannot be looked at.
 */
export function markFolder(path: string, knownMarker: string | null): Omit<KnownFolder, 'identity'> {
  const { filesystem, readOnly } = native().folderMount(Buffer.from(path));
  const mayWrite = !readOnly && (statSync(path).mode & 0o222) !== 0;
  const marker = readMarker(path) ?? (mayWrite ? writeMarker(path, knownMarker ?? randomUUID()) : null);
  return { marker, filesystem, readOnly };
}

/** Whoever can write into the root can put anything here, a named pipe too. */
function readMarker(path: string): string | null {
  try {
    const fd = openSync(join(path, markerName), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const buffer = Buffer.alloc(64);
      const text = buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, null));
      return /^[0-9a-f-]{36}(?=\n$)/.exec(text)?.[0] ?? null;
    } finally {
      closeSync(fd);
    }
  } catch {
    // None, or not to be had: then the inode and the file system have to do.
    return null;
  }
}

/** The marker that was written, or null where the folder does not take one. A crash leaves none, an empty one or a whole one. */
function writeMarker(path: string, marker: string): string | null {
  try {
    const fd = openSync(
      join(path, markerName),
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o444,
    );
    try {
      writeSync(fd, `${marker}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    return marker;
  } catch {
    // No right to, a full disk, or something else has that name: not worth refusing to index footage for.
    return null;
  }
}
