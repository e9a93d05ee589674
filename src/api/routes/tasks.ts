import { z } from 'zod';
import { finishTask, openTasks } from '../../store/tasks.js';
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
  route({
    method: 'post',
    path: '/api/tasks/:id/done',
    right: 'task.close',
    summary: 'Say that a task has been seen to; where its cause goes on, it is opened again',
    params: z.strictObject({ id: z.string().regex(/^[1-9]\d{0,15}$/) }),
    handler: ({ deps: { store }, user, params: { id } }) => ({ task: finishTask(store, user, id) }),
  }),
];
