/** Tables `hold`, `hold_camera`, `hold_step` and `enabled_ground`. */
import type { Json } from '../domain/canonical-json.js';
import {
  assertHold,
  type EnabledGround,
  type Hold,
  type HoldGround,
  type HoldOutcome,
  type NewHold,
  type PlacedAs,
} from '../domain/hold.js';
import type { HoldFacts } from '../domain/hold-facts.js';
import type { TimeRange } from '../domain/segment.js';
import type { Database } from './database.js';

interface Raw {
  id: string;
  ground: HoldGround;
  facts: string | null;
  reference: string;
  reason: string;
  wideReason: string | null;
  requestId: string | null;
  startUs: number;
  endUs: number;
  placedAs: PlacedAs;
  placedBy: string;
  placedUs: number;
  reviewUs: number;
  reviewSetUs: number;
  wantedReviewUs: number | null;
  approveByUs: number | null;
  approvedUs: number | null;
  approvedBy: string | null;
  notifyByUs: number | null;
  notifiedUs: number | null;
  announcedUs: number | null;
  remindedUs: number | null;
  liftedUs: number | null;
  outcome: HoldOutcome | null;
  orderly: number;
  cameraIds: string;
}

const select = `SELECT hold.id, ground, facts, reference, reason, wide_reason AS wideReason, request_id AS requestId,
  start_us AS startUs, end_us AS endUs, placed_as AS placedAs, placed_by AS placedBy, placed_us AS placedUs,
  review_us AS reviewUs, review_set_us AS reviewSetUs, wanted_review_us AS wantedReviewUs, approve_by_us AS approveByUs,
  approved_us AS approvedUs, approved_by AS approvedBy, notify_by_us AS notifyByUs, notified_us AS notifiedUs,
  announced_us AS announcedUs, reminded_us AS remindedUs, lifted_us AS liftedUs, outcome, orderly,
  (SELECT json_group_array(camera_id) FROM (SELECT camera_id FROM hold_camera WHERE hold_id = hold.id ORDER BY camera_id)) AS cameraIds
  FROM hold`;

/** In force: what `holdIsActive` of the domain says. A freeze ends by no date. */
const inForce = `lifted_us IS NULL AND (review_us > @nowUs OR ground IN ('access-request', 'complaint'))`;

const fromRaw = ({ facts, cameraIds, orderly, ...raw }: Raw): Hold => ({
  ...raw,
  facts: facts === null ? null : (JSON.parse(facts) as HoldFacts),
  orderly: orderly === 1,
  cameraIds: JSON.parse(cameraIds) as string[],
});

export function insertHold(db: Database, hold: NewHold): void {
  assertHold(hold);
  db.prepare(
    `INSERT INTO hold (id, ground, facts, reference, reason, wide_reason, request_id, start_us, end_us, placed_as, placed_by,
       placed_us, review_us, review_set_us, wanted_review_us, approve_by_us, approved_us, approved_by, notify_by_us, orderly)
     VALUES (@id, @ground, @facts, @reference, @reason, @wideReason, @requestId, @startUs, @endUs, @placedAs, @placedBy,
       @placedUs, @reviewUs, @reviewSetUs, @wantedReviewUs, @approveByUs, @approvedUs, @approvedBy, @notifyByUs, 0)`,
  ).run({
    id: hold.id,
    ground: hold.ground,
    facts: (hold.facts ?? null) === null ? null : JSON.stringify(hold.facts),
    reference: hold.reference,
    reason: hold.reason,
    wideReason: hold.wideReason ?? null,
    requestId: hold.requestId,
    startUs: hold.startUs,
    endUs: hold.endUs,
    placedAs: hold.placedAs,
    placedBy: hold.placedBy,
    placedUs: hold.placedUs,
    reviewUs: hold.reviewUs,
    reviewSetUs: hold.reviewSetUs ?? hold.placedUs,
    wantedReviewUs: hold.wantedReviewUs ?? null,
    approveByUs: hold.approveByUs ?? null,
    approvedUs: hold.approvedUs ?? null,
    approvedBy: hold.approvedBy ?? null,
    notifyByUs: hold.notifyByUs ?? null,
  });
  const link = db.prepare('INSERT INTO hold_camera (hold_id, camera_id) VALUES (?, ?)');
  for (const cameraId of new Set(hold.cameraIds)) link.run(hold.id, cameraId);
}

export const listHolds = (db: Database): Hold[] =>
  (db.prepare(`${select} ORDER BY placed_us, hold.id`).all() as Raw[]).map(fromRaw);

export function findHold(db: Database, id: string): Hold | null {
  const raw = db.prepare(`${select} WHERE hold.id = ?`).get(id) as Raw | undefined;
  return raw === undefined ? null : fromRaw(raw);
}

/** Holds that are in force now. */
export const activeHolds = (db: Database, nowUs: number): Hold[] =>
  (db.prepare(`${select} WHERE ${inForce} ORDER BY placed_us, hold.id`).all({ nowUs }) as Raw[]).map(fromRaw);

/** Holds that nobody has ended yet, those that have run out among them. */
export const openHolds = (db: Database): Hold[] =>
  (db.prepare(`${select} WHERE lifted_us IS NULL ORDER BY placed_us, hold.id`).all() as Raw[]).map(fromRaw);

/** Holds that are over at `nowUs` and were not yet at `sinceUs`. */
export const holdsEndedBetween = (db: Database, sinceUs: number, nowUs: number): Hold[] =>
  (
    db
      .prepare(
        `${select} WHERE coalesce(lifted_us, iif(ground IN ('access-request', 'complaint'), NULL, review_us)) > @sinceUs
           AND NOT (${inForce}) ORDER BY placed_us, hold.id`,
      )
      .all({ sinceUs, nowUs }) as Raw[]
  ).map(fromRaw);

/** Ids of the holds in force that cover any part of a camera's range. */
export const holdsCovering = (db: Database, cameraId: string, range: TimeRange, nowUs: number): string[] =>
  db
    .prepare(
      `SELECT hold.id FROM hold JOIN hold_camera ON hold_camera.hold_id = hold.id
       WHERE camera_id = @cameraId AND start_us < @endUs AND end_us > @startUs AND ${inForce} ORDER BY hold.id`,
    )
    .pluck()
    .all({ cameraId, startUs: range.startUs, endUs: range.endUs, nowUs }) as string[];

/** Holds in force on a camera hold another one too from now on. Gives their ids. */
export const extendHolds = (db: Database, cameraId: string, alsoId: string, nowUs: number): string[] =>
  db
    .prepare(
      `INSERT INTO hold_camera (hold_id, camera_id) SELECT id, @alsoId FROM hold JOIN hold_camera ON hold_id = id
         WHERE camera_id = @cameraId AND ${inForce}
       ON CONFLICT DO NOTHING RETURNING hold_id`,
    )
    .pluck()
    .all({ cameraId, alsoId, nowUs }) as string[];

/** True where nobody had ended it until now. */
export function liftHold(
  db: Database,
  id: string,
  by: string,
  atUs: number,
  { outcome = 'lifted', orderly = false }: { readonly outcome?: HoldOutcome; readonly orderly?: boolean } = {},
): boolean {
  return (
    db
      .prepare(
        `UPDATE hold SET lifted_us = @atUs, lifted_by = @by, outcome = @outcome, orderly = @orderly
         WHERE id = @id AND lifted_us IS NULL`,
      )
      .run({ id, by, atUs, outcome, orderly: Number(orderly) }).changes > 0
  );
}

/** Another review date, set at `setUs`. What was said of the old one is forgotten: the new one is announced anew. */
export function setReview(db: Database, id: string, date: { readonly reviewUs: number; readonly setUs: number }): void {
  db.prepare(
    'UPDATE hold SET review_us = @reviewUs, review_set_us = @setUs, announced_us = NULL, reminded_us = NULL WHERE id = @id',
  ).run({ id, ...date });
}

/** Legal has approved: the date that was asked for counts from now on. */
export function setApproved(
  db: Database,
  id: string,
  { by, atUs, reviewUs }: { readonly by: string; readonly atUs: number; readonly reviewUs: number },
): void {
  // In this order: without an approval the database lets no date stand that is more than 14 days off.
  db.prepare('UPDATE hold SET approved_us = @atUs, approved_by = @by, wanted_review_us = NULL WHERE id = @id').run({
    id,
    by,
    atUs,
  });
  setReview(db, id, { reviewUs, setUs: atUs });
}

export function setReminded(db: Database, id: string, reminder: 'announce' | 'remind', atUs: number): void {
  db.prepare(
    `UPDATE hold SET announced_us = coalesce(announced_us, @atUs), reminded_us = iif(@last, @atUs, reminded_us) WHERE id = @id`,
  ).run({ id, atUs, last: Number(reminder === 'remind') });
}

export function setNotified(db: Database, id: string, toldUs: number): void {
  db.prepare('UPDATE hold SET notified_us = ? WHERE id = ?').run(toldUs, id);
}

export const holdOfRequest = (db: Database, requestId: string): Hold | null => {
  const raw = db.prepare(`${select} WHERE request_id = ?`).get(requestId) as Raw | undefined;
  return raw === undefined ? null : fromRaw(raw);
};

type HoldStepKind =
  'approved' | 'refused' | 'prolonged' | 'lifted' | 'expired' | 'notified' | 'copy-requested' | 'copy-handed';

export interface HoldStep {
  readonly holdId: string;
  readonly kind: HoldStepKind;
  readonly by: string;
  readonly atUs: number;
  /** The reason, the new date, or when, how and by which document. */
  readonly facts: { readonly [key: string]: Json };
}

export function insertHoldStep(db: Database, step: HoldStep): void {
  db.prepare(
    'INSERT INTO hold_step (hold_id, kind, by_whom, at_us, facts) VALUES (@holdId, @kind, @by, @atUs, @facts)',
  ).run({ ...step, facts: JSON.stringify(step.facts) });
}

/** Of every hold, in the order of the acts. */
export const listHoldSteps = (db: Database): HoldStep[] =>
  (
    db
      .prepare('SELECT hold_id AS holdId, kind, by_whom AS "by", at_us AS atUs, facts FROM hold_step ORDER BY id')
      .all() as (Omit<HoldStep, 'facts'> & { facts: string })[]
  ).map(({ facts, ...step }) => ({ ...step, facts: JSON.parse(facts) as HoldStep['facts'] }));

export interface EnabledGroundRow {
  readonly ground: EnabledGround;
  readonly reason: string;
  readonly by: string;
  readonly atUs: number;
}

/** What legal has allowed for municipal cameras. */
export const listEnabledGrounds = (db: Database): EnabledGroundRow[] =>
  db
    .prepare('SELECT ground, reason, enabled_by AS "by", enabled_us AS atUs FROM enabled_ground ORDER BY ground')
    .all() as EnabledGroundRow[];

/** False where it was enabled before. */
export const enableGround = (db: Database, row: EnabledGroundRow): boolean =>
  db
    .prepare(
      `INSERT INTO enabled_ground (class, ground, reason, enabled_by, enabled_us)
       VALUES ('municipal', @ground, @reason, @by, @atUs) ON CONFLICT DO NOTHING`,
    )
    .run(row).changes > 0;

/** False where it was not enabled. */
export const disableGround = (db: Database, ground: EnabledGround): boolean =>
  db.prepare('DELETE FROM enabled_ground WHERE ground = ?').run(ground).changes > 0;
