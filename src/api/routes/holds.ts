import { z } from 'zod';
import { holdGrounds, holdIsActive, type HoldGround } from '../../domain/hold.js';
import { listHolds } from '../../store/holds.js';
import { instant } from '../instants.js';
import { route, type Route } from '../route.js';
import type { HoldsView } from '../views.js';
import { requestParams } from './requests.js';

export const holdRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/holds',
    right: 'hold.read',
    summary: 'Every hold, those that ended too',
    handler: ({ deps: { store } }): HoldsView => {
      const nowUs = store.clock.nowUs();
      return {
        holds: listHolds(store.db).map((hold) => ({ ...hold, active: holdIsActive(hold, nowUs) })),
        grounds: holdGrounds,
      };
    },
  }),
  route({
    method: 'post',
    path: '/api/holds',
    right: 'hold.place',
    status: 201,
    summary: 'Keep footage longer, on one of the grounds of the law',
    body: z.strictObject({
      ground: z.enum(Object.keys(holdGrounds) as [HoldGround, ...HoldGround[]]),
      reference: z.string().trim().min(1).max(200),
      reason: z.string().trim().min(1).max(2000),
      cameraIds: z.array(z.string().min(1).max(200)).min(1).max(50),
      from: instant,
      to: instant,
      review: instant.meta({ description: 'When it ends unless it is prolonged: at most 90 days from now' }),
    }),
    handler: ({ deps, user, body: { from, to, review, ...rest } }) =>
      deps.disclosure.placeHold(user, { ...rest, startUs: from, endUs: to, reviewUs: review }),
  }),
  route({
    method: 'delete',
    path: '/api/holds/:id',
    right: 'hold.lift',
    summary: 'End a hold',
    params: requestParams,
    handler: ({ deps, user, params: { id } }) => ({ hold: deps.disclosure.liftHold(user, id) }),
  }),
];
