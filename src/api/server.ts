/** The HTTP API and the page, as an express app that listens nowhere yet. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Express, type Response } from 'express';
import helmet from 'helmet';
import { GatewayError } from '../errors.js';
import type { ApiDeps } from './deps.js';
import { errorAnswer } from './error-answer.js';
import { loginLimits } from './login-limits.js';
import { nonceOf, servePage } from './page.js';
import { mount } from './route.js';
import { routes } from './routes/index.js';
import { sameOriginOnly } from './same-origin.js';
import { sessions } from './session.js';

const maxBodyBytes = 256 * 1024;

function securityHeaders(https: boolean): ReturnType<typeof helmet> {
  const self = ["'self'"];
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: self,
        // The page's components make style elements as they go: those that carry the nonce of this answer.
        styleSrc: ["'self'", (_req: IncomingMessage, res: ServerResponse) => `'nonce-${nonceOf(res as Response)}'`],
        imgSrc: ["'self'", 'data:'],
        mediaSrc: self,
        fontSrc: self,
        connectSrc: self,
        baseUri: ["'none'"],
        formAction: self,
        frameAncestors: ["'none'"],
      },
    },
    // Only where there is TLS in front: it would lock a plain address out of the browser.
    strictTransportSecurity: https ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
  });
}

/** Builds the app. Nothing is opened or started: listening and closing are the caller's. */
export function makeApi(deps: ApiDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  // The address of a client is taken from a proxy on this machine only; anybody else could write what he likes.
  app.set('trust proxy', deps.api.https ? 'loopback' : false);

  app.use((_req, res, next) => {
    res.locals['nonce'] = randomBytes(16).toString('base64');
    next();
  });
  app.use(securityHeaders(deps.api.https));
  app.use('/api', (req, res, next) => {
    const started = deps.store.clock.monotonicMs();
    res.on('finish', () => {
      // The path without its query: a purpose may name a person.
      const ms = Math.round(deps.store.clock.monotonicMs() - started);
      deps.log.debug({ method: req.method, path: req.baseUrl + req.path, status: res.statusCode, ms }, 'request');
    });
    next();
  });
  app.use('/api', sameOriginOnly, express.json({ limit: maxBodyBytes, strict: true }), sessions(deps));
  app.post('/api/session', ...loginLimits(deps.store));
  mount(app, deps, routes);
  app.use('/api', (req) => {
    throw new GatewayError('not-found', `There is no ${req.method} ${req.baseUrl}${req.path}.`, {
      remedy: 'See /api/openapi.json.',
    });
  });
  if (deps.webDir !== null) servePage(app, deps.webDir);
  app.use(() => {
    throw new GatewayError('not-found', 'There is nothing at this address.', { remedy: 'Start at /.' });
  });
  app.use(errorAnswer(deps.log));
  return app;
}
