/** Ids that are never given twice, also not after a database was put back from a backup. */
import type { Database } from './database.js';

/** The next segment and the next deletion get ids above these. Never lowers anything. */
export function raiseIds(db: Database, to: { readonly segment: number; readonly deletion: number }): void {
  db.prepare('UPDATE segment_sequence SET last_id = ? WHERE last_id < ?').run(to.segment, to.segment);
  const known = db.prepare(`UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'deletion'`).run(to.deletion);
  if (known.changes === 0)
    db.prepare(`INSERT INTO sqlite_sequence (name, seq) VALUES ('deletion', ?)`).run(to.deletion);
}
