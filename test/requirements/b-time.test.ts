/** Time: of frames, of cameras, of recorders and of this machine. Real scans, real ONVIF answers, a real database. */
import { copyFileSync, readFileSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { measureClocks } from '../../src/cameras/measure-clocks.js';
import type { Manifest } from '../../src/domain/manifest.js';
import { formatLocal } from '../../src/domain/time.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { planDeletions } from '../../src/retention/plan.js';
import { markerName } from '../../src/platform/root-folder.js';
import { getCamera, putCamera } from '../../src/store/cameras.js';
import { measurementNearest, measurementsOf, putMeasurement } from '../../src/store/clock-measurements.js';
import { schemaSql } from '../../src/store/database.js';
import { noteReceiveClock, receivedAt } from '../../src/store/receive-clock.js';
import { clocksOf } from '../../src/store/segment-clocks.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import { startOnvifDevice } from '../../samples/onvif-device.js';
import { serve } from '../api/gateway.js';
import { addCamera as addWorldCamera, approved, makeWorld, noonUs, packaged } from '../helpers/disclosure.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { addCamera, addRoot, addSegment, day, hour, june, makeTestStore } from '../helpers/store.js';
import { clipOf, makeSite } from '../recordings/layout-site.js';

const us = (iso: string): number => Date.parse(iso) * 1000;
const zone = 'Europe/Copenhagen';

describe('B1 instants are integers in UTC', () => {
  test('02:30 on the day that has it twice is two instants, shown with two offsets', () => {
    const [first, second] = [us('2026-10-25T00:30:00Z'), us('2026-10-25T01:30:00Z')];
    expect(second - first).toBe(hour);
    expect([first, second].map((at) => formatLocal(at, zone))).toEqual([
      expect.stringMatching(/2026-10-25.02:30.*\+02:00/),
      expect.stringMatching(/2026-10-25.02:30.*\+01:00/),
    ]);
  });

  test('every column that is an instant is INTEGER, in a STRICT table', () => {
    const made = makeTestStore();
    const columns = made.db
      .prepare(
        `SELECT m.name AS tableName, c.name, c.type, t.strict FROM sqlite_master m, pragma_table_info(m.name) c
           JOIN pragma_table_list t ON t.name = m.name WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`,
      )
      .all() as { tableName: string; name: string; type: string; strict: number }[];
    const instants = columns.filter(({ name }) => name.endsWith('_us'));
    expect(instants.length).toBeGreaterThan(30);
    expect(instants.filter(({ type, strict }) => type !== 'INTEGER' || strict !== 1)).toEqual([]);
    // No other way to write a time is in the schema.
    // As a type; date() itself is asked whether a calendar day that somebody wrote is one.
    expect(schemaSql().replace(/--[^\n]*/g, '')).not.toMatch(/\bDATE(TIME)?\b(?!\()|CURRENT_TIMESTAMP|strftime/i);
  });
});

test('B2 the API refuses a local time, clear or not, and takes it with its offset', async () => {
  const world = makeWorld();
  addWorldCamera(world, 'lobby');
  const sofie = await (await serve({}, world)).login(world.sofie);
  const ask = (from: string) =>
    sofie.call('GET', `/api/coverage?camera=lobby&from=${encodeURIComponent(from)}&to=2026-10-25T05:00:00Z`);
  for (const local of ['2026-10-25T02:30:00', '2026-03-29T02:30:00', '2026-07-01T12:00:00']) {
    expect((await ask(local)).status, local).toBe(400);
  }
  for (const clear of ['2026-10-25T02:30:00+02:00', '2026-10-25T02:30:00+01:00']) {
    expect((await ask(clear)).status, clear).toBe(200);
  }
});

test('B3 touched, copied, restored and moved, a recording is due when it was', async () => {
  const site = makeSite('frigate', clipOf('sound.mp4'));
  const path = '2026-05-01/10/lobby/00.00.mp4';
  site.put(path, '2026-05-01T10:00:06Z');
  await scanRoots(site.ctx);
  const [before] = [...segmentsOfRoot(site.ctx.store.db, 'nvr')];
  expect(before?.startUs).toBe(us('2026-05-01T10:00:00Z'));
  const full = site.full(path);
  const changes: (() => void)[] = [
    // Touched today.
    () => {
      utimesSync(full, new Date('2026-06-01T11:00:00Z'), new Date('2026-06-01T11:00:00Z'));
    },
    // Restored from a backup: another inode, another time.
    () => {
      copyFileSync(full, `${full}.new`);
      rmSync(full);
      renameSync(`${full}.new`, full);
      utimesSync(full, new Date('2026-06-01T11:30:00Z'), new Date('2026-06-01T11:30:00Z'));
    },
    // Put back by a tool that gives it the time of long ago.
    () => {
      utimesSync(full, new Date('2020-01-01T00:00:00Z'), new Date('2020-01-01T00:00:00Z'));
    },
  ];
  for (const change of changes) {
    change();
    await scanRoots(site.ctx);
    const rows = [...segmentsOfRoot(site.ctx.store.db, 'nvr')];
    expect(rows.map(({ startUs, state }) => [startUs, state])).toEqual([[before?.startUs, 'indexed']]);
  }
  expect(readFileSync(site.full(markerName), 'utf8')).not.toBe('');
});

describe('B4 of each segment the gateway knows device time, receive time by two clocks, offset and quality', () => {
  test('a scan keeps the receive time by wall clock and by the uptime of this boot', async () => {
    const site = makeSite('frigate', clipOf('sound.mp4'));
    let uptimeUs = 5 * hour;
    const ctx = { ...site.ctx, uptime: () => ({ bootId: 'b1', uptimeUs }) };
    site.put('2026-07-01/10/lobby/00.00.mp4', '2026-07-01T10:00:06Z');
    await scanRoots(ctx);
    const [first] = [...segmentsOfRoot(site.ctx.store.db, 'nvr')];
    expect(first).toMatchObject({ timeSource: 'name-utc', timeQuality: expect.any(String) as unknown });
    expect(receivedAt(site.ctx.store.db, first?.id ?? 0)).toEqual({
      wallUs: first?.firstSeenUs,
      boot: { bootId: 'b1', uptimeUs },
    });
    uptimeUs += 10_000_000;
    site.put('2026-07-01/10/lobby/00.10.mp4', '2026-07-01T10:00:16Z');
    await scanRoots(ctx);
    const second = [...segmentsOfRoot(site.ctx.store.db, 'nvr')].find(({ id }) => id !== first?.id);
    // The wall clock of the test stood still: that is a clock that was moved, and both times stay what they were.
    expect(receivedAt(site.ctx.store.db, second?.id ?? 0)?.boot).toEqual({ bootId: 'b1', uptimeUs });
    expect(receivedAt(site.ctx.store.db, first?.id ?? 0)?.boot?.uptimeUs).toBe(5 * hour);
  });

  test('a wall clock that is set, and a boot, begin anew; what was received before keeps its clock', () => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    addRoot(made, 'nvr');
    const receive = (path: string, wallUs: number, bootId: string | null, uptimeUs: number): number => {
      made.nowUs = wallUs;
      noteReceiveClock(made.db, { wallUs, boot: bootId === null ? null : { bootId, uptimeUs } });
      return addSegment(made, { camera: 'lobby', path, startUs: wallUs - hour });
    };
    const ids = [
      receive('a.mp4', june, 'b1', hour),
      receive('b.mp4', june + hour, 'b1', 2 * hour),
      // Set forward by 40 days, and back again.
      receive('c.mp4', june + 40 * day, 'b1', 3 * hour),
      receive('d.mp4', june + 3 * hour, 'b1', 4 * hour),
      receive('e.mp4', june + 4 * hour, 'b2', 60_000_000),
      receive('f.mp4', june + 5 * hour, null, 0),
    ];
    expect(ids.map((id) => receivedAt(made.db, id))).toEqual([
      { wallUs: june, boot: { bootId: 'b1', uptimeUs: hour } },
      { wallUs: june + hour, boot: { bootId: 'b1', uptimeUs: 2 * hour } },
      { wallUs: june + 40 * day, boot: { bootId: 'b1', uptimeUs: 3 * hour } },
      { wallUs: june + 3 * hour, boot: { bootId: 'b1', uptimeUs: 4 * hour } },
      { wallUs: june + 4 * hour, boot: { bootId: 'b2', uptimeUs: 60_000_000 } },
      { wallUs: june + 5 * hour, boot: null },
    ]);
    // The first two share a row: a steady clock costs nothing.
    expect(made.db.prepare('SELECT count(*) FROM receive_clock').pluck().get()).toBe(5);
  });

  test('the offset of the device then is the measurement nearest to it; other clocks that contradict are kept', () => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    addRoot(made, 'nvr');
    const put = (measuredUs: number, offsetMs: number): void => {
      putMeasurement(made.db, { cameraId: 'lobby', clock: 'camera', measuredUs, offsetMs, uncertaintyMs: 510 });
    };
    put(june - 20 * day, 100);
    put(june - 10 * day, 9000);
    put(june, 0);
    const id = addSegment(made, { camera: 'lobby', path: 'a.mp4', startUs: june - 11 * day });
    expect(measurementNearest(made.db, 'lobby', 'camera', june - 11 * day)?.offsetMs).toBe(9000);
    expect(measurementNearest(made.db, 'lobby', 'camera', june - 400 * day)?.offsetMs).toBe(100);
    expect(measurementNearest(made.db, 'lobby', 'recorder', june)).toBeNull();
    expect(clocksOf(made.db, id)).toBeNull();
    // After 400 days the oldest go.
    put(june + 385 * day, 1);
    expect(measurementsOf(made.db, 'lobby', 10).map(({ offsetMs }) => offsetMs)).toEqual([1, 0, 9000]);
  });
});

describe('B5 a wrong clock deletes nothing', () => {
  test.each([
    ['40 days ahead', june + 40 * day],
    ['a year behind', june - 365 * day],
    ['1970', 0],
    ['2106', us('2106-02-07T06:28:16Z')],
  ])('%s, within one boot', async (_name, wrongUs) => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    addRoot(made, 'nvr');
    for (let age = 1; age < 29; age += 1) {
      addSegment(made, { camera: 'lobby', path: `${age}.mp4`, startUs: june - age * day });
    }
    let uptimeUs = 10 * hour;
    const ctx = { ...made.retention, uptime: () => ({ bootId: 'b1', uptimeUs }) };
    expect(await applyDeletions(ctx)).toMatchObject({ deleted: 0, refused: null });
    made.nowUs = wrongUs;
    uptimeUs += hour;
    const result = await applyDeletions(ctx);
    expect(result.deleted).toBe(0);
    expect(result.refused).toContain('the clock was set');
    expect([...segmentsOfRoot(made.db, 'nvr')].filter(({ state }) => state !== 'indexed')).toEqual([]);
    expect(openTasks(made.db).map(({ kind }) => kind)).toContain('clock-untrusted');
    // Recording goes on: what comes in now is indexed.
    expect(addSegment(made, { camera: 'lobby', path: 'now.mp4', startUs: june + hour })).toBeGreaterThan(28);
  });

  test('forward while the machine was off: the brake keeps all of it for two persons', async () => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    addRoot(made, 'nvr');
    for (let age = 1; age < 29; age += 1) {
      addSegment(made, { camera: 'lobby', path: `${age}.mp4`, startUs: june - age * day, minutes: 60 });
    }
    const braked = { ...made.retention, brake: { floorUs: 3 * hour, factor: 2, voteUs: 4 * hour } };
    await applyDeletions(braked);
    made.nowUs = june + 40 * day;
    const result = await applyDeletions(braked);
    expect(result.deleted).toBe(0);
    expect(result.waiting).not.toBeNull();
    expect(planDeletions(braked, made.nowUs).due).toBe(28);
  });
});

describe('B8 clocks are measured, kept and an alarm above 2 s', () => {
  test('cameras over ONVIF, without their passwords; one that is gone is a problem and nothing else', async () => {
    const made = makeTestStore({ nowUs: Date.now() * 1000 });
    const offsets = { right: 0, ahead: 5000, behind: -90_000 };
    const addresses = new Map<string, string>([['gone', 'http://127.0.0.1:9/onvif/device_service']]);
    for (const [name, clockOffsetMs] of Object.entries(offsets)) {
      const device = await startOnvifDevice({
        ...{ name, serial: name, mac: 'AC:CC:8E:00:00:01', manufacturer: 'S', model: 'S1', user: 'u', password: 'p' },
        ...{ httpPort: 0, address: '127.0.0.1', multicast: false, clockOffsetMs },
      });
      onTestFinished(() => device.close());
      addresses.set(name, `http://127.0.0.1:${device.port}/onvif/device_service`);
    }
    for (const id of [...addresses.keys(), 'nowhere']) addCamera(made, id);
    const measure = () =>
      measureClocks(made.store, {
        targetOf: (cameraId) => {
          const address = addresses.get(cameraId);
          return address === undefined ? null : { address };
        },
        timeoutMs: 2000,
      });
    const { measured, problems } = await measure();
    expect(measured.map(({ cameraId }) => cameraId).sort()).toEqual(['ahead', 'behind', 'right']);
    for (const { cameraId, offsetMs, uncertaintyMs } of measured) {
      expect(Math.abs(offsetMs - offsets[cameraId as keyof typeof offsets])).toBeLessThanOrEqual(uncertaintyMs + 50);
      expect(getCamera(made.db, cameraId).clock).toMatchObject({ offsetMs, uncertaintyMs });
    }
    expect(problems.some(({ address }) => address === addresses.get('gone'))).toBe(true);
    expect(
      openTasks(made.db)
        .map(({ kind, subject }) => `${kind} ${subject}`)
        .sort(),
    ).toEqual(['camera-clock-off camera:ahead', 'camera-clock-off camera:behind']);
    made.nowUs += hour;
    await measure();
    expect(measurementsOf(made.db, 'behind', 10)).toHaveLength(2);
    expect(made.verify().problems).toEqual([]);
  });

  test('a clock that is right again closes its task, and one that may be right opens none', () => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    const tasks = async (seconds: number): Promise<string[]> => {
      // The recorder says that footage ends this much after it was written down.
      made.db.exec('DELETE FROM segment');
      const startUs = made.nowUs - 300_000_000 + seconds * 1_000_000;
      addSegment(made, { camera: 'lobby', path: `${seconds}.mp4`, startUs });
      made.db.prepare('UPDATE segment SET mtime_us = ?').run(made.nowUs);
      await measureClocks(made.store, { targetOf: () => null });
      return openTasks(made.db).map(({ kind }) => kind);
    };
    addRoot(made, 'nvr');
    return (async () => {
      expect(await tasks(-5)).toEqual([]);
      expect(await tasks(10)).toEqual(['recorder-clock-off']);
      expect(await tasks(1)).toEqual([]);
      expect(await tasks(-3600)).toEqual(['recorder-clock-off']);
      expect(await tasks(-20)).toEqual([]);
    })();
  });
});

test('B9 a package says how far the clocks were off at the export and nearest to the footage, against what, and rewrites no time', async () => {
  const world = makeWorld({ synchronised: () => Promise.resolve(true) });
  const id = await approved(world);
  const { db, clock } = world.store;
  const put = (which: 'camera' | 'recorder', measuredUs: number, offsetMs: number): void => {
    putMeasurement(db, { cameraId: 'lobby', clock: which, measuredUs, offsetMs, uncertaintyMs: 510 });
  };
  put('camera', noonUs - hour, -8000);
  put('camera', clock.nowUs(), 400);
  put('recorder', noonUs + hour, 2600);
  const [before] = [...segmentsOfRoot(db, 'nvr')];
  const { directory } = await packageRequest(world.ctx, world.sofie, id);
  const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as Manifest;
  const camera = manifest.cameras.find((one) => one.id === 'lobby');
  expect(camera).toMatchObject({
    clock: { offsetMs: 400, uncertaintyMs: 12 },
    clockReference: { clock: 'gateway', synchronised: true },
    clockNearFootage: { offsetMs: -8000, uncertaintyMs: 510, measured: { us: noonUs - hour } },
    recorderClockNearFootage: { offsetMs: 2600, uncertaintyMs: 510, measured: { us: noonUs + hour } },
  });
  expect(manifest.items[0]?.original.range.start.us).toBe(before?.startUs);
  // Where nothing was ever measured, that is said too.
  const other = makeWorld();
  const { directory: without } = await packaged(other);
  const bare = JSON.parse(readFileSync(join(without, 'manifest.json'), 'utf8')) as Manifest;
  expect(bare.cameras[0]).toMatchObject({
    clockReference: { synchronised: null },
    clockNearFootage: null,
    recorderClockNearFootage: null,
  });
});

test('B8, B9 putting a camera’s entry anew loses no measurement', () => {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  putMeasurement(made.db, { cameraId: 'lobby', clock: 'camera', measuredUs: june, offsetMs: 1, uncertaintyMs: 2 });
  putCamera(made.db, { ...getCamera(made.db, 'lobby'), label: 'Lobby' });
  expect(measurementsOf(made.db, 'lobby', 10)).toHaveLength(1);
});
