/**
 * One protected copy, made by the thread that calls: every call waits for the disk, so that thread is not the main one
 * (copy-worker.ts). The file's bytes are the recorder's and hostile: they are moved and hashed, never read as anything.
 *
 * Written into a folder with a temporary name, file by file, each synced and read back from the disk; then the folder is synced
 * and gets its name. A crash anywhere leaves a temporary folder or a whole copy; whose it is says the row that was there before.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
  type BigIntStats,
} from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { maxInitBytes } from '../../domain/fragment.js';
import { GatewayError, toGatewayError } from '../../errors.js';
import { joinBeneath, partialSuffix } from '../../platform/durable-file.js';
import { inodeText } from '../../platform/file-identity.js';
import { dropFromCache } from '../../platform/native.js';
import type { FileStampOf, VaultMethod } from '../../store/vault-copies.js';

/** Names in the folder of a copy, beside the footage. */
export const cardName = 'segment.json';
export const initName = 'init.mp4';

export interface CopyTask {
  readonly what: 'copy';
  /** Absolute path of the root, and the segment's below it. */
  readonly root: string;
  readonly path: string;
  /** As it was indexed. */
  readonly expected: FileStampOf;
  /** Initialisation segment of a fragment, below the root; null for a file that stands alone. */
  readonly init: string | null;
  /** Absolute path of the copy's folder, and the name of the footage in it. */
  readonly folder: string;
  readonly fileName: string;
  /** Ways to try, in this order; the last always works. */
  readonly methods: readonly VaultMethod[];
  /** What must stay free on the disk of the vault after a copy. */
  readonly reserveBytes: number;
  /** What the copy is of, for whoever finds it without a database. */
  readonly card: object;
}

export interface CopyMade extends FileStampOf {
  readonly method: VaultMethod;
  readonly sha256: string;
  readonly initSha256: string | null;
  /** The recorder's file, of which this is a copy. */
  readonly source: FileStampOf;
}

/** Points at which a test kills the process; each names what has just happened. */
export type CopyStep =
  'folder-made' | 'bytes-there' | 'file-synced' | 'read-back' | 'card-written' | 'folder-synced' | 'renamed';

export interface CopyHooks {
  readonly onStep?: (step: CopyStep) => void;
  readonly onBytes?: (bytes: number) => void;
  readonly isAborted?: () => boolean;
  /** Milliseconds since 1970, for what was written to a moment ago. */
  readonly nowMs?: () => number;
}

const chunkBytes = 1 << 20;
/** A file that was written to within this time may still be: it is copied, and never linked. */
export const restingMs = 600_000;
/** What a reflink or a hard link answers where there is no such thing, or not between these two places. */
const notHere = /^E(?:NOTSUP|OPNOTSUPP|XDEV|INVAL|NOSYS|NOTTY|PERM|ACCES|MLINK|TXTBSY)$/;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

export const stampOfStat = (stat: Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs'>): FileStampOf => ({
  inode: inodeText(stat.ino),
  sizeBytes: Number(stat.size),
  mtimeUs: Number(stat.mtimeNs / 1000n),
});

const isSame = (a: FileStampOf, b: FileStampOf): boolean =>
  a.inode === b.inode && a.sizeBytes === b.sizeBytes && a.mtimeUs === b.mtimeUs;

/**
 * Makes a copy, and gives what is known of it. Nothing is left after a failure. Throws `footage-gone` where the file is not there,
 * `segment-changed` where it is another one or is written to (`details.resting` false: a moment ago), `disk-full` with
 * `details.neededBytes`, `verification-failed` where the disk gives back something else, `interrupted`, `io-failed`.
 */
export function copyHere(task: CopyTask, hooks: CopyHooks = {}): CopyMade {
  const partial = task.folder + partialSuffix;
  const vault = dirname(task.folder);
  try {
    makeVault(vault);
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { mode: 0o700 });
    hooks.onStep?.('folder-made');
    const made = copyFootage(task, partial, hooks);
    const initSha256 = task.init === null ? null : copyInit(task.root, task.init, join(partial, initName));
    const { method, sha256, sizeBytes } = made;
    const card = { ...task.card, fileName: task.fileName, method, sha256, sizeBytes, initSha256 };
    writeWhole(join(partial, cardName), Buffer.from(JSON.stringify(card)));
    hooks.onStep?.('card-written');
    syncPath(partial);
    hooks.onStep?.('folder-synced');
    if (hooks.isAborted?.() === true) throw interrupted();
    renameSync(partial, task.folder);
    hooks.onStep?.('renamed');
    syncPath(vault);
    return { ...made, initSha256 };
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw toGatewayError(error, `protecting ${task.path}`);
  }
}

/** For the gateway's user alone, and no link to somewhere else. */
export function makeVault(vault: string): void {
  mkdirSync(vault, { recursive: true, mode: 0o700 });
  const stat = lstatSync(vault);
  if (!stat.isDirectory()) {
    throw new GatewayError('io-failed', `${vault} is no folder.`, {
      remedy: 'Find out who put something else there, and remove it by hand.',
    });
  }
  if ((stat.mode & 0o777) !== 0o700) chmodSync(vault, 0o700);
}

const interrupted = (): GatewayError => new GatewayError('interrupted', 'The copying was interrupted.');

function copyFootage(task: CopyTask, partial: string, hooks: CopyHooks): Omit<CopyMade, 'initSha256'> {
  const target = join(partial, task.fileName);
  const source = openSource(task.root, task.path);
  try {
    const before = stampOfStat(fstatSync(source, { bigint: true }));
    const nowMs = hooks.nowMs?.() ?? Date.now();
    const isResting = nowMs - before.mtimeUs / 1000 > restingMs;
    const changed = (what: string): GatewayError =>
      new GatewayError('segment-changed', `${task.path} ${what}.`, {
        remedy: 'Scan again, and look at what was put in its place.',
        details: { resting: isResting },
      });
    if (before.inode !== task.expected.inode || before.sizeBytes !== task.expected.sizeBytes) {
      throw changed('is not the file that was indexed');
    }
    const mayLink = isResting && isSame(before, task.expected);
    const methods = task.methods.filter((method) => method !== 'hard-link' || mayLink);
    const { method, writtenSha256 } = bring(task, methods, source, target, before.sizeBytes, hooks);
    hooks.onStep?.('bytes-there');
    const copy = openSync(target, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      // A link has the mode of the recorder's own file, and keeps it: that is not ours to change.
      if (method !== 'hard-link') chmodSync(target, 0o600);
      // A reflink has no bytes of its own that were seen on the way: they are compared with the source's.
      const sourceSha256 = writtenSha256 ?? (method === 'reflink' ? hashFd(source, hooks) : null);
      dropFromCache(copy);
      hooks.onStep?.('file-synced');
      const sha256 = hashFd(copy, hooks);
      const after = stampOfStat(fstatSync(source, { bigint: true }));
      if (!isSame(before, after)) throw changed('was written to while it was copied');
      const stamp = stampOfStat(fstatSync(copy, { bigint: true }));
      if (stamp.sizeBytes !== before.sizeBytes || (sourceSha256 !== null && sha256 !== sourceSha256)) {
        throw new GatewayError('verification-failed', `The copy of ${task.path} was read back with other bytes.`, {
          remedy: 'Check the disk and the memory of this machine; it is tried again.',
        });
      }
      hooks.onStep?.('read-back');
      return { ...stamp, method, sha256, source: before };
    } finally {
      closeSync(copy);
    }
  } finally {
    closeSync(source);
  }
}

/** Opened so that neither a link nor a pipe is followed, and nothing outside of the root is read. */
function openSource(root: string, path: string): number {
  const full = joinBeneath(root, path);
  try {
    const base = realpathSync(root);
    const folder = realpathSync(dirname(full));
    if (folder !== base && !folder.startsWith(base.endsWith(sep) ? base : base + sep)) {
      throw new GatewayError('segment-changed', `${path} leads out of its root.`, {
        remedy: 'Find out who put a link there.',
        details: { resting: true },
      });
    }
    const fd = openSync(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    throw new GatewayError('segment-changed', `${path} is no file any more.`, { details: { resting: true } });
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') {
      throw new GatewayError('footage-gone', `The recording is not on disk any more: ${path}.`, { cause: error });
    }
    if (codeOf(error) === 'ELOOP') {
      throw new GatewayError('segment-changed', `${path} is a link.`, { details: { resting: true }, cause: error });
    }
    throw toGatewayError(error, `opening ${path}`);
  }
}

/** The bytes at `target`, by the first way that works. `writtenSha256` of what was written, where it passed through here. */
function bring(
  task: CopyTask,
  methods: readonly VaultMethod[],
  source: number,
  target: string,
  sizeBytes: number,
  hooks: CopyHooks,
): { readonly method: VaultMethod; readonly writtenSha256: string | null } {
  for (const method of methods) {
    try {
      if (method === 'reflink') {
        // By its open file, not by its name: that may be another one's by now.
        const flags = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE;
        copyFileSync(`/proc/self/fd/${source}`, target, flags);
        return { method, writtenSha256: null };
      }
      if (method === 'hard-link') {
        linkSync(joinBeneath(task.root, task.path), target);
        const linked = lstatSync(target, { bigint: true });
        if (linked.ino === fstatSync(source, { bigint: true }).ino && linked.isFile())
          return { method, writtenSha256: null };
        rmSync(target, { force: true });
        throw new GatewayError('segment-changed', `${task.path} was replaced while it was linked.`, {
          details: { resting: false },
        });
      }
      assertRoom(dirname(target), sizeBytes, task.reserveBytes);
      return { method, writtenSha256: copyBytes(source, target, hooks) };
    } catch (error) {
      if (method === 'copy' || !notHere.test(codeOf(error))) throw withNeeds(error, sizeBytes + task.reserveBytes);
      rmSync(target, { force: true });
    }
  }
  throw new GatewayError('internal', 'No way to make a protected copy was given.');
}

/** Free space is looked at before, so that a recorder on the same disk does not run out of it. */
export function assertRoom(folder: string, sizeBytes: number, reserveBytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes - sizeBytes >= reserveBytes) return;
  throw new GatewayError(
    'disk-full',
    `A protected copy of ${sizeBytes} bytes does not fit: ${freeBytes} are free, and ${reserveBytes} of them stay free.`,
    {
      remedy: 'Free some space on the disk of the data folder, or move it to a larger one.',
      details: { neededBytes: sizeBytes + reserveBytes - freeBytes },
    },
  );
}

function withNeeds(error: unknown, bytes: number): GatewayError {
  const failure = toGatewayError(error, 'copying');
  if (failure.code !== 'disk-full' || failure.details !== undefined) return failure;
  return new GatewayError('disk-full', failure.message, {
    ...(failure.remedy !== undefined && { remedy: failure.remedy }),
    details: { neededBytes: bytes },
    cause: error,
  });
}

function copyBytes(source: number, target: string, hooks: CopyHooks): string {
  const out = openSync(target, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    const hash = createHash('sha256');
    for (const chunk of chunksOf(source, hooks)) {
      hash.update(chunk);
      for (let at = 0; at < chunk.length;) at += writeSync(out, chunk, at);
    }
    fsyncSync(out);
    return hash.digest('hex');
  } finally {
    closeSync(out);
  }
}

/** The whole of an open file, from its beginning, a piece at a time in one buffer. */
function* chunksOf(fd: number, hooks: CopyHooks, endBytes = Infinity): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (let at = 0; at < endBytes;) {
    if (hooks.isAborted?.() === true) throw interrupted();
    const read = readSync(fd, buffer, 0, Math.min(buffer.length, endBytes - at), at);
    if (read === 0) return;
    at += read;
    hooks.onBytes?.(read);
    yield buffer.subarray(0, read);
  }
}

function hashFd(fd: number, hooks: CopyHooks, endBytes?: number): string {
  const hash = createHash('sha256');
  for (const chunk of chunksOf(fd, hooks, endBytes)) hash.update(chunk);
  return hash.digest('hex');
}

/** A few hundred bytes, shared by all fragments of a folder, that no fragment can be read without. */
function copyInit(root: string, path: string, target: string): string {
  const refusal = (why: string): GatewayError =>
    new GatewayError('media-unreadable', `The initialisation segment ${path} ${why}.`, {
      remedy: 'Put back the one that the recorder wrote.',
    });
  let fd: number;
  try {
    fd = openSource(root, path);
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'footage-gone') throw refusal('is not there');
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    if (size === 0 || size > maxInitBytes) throw refusal(`has ${size} bytes`);
    const buffer = Buffer.alloc(size);
    if (readSync(fd, buffer, 0, size, 0) !== size) throw refusal('changed while it was read');
    return writeWhole(target, buffer);
  } finally {
    closeSync(fd);
  }
}

/** A small file, synced and read back; gives its hash. */
function writeWhole(target: string, bytes: Buffer): string {
  const fd = openSync(target, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    dropFromCache(fd);
    const sha256 = hashFd(fd, {});
    if (sha256 === createHash('sha256').update(bytes).digest('hex')) return sha256;
    throw new GatewayError('verification-failed', `${target} was read back with other bytes.`, {
      remedy: 'Check the disk and the memory of this machine.',
    });
  } finally {
    closeSync(fd);
  }
}

function syncPath(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export interface HashTask {
  readonly what: 'hash';
  /** Absolute path of a folder, and of a file below it. */
  readonly root: string;
  readonly path: string;
  /** Only so many bytes from its beginning. */
  readonly endBytes?: number;
}

export interface HashMade {
  readonly sha256: string;
  readonly stamp: FileStampOf;
}

/** The hash of a file, or of its beginning, as the disk gives it now. Throws `footage-gone`, `segment-changed`, `io-failed`, `interrupted`. */
export function hashHere(task: HashTask, hooks: CopyHooks = {}): HashMade {
  const fd = openSource(task.root, task.path);
  try {
    const stamp = stampOfStat(fstatSync(fd, { bigint: true }));
    dropFromCache(fd);
    const sha256 = hashFd(fd, hooks, task.endBytes);
    if (isSame(stamp, stampOfStat(fstatSync(fd, { bigint: true })))) return { sha256, stamp };
    throw new GatewayError('segment-changed', `${task.path} is being written to.`, { details: { resting: false } });
  } finally {
    closeSync(fd);
  }
}
