/** Table `root`: the folders that VMSs write to. */
import type { Database } from './database.js';
import { prepared } from './prepared.js';

export interface RootRow {
  readonly id: string;
  readonly path: string;
  readonly identity: string;
  readonly firstSeenUs: number;
  readonly lastScanUs: number | null;
  /** What its marker file says; null where none could be written. */
  readonly marker: string | null;
  /** Type and id of the file system it lies on; null until it was looked at. */
  readonly filesystem: string | null;
  /** Whether it was mounted read-only when it was last trusted; null until it was looked at. */
  readonly readOnly: boolean | null;
}

type Raw = Omit<RootRow, 'readOnly'> & { readonly readOnly: number | null };
const fromRaw = (raw: Raw): RootRow => ({ ...raw, readOnly: raw.readOnly === null ? null : raw.readOnly === 1 });

const columns = `id, path, identity, first_seen_us AS firstSeenUs, last_scan_us AS lastScanUs, marker, filesystem,
  read_only AS readOnly`;

export const listRoots = (db: Database): RootRow[] =>
  (db.prepare(`SELECT ${columns} FROM root ORDER BY id`).all() as Raw[]).map(fromRaw);

export function findRoot(db: Database, id: string): RootRow | null {
  const raw = prepared(db, `SELECT ${columns} FROM root WHERE id = ?`).get(id) as Raw | undefined;
  return raw === undefined ? null : fromRaw(raw);
}

/** By what a root is known again, besides its inode. */
export type RootMark = Pick<RootRow, 'marker' | 'filesystem' | 'readOnly'>;

export function putRootMark(db: Database, id: string, mark: RootMark): void {
  db.prepare('UPDATE root SET marker = ?, filesystem = ?, read_only = ? WHERE id = ?').run(
    mark.marker,
    mark.filesystem,
    mark.readOnly === null ? null : Number(mark.readOnly),
    id,
  );
}

export function putRoot(db: Database, root: Omit<RootRow, 'lastScanUs' | keyof RootMark>): void {
  db.prepare(
    `INSERT INTO root (id, path, identity, first_seen_us) VALUES (@id, @path, @identity, @firstSeenUs)
     ON CONFLICT (id) DO UPDATE SET path = excluded.path, identity = excluded.identity`,
  ).run(root);
}

export function markScanned(db: Database, id: string, atUs: number): void {
  db.prepare('UPDATE root SET last_scan_us = ? WHERE id = ?').run(atUs, id);
}
