/** Table `segment`: the index. */
import type { Segment, TimeRange } from '../domain/segment.js';
import type { Database } from './database.js';
import { pageByPath } from './path-order.js';
import { prepared, preparedRaw } from './prepared.js';
import {
  allSegments,
  columns,
  folderIdOf,
  fromRaw,
  isIndexed,
  isVaulted,
  joinFolder,
  joinRest,
  kindIdOf,
  namesInFull,
  numberOf,
  selectFrom,
  splitPath,
  stampOf,
  storedInode,
  storedRate,
  type RawSegment,
} from './segment-rows.js';

type NewSegment = Omit<Segment, 'id' | 'state'>;

/**
 * Replaces what is known of a file that changed on disk or came back. Its oldest frame can only become older: what was once
 * known to hold a frame of some instant is not made younger by a rewrite.
 */
export function updateSegment(db: Database, id: number, segment: NewSegment): void {
  prepared(
    db,
    `UPDATE segment SET camera_number = ${numberOf('@cameraId')}, start_us = min(start_us, @startUs),
       end_us = max(@endUs, min(start_us, @startUs) + 1), kind_id = @kindId, time_disagreement_ms = @timeDisagreementMs,
       size_bytes = @sizeBytes, inode = @inode, mtime_us = @mtimeUs, frames_per_1000_s = @framesPer1000S,
       truncated = @truncated, missing_since_us = NULL
     WHERE id = @id`,
  ).run({
    id,
    cameraId: segment.cameraId,
    startUs: segment.startUs,
    endUs: segment.endUs,
    kindId: kindIdOf(db, segment),
    timeDisagreementMs: segment.timeDisagreementMs,
    sizeBytes: segment.sizeBytes,
    inode: storedInode(segment.inode),
    mtimeUs: segment.mtimeUs,
    framesPer1000S: storedRate(segment.frameRate),
    truncated: segment.truncated ? 1 : 0,
  });
}

export function findByPath(db: Database, rootId: string, path: string): Segment | null {
  const { folder, name } = splitPath(path);
  const raw = preparedRaw(
    db,
    `${selectFrom('segment_by_path')}
     WHERE s.folder_id = (SELECT id FROM folder WHERE root_id = ? AND path = ?) AND s.name = ?`,
  ).get(rootId, folder, name) as RawSegment | undefined;
  return raw === undefined ? null : fromRaw(raw);
}

export function findById(db: Database, id: number): Segment | null {
  const raw = preparedRaw(db, `${selectFrom()} WHERE s.id = ?`).get(id) as RawSegment | undefined;
  return raw === undefined ? null : fromRaw(raw);
}

/** Every segment of a root in the byte order of their paths, for reconciling with the disk. */
export function* segmentsOfRoot(db: Database, rootId: string): Generator<Segment> {
  const limit = 500;
  for (let after = ''; ;) {
    const page = pageByPath(db, rootId, after, limit, namesInFull, fromRaw);
    yield* page;
    if (page.length < limit) return;
    after = page.at(-1)?.path ?? after;
  }
}

/** What is compared of a row with the disk. `stamp` is `fileStamp` of the file where the row is indexed, else its state and that. */
export interface SegmentStamp {
  readonly path: string;
  readonly stamp: string;
  readonly id: number;
}

const stampsSql = `SELECT ? || s.name AS path, ${stampOf} AS stamp, s.id FROM segment s INDEXED BY segment_by_path
  WHERE s.folder_id = ? AND s.name > ? ORDER BY s.name LIMIT ? + 0`;

/**
 * A page of a root's segments in the byte order of their paths, behind `afterPath`. Pages, not an iterator: better-sqlite3 writes
 * nothing while an iterator is open. Few columns made by SQLite: this is asked for every file of the archive.
 */
export const segmentStamps = (db: Database, rootId: string, afterPath: string, limit: number): SegmentStamp[] =>
  pageByPath(db, rootId, afterPath, limit, stampsSql, (raw: readonly [string, string, number]) => ({
    path: raw[0],
    stamp: raw[1],
    id: raw[2],
  }));

/** Whether anything of a root should be on disk. */
export const hasSegments = (db: Database, rootId: string): boolean =>
  prepared(
    db,
    `SELECT 1 FROM folder f CROSS JOIN segment s INDEXED BY segment_by_path ON s.folder_id = f.id
     WHERE f.root_id = ? AND s.missing_since_us IS NULL LIMIT 1`,
  ).get(rootId) !== undefined;

export const countMissing = (db: Database, rootId: string): number =>
  (
    prepared(
      db,
      `SELECT count(*) AS missing FROM segment s INDEXED BY segment_missing ${joinFolder}
       WHERE s.missing_since_us IS NOT NULL AND f.root_id = ?`,
    ).get(rootId) as { missing: number }
  ).missing;

/** How many segments of a camera should be on disk in a root, counted up to `atMost`. */
export const countIndexed = (db: Database, rootId: string, cameraId: string, atMost: number): number =>
  (
    prepared(
      db,
      `SELECT count(*) AS segments FROM (SELECT 1 FROM segment s ${joinFolder}
         WHERE s.camera_number = ${numberOf('?')} AND ${isIndexed} AND f.root_id = ? LIMIT ? + 0)`,
    ).get(cameraId, rootId, atMost) as { segments: number }
  ).segments;

/**
 * Segments of a root, on disk or missing, that were indexed as a file of this inode, size and last write: at most two, since more
 * than one is a file with several names and tells nothing.
 */
export const segmentsOfFile = (
  db: Database,
  rootId: string,
  file: Pick<Segment, 'inode' | 'sizeBytes' | 'mtimeUs'>,
): Segment[] =>
  allSegments(
    db,
    `${selectFrom('segment_by_inode')} WHERE s.inode = ? AND s.size_bytes = ? AND s.mtime_us = ? AND s.deleting = 0
         AND f.root_id = ? LIMIT 2`,
    storedInode(file.inode),
    file.sizeBytes,
    file.mtimeUs,
    rootId,
  );

/** The very same footage: camera and instants, size and kind of picture. */
const isTwin = `s.camera_number = ${numberOf('@cameraId')} AND s.start_us = @startUs AND s.end_us = @endUs
  AND s.size_bytes = @sizeBytes AND k.codec = @codec AND k.width = @width AND k.height = @height AND k.has_audio = @hasAudio`;

const ofTwin = ({ cameraId, startUs, endUs, sizeBytes, codec, width, height, hasAudio }: NewSegment) => ({
  ...{ cameraId, startUs, endUs, sizeBytes, codec, width, height },
  hasAudio: hasAudio ? 1 : 0,
});

/**
 * Missing segments that held just this footage: same camera and instants, size and kind of picture. At most two, since more than
 * one tells nothing.
 */
export const missingTwins = (db: Database, segment: NewSegment): Segment[] =>
  allSegments(
    db,
    `${selectFrom('segment_missing')} WHERE s.missing_since_us IS NOT NULL AND ${isTwin} LIMIT 2`,
    ofTwin(segment),
  );

/** Whether any segment is missing: where none is, nothing can have come back. */
export const anyMissing = (db: Database): boolean =>
  prepared(db, 'SELECT 1 FROM segment WHERE missing_since_us IS NOT NULL LIMIT 1').get() !== undefined;

/** Segments with the very footage of `segment` that were indexed at `sinceUs` or later. At most two. */
export const twinsSince = (db: Database, segment: Segment, sinceUs: number): Segment[] =>
  allSegments(
    db,
    `${selectFrom()} WHERE ${isTwin} AND s.id <> @id AND ${isIndexed} AND s.first_seen_us >= @sinceUs LIMIT 2`,
    { ...ofTwin(segment), id: segment.id, sinceUs },
  );

/** Whether something was made from a segment, or a request names it: then its row must stay as it is. */
export const isReferred = (db: Database, id: number): boolean =>
  prepared(
    db,
    `SELECT 1 WHERE EXISTS (SELECT 1 FROM derived_source WHERE segment_id = @id)
       OR EXISTS (SELECT 1 FROM request_item WHERE segment_id = @id)`,
  ).get({ id }) !== undefined;

/**
 * The same footage at another place. What is known of it stays: camera, times, and since when. False for a row that is gone or
 * being deleted: that is finished where it was.
 */
export function moveSegment(
  db: Database,
  id: number,
  to: Pick<Segment, 'rootId' | 'path' | 'inode' | 'mtimeUs'>,
): boolean {
  // Asked before: the folder would be entered for nothing, and with it a name that is nobody's.
  if (prepared(db, 'SELECT 1 FROM segment WHERE id = ? AND deleting = 0').get(id) === undefined) return false;
  const { folder, name } = splitPath(to.path);
  prepared(
    db,
    `UPDATE segment SET folder_id = ?, name = ?, inode = ?, mtime_us = ?, missing_since_us = NULL WHERE id = ?`,
  ).run(folderIdOf(db, to.rootId, folder), name, storedInode(to.inode), to.mtimeUs, id);
  return true;
}

/** As long as in the conditions of the indexes `segment_long` and `segment_longest`. */
const longUs = 600_000_000;
const longestUs = 7_200_000_000;

/**
 * Segments of the cameras that have a frame in the range, by camera and start; not those that are missing, unless the vault has a
 * copy. Where a segment that
 * reaches into the range began is not known; but all that are not long began less than `longUs` before it, all but the longest
 * less than `longestUs`, and of the longest there are few.
 */
export function segmentsIn(db: Database, cameraIds: readonly string[], range: TimeRange): Segment[] {
  const reaching = `WHERE s.camera_number = ${numberOf('@id')} AND s.end_us > @startUs
    AND (s.missing_since_us IS NULL OR ${isVaulted})`;
  const sql = `${selectFrom()} ${reaching} AND s.start_us > @startUs - ${longUs} AND s.start_us < @endUs
     UNION ALL
     ${selectFrom('segment_long')} ${reaching} AND s.end_us - s.start_us >= ${longUs}
       AND s.start_us > @startUs - ${longestUs} AND s.start_us <= @startUs - ${longUs}
     UNION ALL
     ${selectFrom('segment_longest')} ${reaching} AND s.end_us - s.start_us >= ${longestUs}
       AND s.start_us <= @startUs - ${longestUs}
     ORDER BY start_us, id`;
  const { startUs, endUs } = range;
  return [...cameraIds].sort().flatMap((id) => allSegments(db, sql, { id, startUs, endUs }));
}

/** Segments of the cameras in the range that are gone from the disk, and not by the gateway. */
export function missingIn(db: Database, cameraIds: readonly string[], { startUs, endUs }: TimeRange): Segment[] {
  const sql = `${selectFrom('segment_missing')} WHERE s.camera_number = ${numberOf('@id')} AND s.missing_since_us IS NOT NULL
     AND s.start_us < @endUs AND s.end_us > @startUs ORDER BY s.start_us, s.id`;
  return [...cameraIds].sort().flatMap((id) => allSegments(db, sql, { id, startUs, endUs }));
}

/** Indexed segments of a camera whose oldest frame is from `beforeUs` or before, oldest first. For reading alone. */
export function* segmentsBefore(db: Database, cameraId: string, beforeUs: number): Generator<Segment> {
  // A statement of its own: a shared one could not be asked again while somebody goes through its rows.
  const rows = db
    .prepare(
      `${selectFrom()} WHERE s.camera_number = ${numberOf('?')} AND s.start_us <= ? AND ${isIndexed}
       ORDER BY s.start_us, s.id`,
    )
    .raw()
    .iterate(cameraId, beforeUs);
  for (const raw of rows) yield fromRaw(raw as RawSegment);
}

/** Where a page of `segmentsDue` ended. */
export type SegmentCursor = Pick<Segment, 'startUs' | 'id'>;

/**
 * A page of a camera's segments whose oldest frame is from `cutoffUs` or before, oldest first. Indexed ones, and missing ones:
 * their rows end by the same rule, and a file may have come back. Pages, not an iterator: better-sqlite3 writes nothing while an
 * iterator is open.
 */
export const segmentsDue = (
  db: Database,
  cameraId: string,
  cutoffUs: number,
  after: SegmentCursor | null,
  limit: number,
): Segment[] =>
  allSegments(
    db,
    `${selectFrom()} WHERE s.camera_number = ${numberOf('?')} AND s.start_us <= ? AND (s.start_us, s.id) > (?, ?)
         AND s.deleting = 0 ORDER BY s.start_us, s.id LIMIT ? + 0`,
    cameraId,
    cutoffUs,
    after?.startUs ?? Number.MIN_SAFE_INTEGER,
    after?.id ?? 0,
    limit,
  );

/** How many indexed segments of a camera in a root are due, and how many of them are from `lateUs` or before. */
export interface DueTotal {
  readonly rootId: string;
  readonly segments: number;
  readonly sizeBytes: number;
  /** How long they are together, and the starts of the oldest and the newest of them. */
  readonly footageUs: number;
  readonly oldestUs: number;
  readonly newestUs: number;
  readonly late: number;
}

/**
 * The same rows as `segmentsDue`, without those that are missing, counted by SQLite. Nearly always all of them are in one root;
 * only where they are not it has to sort them by root, which takes twice as long.
 */
export function dueTotals(db: Database, cameraId: string, cutoffUs: number, lateUs: number): DueTotal[] {
  const counted = `count(*) AS segments, sum(s.size_bytes) AS sizeBytes, sum(s.end_us - s.start_us) AS footageUs,
    min(s.start_us) AS oldestUs, max(s.start_us) AS newestUs, sum(s.start_us <= @lateUs) AS late`;
  const due = `FROM segment s ${joinFolder}
    WHERE s.camera_number = ${numberOf('@cameraId')} AND s.start_us <= @cutoffUs AND ${isIndexed}`;
  const parameters = { cameraId, cutoffUs, lateUs };
  const all = prepared(db, `SELECT min(f.root_id) AS rootId, max(f.root_id) AS lastRootId, ${counted} ${due}`).get(
    parameters,
  ) as DueTotal & { rootId: string | null; lastRootId: string | null };
  if (all.segments === 0) return [];
  if (all.rootId === all.lastRootId) return [all];
  return prepared(db, `SELECT f.root_id AS rootId, ${counted} ${due} GROUP BY f.root_id`).all(parameters) as DueTotal[];
}

/**
 * Segments of a root that should be on disk, the newest where some of the last 20,000 of the index are in it, else the last by
 * path: whether some of them are there tells if it is the right disk. Never reads the whole root.
 */
export function newestOfRoot(db: Database, rootId: string, limit: number): Segment[] {
  const newest = allSegments(
    db,
    `${selectFrom('segment_by_id')} WHERE s.id > (SELECT last_id - 20000 FROM segment_sequence) AND f.root_id = ?
       AND ${isIndexed} ORDER BY s.id DESC LIMIT ? + 0`,
    rootId,
    limit,
  );
  if (newest.length > 0) return newest;
  return allSegments(
    db,
    `SELECT ${columns} FROM folder f CROSS JOIN segment s INDEXED BY segment_by_path ON s.folder_id = f.id ${joinRest}
     WHERE f.root_id = ? AND ${isIndexed} ORDER BY f.path DESC, s.name DESC LIMIT ? + 0`,
    rootId,
    limit,
  );
}

export function setSegmentState(db: Database, id: number, state: 'indexed' | 'deleting'): void {
  prepared(db, 'UPDATE segment SET deleting = ?, missing_since_us = NULL WHERE id = ?').run(
    state === 'deleting' ? 1 : 0,
    id,
  );
}

/** The row stays, so that the loss stays visible. False for a row that is gone or being deleted: that was the gateway. */
export const markMissing = (db: Database, id: number, atUs: number): boolean =>
  prepared(
    db,
    'UPDATE segment SET missing_since_us = ? WHERE id = ? AND deleting = 0 AND missing_since_us IS NULL',
  ).run(atUs, id).changes > 0;

/** A missing file lies where it was again, unchanged. False for a row that was otherwise dealt with meanwhile. */
export const markReturned = (db: Database, id: number): boolean =>
  prepared(db, 'UPDATE segment SET missing_since_us = NULL WHERE id = ? AND missing_since_us IS NOT NULL').run(id)
    .changes > 0;

export function removeSegment(db: Database, id: number): void {
  prepared(db, 'DELETE FROM segment WHERE id = ?').run(id);
}

export interface CameraFootage {
  readonly cameraId: string;
  readonly segments: number;
  readonly missing: number;
  readonly sizeBytes: number;
  readonly oldestUs: number | null;
  readonly newestUs: number | null;
}

/** What is on disk, by camera. Nothing is counted: see the table `camera_footage`. */
export const footageByCamera = (db: Database): CameraFootage[] =>
  prepared(
    db,
    `SELECT camera_id AS cameraId, segments, missing, size_bytes AS sizeBytes,
       (SELECT start_us FROM segment WHERE camera_number = number AND missing_since_us IS NULL ORDER BY start_us LIMIT 1)
         AS oldestUs,
       (SELECT end_us FROM segment WHERE camera_number = number AND missing_since_us IS NULL
          ORDER BY start_us DESC, end_us DESC LIMIT 1) AS newestUs
     FROM camera_footage ORDER BY camera_id`,
  ).all() as CameraFootage[];

/** Of the newest segments of each camera, the path of the newest that is in a root: where something is being written. */
export const newestPaths = (db: Database, rootId: string): string[] =>
  (
    prepared(
      db,
      `SELECT (SELECT path || name FROM
           (SELECT folder_id, name, start_us FROM segment WHERE camera_number = number AND missing_since_us IS NULL
            ORDER BY start_us DESC LIMIT 1000) AS newest CROSS JOIN folder ON id = folder_id
         WHERE root_id = ? ORDER BY start_us DESC LIMIT 1) AS path FROM camera_footage`,
    ).all(rootId) as { path: string | null }[]
  )
    .map(({ path }) => path)
    .filter((path) => path !== null);

/** The newest start after `afterUs` and not after `untilUs` of any camera's footage on disk; null where there is none. */
export const nextFootageUs = (db: Database, afterUs: number, untilUs: number): number | null =>
  (
    prepared(
      db,
      `SELECT max(newest) AS newestUs FROM (SELECT (SELECT start_us FROM segment WHERE camera_number = number
         AND start_us > @afterUs AND start_us <= @untilUs AND missing_since_us IS NULL ORDER BY start_us DESC LIMIT 1) AS newest
         FROM camera_footage)`,
    ).get({ afterUs, untilUs }) as { newestUs: number | null }
  ).newestUs;
