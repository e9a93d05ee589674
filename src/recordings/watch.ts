/**
 * Follows what is being written now. chokidar holds a watch for each folder and each file that it is pointed at, so it is
 * pointed at very little: each root, the folders that lead to the newest segment of each camera, and folders made since;
 * and in them only at files of the last minutes. Everything else is the periodic scan's.
 */
import { watch, type FSWatcher } from 'chokidar';
import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { toGatewayError } from '../errors.js';
import { findByPath, newestPaths } from '../store/segments.js';
import type { FileStat, RecordingRoot, RecordingsContext } from './context.js';
import { examine, sameFile, statOf } from './examine.js';
import { ingest } from './ingest.js';
import { applyMoves, findMoved } from './moved.js';
import { rootProblem } from './roots.js';
import { namesBelow } from './walk.js';

export interface Watcher {
  /** Folders watched now: bounded by cameras, not by files. */
  folders(): number;
  close(): Promise<void>;
}

/** A file that was last written to longer ago than this is the scan's. */
const freshMs = 10 * 60_000;
/** By then the watches of a new folder are set. */
const secondLookMs = 2000;
/** Folders that nothing new appeared in for this long are left to the scan. */
const pruneEveryMs = 15 * 60_000;

/** Starts watching every root; segments are indexed within about twice the quiet time after they are closed. */
export async function watchRoots(ctx: RecordingsContext, run: { signal: AbortSignal }): Promise<Watcher> {
  const watchers = await Promise.all(ctx.roots.map((root) => watchRoot(ctx, root, run.signal)));
  return {
    folders: () => watchers.reduce((sum, watcher) => sum + watcher.folders(), 0),
    close: async () => {
      await Promise.all(watchers.map((watcher) => watcher.close()));
    },
  };
}

/** Every folder on the way from the root to a file, the root ('') first. */
const foldersTo = (path: string): string[] =>
  path.split('/').map((_part, index, parts) => parts.slice(0, index).join('/'));

/** Folders where something is being written: those of the newest segments, and the youngest at each level below the root. */
function hotFolders(ctx: RecordingsContext, root: RecordingRoot): Set<string> {
  const hot = new Set(['']);
  for (const path of newestPaths(ctx.store.db, root.id)) for (const folder of foldersTo(path)) hot.add(folder);
  // A camera that is being recorded for the first time has no segment yet: its folder is young.
  const youngest = (folder: string, depth: number): void => {
    if (depth === 0) return;
    try {
      for (const entry of readdirSync(join(root.path, folder), { withFileTypes: true })) {
        if (!entry.isDirectory()) continue;
        const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (Date.now() - statSync(join(root.path, path)).mtimeMs > freshMs) continue;
        hot.add(path);
        youngest(path, depth - 1);
      }
    } catch (error) {
      ctx.log.warn(
        { root: root.id, err: toGatewayError(error) },
        'a folder could not be read; the next scan tries again',
      );
    }
  };
  youngest('', 6);
  return hot;
}

async function watchRoot(ctx: RecordingsContext, root: RecordingRoot, signal: AbortSignal): Promise<Watcher> {
  const hot = hotFolders(ctx, root);
  const pending = new Map<string, { stat: FileStat | null; timer: NodeJS.Timeout }>();
  let working: Promise<void> = Promise.resolve();
  let closed = false;

  /** Looks again after the quiet time, until the file has not changed between two looks. */
  const soon = (path: string, stat: FileStat | null): void => {
    if (closed || signal.aborted) return;
    clearTimeout(pending.get(path)?.timer);
    const timer = setTimeout(
      () => {
        working = working.then(() => settle(path));
      },
      Math.max(ctx.quietMs, 200),
    );
    pending.set(path, { stat, timer });
  };

  const settle = async (path: string): Promise<void> => {
    const before = pending.get(path)?.stat ?? null;
    pending.delete(path);
    try {
      if (closed || rootProblem(ctx.store.db, root.id, root.path) !== null) return;
      const now = await statOf(root, path);
      if (now === null) return;
      const isNew = now.isFile && findByPath(ctx.store.db, root.id, path) === null;
      const move = isNew ? await findMoved(ctx, root, path, now) : null;
      if (move !== null) {
        applyMoves(ctx, root, [move]);
        return;
      }
      const found = await examine(ctx, root, path, before !== null && sameFile(before, now));
      if (found.kind === 'open') soon(path, found.stat);
      else ingest(ctx, root, [found]);
    } catch (error) {
      ctx.log.error(
        { root: root.id, err: toGatewayError(error) },
        'a new file could not be indexed; the next scan tries again',
      );
    }
  };

  const toRelative = (path: string): string => relative(root.path, path).replaceAll('\\', '/');
  const watcher: FSWatcher = watch(
    [...hot].map((folder) => join(root.path, folder)),
    {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      alwaysStat: true,
      usePolling: ctx.poll,
      interval: 2000,
      ignored: (_path, stats) => stats?.isFile() === true && Date.now() - stats.mtimeMs > freshMs,
    },
  );
  watcher.on('add', (path) => {
    soon(toRelative(path), null);
  });
  watcher.on('change', (path) => {
    soon(toRelative(path), null);
  });
  const follow = (folder: string): void => {
    if (hot.has(folder)) return;
    hot.add(folder);
    watcher.add(join(root.path, folder));
  };
  /** What lies in a new folder already, and the folders in it: a watch tells only of what comes after it was set. */
  const enter = async (folder: string): Promise<void> => {
    try {
      for await (const { names, folders } of namesBelow(root.path, folder, signal)) {
        for (const below of folders) follow(below);
        for (const name of names) {
          if (!pending.has(name) && findByPath(ctx.store.db, root.id, name) === null) soon(name, null);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      ctx.log.error(
        { root: root.id, err: toGatewayError(error) },
        'a new folder could not be read; the next scan tries again',
      );
    }
  };
  const secondLooks = new Set<NodeJS.Timeout>();
  watcher.on('addDir', (path) => {
    const folder = toRelative(path);
    if (folder === '' || hot.has(folder)) return;
    follow(folder);
    working = working.then(() => enter(folder));
    // And once more when the watches are set: what came in between was told by nobody.
    const timer = setTimeout(() => {
      secondLooks.delete(timer);
      if (!closed && !signal.aborted) working = working.then(() => enter(folder));
    }, secondLookMs);
    secondLooks.add(timer);
  });
  watcher.on('error', (error) => {
    ctx.log.error({ root: root.id, err: toGatewayError(error) }, 'watching failed; the periodic scan goes on');
  });
  const prune = setInterval(() => {
    const still = hotFolders(ctx, root);
    for (const folder of hot) {
      if (still.has(folder)) continue;
      hot.delete(folder);
      watcher.unwatch(join(root.path, folder));
    }
  }, pruneEveryMs);
  prune.unref();

  await new Promise<void>((ready) => {
    watcher.once('ready', () => {
      ready();
    });
  });
  return {
    folders: () => hot.size,
    close: async () => {
      closed = true;
      clearInterval(prune);
      for (const { timer } of pending.values()) clearTimeout(timer);
      for (const timer of secondLooks) clearTimeout(timer);
      await watcher.close();
      await working;
    },
  };
}
