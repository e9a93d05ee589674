/** What was made from footage goes before the footage does: a copy that outlives its original would be found by nobody. */
import { realpath, rm } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import type { Actor } from '../domain/audit-event.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { growingSuffix, joinBeneath, partialSuffix, syncDirectory } from '../platform/durable-file.js';
import { truncateWal } from '../store/database.js';
import { derivedOfSegment, forgetDerived, type DerivedFile } from '../store/derived-files.js';
import { endedWithNames, forgetItemNames, getRequest, updateRequest } from '../store/requests.js';
import { forgetClosedDetails, hasClosedDetails, openTask } from '../store/tasks.js';
import type { RetentionContext, RetentionRun } from './context.js';

/**
 * Removes every derived file that shows one of the segments, syncs the folders, and then forgets the rows in one transaction.
 * A crash before that leaves rows without files, which the next start removes again. Gives how many went, and by segment why
 * something could not be removed: that segment is not deleted now, or nobody would look for its copies any more.
 */
export async function removeDerivedOf(
  ctx: RetentionContext,
  run: RetentionRun & { readonly actor: Actor },
  segmentIds: readonly number[],
): Promise<{ readonly removed: number; readonly failures: ReadonlyMap<number, GatewayError> }> {
  const { store } = ctx;
  const files = new Map<number, { file: DerivedFile; shows: number[] }>();
  for (const segmentId of segmentIds) {
    for (const file of derivedOfSegment(store.db, segmentId)) {
      const entry = files.get(file.id) ?? { file, shows: [] };
      entry.shows.push(segmentId);
      files.set(file.id, entry);
    }
  }
  const failures = new Map<number, GatewayError>();
  if (files.size === 0) return { removed: 0, failures };

  const gone: { file: DerivedFile; shows: number[]; folder: string }[] = [];
  const fail = (shows: readonly number[], error: unknown, what: string): void => {
    for (const id of shows) failures.set(id, toGatewayError(error, what));
  };
  for (const { file, shows } of files.values()) {
    try {
      gone.push({ file, shows, folder: await remove(ctx.dataDir, file.path) });
      run.onStep?.('derived-unlinked');
    } catch (error) {
      fail(shows, error, `removing what was made from it (${file.kind})`);
    }
  }
  const synced: DerivedFile[] = [];
  for (const folder of new Set(gone.map((one) => one.folder))) {
    const inFolder = gone.filter((one) => one.folder === folder);
    try {
      await syncDirectory(folder);
      synced.push(...inFolder.map((one) => one.file));
    } catch (error) {
      for (const { shows } of inFolder) fail(shows, error, 'syncing the folder of what was made from it');
    }
  }
  run.onStep?.('derived-synced');
  if (synced.length === 0) return { removed: 0, failures };
  store.act(run.actor, (note) => {
    // Pictures that were made to look at are of no request, and nobody waits for them.
    const requests = [...new Set(synced.flatMap((file) => file.requestId ?? []))].sort();
    for (const file of synced) forgetDerived(store.db, file.id);
    // What its items say of the footage goes too, also where the request goes on.
    const shown = synced.flatMap((file) => files.get(file.id)?.shows ?? []);
    for (const id of requests) forgetItemNames(store.db, id, shown);
    for (const id of requests) {
      if (['refused', 'closed'].includes(getRequest(store.db, id).state)) continue;
      openTask(store.db, {
        kind: 'request-footage-expired',
        subject: `request:${id}`,
        detail: `The hold of request ${id} ended before the request did, and its footage is gone. Close the request.`,
        createdUs: store.clock.nowUs(),
      });
    }
    note('derived.removed', 'gateway', { why: 'retention', files: synced.map((file) => file.id), requests });
    run.onStep?.('derived-written');
  });
  run.onStep?.('derived-forgotten');
  return { removed: synced.length, failures };
}

/** What an earlier release kept of requests and tasks that ended. At every start; nothing to do from the second on. */
export function forgetFormerNames({ store }: Pick<RetentionContext, 'store'>): void {
  const { db } = store;
  const ended = endedWithNames(db);
  if (ended.length === 0 && !hasClosedDetails(db)) return;
  store.act('gateway', (note) => {
    for (const id of ended) {
      forgetItemNames(db, id);
      updateRequest(db, id, getRequest(db, id).state, { failure: null });
    }
    const tasks = forgetClosedDetails(db);
    note('derived.removed', 'gateway', { why: 'names-of-former-release', requests: ended.length, tasks });
  });
  truncateWal(db);
}

/** Removes a file or a package's folder with what a crash left beside it. Gives the nearest folder that is still there. */
async function remove(dataDir: string, path: string): Promise<string> {
  const full = joinBeneath(dataDir, path);
  const base = await realpath(dataDir);
  let folder = dirname(full);
  for (;;) {
    try {
      const real = await realpath(folder);
      if (real !== base && !real.startsWith(base + sep)) {
        throw new GatewayError('io-failed', `${folder} leads out of the data folder.`, {
          remedy: 'Find out who put a link there; remove it by hand.',
        });
      }
      break;
    } catch (error) {
      // Its whole folder is gone already: then the folder above is what has to be synced.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || folder === dataDir) throw error;
      folder = dirname(folder);
    }
  }
  // rm removes a link itself and never what it leads to.
  await rm(full, { recursive: true, force: true });
  await rm(full + partialSuffix, { recursive: true, force: true });
  await rm(full + growingSuffix, { force: true });
  return folder;
}
