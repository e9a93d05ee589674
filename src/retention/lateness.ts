/** How punctual deletion is: measured on the record of each segment, against when it was due and against the law's own limit. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CameraPolicy } from '../domain/camera.js';
import { holdEndUs, type Hold } from '../domain/hold.js';
import { legalLimitUs } from '../domain/retention.js';
import { overlaps } from '../domain/segment.js';
import { listCameras } from '../store/cameras.js';
import type { Database } from '../store/database.js';
import { deletionsSince, lastDeletionId, type DeletionFacts } from '../store/deletions.js';
import { listHolds } from '../store/holds.js';

export interface Lateness {
  /** Segments that the gateway deleted, and those that were gone when their turn came. */
  readonly unlinked: number;
  readonly absent: number;
  /** Of both, how much footage that was. */
  readonly footageUs: number;
  /** Done after due, or after the end of the hold that kept it; null without any. Negative is impossible by construction. */
  readonly medianUs: number | null;
  readonly worstUs: number | null;
  /** Gone only after the legal limit, or more than the margin after the end of the hold that went beyond it. */
  readonly misses: number;
  readonly worstMissUs: number | null;
}

const idsInASlice = 20_000;

/** Every deletion done in or after `fromUs`, and every open one, in slices between which others get their turn. */
export async function* eachDeletionSince(db: Database, fromUs: number): AsyncGenerator<readonly DeletionFacts[]> {
  const lastId = lastDeletionId(db);
  for (let afterId = 0; afterId < lastId; afterId += idsInASlice) {
    yield deletionsSince(db, { afterId, throughId: Math.min(lastId, afterId + idsInASlice) }, fromUs);
    await nextTurn();
  }
}

/**
 * Until when a range of a camera might be kept at the most: the law's limit, or the end of a hold that was placed before it, and
 * so on from hold to hold.
 */
export function allowedUntilUs(
  policy: CameraPolicy,
  range: { readonly startUs: number; readonly endUs: number },
  holds: readonly Hold[],
): { readonly legalUs: number; readonly untilUs: number } {
  const legalUs = legalLimitUs(policy, range.startUs);
  let untilUs = legalUs;
  for (const hold of holds) {
    if (!hold.cameraIds.includes(policy.cameraId) || !overlaps(hold, range)) continue;
    const endUs = holdEndUs(hold);
    if (hold.placedUs <= untilUs && endUs > untilUs) untilUs = endUs;
  }
  return { legalUs, untilUs };
}

interface Sums {
  unlinked: number;
  absent: number;
  footageUs: number;
  readonly late: number[];
  misses: number;
  worstMissUs: number | null;
}

/** Adds up deletions, one after the other. */
export interface LatenessMeter {
  add(deletion: DeletionFacts): void;
  /** By camera; cameras without a deletion have none. */
  results(): Map<string, Lateness>;
}

export function makeLatenessMeter(db: Database, marginUs: number): LatenessMeter {
  const policies = new Map(listCameras(db).map((camera) => [camera.cameraId, camera]));
  // By when they were placed: the next one of a chain comes after the one it prolongs.
  const holdsOf = new Map<string, Hold[]>();
  for (const hold of listHolds(db)) {
    for (const cameraId of hold.cameraIds) holdsOf.set(cameraId, [...(holdsOf.get(cameraId) ?? []), hold]);
  }
  const byCamera = new Map<string, Sums>();
  return {
    add(deletion) {
      const policy = policies.get(deletion.cameraId);
      const { doneUs } = deletion;
      if (policy === undefined || doneUs === null || deletion.state !== 'done') return;
      const sums = byCamera.get(deletion.cameraId) ?? {
        ...{ unlinked: 0, absent: 0, footageUs: 0, misses: 0 },
        ...{ late: [], worstMissUs: null },
      };
      byCamera.set(deletion.cameraId, sums);
      if (deletion.result === 'unlinked') sums.unlinked += 1;
      else sums.absent += 1;
      sums.footageUs += deletion.endUs - deletion.startUs;
      const { legalUs, untilUs } = allowedUntilUs(policy, deletion, holdsOf.get(deletion.cameraId) ?? []);
      const wasHeld = untilUs > legalUs;
      sums.late.push(Math.max(0, doneUs - (wasHeld ? untilUs : deletion.dueUs)));
      const overUs = doneUs - (wasHeld ? untilUs + marginUs : legalUs);
      if (overUs < 0) return;
      sums.misses += 1;
      sums.worstMissUs = Math.max(sums.worstMissUs ?? 0, overUs);
    },
    results: () =>
      new Map([...byCamera].map(([cameraId, { late, ...sums }]) => [cameraId, { ...sums, ...spread(late) }])),
  };
}

/** The lower one of the two in the middle: a value that was measured. */
function spread(late: number[]): { medianUs: number | null; worstUs: number | null } {
  late.sort((a, b) => a - b);
  return { medianUs: late[Math.floor((late.length - 1) / 2)] ?? null, worstUs: late.at(-1) ?? null };
}

/** Of every deletion done from `fromUs` on, by camera. */
export async function latenessSince(db: Database, fromUs: number, marginUs: number): Promise<Map<string, Lateness>> {
  const meter = makeLatenessMeter(db, marginUs);
  for await (const slice of eachDeletionSince(db, fromUs)) for (const deletion of slice) meter.add(deletion);
  return meter.results();
}
