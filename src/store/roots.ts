/** Table `root`: the folders that VMSs write to. */
import type { Database } from './database.js';

export interface RootRow {
  readonly id: string;
  readonly path: string;
  readonly identity: string;
  readonly firstSeenUs: number;
  readonly lastScanUs: number | null;
}

const columns = 'id, path, identity, first_seen_us AS firstSeenUs, last_scan_us AS lastScanUs';

export const listRoots = (db: Database): RootRow[] =>
  db.prepare(`SELECT ${columns} FROM root ORDER BY id`).all() as RootRow[];

export const findRoot = (db: Database, id: string): RootRow | null =>
  (db.prepare(`SELECT ${columns} FROM root WHERE id = ?`).get(id) as RootRow | undefined) ?? null;

export function putRoot(db: Database, root: Omit<RootRow, 'lastScanUs'>): void {
  db.prepare(
    `INSERT INTO root (id, path, identity, first_seen_us) VALUES (@id, @path, @identity, @firstSeenUs)
     ON CONFLICT (id) DO UPDATE SET path = excluded.path, identity = excluded.identity`,
  ).run(root);
}

export function markScanned(db: Database, id: string, atUs: number): void {
  db.prepare('UPDATE root SET last_scan_us = ? WHERE id = ?').run(atUs, id);
}
