/**
 * Pictures that were made are kept for some hours, since making one costs a decoder. Each is in the inventory of the segments
 * that it shows, and goes with them.
 *
 * 1. One act: the look is noted, and a picture that is not there yet is registered. Refused where a segment is being deleted.
 * 2. The picture is made, in memory. A crash here leaves a row without a file.
 * 3. One transaction, in which no deletion can begin: is its row still there, and every segment? Then it is written. A crash
 *    within leaves a row, and perhaps a temporary file, which is removed with the row: by retention, or when its hours are over.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { canonicalJson, type Json } from '../../domain/canonical-json.js';
import { isThere, type Segment, type TimeRange } from '../../domain/segment.js';
import { GatewayError, toGatewayError } from '../../errors.js';
import { joinBeneath, partialSuffix } from '../../platform/durable-file.js';
import type { Database } from '../../store/database.js';
import {
  findPicture,
  finishPicture,
  forgetDerived,
  listPictures,
  registerDerived,
  type PictureFile,
  type PictureKind,
} from '../../store/derived-files.js';
import { findById } from '../../store/segments.js';
import type { Look, PictureContext } from './context.js';

export const picturesFolder = 'stills';
/** No picture takes as long as this to make: what is unfinished by then was left by a crash. */
const abandonedUs = 600_000_000;

export interface PictureAsk {
  readonly kind: PictureKind;
  readonly cameraId: string;
  readonly range: TimeRange;
  /** What the picture depends on beside its segments. */
  readonly of: { readonly [key: string]: Json };
  /** Those that it shows. */
  readonly segments: readonly Segment[];
}

export interface Picture {
  readonly jpeg: Buffer;
  /** Relative to the data folder. */
  readonly path: string;
}

/** The picture, made now where it is not at hand. The look is in the log before anything is made or given. */
export async function pictureOf(
  ctx: PictureContext,
  look: Look,
  ask: PictureAsk,
  make: () => Promise<Buffer>,
): Promise<Picture> {
  const path = pathOf(ask);
  const kept = begin(ctx, look, ask, path);
  if (kept !== null) return { jpeg: kept, path };
  try {
    const jpeg = await make();
    keep(ctx, ask, path, jpeg);
    return { jpeg, path };
  } catch (error) {
    forgetUnfinished(ctx, path);
    throw error;
  }
}

/** What was rewritten, or moved to another disk, is another picture. */
function pathOf({ kind, cameraId, range, of, segments }: PictureAsk): string {
  const files = segments.map(({ id, inode, sizeBytes, mtimeUs }) => [id, inode, sizeBytes, mtimeUs]);
  const key = canonicalJson({ kind, cameraId, startUs: range.startUs, endUs: range.endUs, of, files });
  return `${picturesFolder}/${createHash('sha256').update(key).digest('hex').slice(0, 40)}.jpg`;
}

function begin(ctx: PictureContext, look: Look, ask: PictureAsk, path: string): Buffer | null {
  const { store } = ctx;
  const { kind, cameraId, range, segments } = ask;
  const segmentIds = [...new Set(segments.map((segment) => segment.id))];
  return store.act(look.actor, (note) => {
    const nowUs = store.clock.nowUs();
    assertThere(store.db, segmentIds);
    const known = findPicture(store.db, path);
    const kept = known === null || isOver(ctx, known, nowUs) ? null : read(ctx, known);
    if (kept === null) registerDerived(store.db, { path, kind, requestId: null, segmentIds, createdUs: nowUs });
    note('footage.viewed', `camera:${cameraId}`, {
      what: kind,
      camera: cameraId,
      startUs: range.startUs,
      endUs: range.endUs,
      segments: segmentIds,
      purpose: look.purpose,
    });
    return kept;
  });
}

function assertThere(db: Database, segmentIds: readonly number[]): void {
  const here = (id: number): boolean => {
    const segment = findById(db, id);
    return segment !== null && isThere(segment);
  };
  if (segmentIds.every(here)) return;
  throw new GatewayError('footage-gone', 'This footage is being deleted, or was.', {
    remedy: 'Look at the coverage: the deletion records say when.',
  });
}

/** Null where it is not whole: a power cut may leave less than was written. */
function read(ctx: PictureContext, picture: PictureFile): Buffer | null {
  if (picture.sizeBytes === null) return null;
  try {
    const jpeg = readFileSync(joinBeneath(ctx.dataDir, picture.path));
    return jpeg.length === picture.sizeBytes ? jpeg : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw toGatewayError(error, `reading ${picture.path}`);
  }
}

/** Writes within the transaction: then a sweep comes either before, and is seen, or after, and removes the file. */
function keep(ctx: PictureContext, ask: PictureAsk, path: string, jpeg: Buffer): void {
  const { db } = ctx.store;
  const full = joinBeneath(ctx.dataDir, path);
  db.transaction(() => {
    assertThere(
      db,
      ask.segments.map((segment) => segment.id),
    );
    const row = findPicture(db, path);
    if (row === null || !finishPicture(db, row.id, jpeg.length)) {
      throw new GatewayError('conflict', 'This picture was removed while it was made.', { remedy: 'Ask again.' });
    }
    try {
      mkdirSync(dirname(full), { recursive: true, mode: 0o750 });
      writeFileSync(full + partialSuffix, jpeg, { mode: 0o640 });
      renameSync(full + partialSuffix, full);
    } catch (error) {
      throw toGatewayError(error, `writing ${path}`);
    }
  }).immediate();
  if (roomTaken(db) > ctx.maxBytes) prunePictures(ctx);
}

const roomTaken = (db: Database): number =>
  listPictures(db).reduce((sum, picture) => sum + (picture.sizeBytes ?? 0), 0);

function forgetUnfinished(ctx: PictureContext, path: string): void {
  const { db } = ctx.store;
  db.transaction(() => {
    const row = findPicture(db, path);
    if (row?.sizeBytes === null) remove(ctx, row);
  }).immediate();
}

function remove(ctx: PictureContext, picture: PictureFile): void {
  const full = joinBeneath(ctx.dataDir, picture.path);
  rmSync(full, { force: true });
  rmSync(full + partialSuffix, { force: true });
  forgetDerived(ctx.store.db, picture.id);
}

/** Its hours are over; a clock that was set back does not give it more of them. */
const isOver = (ctx: PictureContext, picture: PictureFile, nowUs: number): boolean =>
  picture.createdUs + ctx.keepUs <= nowUs ||
  picture.createdUs > nowUs + abandonedUs ||
  (picture.sizeBytes === null && picture.createdUs + abandonedUs <= nowUs);

/**
 * Removes pictures whose hours are over, then the oldest until the others fit, and files that no row knows: left by a crash, or
 * of a database that was restored. At every start and now and then. Gives how many files went.
 */
export function prunePictures(ctx: PictureContext): number {
  const { store } = ctx;
  const nowUs = store.clock.nowUs();
  const strangers = strangersIn(ctx, nowUs);
  const goes = (pictures: readonly PictureFile[]): PictureFile[] => {
    let room = pictures.reduce((sum, picture) => sum + (picture.sizeBytes ?? 0), 0);
    return pictures.filter((picture) => {
      if (!isOver(ctx, picture, nowUs) && (room <= ctx.maxBytes || picture.sizeBytes === null)) return false;
      room -= picture.sizeBytes ?? 0;
      return true;
    });
  };
  if (strangers.length === 0 && goes(listPictures(store.db)).length === 0) return 0;
  return store.act('gateway', (note) => {
    const gone = goes(listPictures(store.db));
    for (const picture of gone) remove(ctx, picture);
    for (const path of strangers) rmSync(join(ctx.dataDir, path), { force: true });
    const files = gone.length + strangers.length;
    note('derived.removed', 'gateway', { files, why: 'pictures-kept-long-enough' });
    return files;
  });
}

/** Not what was written a moment ago: another process may be about to give it its name. */
function strangersIn(ctx: PictureContext, nowUs: number): string[] {
  const folder = join(ctx.dataDir, picturesFolder);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw toGatewayError(error, `looking into ${folder}`);
  }
  const known = new Set(listPictures(ctx.store.db).map((picture) => picture.path));
  return names
    .filter((name) => /^[0-9a-f]{40}\.jpg(?:\.partial)?$/.test(name))
    .map((name) => `${picturesFolder}/${name}`)
    .filter((path) => !known.has(path.replace(/\.partial$/, '')))
    .filter((path) => {
      const stat = statSync(join(ctx.dataDir, path), { throwIfNoEntry: false });
      return stat !== undefined && nowUs - stat.mtimeMs * 1000 > abandonedUs;
    });
}
