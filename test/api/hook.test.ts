import type { Server } from 'node:http';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ApiDeps } from '../../src/api/deps.js';
import { isLoopback, makeHookApi } from '../../src/api/hook-server.js';
import { GatewayError } from '../../src/errors.js';
import { serve } from './gateway.js';

const token = 'a token of this test, long enough'.replaceAll(' ', '-');
const path = '/api/hook/segments';

interface Answer {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

async function hookOf(announceFile?: ApiDeps['hook']['announceFile']) {
  const told: unknown[] = [];
  const gateway = await serve({
    hook: {
      announceFile:
        announceFile ??
        ((file) => {
          told.push(file);
          return Promise.resolve({ root: 'nvr', path: 'lobby/x.mp4', outcome: 'indexed' });
        }),
      announceCamera: (event) => {
        told.push(event);
        return Promise.resolve({ camera: event.camera, folders: 1, files: { indexed: 2 } });
      },
    },
  });
  const server = await new Promise<Server>((resolve) => {
    const made = makeHookApi(gateway.deps, token).listen(0, '127.0.0.1', () => {
      resolve(made);
    });
  });
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  // Not fetch, which sets Host by itself.
  const post = (body: string, headers: Record<string, string> = {}, to = path): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port,
          path: to,
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (data: string) => (text += data));
          answer.on('end', () => {
            resolve({ status: answer.statusCode ?? 0, json: JSON.parse(text) as Record<string, unknown> });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  return { ...gateway, post, told };
}

const good = JSON.stringify({ path: '/recordings/lobby/x.mp4', duration: '59.98' });

describe('the hook', () => {
  it('takes what MediaMTX sends, as JSON and as a form', async () => {
    const { post, told } = await hookOf();
    expect(await post(good)).toEqual({ status: 200, json: { root: 'nvr', path: 'lobby/x.mp4', outcome: 'indexed' } });
    const form = new URLSearchParams({ path: '/recordings/æ & "ø"/x.mp4', duration: '10' }).toString();
    expect((await post(form, { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(200);
    expect(told).toEqual(['/recordings/lobby/x.mp4', '/recordings/æ & "ø"/x.mp4']);
  });

  it("takes Frigate's events as they are", async () => {
    const { post, told } = await hookOf();
    const side = { id: '1607123955.475377-mxklsc', camera: 'front_door', start_time: 1607123955.475377, box: [1, 2] };
    const event = { type: 'end', before: { ...side, end_time: null }, after: { ...side, end_time: 1607123962.082975 } };
    expect((await post(JSON.stringify(event))).status).toBe(200);
    expect((await post(JSON.stringify({ type: 'new', before: side, after: { ...side, end_time: null } }))).status).toBe(
      200,
    );
    expect(told).toEqual([
      { camera: 'front_door', startUs: 1607123955475377, endUs: 1607123962082975 },
      { camera: 'front_door', startUs: 1607123955475377, endUs: null },
    ]);
  });

  it.each([
    ['no JSON', '{"path":'],
    ['no path', '{}'],
    ['a path that is none', '{"path":7}'],
    ['an empty path', '{"path":""}'],
    ['a path that is too long', JSON.stringify({ path: 'x'.repeat(5000) })],
    ['an event without a camera', '{"type":"end","after":{"start_time":1}}'],
    ['an event of a time that cannot be', '{"type":"end","after":{"camera":"a","start_time":1e300}}'],
    ['a list', '[]'],
  ])('refuses %s', async (_what, body) => {
    const { post, told } = await hookOf();
    const { status, json } = await post(body);
    expect([status, json['error']]).toMatchObject([400, { code: 'input-invalid' }]);
    expect(told).toEqual([]);
  });

  it.each([
    ['no token', { authorization: '' }, 401],
    ['another token', { authorization: 'Bearer wrong' }, 401],
    ['the token with something behind it', { authorization: `Bearer ${token}x` }, 401],
    ['the token by another scheme', { authorization: `Basic ${token}` }, 401],
    ['a proxy', { 'x-forwarded-for': '127.0.0.1' }, 403],
    ['a proxy that says so in the standard way', { forwarded: 'for=127.0.0.1' }, 403],
    ['a proxy that names itself', { via: '1.1 proxy' }, 403],
    ['another host', { host: 'gateway.example' }, 403],
    ['a host that begins like this one', { host: '127.0.0.1.example' }, 403],
    ["another site's page", { 'sec-fetch-site': 'cross-site' }, 403],
    ["another page's origin", { origin: 'http://gateway.example' }, 403],
  ])('refuses %s', async (_what, headers, status) => {
    const { post, told } = await hookOf();
    expect((await post(good, headers)).status).toBe(status);
    expect(told).toEqual([]);
  });

  it('notes a wrong token once, without it', async () => {
    const { post, events } = await hookOf();
    for (let at = 0; at < 5; at += 1) await post(good, { authorization: 'Bearer my-wrong-guess' });
    const refused = events().filter(({ subject }) => subject === 'hook:segments');
    expect(refused).toMatchObject([{ type: 'access.refused', data: { code: 'unauthenticated' } }]);
    expect(JSON.stringify(events())).not.toContain('my-wrong-guess');
  });

  it('says 202 where it is not done yet, and the error where it cannot be done', async () => {
    const outcomes = ['waiting', 'unasked', 'unreachable', 'known', 'gone'] as const;
    let at = 0;
    const { post } = await hookOf(() => {
      const outcome = outcomes[at++];
      return outcome === undefined
        ? Promise.reject(new GatewayError('not-found', 'There is no such file.', { remedy: 'Wait.' }))
        : Promise.resolve({ root: 'nvr', path: 'x', outcome });
    });
    const statuses: number[] = [];
    for (let call = 0; call < 6; call += 1) statuses.push((await post(good)).status);
    expect(statuses).toEqual([202, 202, 202, 200, 200, 404]);
    expect((await (await hookOf(() => new Promise(() => undefined))).post(good)).status).toBe(202);
  });

  it('is no part of the API that a proxy makes public, and has nothing else', async () => {
    const { post, base } = await hookOf();
    const reply = await fetch(base + path, {
      method: 'POST',
      body: good,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    expect(reply.status).toBe(404);
    expect((await post('{}', {}, '/api/health')).status).toBe(404);
    expect((await post('{}', {}, '/')).status).toBe(404);
  });

  it.each([
    ['127.0.0.1', true],
    ['127.8.9.1', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['10.0.0.1', false],
    ['::ffff:10.0.0.1', false],
    ['fe80::1', false],
    ['127.0.0.1.example', false],
    [undefined, false],
  ])('%s is this machine: %s', (address, local) => {
    expect(isLoopback(address)).toBe(local);
  });
});
