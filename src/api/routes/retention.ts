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
];
