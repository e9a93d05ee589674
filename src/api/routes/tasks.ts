import { openTasks } from '../../store/tasks.js';
import { route, type Route } from '../route.js';
import type { TasksView } from '../views.js';

export const taskRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/tasks',
    right: 'camera.read',
    summary: 'What a person has to do',
    handler: ({ deps }): TasksView => ({ tasks: openTasks(deps.store.db) }),
  }),
];
