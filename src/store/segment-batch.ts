/**
 * Many new segments at once: a first index. A statement that fires a trigger costs as much again as what it does, and one for 50
 * rows costs it once.
 */
import type { Segment } from '../domain/segment.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';
import { insertIfNew } from './segments.js';

type NewSegment = Omit<Segment, 'id' | 'state'>;

const rowsAtOnce = 50;
const oneRow = `(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'indexed', ?)`;
const manySql = `INSERT INTO segment (root_id, path, camera_id, start_us, end_us, time_source, time_quality,
    time_disagreement_ms, size_bytes, inode, mtime_us, container, codec, width, height, frame_rate, has_audio,
    truncated, state, first_seen_us)
  VALUES ${Array.from({ length: rowsAtOnce }, () => oneRow).join(', ')}`;

const valuesOf = (segment: NewSegment): unknown[] => [
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

/** Adds the segments whose paths have no row yet, and gives the others. To be called within a transaction. */
export function insertAllIfNew(db: Database, segments: readonly NewSegment[]): NewSegment[] {
  const known: NewSegment[] = [];
  let at = 0;
  // As long as all of them are new: a statement that meets a path which is not leaves nothing behind.
  while (at + rowsAtOnce <= segments.length && insertMany(db, segments.slice(at, at + rowsAtOnce))) at += rowsAtOnce;
  for (const segment of segments.slice(at)) if (!insertIfNew(db, segment)) known.push(segment);
  return known;
}

function insertMany(db: Database, segments: readonly NewSegment[]): boolean {
  try {
    prepared(db, manySql).run(segments.flatMap(valuesOf));
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'SQLITE_CONSTRAINT_UNIQUE') return false;
    throw error;
  }
}
