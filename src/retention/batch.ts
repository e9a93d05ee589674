/**
 * One batch of deletions in its two phases. `intend` commits what is going to be deleted; `carryOut` deletes it and commits
 * that it is done. Whatever kills the process between the two, `carryOut` is also what finishes it: it asks the disk, not its
 * memory, what is still there.
 */
import type { Actor } from '../domain/audit-event.js';
import { formatUtc } from '../domain/time.js';
import { legalLimitUs } from '../domain/retention.js';
import type { Segment } from '../domain/segment.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { unlinkManyBeneath, type UnlinkOutcome } from '../platform/native.js';
import { withPatience } from '../platform/patience.js';
import { findCamera, getCamera } from '../store/cameras.js';
import { finishIntent, insertIntent, noteFailure, type DeletionIntent, type DeletionRow } from '../store/deletions.js';
import { findById, removeSegment, setSegmentState } from '../store/segments.js';
import { wallEndIn } from '../store/segments-shown.js';
import { closeTask, openTask } from '../store/tasks.js';
import { defaultPatienceMs, type RetentionContext, type RetentionRun, type RootProblem } from './context.js';
import { removeDerivedOf } from './derived.js';
import { fateIn, situationAt } from './plan.js';
import { lookAtRoot } from './trust.js';

export type BatchRun = RetentionRun & { readonly actor: Actor };

/** An intent and where its file is. The record itself holds no path; the segment's row does until the file is gone. */
export interface Pending extends Pick<
  DeletionRow,
  'id' | 'segmentId' | 'cameraId' | 'startUs' | 'inode' | 'sizeBytes'
> {
  readonly rootId: string;
  readonly path: string;
}

/** Thrown inside an act to leave it without a trace: no record, and so no event either. */
const nothingLeft = new GatewayError('internal', 'Nothing of the batch is left to delete.');

/**
 * Commits the intent for those segments of one camera that are still there, still due and under no hold: decided inside the
 * very transaction, which no other writer can enter, so that a hold is either seen here or comes after and is told that the
 * footage is going. A crash before the commit leaves nothing; after it, an intent that the next start finishes.
 */
export function intend(
  ctx: RetentionContext,
  run: BatchRun,
  cameraId: string,
  segments: readonly Segment[],
): { readonly pending: Pending[]; readonly held: number } {
  const { store } = ctx;
  const { db, clock } = store;
  let held = 0;
  try {
    const pending = store.act(run.actor, (note) => {
      held = 0;
      const nowUs = clock.nowUs();
      const camera = getCamera(db, cameraId);
      const situation = situationAt(ctx, nowUs);
      const begun: (Pending & DeletionIntent)[] = [];
      for (const { id } of segments) {
        const segment = findById(db, id);
        if (segment === null || segment.state === 'deleting' || segment.cameraId !== cameraId) continue;
        const { verdict, ruleId, dueUs } = fateIn(situation, segment, camera);
        if (verdict === 'held' && segment.state === 'indexed') held += 1;
        if (verdict !== 'delete') continue;
        const { startUs, sizeBytes, inode, rootId, path } = segment;
        // Whoever asks for its last moments later is told that they were deleted.
        const { coveredUntilUs: endUs } = wallEndIn(db, segment);
        const intent = { segmentId: id, cameraId, startUs, endUs, sizeBytes, inode, ruleId, dueUs, intendedUs: nowUs };
        begun.push({ ...intent, id: insertIntent(db, intent), rootId, path });
        setSegmentState(db, id, 'deleting');
      }
      if (begun.length === 0) throw nothingLeft;
      note('deletion.intended', `camera:${cameraId}`, {
        records: begun.map(({ id, segmentId, startUs, endUs, sizeBytes, ruleId, dueUs }) => ({
          deletion: id,
          segment: segmentId,
          startUs,
          endUs,
          sizeBytes,
          rule: ruleId,
          dueUs,
        })),
      });
      run.onStep?.('intent-written');
      return begun;
    });
    run.onStep?.('intent-committed');
    return { pending, held };
  } catch (error) {
    if (error === nothingLeft) return { pending: [], held };
    throw error;
  }
}

export interface BatchOutcome {
  /** How long the disk was kept busy with it. */
  readonly unlinkMs: number;
  readonly deleted: number;
  readonly absent: number;
  readonly derivedRemoved: number;
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
  readonly problems: readonly RootProblem[];
}

/** Map.groupBy, which Node 20 does not have. */
function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

type Outcome = UnlinkOutcome | GatewayError;

/** What is kept of an error: its errno or our code, never a path. */
const codeOf = (error: GatewayError): string => {
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return typeof cause?.code === 'string' && /^E[A-Z0-9]+$/.test(cause.code) ? cause.code : error.code;
};

/**
 * Deletes what is intended. Order, and what a crash after each step leaves: derived files (rows without files, removed again)
 * -> their rows -> the files themselves, native, with a sync of each folder (rows in "deleting" whose files are gone: finished
 * as "already-absent", because who removed them can then not be known) -> records and rows in one transaction.
 *
 * The modification time of a file is not compared: touching a file must not keep it beyond its limit.
 */
export async function carryOut(ctx: RetentionContext, run: BatchRun, batch: readonly Pending[]): Promise<BatchOutcome> {
  const { db } = ctx.store;
  const outcomes = new Map<Pending, Outcome>();
  const problems: RootProblem[] = [];
  const byRoot = groupBy(batch, (one) => one.rootId);
  const paths = new Map<string, string>();
  for (const rootId of byRoot.keys()) {
    const { path, problem } = lookAtRoot(db, rootId, ctx.rootPath(rootId));
    if (problem === null) paths.set(rootId, path);
    else problems.push({ rootId, detail: problem });
  }
  // Intents in a root that is in doubt stay as they are: that it is not there is no failure of theirs.
  const trusted = batch.filter((one) => paths.has(one.rootId));
  const { removed, failures } = await removeDerivedOf(
    ctx,
    run,
    trusted.map((one) => one.segmentId),
  );
  const began = performance.now();
  const yields = !batch.some((one) => isUrgent(ctx, one));
  for (const [rootId, path] of paths) {
    const files: Pending[] = [];
    for (const one of byRoot.get(rootId) ?? []) {
      const failure = failures.get(one.segmentId);
      if (failure === undefined) files.push(one);
      else outcomes.set(one, failure);
    }
    if (files.length === 0) continue;
    const results = await unlink(ctx, path, files, yields);
    files.forEach((one, index) => {
      outcomes.set(one, results[index] ?? new GatewayError('internal', 'The native addon gave no result for a file.'));
    });
  }
  const unlinkMs = performance.now() - began;
  run.onStep?.('files-unlinked');
  const failed = outcomes.size === 0 ? [] : finish(ctx, run, outcomes);
  const count = (what: UnlinkOutcome): number => [...outcomes.values()].filter((outcome) => outcome === what).length;
  return { deleted: count('unlinked'), absent: count('absent'), derivedRemoved: removed, failed, problems, unlinkMs };
}

/** So near to its legal limit that nothing else goes before it: half of the margin is used up. */
export function isUrgent(
  { store, marginUs }: RetentionContext,
  one: { readonly cameraId: string; readonly startUs: number },
): boolean {
  const camera = findCamera(store.db, one.cameraId);
  return camera === null || store.clock.nowUs() >= legalLimitUs(camera, one.startUs) - marginUs / 2;
}

async function unlink(
  ctx: RetentionContext,
  rootPath: string,
  files: readonly Pending[],
  yields: boolean,
): Promise<Outcome[]> {
  try {
    return await withPatience(rootPath, ctx.patienceMs ?? defaultPatienceMs, () =>
      (ctx.unlink ?? unlinkManyBeneath)(
        rootPath,
        files.map((one) => ({
          relativePath: one.path,
          expected: { inode: BigInt(one.inode), sizeBytes: BigInt(one.sizeBytes) },
        })),
        { yields },
      ),
    );
  } catch (error) {
    // Some may be gone and some not: none is reported as done, and the next sweep asks the disk.
    const failure = toGatewayError(error, 'deleting');
    return files.map(() => failure);
  }
}

/** Second phase, one transaction: what is gone loses its row and gets its record, the rest is noted for the next sweep. */
function finish(
  ctx: RetentionContext,
  run: BatchRun,
  outcomes: ReadonlyMap<Pending, Outcome>,
): { path: string; reason: string }[] {
  const { store, log } = ctx;
  const { db } = store;
  const failed: { path: string; reason: string }[] = [];
  store.act(run.actor, (note) => {
    failed.length = 0;
    const nowUs = store.clock.nowUs();
    for (const [cameraId, entries] of groupBy([...outcomes], ([one]) => one.cameraId)) {
      const done: { deletion: number; result: string }[] = [];
      const refused: { deletion: number; result: string }[] = [];
      const errors: { deletion: number; code: string }[] = [];
      for (const [one, outcome] of entries) {
        if (outcome === 'unlinked' || outcome === 'absent') {
          const result = outcome === 'unlinked' ? 'unlinked' : 'already-absent';
          finishIntent(db, one.id, { state: 'done', result, doneUs: nowUs });
          removeSegment(db, one.segmentId);
          closeTask(db, 'segment-changed', `segment:${one.segmentId}`, nowUs);
          done.push({ deletion: one.id, result });
          continue;
        }
        failed.push({ path: one.path, reason: outcome.message });
        // By its number: logs are kept for longer than footage, and words of an error name files.
        log.error(
          { segment: one.segmentId, camera: cameraId, code: codeOf(outcome) },
          'a segment could not be deleted',
        );
        if (outcome.code === 'segment-changed') {
          const result = 'not-the-indexed-file';
          finishIntent(db, one.id, { state: 'refused', result, doneUs: nowUs });
          setSegmentState(db, one.segmentId, 'indexed');
          openTask(db, {
            kind: 'segment-changed',
            subject: `segment:${one.segmentId}`,
            detail: `${one.path} of camera "${cameraId}" is due, but it is not the file that was indexed, so it was not touched. ${outcome.message}. Scan again, or look at what was put there.`,
            createdUs: nowUs,
          });
          refused.push({ deletion: one.id, result });
        } else {
          const code = codeOf(outcome);
          noteFailure(db, one.id, code);
          const camera = findCamera(db, cameraId);
          const limit = camera === null ? '' : ` Its legal limit is ${formatUtc(legalLimitUs(camera, one.startUs))}.`;
          openTask(db, {
            kind: 'deletion-failing',
            subject: `camera:${cameraId}`,
            detail: `Footage of camera "${cameraId}" is due and cannot be deleted (${code}), segment ${one.segmentId} for one.${limit} It is tried again with every sweep; see to it that the gateway may delete there. "tredive retain" shows the path.`,
            createdUs: nowUs,
          });
          errors.push({ deletion: one.id, code });
        }
      }
      const subject = `camera:${cameraId}`;
      if (done.length > 0) note('deletion.done', subject, { records: done });
      if (refused.length > 0) note('deletion.refused', subject, { records: refused });
      if (errors.length > 0) note('deletion.failed', subject, { records: errors });
    }
    run.onStep?.('end-written');
  });
  run.onStep?.('end-committed');
  return failed;
}
