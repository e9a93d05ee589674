import { countEvents } from '../../store/audit-log.js';
import { openRoute, type Route } from '../route.js';

export const healthRoutes: readonly Route[] = [
  openRoute({
    method: 'get',
    path: '/api/health',
    summary: 'Whether the gateway answers, its database can be read, and retention runs',
    handler: ({ deps }) => {
      countEvents(deps.store.db);
      // Why it is refused is for those who may look at retention; that it is, for whoever watches over the service.
      const retention = deps.retention.refusal(deps.store.clock.nowUs()) === null ? 'running' : 'refused';
      return { ok: retention === 'running', database: 'readable', retention };
    },
  }),
];
