/**
 * The hook: an app of its own for recorders on this machine, with a port of its own on the loopback interface. It is not part of
 * the API because a reverse proxy that makes that public calls it from this machine too: there everybody would look local.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import express, { type Express, type RequestHandler } from 'express';
import { GatewayError } from '../errors.js';
import type { ApiDeps } from './deps.js';
import { errorAnswer } from './error-answer.js';
import { mount } from './route.js';
import { hookRoutes } from './routes/hook.js';
import { sameOriginOnly } from './same-origin.js';

const maxBodyBytes = 256 * 1024;
/** A wrong token is an event at most this often: more of them would only fill the log. */
const noteEveryUs = 60_000_000;

export const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && /^(?:::1|(?:::ffff:)?127(?:\.\d{1,3}){3})$/i.test(address);

const isLocalName = (host: string | undefined): boolean =>
  host !== undefined && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i.test(host);

/** What a proxy adds: then somebody else is behind it, wherever it runs. */
const forwardedBy = (headers: IncomingHttpHeaders): boolean =>
  Object.keys(headers).some((name) =>
    /^(?:forwarded|via|x-forwarded-.*|x-real-ip|cf-connecting-ip|true-client-ip)$/.test(name),
  );

const onlyFromHere: RequestHandler = (req, _res, next) => {
  // The host too: a page of elsewhere can make its own name mean this machine, and a browser on it call.
  if (isLoopback(req.socket.remoteAddress) && isLocalName(req.headers.host) && !forwardedBy(req.headers)) next();
  else {
    next(
      new GatewayError('forbidden', 'The hook is for programs on this machine, not through a proxy.', {
        remedy: 'Call it as "tredive hook" shows.',
      }),
    );
  }
};

const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();

function bearer(deps: Pick<ApiDeps, 'store' | 'log'>, token: string): RequestHandler {
  const expected = digest(token);
  let notedUs = -Infinity;
  return (req, _res, next) => {
    const given = /^Bearer +(?<token>\S+)$/i.exec(req.headers.authorization ?? '')?.groups?.['token'] ?? '';
    // Digests have one length, so that comparing them takes one time.
    if (timingSafeEqual(digest(given), expected)) {
      next();
      return;
    }
    const nowUs = deps.store.clock.nowUs();
    deps.log.warn({ given: given !== '' }, 'the hook was called without the right token');
    if (nowUs - notedUs >= noteEveryUs) {
      notedUs = nowUs;
      deps.store.act('gateway', (note) => {
        note('access.refused', 'hook:segments', { code: 'unauthenticated', method: req.method, path: req.path });
      });
    }
    next(
      new GatewayError('unauthenticated', 'This needs the token of the hook.', {
        remedy: 'Send "Authorization: Bearer TOKEN"; "tredive hook" shows it.',
      }),
    );
  };
}

/** Builds the app of the hook. Nothing is opened: it must listen on the loopback interface alone. */
export function makeHookApi(deps: ApiDeps, token: string): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('trust proxy', false);
  app.use(
    onlyFromHere,
    sameOriginOnly,
    bearer(deps, token),
    express.json({ limit: maxBodyBytes, strict: true }),
    // So that a shell need not write JSON around a path.
    express.urlencoded({ limit: maxBodyBytes, extended: false, parameterLimit: 20 }),
  );
  mount(app, deps, hookRoutes, { sessions: false });
  app.use((req) => {
    throw new GatewayError('not-found', `There is no ${req.method} ${req.path}.`, { remedy: 'See "tredive hook".' });
  });
  app.use(errorAnswer(deps.log));
  return app;
}
