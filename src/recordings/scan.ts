/** Compares roots with the index, both ways, once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, toGatewayError } from '../errors.js';
import { askFolder } from '../platform/patience.js';
import { listQuarantine, removeQuarantine } from '../store/quarantine.js';
import { markScanned } from '../store/roots.js';
import { countMissing, hasSegments, markReturned } from '../store/segments.js';
import { closeTask, openTasks } from '../store/tasks.js';
import { compareWithIndex, unknownIn, type Candidate, type Comparison } from './compare.js';
import type { FileStat, RecordingRoot, RecordingsContext } from './context.js';
import { deservesAnotherLook, examine, sameFile, statOf, type Examined } from './examine.js';
import { ingest } from './ingest.js';
import { applyMoves, findMoved, type Move } from './moved.js';
import { makePace } from './pace.js';
import { acceptRoot, raiseRootAlarm, rootProblem } from './roots.js';
import { judgeNotMet, vanishedTask, type Vanished } from './vanished.js';

export interface ScanResult {
  /** In the index and on disk, all roots. */
  readonly segments: number;
  readonly added: number;
  readonly unchanged: number;
  readonly changed: number;
  /** Met at another place than before; their rows went along. */
  readonly moved: number;
  /** Everything that lies in quarantine now. */
  readonly quarantined: readonly {
    readonly root: string;
    readonly path: string;
    readonly reason: string;
    readonly detail: string;
  }[];
  /** In the index, not on disk, and not deleted by the gateway. */
  readonly missing: number;
  /** Still being written; indexed by a later scan, or by the watcher. */
  readonly waiting: readonly { readonly root: string; readonly path: string }[];
  /** Folders and files that could not be read. */
  readonly unreadable: readonly { readonly root: string; readonly path: string; readonly reason: string }[];
  /** Roots that were left alone because they are not what they were. */
  readonly refused: readonly { readonly rootId: string; readonly reason: string }[];
  /** More than half of a camera's files were not there: nothing in that root was marked missing, and a person is asked. */
  readonly asked: readonly (Vanished & { readonly root: string })[];
  readonly seconds: number;
}

export interface ScanRun {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { done: number; total: number | null }) => void;
  /** Cameras of which a person said that their files are gone for good. */
  readonly acceptVanished?: readonly string[];
  /** Roots of which a person said that the folder which is there now is the right one. */
  readonly acceptRoots?: readonly string[];
}

/** Rows in one transaction: about ten milliseconds, in which nobody else is answered; fewer would cost more in writing to disk. */
const batchSize = 500;
const probesAtOnce = 4;

/** Indexes every root once. A root in doubt is left as it is and named in `refused`; if all are, that is an error. */
export async function scanRoots(ctx: RecordingsContext, run: ScanRun = {}): Promise<ScanResult> {
  const began = ctx.store.clock.monotonicMs();
  const total: {
    -readonly [K in keyof ScanResult]: ScanResult[K] extends number
      ? number
      : ScanResult[K][keyof ScanResult[K] & number][];
  } = {
    segments: 0,
    added: 0,
    unchanged: 0,
    changed: 0,
    moved: 0,
    quarantined: [],
    missing: 0,
    waiting: [],
    unreadable: [],
    refused: [],
    asked: [],
    seconds: 0,
  };
  let done = 0;
  const refuse = (root: RecordingRoot, reason: string): void => {
    raiseRootAlarm(ctx, root, reason);
    total.refused.push({ rootId: root.id, reason });
  };
  for (const root of acceptedFirst(ctx, run.acceptRoots ?? [])) {
    await askFolder(root.path);
    const problem = rootProblem(ctx.store.db, root.id, root.path);
    if (problem !== null) {
      refuse(root, problem);
      continue;
    }
    const before = done;
    let scan: RootScan;
    try {
      scan = await scanRoot(ctx, root, {
        signal: run.signal,
        acceptVanished: new Set(run.acceptVanished),
        onProgress: (names) => {
          done = before + names;
          run.onProgress?.({ done, total: null });
        },
      });
    } catch (error) {
      // Unmounted or swapped while it was read.
      if (!(error instanceof GatewayError) || error.code !== 'root-untrusted') throw error;
      refuse(root, error.message);
      continue;
    }
    total.added += scan.added;
    total.changed += scan.changed;
    total.moved += scan.moved;
    total.unchanged += scan.unchanged;
    total.waiting.push(...scan.waiting.map((path) => ({ root: root.id, path })));
    total.unreadable.push(...scan.unreadable.map((one) => ({ root: root.id, ...one })));
    total.asked.push(...scan.asked.map((one) => ({ root: root.id, ...one })));
    total.quarantined.push(
      ...listQuarantine(ctx.store.db, root.id).map(({ path, reason, detail }) => ({
        root: root.id,
        path,
        reason,
        detail,
      })),
    );
    const missing = countMissing(ctx.store.db, root.id);
    total.missing += missing;
    total.segments += scan.rows - missing;
  }
  if (total.refused.length === 0) closeAnswered(ctx, total.asked);
  const [first] = total.refused;
  if (first !== undefined && total.refused.length === ctx.roots.length) {
    throw new GatewayError('root-untrusted', total.refused.map((one) => one.reason).join('\n'), {
      remedy: 'Nothing was changed. Mount the right folder, or correct the configuration.',
    });
  }
  return { ...total, seconds: (ctx.store.clock.monotonicMs() - began) / 1000 };
}

/** All roots, once those that a person vouched for are known by what is there now. Throws `not-found` for one that is none. */
function acceptedFirst(ctx: RecordingsContext, accepted: readonly string[]): readonly RecordingRoot[] {
  for (const id of accepted) {
    const root = ctx.roots.find((one) => one.id === id);
    if (root === undefined) {
      throw new GatewayError('not-found', `There is no root "${id}".`, { remedy: 'See "roots" in the configuration.' });
    }
    acceptRoot(ctx, root);
  }
  return ctx.roots;
}

/** Where the files of a camera are back, or were given up, nobody has to be asked any more. */
function closeAnswered({ store }: RecordingsContext, asked: readonly Vanished[]): void {
  const open = new Set(asked.map(({ cameraId }) => `camera:${cameraId}`));
  const answered = openTasks(store.db).filter((task) => task.kind === vanishedTask && !open.has(task.subject));
  if (answered.length === 0) return;
  store.act('gateway', (note) => {
    for (const { kind, subject } of answered) {
      closeTask(store.db, kind, subject, store.clock.nowUs());
      note('task.closed', subject, { kind });
    }
  });
}

interface RootScan {
  readonly added: number;
  readonly changed: number;
  readonly moved: number;
  readonly unchanged: number;
  /** Of the index, in any state, as of when they were compared. */
  readonly rows: number;
  readonly waiting: readonly string[];
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
  readonly asked: readonly Vanished[];
}

interface RootRun {
  readonly signal: AbortSignal | undefined;
  readonly acceptVanished: ReadonlySet<string>;
  readonly onProgress: (names: number) => void;
}

/** What is entered in batches, and what has to be looked at a second time. */
function makeEntry(ctx: RecordingsContext, root: RecordingRoot) {
  const calmBeforeUs = ctx.store.clock.nowUs() - ctx.quietMs * 1000;
  // In an empty index nothing can have been anywhere else.
  const mayHaveMoved = hasSegments(ctx.store.db, root.id) || countMissing(ctx.store.db, root.id) > 0;
  const batch: Examined[] = [];
  const moves: Move[] = [];
  const totals = { added: 0, changed: 0, moved: 0 };
  const unreadable: { path: string; reason: string }[] = [];
  /** Written to a moment ago: looked at again when they have had time to be finished. */
  const recent: { path: string; stat: FileStat }[] = [];
  /** In quarantine, but no recording at all. */
  const noConcern: string[] = [];

  const flush = (): void => {
    // First, so that a path which another file moved away from is free.
    totals.moved += applyMoves(ctx, root, moves.splice(0));
    const { added, changed, moved } = ingest(ctx, root, batch.splice(0));
    totals.added += added;
    totals.changed += changed;
    totals.moved += moved;
  };
  const add = (found: Examined): void => {
    if (found.kind === 'segment' || found.kind === 'quarantined') batch.push(found);
    if (batch.length + moves.length >= batchSize) flush();
  };
  const visit = async (candidate: Candidate): Promise<void> => {
    const { path, facts, utf8, known, held } = candidate;
    const move = mayHaveMoved && utf8 && facts.isFile && !known ? await findMoved(ctx, root, path, facts) : null;
    if (move !== null) {
      moves.push(move);
      return;
    }
    const found = await examine(ctx, root, path, facts.mtimeUs <= calmBeforeUs, { facts, utf8 });
    // Of no concern by the layout that is configured now: it leaves the quarantine with what is gone.
    if (found.kind === 'nothing' && held) noConcern.push(path);
    if (found.kind === 'open') recent.push({ path, stat: found.stat });
    else add(found);
  };
  return {
    totals,
    unreadable,
    noConcern,
    flush,
    /** Several at once: each takes the next when it is done with its last. */
    async visitAll(candidates: readonly Candidate[]): Promise<void> {
      const pace = makePace();
      let at = 0;
      const take = async (): Promise<void> => {
        for (let next = candidates[at++]; next !== undefined; next = candidates[at++]) {
          try {
            await visit(next);
          } catch (error) {
            // One name that the disk gives no answer about is no reason to leave the rest unindexed. Our own failures are.
            if (!isSystemError(error)) throw error;
            unreadable.push({ path: next.path, reason: toGatewayError(error).message });
          }
          if (pace.spent()) await pace.rest();
        }
      };
      await Promise.all(Array.from({ length: Math.min(probesAtOnce, candidates.length) }, take));
    },
    /** After the quiet time. Gives those that are still being written. */
    async lookAgain(signal: AbortSignal | undefined): Promise<string[]> {
      const waiting: string[] = [];
      if (recent.length === 0) return waiting;
      await sleep(ctx.quietMs, undefined, signal === undefined ? {} : { signal });
      for (const { path, stat } of recent) {
        const now = await statOf(root, path);
        const found = now === null ? null : await examine(ctx, root, path, sameFile(stat, now));
        if (found?.kind === 'open') waiting.push(path);
        else if (found !== null) add(found);
      }
      flush();
      return waiting;
    },
  };
}

async function scanRoot(ctx: RecordingsContext, root: RecordingRoot, run: RootRun): Promise<RootScan> {
  const entry = makeEntry(ctx, root);
  const nowUs = ctx.store.clock.nowUs();
  const compared = await compareWithIndex(ctx.store.db, root, {
    signal: run.signal,
    onProgress: run.onProgress,
    looksAgain: (held) => deservesAnotherLook(root, held, nowUs),
    onCandidates: (candidates) => entry.visitAll(candidates),
  });
  entry.flush();
  compared.leftQuarantine.push(...entry.noConcern);
  const waiting = await entry.lookAgain(run.signal);
  const unreadable = [...compared.unreadable, ...entry.unreadable];
  const unknown = unknownIn(unreadable);
  const { signal, acceptVanished } = run;
  const judged = await judgeNotMet(ctx, root, compared.notMet, { unknown, acceptVanished, signal });
  await close(ctx, root, compared, { unknown, complete: unreadable.length === 0, judged: judged.asked.length === 0 });
  const { added, changed, moved } = entry.totals;
  return {
    added,
    changed,
    moved: moved + judged.moved,
    unchanged: compared.unchanged,
    rows: compared.rows + added - judged.moved,
    waiting,
    unreadable,
    asked: judged.asked,
  };
}

/** An errno of the file system, as from `lstat`; SQLite's errors have codes of their own. */
const isSystemError = (error: unknown): boolean =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).errno === 'number';

/** What came back, what left the quarantine, and that the scan is over. */
async function close(
  ctx: RecordingsContext,
  root: RecordingRoot,
  compared: Comparison,
  how: { unknown: (path: string) => boolean; complete: boolean; judged: boolean },
): Promise<void> {
  const { db, clock } = ctx.store;
  const subject = `root:${root.id}`;
  const pace = makePace();
  for (let at = 0; at < compared.returned.length; at += batchSize) {
    ctx.store.act('gateway', (note) => {
      const ids = compared.returned.slice(at, at + batchSize);
      const segments = ids.filter((id) => markReturned(db, id)).length;
      note('recordings.returned', subject, { segments });
    });
    await pace.rest();
  }
  // While a person is asked, the quarantine stays too: what is gone from it may be on the same missing disk.
  const left = how.judged ? compared.leftQuarantine.filter((path) => !how.unknown(path)) : [];
  for (let at = 0; at < left.length; at += batchSize) {
    ctx.store.act('gateway', (note) => {
      const paths = left.slice(at, at + batchSize).filter((path) => removeQuarantine(db, root.id, path));
      note('recordings.indexed', subject, { leftQuarantine: paths.length });
    });
    await pace.rest();
  }
  ctx.store.act('gateway', (note) => {
    markScanned(db, root.id, clock.nowUs());
    note('recordings.indexed', subject, { complete: how.complete && how.judged, names: compared.names });
  });
}
