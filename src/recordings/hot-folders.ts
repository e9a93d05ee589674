/**
 * The folders of a root that are being recorded into: those of each camera's newest segment, those on the way there, and those
 * made since. Each has one watch of the system, which names what changed; no file has one, so there are as many as cameras need.
 * A folder is read only when its own last write says so: seldom where watches tell, every few seconds where they cannot.
 *
 * Not chokidar: that reads the whole folder and asks after each file in it when one changes, and watches each file besides.
 */
import { lstat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { toGatewayError } from '../errors.js';
import { isWatchLimit, type WatchFolder } from '../platform/folder-watch.js';
import { findByPath, newestPaths } from '../store/segments.js';
import type { RecordingRoot, RecordingsContext } from './context.js';
import { noNames, readNews, type KnownNames } from './folder-names.js';

export interface HotFolders {
  /** Follows what the index and the disk say is recorded into now, and no longer what nothing happened in for long. */
  refresh(): Promise<void>;
  /** Looks after each folder: gone, replaced, written to without our being told. */
  check(): Promise<void>;
  /** Whether another folder lies where the root was. */
  isReplaced(): Promise<boolean>;
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
  names: KnownNames;
  activeMs: number;
}

/** Folders that may be followed in a root: for its cameras, and for what is new. */
const perCamera = 8;
const spare = 64;
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

const identityOf = (stat: { readonly dev: bigint; readonly ino: bigint }): string => `${stat.dev} ${stat.ino}`;

/** Every folder on the way from the root to a file, the root ('') first. */
const foldersTo = (path: string): string[] =>
  path.split('/').map((_part, index, parts) => parts.slice(0, index).join('/'));

const parentOf = (folder: string): string => folder.slice(0, Math.max(0, folder.lastIndexOf('/')));
const within = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

export function makeHotFolders(ctx: RecordingsContext, root: RecordingRoot, run: HotFoldersRun): HotFolders {
  const { db } = ctx.store;
  const hot = new Map<string, Hot>();
  let told = false;
  let cameras = 0;
  /** Counts how often everything was let go: what was under way then must not add to it. */
  let epoch = 0;

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
    if (name === null) {
      run.onStale();
      return;
    }
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
        if (stat.isDirectory()) void enter(path, 'new');
        else run.onName(path);
      },
      () => {
        // Gone again, or a name that is no UTF-8: the scan's. Or the folder itself was moved, deleted or unmounted: then the system
        // gives its own name.
        if (name === basename(join(root.path, folder))) run.onStale();
      },
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
      if (isWatchLimit(error)) throw error;
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
   * Reads a folder and tells of the names that were not in it when it was read last; gives the folders among them. known: it was
   * there before it is read for the first time, so only names that the index does not know are of interest.
   */
  const read = async (folder: string, one: Hot, how: 'new' | 'known'): Promise<string[]> => {
    const beganMs = performance.now();
    const stat = await lstat(join(root.path, folder), { bigint: true });
    const news = await readNews(join(root.path, folder), one.names, how === 'new' ? Infinity : lastNames);
    one.names = news.known;
    const endMs = performance.now();
    const unsure = Math.abs(Date.now() - Number(stat.mtimeNs / 1_000_000n)) < coarseMs + (endMs - beganMs);
    one.readAtUs = unsure ? null : Number(stat.mtimeNs / 1000n);
    one.nextReadMs = endMs + (endMs - beganMs) / readShare;
    const names = news.names
      .map((name) => within(folder, name))
      .filter((path) => how === 'new' || findByPath(db, root.id, path) === null);
    if (names.length > 0) active(folder);
    for (const path of names) run.onName(path);
    return news.folders.map((name) => within(folder, name));
  };

  /**
   * Follows a folder that was not, and what is to be followed below it. The watch first, then a look: what came before the watch is
   * seen, what comes after it is told. new: it was made a moment ago, so all that is in it is new. known: only what is young, or
   * not in the index, is of interest. Never rejects.
   */
  const enter = async (folder: string, how: 'new' | 'known'): Promise<void> => {
    const queue = [folder];
    const began = epoch;
    let entered = 0;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (hot.has(next)) continue;
      if (entered++ > limit() / 2) {
        run.onOverlooked();
        return;
      }
      try {
        const stat = await lstat(join(root.path, next), { bigint: true });
        if (run.signal.aborted || epoch !== began) return;
        // It may have been entered meanwhile: of two watches one would never be closed.
        if (!stat.isDirectory() || hot.has(next)) continue;
        makeRoom();
        const one: Hot = {
          watch: null,
          identity: identityOf(stat),
          readAtUs: null,
          nextReadMs: 0,
          names: noNames,
          activeMs: 0,
        };
        hot.set(next, one);
        active(next);
        try {
          watchOne(next, one);
        } catch (error) {
          run.onLimit(error as Error);
        }
        const below = await read(next, one, how);
        for (const each of below) if (how === 'new' || (await isYoung(each))) queue.push(each);
      } catch (error) {
        troubled(next, error);
      }
    }
  };

  /** Gone since it was met, or not to be read: the others go on. */
  const troubled = (folder: string, error: unknown): void => {
    const { code } = error as NodeJS.ErrnoException;
    if (isWatchLimit(error)) {
      run.onLimit(error);
      return;
    }
    if (folder !== '') drop(folder);
    if (run.signal.aborted || code === 'ENOENT' || code === 'ENOTDIR') return;
    ctx.log.warn(
      { root: root.id, err: toGatewayError(error) },
      'a folder could not be followed; the next scan tries again',
    );
  };

  const isYoung = async (folder: string): Promise<boolean> => {
    try {
      return Date.now() - (await lstat(join(root.path, folder))).mtimeMs < youngMs;
    } catch {
      // Gone since it was read.
      return false;
    }
  };

  const check = async (): Promise<void> => {
    for (const [folder, one] of [...hot]) {
      if (run.signal.aborted || hot.get(folder) !== one) continue;
      try {
        const stat = await lstat(join(root.path, folder), { bigint: true });
        const identity = stat.isDirectory() ? identityOf(stat) : null;
        if (one.identity !== '' && one.identity !== identity) {
          // Another folder in its place, or none: of that nothing is known.
          drop(folder);
          if (identity !== null) await enter(folder, 'known');
          continue;
        }
        if (one.identity === '') {
          one.identity = identity ?? '';
          one.readAtUs = null;
          // What the old watch had still to tell is lost, so it is read in any case.
          one.nextReadMs = 0;
          watchOne(folder, one);
        }
        const isRead = one.readAtUs === Number(stat.mtimeNs / 1000n);
        if (isRead || performance.now() < one.nextReadMs) continue;
        for (const below of await read(folder, one, 'new')) await enter(below, 'new');
      } catch (error) {
        troubled(folder, error);
      }
    }
  };

  return {
    async refresh() {
      const newest = newestPaths(db, root.id);
      cameras = newest.length;
      const ways = new Set(['', ...newest.flatMap(foldersTo)]);
      for (const folder of ways) if (hot.size < limit()) await enter(folder, 'known');
      const nowMs = performance.now();
      for (const [folder, { activeMs }] of [...hot].reverse()) {
        if (!ways.has(folder) && nowMs - activeMs > idleMs) drop(folder);
      }
    },
    check,
    async isReplaced() {
      const one = hot.get('');
      if (one === undefined) return false;
      const stat = await lstat(root.path, { bigint: true });
      return one.identity !== identityOf(stat);
    },
    rewatch() {
      for (const one of hot.values()) one.identity = '';
    },
    count: () => hot.size,
    watches: () => [...hot.values()].filter(({ watch: one }) => one !== null).length,
    setTold,
    clear() {
      epoch += 1;
      for (const folder of [...hot.keys()]) drop(folder);
    },
  };
}
