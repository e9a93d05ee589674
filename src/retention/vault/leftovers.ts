/**
 * What a crash, or a database that was put back from a backup, leaves in the vault. A half-made copy is removed. A whole one is
 * never thrown away for want of a row: the recorder may have deleted the original since, so it is compared with its card and
 * taken over. What no hold covers goes.
 */
import { lstat, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError, toGatewayError } from '../../errors.js';
import { joinBeneath, partialSuffix } from '../../platform/durable-file.js';
import { findCamera } from '../../store/cameras.js';
import { forgetDerived } from '../../store/derived-files.js';
import { holdsCovering } from '../../store/holds.js';
import { findRoot } from '../../store/roots.js';
import { insertSegment } from '../../store/segment-inserts.js';
import { findByPath, markMissing, segmentsIn } from '../../store/segments.js';
import { closeTask, openTask, openTasks } from '../../store/tasks.js';
import { beginCopy, listCopies, wholeCopyOf } from '../../store/vault-copies.js';
import { readCard, type Card } from './card.js';
import { vaultFolder, type VaultContext, type VaultRun } from './context.js';
import { cardName, type CopyMade } from './copy-here.js';
import type { Copier } from './copy-thread.js';
import { registerCopy } from './register.js';
import { removeCopies, removeFolder, syncVault } from './release.js';

const unknownTask = { kind: 'vault-unknown', subject: 'gateway:vault' } as const;
/** Opened when a database was put back: until a person has looked at the holds, nothing that may have been held is removed. */
const restoredTask = 'database-restored';
/** Names that the gateway gives; anything else somebody put there is his, and `check` names it. */
const ourName = /^s\d+-[0-9a-f]{12}$/;

/** For a caller that has the lock of the vault: no other process is in the middle of a copy. */
export async function clearLeftovers(ctx: VaultContext, run: VaultRun, copier: Copier): Promise<void> {
  const { db } = ctx.store;
  const unmade: number[] = [];
  for (const copy of listCopies(db)) {
    if (copy.state !== 'copying') continue;
    const made = await wholeOnDisk(ctx, copier, copy.path);
    if (made === null || !finish(ctx, copy.segmentId, copy.derivedId, made.copy)) unmade.push(copy.derivedId);
  }
  await dropBegun(ctx, unmade);
  await removeCopies(ctx, run);
  await clearStrangers(ctx, copier);
}

function finish(ctx: VaultContext, segmentId: number, derivedId: number, made: CopyMade): boolean {
  try {
    registerCopy(ctx, { id: segmentId }, derivedId, made);
    return true;
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'conflict') return false;
    throw error;
  }
}

/** Copies that did not become whole: their folders and their rows. */
export async function dropBegun(ctx: VaultContext, derivedIds: readonly number[]): Promise<void> {
  if (derivedIds.length === 0) return;
  const { store } = ctx;
  const paths = new Map(listCopies(store.db).map(({ derivedId, path }) => [derivedId, path]));
  for (const id of derivedIds) {
    const path = paths.get(id);
    if (path !== undefined) await removeFolder(ctx.dataDir, path);
  }
  await syncVault(ctx.dataDir);
  store.act('gateway', (note) => {
    for (const id of derivedIds) forgetDerived(store.db, id);
    note('vault.removed', 'gateway:vault', { why: 'not-whole', copies: [...derivedIds] });
  });
}

/** What lies in a folder of the vault, where its card says that it is whole and its bytes are those of the card; else null. */
async function wholeOnDisk(
  ctx: VaultContext,
  copier: Copier,
  path: string,
): Promise<{ readonly card: Card; readonly copy: CopyMade } | null> {
  const folder = joinBeneath(ctx.dataDir, path);
  let text: string;
  try {
    if (!(await lstat(folder)).isDirectory()) return null;
    text = await readFile(join(folder, cardName), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw toGatewayError(error, `looking at the protected copy ${path}`);
  }
  const card = readCard(text);
  if (card === null) return null;
  const found = await copier.hash({ what: 'hash', root: folder, path: card.fileName }).catch((error: unknown) => {
    const { code } = toGatewayError(error);
    if (code === 'footage-gone' || code === 'segment-changed') return null;
    throw error;
  });
  if (found === null || found.sha256 !== card.sha256 || found.stamp.sizeBytes !== card.sizeBytes) return null;
  const { method, sha256, initSha256, segment } = card;
  const source = { inode: segment.inode, sizeBytes: segment.sizeBytes, mtimeUs: segment.mtimeUs };
  return { card, copy: { ...found.stamp, method, sha256, initSha256, source } };
}

/** Folders of the vault without a row. */
async function clearStrangers(ctx: VaultContext, copier: Copier): Promise<void> {
  const { store, log } = ctx;
  const { db, clock } = store;
  const names = await readdir(join(ctx.dataDir, vaultFolder)).catch((error: unknown) => {
    // Nothing was ever held here.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw toGatewayError(error, 'looking into the vault');
  });
  const known = new Set(listCopies(db).map(({ path }) => path));
  const removed: string[] = [];
  const kept: string[] = [];
  for (const name of names) {
    const path = `${vaultFolder}/${name}`;
    if (known.has(path)) continue;
    const whole = name.endsWith(partialSuffix) ? name.slice(0, -partialSuffix.length) : name;
    if (!ourName.test(whole)) {
      log.warn({ name }, 'something lies in the vault that the gateway did not put there; it is not touched');
      continue;
    }
    const found = name === whole ? await wholeOnDisk(ctx, copier, path) : null;
    if (found !== null && adopt(ctx, path, found.card, found.copy)) continue;
    // Bytes that do not fit their card prove nothing and may still be footage: a person decides while it is unclear what was held.
    const isUnclear = name === whole && openTasks(db).some(({ kind }) => kind === restoredTask);
    if (isUnclear) kept.push(found === null ? name : `${name} (camera ${found.card.segment.cameraId})`);
    else {
      await removeFolder(ctx.dataDir, `${vaultFolder}/${whole}`);
      removed.push(whole);
    }
  }
  if (removed.length > 0) {
    await syncVault(ctx.dataDir);
    log.warn({ removed: removed.length }, 'leftovers in the vault, of nothing that is held, are removed');
    store.act('gateway', (note) => {
      note('vault.removed', 'gateway:vault', { why: 'not-known', folders: removed });
    });
  }
  if (kept.length > 0) {
    openTask(db, {
      ...unknownTask,
      detail: `The database was put back from a backup, and no hold that it knows covers ${kept.length} copies in the vault: ${kept.slice(0, 5).join(', ')}. Place the holds again that are missing: then the copies are taken over. When the task "database-restored" is closed, the others are removed.`,
      createdUs: clock.nowUs(),
    });
  } else closeTask(db, unknownTask.kind, unknownTask.subject, clock.nowUs());
}

/**
 * Takes over a whole copy that the database does not know: of a segment that it knows, or whose row is lost with it. False where no
 * hold covers it, another copy stands for it already, or the database does not know the camera or the root.
 */
function adopt(ctx: VaultContext, path: string, { segment: facts, fileName }: Card, made: CopyMade): boolean {
  const { store, log } = ctx;
  const { db, clock } = store;
  if (holdsCovering(db, facts.cameraId, facts, clock.nowUs()).length === 0) return false;
  if (findCamera(db, facts.cameraId) === null || findRoot(db, facts.rootId) === null) return false;
  const known = segmentsIn(db, [facts.cameraId], facts).concat(findByPath(db, facts.rootId, facts.path) ?? []);
  const row = known.find((one) => one.startUs === facts.startUs && one.sizeBytes === facts.sizeBytes);
  if (row === undefined && findByPath(db, facts.rootId, facts.path) !== null) return false;
  if (row !== undefined && (row.state === 'deleting' || wholeCopyOf(db, row.id) !== null)) return false;
  const { derivedId, segmentId } = store.act('gateway', (note) => {
    const id = row?.id ?? insertSegment(db, facts);
    // Whether it is on the recorder's disk says the next scan.
    if (row === undefined) markMissing(db, id, clock.nowUs());
    const begun = beginCopy(db, { path, fileName, segmentId: id, createdUs: clock.nowUs() });
    note('vault.begun', 'gateway:vault', { copies: [{ copy: begun, segment: id }], found: true });
    return { derivedId: begun, segmentId: id };
  });
  registerCopy(ctx, { id: segmentId }, derivedId, made, 'vault.adopted');
  log.warn({ segment: segmentId }, 'a protected copy that the database did not know was taken over');
  return true;
}
