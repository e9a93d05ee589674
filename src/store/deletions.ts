/** Table `deletion`: intents, and the records that they become. */
import type { Database } from './database.js';
import { prepared } from './prepared.js';

export interface DeletionIntent {
  readonly segmentId: number;
  readonly cameraId: string;
  readonly startUs: number;
  readonly endUs: number;
  readonly sizeBytes: number;
  readonly inode: string;
  readonly ruleId: string;
  readonly dueUs: number;
  readonly intendedUs: number;
}

export interface DeletionRow extends DeletionIntent {
  readonly id: number;
  readonly state: 'intended' | 'done' | 'refused';
  readonly doneUs: number | null;
  readonly result: 'unlinked' | 'already-absent' | 'not-the-indexed-file' | 'held' | null;
  readonly attempts: number;
  readonly lastError: string | null;
}

const columns = `id, segment_id AS segmentId, camera_id AS cameraId, start_us AS startUs, end_us AS endUs,
  size_bytes AS sizeBytes, inode, rule_id AS ruleId, due_us AS dueUs, intended_us AS intendedUs, state,
  done_us AS doneUs, result, attempts, last_error AS lastError`;

export function insertIntent(db: Database, intent: DeletionIntent): number {
  return Number(
    prepared(
      db,
      `INSERT INTO deletion (segment_id, camera_id, start_us, end_us, size_bytes, inode, rule_id, due_us, intended_us, state)
       VALUES (@segmentId, @cameraId, @startUs, @endUs, @sizeBytes, @inode, @ruleId, @dueUs, @intendedUs, 'intended')`,
    ).run(intent).lastInsertRowid,
  );
}

/** Intents not yet done: begun now, or left by a crash or a failure. Oldest footage first. */
export const openIntents = (db: Database): DeletionRow[] =>
  db.prepare(`SELECT ${columns} FROM deletion WHERE state = 'intended' ORDER BY start_us, id`).all() as DeletionRow[];

/** Like openIntents, in pages by id, so that a disk that refuses everything for days does not fill the memory. */
export const openIntentsAfter = (db: Database, afterId: number, limit: number): DeletionRow[] =>
  prepared(
    db,
    `SELECT ${columns} FROM deletion INDEXED BY deletion_open WHERE state = 'intended' AND id > ? ORDER BY id LIMIT ? + 0`,
  ).all(afterId, limit) as DeletionRow[];

/** True where an earlier deletion was refused for the very file that the index still names. */
export const wasRefused = (db: Database, segment: { id: number; inode: string; sizeBytes: number }): boolean =>
  prepared(
    db,
    `SELECT 1 FROM deletion INDEXED BY deletion_refused WHERE segment_id = @id AND inode = @inode
       AND size_bytes = @sizeBytes AND result = 'not-the-indexed-file' LIMIT 1`,
  ).get({ id: segment.id, inode: segment.inode, sizeBytes: segment.sizeBytes }) !== undefined;

export interface FailingCamera {
  readonly cameraId: string;
  readonly segments: number;
  readonly oldestUs: number;
  /** Of the oldest, why the last attempt failed. */
  readonly error: string | null;
}

/** Cameras with a deletion that was tried and failed and is still to be done, with the oldest such footage. */
export const failingCameras = (db: Database): FailingCamera[] =>
  db
    .prepare(
      // A column beside min() is that of the row with the minimum.
      `SELECT camera_id AS cameraId, count(*) AS segments, min(start_us) AS oldestUs, last_error AS error FROM deletion
       WHERE state = 'intended' AND attempts > 0 GROUP BY camera_id ORDER BY camera_id`,
    )
    .all() as FailingCamera[];

/** Records have a limit of their own. Gives how many went. */
export const expireRecords = (db: Database, beforeUs: number): number =>
  db.prepare(`DELETE FROM deletion WHERE state <> 'intended' AND done_us < ?`).run(beforeUs).changes;

export function finishIntent(
  db: Database,
  id: number,
  end: { state: 'done' | 'refused'; result: NonNullable<DeletionRow['result']>; doneUs: number },
): void {
  prepared(
    db,
    'UPDATE deletion SET state = @state, result = @result, done_us = @doneUs, last_error = NULL WHERE id = @id',
  ).run({
    id,
    ...end,
  });
}

export function noteFailure(db: Database, id: number, error: string): void {
  prepared(db, 'UPDATE deletion SET attempts = attempts + 1, last_error = ? WHERE id = ?').run(error, id);
}

export const listDeletions = (db: Database, limit = 1000): DeletionRow[] =>
  db.prepare(`SELECT ${columns} FROM deletion ORDER BY id DESC LIMIT ? + 0`).all(limit) as DeletionRow[];

/** Deletions of these cameras in a range: what a request or hold that comes too late has to be told. */
export const deletionsIn = (
  db: Database,
  cameraIds: readonly string[],
  range: { readonly startUs: number; readonly endUs: number },
): DeletionRow[] => {
  const query = db.prepare(
    `SELECT ${columns} FROM deletion WHERE camera_id = ? AND start_us < ? AND end_us > ? AND state <> 'refused' ORDER BY start_us`,
  );
  return cameraIds.flatMap((id) => query.all(id, range.endUs, range.startUs) as DeletionRow[]);
};

/** What is measured of a deletion. */
export type DeletionFacts = Pick<
  DeletionRow,
  'cameraId' | 'startUs' | 'endUs' | 'dueUs' | 'doneUs' | 'state' | 'result'
>;

/**
 * Deletions that were done at `fromUs` or later, and those that are still open, of the ids after `afterId` up to `throughId`. By
 * ranges of ids, so that the records of five years are read in slices that nobody waits for.
 */
export const deletionsSince = (
  db: Database,
  ids: { readonly afterId: number; readonly throughId: number },
  fromUs: number,
): DeletionFacts[] =>
  db
    .prepare(
      `SELECT camera_id AS cameraId, start_us AS startUs, end_us AS endUs, due_us AS dueUs, done_us AS doneUs, state, result
       FROM deletion WHERE id > ? AND id <= ? AND (state = 'intended' OR done_us >= ?) ORDER BY id`,
    )
    .all(ids.afterId, ids.throughId, fromUs) as DeletionFacts[];

export const lastDeletionId = (db: Database): number =>
  (db.prepare('SELECT max(id) FROM deletion').pluck().get() as number | null) ?? 0;

export const findDeletion = (db: Database, id: number): DeletionRow | null =>
  (prepared(db, `SELECT ${columns} FROM deletion WHERE id = ?`).get(id) as DeletionRow | undefined) ?? null;

/** Whether this very deletion is recorded, under whatever id. */
export const hasRecord = (
  db: Database,
  one: { readonly cameraId: string; readonly startUs: number; readonly inode: string; readonly doneUs: number },
): boolean =>
  prepared(
    db,
    `SELECT 1 FROM deletion INDEXED BY deletion_by_camera
     WHERE camera_id = @cameraId AND start_us = @startUs AND inode = @inode AND done_us = @doneUs LIMIT 1`,
  ).get(one) !== undefined;
