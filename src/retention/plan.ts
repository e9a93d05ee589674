/** What is due: the pure rules give each camera's cutoff, SQL the candidates, and the rules again the fate of each one. */
import type { CameraPolicy } from '../domain/camera.js';
import type { Hold } from '../domain/hold.js';
import { assertMargin, fateOf, legalLimitUs, limitFor, type SegmentFate } from '../domain/retention.js';
import type { Segment } from '../domain/segment.js';
import { listCameras } from '../store/cameras.js';
import type { Database } from '../store/database.js';
import { openIntentsAfter } from '../store/deletions.js';
import { activeHolds } from '../store/holds.js';
import { overdueQuarantine } from '../store/quarantine.js';
import { dueTotals, findById, segmentsDue, type SegmentCursor } from '../store/segments.js';
import { maxListed, type DueSegment, type RetentionContext, type RetentionPlan, type RootProblem } from './context.js';
import { lookAtRoot, refusalReason } from './trust.js';

const pageSize = 500;

/** What is the same for every segment of a plan. */
export interface Situation {
  readonly nowUs: number;
  readonly marginUs: number;
  readonly holds: readonly Hold[];
}

export const situationAt = ({ store, marginUs }: RetentionContext, nowUs: number): Situation => ({
  nowUs,
  marginUs,
  holds: activeHolds(store.db, nowUs),
});

export const fateIn = (situation: Situation, segment: Segment, policy: CameraPolicy): SegmentFate =>
  fateOf(segment, policy, situation.holds, situation.nowUs, situation.marginUs);

export const cutoffOf = (
  policy: CameraPolicy,
  nowUs: number,
  marginUs: number,
): { ruleId: string; cutoffUs: number } => {
  const { ruleId, maxAgeUs } = limitFor(policy, marginUs);
  return { ruleId, cutoffUs: nowUs - maxAgeUs };
};

/** Indexed segments of a camera that may be due, oldest first. A missing row ends by the same rule, but there is no footage to plan for. */
function* dueOf(db: Database, cameraId: string, cutoffUs: number): Generator<Segment> {
  for (let after: SegmentCursor | null = null; ;) {
    const page: Segment[] = segmentsDue(db, cameraId, cutoffUs, after, pageSize);
    for (const segment of page) if (segment.state === 'indexed') yield segment;
    if (page.length < pageSize) return;
    after = page.at(-1) ?? null;
  }
}

/**
 * Plans a sweep at `nowUs`, which may be any instant; the clock and the roots are judged as they are now. Changes nothing, and
 * holds a page of the index in memory, not all of it. Throws `config-invalid` for a margin that is none.
 *
 * The register is what counts: a camera that was taken out of the configuration is in it and is purged like any other.
 */
export function planDeletions(ctx: RetentionContext, nowUs: number): RetentionPlan {
  assertMargin(ctx.marginUs);
  const { db, clock } = ctx.store;
  const situation = situationAt(ctx, nowUs);
  const total = { due: 0, dueBytes: 0, held: 0, late: 0 };
  const segments: DueSegment[] = [];
  const dueByRoot = new Map<string, number>();
  const cutoffs: { cameraId: string; ruleId: string; cutoffUs: number }[] = [];
  const count = (rootId: string, due: number, sizeBytes: number, late: number): void => {
    total.due += due;
    total.dueBytes += sizeBytes;
    total.late += late;
    dueByRoot.set(rootId, (dueByRoot.get(rootId) ?? 0) + due);
  };
  const list = (segment: Segment, dueUs: number, ruleId: string, late: boolean): void => {
    if (segments.length >= maxListed) return;
    const { id: segmentId, rootId, path, cameraId, startUs, endUs, sizeBytes } = segment;
    segments.push({ segmentId, rootId, path, cameraId, startUs, endUs, sizeBytes, dueUs, ruleId, late });
  };

  const policies = new Map<string, CameraPolicy>();
  for (const camera of listCameras(db)) {
    const { cameraId } = camera;
    policies.set(cameraId, camera);
    const cutoff = cutoffOf(camera, nowUs, ctx.marginUs);
    cutoffs.push({ cameraId, ...cutoff });
    if (situation.holds.some((hold) => hold.cameraIds.includes(cameraId))) {
      for (const segment of dueOf(db, cameraId, cutoff.cutoffUs)) {
        const fate = fateIn(situation, segment, camera);
        if (fate.verdict === 'held') total.held += 1;
        if (fate.verdict !== 'delete') continue;
        count(segment.rootId, 1, segment.sizeBytes, fate.late ? 1 : 0);
        list(segment, fate.dueUs, fate.ruleId, fate.late);
      }
      continue;
    }
    // Without a hold the rules ask for nothing but the start: SQLite counts by the limits that they give, and the rules are asked
    // for those that are listed.
    for (const due of dueTotals(db, cameraId, cutoff.cutoffUs, nowUs - legalLimitUs(camera, 0))) {
      count(due.rootId, due.segments, due.sizeBytes, due.late);
    }
    if (segments.length === maxListed) continue;
    for (const segment of dueOf(db, cameraId, cutoff.cutoffUs)) {
      const { dueUs, ruleId, late } = fateIn(situation, segment, camera);
      list(segment, dueUs, ruleId, late);
      if (segments.length === maxListed) break;
    }
  }
  // Begun and not finished: still on disk, and due whatever the plan is for.
  let afterId = 0;
  for (;;) {
    const page = openIntentsAfter(db, afterId, pageSize);
    for (const intent of page) {
      const segment = findById(db, intent.segmentId);
      const policy = policies.get(intent.cameraId);
      if (segment === null || policy === undefined) continue;
      const late = nowUs >= legalLimitUs(policy, intent.startUs);
      count(segment.rootId, 1, segment.sizeBytes, late ? 1 : 0);
      list(segment, intent.dueUs, intent.ruleId, late);
    }
    if (page.length < pageSize) break;
    afterId = page.at(-1)?.id ?? afterId;
  }

  const problems: RootProblem[] = [];
  let within = 0;
  for (const [rootId, due] of [...dueByRoot].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { problem } = lookAtRoot(db, rootId, ctx.rootPath(rootId));
    if (problem === null) continue;
    within += due;
    problems.push({ rootId, detail: problem });
  }
  const refused =
    refusalReason(ctx, clock.nowUs()) ??
    (total.due > 0 && within === total.due ? problems.map(({ detail }) => detail).join('; ') : null);
  return {
    atUs: nowUs,
    ...total,
    refused,
    problems,
    quarantineOverdue: overdueQuarantine(db, nowUs, ctx.marginUs),
    cutoffs,
    segments,
    notListed: total.due - segments.length,
  };
}
