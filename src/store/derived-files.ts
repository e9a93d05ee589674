/** Tables `derived_file` and `derived_source`: what was made from footage and has to go with it. */
import type { Database } from './database.js';

export type DerivedKind = 'original-copy' | 'plan' | 'masked-copy' | 'package' | 'archive';

export interface DerivedFile {
  readonly id: number;
  /** Relative to the data folder. A package is a folder, everything else a file. */
  readonly path: string;
  readonly kind: DerivedKind;
  readonly requestId: string;
}

const columns = 'derived_file.id, path, kind, request_id AS requestId';

/** Registered before the file is written: a crash leaves a row without a file, never a file that nobody knows. */
export function registerDerived(
  db: Database,
  file: Omit<DerivedFile, 'id'> & { readonly segmentIds: readonly number[]; readonly createdUs: number },
): number {
  const id = db
    .prepare(
      `INSERT INTO derived_file (path, kind, request_id, created_us) VALUES (@path, @kind, @requestId, @createdUs)
       ON CONFLICT (path) DO UPDATE SET created_us = excluded.created_us RETURNING id`,
    )
    .pluck()
    .get({ path: file.path, kind: file.kind, requestId: file.requestId, createdUs: file.createdUs }) as number;
  const link = db.prepare('INSERT OR IGNORE INTO derived_source (derived_id, segment_id) VALUES (?, ?)');
  for (const segmentId of file.segmentIds) link.run(id, segmentId);
  return id;
}

export const derivedOfSegment = (db: Database, segmentId: number): DerivedFile[] =>
  db
    .prepare(
      `SELECT ${columns} FROM derived_file JOIN derived_source ON derived_id = derived_file.id WHERE segment_id = ?`,
    )
    .all(segmentId) as DerivedFile[];

export const derivedOfRequest = (db: Database, requestId: string): DerivedFile[] =>
  db.prepare(`SELECT ${columns} FROM derived_file WHERE request_id = ? ORDER BY id`).all(requestId) as DerivedFile[];

export const listDerived = (db: Database): DerivedFile[] =>
  db.prepare(`SELECT ${columns} FROM derived_file ORDER BY id`).all() as DerivedFile[];

/** Only after the file itself is gone. */
export function forgetDerived(db: Database, id: number): void {
  db.prepare('DELETE FROM derived_file WHERE id = ?').run(id);
}
