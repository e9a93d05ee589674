/** Finishes deletions that were begun: by a run that was killed, or one that failed. At every start, before anything else. */
import { join } from 'node:path';
import type { Segment } from '../domain/segment.js';
import { askFolder } from '../platform/patience.js';
import { spending } from '../platform/reserve.js';
import { finishIntent, openIntentsAfter, type DeletionRow } from '../store/deletions.js';
import { holdsCovering } from '../store/holds.js';
import { listRoots } from '../store/roots.js';
import { takeLock } from '../store/process-lock.js';
import { findById, setSegmentState } from '../store/segments.js';
import { wallEndIn } from '../store/segments-shown.js';
import { carryOut, type BatchRun, type Pending } from './batch.js';
import { defaultBatchSize, type RetentionContext, type RetentionRun, type RootProblem } from './context.js';
import { fileState, lookAtRoot } from './trust.js';

export interface Recovery {
  /** Deletions that are finished now. */
  recovered: number;
  deleted: number;
  absent: number;
  derivedRemoved: number;
  /** Withdrawn, because a hold came while they failed and the file is still there. */
  withdrawn: number;
  failed: { path: string; reason: string }[];
  problems: RootProblem[];
  /** Cameras of which nothing could be deleted: trying more of theirs now would only make more intents. */
  stuck: Set<string>;
}

/** Only one process deletes at a time: two would judge the same intent from different sides of an unlink. */
export const takeRetentionLock = ({
  dataDir,
  reserve,
}: Pick<RetentionContext, 'dataDir' | 'reserve'>): (() => void) | null =>
  // SQLite writes a page for it.
  spending(reserve, () => takeLock(join(dataDir, 'retention.lock')));

/**
 * Finishes what is open, and gives what that was. A file that is gone has the result "already-absent". Where another process
 * is at it, nothing is done here.
 */
export async function recoverDeletions(ctx: RetentionContext, run: RetentionRun = {}): Promise<Recovery> {
  const release = takeRetentionLock(ctx);
  if (release === null) {
    ctx.log.info('open deletions are being finished by another process');
    return noRecovery();
  }
  try {
    return await finishOpen(ctx, { ...run, actor: run.actor ?? 'gateway' });
  } finally {
    release();
  }
}

const noRecovery = (): Recovery => ({
  recovered: 0,
  deleted: 0,
  absent: 0,
  derivedRemoved: 0,
  withdrawn: 0,
  failed: [],
  problems: [],
  stuck: new Set(),
});

/** As recoverDeletions, for a caller that has the lock. */
export async function finishOpen(ctx: RetentionContext, run: BatchRun): Promise<Recovery> {
  const { db } = ctx.store;
  const size = run.batchSize ?? defaultBatchSize;
  const total = noRecovery();
  // Everything below looks at roots in the thread that answers the API.
  await Promise.all(listRoots(db).map(({ id, path }) => askFolder(ctx.rootPath(id) ?? path)));
  const succeeded = new Set<string>();
  let afterId = 0;
  while (run.signal?.aborted !== true) {
    const page = openIntentsAfter(db, afterId, size);
    const last = page.at(-1);
    if (last === undefined) break;
    afterId = last.id;
    const batch: Pending[] = [];
    for (const intent of page) {
      const segment = findById(db, intent.segmentId);
      if (segment === null) {
        // No transaction of ours leaves this; without the row nobody knows where the file was. `check` names it as I5.
        total.failed.push({ path: `segment ${intent.segmentId}`, reason: 'its row is gone from the index' });
        continue;
      }
      if (withdrawForHold(ctx, run, intent, segment)) total.withdrawn += 1;
      else batch.push({ ...intent, rootId: segment.rootId, path: segment.path });
    }
    if (batch.length === 0) continue;
    const outcome = await carryOut(ctx, run, batch);
    const failed = new Set(outcome.failed.map(({ path }) => path));
    const doubted = new Set(outcome.problems.map(({ rootId }) => rootId));
    for (const one of batch) {
      if (failed.has(one.path)) total.stuck.add(one.cameraId);
      else if (!doubted.has(one.rootId)) succeeded.add(one.cameraId);
    }
    total.deleted += outcome.deleted;
    total.absent += outcome.absent;
    total.recovered += outcome.deleted + outcome.absent;
    total.derivedRemoved += outcome.derivedRemoved;
    total.failed.push(...outcome.failed);
    for (const problem of outcome.problems) {
      if (!total.problems.some(({ rootId }) => rootId === problem.rootId)) total.problems.push(problem);
    }
  }
  for (const cameraId of succeeded) total.stuck.delete(cameraId);
  return total;
}

/**
 * A deletion that failed and was not repeated yet, of a file that is still whole, gives way to a hold that came meanwhile. Not
 * one that may have got as far as the file: then nothing is left to hold, and the hold was told so when it was placed.
 */
function withdrawForHold(ctx: RetentionContext, run: BatchRun, intent: DeletionRow, segment: Segment): boolean {
  const { store } = ctx;
  const { db } = store;
  const shown = { startUs: intent.startUs, endUs: wallEndIn(db, segment).latestEndUs };
  const covering = (): boolean => holdsCovering(db, intent.cameraId, shown, store.clock.nowUs()).length > 0;
  if (!covering()) return false;
  const { path, problem } = lookAtRoot(db, segment.rootId, ctx.rootPath(segment.rootId));
  if (problem !== null || fileState(path, segment) !== 'as-indexed') return false;
  store.act(run.actor, (note) => {
    finishIntent(db, intent.id, { state: 'refused', result: 'held', doneUs: store.clock.nowUs() });
    setSegmentState(db, intent.segmentId, 'indexed');
    note('deletion.refused', `camera:${intent.cameraId}`, { records: [{ deletion: intent.id, result: 'held' }] });
  });
  return true;
}
