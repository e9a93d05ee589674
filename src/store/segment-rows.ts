/** How a segment is written down: what many have in common stands in tables of its own, and is put together again here. */
import type { Segment, SegmentState, TimeQuality } from '../domain/segment.js';
import type { Database } from './database.js';
import { prepared, preparedRaw } from './prepared.js';

/** A row of `columns`, by position: made many times a second, and an object of so many names costs more than all else about it. */
export type RawSegment = readonly [
  id: number,
  rootId: string,
  path: string,
  cameraId: string,
  startUs: number,
  endUs: number,
  timeSource: string,
  timeQuality: TimeQuality,
  timeDisagreementMs: number | null,
  sizeBytes: number,
  inode: string,
  mtimeUs: number,
  container: string,
  codec: string,
  width: number,
  height: number,
  framesPer1000S: number | null,
  hasAudio: number,
  truncated: number,
  state: SegmentState,
  firstSeenUs: number,
];

export const fromRaw = (raw: RawSegment): Segment => ({
  id: raw[0],
  rootId: raw[1],
  path: raw[2],
  cameraId: raw[3],
  startUs: raw[4],
  endUs: raw[5],
  timeSource: raw[6],
  timeQuality: raw[7],
  timeDisagreementMs: raw[8],
  sizeBytes: raw[9],
  inode: raw[10],
  mtimeUs: raw[11],
  container: raw[12],
  codec: raw[13],
  width: raw[14],
  height: raw[15],
  frameRate: raw[16] === null ? null : raw[16] / 1000,
  hasAudio: raw[17] === 1,
  truncated: raw[18] === 1,
  state: raw[19],
  firstSeenUs: raw[20],
});

/** All rows that a statement of `columns` finds. */
export const allSegments = (db: Database, sql: string, ...parameters: unknown[]): Segment[] =>
  (preparedRaw(db, sql).all(...parameters) as RawSegment[]).map(fromRaw);

/** An inode as the rest of the program has it. Text all the way: as a number it would not fit into a double. */
const inodeText = `iif(s.inode >= 0, CAST(s.inode AS TEXT), printf('%u', s.inode))`;

/** An inode as it is stored: what is larger than an INTEGER is stored as the negative number of the same 64 bits. */
export const storedInode = (inode: string): bigint => BigInt.asIntN(64, BigInt(inode));

/** `fileStamp` of the file where the row is indexed, else its state and that. */
export const stampOf = `iif(s.missing_since_us IS NOT NULL, 'missing f ', iif(s.deleting, 'deleting f ', 'f '))
  || iif(s.inode >= 0, s.inode, printf('%u', s.inode)) || ' ' || s.size_bytes || ' ' || s.mtime_us`;

/** On disk as known, and not being deleted. */
export const isIndexed = 's.missing_since_us IS NULL AND s.deleting = 0';

/** Whether the vault has a whole copy of it. */
export const isVaulted = `EXISTS (SELECT 1 FROM vault_copy v WHERE v.segment_id = s.id AND v.state = 'whole')`;

/**
 * Columns of a `RawSegment`, where `s` is the segment and the others are joined as in `joinFolder` and `joinRest`; `folder` is
 * where the folder's path is taken from.
 */
const columnsWith = (
  folder: string,
): string => `s.id AS id, f.root_id, ${folder} || s.name, c.camera_id, s.start_us AS start_us,
  s.end_us, k.time_source, k.time_quality, s.time_disagreement_ms, s.size_bytes, ${inodeText}, s.mtime_us, k.container,
  k.codec, k.width, k.height, s.frames_per_1000_s, k.has_audio, s.truncated,
  iif(s.missing_since_us IS NOT NULL, iif(${isVaulted}, 'vaulted', 'missing'), iif(s.deleting, 'deleting', 'indexed')),
  s.first_seen_us`;
export const columns = columnsWith('f.path');

// CROSS JOIN is SQLite's way to say that the tables are read in this order: first the segments that are asked for.
export const joinFolder = 'CROSS JOIN folder f ON f.id = s.folder_id';
export const joinRest = `CROSS JOIN camera_footage c ON c.number = s.camera_number
  CROSS JOIN segment_kind k ON k.id = s.kind_id`;

/** Segments in full; `index` pins the index that they are found by. */
export const selectFrom = (index?: string): string =>
  `SELECT ${columns} FROM segment s ${index === undefined ? '' : `INDEXED BY ${index}`} ${joinFolder} ${joinRest}`;

/** Segments of one folder for `pageByPath`. */
export const namesInFull = `SELECT ${columnsWith('?')} FROM segment s INDEXED BY segment_by_path ${joinFolder} ${joinRest}
  WHERE s.folder_id = ? AND s.name > ? ORDER BY s.name LIMIT ? + 0`;

/** The number of a camera that is given by its id; no row is found where there is none. */
export const numberOf = (parameter: string): string =>
  `(SELECT number FROM camera_footage WHERE camera_id = ${parameter})`;

/** A path as its folder (with a slash at its end, empty for the root itself) and its name. */
export function splitPath(path: string): { readonly folder: string; readonly name: string } {
  const at = path.lastIndexOf('/') + 1;
  return { folder: path.slice(0, at), name: path.slice(at) };
}

/**
 * The id of a folder, which is entered where it is new. No folder is remembered here: it goes with its last segment, and a
 * transaction may be taken back.
 */
export function folderIdOf(db: Database, rootId: string, folder: string): number {
  const known = prepared(db, 'SELECT id FROM folder WHERE root_id = ? AND path = ?').get(rootId, folder) as
    { id: number } | undefined;
  return (
    known?.id ??
    Number(prepared(db, 'INSERT INTO folder (root_id, path) VALUES (?, ?)').run(rootId, folder).lastInsertRowid)
  );
}

type Kind = Pick<Segment, 'timeSource' | 'timeQuality' | 'container' | 'codec' | 'width' | 'height' | 'hasAudio'>;

/** The id of what a segment has in common with others, which is entered where it is new. */
export function kindIdOf(db: Database, segment: Kind): number {
  const { timeSource, timeQuality, container, codec, width, height } = segment;
  const values = [timeSource, timeQuality, container, codec, width, height, segment.hasAudio ? 1 : 0];
  const known = prepared(
    db,
    `SELECT id FROM segment_kind WHERE time_source = ? AND time_quality = ? AND container = ? AND codec = ? AND width = ?
       AND height = ? AND has_audio = ?`,
  ).get(values) as { id: number } | undefined;
  return (
    known?.id ??
    Number(
      prepared(
        db,
        `INSERT INTO segment_kind (time_source, time_quality, container, codec, width, height, has_audio)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ).run(values).lastInsertRowid,
    )
  );
}

/** A frame rate as it is stored. */
export const storedRate = (frameRate: number | null): number | null =>
  frameRate === null ? null : Math.round(frameRate * 1000);
