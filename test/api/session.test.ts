import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { authenticate } from '../../src/api/auth.js';
import { failuresPerName } from '../../src/api/login-limits.js';
import { GatewayError } from '../../src/errors.js';
import { hashPassword, passwordMatches } from '../../src/platform/password.js';
import { disableUser } from '../../src/store/users.js';
import { errorOf, password, serve } from './gateway.js';

const hourUs = 3_600_000_000;

describe('passwords', () => {
  test('are argon2id, salted, and match in any Unicode form', async () => {
    const [first, second] = await Promise.all([hashPassword('gåsevad og rugbrød'), hashPassword('gåsevad og rugbrød')]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=1\$/);
    expect(first).not.toBe(second);
    expect(await passwordMatches(first, 'gåsevad og rugbrød'.normalize('NFD'))).toBe(true);
    expect(await passwordMatches(first, 'gåsevad og rugbrod')).toBe(false);
  });

  test.each(['short', 'aaaaaaaaaaaaaaaa', 'x'.repeat(1000)])('%s is refused', async (plain) => {
    await expect(hashPassword(plain)).rejects.toThrow(GatewayError);
  });

  test('a hash that is none lets nobody in', async () => {
    expect(await passwordMatches('x', 'x')).toBe(false);
    expect(await passwordMatches('', '')).toBe(false);
  });
});

describe('login', () => {
  test('opens a session with a hardened cookie, and logging out ends it', async () => {
    const { anonymous, world, events } = await serve();
    const client = anonymous();
    expect((await client.call('GET', '/api/session')).json['user']).toBeNull();
    const reply = await client.call('POST', '/api/session', { name: world.sofie.name, password });
    expect(reply.status).toBe(200);
    expect(reply.json['user']).toEqual({ id: 'u-sofie', name: 'name of u-sofie', roles: ['security'] });
    expect(reply.json['rights']).toContain('request.create');
    expect(reply.json['rights']).not.toContain('request.decide');
    const set = reply.headers.getSetCookie().join();
    expect(set).toMatch(/^sid=/);
    expect(set).toMatch(/HttpOnly/i);
    expect(set).toMatch(/SameSite=Strict/i);
    expect(set).not.toMatch(/Secure/i);
    expect((await client.call('GET', '/api/cameras')).status).toBe(200);

    const old = client.cookie();
    expect((await client.call('DELETE', '/api/session')).status).toBe(204);
    expect((await anonymous().call('GET', '/api/cameras', undefined, { cookie: old })).status).toBe(401);
    expect(events().filter(({ type }) => type.startsWith('session.'))).toMatchObject([
      { type: 'session.opened', actor: 'user:u-sofie', subject: 'user:u-sofie' },
      { type: 'session.closed', actor: 'user:u-sofie' },
    ]);
  });

  test('the database holds no session id', async () => {
    const { login, world } = await serve();
    const client = await login(world.sofie);
    const id =
      decodeURIComponent(client.cookie())
        .replace(/^sid=s:/, '')
        .split('.')[0] ?? '';
    expect(id.length).toBeGreaterThan(20);
    const rows = JSON.stringify(world.store.db.prepare('SELECT * FROM session').all());
    expect(rows).toContain('u-sofie');
    expect(rows).not.toContain(id);
  });

  test('takes a new id: one that was there before is worth nothing', async () => {
    const { login, world, anonymous } = await serve();
    const client = await login(world.sofie);
    const before = client.cookie();
    await client.call('POST', '/api/session', { name: world.lars.name, password });
    expect(client.cookie()).not.toBe(before);
    expect((await anonymous().call('GET', '/api/cameras', undefined, { cookie: before })).status).toBe(401);
  });

  test('behind TLS the cookie is Secure and bound to the host, and a plain login is told why not', async () => {
    const { anonymous, world } = await serve({ api: { https: true, sessionHours: 8 } });
    const plain = await anonymous().call('POST', '/api/session', { name: world.sofie.name, password });
    expect(plain.status).toBe(400);
    expect(errorOf(plain).message).toMatch(/HTTPS/);
    const proxied = await anonymous().call(
      'POST',
      '/api/session',
      { name: world.sofie.name, password },
      { 'x-forwarded-proto': 'https' },
    );
    expect(proxied.status).toBe(200);
    expect(proxied.headers.getSetCookie().join()).toMatch(/^__Host-sid=.*Secure/i);
    expect(proxied.headers.get('strict-transport-security')).toMatch(/max-age/);
  });

  test('a wrong password, an unknown name and a disabled user get the same words, and each is an event', async () => {
    const { anonymous, world, events } = await serve();
    disableUser(world.store.db, 'u-ida', world.clock.nowUs());
    const tries = [
      { name: world.sofie.name, password: 'wrong' },
      { name: 'nobody at all', password },
      { name: world.ida.name, password },
    ];
    const replies = [];
    for (const body of tries) replies.push(await anonymous().call('POST', '/api/session', body));
    expect(replies.map(({ status }) => status)).toEqual([401, 401, 401]);
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    expect(events().filter(({ type }) => type === 'session.refused')).toMatchObject([
      { subject: 'user:u-sofie', actor: 'gateway', data: { reason: 'wrong-password' } },
      { subject: 'user:unknown', data: { reason: 'unknown-user' } },
      { subject: 'user:u-ida', data: { reason: 'user-disabled' } },
    ]);
    expect(JSON.stringify(events())).not.toContain('nobody at all');
  });

  test('an unknown name takes as long as a known one', async () => {
    const { world } = await serve();
    const timed = async (name: string): Promise<number> => {
      const started = performance.now();
      await authenticate(world.store, name, 'wrong password here').catch(() => undefined);
      return performance.now() - started;
    };
    await timed('warm up');
    const [known, unknown] = [
      Math.min(await timed(world.sofie.name), await timed(world.sofie.name)),
      await timed('no'),
    ];
    expect(unknown).toBeGreaterThan(known / 4);
  });

  test('is refused after too many failures for a name, even with the right password, and noted once', async () => {
    const { anonymous, world, events } = await serve();
    const attempt = (name: string, word: string): Promise<{ status: number }> =>
      anonymous().call('POST', '/api/session', { name, password: word });
    for (let i = 0; i < failuresPerName; i += 1) expect((await attempt(world.sofie.name, 'wrong')).status).toBe(401);
    const limited = await anonymous().call('POST', '/api/session', { name: world.sofie.name, password });
    expect(limited.status).toBe(429);
    expect(errorOf(limited)).toMatchObject({ code: 'too-many-attempts' });
    expect((await attempt(world.sofie.name, 'wrong')).status).toBe(429);
    expect((await attempt(world.lars.name, password)).status).toBe(200);
    const reasons = events().flatMap(({ type, data }) => (type === 'session.refused' ? [data['reason']] : []));
    expect(reasons).toEqual([...Array<string>(failuresPerName).fill('wrong-password'), 'too-many-attempts']);
  });
});

describe('a session', () => {
  test('ends when it is idle, and at the latest after a day', async () => {
    const { login, world } = await serve();
    const { clock } = world;
    const client = await login(world.sofie);
    const status = async (): Promise<number> => (await client.call('GET', '/api/cameras')).status;
    clock.us += 7.9 * hourUs;
    expect(await status()).toBe(200);
    clock.us += 7.9 * hourUs;
    expect(await status()).toBe(200);
    clock.us += 7.9 * hourUs;
    expect(await status()).toBe(200);
    clock.us += 0.5 * hourUs;
    expect(await status()).toBe(401);

    const idle = await login(world.lars);
    clock.us += 8.1 * hourUs;
    expect((await idle.call('GET', '/api/cameras')).status).toBe(401);
  });

  test('ends at once for a user who is disabled, and follows a change of roles', async () => {
    const { login, world } = await serve();
    const client = await login(world.sofie);
    world.store.db.prepare(`UPDATE user SET roles = '["auditor"]' WHERE id = 'u-sofie'`).run();
    expect((await client.call('POST', '/api/requests', {})).status).toBe(403);
    disableUser(world.store.db, 'u-sofie', world.clock.nowUs());
    expect((await client.call('GET', '/api/cameras')).status).toBe(401);
  });

  test('cannot be forged', async () => {
    const { anonymous } = await serve();
    for (const cookie of ['sid=x', `sid=s:${randomBytes(24).toString('base64url')}.${'A'.repeat(43)}`, 'sid=']) {
      expect((await anonymous().call('GET', '/api/cameras', undefined, { cookie })).status).toBe(401);
    }
  });

  test('is not opened where the event cannot be written', async () => {
    const { anonymous, world } = await serve();
    world.store.db.exec(
      `CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'the log is full'); END`,
    );
    const reply = await anonymous().call('POST', '/api/session', { name: world.sofie.name, password });
    expect(reply.status).toBe(503);
    expect(errorOf(reply).code).toBe('audit-unwritable');
    expect(reply.headers.getSetCookie()).toEqual([]);
    expect(world.store.db.prepare('SELECT count(*) FROM session').pluck().get()).toBe(0);
  });
});

describe('another site', () => {
  const body = { name: 'name of u-sofie', password };
  test.each([
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ 'sec-fetch-site': 'none' }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
    [{}, 200],
  ])('with %o gets %i', async (headers, status) => {
    const { anonymous } = await serve();
    expect((await anonymous().call('POST', '/api/session', body, headers as HeadersInit)).status).toBe(status);
  });

  test('the own origin is let through, and reading is not touched', async () => {
    const { anonymous, base } = await serve();
    expect((await anonymous().call('POST', '/api/session', body, { origin: base })).status).toBe(200);
    expect((await anonymous().call('GET', '/api/health', undefined, { origin: 'https://evil.example' })).status).toBe(
      200,
    );
  });
});
