/**
 * Names in a root that something happened to, until it is known what they are. A recording waits here until it is closed: until
 * nothing wrote to it for the quiet time, or its recorder said so, by taking the name of an open file away from it or by
 * announcing it. Whatever it is then goes into the index, several in one transaction.
 */
import { toGatewayError } from '../errors.js';
import { findByPath } from '../store/segments.js';
import type { FileStat, RecordingRoot, RecordingsContext } from './context.js';
import { examine, sameFile, statOf, type Examined } from './examine.js';
import { ingest } from './ingest.js';
import { applyMoves, findMoved, type Move } from './moved.js';
import { rootProblem } from './roots.js';

/**
 * What became of an announced file. known: it was in the index as it is. waiting: it cannot be read yet, or is still being written
 * to, and is looked at again. gone: nothing is there. unreachable: the root cannot be trusted now. unasked: so many wait that
 * nobody waits for this one; it is looked at after them.
 */
export type Outcome = 'indexed' | 'known' | 'waiting' | 'gone' | 'unreachable' | 'unasked';

export interface Arrivals {
  /** A file appeared, or was written to. */
  touched(path: string): void;
  isAwaited(path: string): boolean;
  /** Its recorder says that it is closed: no quiet time, but it has to be readable. Never rejects. */
  announced(path: string): Promise<Outcome>;
  /** Forgets what waits: the root went away. */
  clear(): void;
  waiting(): number;
  /** Ends after what is under way. */
  close(): Promise<void>;
}

export interface ArrivalsRun {
  /** Whether each write is told: then silence is rest. Else files are asked once a second. */
  readonly told: () => boolean;
  /** More came than can wait here: a scan has to look. */
  readonly onOverlooked: () => void;
}

interface Waiting {
  /** How the file was at the last look. */
  seen: FileStat | null;
  /** Since when it has been so, as far as is known. Monotonic, as every time here. */
  sinceMs: number;
  toldMs: number;
  dueMs: number;
  /** What it was taken for, where it is only looked after for a while: a recorder may have paused for longer than the quiet time. */
  entered: boolean;
  /** Its recorder said that it is closed. */
  said: boolean;
}

/** Beyond this a scan is the better way; a hundred bytes each. */
const mostWaiting = 5000;
const mostAnnounced = 1000;
const batchSize = 64;
const examinedAtOnce = 4;
const stepMs = 200;
/** How often an open file is asked where writes are not told. */
const askMs = 1000;
/** How long, and how often, what was entered is looked after where writes are not told. */
const lookAfterMs = 120_000;
const lookAfterEveryMs = 10_000;
/** Clocks of file systems and of programs differ by this at most. */
const slackMs = 250;
const mostOpenNames = 2000;

export function makeArrivals(ctx: RecordingsContext, root: RecordingRoot, run: ArrivalsRun): Arrivals {
  const { db } = ctx.store;
  const waiting = new Map<string, Waiting>();
  const announced: { readonly path: string; readonly answer: (outcome: Outcome) => void }[] = [];
  /** Inodes of files whose name said that they are open: under another name they are closed. */
  const openByName = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> | null = null;
  let closed = false;

  const touched = (path: string): void => {
    if (closed) return;
    const nowMs = performance.now();
    const known = waiting.get(path);
    if (known !== undefined) {
      known.toldMs = nowMs;
      known.entered = false;
      // The first look stays where it is.
      if (known.seen !== null) known.dueMs = run.told() ? nowMs + ctx.quietMs : Math.min(known.dueMs, nowMs + askMs);
      return;
    }
    const match = root.layout.decode(path);
    if (match.kind === 'miss' && match.reason === 'ignored') return;
    if (waiting.size >= mostWaiting) {
      run.onOverlooked();
      return;
    }
    // The first look is at once: it may be a file that was closed under another name.
    waiting.set(path, { seen: null, sinceMs: nowMs, toldMs: nowMs, dueMs: nowMs, entered: false, said: false });
    start();
  };

  const start = (): void => {
    if (timer !== undefined || closed) return;
    timer = setInterval(step, stepMs);
    timer.unref();
  };
  const step = (): void => {
    if (working !== null) return;
    const nowMs = performance.now();
    const due: string[] = [];
    for (const [path, { dueMs }] of waiting) {
      if (dueMs > nowMs) continue;
      due.push(path);
      if (due.length >= batchSize) break;
    }
    const asked = announced.splice(0, batchSize);
    if (asked.length + due.length > 0) {
      working = work(asked, due).finally(() => {
        working = null;
        // Whoever announced waits for an answer.
        if (announced.length > 0) step();
      });
    } else if (waiting.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };

  /** Since when the file has been as it is now: since its last write, by what we were told and by its own time. */
  const restSince = (one: Waiting, now: FileStat, nowMs: number): number => {
    if (one.seen !== null && sameFile(one.seen, now)) return one.sinceMs;
    const writtenMs = nowMs - (Date.now() - now.mtimeUs / 1000);
    // The time of a file on a network is of another clock, and one of the future says nothing.
    return run.told() && writtenMs <= nowMs + slackMs ? Math.min(Math.max(one.toldMs, writtenMs), nowMs) : nowMs;
  };

  const look = async (path: string, batch: Examined[], moves: Move[]): Promise<void> => {
    const one = waiting.get(path);
    if (one === undefined) return;
    const nowMs = performance.now();
    const now = await statOf(root, path);
    const drop = (): void => {
      // Told of again while it was looked at: then what was seen may be of before.
      if (one.toldMs > nowMs) one.dueMs = one.toldMs + ctx.quietMs;
      else waiting.delete(path);
    };
    // Neither file nor link: a folder is followed, and anything else is the scan's.
    if (now === null || !(now.isFile || now.isLink)) {
      drop();
      return;
    }
    const before = one.seen;
    one.sinceMs = restSince(one, now, nowMs);
    one.seen = now;
    if (one.entered && before !== null && sameFile(before, now)) {
      one.dueMs = nowMs + lookAfterEveryMs;
      if (nowMs - one.sinceMs > lookAfterMs) drop();
      return;
    }
    one.entered = false;
    const row = findByPath(db, root.id, path);
    if (row?.state === 'deleting' || (row?.state === 'indexed' && sameFile(row, now))) {
      drop();
      return;
    }
    const move = row === null && now.isFile ? await findMoved(ctx, root, path, now) : null;
    if (move !== null) {
      moves.push(move);
      drop();
      return;
    }
    // Numbers are used again: at worst a new file is read too early, and once more when it is written to.
    const isSaid = one.said || openByName.has(now.inode);
    one.said = false;
    const found = await examine(ctx, root, path, isSaid || nowMs - one.sinceMs >= ctx.quietMs);
    if (found.kind === 'open' && found.byName) {
      // What is closed comes under its next name; what was abandoned is the scan's.
      if (openByName.size >= mostOpenNames) openByName.clear();
      openByName.add(now.inode);
      drop();
    } else if (found.kind === 'open' || (isSaid && found.kind === 'quarantined')) {
      openByName.delete(now.inode);
      one.dueMs = run.told() ? Math.max(one.toldMs, one.sinceMs) + ctx.quietMs : nowMs + askMs;
      if (one.dueMs <= nowMs) one.dueMs = nowMs + stepMs;
    } else {
      openByName.delete(now.inode);
      batch.push(found);
      if (run.told() || found.kind === 'nothing') drop();
      else {
        one.entered = true;
        one.dueMs = nowMs + lookAfterEveryMs;
      }
    }
  };

  const answer = async (path: string, batch: Examined[]): Promise<Outcome> => {
    const now = await statOf(root, path);
    if (now === null || !now.isFile) return 'gone';
    const row = findByPath(db, root.id, path);
    if (row?.state === 'indexed' && sameFile(row, now)) return 'known';
    // A moved file, or one that is being deleted, is judged the usual way.
    const plain = row === null ? (await findMoved(ctx, root, path, now)) === null : row.state !== 'deleting';
    const found = plain ? await examine(ctx, root, path, true) : null;
    if (found?.kind === 'segment') {
      batch.push(found);
      waiting.delete(path);
      return 'indexed';
    }
    touched(path);
    return 'waiting';
  };

  const failed = (error: unknown): void => {
    ctx.log.error(
      { root: root.id, err: toGatewayError(error) },
      'a new file could not be indexed; the next scan tries again',
    );
  };

  const work = async (asked: typeof announced, due: readonly string[]): Promise<void> => {
    const outcomes = new Map<(typeof asked)[number], Outcome>();
    try {
      if (rootProblem(db, root.id, root.path) !== null) {
        for (const one of asked) outcomes.set(one, 'unreachable');
        waiting.clear();
        return;
      }
      const batch: Examined[] = [];
      const moves: Move[] = [];
      const jobs = [
        ...asked.map((one) => async () => {
          outcomes.set(one, await answer(one.path, batch));
        }),
        ...due.map((path) => async () => {
          try {
            await look(path, batch, moves);
          } catch (error) {
            waiting.delete(path);
            throw error;
          }
        }),
      ];
      const take = async (): Promise<void> => {
        for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
          // One name that gives no answer is no reason to leave the others.
          await job().catch(failed);
        }
      };
      await Promise.all(Array.from({ length: examinedAtOnce }, take));
      applyMoves(ctx, root, moves);
      ingest(ctx, root, batch);
    } catch (error) {
      failed(error);
      outcomes.clear();
    } finally {
      for (const one of asked) one.answer(outcomes.get(one) ?? 'waiting');
    }
  };

  return {
    touched,
    isAwaited: (path) => waiting.has(path),
    announced(path) {
      if (closed) return Promise.resolve('unreachable');
      if (announced.length >= mostAnnounced) {
        touched(path);
        const one = waiting.get(path);
        if (one !== undefined) Object.assign(one, { said: true, dueMs: performance.now() });
        return Promise.resolve('unasked');
      }
      return new Promise((resolve) => {
        announced.push({ path, answer: resolve });
        start();
        step();
      });
    },
    clear() {
      waiting.clear();
    },
    waiting: () => waiting.size,
    async close() {
      closed = true;
      clearInterval(timer);
      for (const { answer: tell } of announced.splice(0)) tell('unreachable');
      await working;
    },
  };
}
