/**
 * The folders of a root that are being recorded into: those of each camera's newest segment, those on the way there, and those
 * made since. Each has one watch of the system, which names what changed; no file has one, so there are as many as cameras need.
 * A folder is read only when its own last write says so: seldom where watches tell, every few seconds where they cannot.
 *
 * Not chokidar: that reads the whole folder and asks after each file in it when one changes, and watches each file besides.
 */
import { watch } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { toGatewayError } from '../errors.js';
import { findByPath, newestPaths } from '../store/segments.js';
import type { RecordingRoot, RecordingsContext } from './context.js';
import { makePace } from './pace.js';

/** Watches one folder, not what is in it. Throws the system's error where it cannot. */
export type WatchFolder = (
  path: string,
  tell: { onName: (name: string | null, isNew: boolean) => void; onError: (error: Error) => void },
) => { close(): void };

/** inotify, by way of node. It does not keep the process alive. */
export const watchFolder: WatchFolder = (path, { onName, onError }) =>
  watch(path, { persistent: false, recursive: false }, (event, name) => {
    onName(name, event === 'rename');
  }).on('error', onError);

export interface HotFolders {
  /** Follows what the index and the disk say is recorded into now, and no longer what nothing happened in for long. */
  refresh(): Promise<void>;
  /** Looks after each folder: gone, replaced, written to without our being told. */
  check(): Promise<void>;
  /** Takes no watch for granted: the next `check` sets each anew and looks what came meanwhile. */
  rewatch(): void;
  count(): number;
  watches(): number;
  /** Sets or takes away every watch. Throws where the system has none left, with none kept. */
  setTold(told: boolean): void;
  clear(): void;
}

export interface HotFoldersRun {
  readonly signal: AbortSignal;
  readonly watchFolder: WatchFolder;
  /** Whether that is a file which is waited for already: then a write to it needs no look. */
  readonly isAwaited: (path: string) => boolean;
  /** A name that is no folder appeared or changed. */
  readonly onName: (path: string) => void;
  /** More is new than can be followed here: a scan has to look. */
  readonly onOverlooked: () => void;
  /** The system has no watches left; those that were set are not relied on any more. */
  readonly onLimit: (error: Error) => void;
  /** The folder itself is not what it was: `check` soon. */
  readonly onStale: () => void;
}

interface Hot {
  watch: { close(): void } | null;
  /** Device and inode of the folder that is watched. */
  identity: string;
  /** Its last write when it was read; null until then, and where it was read too soon after to be sure. */
  readAtUs: number | null;
  /** Not before, so that a folder of a million names is not read all the time. */
  nextReadMs: number;
  /** Hashes of the names in it, in order: four bytes a name. */
  names: Uint32Array;
  activeMs: number;
}

/** Folders that may be followed in a root: for its cameras, and for what is new. */
const perCamera = 8;
const spare = 64;
const deepest = 12;
/** A folder that was written to longer ago than this is nobody's to begin with. */
const youngMs = 10 * 60_000;
/** Nothing happened in it for so long. */
const idleMs = 60 * 60_000;
/** Of a folder that is met for the first time: as many of its last names are asked for in the index. The rest is the scan's. */
const lastNames = 1000;
/** Reading folders may take this share of the time. */
const readShare = 1 / 20;
/** Clocks of file systems are this coarse at worst: later writes could have the same time. */
const coarseMs = 3000;

/** FNV-1a. Of a hundred thousand names in a folder, one in about forty thousand new ones is taken for an old one, and is the scan's. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

function holds(sorted: Uint32Array, value: number): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === value;
}

/** Every folder on the way from the root to a file, the root ('') first. */
const foldersTo = (path: string): string[] =>
  path.split('/').map((_part, index, parts) => parts.slice(0, index).join('/'));

const parentOf = (folder: string): string => folder.slice(0, Math.max(0, folder.lastIndexOf('/')));
const within = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

const keepLast = (names: string[]): void => void names.sort().splice(0, Math.max(0, names.length - lastNames));

interface Found {
  readonly names: string[];
  readonly folders: string[];
}

export function makeHotFolders(ctx: RecordingsContext, root: RecordingRoot, run: HotFoldersRun): HotFolders {
  const { db } = ctx.store;
  const hot = new Map<string, Hot>();
  let told = false;
  let cameras = 0;

  const limit = (): number => spare + perCamera * cameras;

  const drop = (folder: string): void => {
    hot.get(folder)?.watch?.close();
    hot.delete(folder);
  };

  const active = (folder: string): void => {
    const nowMs = performance.now();
    for (let at = folder; ; at = parentOf(at)) {
      const one = hot.get(at);
      if (one !== undefined) one.activeMs = nowMs;
      if (at === '') return;
    }
  };

  /** Makes room for one: that without followed folders in it in which nothing happened for longest. */
  const makeRoom = (): void => {
    while (hot.size >= limit()) {
      const parents = new Set([...hot.keys()].map(parentOf));
      let oldest: string | null = null;
      for (const [folder, { activeMs }] of hot) {
        if (folder === '' || parents.has(folder)) continue;
        if (oldest === null || activeMs < (hot.get(oldest)?.activeMs ?? 0)) oldest = folder;
      }
      if (oldest === null) return;
      drop(oldest);
    }
  };

  const happened = (folder: string, name: string | null, isNew: boolean): void => {
    // So the kernel says that the folder itself was moved, deleted or unmounted.
    if (name === null || name === basename(join(root.path, folder))) run.onStale();
    if (name === null) return;
    active(folder);
    const path = within(folder, name);
    if (!isNew && run.isAwaited(path)) {
      run.onName(path);
      return;
    }
    if (hot.has(path)) return;
    lstat(join(root.path, path)).then(
      (stat) => {
        if (run.signal.aborted) return;
        if (stat.isDirectory()) void enter(path, 'new').catch(failed);
        else run.onName(path);
      },
      // Gone again, or a name that is no UTF-8: the scan's.
      () => undefined,
    );
  };

  const failed = (error: unknown): void => {
    if (run.signal.aborted) return;
    ctx.log.warn(
      { root: root.id, err: toGatewayError(error) },
      'a folder could not be followed; the next scan tries again',
    );
  };

  /** Throws where the system has no watches left. */
  const watchOne = (folder: string, one: Hot): void => {
    one.watch?.close();
    one.watch = null;
    if (!told) return;
    try {
      one.watch = run.watchFolder(join(root.path, folder), {
        onName: (name, isNew) => {
          happened(folder, name, isNew);
        },
        onError: () => {
          one.identity = '';
          run.onStale();
        },
      });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOSPC' || code === 'EMFILE' || code === 'ENFILE') throw error;
      // Gone since, or not to be read: `check` looks after it.
      one.identity = '';
    }
  };

  const setTold = (wanted: boolean): void => {
    told = wanted;
    try {
      for (const [folder, one] of hot) watchOne(folder, one);
    } catch (error) {
      told = false;
      for (const one of hot.values()) {
        one.watch?.close();
        one.watch = null;
      }
      throw error;
    }
  };

  /**
   * Reads a folder; gives what was not in it when it was read last. known: that was never, so of its last names, in their own
   * order, those that the index does not know.
   */
  const read = async (folder: string, one: Hot, how: 'new' | 'known'): Promise<Found> => {
    const beganMs = performance.now();
    const pace = makePace();
    const found: Found = { names: [], folders: [] };
    const before = one.names;
    const hashes: number[] = [];
    const stat = await lstat(join(root.path, folder), { bigint: true });
    for await (const entry of await opendir(join(root.path, folder), { bufferSize: 1024 })) {
      const hash = hashOf(entry.name);
      hashes.push(hash);
      if (hashes.length % 256 === 0 && pace.spent()) await pace.rest();
      if (holds(before, hash)) continue;
      const path = within(folder, entry.name);
      (entry.isDirectory() ? found.folders : found.names).push(path);
      if (how === 'known' && found.names.length >= 4 * lastNames) keepLast(found.names);
    }
    if (how === 'known') {
      keepLast(found.names);
      found.names.splice(0, Infinity, ...found.names.filter((path) => findByPath(db, root.id, path) === null));
    }
    one.names = Uint32Array.from(hashes).sort();
    const endMs = performance.now();
    const unsure = Math.abs(Date.now() - Number(stat.mtimeNs / 1_000_000n)) < coarseMs + (endMs - beganMs);
    one.readAtUs = unsure ? null : Number(stat.mtimeNs / 1000n);
    one.nextReadMs = endMs + (endMs - beganMs) / readShare;
    return found;
  };

  const deliver = (folder: string, names: readonly string[]): void => {
    if (names.length > 0) active(folder);
    for (const name of names) run.onName(name);
  };

  /**
   * Follows a folder that was not. The watch first, then a look: what came before the watch is seen, what comes after it is told.
   * new: it was made a moment ago, so all that is in it is new. known: only what is young, or not in the index, is of interest.
   */
  const enter = async (folder: string, how: 'new' | 'known'): Promise<void> => {
    const queue = [folder];
    let entered = 0;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (run.signal.aborted || hot.has(next)) continue;
      if (entered++ > limit() / 2 || next.split('/').length > deepest) {
        run.onOverlooked();
        return;
      }
      const stat = await lstat(join(root.path, next), { bigint: true });
      if (!stat.isDirectory()) continue;
      makeRoom();
      const one: Hot = {
        watch: null,
        identity: `${stat.dev} ${stat.ino}`,
        readAtUs: null,
        nextReadMs: 0,
        names: new Uint32Array(),
        activeMs: performance.now(),
      };
      hot.set(next, one);
      active(next);
      try {
        watchOne(next, one);
      } catch (error) {
        run.onLimit(error as Error);
      }
      const found = await read(next, one, how);
      deliver(next, found.names);
      if (how === 'new') queue.push(...found.folders);
      else for (const below of found.folders) if (await isYoung(below)) queue.push(below);
    }
  };

  const isYoung = async (folder: string): Promise<boolean> => {
    try {
      return Date.now() - (await lstat(join(root.path, folder))).mtimeMs < youngMs;
    } catch {
      // Gone since it was read.
      return false;
    }
  };

  const enterKnown = async (folder: string): Promise<void> => {
    try {
      if (!hot.has(folder)) await enter(folder, 'known');
    } catch (error) {
      drop(folder);
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') failed(error);
    }
  };

  const check = async (): Promise<void> => {
    for (const [folder, one] of [...hot]) {
      if (run.signal.aborted || hot.get(folder) !== one) continue;
      try {
        const stat = await lstat(join(root.path, folder), { bigint: true });
        if (!stat.isDirectory()) throw Object.assign(new Error('no folder any more'), { code: 'ENOTDIR' });
        const identity = `${stat.dev} ${stat.ino}`;
        if (identity !== one.identity) {
          one.identity = identity;
          one.readAtUs = null;
          watchOne(folder, one);
        }
        const isRead = one.readAtUs === Number(stat.mtimeNs / 1000n);
        if (isRead || performance.now() < one.nextReadMs) continue;
        const found = await read(folder, one, 'new');
        deliver(folder, found.names);
        for (const below of found.folders) await enter(below, 'new');
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOSPC' || code === 'EMFILE' || code === 'ENFILE') run.onLimit(error as Error);
        else {
          if (folder !== '') drop(folder);
          if (code !== 'ENOENT' && code !== 'ENOTDIR') failed(error);
        }
      }
    }
  };

  return {
    async refresh() {
      const newest = newestPaths(db, root.id);
      cameras = newest.length;
      const ways = new Set(['', ...newest.flatMap(foldersTo)]);
      for (const folder of ways) if (hot.size < limit()) await enterKnown(folder);
      const nowMs = performance.now();
      for (const [folder, { activeMs }] of [...hot].reverse()) {
        if (!ways.has(folder) && nowMs - activeMs > idleMs) drop(folder);
      }
    },
    check,
    rewatch() {
      for (const one of hot.values()) one.identity = '';
    },
    count: () => hot.size,
    watches: () => [...hot.values()].filter(({ watch: one }) => one !== null).length,
    setTold,
    clear() {
      for (const folder of [...hot.keys()]) drop(folder);
    },
  };
}
