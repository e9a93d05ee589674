/**
 * New rows of `segment`, one or many at once. In a first index a statement that fires a trigger costs as much again as what it
 * does, and one for 50 rows costs it once; what neighbours have in common (folder, kind, camera) is looked up once for all of them.
 */
import type { Segment } from '../domain/segment.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';
import { folderIdOf, kindIdOf, numberOf, splitPath, storedInode, storedRate } from './segment-rows.js';

type NewSegment = Omit<Segment, 'id' | 'state'>;

const columnsOf = `INSERT INTO segment (camera_number, start_us, id, end_us, folder_id, name, kind_id, time_disagreement_ms,
    size_bytes, inode, mtime_us, frames_per_1000_s, truncated, deleting, first_seen_us)`;

/** What a segment has to itself alone, from `time_disagreement_ms` on. By position, which is bound in a third of the time. */
const ownValues = (segment: NewSegment): unknown[] => [
  segment.timeDisagreementMs,
  segment.sizeBytes,
  storedInode(segment.inode),
  segment.mtimeUs,
  storedRate(segment.frameRate),
  segment.truncated ? 1 : 0,
  segment.firstSeenUs,
];

const insertSql = `${columnsOf}
  VALUES (${numberOf('?')}, ?, (SELECT last_id + 1 FROM segment_sequence), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`;

function toInsert(db: Database, segment: NewSegment): unknown[] {
  const { folder, name } = splitPath(segment.path);
  const folderId = folderIdOf(db, segment.rootId, folder);
  const { cameraId, startUs, endUs } = segment;
  return [cameraId, startUs, endUs, folderId, name, kindIdOf(db, segment), ...ownValues(segment)];
}

/** Adds a segment and gives its id. */
export const insertSegment = (db: Database, segment: NewSegment): number =>
  (prepared(db, `${insertSql} RETURNING id`).get(toInsert(db, segment)) as { id: number }).id;

const insertIfNewSql = `${insertSql} ON CONFLICT (folder_id, name) DO NOTHING`;

/** Adds a segment unless there is a row of its path. Whether it did. */
export const insertIfNew = (db: Database, segment: NewSegment): boolean =>
  prepared(db, insertIfNewSql).run(toInsert(db, segment)).changes > 0;

const rowsAtOnce = 50;
const oneRow = '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)';
const manySql = `${columnsOf} VALUES ${Array.from({ length: rowsAtOnce }, () => oneRow).join(', ')}`;

/** Adds the segments whose paths have no row yet, and gives the others. To be called within a transaction. */
export function insertAllIfNew(db: Database, segments: readonly NewSegment[]): NewSegment[] {
  const known: NewSegment[] = [];
  let at = 0;
  // As long as all of them are new: a statement that meets a path which is not leaves no row behind. A folder that it entered
  // gets its rows one by one below, since none of its paths can be known.
  while (at + rowsAtOnce <= segments.length && insertMany(db, segments.slice(at, at + rowsAtOnce))) at += rowsAtOnce;
  for (const segment of segments.slice(at)) if (!insertIfNew(db, segment)) known.push(segment);
  return known;
}

function insertMany(db: Database, segments: readonly NewSegment[]): boolean {
  const once = remembered(db);
  const { last_id: lastId } = prepared(db, 'SELECT last_id FROM segment_sequence').get() as { last_id: number };
  const values = segments.flatMap((segment, index) => {
    const { folder, name } = splitPath(segment.path);
    return [
      once.camera(segment.cameraId),
      segment.startUs,
      lastId + 1 + index,
      segment.endUs,
      once.folder(segment.rootId, folder),
      name,
      once.kind(segment),
      ...ownValues(segment),
    ];
  });
  try {
    prepared(db, manySql).run(values);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'SQLITE_CONSTRAINT_UNIQUE') return false;
    throw error;
  }
}

/** Looks up what has an id of its own; for one statement only, since a folder goes with its last segment. */
function remembered(db: Database): {
  camera(id: string): number | null;
  folder(rootId: string, path: string): number;
  kind(segment: NewSegment): number;
} {
  const ids = new Map<string, number | null>();
  const find = <Id extends number | null>(key: string, look: () => Id): Id => {
    const there = ids.get(key);
    if (there !== undefined) return there as Id;
    const id = look();
    ids.set(key, id);
    return id;
  };
  return {
    camera: (id) =>
      find(`camera ${id}`, () => {
        const row = prepared(db, 'SELECT number FROM camera_footage WHERE camera_id = ?').get(id);
        // Null is refused by the table: there is no footage without a camera.
        return (row as { number: number } | undefined)?.number ?? null;
      }),
    folder: (rootId, path) => find(`folder ${rootId}\0${path}`, () => folderIdOf(db, rootId, path)),
    kind: (segment) => {
      const { timeSource, timeQuality, container, codec, width, height, hasAudio } = segment;
      const key = ['kind', timeSource, timeQuality, container, codec, width, height, String(hasAudio)].join('\0');
      return find(key, () => kindIdOf(db, segment));
    },
  };
}
