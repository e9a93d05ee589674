/** How a disclosure ends: files first, then their rows, the hold, and the event that says so. */
import type { Actor } from '../domain/audit-event.js';
import { assertTransition } from '../domain/disclosure.js';
import type { User } from '../domain/user.js';
import { GatewayError, toGatewayError } from '../errors.js';
import type { Note } from '../store/audit-log.js';
import { truncateWal } from '../store/database.js';
import { derivedOfRequest } from '../store/derived-files.js';
import { holdOfRequest, liftHold } from '../store/holds.js';
import { getRequest, listRequests, updateRequest, type RequestRow } from '../store/requests.js';
import { closeTask } from '../store/tasks.js';
import {
  actorOf,
  claim,
  cleanUpTask,
  leaseIsLive,
  requestSubject,
  underLease,
  type DisclosureContext,
} from './context.js';
import { discardAll } from './files.js';

export type CloseReason = 'received' | 'withdrawn' | 'expired';

/**
 * Ends a request: its files go, its hold is lifted, and what stays are the rows, the log and the manifest. "received" and
 * "expired" end a package, "withdrawn" ends a request that never became one. Throws `conflict`.
 */
export async function closeRequest(
  ctx: DisclosureContext,
  who: User | Actor,
  id: string,
  why: CloseReason,
): Promise<RequestRow> {
  const actor = actorOf(who, 'request.close');
  const { db, clock } = ctx.store;
  await underLease(
    ctx,
    id,
    {},
    {
      begin: (untilUs) => {
        db.transaction(() => {
          const { state } = getRequest(db, id);
          assertTransition(id, state, 'closed');
          if (why !== 'withdrawn' && state !== 'packaged') {
            throw new GatewayError('conflict', `Request ${id} is "${state}": nothing was handed over.`, {
              remedy: 'Withdraw it, or go on with it.',
            });
          }
          claim(ctx, id, untilUs);
        }).immediate();
      },
      // A crash after the files are gone and before the act leaves rows without files: closing it again does the rest.
      work: () => {
        const discarded = discardAll(ctx, id);
        ctx.store.act(actor, (note) => {
          const { state } = getRequest(db, id);
          assertTransition(id, state, 'closed');
          if (state === 'approved') note('request.approval-voided', requestSubject(id), { why });
          note('derived.removed', requestSubject(id), { files: discarded.forget(), why });
          updateRequest(db, id, 'closed', { closedUs: clock.nowUs(), failure: null });
          note('request.closed', requestSubject(id), { why });
          liftHoldOf(ctx, note, id, actor);
          // What was asked of a person about this request is settled with it.
          for (const kind of [cleanUpTask, 'request-footage-expired']) {
            closeTask(db, kind, requestSubject(id), clock.nowUs());
          }
        });
        return Promise.resolve();
      },
    },
  );
  // The names of what is gone leave the write-ahead log as well. A reader in the way only puts it off to the next purge.
  truncateWal(db);
  return getRequest(db, id);
}

/** Lifts the request's own hold where it is still in force. Other holds on the same footage are none of its business. */
export function liftHoldOf(ctx: DisclosureContext, note: Note, id: string, actor: Actor): void {
  const { db, clock } = ctx.store;
  const hold = holdOfRequest(db, id);
  if (hold === null || !liftHold(db, hold.id, actor, clock.nowUs())) return;
  note('hold.lifted', `hold:${hold.id}`, { request: id });
}

/** Removes what was made for a request that was refused. */
export function discardRefused(ctx: DisclosureContext, actor: Actor, id: string): void {
  if (derivedOfRequest(ctx.store.db, id).length === 0) return;
  const discarded = discardAll(ctx, id);
  ctx.store.act(actor, (note) => {
    note('derived.removed', requestSubject(id), { files: discarded.forget(), why: 'refused' });
  });
}

/**
 * Closes every package whose days are over. Gives how many. One that fails does not keep the others: it is logged, and the
 * first failure is thrown at the end, so that nobody takes it for done.
 */
export async function expirePackages(ctx: DisclosureContext): Promise<number> {
  const { db, clock } = ctx.store;
  let expired = 0;
  let failure: GatewayError | null = null;
  for (const request of listRequests(db)) {
    const nowUs = clock.nowUs();
    if (request.state !== 'packaged' || (request.packageExpiresUs ?? Infinity) > nowUs) continue;
    if (leaseIsLive(request, nowUs)) continue;
    try {
      await closeRequest(ctx, 'gateway', request.id, 'expired');
      expired += 1;
    } catch (error) {
      failure ??= toGatewayError(error);
      ctx.log.error({ err: toGatewayError(error), request: request.id }, 'an expired package could not be removed');
    }
  }
  if (failure !== null) throw failure;
  return expired;
}
