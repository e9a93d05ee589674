/** Tables `derived_file` and `derived_source`: what was made from footage and has to go with it. */
import type { Database } from './database.js';
import { prepared } from './prepared.js';

export type RequestFileKind = 'original-copy' | 'plan' | 'masked-copy' | 'package' | 'archive';
/** Made when somebody looks, for no request, and kept for hours. */
export type PictureKind = 'still' | 'contact-sheet';

interface File {
  readonly id: number;
  /** Relative to the data folder. A package and a copy in the vault are folders, everything else a file. */
  readonly path: string;
}
export interface RequestFile extends File {
  readonly kind: RequestFileKind;
  readonly requestId: string;
}
export interface PictureFile extends File {
  readonly kind: PictureKind;
  readonly requestId: null;
  /** Null while it is made, and after a crash in between. */
  readonly sizeBytes: number | null;
  readonly createdUs: number;
}
/** The protected copy of a held segment, for as long as a hold covers it: see vault-copies.ts. */
export interface VaultFile extends File {
  readonly kind: 'vault-copy';
  readonly requestId: null;
  readonly sizeBytes: null;
}
export type DerivedFile = RequestFile | PictureFile | VaultFile;

const columns =
  'derived_file.id, path, kind, request_id AS requestId, size_bytes AS sizeBytes, created_us AS createdUs';

/** Registered before the file is written: a crash leaves a row without a file, never a file that nobody knows. */
export function registerDerived(
  db: Database,
  file: Pick<RequestFile | PictureFile | VaultFile, 'path' | 'kind' | 'requestId'> & {
    readonly segmentIds: readonly number[];
    readonly createdUs: number;
  },
): number {
  const id = db
    .prepare(
      `INSERT INTO derived_file (path, kind, request_id, created_us) VALUES (@path, @kind, @requestId, @createdUs)
       ON CONFLICT (path) DO UPDATE SET created_us = excluded.created_us, size_bytes = NULL RETURNING id`,
    )
    .pluck()
    .get({ path: file.path, kind: file.kind, requestId: file.requestId, createdUs: file.createdUs }) as number;
  const link = db.prepare('INSERT OR IGNORE INTO derived_source (derived_id, segment_id) VALUES (?, ?)');
  for (const segmentId of file.segmentIds) link.run(id, segmentId);
  return id;
}

export const derivedOfSegment = (db: Database, segmentId: number): DerivedFile[] =>
  prepared(
    db,
    `SELECT ${columns} FROM derived_file JOIN derived_source ON derived_id = derived_file.id WHERE segment_id = ?`,
  ).all(segmentId) as DerivedFile[];

export const derivedOfRequest = (db: Database, requestId: string): RequestFile[] =>
  db.prepare(`SELECT ${columns} FROM derived_file WHERE request_id = ? ORDER BY id`).all(requestId) as RequestFile[];

/** What was made for a request, once for each segment that it shows. */
export const filesWithSources = (db: Database, requestId: string): { path: string; segmentId: number }[] =>
  db
    .prepare(
      `SELECT path, segment_id AS segmentId FROM derived_file JOIN derived_source ON derived_id = derived_file.id
       WHERE request_id = ? ORDER BY derived_file.id, segment_id`,
    )
    .all(requestId) as { path: string; segmentId: number }[];

export const listDerived = (db: Database): DerivedFile[] =>
  db.prepare(`SELECT ${columns} FROM derived_file ORDER BY id`).all() as DerivedFile[];

/** As in the condition of the index `derived_file_pictures`. */
const isPicture = `kind IN ('still', 'contact-sheet')`;

/** The picture of this path, or null where there is none. */
export const findPicture = (db: Database, path: string): PictureFile | null =>
  (prepared(db, `SELECT ${columns} FROM derived_file WHERE path = ? AND ${isPicture}`).get(path) as
    PictureFile | undefined) ?? null;

/** Every picture, oldest first. */
export const listPictures = (db: Database): PictureFile[] =>
  prepared(
    db,
    `SELECT ${columns} FROM derived_file WHERE ${isPicture} ORDER BY created_us, derived_file.id`,
  ).all() as PictureFile[];

/** Its file is whole. False where its row is gone: then it must not be there. */
export const finishPicture = (db: Database, id: number, sizeBytes: number): boolean =>
  prepared(db, `UPDATE derived_file SET size_bytes = ? WHERE id = ? AND ${isPicture}`).run(sizeBytes, id).changes > 0;

/** Only after the file itself is gone. */
export function forgetDerived(db: Database, id: number): void {
  db.prepare('DELETE FROM derived_file WHERE id = ?').run(id);
}
