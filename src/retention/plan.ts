/** What is due: the pure rules give each camera's cutoff, SQL the candidates, and the rules again the fate of each one. */
import type { DueFootage } from '../domain/brake.js';
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
import { wallEndIn } from '../store/segments-shown.js';
import { maxListed, type DueSegment, type RetentionContext, type RetentionPlan, type RootProblem } from './context.js';
import { brake, nothingBraked, shownUntil, type Braked, type DueTally } from './brake.js';
import { orderlyEnds, type OrderlyEnds } from './holds.js';
import { lookAtRoot, refusalReason } from './trust.js';

const pageSize = 500;

/** A plan for another instant than this far from now says nothing of the brake: sweeps before it would have their share. */
const nowToleranceUs = 60_000_000;

/** What is the same for every segment of a plan. */
export interface Situation {
  readonly nowUs: number;
  readonly marginUs: number;
  readonly holds: readonly Hold[];
  /** The latest instant that a frame of a segment can be from: a hold on that keeps it. */
  readonly latestEndUs: (segment: Segment) => number;
}

export const situationAt = ({ store, marginUs }: RetentionContext, nowUs: number): Situation => ({
  nowUs,
  marginUs,
  holds: activeHolds(store.db, nowUs),
  latestEndUs: (segment) => wallEndIn(store.db, segment).latestEndUs,
});

export function fateIn(situation: Situation, segment: Segment, policy: CameraPolicy): SegmentFate {
  const { nowUs, marginUs } = situation;
  const holds = situation.holds.filter((hold) => hold.cameraIds.includes(segment.cameraId));
  const shown = holds.length === 0 ? segment : { ...segment, endUs: situation.latestEndUs(segment) };
  return fateOf(shown, policy, holds, nowUs, marginUs);
}

export const cutoffOf = (
  policy: CameraPolicy,
  nowUs: number,
  marginUs: number,
): { ruleId: string; cutoffUs: number } => {
  const { ruleId, maxAgeUs } = limitFor(policy, marginUs);
  return { ruleId, cutoffUs: nowUs - maxAgeUs };
};

/** Sums up what is due of a camera, and what of that lies behind `shownUs`, up to where it was shown to somebody. */
function tallyOf(cameraId: string, shownUs: number | null): { readonly due: DueTally; add(more: DueFootage): void } {
  const beyond = { segments: 0, footageUs: 0 };
  const due = { cameraId, segments: 0, footageUs: 0, oldestUs: 0, newestUs: 0, beyond };
  return {
    due,
    /** Wholly before or wholly behind what was shown. */
    add(more) {
      due.oldestUs = due.segments === 0 ? more.oldestUs : Math.min(due.oldestUs, more.oldestUs);
      due.newestUs = due.segments === 0 ? more.newestUs : Math.max(due.newestUs, more.newestUs);
      for (const sum of shownUs === null || more.newestUs <= shownUs ? [due] : [due, beyond]) {
        sum.segments += more.segments;
        sum.footageUs += more.footageUs;
      }
    },
  };
}

/** What is due in a root as what was shown of it, and what lies behind. */
function splitAt(due: DueFootage, shown: DueFootage | null): DueFootage[] {
  if (shown === null || shown.segments === due.segments) return [due];
  const segments = due.segments - shown.segments;
  return [
    shown,
    { segments, footageUs: due.footageUs - shown.footageUs, oldestUs: shown.newestUs, newestUs: due.newestUs },
  ];
}

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
export const planDeletions = (ctx: RetentionContext, nowUs: number): RetentionPlan => planSweep(ctx, nowUs).plan;

/** As planDeletions, with what a sweep that carries it out may delete. `byHand`: see `RetentionRun`. */
export function planSweep(
  ctx: RetentionContext,
  nowUs: number,
  { byHand = false }: { readonly byHand?: boolean } = {},
): { readonly plan: RetentionPlan; readonly braked: Braked; readonly orderly: OrderlyEnds } {
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

  const rootProblems = new Map<string, string | null>();
  const problemOf = (rootId: string): string | null => {
    const known = rootProblems.get(rootId);
    if (known !== undefined) return known;
    const { problem } = lookAtRoot(db, rootId, ctx.rootPath(rootId));
    rootProblems.set(rootId, problem);
    return problem;
  };
  const orderly = orderlyEnds(db, nowUs);
  /** Segments that go without being weighed. */
  let freed = 0;
  const shown = shownUntil(db);
  const tallies: DueTally[] = [];
  const heldByCamera: { cameraId: string; segments: number; oldestUs: number }[] = [];
  const policies = new Map<string, CameraPolicy>();
  for (const camera of listCameras(db)) {
    const { cameraId } = camera;
    policies.set(cameraId, camera);
    const cutoff = cutoffOf(camera, nowUs, ctx.marginUs);
    cutoffs.push({ cameraId, ...cutoff });
    const shownUs = shown.get(cameraId) ?? null;
    const tally = tallyOf(cameraId, shownUs);
    const tallied = (): void => {
      if (tally.due.segments > 0) tallies.push(tally.due);
    };
    if (orderly.isAbout(cameraId) || situation.holds.some((hold) => hold.cameraIds.includes(cameraId))) {
      // Oldest first.
      let kept: { cameraId: string; segments: number; oldestUs: number } | null = null;
      for (const segment of dueOf(db, cameraId, cutoff.cutoffUs)) {
        const fate = fateIn(situation, segment, camera);
        if (fate.verdict === 'held') {
          kept ??= { cameraId, segments: 0, oldestUs: segment.startUs };
          kept.segments += 1;
        }
        if (fate.verdict !== 'delete') continue;
        count(segment.rootId, 1, segment.sizeBytes, fate.late ? 1 : 0);
        list(segment, fate.dueUs, fate.ruleId, fate.late);
        if (problemOf(segment.rootId) !== null) continue;
        // What only a hold has kept, whose end was announced, is no surprise: the brake is for those.
        if (orderly.frees(segment, fate.dueUs)) freed += 1;
        else {
          const { startUs, endUs } = segment;
          tally.add({ segments: 1, footageUs: endUs - startUs, oldestUs: startUs, newestUs: startUs });
        }
      }
      if (kept !== null) {
        heldByCamera.push(kept);
        total.held += kept.segments;
      }
      tallied();
      continue;
    }
    // Without a hold the rules ask for nothing but the start: SQLite counts by the limits that they give, and the rules are asked
    // for those that are listed.
    const lateUs = nowUs - legalLimitUs(camera, 0);
    const before = new Map(
      (shownUs === null ? [] : dueTotals(db, cameraId, Math.min(shownUs, cutoff.cutoffUs), lateUs)).map((due) => [
        due.rootId,
        due,
      ]),
    );
    for (const due of dueTotals(db, cameraId, cutoff.cutoffUs, lateUs)) {
      count(due.rootId, due.segments, due.sizeBytes, due.late);
      if (problemOf(due.rootId) !== null) continue;
      for (const part of splitAt(due, before.get(due.rootId) ?? null)) tally.add(part);
    }
    tallied();
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
    const problem = problemOf(rootId);
    if (problem === null) continue;
    within += due;
    problems.push({ rootId, detail: problem });
  }
  const isNow = Math.abs(nowUs - clock.nowUs()) <= nowToleranceUs;
  const weighed = isNow ? brake(ctx, nowUs, tallies, policies, byHand) : nothingBraked;
  const braked: Braked = { ...weighed, everything: weighed.everything && freed === 0 };
  const allWaits = braked.everything && braked.waiting !== null ? braked.waiting.detail : null;
  const refused =
    refusalReason(ctx, clock.nowUs()) ??
    allWaits ??
    (total.due > 0 && within === total.due ? problems.map(({ detail }) => detail).join('; ') : null);
  const plan: RetentionPlan = {
    atUs: nowUs,
    ...total,
    refused,
    problems,
    quarantineOverdue: overdueQuarantine(db, nowUs, ctx.marginUs),
    cutoffs,
    dueByCamera: tallies.map(({ cameraId, segments: due, footageUs, oldestUs, newestUs }) => ({
      cameraId,
      segments: due,
      footageUs,
      oldestUs,
      newestUs,
    })),
    heldByCamera,
    waiting: braked.waiting,
    segments,
    notListed: total.due - segments.length,
  };
  return { plan, braked, orderly };
}
