/** Segments by what they show on the wall clock, which their own length alone does not tell. */
import type { Segment, TimeRange } from '../domain/segment.js';
import { follows } from '../domain/recorder-numbers.js';
import { wallEndOf, type WallEnd, type WallSegment } from '../domain/wall-clock.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';
import { numberOf } from './segment-rows.js';
import { numberOf as recorderNumberOf } from './segment-numbers.js';
import { segmentsIn } from './segments.js';

/** Rows in any state: a recording that is missing, or going, began all the same, and so ended what was before it. */
const nextSql = `SELECT start_us AS startUs, id FROM segment WHERE camera_number = ${numberOf('?')} AND start_us >= ?
  ORDER BY start_us LIMIT 1`;
const lastSql = `SELECT start_us FROM segment WHERE camera_number = ${numberOf('?')} AND start_us <= ? ORDER BY start_us DESC LIMIT 1`;

/** How far a segment reaches. */
export function wallEndIn(
  db: Database,
  segment: Pick<Segment, 'id' | 'cameraId' | 'startUs' | 'endUs' | 'mtimeUs' | 'truncated'>,
): WallEnd {
  const { cameraId, endUs, mtimeUs } = segment;
  // Most recorders close a file with its last frame: nobody has to be asked then.
  if (mtimeUs <= endUs) return { coveredUntilUs: endUs, latestEndUs: endUs };
  const next = prepared(db, nextSql).get(cameraId, endUs) as { startUs: number; id: number } | undefined;
  if (next === undefined) return wallEndOf(segment, null);
  const end = wallEndOf(segment, next.startUs);
  const open = end.coveredUntilUs < end.latestEndUs && end.latestEndUs === next.startUs;
  if (!open || segment.truncated) return end;
  // Only the clocks leave it open whether the recorder paused in between: its own count may tell.
  const ranOn = follows(recorderNumberOf(db, segment.id), recorderNumberOf(db, next.id));
  return ranOn ? { coveredUntilUs: next.startUs, latestEndUs: next.startUs } : end;
}

/**
 * Segments of the cameras that may have a frame in the range, by camera and start; not those that are missing. What reaches into
 * it has no other segment between its video's end and the range, so its video does not end before the last one begins that
 * begins before the range: one step of the index finds that, however long ago it was.
 */
export function segmentsShowing(db: Database, cameraIds: readonly string[], range: TimeRange): WallSegment[] {
  return [...cameraIds].sort().flatMap((id) => {
    const last = prepared(db, lastSql).get(id, range.startUs) as { start_us: number } | undefined;
    return segmentsIn(db, [id], { startUs: last?.start_us ?? range.startUs, endUs: range.endUs })
      .map((segment) => ({ ...segment, ...wallEndIn(db, segment) }))
      .filter((segment) => segment.latestEndUs > range.startUs);
  });
}
