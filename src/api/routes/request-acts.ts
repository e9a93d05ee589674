/** What moves a request on. The stages check states and persons again in the transaction of the act itself. */
import { z } from 'zod';
import { assertTransition } from '../../domain/disclosure.js';
import { GatewayError } from '../../errors.js';
import { decisionsForm } from '../../redaction/forms.js';
import { getRequest, itemsOf } from '../../store/requests.js';
import type { ApiDeps } from '../deps.js';
import { route, type Route } from '../route.js';
import { closeReasons, type RequestStateView } from '../views.js';
import { requestParams } from './requests.js';

const reason = z.string().trim().min(1).max(2000).nullable();

const stateOf = (deps: ApiDeps, id: string): RequestStateView => ({
  request: getRequest(deps.store.db, id),
  job: deps.jobs.of(id),
});

/** What can be known before the job runs is answered now and not by a failed job later. */
function assertIdle(deps: ApiDeps, id: string): void {
  const job = deps.jobs.of(id);
  if (job === null || job.state === 'failed') return;
  throw new GatewayError('conflict', `Request ${id} is being worked on.`, { remedy: 'Wait until that is done.' });
}

export const requestActRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: '/api/requests/:id/prepare',
    right: 'request.prepare',
    status: 202,
    summary: 'Copy the originals, find the people and render the masked copies, in the background',
    params: requestParams,
    handler: ({ deps, user, params: { id } }): RequestStateView => {
      assertIdle(deps, id);
      assertTransition(id, getRequest(deps.store.db, id).state, 'preparing');
      deps.jobs.prepare(id, `user:${user.id}`);
      return stateOf(deps, id);
    },
  }),
  route({
    method: 'put',
    path: '/api/requests/:id/masks',
    right: 'request.review',
    status: 202,
    summary: 'Decide who is masked, and render again. Voids a review and an approval',
    params: requestParams,
    body: z.strictObject({
      items: z
        .array(z.strictObject({ position: z.int().min(0), decisions: decisionsForm }))
        .min(1)
        .max(1000),
    }),
    handler: ({ deps, user, params: { id }, body: { items } }): RequestStateView => {
      assertIdle(deps, id);
      const { state } = getRequest(deps.store.db, id);
      if (state !== 'prepared' && state !== 'reviewed' && state !== 'approved') {
        assertTransition(id, state, 'reviewed');
        throw new GatewayError('conflict', `Request ${id} is "${state}".`, { remedy: 'Prepare it first.' });
      }
      const positions = new Set(itemsOf(deps.store.db, id).map((item) => item.position));
      const unknown = items.find((item) => !positions.has(item.position));
      if (unknown !== undefined || new Set(items.map((item) => item.position)).size !== items.length) {
        throw new GatewayError('input-invalid', 'A position is not one of this request, or stands there twice.', {
          remedy: `Positions are ${[...positions].join(', ')}, each at most once.`,
        });
      }
      deps.jobs.setMasks(id, user, items);
      return stateOf(deps, id);
    },
  }),
  route({
    method: 'post',
    path: '/api/requests/:id/review',
    right: 'request.review',
    summary: 'Confirm that the masked copies were looked at, the uncertain spans above all',
    params: requestParams,
    body: z.strictObject({ uncertainSeen: z.boolean() }),
    handler: ({ deps, user, params: { id }, body }): RequestStateView => {
      assertIdle(deps, id);
      return { request: deps.disclosure.reviewRequest(user, id, body), job: deps.jobs.of(id) };
    },
  }),
  route({
    method: 'post',
    path: '/api/requests/:id/decision',
    right: 'request.decide',
    summary: 'Approve or refuse; never by the one who asked',
    params: requestParams,
    body: z.strictObject({
      approve: z.boolean(),
      reason: z.string().trim().min(1).max(2000),
      terms: z
        .strictObject({ audioReason: reason.default(null), redactedOnlyReason: reason.default(null) })
        .default({ audioReason: null, redactedOnlyReason: null }),
    }),
    handler: ({ deps, user, params: { id }, body }): RequestStateView => {
      assertIdle(deps, id);
      return { request: deps.disclosure.decideRequest(user, id, body), job: deps.jobs.of(id) };
    },
  }),
  route({
    method: 'post',
    path: '/api/requests/:id/package',
    right: 'request.package',
    status: 202,
    summary: 'Write the signed package of what was approved, in the background',
    params: requestParams,
    handler: ({ deps, user, params: { id } }): RequestStateView => {
      assertIdle(deps, id);
      assertTransition(id, getRequest(deps.store.db, id).state, 'packaged');
      deps.jobs.pack(id, user);
      return stateOf(deps, id);
    },
  }),
  route({
    method: 'post',
    path: '/api/requests/:id/close',
    right: 'request.close',
    summary: 'End a request: its copies are removed and its hold is lifted',
    params: requestParams,
    body: z.strictObject({ why: z.enum(closeReasons) }),
    handler: async ({ deps, user, params: { id }, body: { why } }): Promise<RequestStateView> => {
      assertIdle(deps, id);
      const row = await deps.disclosure.closeRequest(`user:${user.id}`, id, why);
      return { request: row, job: deps.jobs.of(id) };
    },
  }),
];
