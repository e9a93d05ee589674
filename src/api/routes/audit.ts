import { readCheckpoints } from '../../store/audit-log.js';
import { route, type Route } from '../route.js';
import type { ApiDeps } from '../deps.js';
import type { User } from '../../domain/user.js';

/** Who reads the log is in the log. */
const noteReading = (deps: ApiDeps, user: User, what: string): void => {
  deps.store.act(`user:${user.id}`, (note) => {
    note('audit.read', `user:${user.id}`, { what });
  });
};

export const auditRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/audit/checkpoint',
    right: 'audit.read',
    summary: 'The newest signed note on the log, to be kept elsewhere',
    handler: ({ deps, user }) => {
      noteReading(deps, user, 'checkpoint');
      const newest = readCheckpoints(deps.store.db).at(-1);
      return newest ?? null;
    },
  }),
  route({
    method: 'get',
    path: '/api/audit/verify',
    right: 'audit.read',
    summary: 'Recompute the whole log and hold it against every checkpoint and anchor',
    handler: ({ deps, user }) => {
      noteReading(deps, user, 'verification');
      return deps.audit.verify();
    },
  }),
];
