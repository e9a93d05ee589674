/** Finishes or undoes what a crash left: with the same functions that do the work when nothing crashes. */
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError, toGatewayError } from '../errors.js';
import { recordOf } from '../evidence/record.js';
import { partialSuffix, writeDurably } from '../platform/durable-file.js';
import { derivedOfRequest } from '../store/derived-files.js';
import { getRequest, itemsOf, listRequests, type RequestRow } from '../store/requests.js';
import { closeTask, openTask } from '../store/tasks.js';
import { claim, cleanUpTask, leaseIsLive, requestSubject, underLease, type DisclosureContext } from './context.js';
import { discardAll, formerRecord, packageArchive, packageFolder, recordFile, removeFiles } from './files.js';
import { dropUnused, keepOldMasks, unusedCopies } from './masks.js';
import { finishPackage, forgetPartial, isUnfinished } from './package-finish.js';
import { dropUnfinished } from './package.js';
import { fail, reasonOf, withoutNames } from './prepare.js';

/**
 * At every start, before anything is served, and now and then later: a worker that died a moment ago is believed alive until
 * its lease ends. What a living worker holds is left alone. What cannot be finished becomes a task for a person and an error
 * in the log, but does not throw: deleting in time must go on, whatever is wrong with one package.
 */
export async function cleanUpAfterCrash(ctx: DisclosureContext): Promise<void> {
  const { db, clock } = ctx.store;
  for (const { id } of listRequests(db)) {
    const isLeft = (): boolean => leftBehind(ctx, getRequest(db, id));
    if (!isLeft() || leaseIsLive(getRequest(db, id), clock.nowUs())) continue;
    try {
      await underLease(
        ctx,
        id,
        {},
        {
          begin: (untilUs) => {
            claim(ctx, id, untilUs);
          },
          // Looked at again: between the look above and the lease another process may have done it.
          work: (signal) => (isLeft() ? cleanUp(ctx, getRequest(db, id), signal) : Promise.resolve()),
        },
      );
      closeTask(db, cleanUpTask, requestSubject(id), clock.nowUs());
    } catch (error) {
      const failure = toGatewayError(error);
      ctx.log.error({ err: failure, request: id }, 'what a crash left could not be cleaned up');
      openTask(db, {
        kind: cleanUpTask,
        subject: requestSubject(id),
        detail: `After a crash: ${withoutNames(ctx, id, reasonOf(failure))}`,
        createdUs: clock.nowUs(),
      });
    }
  }
  removeStrangers(ctx);
  await reduceFormerRecords(ctx);
}

/** Whole manifests that an earlier release kept: what the recorder called a file outlived the file there. */
async function reduceFormerRecords(ctx: DisclosureContext): Promise<void> {
  const folder = join(ctx.dataDir, 'records');
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const [, id] = formerRecord.exec(name) ?? [];
    if (id === undefined) continue;
    try {
      await writeDurably(join(ctx.dataDir, recordFile(id)), recordOf(await readFile(join(folder, name), 'utf8')));
      removeFiles(ctx.dataDir, [`records/${name}`]);
    } catch (error) {
      ctx.log.error(
        { err: toGatewayError(error), request: id },
        'the record of a package cannot be read; it stays as it is',
      );
    }
  }
}

const isThere = (ctx: DisclosureContext, path: string): boolean => existsSync(join(ctx.dataDir, path));

const hasPackageRows = (ctx: DisclosureContext, id: string, suffix: string): boolean =>
  derivedOfRequest(ctx.store.db, id).some((file) => file.path.startsWith('packages/') && file.path.endsWith(suffix));

/** Whether there is anything of this request that a finished act would not have left. */
function leftBehind(ctx: DisclosureContext, { id, state }: RequestRow): boolean {
  const { db } = ctx.store;
  switch (state) {
    case 'preparing':
      return true;
    case 'prepared':
    case 'reviewed':
    case 'approved':
      return unusedCopies(db, id).length > 0 || hasPackageRows(ctx, id, '');
    case 'packaged':
      return isUnfinished(ctx, id) || hasPackageRows(ctx, id, partialSuffix);
    case 'requested':
    case 'preparation-failed':
    case 'refused':
    case 'closed':
      return derivedOfRequest(db, id).length > 0;
  }
}

async function cleanUp(ctx: DisclosureContext, { id, state }: RequestRow, signal: AbortSignal): Promise<void> {
  const { db } = ctx.store;
  const stopped = new GatewayError('internal', 'The gateway stopped while this was under way.', {
    remedy: 'Start it again.',
  });
  switch (state) {
    case 'preparing':
      // With items it was a change of masks: what they were made from is whole and stays. Otherwise "preparation-failed",
      // not "requested": a recording that brings the gateway down must not do so at every start.
      if (itemsOf(db, id).length > 0) keepOldMasks(ctx, 'gateway', id, stopped);
      else fail(ctx, 'gateway', id, stopped);
      return;
    case 'prepared':
    case 'reviewed':
    case 'approved':
      dropUnused(ctx, 'gateway', id);
      dropUnfinished(ctx, id);
      return;
    case 'packaged':
      if (isUnfinished(ctx, id)) await finishPackage(ctx, id, signal);
      // Between the last rename and this there is nothing but names that are not there any more.
      removeFiles(ctx.dataDir, [packageFolder(id) + partialSuffix, packageArchive(id) + partialSuffix]);
      forgetPartial(ctx, id, isThere(ctx, packageFolder(id)) ? 'temporary' : 'all');
      return;
    case 'requested':
    case 'preparation-failed':
    case 'refused':
    case 'closed': {
      const discarded = discardAll(ctx, id);
      ctx.store.act('gateway', (note) => {
        note('derived.removed', requestSubject(id), { files: discarded.forget(), why: 'left-over' });
      });
    }
  }
}

/**
 * Copies of footage that no row knows, as after restoring an older database: nobody would ever delete them. Only names that
 * the gateway itself gives are touched; anything else somebody put there is his.
 */
function removeStrangers(ctx: DisclosureContext): void {
  // The folders first, the rows after: a request's row is always there before its folder.
  const found = ['requests', 'packages'].flatMap((folder) =>
    isThere(ctx, folder) ? readdirSync(join(ctx.dataDir, folder)).map((name) => ({ folder, name })) : [],
  );
  const known = new Set(listRequests(ctx.store.db).map((request) => request.id));
  const strangers = found
    .filter(({ name }) => {
      const [, id] = /^(r-[0-9a-f]{16})(?:\.zip)?(?:\.partial)*$/.exec(name) ?? [];
      return id !== undefined && !known.has(id);
    })
    .map(({ folder, name }) => `${folder}/${name}`);
  if (strangers.length === 0) return;
  ctx.log.warn({ strangers }, 'files of requests that the database does not know are removed');
  removeFiles(ctx.dataDir, strangers);
  ctx.store.act('gateway', (note) => {
    note('derived.removed', 'gateway', { files: strangers.length, why: 'unknown-request' });
  });
}
