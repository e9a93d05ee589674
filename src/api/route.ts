/** The one shape of a route. What is declared here is checked before the handler runs, and is what /api/openapi.json says. */
import type { Express, Request, Response } from 'express';
import { z } from 'zod';
import { assertRight, type Right, type User } from '../domain/user.js';
import { toGatewayError } from '../errors.js';
import type { ApiDeps } from './deps.js';
import { inputInvalid } from './error-answer.js';
import { withInstants } from './instants.js';
import { currentUser, requireUser } from './session.js';

export const nothing = z.strictObject({});
type Nothing = typeof nothing;

export interface Call<Who, P, Q, B> {
  readonly deps: ApiDeps;
  readonly user: Who;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly req: Request;
  readonly res: Response;
}

/** A handler that has sent its answer by itself says so with this. */
export const answered = Symbol('answered');

interface Spec<Who, P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** As express writes it: `/api/requests/:id`. */
  readonly path: string;
  readonly summary: string;
  readonly status?: 200 | 201 | 202;
  /** What comes back, where it is not JSON. */
  readonly answers?: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Gives what is sent as JSON, with instants twice; `undefined` for 204. */
  handler(call: Call<Who, z.output<P>, z.output<Q>, z.output<B>>): unknown;
}

export interface Route {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  readonly path: string;
  readonly right: Right | null;
  readonly summary: string;
  readonly status: number;
  readonly answers: string;
  readonly params: z.ZodType;
  readonly query: z.ZodType;
  readonly body: z.ZodType;
  handler(call: Call<User | null, unknown, unknown, unknown>): unknown;
}

const complete = (spec: Spec<never, z.ZodType, z.ZodType, z.ZodType>, right: Right | null): Route => ({
  method: spec.method,
  path: spec.path,
  right,
  summary: spec.summary,
  status: spec.status ?? 200,
  answers: spec.answers ?? 'application/json',
  params: spec.params ?? nothing,
  query: spec.query ?? nothing,
  body: spec.body ?? nothing,
  // `mount` calls it with exactly what these schemas gave, which is what the types of the spec promise.
  handler: (call) => spec.handler(call as never),
});

/** A route for those who have `right`. */
export const route = <P extends z.ZodType = Nothing, Q extends z.ZodType = Nothing, B extends z.ZodType = Nothing>(
  spec: Spec<User, P, Q, B> & { readonly right: Right },
): Route => complete(spec, spec.right);

/** A route for everybody, logged in or not. */
export const openRoute = <P extends z.ZodType = Nothing, Q extends z.ZodType = Nothing, B extends z.ZodType = Nothing>(
  spec: Spec<User | null, P, Q, B>,
): Route => complete(spec, null);

function parse(schema: z.ZodType, value: unknown, where: string): unknown {
  const result = schema.safeParse(value);
  if (!result.success) throw inputInvalid(where, result.error);
  return result.data;
}

/** A refused right, and a refused second person, are events: a pattern of them is what an auditor looks for. */
function noteRefusal(deps: ApiDeps, route: Route, user: User, params: unknown, code: string): void {
  const id = typeof params === 'object' && params !== null && 'id' in params ? String(params.id) : null;
  const kind = /^\/api\/(request|hold)s\/:id/.exec(route.path)?.[1];
  deps.store.act(`user:${user.id}`, (note) => {
    note('access.refused', id === null || kind === undefined ? `user:${user.id}` : `${kind}:${id}`, {
      code,
      method: route.method,
      path: route.path,
    });
  });
}

/** `sessions: false` where nobody logs in: machines call there, and open routes alone can be. */
export function mount(app: Express, deps: ApiDeps, routes: readonly Route[], { sessions = true } = {}): void {
  const userOf = (req: Request, right: Right | null): User | null => {
    if (right !== null) return requireUser(req, deps.store);
    return sessions ? currentUser(req, deps.store) : null;
  };
  for (const route of routes) {
    app[route.method](route.path, async (req: Request, res: Response) => {
      const user = userOf(req, route.right);
      try {
        // Before anything that was sent is looked at: a try without the right is one, however it is written.
        if (route.right !== null && user !== null) assertRight(user, route.right);
        const params = parse(route.params, req.params, 'path');
        const query = parse(route.query, req.query, 'query');
        const body = parse(route.body, (req.body as unknown) ?? {}, 'request body');
        const result = await route.handler({ deps, user, params, query, body, req, res });
        if (result === answered) return;
        res.set('Cache-Control', 'no-store');
        if (result === undefined) res.status(204).end();
        else res.status(route.status).json(withInstants(result));
      } catch (error) {
        const { code } = toGatewayError(error);
        if (user !== null && (code === 'forbidden' || code === 'same-person')) {
          noteRefusal(deps, route, user, route.params.safeParse(req.params).data, code);
        }
        throw error;
      }
    });
  }
}
