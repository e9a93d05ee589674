/**
 * Follows what is being written now, so that a segment is in the index seconds after it is closed. Everything else is the periodic
 * scan's: what was deleted, what is old, and whatever was missed here.
 *
 * A root on a local disk is watched; one whose changes are not told to this machine (a network mount) is asked: the same folders,
 * every two seconds. One that cannot be watched because the system has no watches left is asked too, and a task says so.
 */
import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { toGatewayError } from '../errors.js';
import { watchFolder, type WatchFolder } from '../platform/folder-watch.js';
import { remoteFilesystem } from '../platform/mounts.js';
import { closeTask, openTask, openTasks } from '../store/tasks.js';
import { makeArrivals, type Arrivals, type Outcome } from './arrivals.js';
import type { RecordingRoot, RecordingsContext } from './context.js';
import { makeHotFolders, type HotFolders } from './hot-folders.js';
import { raiseRootAlarm, rootProblem } from './roots.js';

export interface WatchFigures {
  /** Folders followed: at most 64 in each root, and 8 for each camera in it. */
  readonly folders: number;
  /** Watches of the system: one for each folder of a root that is watched, none for one that is asked. */
  readonly watches: number;
  /** Files that are looked at until they are closed. */
  readonly waiting: number;
}

export interface Watcher {
  figures(): WatchFigures;
  /** After a scan: follows the folders of cameras that it found. */
  refresh(): Promise<void>;
  /** A recorder says that a file of a root is closed. Never rejects. */
  announced(rootId: string, path: string): Promise<Outcome>;
  /** Ends after what is under way. */
  close(): Promise<void>;
}

export interface WatchRun {
  readonly signal: AbortSignal;
  /** Something is there that only a scan will find: a root came back, or more came at once than can be followed. */
  readonly onOverlooked?: () => void;
  /** In place of the system's watches: to make them fail. */
  readonly watchFolder?: WatchFolder;
}

const tickMs = 500;
/** How often a root that is asked is asked. */
const askEveryMs = 2000;
/** How often folders are looked after that tell by themselves: what was lost of that is found then. */
const lookAfterEveryMs = 60_000;
const refreshEveryMs = 60_000;
/** How often a root is asked whether it is the one that it was. */
const trustEveryMs = 5000;
/** A folder that says it is not what it was is believed this often: one with a name of its own in it says so all the time. */
const staleEveryMs = 2000;
/** A disk that gives no answer for so long is not asked again until it has answered. */
const patienceMs = 10_000;
const tryAgainMs = 15 * 60_000;
const limitTask = 'watch-limited';

/** Starts following every root. Does not keep the process alive. */
export async function watchRoots(ctx: RecordingsContext, run: WatchRun): Promise<Watcher> {
  const roots = new Map(
    await Promise.all(ctx.roots.map(async (root) => [root.id, await followRoot(ctx, root, run)] as const)),
  );
  const all = [...roots.values()];
  return {
    figures: () => {
      const sum = { folders: 0, watches: 0, waiting: 0 };
      for (const { hot, arrivals } of all) {
        sum.folders += hot.count();
        sum.watches += hot.watches();
        sum.waiting += arrivals.waiting();
      }
      return sum;
    },
    refresh: async () => {
      await Promise.all(all.map((one) => one.refresh()));
    },
    announced: (rootId, path) => roots.get(rootId)?.arrivals.announced(path) ?? Promise.resolve('unreachable'),
    close: async () => {
      await Promise.all(all.map((one) => one.close()));
    },
  };
}

interface Followed {
  readonly hot: HotFolders;
  readonly arrivals: Arrivals;
  refresh(): Promise<void>;
  close(): Promise<void>;
}

async function followRoot(ctx: RecordingsContext, root: RecordingRoot, run: WatchRun): Promise<Followed> {
  const answers = makeAsking(root.path);
  const stop = new AbortController();
  const signal = AbortSignal.any([run.signal, stop.signal]);
  const overlooked = (): void => {
    if (!signal.aborted) run.onOverlooked?.();
  };
  /** Whether changes are told; else they are asked for. */
  let told = false;
  let limitedAtMs: number | null = null;
  /** Why the root cannot be followed now. Not asked yet is not trusted yet. */
  let problem: string | null = 'not looked at yet';
  let begun = false;
  let stale = false;
  const last = { trust: -Infinity, check: 0, refresh: 0, stale: -Infinity };

  const arrivals = makeArrivals(ctx, root, { told: () => told, onOverlooked: overlooked });
  const limited = (error: Error): void => {
    limitedAtMs = performance.now();
    if (!told) return;
    setTold(false);
    sayLimited(ctx, root, error);
  };
  const hot = makeHotFolders(ctx, root, {
    signal,
    watchFolder: run.watchFolder ?? watchFolder,
    isAwaited: (path) => arrivals.isAwaited(path),
    onName: (path) => {
      arrivals.touched(path);
    },
    onOverlooked: overlooked,
    onLimit: limited,
    onStale: () => {
      stale = true;
    },
  });
  const setTold = (wanted: boolean): void => {
    told = wanted;
    try {
      hot.setTold(wanted);
    } catch (error) {
      told = false;
      limitedAtMs = performance.now();
      sayLimited(ctx, root, error as Error);
    }
  };

  /** The root is there, again or for the first time. */
  const begin = async (): Promise<void> => {
    const remote = remoteFilesystem(root.path);
    const poll = root.poll ?? 'auto';
    setTold(poll === 'never' || (poll === 'auto' && remote === null));
    ctx.log.info({ root: root.id, watched: told, ...(remote !== null && { remote }) }, 'following a root');
    if (told) sayUnlimited(ctx, root);
    await hot.refresh();
  };

  const trust = async (): Promise<void> => {
    const before = problem;
    problem = (await answers())
      ? rootProblem(ctx.store.db, root.id, root.path)
      : `${root.path} gives no answer; is its server there?`;
    if (signal.aborted) return;
    if (problem === null && before !== null) {
      await begin();
      if (begun) {
        ctx.log.warn({ root: root.id }, 'a root is back');
        overlooked();
      }
    } else if (problem !== null && before === null) {
      hot.clear();
      arrivals.clear();
      raiseRootAlarm(ctx, root, problem);
    }
    begun = true;
  };

  const due = (what: keyof typeof last, everyMs: number): boolean => {
    const nowMs = performance.now();
    if (nowMs - last[what] < everyMs) return false;
    last[what] = nowMs;
    return true;
  };
  const tick = async (): Promise<void> => {
    let isStale = stale && due('stale', staleEveryMs);
    if (isStale) stale = false;
    if (due('trust', isStale ? 0 : trustEveryMs)) {
      await trust();
      if (problem === null && !signal.aborted) isStale ||= await hot.isReplaced();
    }
    if (problem !== null || signal.aborted) return;
    if (limitedAtMs !== null && performance.now() - limitedAtMs > tryAgainMs) {
      limitedAtMs = null;
      setTold(true);
      if (told) sayUnlimited(ctx, root);
    }
    if (isStale) hot.rewatch();
    if (due('check', isStale ? 0 : told ? lookAfterEveryMs : askEveryMs)) await hot.check();
    if (due('refresh', refreshEveryMs)) await hot.refresh();
  };

  let ticking: Promise<void> | null = null;
  const step = (): Promise<void> =>
    (ticking ??= tick()
      .catch((error: unknown) => {
        if (!signal.aborted) {
          ctx.log.error({ root: root.id, err: toGatewayError(error) }, 'following a root failed; it is tried again');
        }
      })
      .finally(() => {
        ticking = null;
      }));
  await step();
  const timer = setInterval(() => void step(), tickMs);
  timer.unref();
  return {
    hot,
    arrivals,
    refresh: async () => {
      await ticking;
      if (problem === null && !signal.aborted) await hot.refresh();
    },
    close: async () => {
      stop.abort();
      clearInterval(timer);
      await ticking;
      hot.clear();
      await arrivals.close();
    },
  };
}

/** Says whether a disk answers. Whoever asks waits, but not for ever: a mount whose server is away holds the thread that asks it. */
function makeAsking(path: string): () => Promise<boolean> {
  let asking: Promise<unknown> | null = null;
  return async () => {
    // Not asked again before it has answered: each question holds one of few threads.
    asking ??= stat(path)
      .catch(() => undefined)
      .finally(() => {
        asking = null;
      });
    const patience = new AbortController();
    const late = sleep(patienceMs, false, { signal: patience.signal, ref: false }).catch(() => false);
    const answered = await Promise.race([asking.then(() => true), late]);
    patience.abort();
    return answered;
  };
}

function sayLimited(ctx: RecordingsContext, root: RecordingRoot, error: Error): void {
  const { code } = error as NodeJS.ErrnoException;
  const name = code === 'ENOSPC' ? 'max_user_watches' : 'max_user_instances';
  const advice =
    code === 'ENFILE'
      ? 'The system has no open files left.'
      : `Its limit fs.inotify.${name} is ${readLimit(name)}. Raise it with "sysctl -w fs.inotify.${name}=${code === 'ENOSPC' ? 524_288 : 1024}", and with the same in a file in /etc/sysctl.d for the next start.`;
  ctx.log.error({ root: root.id, err: toGatewayError(error) }, 'a root cannot be watched; it is asked instead');
  if (isSaid(ctx, root)) return;
  ctx.store.act('gateway', (note) => {
    openTask(ctx.store.db, {
      kind: limitTask,
      subject: `root:${root.id}`,
      detail: `The system gives no more watches to follow root "${root.id}" with. It is asked every ${askEveryMs / 1000} seconds instead: nothing is lost, but that is more work. ${advice} It is tried again every ${tryAgainMs / 60_000} minutes.`,
      createdUs: ctx.store.clock.nowUs(),
    });
    note('config.applied', `root:${root.id}`, { watched: false, reason: code ?? 'unknown' });
  });
}

const isSaid = ({ store }: RecordingsContext, root: RecordingRoot): boolean =>
  openTasks(store.db).some(({ kind, subject }) => kind === limitTask && subject === `root:${root.id}`);

function sayUnlimited(ctx: RecordingsContext, root: RecordingRoot): void {
  if (!isSaid(ctx, root)) return;
  ctx.store.act('gateway', (note) => {
    closeTask(ctx.store.db, limitTask, `root:${root.id}`, ctx.store.clock.nowUs());
    note('config.applied', `root:${root.id}`, { watched: true });
  });
}

function readLimit(name: string): string {
  try {
    return readFileSync(`/proc/sys/fs/inotify/${name}`, 'utf8').trim();
  } catch {
    // Hidden in some containers.
    return 'unknown';
  }
}
