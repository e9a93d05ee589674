/** Tables `recorder_stream` and `segment_number`: what a recorder counts in the files that it writes. */
import type { RecorderNumber } from '../domain/recorder-numbers.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';

/** Keeps the number of a segment, in place of the one that was kept; none for null. */
export function putNumber(db: Database, segmentId: number, number: RecorderNumber | null): void {
  if (number === null) {
    prepared(db, 'DELETE FROM segment_number WHERE segment_id = ?').run(segmentId);
    return;
  }
  prepared(db, 'INSERT INTO recorder_stream (stream) VALUES (?) ON CONFLICT DO NOTHING').run(number.stream);
  prepared(
    db,
    `INSERT OR REPLACE INTO segment_number (segment_id, stream_id, number)
     VALUES (?, (SELECT id FROM recorder_stream WHERE stream = ?), ?)`,
  ).run(segmentId, number.stream, number.number);
}

export const numberOf = (db: Database, segmentId: number): RecorderNumber | null =>
  (prepared(
    db,
    `SELECT stream, number FROM segment_number CROSS JOIN recorder_stream ON id = stream_id WHERE segment_id = ?`,
  ).get(segmentId) as RecorderNumber | undefined) ?? null;
