import { appendFileSync, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CamerasView, ReportsView, RetentionOverview, RetentionCamera } from '../../src/api/views.js';
import type { ReportVerdict } from '../../src/evidence/report-files.js';
import type { ProposedChange } from '../../src/retention/policy.js';
import { insertIntent, noteFailure } from '../../src/store/deletions.js';
import { insertHold } from '../../src/store/holds.js';
import { openTask, openTasks } from '../../src/store/tasks.js';
import { setSegmentState } from '../../src/store/segments.js';
import { holdRow } from '../helpers/holds.js';
import { addCamera, addSegment, makeWorld, seconds, type World } from '../helpers/disclosure.js';
import { serve, type Client } from './gateway.js';

const days = (count: number): number => seconds(count * 86_400);
const hours = (count: number): number => seconds(count * 3_600);

function site(instant?: string): World {
  const world = makeWorld({}, instant);
  world.store.db.prepare('UPDATE root SET identity = ?').run(statSync(world.root, { bigint: true }).ino.toString());
  addCamera(world, 'lobby');
  return world;
}

const hour = (world: World, camera: string, ageUs: number): { id: number; file: string } =>
  addSegment(world, camera, world.clock.nowUs() - ageUs, { seconds: 3600 });

function hold(world: World, id: string, fromAgeUs: number, toAgeUs: number): void {
  const nowUs = world.clock.nowUs();
  const range = { startUs: nowUs - fromAgeUs, endUs: nowUs - toAgeUs };
  insertHold(world.store.db, holdRow({ id, cameraIds: ['lobby'], ...range, placedUs: nowUs }));
}

const overview = async (client: Client): Promise<RetentionOverview> =>
  (await client.call<RetentionOverview>('GET', '/api/retention/overview')).json;

const lobbyIn = ({ cameras }: RetentionOverview): RetentionCamera | undefined =>
  cameras.find(({ cameraId }) => cameraId === 'lobby');

describe('the overview', () => {
  test('of a gateway that has done nothing yet, and of nobody who is logged in', async () => {
    const served = await serve({}, site());
    const seen = await overview(await served.login(served.world.sofie));
    expect(seen).toMatchObject({
      ...{ marginUs: hours(12), voteUs: hours(4), sweepEveryUs: hours(1), now: '2026-06-01T12:00:00Z' },
      clock: { doubt: null, votes: [], synchronised: null },
      ...{ lastSweep: null, refused: null, waiting: null, confirmed: null, changes: [], measured: null, people: {} },
      cameras: [{ cameraId: 'lobby', nextDueUs: null, due: null, held: null, failing: null }],
    });
    // A length of time is not written as an instant.
    expect(seen).not.toHaveProperty('vote');
    expect((await served.anonymous().call('GET', '/api/retention/overview')).status).toBe(401);
  });

  test('what goes next is the oldest that no hold covers, however holds lie', async () => {
    const world = site();
    for (const age of [40, 39, 38, 20, 19]) hour(world, 'lobby', days(age));
    hold(world, 'h-1', days(45), days(38.5));
    hold(world, 'h-2', days(38), days(19.5));
    const served = await serve({}, world);
    const client = await served.login(world.ida);
    const seen = await overview(client);
    expect(lobbyIn(seen)).toMatchObject({
      nextDueUs: world.clock.nowUs() - days(19) + days(29.5),
      due: null,
      held: { segments: 3, oldestUs: world.clock.nowUs() - days(40) },
    });
    expect(seen.due).toMatchObject({ segments: 0, held: 3 });
    const { json } = await client.call<CamerasView>('GET', '/api/cameras');
    expect(json.cameras[0]?.limit.state).toBe('held');
    // One that begins before the hold and ends before it is not covered by it.
    addSegment(world, 'lobby', world.clock.nowUs() - days(45) - hours(2), { seconds: 3600 });
    expect(lobbyIn(await overview(client))?.due).toEqual({ segments: 1, footageUs: hours(1) });
  });

  test('what cannot be deleted stands with its reason and the time that is left', async () => {
    const world = site();
    const { id } = hour(world, 'lobby', days(29.6));
    const startUs = world.clock.nowUs() - days(29.6);
    setSegmentState(world.store.db, id, 'deleting');
    const intent = insertIntent(world.store.db, {
      ...{ segmentId: id, cameraId: 'lobby', startUs, endUs: startUs + hours(1), sizeBytes: 1, inode: '1' },
      ...{ ruleId: 'class-limit/1', dueUs: startUs + days(29.5), intendedUs: world.clock.nowUs() },
    });
    noteFailure(world.store.db, intent, 'EROFS: read-only file system');
    const served = await serve({}, world);
    expect(lobbyIn(await overview(await served.login(world.ida)))?.failing).toMatchObject({
      ...{ segments: 1, error: 'EROFS: read-only file system', legalUs: startUs + days(30) },
    });
  });

  test('what waits, who has said yes, that both have, and what the sweep then did', async () => {
    const world = site();
    const files = [0, 1, 2, 3].map((index) => hour(world, 'lobby', days(40) - hours(index)).file);
    hour(world, 'lobby', hours(2));
    const served = await serve({}, world);
    const [ida, lars] = [await served.login(world.ida), await served.login(world.lars)];
    await served.sweep();
    const before = await overview(lars);
    expect(before).toMatchObject({
      waiting: { cameras: [{ cameraId: 'lobby', segments: 4, footageUs: hours(4), usualUs: 0 }], votes: [] },
      lastSweep: { deleted: 0, failed: 0, atUs: world.clock.nowUs() },
      refused: null,
    });
    const path = `/api/retention/waiting/${before.waiting?.id ?? ''}/confirm`;
    await lars.call('POST', path, {});
    expect(await overview(ida)).toMatchObject({
      waiting: { votes: [{ userId: 'u-lars', admin: false }] },
      confirmed: null,
      people: { 'u-lars': 'name of u-lars' },
    });
    await ida.call('POST', path, {});
    const after = await overview(ida);
    const confirmedBy = after.confirmed?.votes.map(({ userId }) => userId).sort();
    expect([after.waiting, confirmedBy]).toEqual([null, ['u-ida', 'u-lars']]);
    expect(files.every((file) => existsSync(file))).toBe(true);
    await served.sweep();
    expect(await overview(ida)).toMatchObject({ confirmed: null, lastSweep: { deleted: 4 }, due: { segments: 0 } });
    expect(files.some((file) => existsSync(file))).toBe(false);
  });

  test('a clock in doubt, who vouches for it, and that a yes to another clock is none', async () => {
    const world = site();
    const served = await serve({}, world);
    world.clock.us += days(10);
    await served.sweep();
    world.clock.us -= days(10);
    const [ida, lars] = [await served.login(world.ida), await served.login(world.lars)];
    expect(await served.sweep()).toMatchObject({ deleted: 0 });
    expect(await overview(ida)).toMatchObject({
      clock: { doubt: { kind: 'before-log', highest: '2026-06-11T12:00:00Z' }, votes: [] },
      refused: { why: 'clock' },
    });
    await lars.call('POST', '/api/retention/clock/accept', {});
    expect((await overview(ida)).clock.votes).toMatchObject([{ userId: 'u-lars' }]);
    world.clock.us += hours(5);
    // A yes counts for four hours.
    expect((await overview(await served.login(world.ida))).clock.votes).toEqual([]);
    world.clock.us -= hours(5);
    await ida.call('POST', '/api/retention/clock/accept', {});
    expect((await overview(ida)).clock).toMatchObject({ doubt: null, votes: [] });
    await served.sweep();
    expect((await overview(ida)).refused).toBeNull();
  });

  test('a change that waits has what it would delete as things are now, less what is held since', async () => {
    const world = site();
    for (const age of [20, 10, 9, 1]) hour(world, 'lobby', days(age));
    const served = await serve({}, world);
    const [ida, lars] = [await served.login(world.ida), await served.login(world.lars)];
    const made = await ida.call<ProposedChange>('POST', '/api/cameras/lobby/retention', {
      ...{ days: 5, reason: 'five days are enough here' },
    });
    expect(made.json.preview).toMatchObject({ segments: 3, footageUs: hours(3), held: 0 });
    // Two holds over the same footage are one.
    hold(world, 'h-1', days(10) + hours(1), days(8.9));
    hold(world, 'h-2', days(10) + hours(1), days(9.5));
    expect(await overview(lars)).toMatchObject({
      changes: [{ change: { proposedBy: 'user:u-ida' }, preview: { segments: 1, footageUs: hours(1), held: 2 } }],
      people: { 'u-ida': 'name of u-ida' },
    });
  });
});

test('a task is done by those who may, once, and that is in the log', async () => {
  const world = site();
  openTask(world.store.db, {
    ...{ kind: 'adopt-camera', subject: 'camera:lobby', detail: 'Adopt it.', createdUs: world.clock.nowUs() },
  });
  const [task] = openTasks(world.store.db);
  const served = await serve({}, world);
  const [lars, sofie] = [await served.login(world.lars), await served.login(world.sofie)];
  const path = `/api/tasks/${task?.id ?? 0}/done`;
  expect((await sofie.call('POST', path, {})).status).toBe(403);
  expect((await lars.call('POST', path, {}, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await lars.call('POST', '/api/tasks/0x1/done', {})).status).toBe(400);
  expect((await lars.call('POST', '/api/tasks/999/done', {})).status).toBe(404);
  expect(openTasks(world.store.db)).toHaveLength(1);
  expect(await lars.call('POST', path, {})).toMatchObject({ status: 200, json: { task: { kind: 'adopt-camera' } } });
  expect(openTasks(world.store.db)).toEqual([]);
  expect(served.events().at(-1)).toMatchObject({
    ...{ type: 'task.closed', actor: 'user:u-lars', subject: 'camera:lobby', data: { kind: 'adopt-camera' } },
  });
  expect((await lars.call('POST', path, {})).status).toBe(404);
});

test('a report is made once, by those who may, of a month that is over, and what was altered fails its check', async () => {
  const world = site('2026-04-10T12:00:00Z');
  hour(world, 'lobby', days(2));
  world.clock.us = Date.parse('2026-06-15T12:00:00Z') * 1000;
  const served = await serve({}, world);
  const [lars, sofie] = [await served.login(world.lars), await served.login(world.sofie)];
  const listed = async (): Promise<ReportsView> => (await lars.call<ReportsView>('GET', '/api/reports')).json;
  expect(await listed()).toEqual({ reports: [], missing: ['2026-05', '2026-04'] });
  const make = (client: Client, month: string): ReturnType<Client['call']> =>
    client.call('POST', '/api/reports', { month });
  expect((await make(sofie, '2026-05')).status).toBe(403);
  for (const [month, status] of [
    ['2026-06', 400],
    ['2026-13', 400],
    ['2026-03', 404],
  ] as const) {
    expect((await make(lars, month)).status, month).toBe(status);
  }
  const [first, second] = await Promise.all([make(lars, '2026-05'), make(lars, '2026-05')]);
  expect([first.status, second.status].sort()).toEqual([201, 409]);
  const { sha256 } = (first.status === 201 ? first : second).json as { sha256: string };
  expect(served.events().filter(({ type }) => type === 'report.made')).toMatchObject([
    { actor: 'user:u-lars', subject: 'report:2026-05', data: { sha256 } },
  ]);
  expect(await listed()).toMatchObject({ reports: [{ month: '2026-05' }], missing: ['2026-04'] });
  expect((await make(lars, '2026-05')).status).toBe(409);

  const check = async (month: string): Promise<ReportVerdict> =>
    (await lars.call<ReportVerdict>('GET', `/api/reports/${month}/verification`)).json;
  const good = await check('2026-05');
  expect(good.ok).toBe(true);
  expect(good.checks.map(({ name }) => name)).toContain('key-pin');
  appendFileSync(join(world.dataDir, 'reports', '2026-05', 'report.da.pdf'), ' ');
  const bad = await check('2026-05');
  expect([bad.ok, bad.checks.filter(({ ok }) => !ok).map(({ name }) => name)]).toEqual([false, ['file-hashes']]);
  expect((await lars.call('GET', '/api/reports/2026-04/verification')).status).toBe(404);
  expect((await sofie.call('GET', '/api/reports/2026-05/verification')).status).toBe(403);
  expect(served.events().filter(({ data }) => data['what'] === 'report-verification')).toHaveLength(3);
});
