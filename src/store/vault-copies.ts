/** Tables `vault_copy` and `vault_removal`: the protected copies of held footage, and the record of those that went by themselves. */
import type { Segment } from '../domain/segment.js';
import type { Database } from './database.js';
import { registerDerived } from './derived-files.js';
import { prepared } from './prepared.js';

export type VaultMethod = 'reflink' | 'hard-link' | 'copy';

/** What became of the recorder's own file. grown: it begins with the bytes of the copy, and the recorder wrote on. */
export type OriginalState = 'there' | 'grown' | 'changed' | 'gone';

/** By which a file is known again without reading it. `inode` is text, see `Segment`. */
export interface FileStampOf {
  readonly inode: string;
  readonly sizeBytes: number;
  readonly mtimeUs: number;
}

interface Copy {
  readonly derivedId: number;
  readonly segmentId: number;
  /** Folder of the copy, relative to the data folder. */
  readonly path: string;
  /** Of the footage in it. */
  readonly fileName: string;
}

export interface UnfinishedCopy extends Copy {
  readonly state: 'copying' | 'removing';
}

export interface WholeCopy extends Copy, FileStampOf {
  readonly state: 'whole';
  readonly method: VaultMethod;
  readonly sha256: string;
  /** Of the initialisation segment beside a fragment; null for a file that stands alone. */
  readonly initSha256: string | null;
  readonly copiedUs: number;
  /** The recorder's file that held just these bytes, or began with them, when it was last compared. */
  readonly source: FileStampOf;
  readonly original: OriginalState;
  readonly damagedUs: number | null;
}

export type VaultCopy = UnfinishedCopy | WholeCopy;

interface Raw extends Omit<WholeCopy, 'source' | 'state'> {
  state: VaultCopy['state'];
  sourceInode: string;
  sourceSizeBytes: number;
  sourceMtimeUs: number;
}

const select = `SELECT v.derived_id AS derivedId, v.segment_id AS segmentId, d.path, v.file_name AS fileName, v.state, v.method,
    v.size_bytes AS sizeBytes, v.sha256, v.init_sha256 AS initSha256, v.copied_us AS copiedUs, v.inode, v.mtime_us AS mtimeUs,
    v.source_inode AS sourceInode, v.source_size_bytes AS sourceSizeBytes, v.source_mtime_us AS sourceMtimeUs, v.original,
    v.damaged_us AS damagedUs
  FROM vault_copy v CROSS JOIN derived_file d ON d.id = v.derived_id`;

function fromRaw({ sourceInode, sourceSizeBytes, sourceMtimeUs, state, ...raw }: Raw): VaultCopy {
  const { derivedId, segmentId, path, fileName } = raw;
  if (state !== 'whole') return { derivedId, segmentId, path, fileName, state };
  return { ...raw, state, source: { inode: sourceInode, sizeBytes: sourceSizeBytes, mtimeUs: sourceMtimeUs } };
}

const isWhole = (copy: VaultCopy | null): copy is WholeCopy => copy?.state === 'whole';

/** Registered before the first byte is written: a crash leaves a row without a whole copy, never a copy that nobody knows. */
export function beginCopy(
  db: Database,
  copy: { readonly path: string; readonly fileName: string; readonly segmentId: number; readonly createdUs: number },
): number {
  const { path, segmentId, createdUs } = copy;
  const id = registerDerived(db, { path, kind: 'vault-copy', requestId: null, segmentIds: [segmentId], createdUs });
  prepared(db, `INSERT INTO vault_copy (derived_id, segment_id, state, file_name) VALUES (?, ?, 'copying', ?)`).run(
    id,
    segmentId,
    copy.fileName,
  );
  return id;
}

/**
 * The copy is whole and on the disk. False where its row is gone: it was removed meanwhile, and must not be there. The caller has
 * made sure that no other copy of the segment is whole.
 */
export const finishCopy = (
  db: Database,
  derivedId: number,
  copy: Omit<WholeCopy, 'derivedId' | 'segmentId' | 'path' | 'fileName' | 'state' | 'original' | 'damagedUs'>,
): boolean =>
  prepared(
    db,
    `UPDATE vault_copy SET state = 'whole', method = @method, size_bytes = @sizeBytes, sha256 = @sha256,
       init_sha256 = @initSha256, copied_us = @copiedUs, inode = @inode, mtime_us = @mtimeUs, source_inode = @sourceInode,
       source_size_bytes = @sourceSizeBytes, source_mtime_us = @sourceMtimeUs
     WHERE derived_id = @derivedId AND state = 'copying'`,
  ).run({
    derivedId,
    method: copy.method,
    sizeBytes: copy.sizeBytes,
    sha256: copy.sha256,
    initSha256: copy.initSha256,
    copiedUs: copy.copiedUs,
    inode: copy.inode,
    mtimeUs: copy.mtimeUs,
    sourceInode: copy.source.inode,
    sourceSizeBytes: copy.source.sizeBytes,
    sourceMtimeUs: copy.source.mtimeUs,
  }).changes > 0;

/** The whole copy of a segment, or null. */
export function wholeCopyOf(db: Database, segmentId: number): WholeCopy | null {
  const raw = prepared(db, `${select} WHERE v.segment_id = ? AND v.state = 'whole'`).get(segmentId) as Raw | undefined;
  const copy = raw === undefined ? null : fromRaw(raw);
  return isWhole(copy) ? copy : null;
}

export const findCopy = (db: Database, derivedId: number): VaultCopy | null => {
  const raw = prepared(db, `${select} WHERE v.derived_id = ?`).get(derivedId) as Raw | undefined;
  return raw === undefined ? null : fromRaw(raw);
};

/** All of them, whole and begun and going, in the order in which they were begun. There are as many as there are held segments. */
export const listCopies = (db: Database): VaultCopy[] =>
  (prepared(db, `${select} ORDER BY v.derived_id`).all() as Raw[]).map(fromRaw);

/** Whether anything is in the vault: nearly always nothing is. */
export const hasCopies = (db: Database): boolean =>
  prepared(db, 'SELECT 1 FROM vault_copy LIMIT 1').get() !== undefined;

export const wholeCopies = (db: Database): WholeCopy[] => listCopies(db).filter(isWhole);

/** What the recorder's file was found to be, and as which file; `atUs` null where all is as it was. */
export function noteOriginal(
  db: Database,
  derivedId: number,
  found: { readonly original: OriginalState; readonly stamp: FileStampOf | null; readonly atUs: number | null },
): void {
  prepared(
    db,
    `UPDATE vault_copy SET original = @original, original_us = @atUs, source_inode = coalesce(@inode, source_inode),
       source_size_bytes = coalesce(@sizeBytes, source_size_bytes), source_mtime_us = coalesce(@mtimeUs, source_mtime_us)
     WHERE derived_id = @derivedId`,
  ).run({
    derivedId,
    original: found.original,
    atUs: found.atUs,
    inode: found.stamp?.inode ?? null,
    sizeBytes: found.stamp?.sizeBytes ?? null,
    mtimeUs: found.stamp?.mtimeUs ?? null,
  });
}

export const noteDamage = (db: Database, derivedId: number, atUs: number): void => {
  prepared(db, 'UPDATE vault_copy SET damaged_us = ? WHERE derived_id = ? AND damaged_us IS NULL').run(atUs, derivedId);
};

/** The copy holds what it held, but is another file of the disk by now, as after a restore of the data folder. */
export const renewStamp = (db: Database, derivedId: number, stamp: FileStampOf): void => {
  prepared(db, 'UPDATE vault_copy SET inode = ?, mtime_us = ?, damaged_us = NULL WHERE derived_id = ?').run(
    stamp.inode,
    stamp.mtimeUs,
    derivedId,
  );
};

/** From here on the copy is as good as gone: it stands for no segment, and its folder is removed next. */
export const markRemoving = (db: Database, derivedId: number): void => {
  prepared(db, `UPDATE vault_copy SET state = 'removing' WHERE derived_id = ?`).run(derivedId);
};

/**
 * Whether the copy must decide what a file at the segment's place is, before the index takes it for the segment: a whole copy is
 * there, and `found` was not compared with it, or is not what it holds. A hold keeps the footage that it was placed on, not what a
 * recorder puts in its place.
 */
export function mustBeJudged(db: Database, segmentId: number, found: FileStampOf): boolean {
  const copy = wholeCopyOf(db, segmentId);
  if (copy === null) return false;
  const isKnown =
    copy.source.inode === found.inode &&
    copy.source.sizeBytes === found.sizeBytes &&
    copy.source.mtimeUs === found.mtimeUs;
  return !isKnown || copy.original === 'changed';
}

/** Whether the copy is of the footage that the row describes. Another size is another file, or one that grew. */
export const isCopyOf = (copy: WholeCopy, segment: Pick<Segment, 'sizeBytes'>): boolean =>
  copy.sizeBytes === segment.sizeBytes;

export type RemovalReason = 'hold-ended' | 'replaced';

/** The record, before the first byte goes. Gives its id. */
export const insertRemoval = (
  db: Database,
  removal: Pick<Segment, 'cameraId' | 'startUs' | 'endUs'> & {
    readonly derivedId: number;
    readonly segmentId: number;
    readonly sizeBytes: number;
    readonly why: RemovalReason;
    readonly intendedUs: number;
  },
): number =>
  Number(
    prepared(
      db,
      `INSERT INTO vault_removal (derived_id, segment_id, camera_id, start_us, end_us, size_bytes, why, intended_us)
       VALUES (@derivedId, @segmentId, @cameraId, @startUs, @endUs, @sizeBytes, @why, @intendedUs)`,
    ).run({
      derivedId: removal.derivedId,
      segmentId: removal.segmentId,
      cameraId: removal.cameraId,
      startUs: removal.startUs,
      endUs: removal.endUs,
      sizeBytes: removal.sizeBytes,
      why: removal.why,
      intendedUs: removal.intendedUs,
    }).lastInsertRowid,
  );

export interface OpenRemoval {
  readonly id: number;
  readonly derivedId: number;
  readonly segmentId: number;
  readonly why: RemovalReason;
}

/** Removals that were decided and are not known to be done. */
export const openRemovals = (db: Database): OpenRemoval[] =>
  prepared(
    db,
    'SELECT id, derived_id AS derivedId, segment_id AS segmentId, why FROM vault_removal WHERE done_us IS NULL ORDER BY id',
  ).all() as OpenRemoval[];

export const finishRemoval = (db: Database, id: number, atUs: number): void => {
  prepared(db, 'UPDATE vault_removal SET done_us = ? WHERE id = ? AND done_us IS NULL').run(atUs, id);
};

/** Records expire like those of deletions. Gives how many. */
export const expireRemovals = (db: Database, beforeUs: number): number =>
  prepared(db, 'DELETE FROM vault_removal WHERE done_us < ?').run(beforeUs).changes;
