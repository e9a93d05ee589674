/** Table `sweep_state`: what retention remembers of the clock between sweeps. */
import type { Database } from './database.js';

export interface SweepState {
  readonly lastSweepUs: number | null;
  readonly bootId: string | null;
  readonly uptimeUs: number | null;
  readonly acceptedSize: number | null;
}

export const readSweepState = (db: Database): SweepState =>
  (db
    .prepare(
      `SELECT last_sweep_us AS lastSweepUs, boot_id AS bootId, uptime_us AS uptimeUs, accepted_size AS acceptedSize
       FROM sweep_state`,
    )
    .get() as SweepState | undefined) ?? { lastSweepUs: null, bootId: null, uptimeUs: null, acceptedSize: null };

export function putSweepState(db: Database, state: SweepState): void {
  db.prepare(
    `INSERT INTO sweep_state (only, last_sweep_us, boot_id, uptime_us, accepted_size)
     VALUES (1, @lastSweepUs, @bootId, @uptimeUs, @acceptedSize)
     ON CONFLICT (only) DO UPDATE SET last_sweep_us = excluded.last_sweep_us, boot_id = excluded.boot_id,
       uptime_us = excluded.uptime_us, accepted_size = excluded.accepted_size`,
  ).run(state);
}

/**
 * The latest wall clock at which anything was logged, of the entries after the first `acceptedSize`. Not the time of the
 * last entry: whatever is logged while the clock is wrong would move that back.
 */
export const highestClockUs = (db: Database, acceptedSize: number): number | null =>
  (db
    .prepare('SELECT at_us FROM audit_checkpoint WHERE size > ? ORDER BY at_us DESC LIMIT 1')
    .pluck()
    .get(acceptedSize) as number | undefined) ?? null;
