import { z } from 'zod';
import { retentionOverview } from '../retention-overview.js';
import { lastMeasured } from '../../retention/oldest-record.js';
import { listUsers } from '../../store/users.js';
import { route, type Route } from '../route.js';
import type { AcceptedView, ConfirmedView, OldestView, RetentionOverview, RetentionView } from '../views.js';

/** Names of those who said yes, by the ids that stand in `votes`. */
const namesOf = (users: readonly { id: string; name: string }[], ids: readonly string[]): Record<string, string> =>
  Object.fromEntries(users.filter(({ id }) => ids.includes(id)).map(({ id, name }) => [id, name]));

export const retentionRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/retention/overview',
    right: 'camera.read',
    summary: 'How retention stands: the clock, the last sweep, what is due, held, failing or waits, by camera',
    handler: ({ deps }): RetentionOverview => retentionOverview(deps),
  }),
  route({
    method: 'get',
    path: '/api/retention',
    right: 'camera.read',
    summary: 'What the next sweep would delete, what is held, and what waits for two persons: nothing is changed',
    handler: ({ deps: { retention, store } }): RetentionView => {
      const nowUs = store.clock.nowUs();
      const plan = retention.plan(nowUs);
      return {
        nowUs,
        marginUs: retention.marginUs,
        refused: retention.refusal(nowUs),
        plan,
        people: namesOf(listUsers(store.db), plan.waiting?.votes.map(({ userId }) => userId) ?? []),
      };
    },
  }),
  route({
    method: 'post',
    path: '/api/retention/waiting/:id/confirm',
    right: 'retention.confirm',
    summary: 'Say yes to exactly the deletion that is shown; two persons have to, one of them an administrator',
    params: z.strictObject({ id: z.string().min(1).max(100) }),
    handler: ({ deps: { retention, store }, user, params: { id } }): ConfirmedView => {
      const confirmed = retention.confirm(user, id);
      const ids = confirmed.votes.map(({ userId }) => userId);
      return { ...confirmed, people: namesOf(listUsers(store.db), ids) };
    },
  }),
  route({
    method: 'post',
    path: '/api/retention/clock/accept',
    right: 'retention.confirm',
    summary:
      'Say that the clock is right now, after it was in doubt; two persons have to, one of them an administrator',
    handler: ({ deps: { retention, store }, user }): AcceptedView => {
      const accepted = retention.acceptClock(user);
      const ids = accepted.votes.map(({ userId }) => userId);
      return { nowUs: store.clock.nowUs(), ...accepted, people: namesOf(listUsers(store.db), ids) };
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
