/** Table `segment`: the index. */
import type { Segment, SegmentState, TimeQuality, TimeRange } from '../domain/segment.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';

interface Raw {
  id: number;
  root_id: string;
  path: string;
  camera_id: string;
  start_us: number;
  end_us: number;
  time_source: string;
  time_quality: TimeQuality;
  time_disagreement_ms: number | null;
  size_bytes: number;
  inode: string;
  mtime_us: number;
  container: string;
  codec: string;
  width: number;
  height: number;
  frame_rate: number | null;
  has_audio: number;
  truncated: number;
  state: SegmentState;
  first_seen_us: number;
}

const fromRaw = (raw: Raw): Segment => ({
  id: raw.id,
  rootId: raw.root_id,
  path: raw.path,
  cameraId: raw.camera_id,
  startUs: raw.start_us,
  endUs: raw.end_us,
  timeSource: raw.time_source,
  timeQuality: raw.time_quality,
  timeDisagreementMs: raw.time_disagreement_ms,
  sizeBytes: raw.size_bytes,
  inode: raw.inode,
  mtimeUs: raw.mtime_us,
  container: raw.container,
  codec: raw.codec,
  width: raw.width,
  height: raw.height,
  frameRate: raw.frame_rate,
  hasAudio: raw.has_audio === 1,
  truncated: raw.truncated === 1,
  state: raw.state,
  firstSeenUs: raw.first_seen_us,
});

const toParams = (segment: Omit<Segment, 'id' | 'state'>): Record<string, unknown> => ({
  ...segment,
  hasAudio: segment.hasAudio ? 1 : 0,
  truncated: segment.truncated ? 1 : 0,
});

const insertSql = `INSERT INTO segment (root_id, path, camera_id, start_us, end_us, time_source, time_quality,
    time_disagreement_ms, size_bytes, inode, mtime_us, container, codec, width, height, frame_rate, has_audio,
    truncated, state, first_seen_us)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'indexed', ?)`;

/** By position, which is bound in a third of the time: this runs for each file of a first index. */
const toInsert = (segment: Omit<Segment, 'id' | 'state'>): unknown[] => [
  segment.rootId,
  segment.path,
  segment.cameraId,
  segment.startUs,
  segment.endUs,
  segment.timeSource,
  segment.timeQuality,
  segment.timeDisagreementMs,
  segment.sizeBytes,
  segment.inode,
  segment.mtimeUs,
  segment.container,
  segment.codec,
  segment.width,
  segment.height,
  segment.frameRate,
  segment.hasAudio ? 1 : 0,
  segment.truncated ? 1 : 0,
  segment.firstSeenUs,
];

/** Adds a segment and gives its id. */
export const insertSegment = (db: Database, segment: Omit<Segment, 'id' | 'state'>): number =>
  Number(prepared(db, insertSql).run(toInsert(segment)).lastInsertRowid);

const insertIfNewSql = `${insertSql} ON CONFLICT (root_id, path) DO NOTHING`;

/** Adds a segment unless there is a row of its path. Whether it did. */
export const insertIfNew = (db: Database, segment: Omit<Segment, 'id' | 'state'>): boolean =>
  prepared(db, insertIfNewSql).run(toInsert(segment)).changes > 0;

/**
 * Replaces what is known of a file that changed on disk or came back. Its oldest frame can only become older: what was once
 * known to hold a frame of some instant is not made younger by a rewrite.
 */
export function updateSegment(db: Database, id: number, segment: Omit<Segment, 'id' | 'state'>): void {
  prepared(
    db,
    `UPDATE segment SET camera_id = @cameraId, start_us = min(start_us, @startUs), end_us = max(@endUs, min(start_us, @startUs) + 1),
       time_source = @timeSource, time_quality = @timeQuality, time_disagreement_ms = @timeDisagreementMs,
       size_bytes = @sizeBytes, inode = @inode, mtime_us = @mtimeUs, container = @container, codec = @codec,
       width = @width, height = @height, frame_rate = @frameRate, has_audio = @hasAudio, truncated = @truncated,
       state = CASE state WHEN 'missing' THEN 'indexed' ELSE state END, missing_since_us = NULL
     WHERE id = @id`,
  ).run({ ...toParams(segment), id });
}

export function findByPath(db: Database, rootId: string, path: string): Segment | null {
  const raw = prepared(db, 'SELECT * FROM segment WHERE root_id = ? AND path = ?').get(rootId, path) as Raw | undefined;
  return raw === undefined ? null : fromRaw(raw);
}

export function findById(db: Database, id: number): Segment | null {
  const raw = prepared(db, 'SELECT * FROM segment WHERE id = ?').get(id) as Raw | undefined;
  return raw === undefined ? null : fromRaw(raw);
}

/** Every segment of a root by path, for reconciling with the disk. */
export function* segmentsOfRoot(db: Database, rootId: string): Generator<Segment> {
  for (const raw of db.prepare('SELECT * FROM segment WHERE root_id = ? ORDER BY path').iterate(rootId)) {
    yield fromRaw(raw as Raw);
  }
}

/** What is compared of a row with the disk. `stamp` is `fileStamp` of the file where the row is indexed, else its state and that. */
export interface SegmentStamp {
  readonly path: string;
  readonly stamp: string;
  readonly id: number;
}

/**
 * A page of a root's segments in the byte order of their paths, behind `afterPath`. Pages, not an iterator: better-sqlite3 writes
 * nothing while an iterator is open. Few columns made by SQLite: this is asked for every file of the archive.
 */
export const segmentStamps = (db: Database, rootId: string, afterPath: string, limit: number): SegmentStamp[] =>
  prepared(
    db,
    `SELECT path, iif(state = 'indexed', '', state || ' ') || 'f ' || inode || ' ' || size_bytes || ' ' || mtime_us AS stamp, id
     FROM segment WHERE root_id = ? AND path > ? ORDER BY path LIMIT ?`,
  ).all(rootId, afterPath, limit) as SegmentStamp[];

/** Whether anything of a root should be on disk. */
export const hasSegments = (db: Database, rootId: string): boolean =>
  prepared(db, `SELECT 1 FROM segment WHERE root_id = ? AND state <> 'missing' LIMIT 1`).get(rootId) !== undefined;

export const countMissing = (db: Database, rootId: string): number =>
  (
    prepared(
      db,
      `SELECT count(*) AS missing FROM segment INDEXED BY segment_missing WHERE state = 'missing' AND root_id = ?`,
    ).get(rootId) as { missing: number }
  ).missing;

/** How many segments of a camera should be on disk in a root, counted up to `atMost`. */
export const countIndexed = (db: Database, rootId: string, cameraId: string, atMost: number): number =>
  (
    prepared(
      db,
      `SELECT count(*) AS segments FROM
         (SELECT 1 FROM segment WHERE camera_id = ? AND root_id = ? AND state = 'indexed' LIMIT ?)`,
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
  (
    prepared(
      db,
      `SELECT * FROM segment WHERE inode = ? AND root_id = ? AND size_bytes = ? AND mtime_us = ?
         AND state IN ('indexed', 'missing') LIMIT 2`,
    ).all(file.inode, rootId, file.sizeBytes, file.mtimeUs) as Raw[]
  ).map(fromRaw);

/**
 * Missing segments that held just this footage: same camera and instants, size and kind of picture. At most two, since more than
 * one tells nothing.
 */
export const missingTwins = (db: Database, segment: Omit<Segment, 'id' | 'state'>): Segment[] =>
  (
    prepared(
      db,
      `SELECT * FROM segment INDEXED BY segment_missing WHERE state = 'missing' AND camera_id = @cameraId
         AND start_us = @startUs AND end_us = @endUs AND size_bytes = @sizeBytes AND codec = @codec AND width = @width
         AND height = @height AND has_audio = @hasAudio LIMIT 2`,
    ).all(toParams(segment)) as Raw[]
  ).map(fromRaw);

/** Whether any segment is missing: where none is, nothing can have come back. */
export const anyMissing = (db: Database): boolean =>
  prepared(db, `SELECT 1 FROM segment WHERE state = 'missing' LIMIT 1`).get() !== undefined;

/** Segments with the very footage of `segment` that were indexed at `sinceUs` or later. At most two. */
export const twinsSince = (db: Database, segment: Segment, sinceUs: number): Segment[] =>
  (
    prepared(
      db,
      `SELECT * FROM segment WHERE camera_id = @cameraId AND start_us = @startUs AND end_us = @endUs AND id <> @id
         AND state = 'indexed' AND first_seen_us >= @sinceUs AND size_bytes = @sizeBytes AND codec = @codec
         AND width = @width AND height = @height AND has_audio = @hasAudio LIMIT 2`,
    ).all({ ...toParams(segment), sinceUs }) as Raw[]
  ).map(fromRaw);

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
  return (
    prepared(
      db,
      `UPDATE segment SET root_id = @rootId, path = @path, inode = @inode, mtime_us = @mtimeUs, state = 'indexed',
         missing_since_us = NULL WHERE id = @id AND state IN ('indexed', 'missing')`,
    ).run({ rootId: to.rootId, path: to.path, inode: to.inode, mtimeUs: to.mtimeUs, id }).changes > 0
  );
}

/** As long as in the condition of the index `segment_long`. */
const longUs = 600_000_000;

/**
 * Segments of the cameras that have a frame in the range, by camera and start; not those that are missing. Where a segment that
 * reaches into the range began is not known; but all that are not long began less than `longUs` before it, and there are few long ones.
 */
export function segmentsIn(db: Database, cameraIds: readonly string[], range: TimeRange): Segment[] {
  const query = prepared(
    db,
    `SELECT * FROM segment INDEXED BY segment_by_time WHERE camera_id = @id AND start_us > @startUs - ${longUs} AND start_us < @endUs
       AND end_us > @startUs AND state <> 'missing'
     UNION ALL
     SELECT * FROM segment INDEXED BY segment_long WHERE camera_id = @id AND start_us <= @startUs - ${longUs} AND end_us > @startUs
       AND end_us - start_us >= ${longUs} AND state <> 'missing'
     ORDER BY start_us, id`,
  );
  const { startUs, endUs } = range;
  return [...cameraIds].sort().flatMap((id) => (query.all({ id, startUs, endUs }) as Raw[]).map(fromRaw));
}

/** Indexed segments of a camera whose oldest frame is from `beforeUs` or before, oldest first. For reading alone. */
export function* segmentsBefore(db: Database, cameraId: string, beforeUs: number): Generator<Segment> {
  const rows = db
    .prepare(`SELECT * FROM segment WHERE camera_id = ? AND start_us <= ? AND state = 'indexed' ORDER BY start_us, id`)
    .iterate(cameraId, beforeUs);
  for (const raw of rows) yield fromRaw(raw as Raw);
}

/** Where a page of `segmentsDue` ended. */
export type SegmentCursor = Pick<Segment, 'startUs' | 'endUs' | 'id'>;

/**
 * A page of a camera's segments whose oldest frame is from `cutoffUs` or before, oldest first, in the order of the index on
 * (camera, start, end). Indexed ones, and missing ones: their rows end by the same rule, and a file may have come back.
 * Pages, not an iterator: better-sqlite3 writes nothing while an iterator is open.
 */
export const segmentsDue = (
  db: Database,
  cameraId: string,
  cutoffUs: number,
  after: SegmentCursor | null,
  limit: number,
): Segment[] =>
  (
    prepared(
      db,
      `SELECT * FROM segment WHERE camera_id = ? AND start_us <= ? AND (start_us, end_us, id) > (?, ?, ?)
           AND state IN ('indexed', 'missing') ORDER BY start_us, end_us, id LIMIT ?`,
    ).all(
      cameraId,
      cutoffUs,
      after?.startUs ?? Number.MIN_SAFE_INTEGER,
      after?.endUs ?? 0,
      after?.id ?? 0,
      limit,
    ) as Raw[]
  ).map(fromRaw);

/**
 * Segments of a root that should be on disk, the newest where some of the last 20,000 of the index are in it, else the last by
 * path: whether some of them are there tells if it is the right disk. Never reads the whole root.
 */
export function newestOfRoot(db: Database, rootId: string, limit: number): Segment[] {
  // The plus keeps SQLite from collecting and sorting all of the root.
  const newest = prepared(
    db,
    `SELECT * FROM segment WHERE id > (SELECT max(id) FROM segment) - 20000 AND +root_id = ? AND state = 'indexed'
     ORDER BY id DESC LIMIT ?`,
  ).all(rootId, limit) as Raw[];
  const rows =
    newest.length > 0
      ? newest
      : (prepared(db, `SELECT * FROM segment WHERE root_id = ? AND state = 'indexed' ORDER BY path DESC LIMIT ?`).all(
          rootId,
          limit,
        ) as Raw[]);
  return rows.map(fromRaw);
}

export function setSegmentState(db: Database, id: number, state: 'indexed' | 'deleting'): void {
  prepared(db, 'UPDATE segment SET state = ?, missing_since_us = NULL WHERE id = ?').run(state, id);
}

/** The row stays, so that the loss stays visible. False for a row that is gone or being deleted: that was the gateway. */
export function markMissing(db: Database, id: number, atUs: number): boolean {
  return (
    prepared(db, `UPDATE segment SET state = 'missing', missing_since_us = ? WHERE id = ? AND state = 'indexed'`).run(
      atUs,
      id,
    ).changes > 0
  );
}

/** A missing file lies where it was again, unchanged. False for a row that was otherwise dealt with meanwhile. */
export function markReturned(db: Database, id: number): boolean {
  return (
    prepared(
      db,
      `UPDATE segment SET state = 'indexed', missing_since_us = NULL WHERE id = ? AND state = 'missing'`,
    ).run(id).changes > 0
  );
}

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
    `SELECT id AS cameraId, coalesce(segments, 0) AS segments, coalesce(missing, 0) AS missing,
       coalesce(size_bytes, 0) AS sizeBytes,
       (SELECT start_us FROM segment WHERE camera_id = camera.id AND state <> 'missing' ORDER BY start_us LIMIT 1) AS oldestUs,
       (SELECT end_us FROM segment WHERE camera_id = camera.id AND state <> 'missing' ORDER BY start_us DESC, end_us DESC
          LIMIT 1) AS newestUs
     FROM camera LEFT JOIN camera_footage ON camera_footage.camera_id = camera.id ORDER BY id`,
  ).all() as CameraFootage[];

/** Path of the newest segment of each camera in a root: where something is being written. */
export const newestPaths = (db: Database, rootId: string): string[] =>
  db
    .prepare(
      `SELECT (SELECT path FROM segment WHERE camera_id = camera.id AND root_id = ? AND state <> 'missing'
               ORDER BY start_us DESC LIMIT 1) AS path FROM camera`,
    )
    .pluck()
    .all(rootId)
    .filter((path): path is string => typeof path === 'string');

/** The newest start after `afterUs` and not after `untilUs` of any camera's footage on disk; null where there is none. */
export const nextFootageUs = (db: Database, afterUs: number, untilUs: number): number | null =>
  prepared(
    db,
    `SELECT max(newest) FROM (SELECT (SELECT start_us FROM segment WHERE camera_id = camera.id AND start_us > @afterUs
       AND start_us <= @untilUs AND state = 'indexed' ORDER BY start_us DESC LIMIT 1) AS newest FROM camera)`,
  )
    .pluck()
    .get({ afterUs, untilUs }) as number | null;
