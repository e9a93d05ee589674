/** Every route there is. ADD A ROUTE in a file of its resource, and that file to this list. */
import { openApi } from '../openapi.js';
import { openRoute, type Route } from '../route.js';
import { cookieName } from '../session.js';
import { auditRoutes } from './audit.js';
import { cameraRoutes } from './cameras.js';
import { footageRoutes } from './footage.js';
import { healthRoutes } from './health.js';
import { holdRoutes } from './holds.js';
import { hookRoutes } from './hook.js';
import { requestActRoutes } from './request-acts.js';
import { requestRoutes } from './requests.js';
import { reportRoutes } from './reports.js';
import { retentionRoutes } from './retention.js';
import { sessionRoutes } from './session.js';
import { stillRoutes } from './stills.js';
import { taskRoutes } from './tasks.js';

const openApiRoute = openRoute({
  method: 'get',
  path: '/api/openapi.json',
  summary: 'This document',
  handler: ({ deps }) => openApi(routes, cookieName(deps.api.https), hookRoutes),
});

export const routes: readonly Route[] = [
  ...healthRoutes,
  ...sessionRoutes,
  ...cameraRoutes,
  ...taskRoutes,
  ...requestRoutes,
  ...requestActRoutes,
  ...footageRoutes,
  ...stillRoutes,
  ...holdRoutes,
  ...retentionRoutes,
  ...reportRoutes,
  ...auditRoutes,
  openApiRoute,
];
