/** Table `clock_measurement`: how far clocks were from the gateway's, each time that they were looked at. */
import { dayUs } from '../domain/retention-rules/index.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';

/** camera: as the device answers. recorder: as what it writes is stamped. */
type MeasuredClock = 'camera' | 'recorder';

export interface ClockMeasurement {
  readonly cameraId: string;
  readonly clock: MeasuredClock;
  readonly measuredUs: number;
  /** That clock minus the gateway's; the true offset is within ± `uncertaintyMs` of it. */
  readonly offsetMs: number;
  readonly uncertaintyMs: number;
}

/** Longer than the longest period of any class: the footage that it is about can be no older, but for a hold. */
const keptUs = 400 * dayUs;

const columns = `camera_id AS cameraId, clock, measured_us AS measuredUs, offset_ms AS offsetMs, uncertainty_ms AS uncertaintyMs`;

/** Adds a measurement, and drops those of the same clock that are over 400 days older. */
export function putMeasurement(db: Database, one: ClockMeasurement): void {
  prepared(
    db,
    `INSERT OR REPLACE INTO clock_measurement (camera_id, clock, measured_us, offset_ms, uncertainty_ms)
     VALUES (@cameraId, @clock, @measuredUs, @offsetMs, @uncertaintyMs)`,
  ).run(one);
  prepared(db, 'DELETE FROM clock_measurement WHERE camera_id = ? AND clock = ? AND measured_us < ?').run(
    one.cameraId,
    one.clock,
    one.measuredUs - keptUs,
  );
}

/** The one that was made nearest to an instant, before or after it; null where the clock was never measured. */
export function measurementNearest(
  db: Database,
  cameraId: string,
  clock: MeasuredClock,
  atUs: number,
): ClockMeasurement | null {
  const side = (condition: string): ClockMeasurement | undefined =>
    prepared(
      db,
      `SELECT ${columns} FROM clock_measurement WHERE camera_id = ? AND clock = ? AND measured_us ${condition} LIMIT 1`,
    ).get(cameraId, clock, atUs) as ClockMeasurement | undefined;
  const before = side('<= ? ORDER BY measured_us DESC');
  const after = side('> ? ORDER BY measured_us');
  if (before === undefined || after === undefined) return before ?? after ?? null;
  return after.measuredUs - atUs < atUs - before.measuredUs ? after : before;
}

/** The newest footage of a camera that was received after an instant: its end, the file's last write, and when it was received. */
export const newestReceived = (
  db: Database,
  cameraId: string,
  afterUs: number,
): { endUs: number; mtimeUs: number; firstSeenUs: number }[] =>
  prepared(
    db,
    `SELECT end_us AS endUs, mtime_us AS mtimeUs, first_seen_us AS firstSeenUs FROM
       (SELECT end_us, mtime_us, first_seen_us FROM segment
        WHERE camera_number = (SELECT number FROM camera_footage WHERE camera_id = ?) AND missing_since_us IS NULL
        ORDER BY start_us DESC LIMIT 20)
     WHERE first_seen_us > ?`,
  ).all(cameraId, afterUs) as { endUs: number; mtimeUs: number; firstSeenUs: number }[];

/** Both clocks of a camera, newest first. */
export const measurementsOf = (db: Database, cameraId: string, limit: number): ClockMeasurement[] =>
  db
    .prepare(
      `SELECT ${columns} FROM clock_measurement WHERE camera_id = ? ORDER BY measured_us DESC, clock LIMIT ? + 0`,
    )
    .all(cameraId, limit) as ClockMeasurement[];
