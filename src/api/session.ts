/** Sessions: a random id in a cookie, everything else in the database under the hash of that id. */
import { createHash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import session, { Store as SessionStore, type SessionData } from 'express-session';
import type { User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import type { Store } from '../store/audit-log.js';
import { findUser, getSession, putSession, removeExpiredSessions, removeSession } from '../store/users.js';
import type { ApiDeps } from './deps.js';

declare module 'express-session' {
  interface SessionData {
    userId: string;
    openedUs: number;
    /** When the expiry was last written: a stream of small requests is not a stream of disk syncs. */
    touchedUs: number;
  }
}

const hourUs = 3_600_000_000;
const touchEveryUs = 60_000_000;
/** However busy it is, a session ends after this. */
const longestUs = 24 * hourUs;

/** With TLS the browser itself then refuses this name without Secure, or from another host. Neither says what we are. */
export const cookieName = (https: boolean): string => (https ? '__Host-sid' : 'sid');

const hashOf = (sid: string): string => createHash('sha256').update(sid).digest('hex');

/** express-session wants a class. Its rows are no act of anybody, so they are written beside the audit log. */
class SqliteSessions extends SessionStore {
  readonly #store: Store;
  readonly #idleUs: number;

  constructor(store: Store, idleUs: number) {
    super();
    this.#store = store;
    this.#idleUs = idleUs;
  }

  override get(sid: string, done: (error: unknown, found?: SessionData | null) => void): void {
    answer(done, () => {
      const text = getSession(this.#store.db, hashOf(sid), this.#store.clock.nowUs());
      return text === null ? null : (JSON.parse(text) as SessionData);
    });
  }

  override set(sid: string, data: SessionData, done: (error?: unknown) => void = ignore): void {
    answer(done, () => {
      const { db, clock } = this.#store;
      const nowUs = clock.nowUs();
      data.touchedUs = nowUs;
      putSession(db, {
        idHash: hashOf(sid),
        userId: data.userId,
        data: JSON.stringify(data),
        expiresUs: Math.min(nowUs + this.#idleUs, data.openedUs + longestUs),
      });
    });
  }

  override touch(sid: string, data: SessionData, done: (error?: unknown) => void = ignore): void {
    const nowUs = this.#store.clock.nowUs();
    // Also when the clock was set back: the stored expiry is then simply left as it is.
    if (nowUs - data.touchedUs < touchEveryUs) done();
    else this.set(sid, data, done);
  }

  override destroy(sid: string, done: (error?: unknown) => void = ignore): void {
    answer(done, () => {
      removeSession(this.#store.db, hashOf(sid));
    });
  }
}

const ignore = (): void => undefined;

function answer<T>(done: (error: unknown, value?: T) => void, work: () => T): void {
  let value: T;
  try {
    value = work();
  } catch (error) {
    done(error);
    return;
  }
  done(null, value);
}

export function sessions(deps: ApiDeps): RequestHandler {
  const { https, sessionHours } = deps.api;
  return session({
    name: cookieName(https),
    secret: deps.sessionSecret,
    store: new SqliteSessions(deps.store, sessionHours * hourUs),
    resave: false,
    saveUninitialized: false,
    rolling: true,
    // Only decides whether the Secure cookie is sent: a forged X-Forwarded-Proto keeps nobody else's session.
    proxy: https,
    cookie: { httpOnly: true, sameSite: 'strict', secure: https, path: '/', maxAge: sessionHours * 3_600_000 },
  });
}

const callback = (run: (done: (error?: unknown) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    run((error) => {
      if (error === undefined || error === null) resolve();
      else reject(error instanceof Error ? error : new Error('The session store failed.', { cause: error }));
    });
  });

/** Makes this browser's session the user's, under a new id: one that was planted before the login is worth nothing. */
export async function openSession(req: Request, store: Store, user: User): Promise<void> {
  const nowUs = store.clock.nowUs();
  removeExpiredSessions(store.db, nowUs);
  await callback((done) => req.session.regenerate(done));
  req.session.userId = user.id;
  req.session.openedUs = nowUs;
  await callback((done) => req.session.save(done));
}

export async function endSession(req: Request): Promise<void> {
  await callback((done) => req.session.destroy(done));
}

/** The user of this request, read anew each time: a disabled user is out at once. */
export function currentUser(req: Request, store: Store): User | null {
  const id = req.session.userId;
  const row = id === undefined ? null : findUser(store.db, id);
  if (row === null || row.disabledUs !== null) return null;
  return { id: row.id, name: row.name, roles: row.roles, disabledUs: row.disabledUs };
}

export function requireUser(req: Request, store: Store): User {
  const user = currentUser(req, store);
  if (user !== null) return user;
  throw new GatewayError('unauthenticated', 'Nobody is logged in, or the session has ended.', { remedy: 'Log in.' });
}

/** A Secure cookie is silently kept back on a plain connection: say so instead of a login that does not stick. */
export function assertSecureEnough(req: Request, https: boolean): void {
  const proto = req.get('x-forwarded-proto')?.split(',')[0]?.trim().toLowerCase();
  if (!https || req.secure || proto === 'https') return;
  throw new GatewayError('input-invalid', 'This gateway takes logins over HTTPS only.', {
    remedy: 'Use the https address; the TLS proxy in front must send "X-Forwarded-Proto: https".',
  });
}
