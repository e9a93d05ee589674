/** Table `receive_clock`: by which clock segments were received, so that a wall clock that is moved later cannot be read back into them. */
import type { Database } from './database.js';
import { prepared } from './prepared.js';

export interface ReceiveClock {
  readonly wallUs: number;
  /** Null where the system does not tell how long it has been up. */
  readonly boot: { readonly bootId: string; readonly uptimeUs: number } | null;
}

/** A wall clock that a time service steers drifts from the uptime by less between two rows. */
const movedUs = 250_000;

interface Row {
  bootId: string | null;
  wallUs: number;
  uptimeUs: number | null;
}

const columns = 'boot_id AS bootId, wall_us AS wallUs, uptime_us AS uptimeUs';

/**
 * Called before segments are inserted, in their transaction: notes how wall clock and uptime stand to each other, unless that is as
 * it was. A file that is indexed once more keeps its id, and with it the clock that it was received by.
 */
export function noteReceiveClock(db: Database, now: ReceiveClock): void {
  const last = prepared(db, `SELECT ${columns} FROM receive_clock ORDER BY after_id DESC LIMIT 1`).get() as
    Row | undefined;
  if (last !== undefined && isSame(last, now)) return;
  prepared(
    db,
    `INSERT OR REPLACE INTO receive_clock (after_id, boot_id, wall_us, uptime_us)
     VALUES ((SELECT last_id FROM segment_sequence), ?, ?, ?)`,
  ).run(now.boot?.bootId ?? null, now.wallUs, now.boot?.uptimeUs ?? null);
}

function isSame(last: Row, { wallUs, boot }: ReceiveClock): boolean {
  if (boot === null || last.uptimeUs === null) return boot === null && last.uptimeUs === null;
  if (boot.bootId !== last.bootId) return false;
  return Math.abs(wallUs - last.wallUs - (boot.uptimeUs - last.uptimeUs)) <= movedUs;
}

/** When a segment was received, by both clocks. Null for one from before this was kept, or that is not there. */
export function receivedAt(db: Database, segmentId: number): ReceiveClock | null {
  const segment = prepared(db, 'SELECT first_seen_us AS wallUs FROM segment WHERE id = ?').get(segmentId) as
    { wallUs: number } | undefined;
  const row = prepared(
    db,
    `SELECT ${columns} FROM receive_clock WHERE after_id < ? ORDER BY after_id DESC LIMIT 1`,
  ).get(segmentId) as Row | undefined;
  if (segment === undefined || row === undefined) return null;
  const { bootId, uptimeUs } = row;
  const { wallUs } = segment;
  return {
    wallUs,
    boot: bootId === null || uptimeUs === null ? null : { bootId, uptimeUs: wallUs - row.wallUs + uptimeUs },
  };
}
