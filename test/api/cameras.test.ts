import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CamerasView, CameraView, RetentionView } from '../../src/api/views.js';
import type { RetentionChange } from '../../src/domain/retention-change.js';
import type { ProposedChange } from '../../src/retention/policy.js';
import { keepOldest } from '../../src/retention/oldest-record.js';
import { insertIntent } from '../../src/store/deletions.js';
import { insertHold } from '../../src/store/holds.js';
import { holdRow } from '../helpers/holds.js';
import { openTask } from '../../src/store/tasks.js';
import { markMissing, setSegmentState } from '../../src/store/segments.js';
import { addCamera, addSegment, makeWorld, seconds, type World } from '../helpers/disclosure.js';
import { tempFolder } from '../helpers/site.js';
import { errorOf, serve } from './gateway.js';

const days = (count: number): number => seconds(count * 86_400);
const hours = (count: number): number => seconds(count * 3_600);

function withFootage(...agesDays: number[]): World & { ids: number[] } {
  const world = makeWorld();
  addCamera(world, 'lobby');
  const ids = agesDays.map((age) => addSegment(world, 'lobby', world.clock.nowUs() - days(age)).id);
  return { ...world, ids };
}

const hold = (world: World, fromUs: number, toUs: number): void => {
  insertHold(
    world.store.db,
    holdRow({ id: 'h-1', cameraIds: ['lobby'], startUs: fromUs, endUs: toUs, placedUs: world.clock.nowUs() }),
  );
};

async function lobby(world: World): Promise<CameraView> {
  const served = await serve({}, world);
  const client = await served.login(world.ida);
  const { json } = await client.call<CamerasView>('GET', '/api/cameras');
  const camera = json.cameras[0];
  if (camera === undefined) throw new Error('no camera');
  return camera;
}

describe('the disk itself', () => {
  test('stands beside what the index says, with lateness, once it was walked', async () => {
    const world = withFootage(10);
    expect((await lobby(world)).onDisk).toBeNull();
    const nowUs = world.clock.nowUs();
    const startUs = nowUs - days(31);
    const oldest = {
      rootId: 'nvr',
      path: 'x/secret.mp4',
      startUs,
      source: 'name',
      legalUs: startUs + days(30),
    } as const;
    await keepOldest(world.store, hours(12), {
      atUs: nowUs,
      ok: false,
      cameras: [
        {
          cameraId: 'lobby',
          files: 2,
          oldest: { ...oldest, dueUs: startUs + days(29.5), leftUs: -days(1) },
          oldestHeld: null,
          held: 0,
          overLimit: 1,
          due: 1,
          notIndexed: 1,
        },
      ],
      findings: [],
      copies: [],
      problems: [],
    });
    const camera = await lobby(world);
    expect(camera.onDisk).toMatchObject({
      atUs: nowUs,
      files: 2,
      oldestUs: startUs,
      overLimit: 1,
      notIndexed: 1,
      lateness: null,
    });
    const served = await serve({}, world);
    const client = await served.login(world.ida);
    const reply = await client.call('GET', '/api/retention/oldest');
    expect(reply.json).toMatchObject({ measured: { atUs: nowUs, cameras: [{ cameraId: 'lobby', overLimit: 1 }] } });
    expect(reply.text).not.toContain('secret');
  });
});

describe('a camera against its limit', () => {
  test('without footage', async () => {
    expect((await lobby(withFootage())).limit).toMatchObject({ state: 'empty', dueUs: null, hoursLeft: null });
  });

  test('within it, with policy, device and counts', async () => {
    const world = withFootage(10, 2, 1);
    markMissing(world.store.db, world.ids[2] ?? 0, world.clock.nowUs());
    const camera = await lobby(world);
    const oldestUs = world.clock.nowUs() - days(10);
    expect(camera).toMatchObject({
      label: 'Camera lobby',
      policy: { class: 'crime-prevention', retentionDays: 30, maxRetentionDays: 30, source: 'CCTV Act § 4 c(4)' },
      footage: { segments: 2, missing: 1, oldestUs, quarantined: 0 },
      limit: {
        state: 'ok',
        ruleId: 'class-limit/1',
        dueUs: oldestUs + days(29.5),
        legalUs: oldestUs + days(30),
        hoursLeft: 19.5 * 24,
      },
    });
  });

  test('due, then late', async () => {
    expect((await lobby(withFootage(29.6, 1))).limit).toMatchObject({ state: 'due', hoursLeft: -2.4 });
    expect((await lobby(withFootage(30.1, 1))).limit.state).toBe('late');
  });

  test('held only as far as the hold reaches', async () => {
    const held = withFootage(31, 1);
    hold(held, held.clock.nowUs() - days(31), held.clock.nowUs() - days(31) + hours(1));
    expect((await lobby(held)).limit.state).toBe('held');
    const partly = withFootage(31, 30.5, 1);
    hold(partly, partly.clock.nowUs() - days(31), partly.clock.nowUs() - days(31) + hours(1));
    expect((await lobby(partly)).limit).toMatchObject({ state: 'late', dueUs: partly.clock.nowUs() - days(1) });
  });

  test('a deletion that was begun and is not done stays in sight', async () => {
    const world = withFootage(30.5, 1);
    const [id = 0] = world.ids;
    const startUs = world.clock.nowUs() - days(30.5);
    setSegmentState(world.store.db, id, 'deleting');
    insertIntent(world.store.db, {
      segmentId: id,
      cameraId: 'lobby',
      startUs,
      endUs: startUs + seconds(2),
      sizeBytes: 1,
      inode: '1',
      ruleId: 'class-limit/1',
      dueUs: startUs + days(29.5),
      intendedUs: world.clock.nowUs(),
    });
    expect((await lobby(world)).limit).toMatchObject({ state: 'late', dueUs: startUs + days(29.5) });
  });
});

test('coverage can be seen before anything is asked for', async () => {
  const world = withFootage(1);
  const served = await serve({}, world);
  const client = await served.login(world.sofie);
  const path = (from: string, to: string): string => `/api/coverage?camera=lobby&from=${from}&to=${to}`;
  const { json } = await client.call<{ cameras: { gaps: unknown[]; segments: unknown[] }[] }>(
    'GET',
    path('2026-05-31T12:00:00Z', encodeURIComponent('2026-05-31T14:00:04+02:00')),
  );
  expect(json.cameras[0]).toMatchObject({ segments: [{}], gaps: [{ start: '2026-05-31T12:00:02Z' }] });
  expect((await client.call('GET', path('2026-05-31T12:00:00', '2026-05-31T13:00:00Z'))).status).toBe(400);
  expect(
    (await client.call('GET', '/api/coverage?camera=none&from=2026-05-31T12:00:00Z&to=2026-05-31T12:00:00Z')).status,
  ).toBe(404);
});

test('tasks are listed', async () => {
  const world = withFootage();
  openTask(world.store.db, {
    kind: 'adopt',
    subject: 'camera:lobby',
    detail: 'Adopt it.',
    createdUs: world.clock.nowUs(),
  });
  const served = await serve({}, world);
  const { json } = await (await served.login(world.ida)).call<{ tasks: unknown[] }>('GET', '/api/tasks');
  expect(json.tasks).toMatchObject([{ subject: 'camera:lobby', detail: 'Adopt it.', created: '2026-06-01T12:00:00Z' }]);
});

test('a deletion that waits is shown, and confirmed by two who are logged in', async () => {
  const world = makeWorld();
  world.store.db.prepare('UPDATE root SET identity = ?').run(statSync(world.root, { bigint: true }).ino.toString());
  addCamera(world, 'lobby');
  for (let index = 0; index < 4; index += 1) {
    const { id } = addSegment(world, 'lobby', world.clock.nowUs() - days(40) + hours(index));
    world.store.db.prepare('UPDATE segment SET end_us = start_us + ? WHERE id = ?').run(hours(1), id);
  }
  addSegment(world, 'lobby', world.clock.nowUs() - hours(1));
  const served = await serve({}, world);
  const [ida, lars, sofie] = [
    await served.login(world.ida),
    await served.login(world.lars),
    await served.login(world.sofie),
  ];
  const shown = async (): Promise<RetentionView> => (await ida.call<RetentionView>('GET', '/api/retention')).json;
  expect((await shown()).plan.waiting).toMatchObject({ id: null, cameras: [{ segments: 4, footageUs: hours(4) }] });
  await served.sweep();
  const { waiting } = (await shown()).plan;
  const path = `/api/retention/waiting/${waiting?.id ?? ''}/confirm`;
  expect((await lars.call('POST', '/api/retention/waiting/b-other/confirm', {})).status).toBe(409);
  expect((await served.anonymous().call('POST', path, {})).status).toBe(401);
  expect(await lars.call('POST', path, {})).toMatchObject({ status: 200, json: { complete: false } });
  const same = await lars.call('POST', path, {});
  expect([same.status, errorOf(same).code]).toEqual([403, 'same-person']);
  expect(errorOf(await sofie.call('POST', path, {})).code).toBe('forbidden');
  expect((await shown()).people).toEqual({ 'u-lars': 'name of u-lars' });
  expect(await ida.call('POST', path, {})).toMatchObject({ status: 200, json: { complete: true } });
  expect(await served.sweep()).toMatchObject({ deleted: 4, waiting: null });
  expect((await shown()).plan.waiting).toBeNull();
  expect(served.events().filter(({ type }) => type === 'retention.confirmed')).toMatchObject([
    { actor: 'user:u-lars', data: { complete: false } },
    { actor: 'user:u-ida', data: { complete: true } },
  ]);
});

test('a clock that was in doubt is accepted by two who are logged in', async () => {
  const world = makeWorld();
  const served = await serve({}, world);
  world.clock.us += days(10);
  world.store.act('gateway', (note) => {
    note('gateway.started', 'gateway', {});
  });
  world.clock.us -= days(10);
  const [ida, lars] = [await served.login(world.ida), await served.login(world.lars)];
  const doubt = async (): Promise<string | null> =>
    (await ida.call<RetentionView>('GET', '/api/retention')).json.refused;
  const accept = '/api/retention/clock/accept';
  expect(await doubt()).toContain('the log already has something from 2026-06-11T12:00:00Z');
  expect(await lars.call('POST', accept, {})).toMatchObject({
    status: 200,
    json: { complete: false, now: '2026-06-01T12:00:00Z', people: { 'u-lars': 'name of u-lars' } },
  });
  expect(errorOf(await lars.call('POST', accept, {})).code).toBe('same-person');
  expect(await doubt()).not.toBeNull();
  expect(await ida.call('POST', accept, {})).toMatchObject({ status: 200, json: { complete: true } });
  expect(await doubt()).toBeNull();
  expect((await ida.call('POST', accept, {})).status).toBe(409);
});

test('a period is changed by two for longer, and after a day that shows what goes for shorter', async () => {
  const world = withFootage(10, 2, 1);
  const served = await serve({}, world);
  const [ida, lars, sofie] = [
    await served.login(world.ida),
    await served.login(world.lars),
    await served.login(world.sofie),
  ];
  const path = '/api/cameras/lobby/retention';
  const shown = await sofie.call('GET', `${path}-preview?days=5`);
  expect(shown.json).toMatchObject({ preview: { segments: 1, held: 0, at: '2026-06-02T12:00:00Z' } });
  expect((await sofie.call('GET', `${path}-preview?days=31`)).status).toBe(422);
  expect((await lars.call('POST', path, { days: 5, reason: 'no longer needed' })).status).toBe(403);
  expect((await ida.call('POST', path, { days: 31, reason: 'no longer needed' })).status).toBe(422);
  expect((await ida.call('POST', path, { days: 5, reason: '' })).status).toBe(400);
  const shorter = await ida.call<ProposedChange>('POST', path, { days: 5, reason: 'no longer needed' });
  expect([shorter.status, shorter.json.preview?.segments]).toEqual([201, 1]);
  const changes = (await sofie.call<{ changes: RetentionChange[] }>('GET', '/api/retention-changes')).json.changes;
  expect(changes).toMatchObject([{ id: shorter.json.change.id, effective: '2026-06-02T12:00:00Z' }]);
  const changePath = `/api/retention-changes/${shorter.json.change.id}`;
  expect((await sofie.call('DELETE', changePath)).status).toBe(403);
  expect((await lars.call('DELETE', changePath)).status).toBe(200);
  world.store.db.prepare('UPDATE camera SET retention_days = 14').run();
  const longer = await ida.call<ProposedChange>('POST', path, { days: 20, reason: 'noticed too late' });
  const confirm = `/api/retention-changes/${longer.json.change.id}/confirm`;
  expect(errorOf(await ida.call('POST', confirm, {})).code).toBe('same-person');
  expect(await lars.call('POST', confirm, {})).toMatchObject({ status: 200, json: { applied: true } });
  expect((await lobby(world)).policy.retentionDays).toBe(20);
});

describe('the page', () => {
  test('carries the nonce of its own answer, and hashed files are kept for ever', async () => {
    const webDir = tempFolder();
    mkdirSync(join(webDir, 'assets'));
    writeFileSync(join(webDir, 'index.html'), '<meta name="style-nonce" content="__STYLE_NONCE__">');
    writeFileSync(join(webDir, 'assets', 'index-1234.js'), '1');
    const { base } = await serve({ webDir });
    const page = await fetch(base);
    const nonce = /content="([^"]+)"/.exec(await page.text())?.[1] ?? '';
    expect(nonce).toMatch(/^[A-Za-z0-9+/]{22}==$/);
    expect(page.headers.get('content-security-policy')).toContain(`'nonce-${nonce}'`);
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(await (await fetch(base)).text()).not.toContain(nonce);
    const asset = await fetch(`${base}/assets/index-1234.js`);
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(await (await fetch(`${base}/index.html`)).text()).not.toContain('__STYLE_NONCE__');
    expect((await fetch(`${base}/assets/..%2f..%2fetc%2fpasswd`)).status).not.toBe(200);
    expect((await fetch(`${base}/assets/none.js`)).status).toBe(404);
  });

  test('that is not built says so', async () => {
    const { base } = await serve({ webDir: tempFolder() });
    const reply = await fetch(base);
    expect(reply.status).toBe(404);
    expect(await reply.text()).toContain('npm run build');
  });
});
