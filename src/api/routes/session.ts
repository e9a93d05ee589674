import { z } from 'zod';
import { disclosureGrounds } from '../../domain/disclosure.js';
import { rights, type Right, type Role, type User } from '../../domain/user.js';
import { maxPasswordLength } from '../../platform/password.js';
import { authenticate } from '../auth.js';
import type { ApiDeps } from '../deps.js';
import { openRoute, type Route } from '../route.js';
import { assertSecureEnough, endSession, openSession } from '../session.js';
import type { SessionView } from '../views.js';

const rightsOf = (user: User): Right[] =>
  (Object.entries(rights) as [Right, readonly Role[]][])
    .filter(([, roles]) => user.roles.some((role) => roles.includes(role)))
    .map(([right]) => right);

const view = (deps: ApiDeps, user: User | null): SessionView => ({
  user: user === null ? null : { id: user.id, name: user.name, roles: user.roles },
  rights: user === null ? [] : rightsOf(user),
  site: deps.site,
  grounds: disclosureGrounds,
});

export const sessionRoutes: readonly Route[] = [
  openRoute({
    method: 'get',
    path: '/api/session',
    summary: 'Who is logged in, and what he may do',
    handler: ({ deps, user }) => view(deps, user),
  }),
  openRoute({
    method: 'post',
    path: '/api/session',
    summary: 'Log in',
    body: z.strictObject({
      name: z.string().min(1).max(200),
      password: z
        .string()
        .min(1)
        .max(maxPasswordLength * 2),
    }),
    handler: async ({ deps, body, req }) => {
      assertSecureEnough(req, deps.api.https);
      const user = await authenticate(deps.store, body.name, body.password);
      // The event first: a crash right after it leaves a session on record that nobody got, never one without record.
      deps.store.act(`user:${user.id}`, (note) => {
        note('session.opened', `user:${user.id}`, {});
      });
      await openSession(req, deps.store, user);
      return view(deps, user);
    },
  }),
  openRoute({
    method: 'delete',
    path: '/api/session',
    summary: 'Log out',
    handler: async ({ deps, user, req }) => {
      // Ended first: whoever logs out is out, even where the log cannot be written.
      await endSession(req);
      if (user === null) return;
      deps.store.act(`user:${user.id}`, (note) => {
        note('session.closed', `user:${user.id}`, {});
      });
    },
  }),
];
