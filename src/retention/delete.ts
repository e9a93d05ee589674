/** A sweep: everything that is due now, batch by batch, oldest first. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CameraPolicy } from '../domain/camera.js';
import { assertMargin, deletionRecordUs, legalLimitUs } from '../domain/retention.js';
import type { Segment } from '../domain/segment.js';
import { formatUtc } from '../domain/time.js';
import { askFolder } from '../platform/patience.js';
import { spending } from '../platform/reserve.js';
import { findCamera, listCameras, recordingLiveOnly } from '../store/cameras.js';
import { truncateWal } from '../store/database.js';
import { expireRecords, failingCameras, wasRefused } from '../store/deletions.js';
import { overdueQuarantine } from '../store/quarantine.js';
import { listRoots } from '../store/roots.js';
import { segmentsDue, type SegmentCursor } from '../store/segments.js';
import { rememberSweep } from '../store/sweep-history.js';
import { putSweepState } from '../store/sweep-state.js';
import { closeTask, openTask, openTasks } from '../store/tasks.js';
import { carryOut, intend, isUrgent, type BatchRun } from './batch.js';
import { noteBrake, type Braked } from './brake.js';
import {
  defaultBatchSize,
  type RetentionContext,
  type RetentionPlan,
  type RetentionResult,
  type RetentionRun,
  type RootProblem,
} from './context.js';
import { tendHolds, type OrderlyEnds } from './holds.js';
import { cutoffOf, fateIn, planDeletions, planSweep, situationAt, type Situation } from './plan.js';
import { makePace, type Pace } from './pace.js';
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
  const release = takeRetentionLock(ctx);
  if (release === null) {
    return { ...planDeletions(ctx, clock.nowUs()), ...nothingDone, refused: 'another sweep is under way' };
  }
  try {
    const roots = listRoots(ctx.store.db);
    await Promise.all(roots.map(({ id, path }) => askFolder(ctx.rootPath(id) ?? path)));
    const nowUs = clock.nowUs();
    const actor = run.actor ?? 'gateway';
    const synchronised = (await ctx.synchronised?.()) ?? null;
    const doubt = refusalReason(ctx, nowUs) ?? unsynchronisedReason(ctx, synchronised);
    if (doubt === null) {
      applyDueChanges(ctx, nowUs);
      tendHolds(ctx, nowUs);
    }
    const { plan, braked, orderly } = planSweep(ctx, nowUs, run);
    if (doubt !== null) {
      refuse(ctx, { ...run, actor }, doubt);
      return { ...plan, ...nothingDone, refused: doubt };
    }
    return await sweep(ctx, { ...run, actor, synchronised }, plan, { braked, orderly }, situationAt(ctx, nowUs));
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

const reserveTask = { kind: 'disk-full', subject: 'gateway:data' } as const;

type SweepRun = BatchRun & { readonly synchronised: boolean | null };

interface Tally extends Recovery {
  heldMeanwhile: number;
  /** Holds as the plan saw them: one that came since is met, and counted, where the intent is committed. */
  readonly situation: Situation;
  readonly pace: Pace;
  /** What goes without being weighed by the brake. */
  readonly orderly: OrderlyEnds;
  /** What this sweep deleted of each camera that it came to the end of. */
  readonly swept: Map<string, { segments: number; footageUs: number }>;
}

async function sweep(
  ctx: RetentionContext,
  run: SweepRun,
  plan: RetentionPlan,
  { braked, orderly }: { readonly braked: Braked; readonly orderly: OrderlyEnds },
  situation: Situation,
): Promise<RetentionResult> {
  const { db } = ctx.store;
  run.onStep?.('sweep-begun');
  const tally: Tally = {
    ...(await finishOpen(ctx, run)),
    heldMeanwhile: 0,
    situation,
    orderly,
    pace: makePace(),
    swept: new Map(),
  };
  for (const camera of listCameras(db)) {
    if (run.signal?.aborted === true) break;
    if (tally.stuck.has(camera.cameraId)) continue;
    const allowanceUs = braked.allowanceUs.get(camera.cameraId) ?? freeUs(ctx);
    if (allowanceUs > 0 || orderly.isAbout(camera.cameraId))
      await sweepCamera(ctx, run, camera, plan, allowanceUs, tally);
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
  if (!spending(ctx.reserve, () => truncateWal(db)))
    ctx.log.warn('the WAL is being read and was not emptied; the next sweep tries again');
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
  const someFreed = tally.orderly.isAbout(camera.cameraId);
  const dueAfterUs = plan.atUs - cutoffUs;
  const isWeighed = (segment: Segment): boolean => !tally.orderly.frees(segment, segment.startUs + dueAfterUs);
  let [after, whole]: [SegmentCursor | null, boolean] = [null, true];
  while (run.signal?.aborted !== true) {
    const page: Segment[] = segmentsDue(db, camera.cameraId, cutoffUs, after, size);
    after = page.at(-1) ?? null;
    const found = candidatesOf(ctx, camera, page, tally);
    const candidates =
      allowanceUs > 0
        ? withinAllowance(found, allowanceUs - swept.footageUs, isWeighed)
        : found.filter((segment) => !isWeighed(segment));
    if (candidates.length > 0) {
      const { pending, held } = intend(ctx, run, camera.cameraId, candidates);
      tally.heldMeanwhile += held;
      const outcome = pending.length === 0 ? null : await carryOut(ctx, run, pending);
      if (outcome !== null) {
        const begun = new Set(pending.map(({ segmentId }) => segmentId));
        const weighed = candidates.filter((one) => begun.has(one.id) && isWeighed(one));
        // What holds have kept says nothing of what is usual.
        swept.segments += weighed.length < begun.size ? weighed.length : outcome.deleted;
        swept.footageUs += footageOf(weighed);
        tally.deleted += outcome.deleted;
        tally.absent += outcome.absent;
        tally.derivedRemoved += outcome.derivedRemoved;
        tally.failed.push(...outcome.failed);
        addProblems(tally, outcome.problems);
        run.onProgress?.({ done: tally.deleted + tally.absent + tally.failed.length, total: plan.due });
        // Nothing of a whole batch: the disk refuses. More intents would only be more to try again.
        if (outcome.deleted + outcome.absent === 0) return;
        whole = whole && outcome.failed.length + outcome.problems.length === 0;
        const urgent = candidates.some((segment) => isUrgent(ctx, segment));
        const pauseMs = tally.pace.pauseMs({ files: pending.length, tookMs: outcome.unlinkMs, urgent });
        if (pauseMs > 0) await pause(pauseMs, run.signal);
      }
    }
    if (after === null || (candidates.length < found.length && !someFreed)) {
      // What was cut short says nothing of what is usual.
      if (whole && swept.segments > 0) tally.swept.set(camera.cameraId, swept);
      return;
    }
  }
}

/** Ends early, and without a word, when the sweep is to end. */
const pause = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);

const footageOf = (segments: readonly Segment[]): number =>
  segments.reduce(
    (sum, { startUs, endUs, state }) => sum + (state === 'missing' || state === 'vaulted' ? 0 : endUs - startUs),
    0,
  );

/**
 * As many as the brake lets go, and what it has no say in: more than was planned was indexed since, or lost its hold, and is
 * weighed by the next sweep.
 */
function withinAllowance(segments: Segment[], leftUs: number, isWeighed: (one: Segment) => boolean): Segment[] {
  let sumUs = 0;
  return segments.filter((segment) => !isWeighed(segment) || (sumUs += footageOf([segment])) <= leftUs);
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

/** When the oldest of what is due in a root, as far as it is listed, comes to its legal limit: how long there is to mend it. */
function firstLimitOf({ store }: RetentionContext, rootId: string, { segments }: RetentionPlan): string {
  const limits = segments.flatMap((segment) => {
    const camera = segment.rootId === rootId ? findCamera(store.db, segment.cameraId) : null;
    return camera === null ? [] : [legalLimitUs(camera, segment.startUs)];
  });
  return limits.length === 0 ? '' : ` The legal limit of what is due there is ${formatUtc(Math.min(...limits))}.`;
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
  // After what was deleted: that has made room.
  const hasReserve = ctx.reserve?.fill() ?? true;
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
        `Nothing in this root is deleted, and its footage grows older: ${detail}.${firstLimitOf(ctx, rootId, result)}`,
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
    if (hasReserve) closeTask(db, reserveTask.kind, reserveTask.subject, nowUs);
    else {
      const detail =
        'The disk of the data folder is full or nearly so. Deletion goes on in the room that was kept for it, and stops when that is used up. Free space there.';
      open(reserveTask.kind, reserveTask.subject, detail);
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
