/** Table `quarantine`: files in a root that are no segments. The gateway never touches them; it says that they are there. */
import type { Database } from './database.js';
import { prepared } from './prepared.js';

export interface QuarantineRow {
  readonly rootId: string;
  readonly path: string;
  readonly reason: string;
  readonly detail: string;
  readonly cameraId: string | null;
  readonly boundUs: number;
  readonly sizeBytes: number;
  readonly inode: string;
  readonly mtimeUs: number;
  readonly firstSeenUs: number;
}

const columns = `root_id AS rootId, path, reason, detail, camera_id AS cameraId, bound_us AS boundUs,
  size_bytes AS sizeBytes, inode, mtime_us AS mtimeUs, first_seen_us AS firstSeenUs`;

/** Adds or renews an entry; when it was first seen, and the bound of its age, never become later. */
export function putQuarantine(db: Database, row: QuarantineRow): void {
  db.prepare(
    `INSERT INTO quarantine (root_id, path, reason, detail, camera_id, bound_us, size_bytes, inode, mtime_us, first_seen_us)
     VALUES (@rootId, @path, @reason, @detail, @cameraId, @boundUs, @sizeBytes, @inode, @mtimeUs, @firstSeenUs)
     ON CONFLICT (root_id, path) DO UPDATE SET reason = excluded.reason, detail = excluded.detail,
       camera_id = excluded.camera_id, bound_us = min(bound_us, excluded.bound_us), size_bytes = excluded.size_bytes,
       inode = excluded.inode, mtime_us = excluded.mtime_us`,
  ).run(row);
}

export function removeQuarantine(db: Database, rootId: string, path: string): boolean {
  return prepared(db, 'DELETE FROM quarantine WHERE root_id = ? AND path = ?').run(rootId, path).changes > 0;
}

export const findQuarantine = (db: Database, rootId: string, path: string): QuarantineRow | null =>
  (prepared(db, `SELECT ${columns} FROM quarantine WHERE root_id = ? AND path = ?`).get(rootId, path) as
    QuarantineRow | undefined) ?? null;

export const hasQuarantine = (db: Database, rootId: string): boolean =>
  prepared(db, 'SELECT 1 FROM quarantine WHERE root_id = ? LIMIT 1').get(rootId) !== undefined;

/** What is compared of a file in quarantine with the disk. */
export interface QuarantineStamp {
  readonly path: string;
  readonly reason: string;
  readonly stamp: string;
}

/** A page of a root's quarantine in the byte order of its paths, as `segmentStamps`; without names that are no UTF-8. */
export const quarantineStamps = (db: Database, rootId: string, afterPath: string, limit: number): QuarantineStamp[] =>
  prepared(
    db,
    `SELECT path, reason, inode || ' ' || size_bytes || ' ' || mtime_us AS stamp FROM quarantine
     WHERE root_id = ? AND path > ? AND reason <> 'name-not-utf8' ORDER BY path LIMIT ? + 0`,
  ).all(rootId, afterPath, limit) as QuarantineStamp[];

/** The others: they have no place in that order. */
export const unnameableStamps = (db: Database, rootId: string): { readonly path: string; readonly stamp: string }[] =>
  prepared(
    db,
    `SELECT path, inode || ' ' || size_bytes || ' ' || mtime_us AS stamp FROM quarantine
     WHERE root_id = ? AND reason = 'name-not-utf8'`,
  ).all(rootId) as { path: string; stamp: string }[];

export const listQuarantine = (db: Database, rootId?: string): QuarantineRow[] =>
  rootId === undefined
    ? (db.prepare(`SELECT ${columns} FROM quarantine ORDER BY root_id, path`).all() as QuarantineRow[])
    : (db.prepare(`SELECT ${columns} FROM quarantine WHERE root_id = ? ORDER BY path`).all(rootId) as QuarantineRow[]);

/** How many files there are of each camera that a name tells. */
export const quarantinedByCamera = (db: Database): Map<string, number> =>
  new Map(
    prepared(db, 'SELECT camera_id, count(*) FROM quarantine WHERE camera_id IS NOT NULL GROUP BY camera_id')
      .raw()
      .all() as [string, number][],
  );

/**
 * Files in quarantine, by root, whose content may be as old as footage may become: `bound_us` plus the camera's period (30 days
 * where nobody knows whose it is) less the margin has passed. The gateway does not touch them, so a person has to.
 */
export const overdueQuarantine = (db: Database, nowUs: number, marginUs: number): { rootId: string; files: number }[] =>
  db
    .prepare(
      `SELECT root_id AS rootId, count(*) AS files FROM quarantine LEFT JOIN camera ON camera.id = camera_id
       WHERE bound_us + coalesce(retention_days, 30) * 86400000000 - ? <= ? GROUP BY root_id ORDER BY root_id`,
    )
    .all(marginUs, nowUs) as { rootId: string; files: number }[];
