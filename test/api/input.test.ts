import { describe, expect, test } from 'vitest';
import { routes } from '../../src/api/routes/index.js';
import { GatewayError } from '../../src/errors.js';
import type { Log } from '../../src/platform/log.js';
import { addCamera, addSegment, noonUs } from '../helpers/disclosure.js';
import { errorOf, serve } from './gateway.js';

const good = {
  ground: 'police',
  recipient: { kind: 'police', name: 'Københavns Politi', contact: 'called back' },
  journalNumber: '0100-1',
  purpose: 'theft',
  cameraIds: ['lobby'],
  from: '2026-05-31T10:00:00Z',
  to: '2026-05-31T12:00:05+02:00',
};

describe('input', () => {
  test('that is no JSON, too large or of another type is refused as 400 in the one shape', async () => {
    const { login, world } = await serve();
    const client = await login(world.sofie);
    for (const [body, type] of [
      ['{"ground":', 'application/json'],
      ['"text"', 'application/json'],
      [`{"ground":"${'x'.repeat(300 * 1024)}"}`, 'application/json'],
      ['ground=police', 'application/x-www-form-urlencoded'],
      ['', 'application/json'],
    ] as const) {
      const reply = await client.call('POST', '/api/requests', body, { 'content-type': type });
      expect(reply.status).toBe(400);
      expect(errorOf(reply).code).toBe('input-invalid');
      expect(errorOf(reply).remedy).toBeTruthy();
      expect(reply.text).not.toContain('xxxxx');
    }
  });

  test.each([
    ['an unknown key', { ...good, secret: 1 }, 'secret'],
    ['an unknown key inside', { ...good, recipient: { ...good.recipient, fax: '1' } }, 'fax'],
    ['an unknown ground', { ...good, ground: 'curiosity' }, 'ground'],
    ['no camera', { ...good, cameraIds: [] }, 'cameraIds'],
    ['a local time', { ...good, from: '2026-05-31T12:00:00' }, 'local time'],
    ['a date', { ...good, to: '2026-05-31' }, 'to'],
    ['microseconds', { ...good, from: noonUs }, 'from'],
    ['an empty purpose', { ...good, purpose: '   ' }, 'purpose'],
  ])('%s is refused and named', async (_what, body, named) => {
    const { login, world } = await serve();
    addCamera(world, 'lobby');
    addSegment(world, 'lobby', noonUs);
    const reply = await (await login(world.sofie)).call('POST', '/api/requests', body);
    expect(reply.status).toBe(400);
    expect(errorOf(reply).code).toBe('input-invalid');
    expect(errorOf(reply).message).toContain(named);
  });

  test('an unknown query, a strange id and a path that is none', async () => {
    const { login, world } = await serve();
    const client = await login(world.sofie);
    expect((await client.call('GET', '/api/cameras?verbose=1')).status).toBe(400);
    expect((await client.call('GET', '/api/requests/..%2f..%2fetc')).status).toBe(400);
    expect((await client.call('GET', '/api/requests/%E0%A4%A')).status).toBe(400);
    expect((await client.call('GET', '/api/requests/r-none')).status).toBe(404);
    expect((await client.call('GET', '/api/nothing')).status).toBe(404);
    expect((await client.call('PATCH', '/api/requests')).status).toBe(404);
    expect((await client.call('GET', '/nothing')).headers.get('content-type')).toMatch(/json/);
  });

  test('a wrong password is not repeated in an answer', async () => {
    const { anonymous } = await serve();
    const reply = await anonymous().call('POST', '/api/session', { name: 1, password: 'my secret word' });
    expect(reply.status).toBe(400);
    expect(reply.text).not.toContain('my secret word');
  });
});

describe('failures inside', () => {
  const broken = async (thrown: Error): Promise<{ text: string; status: number; logged: unknown[] }> => {
    const logged: unknown[] = [];
    const write = (entry: unknown): void => void logged.push(entry);
    const log = { debug: () => undefined, info: write, warn: write, error: write } as unknown as Log;
    const { login, world } = await serve({
      log,
      retention: {
        marginUs: 1,
        voteUs: 1,
        sweepEveryUs: 1,
        refusal: () => null,
        doubt: () => null,
        clockVotes: () => [],
        previewOf: () => null,
        plan: () => {
          throw thrown;
        },
        confirm: () => {
          throw thrown;
        },
        acceptClock: () => {
          throw thrown;
        },
        preview: () => null,
        propose: () => {
          throw thrown;
        },
        confirmChange: () => {
          throw thrown;
        },
        cancelChange: () => {
          throw thrown;
        },
      },
    });
    const { status, text } = await (await login(world.sofie)).call('GET', '/api/retention');
    return { status, text, logged };
  };

  test.each([
    new Error('secret detail in /srv/data'),
    new GatewayError('io-failed', 'reading secret detail'),
    Object.assign(new Error('secret detail'), { code: 'SQLITE_CORRUPT' }),
  ])('show an id and nothing else: %s', async (thrown) => {
    const { status, text, logged } = await broken(thrown);
    expect(status).toBe(500);
    expect(text).not.toContain('secret');
    const { id } = (JSON.parse(text) as { error: { id: string } }).error;
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(logged).toEqual([expect.objectContaining({ id, err: thrown })]);
  });

  test('that a person can repair keep their words', async () => {
    const { status, text } = await broken(
      new GatewayError('root-untrusted', 'Root nvr is empty.', { remedy: 'Mount it.' }),
    );
    expect(status).toBe(503);
    expect(JSON.parse(text)).toMatchObject({
      error: { code: 'root-untrusted', message: 'Root nvr is empty.', remedy: 'Mount it.' },
    });
  });
});

describe('the OpenAPI document', () => {
  interface Document {
    openapi: string;
    paths: Record<
      string,
      Record<
        string,
        {
          summary: string;
          parameters: { name: string; in: string; required: boolean }[];
          requestBody?: { content: Record<string, { schema: { additionalProperties?: boolean; required: string[] } }> };
        }
      >
    >;
  }

  test('has every mounted route, and nothing else', async () => {
    const { anonymous, base } = await serve();
    const { json } = await anonymous().call<Document>('GET', '/api/openapi.json');
    expect(json.openapi).toBe('3.1.0');
    // Those with a server of their own are the hook's, which answers on another port.
    const described = Object.entries(json.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, one]) => ('servers' in one ? [] : [`${method} ${path}`])),
    );
    expect(json.paths['/api/hook/segments']?.['post']).toMatchObject({ security: [{ hook: [] }] });
    const mounted = routes.map(({ method, path }) => `${method} ${path.replace(/:([a-z]+)/g, '{$1}')}`);
    expect(described.sort()).toEqual(mounted.sort());
    expect(mounted.length).toBeGreaterThan(20);
    // Each of them really answers: without a login nothing but 401 or an open answer, never "there is no such thing".
    for (const line of described) {
      const [method = '', path = ''] = line.split(' ');
      const reply = await fetch(base + path.replace('{id}', 'x').replace('{position}', '0'), {
        method: method.toUpperCase(),
      });
      expect([line, reply.status]).not.toEqual([line, 404]);
    }
  });

  test('says what is required, where it stands and that other keys are refused', async () => {
    const { anonymous } = await serve();
    const { paths } = (await anonymous().call<Document>('GET', '/api/openapi.json')).json;
    const create = paths['/api/requests']?.['post']?.requestBody?.content['application/json']?.schema;
    expect(create?.additionalProperties).toBe(false);
    expect(create?.required).toEqual(expect.arrayContaining(['ground', 'recipient', 'journalNumber', 'from', 'to']));
    const masked = paths['/api/requests/{id}/items/{position}/masked']?.['get'];
    expect(masked?.parameters.map((one) => [one.name, one.in, one.required])).toEqual([
      ['id', 'path', true],
      ['position', 'path', true],
      ['purpose', 'query', true],
    ]);
  });
});

describe('headers', () => {
  test('allow the page itself and nothing from elsewhere', async () => {
    const { anonymous } = await serve();
    const { headers } = await anonymous().call('GET', '/api/health');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain('unsafe');
    expect(policy).toMatch(/style-src 'self' 'nonce-[A-Za-z0-9+/=]{20,}'/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('strict-transport-security')).toBeNull();
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('health tells without a login that retention is refused', async () => {
    const { anonymous, deps } = await serve();
    expect((await anonymous().call('GET', '/api/health')).json).toEqual({
      ok: true,
      database: 'readable',
      retention: 'running',
    });
    const stopped = await serve({ retention: { ...deps.retention, refusal: () => 'the clock of /srv' } });
    const { json, text } = await stopped.anonymous().call('GET', '/api/health');
    expect(json['ok']).toBe(false);
    expect(text).not.toContain('/srv');
  });
});
