/** Table `segment_clock`: what each clock said, of segments whose clocks disagree or whose name has two meanings. */
import type { SegmentClocks } from '../domain/segment-clocks.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';

/** Keeps the clocks of a segment, in place of those that were kept; none for null. */
export function putClocks(db: Database, segmentId: number, clocks: SegmentClocks | null): void {
  if (clocks === null) {
    prepared(db, 'DELETE FROM segment_clock WHERE segment_id = ?').run(segmentId);
    return;
  }
  prepared(
    db,
    `INSERT OR REPLACE INTO segment_clock (segment_id, name_from_us, name_until_us, container_us, recorder_us, written_us)
     VALUES (@segmentId, @nameFromUs, @nameUntilUs, @containerUs, @recorderUs, @writtenUs)`,
  ).run({ segmentId, ...clocks });
}

export const clocksOf = (db: Database, segmentId: number): SegmentClocks | null =>
  (prepared(
    db,
    `SELECT name_from_us AS nameFromUs, name_until_us AS nameUntilUs, container_us AS containerUs,
       recorder_us AS recorderUs, written_us AS writtenUs FROM segment_clock WHERE segment_id = ?`,
  ).get(segmentId) as SegmentClocks | undefined) ?? null;
