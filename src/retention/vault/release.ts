/**
 * A copy without a hold may not stay. It goes with its segment, where that is due; else by itself, at once:
 *
 * 1. One transaction: no hold covers the segment (looked at inside), a `vault_removal`, state "removing". From here on the copy
 *    stands for nothing: a hold that comes now is told that footage which is only here is gone.
 * 2. The folder is removed, and the vault synced. A crash leaves a row in "removing": done again.
 * 3. One transaction: the rows go, the record is done; event `vault.removed`.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { deletionRecordUs, fateOf } from '../../domain/retention.js';
import type { Segment } from '../../domain/segment.js';
import { toGatewayError } from '../../errors.js';
import { joinBeneath, partialSuffix } from '../../platform/durable-file.js';
import { fsyncDirectory } from '../../platform/native.js';
import type { Note } from '../../store/audit-log.js';
import { getCamera } from '../../store/cameras.js';
import { truncateWal } from '../../store/database.js';
import { forgetDerived } from '../../store/derived-files.js';
import { activeHolds, holdsCovering } from '../../store/holds.js';
import { findById } from '../../store/segments.js';
import { closeTask, openTask } from '../../store/tasks.js';
import {
  expireRemovals,
  findCopy,
  finishRemoval,
  insertRemoval,
  listCopies,
  markRemoving,
  openRemovals,
  wholeCopies,
  type RemovalReason,
  type WholeCopy,
} from '../../store/vault-copies.js';
import { refusalReason, unsynchronisedReason } from '../trust.js';
import { vaultFolder, type VaultContext, type VaultRun } from './context.js';

const batchSize = 100;
const removalTask = { kind: 'vault-removal-failing', subject: 'gateway:vault' } as const;

interface Going {
  readonly copy: WholeCopy;
  readonly segment: Segment;
  readonly why: RemovalReason;
}

/** Within an act: the record, and the copy is as good as gone. */
export function intendRemoval({ store }: VaultContext, note: Note, going: readonly Going[]): void {
  const { db, clock } = store;
  const records = going.map(({ copy, segment: { id, cameraId, startUs, endUs }, why }) => {
    const { derivedId, sizeBytes } = copy;
    const facts = { derivedId, segmentId: id, cameraId, startUs, endUs, sizeBytes, why };
    markRemoving(db, derivedId);
    return { removal: insertRemoval(db, { ...facts, intendedUs: clock.nowUs() }), ...facts };
  });
  note('vault.removal-intended', 'gateway:vault', { records });
}

/** Removes copies that no hold covers any more. Gives how many went. */
export async function releaseUnheld(ctx: VaultContext, run: VaultRun): Promise<number> {
  const { store } = ctx;
  const { db, clock } = store;
  const going = wholeCopies(db).filter((copy) => mayGo(ctx, copy) !== null);
  // A clock that was set forward ends every hold. Without a clock that is believed nothing goes, here as in a sweep.
  if (going.length > 0 && (await clockIsBelieved(ctx))) {
    for (let at = 0; at < going.length; at += batchSize) {
      store.act('gateway', (note) => {
        const now = going.slice(at, at + batchSize).flatMap(({ segmentId }) => {
          const copy = wholeCopies(db).find((one) => one.segmentId === segmentId);
          const segment = copy === undefined ? null : mayGo(ctx, copy);
          return copy === undefined || segment === null ? [] : [{ copy, segment, why: 'hold-ended' as const }];
        });
        intendRemoval(ctx, note, now);
      });
      run.onStep?.('removal-intended');
    }
  }
  const removed = await removeCopies(ctx, run);
  expireRemovals(db, clock.nowUs() - deletionRecordUs);
  return removed;
}

/** The segment of a copy that may go by itself, or null: it is held, or being deleted, or due and goes with the next sweep. */
function mayGo(ctx: VaultContext, copy: WholeCopy): Segment | null {
  const { db, clock } = ctx.store;
  const segment = findById(db, copy.segmentId);
  if (segment === null || segment.state === 'deleting') return null;
  const nowUs = clock.nowUs();
  if (holdsCovering(db, segment.cameraId, segment, nowUs).length > 0) return null;
  const policy = getCamera(db, segment.cameraId);
  const { verdict } = fateOf(segment, policy, activeHolds(db, nowUs), nowUs, ctx.marginUs);
  return verdict === 'delete' ? null : segment;
}

async function clockIsBelieved(ctx: VaultContext): Promise<boolean> {
  const synchronised = (await ctx.synchronised?.()) ?? null;
  const doubt = refusalReason(ctx, ctx.store.clock.nowUs()) ?? unsynchronisedReason(ctx, synchronised);
  if (doubt !== null) ctx.log.error({ reason: doubt }, 'no protected copy is removed');
  return doubt === null;
}

/** Finishes every removal that was decided, by this run or one that was killed. Gives how many copies went. */
export async function removeCopies(ctx: VaultContext, run: VaultRun): Promise<number> {
  const { store, log } = ctx;
  const { db, clock } = store;
  const going = listCopies(db).filter(({ state }) => state === 'removing');
  const gone: number[] = [];
  let failure = null;
  for (const { derivedId, path } of going) {
    try {
      await removeFolder(ctx.dataDir, path);
      gone.push(derivedId);
      run.onStep?.('copy-unlinked');
    } catch (error) {
      failure = toGatewayError(error, `removing the protected copy ${path}`);
      log.error({ err: failure }, 'a protected copy could not be removed; it is tried again');
    }
  }
  if (gone.length > 0) {
    await syncVault(ctx.dataDir);
    run.onStep?.('removal-synced');
  }
  const open = openRemovals(db);
  // Also those whose copy went with its segment before its own turn came.
  const done = open.filter(({ derivedId }) => gone.includes(derivedId) || findCopy(db, derivedId) === null);
  if (done.length > 0 || gone.length > 0) {
    store.act('gateway', (note) => {
      for (const derivedId of gone) forgetDerived(db, derivedId);
      for (const { id } of done) finishRemoval(db, id, clock.nowUs());
      note('vault.removed', 'gateway:vault', {
        records: done.map(({ id, derivedId, segmentId, why }) => ({
          removal: id,
          copy: derivedId,
          segment: segmentId,
          why,
        })),
        copies: gone.length,
      });
    });
    run.onStep?.('removal-done');
    // The names of what is gone leave the write-ahead log as well. A reader in the way only puts it off to the next purge.
    truncateWal(db);
  }
  if (failure !== null) {
    const detail = `Protected copies of footage that is held no longer cannot be removed: ${failure.message}. It is tried again every minute; see to it that the gateway may delete in its data folder.`;
    openTask(db, { ...removalTask, detail, createdUs: clock.nowUs() });
  } else closeTask(db, removalTask.kind, removalTask.subject, clock.nowUs());
  return gone.length;
}

/** A copy's folder, whole and half-made. What is not there is gone already. */
export async function removeFolder(dataDir: string, path: string): Promise<void> {
  const full = joinBeneath(dataDir, path);
  // rm removes a link itself and never what it leads to.
  await rm(full, { recursive: true, force: true });
  await rm(full + partialSuffix, { recursive: true, force: true });
}

/** Nothing is in it where it is not there yet. */
export async function syncVault(dataDir: string): Promise<void> {
  try {
    await fsyncDirectory(join(dataDir, vaultFolder));
  } catch (error) {
    const failure = toGatewayError(error);
    if ((failure.cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT') throw failure;
  }
}
