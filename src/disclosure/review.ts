/** Looking at what would be handed over. Nothing is released that nobody looked at. */
import { assertAnotherPerson, assertTransition } from '../domain/disclosure.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { getRequest, itemsOf, updateRequest, type RequestRow } from '../store/requests.js';
import { assertNoWorker, requestSubject, type DisclosureContext } from './context.js';
import { contentOf } from './prepare.js';

/**
 * States that the masked copies were looked at, uncertain spans included. Binds the review to exactly what was rendered.
 * Throws `forbidden`, `same-person`, `conflict`; `input-invalid` where uncertain spans were not looked at.
 */
export function reviewRequest(
  ctx: DisclosureContext,
  user: User,
  id: string,
  { uncertainSeen }: { readonly uncertainSeen: boolean },
): RequestRow {
  assertRight(user, 'request.review');
  const { db, clock } = ctx.store;
  return ctx.store.act(`user:${user.id}`, (note) => {
    const request = getRequest(db, id);
    assertAnotherPerson(request.requestedBy, user.id);
    assertNoWorker(request, clock.nowUs());
    assertTransition(id, request.state, 'reviewed');
    if (request.failure !== null) {
      throw new GatewayError('conflict', `Request ${id} cannot be reviewed: ${request.failure}`, {
        remedy: 'Set the masks again, or prepare the request again.',
      });
    }
    const items = itemsOf(db, id);
    const uncertain = items.reduce((sum, item) => sum + item.summary.uncertainSpans, 0);
    if (uncertain > 0 && !uncertainSeen) {
      throw new GatewayError('input-invalid', `${uncertain} uncertain spans have to be looked at first.`, {
        remedy: 'Look at each of them, then say so.',
      });
    }
    const hash = contentOf(items);
    updateRequest(db, id, 'reviewed', { reviewedBy: user.id, reviewedUs: clock.nowUs(), reviewHash: hash });
    note('request.reviewed', requestSubject(id), { contentHash: hash, items: items.length, uncertainSpans: uncertain });
    return getRequest(db, id);
  });
}
