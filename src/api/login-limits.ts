/** Slows guessing of passwords down: failed logins per place and name, and per place alone. */
import { createHash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { GatewayError } from '../errors.js';
import type { Store } from '../store/audit-log.js';

export const failuresPerName = 5;
const failuresPerPlace = 30;
const windowMinutes = 15;

const placeOf = (req: Request): string => ipKeyGenerator(req.ip ?? 'unknown');

function nameOf(req: Request): string {
  const body: unknown = req.body;
  const name = typeof body === 'object' && body !== null && 'name' in body ? body.name : '';
  return typeof name === 'string' ? createHash('sha256').update(name.trim().toLowerCase()).digest('hex') : '';
}

/** Only failures count. The first refusal of a window is an audit event; those after it would only fill the log. */
export function loginLimits(store: Store): RequestHandler[] {
  const limiter = (limit: number, keyGenerator: (req: Request) => string): RequestHandler =>
    rateLimit({
      windowMs: windowMinutes * 60_000,
      limit,
      keyGenerator,
      skipSuccessfulRequests: true,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      // It warns about X-Forwarded-For from a proxy that is not trusted; not trusting it is what is wanted then.
      validate: { xForwardedForHeader: false, forwardedHeader: false },
      handler: (req, _res, next) => {
        const used = (req as Request & { rateLimit?: { used: number } }).rateLimit?.used ?? 0;
        if (used === limit + 1) {
          store.act('gateway', (note) => {
            note('session.refused', 'user:unknown', { reason: 'too-many-attempts' });
          });
        }
        next(
          new GatewayError('too-many-attempts', 'Too many failed logins.', {
            remedy: `Wait ${windowMinutes} minutes, or ask an administrator.`,
          }),
        );
      },
    });
  return [limiter(failuresPerName, (req) => `${placeOf(req)} ${nameOf(req)}`), limiter(failuresPerPlace, placeOf)];
}
