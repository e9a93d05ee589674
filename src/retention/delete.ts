/** A sweep: everything that is due now, batch by batch, oldest first. */
import type { CameraPolicy } from '../domain/camera.js';
import { assertMargin, deletionRecordUs } from '../domain/retention.js';
import type { Segment } from '../domain/segment.js';
import { listCameras, recordingLiveOnly } from '../store/cameras.js';
import { truncateWal } from '../store/database.js';
import { expireRecords, failingCameras, wasRefused } from '../store/deletions.js';
import { overdueQuarantine } from '../store/quarantine.js';
import { listRoots } from '../store/roots.js';
import { segmentsDue, type SegmentCursor } from '../store/segments.js';
import { rememberSweep } from '../store/sweep-history.js';
import { putSweepState } from '../store/sweep-state.js';
import { closeTask, openTask, openTasks } from '../store/tasks.js';
import { carryOut, intend, type BatchRun } from './batch.js';
import { noteBrake, type Braked } from './brake.js';
import {
  defaultBatchSize,
  type RetentionContext,
  type RetentionPlan,
  type RetentionResult,
  type RetentionRun,
  type RootProblem,
} from './context.js';
import { cutoffOf, fateIn, planDeletions, planSweep, situationAt, type Situation } from './plan.js';
import { applyDueChanges } from './policy.js';
import { finishOpen, takeRetentionLock, type Recovery } from './recovery.js';
import {
  clockTask,
  fileState,
  lookAtRoot,
  refusalReason,
  sweepStateAt,
  unsynchronisedReason,
  unsynchronisedTask,
} from './trust.js';

const nothingDone = {
  deleted: 0,
  absent: 0,
  failed: [],
  recovered: 0,
  derivedRemoved: 0,
  interrupted: false,
} as const;

/**
 * Deletes what is due now, after finishing what earlier runs began. Never throws for a file that cannot be deleted: that is in
 * `failed`, is tried again by the next sweep, and has a task. Throws where the audit log cannot be written: then nothing is
 * deleted that is not in it. Stopped by `signal` between two batches.
 */
export async function applyDeletions(ctx: RetentionContext, run: RetentionRun = {}): Promise<RetentionResult> {
  assertMargin(ctx.marginUs);
  const { clock } = ctx.store;
  const release = takeRetentionLock(ctx.dataDir);
  if (release === null) {
    return { ...planDeletions(ctx, clock.nowUs()), ...nothingDone, refused: 'another sweep is under way' };
  }
  try {
    const nowUs = clock.nowUs();
    const actor = run.actor ?? 'gateway';
    const synchronised = (await ctx.synchronised?.()) ?? null;
    const doubt = refusalReason(ctx, nowUs) ?? unsynchronisedReason(ctx, synchronised);
    if (doubt === null) applyDueChanges(ctx, nowUs);
    const { plan, braked } = planSweep(ctx, nowUs, run);
    if (doubt !== null) {
      refuse(ctx, { ...run, actor }, doubt);
      return { ...plan, ...nothingDone, refused: doubt };
    }
    return await sweep(ctx, { ...run, actor, synchronised }, plan, braked, situationAt(ctx, nowUs));
  } finally {
    release();
  }
}

function refuse({ store, log }: RetentionContext, run: BatchRun, doubt: string): void {
  log.error({ reason: doubt }, 'nothing is deleted');
  store.act(run.actor, (note) => {
    openTask(store.db, {
      ...clockTask,
      detail: `Nothing is deleted: ${doubt}. Set the clock right. If it is right now, two persons, one of them an administrator, say so, each with the own password: tredive retain --accept-clock --user NAME`,
      createdUs: store.clock.nowUs(),
    });
    note('retention.refused', 'gateway', { reason: doubt });
  });
}

type SweepRun = BatchRun & { readonly synchronised: boolean | null };

interface Tally extends Recovery {
  heldMeanwhile: number;
  /** Holds as the plan saw them: one that came since is met, and counted, where the intent is committed. */
  readonly situation: Situation;
  /** What this sweep deleted of each camera that it came to the end of. */
  readonly swept: Map<string, { segments: number; footageUs: number }>;
}

async function sweep(
  ctx: RetentionContext,
  run: SweepRun,
  plan: RetentionPlan,
  braked: Braked,
  situation: Situation,
): Promise<RetentionResult> {
  const { db } = ctx.store;
  run.onStep?.('sweep-begun');
  const tally: Tally = { ...(await finishOpen(ctx, run)), heldMeanwhile: 0, situation, swept: new Map() };
  for (const camera of listCameras(db)) {
    if (run.signal?.aborted === true) break;
    if (tally.stuck.has(camera.cameraId)) continue;
    const allowanceUs = braked.allowanceUs.get(camera.cameraId) ?? freeUs(ctx);
    if (allowanceUs > 0) await sweepCamera(ctx, run, camera, plan, allowanceUs, tally);
  }
  const interrupted = run.signal?.aborted === true;
  const held = plan.held + tally.heldMeanwhile + tally.withdrawn;
  const result: RetentionResult = {
    ...plan,
    due: plan.due - tally.heldMeanwhile - tally.withdrawn,
    held,
    problems: tally.problems,
    deleted: tally.deleted,
    absent: tally.absent,
    failed: tally.failed,
    recovered: tally.recovered,
    derivedRemoved: tally.derivedRemoved,
    interrupted,
  };
  const ended = endSweep(ctx, run, result, braked, tally.swept);
  run.onStep?.('sweep-committed');
  // After a purge nothing of the removed rows may stay in the database or its WAL.
  if (!truncateWal(db)) ctx.log.warn('the WAL is being read and was not emptied; the next sweep tries again');
  run.onStep?.('wal-truncated');
  return ended;
}

/** A camera of which nothing was due when the sweep was planned: what comes up meanwhile is held against the floor. */
const freeUs = ({ brake }: RetentionContext): number => brake?.floorUs ?? Infinity;

async function sweepCamera(
  ctx: RetentionContext,
  run: BatchRun,
  camera: CameraPolicy,
  plan: RetentionPlan,
  allowanceUs: number,
  tally: Tally,
): Promise<void> {
  const { db } = ctx.store;
  const size = run.batchSize ?? defaultBatchSize;
  const { cutoffUs } = cutoffOf(camera, plan.atUs, ctx.marginUs);
  const swept = { segments: 0, footageUs: 0 };
  let [after, whole]: [SegmentCursor | null, boolean] = [null, true];
  while (run.signal?.aborted !== true) {
    const page: Segment[] = segmentsDue(db, camera.cameraId, cutoffUs, after, size);
    after = page.at(-1) ?? null;
    const found = candidatesOf(ctx, camera, page, tally);
    const candidates = withinAllowance(found, allowanceUs - swept.footageUs);
    if (candidates.length > 0) {
      const { pending, held } = intend(ctx, run, camera.cameraId, candidates);
      tally.heldMeanwhile += held;
      const outcome = pending.length === 0 ? null : await carryOut(ctx, run, pending);
      if (outcome !== null) {
        const begun = new Set(pending.map(({ segmentId }) => segmentId));
        swept.segments += outcome.deleted;
        swept.footageUs += footageOf(candidates.filter(({ id }) => begun.has(id)));
        tally.deleted += outcome.deleted;
        tally.absent += outcome.absent;
        tally.derivedRemoved += outcome.derivedRemoved;
        tally.failed.push(...outcome.failed);
        addProblems(tally, outcome.problems);
        run.onProgress?.({ done: tally.deleted + tally.absent + tally.failed.length, total: plan.due });
        // Nothing of a whole batch: the disk refuses. More intents would only be more to try again.
        if (outcome.deleted + outcome.absent === 0) return;
        whole = whole && outcome.failed.length + outcome.problems.length === 0;
      }
    }
    if (after === null || candidates.length < found.length) {
      // What was cut short says nothing of what is usual.
      if (whole && swept.segments > 0) tally.swept.set(camera.cameraId, swept);
      return;
    }
  }
}

const footageOf = (segments: readonly Segment[]): number =>
  segments.reduce(
    (sum, { startUs, endUs, state }) => sum + (state === 'missing' || state === 'vaulted' ? 0 : endUs - startUs),
    0,
  );

/** As many as the brake lets go: more than was planned was indexed since, or lost its hold, and is weighed by the next sweep. */
function withinAllowance(segments: Segment[], leftUs: number): Segment[] {
  let sumUs = 0;
  const end = segments.findIndex((segment) => (sumUs += footageOf([segment])) > leftUs);
  return end < 0 ? segments : segments.slice(0, end);
}

/** Those of a page that a batch is worth beginning for. What decides is looked at again inside the transaction. */
function candidatesOf(ctx: RetentionContext, camera: CameraPolicy, page: readonly Segment[], tally: Tally): Segment[] {
  const { db } = ctx.store;
  const roots = new Map<string, { path: string; problem: string | null }>();
  return page.filter((segment) => {
    if (fateIn(tally.situation, segment, camera).verdict !== 'delete') return false;
    const root = roots.get(segment.rootId) ?? lookAtRoot(db, segment.rootId, ctx.rootPath(segment.rootId));
    roots.set(segment.rootId, root);
    if (root.problem !== null) {
      addProblems(tally, [{ rootId: segment.rootId, detail: root.problem }]);
      return false;
    }
    // Refused before, and still not the indexed file: said again, without another record of the same.
    if (wasRefused(db, segment) && fileState(root.path, segment) === 'other') {
      tally.failed.push({
        path: segment.path,
        reason: 'it is still not the file that was indexed; it was not touched',
      });
      return false;
    }
    return true;
  });
}

function addProblems(tally: Tally, problems: readonly RootProblem[]): void {
  for (const problem of problems) {
    if (!tally.problems.some(({ rootId }) => rootId === problem.rootId)) tally.problems.push(problem);
  }
}

/** What the sweep found goes into the log, the clock it ran by is remembered, and tasks are opened and closed. */
function endSweep(
  ctx: RetentionContext,
  run: SweepRun,
  result: RetentionResult,
  braked: Braked,
  swept: Tally['swept'],
): RetentionResult {
  const { store } = ctx;
  const { db } = store;
  const doubts = listRoots(db).flatMap(({ id }) => {
    const { problem } = lookAtRoot(db, id, ctx.rootPath(id));
    return problem === null ? [] : [{ rootId: id, detail: problem }];
  });
  return store.act(run.actor, (note) => {
    const nowUs = store.clock.nowUs();
    // Before the state of this sweep is written: it says how long ago the last one was.
    const unfinished = result.interrupted || result.failed.length > 0;
    const waiting = noteBrake(ctx, note, braked, { nowUs, unfinished });
    for (const [cameraId, sums] of swept) rememberSweep(db, { cameraId, sweptUs: nowUs, ...sums });
    putSweepState(db, sweepStateAt(ctx, nowUs));
    const open = (kind: string, subject: string, detail: string): void => {
      openTask(db, { kind, subject, detail, createdUs: nowUs });
    };
    for (const { rootId, detail } of doubts) {
      open(
        'root-untrusted',
        `root:${rootId}`,
        `Nothing in this root is deleted, and its footage grows older: ${detail}`,
      );
    }
    for (const { rootId, files } of overdueQuarantine(db, nowUs, ctx.marginUs)) {
      const detail = `${files} files in quarantine may hold footage that is as old as footage may become. Repair or remove them by hand; the gateway does not touch them.`;
      open('quarantine-overdue', `root:${rootId}`, detail);
    }
    if (result.late > 0) {
      const detail = `${result.late} segments were still there after their legal limit. Find out why: was the gateway or a disk away, or was the footage indexed late?`;
      open('deletion-late', 'gateway:retention', detail);
    }
    for (const { cameraId, label } of recordingLiveOnly(db)) {
      const detail = `Camera "${label}" may show and not record, and recordings of it were found. Stop its recording in the VMS, and tell legal. What is there is neither held nor handed over, and goes like any other footage at the latest.`;
      open('live-only-recorded', `camera:${cameraId}`, detail);
    }
    closeTask(db, clockTask.kind, clockTask.subject, nowUs);
    const { kind: unsynchronised, subject: clock } = unsynchronisedTask;
    if (run.synchronised === false) {
      const detail =
        'No time service sets the clock of this machine. Set one up (chrony, systemd-timesyncd): every limit is counted by it.';
      open(unsynchronised, clock, detail);
    } else if (run.synchronised === true) closeTask(db, unsynchronised, clock, nowUs);
    const overdue = new Set(overdueQuarantine(db, nowUs, ctx.marginUs).map(({ rootId }) => `root:${rootId}`));
    const failing = new Set(failingCameras(db).map(({ cameraId }) => `camera:${cameraId}`));
    const recording = new Set(recordingLiveOnly(db).map(({ cameraId }) => `camera:${cameraId}`));
    const doubted = new Set(doubts.map(({ rootId }) => `root:${rootId}`));
    for (const { kind, subject } of openTasks(db)) {
      if (kind === 'deletion-failing' && !failing.has(subject)) closeTask(db, kind, subject, nowUs);
      if (kind === 'quarantine-overdue' && !overdue.has(subject)) closeTask(db, kind, subject, nowUs);
      if (kind === 'live-only-recorded' && !recording.has(subject)) closeTask(db, kind, subject, nowUs);
      if (kind === 'root-untrusted' && !doubted.has(subject)) closeTask(db, kind, subject, nowUs);
    }
    const recordsExpired = expireRecords(db, nowUs - deletionRecordUs);
    if (result.refused !== null) {
      note('retention.refused', 'gateway', { reason: braked.everything ? 'brake' : 'roots' });
    }
    note('retention.swept', 'gateway', {
      due: result.due,
      deleted: result.deleted,
      absent: result.absent,
      held: result.held,
      failed: result.failed.length,
      late: result.late,
      recovered: result.recovered,
      recordsExpired,
      rootsInDoubt: doubts.map(({ rootId }) => rootId),
      interrupted: result.interrupted,
      synchronised: run.synchronised,
      waiting: waiting?.id ?? null,
      confirmed: braked.confirmedId,
      firstOf: [...braked.first],
    });
    return { ...result, waiting, refused: braked.everything && waiting !== null ? waiting.detail : result.refused };
  });
}
