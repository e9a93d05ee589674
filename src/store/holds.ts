/** Tables `hold` and `hold_camera`. */
import { assertHold, type Hold, type HoldGround } from '../domain/hold.js';
import type { TimeRange } from '../domain/segment.js';
import type { Database } from './database.js';

interface Raw {
  id: string;
  ground: HoldGround;
  reference: string;
  reason: string;
  requestId: string | null;
  startUs: number;
  endUs: number;
  placedBy: string;
  placedUs: number;
  reviewUs: number;
  liftedUs: number | null;
  cameraIds: string;
}

const select = `SELECT hold.id, ground, reference, reason, request_id AS requestId, start_us AS startUs, end_us AS endUs,
  placed_by AS placedBy, placed_us AS placedUs, review_us AS reviewUs, lifted_us AS liftedUs,
  (SELECT json_group_array(camera_id) FROM (SELECT camera_id FROM hold_camera WHERE hold_id = hold.id ORDER BY camera_id)) AS cameraIds
  FROM hold`;

const fromRaw = (raw: Raw): Hold => ({ ...raw, cameraIds: JSON.parse(raw.cameraIds) as string[] });

export function insertHold(db: Database, hold: Omit<Hold, 'liftedUs'>): void {
  assertHold(hold);
  db.prepare(
    `INSERT INTO hold (id, ground, reference, reason, request_id, start_us, end_us, placed_by, placed_us, review_us)
     VALUES (@id, @ground, @reference, @reason, @requestId, @startUs, @endUs, @placedBy, @placedUs, @reviewUs)`,
  ).run({
    id: hold.id,
    ground: hold.ground,
    reference: hold.reference,
    reason: hold.reason,
    requestId: hold.requestId,
    startUs: hold.startUs,
    endUs: hold.endUs,
    placedBy: hold.placedBy,
    placedUs: hold.placedUs,
    reviewUs: hold.reviewUs,
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
  (
    db.prepare(`${select} WHERE lifted_us IS NULL AND review_us > ? ORDER BY placed_us, hold.id`).all(nowUs) as Raw[]
  ).map(fromRaw);

/** Ids of the holds in force that cover any part of a camera's range. */
export const holdsCovering = (db: Database, cameraId: string, range: TimeRange, nowUs: number): string[] =>
  db
    .prepare(
      `SELECT hold.id FROM hold JOIN hold_camera ON hold_camera.hold_id = hold.id
       WHERE camera_id = ? AND start_us < ? AND end_us > ? AND lifted_us IS NULL AND review_us > ? ORDER BY hold.id`,
    )
    .pluck()
    .all(cameraId, range.endUs, range.startUs, nowUs) as string[];

/** Holds in force on a camera hold another one too from now on. Gives their ids. */
export const extendHolds = (db: Database, cameraId: string, alsoId: string, nowUs: number): string[] =>
  db
    .prepare(
      `INSERT INTO hold_camera (hold_id, camera_id) SELECT id, @alsoId FROM hold JOIN hold_camera ON hold_id = id
         WHERE camera_id = @cameraId AND lifted_us IS NULL AND review_us > @nowUs
       ON CONFLICT DO NOTHING RETURNING hold_id`,
    )
    .pluck()
    .all({ cameraId, alsoId, nowUs }) as string[];

/** True where it was in force until now. */
export function liftHold(db: Database, id: string, by: string, atUs: number): boolean {
  return (
    db.prepare('UPDATE hold SET lifted_us = ?, lifted_by = ? WHERE id = ? AND lifted_us IS NULL').run(atUs, by, id)
      .changes > 0
  );
}

export const holdOfRequest = (db: Database, requestId: string): Hold | null => {
  const raw = db.prepare(`${select} WHERE request_id = ?`).get(requestId) as Raw | undefined;
  return raw === undefined ? null : fromRaw(raw);
};
