import { lastMeasured } from '../../retention/oldest-record.js';
import type { OldestView } from '../views.js';
import { route, type Route } from '../route.js';

export const retentionRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/retention',
    right: 'camera.read',
    summary: 'What the next sweep would delete and what is held: a dry run, nothing is changed',
    handler: ({ deps: { retention, store } }) => {
      const nowUs = store.clock.nowUs();
      return {
        nowUs,
        marginUs: retention.marginUs,
        refused: retention.refusal(nowUs),
        plan: retention.plan(nowUs),
      };
    },
  }),
  route({
    method: 'get',
    path: '/api/retention/oldest',
    right: 'camera.read',
    summary:
      'The oldest frame on disk against the limit, by camera, as the last walk of the disk found it; the index was not asked',
    handler: ({ deps: { store } }): OldestView => ({ nowUs: store.clock.nowUs(), measured: lastMeasured(store.db) }),
  }),
];
