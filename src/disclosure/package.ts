/**
 * Writing the package of what was approved. In this order, so that a crash leaves one of three things:
 *
 * 1. <id>.partial is filled and synced: originals, masked copies, keys, README, manifest, signature. What is hashed is what
 *    will be handed over. A crash before 2 leaves an approved request and a folder that nobody vouches for: it is removed,
 *    and packaging starts again.
 * 2. One act: "request.packaged" with the hash of the manifest, state "packaged". The log says it before anybody can have it.
 *    A crash before the end leaves a packaged request and its .partial: `finishPackage` does the rest, as always.
 * 3. Proof and checkpoint (they hold the event of 2, so they can only come after it), the ZIP, and its verification; each
 *    can be written again.
 * 4. Renames: the ZIP, then the folder. The folder is last: where it has its name, everything is there.
 */
import type { Actor } from '../domain/audit-event.js';
import { assertTransition } from '../domain/disclosure.js';
import { assertRight, type User } from '../domain/user.js';
import { registerDerived } from '../store/derived-files.js';
import { getRequest, itemsOf, updateRequest, type RequestRow } from '../store/requests.js';
import { claim, requestSubject, underLease, type DisclosureContext, type Run } from './context.js';
import { packageArchive, packageFolder, removeFiles } from './files.js';
import { dayUs } from '../domain/retention-rules/rule.js';
import { partialSuffix } from '../platform/durable-file.js';
import { forgetPartial, isUnfinished, finishPackage, type FinishedPackage } from './package-finish.js';
import { fillPackage } from './package-fill.js';

export interface PackagedRequest extends FinishedPackage {
  readonly request: RequestRow;
}

/**
 * Writes the package, or finishes one that a crash cut short. Throws `approval-void` where anything on disk or in the request
 * differs from what was approved (the request is then "prepared" again), `conflict` in the wrong state, `interrupted`,
 * `disk-full`, `io-failed`.
 */
export async function packageRequest(
  ctx: DisclosureContext,
  user: User,
  id: string,
  run: Run = {},
): Promise<PackagedRequest> {
  assertRight(user, 'request.package');
  const actor: Actor = `user:${user.id}`;
  const finished = await underLease(ctx, id, run, {
    begin: (untilUs) => {
      begin(ctx, id, untilUs);
    },
    work: async (signal, assertMine) => {
      if (getRequest(ctx.store.db, id).state !== 'packaged') {
        // Left by a crash, or by an approval that was given up.
        removeFiles(ctx.dataDir, [packageFolder(id), packageArchive(id)]);
        const filled = await fillPackage(ctx, user, id, signal);
        signal.throwIfAborted();
        assertMine();
        notePackaged(ctx, actor, id, filled);
      }
      return finishPackage(ctx, id, signal);
    },
    onFailure: () => {
      // Once the log says that there is a package, its .partial is what it will be finished from.
      if (getRequest(ctx.store.db, id).state !== 'packaged') dropUnfinished(ctx, id);
    },
  });
  return { request: getRequest(ctx.store.db, id), ...finished };
}

function begin(ctx: DisclosureContext, id: string, untilUs: number): void {
  const { db, clock } = ctx.store;
  db.transaction(() => {
    const { state } = getRequest(db, id);
    if (!isUnfinished(ctx, id)) assertTransition(id, state, 'packaged');
    claim(ctx, id, untilUs);
    // Bookkeeping before the act: what is about to be written has to be known, whatever becomes of it.
    const segmentIds = itemsOf(db, id).map((item) => item.segmentId);
    for (const [kind, path] of [
      ['package', packageFolder(id) + partialSuffix],
      ['package', packageArchive(id) + partialSuffix],
      ['package', packageFolder(id)],
      ['archive', packageArchive(id)],
    ] as const) {
      registerDerived(db, { path, kind, requestId: id, segmentIds, createdUs: clock.nowUs() });
    }
  }).immediate();
}

function notePackaged(
  ctx: DisclosureContext,
  actor: Actor,
  id: string,
  filled: { readonly manifestSha256: string; readonly scopeHash: string; readonly files: number },
): void {
  const { db, clock } = ctx.store;
  ctx.store.act(actor, (note) => {
    const request = getRequest(db, id);
    assertTransition(id, request.state, 'packaged');
    updateRequest(db, id, 'packaged', { packageExpiresUs: clock.nowUs() + Math.round(ctx.packageDays * dayUs) });
    note('request.packaged', requestSubject(id), { ...filled });
  });
}

/** Removes what never became a package. */
export function dropUnfinished(ctx: DisclosureContext, id: string): void {
  removeFiles(ctx.dataDir, [packageFolder(id), packageArchive(id)]);
  forgetPartial(ctx, id, 'all');
}
