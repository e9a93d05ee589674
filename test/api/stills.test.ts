import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { putSubstream } from '../../src/store/substreams.js';
import { makeClip } from '../helpers/clip.js';
import { addCamera, addSegment, filesBelow, makeWorld, noonUs, seconds } from '../helpers/disclosure.js';
import { tempFolder } from '../helpers/site.js';
import { errorOf, serve, type Served } from './gateway.js';

const noon = '2026-05-31T10:00:00Z';

async function site(): Promise<Served> {
  const world = makeWorld();
  const clip = await makeClip(join(tempFolder(), 'clip.mp4'), { seconds: 4 });
  addCamera(world, 'lobby');
  addSegment(world, 'lobby', noonUs, { clip, seconds: 4 });
  return serve({}, world);
}
const still = (more = ''): string => `/api/footage/lobby/still?at=${noon}&purpose=check-quality${more}`;
const sheet = (more = ''): string =>
  `/api/footage/lobby/contact-sheet?from=${noon}&to=2026-05-31T10:00:08Z&purpose=check-quality${more}`;
const viewed = (served: Served): Record<string, unknown>[] =>
  served
    .events()
    .filter((event) => event.type === 'footage.viewed')
    .map(({ actor, subject, data }) => ({ actor, subject, ...data }));

describe('pictures', () => {
  test('a still and a contact sheet, kept by no cache, each look with its purpose in the log', async () => {
    const served = await site();
    const client = await served.login(served.world.sofie);
    const one = await client.call('GET', still());
    expect([one.status, one.headers.get('content-type'), one.headers.get('cache-control')]).toEqual([
      200,
      'image/jpeg',
      'no-store',
    ]);
    const many = await client.call('GET', sheet('&count=4'));
    expect([many.status, many.headers.get('content-type'), many.headers.get('cache-control')]).toEqual([
      200,
      'image/jpeg',
      'no-store',
    ]);
    expect(many.headers.get('picture-times')).toBe(`${noonUs + seconds(1)},${noonUs + seconds(3)},,`);
    expect(viewed(served)).toMatchObject([
      { what: 'still', actor: 'user:u-sofie', subject: 'camera:lobby', startUs: noonUs, purpose: 'check-quality' },
      { what: 'contact-sheet', startUs: noonUs, endUs: noonUs + seconds(8), purpose: 'check-quality' },
    ]);
    expect(filesBelow(served.world, 'stills')).toHaveLength(2);
  });

  test('words of somebody’s own stay out of the log', async () => {
    const served = await site();
    const client = await served.login(served.world.lars);
    const path = `/api/footage/lobby/still?at=${noon}&purpose=looking+for+Hans`;
    expect((await client.call('GET', path)).status).toBe(200);
    expect(viewed(served)).toMatchObject([{ purpose: 'in-own-words' }]);
    expect(JSON.stringify(served.events())).not.toContain('Hans');
  });

  test.each(['still', 'contact-sheet'])(
    '%s: only for those who may look, and never without a purpose',
    async (kind) => {
      const served = await site();
      const path = kind === 'still' ? still() : sheet();
      expect((await served.anonymous().call('GET', path)).status).toBe(401);
      const auditor = await served.login(served.world.ida);
      expect((await auditor.call('GET', path)).status).toBe(403);
      const client = await served.login(served.world.sofie);
      for (const without of [path.replace(/&purpose=[^&]*/, ''), path.replace(/purpose=[^&]*/, 'purpose=+')]) {
        expect((await client.call('GET', without)).status).toBe(400);
      }
      expect(viewed(served)).toEqual([]);
      expect(filesBelow(served.world, 'stills')).toEqual([]);
    },
  );

  test.each([
    ['a width beyond any picture', still('&width=100000')],
    ['a width of nothing', still('&width=0')],
    ['a moment without its zone', still().replace('Z', '')],
    ['too many pictures', sheet('&count=61')],
    ['no picture', sheet('&count=0')],
    ['an end before the start', sheet().replace('T10:00:08Z', 'T09:00:00Z')],
    ['more than a day', sheet().replace('2026-05-31T10:00:08Z', '2026-06-02T10:00:08Z')],
  ])('%s is refused', async (_what, path) => {
    const served = await site();
    const client = await served.login(served.world.sofie);
    expect((await client.call('GET', path)).status).toBe(400);
  });

  test('a moment without footage, and a camera that there is not', async () => {
    const served = await site();
    const client = await served.login(served.world.sofie);
    const gone = await client.call('GET', still().replace('T10', 'T11'));
    expect([gone.status, errorOf(gone).code]).toEqual([410, 'footage-gone']);
    expect((await client.call('GET', still().replace('lobby', '..%2Fkeys'))).status).toBe(404);
  });
});

test('where the recordings can be cut', async () => {
  const served = await site();
  const client = await served.login(served.world.sofie);
  const { status, json } = await client.call('GET', `/api/footage/lobby/cuts?from=${noon}&to=2026-05-31T10:00:08Z`);
  expect(status).toBe(200);
  expect(json).toMatchObject({
    cameraId: 'lobby',
    recordings: [
      { start: noon, cut: { start: noon, end: '2026-05-31T10:00:04Z' }, keyFramesUs: [noonUs], problem: null },
    ],
  });
  expect((await client.call('GET', `/api/footage/lobby/cuts?from=${noon}&to=2026-06-01T10:00:08Z`)).status).toBe(400);
});

test('the list of cameras says what is a sub-stream of what', async () => {
  const served = await site();
  addCamera(served.world, 'lobby_sub');
  putSubstream(served.world.store.db, { streamId: 'lobby_sub', cameraId: 'lobby' });
  const client = await served.login(served.world.sofie);
  const { json } = await client.call<{ cameras: Record<string, unknown>[] }>('GET', '/api/cameras');
  expect(json.cameras.map(({ cameraId, substreamOf }) => [cameraId, substreamOf])).toEqual([
    ['lobby', null],
    ['lobby_sub', 'lobby'],
  ]);
});
