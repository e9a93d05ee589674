import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyConfiguredCameras, type ConfiguredCamera } from '../../src/cameras/register.js';
import type { User } from '../../src/domain/user.js';
import { applyDeletions } from '../../src/retention/delete.js';
import {
  cancelRetention,
  confirmRetention,
  previewDays,
  proposeConfigured,
  proposeRetention,
} from '../../src/retention/policy.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { getCamera } from '../../src/store/cameras.js';
import { openChanges } from '../../src/store/retention-changes.js';
import { openTasks } from '../../src/store/tasks.js';
import {
  addCamera,
  addHold,
  addRoot,
  addSegment,
  addUser,
  day,
  hour,
  june,
  makeTestStore,
  type TestStore,
} from '../helpers/store.js';

interface Site extends TestStore {
  readonly root: string;
  readonly admin: User;
  readonly other: User;
  readonly legal: User;
}

const ages = [1, 2, 4, 10, 20];

function site(): Site {
  const made = makeTestStore();
  const root = addRoot(made, 'nvr');
  addCamera(made, 'lobby');
  for (const age of ages)
    addSegment(made, { camera: 'lobby', path: `${age}.mp4`, startUs: june - age * day, minutes: 60 });
  const person = (id: string, roles: User['roles']): User => {
    addUser(made, id, [...roles]);
    return { id, name: id, roles, disabledUs: null };
  };
  return Object.assign(made, {
    root,
    admin: person('u-admin', ['admin']),
    other: person('u-other', ['admin']),
    legal: person('u-legal', ['legal']),
  });
}

const left = (made: Site): number[] => ages.filter((age) => existsSync(join(made.root, `${age}.mp4`)));
const days = (made: Site): number => getCamera(made.db, 'lobby').retentionDays;
const shorter = { cameraId: 'lobby', retentionDays: 3, reason: 'nobody asked after three days' };
const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

describe('A7 a shorter period', () => {
  test('shows what it would delete and what is held, and deletes nothing for a day', async () => {
    const made = site();
    addHold(made, { id: 'h1', cameras: ['lobby'], startUs: june - 10 * day, endUs: june - 10 * day + hour });
    const expected = { atUs: june + day, segments: 3, footageUs: 3 * hour, held: 1 };
    expect(previewDays(made.retention, 'lobby', 3)).toMatchObject(expected);
    const { change, preview } = proposeRetention(made.retention, made.admin, shorter);
    expect(preview).toMatchObject(expected);
    expect(change.effectiveUs).toBe(june + day);
    expect(openTasks(made.db)[0]?.detail).toContain(
      '3 segments (3.0 h) that would be kept are due, and 1 more are held',
    );
    made.nowUs = june + day - 1;
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 0 });
    expect([days(made), left(made)]).toEqual([30, ages]);
    made.nowUs = june + day;
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 3, held: 1 });
    expect([days(made), left(made)]).toEqual([3, [1, 10]]);
    expect(openTasks(made.db).map(({ kind }) => kind)).toEqual(['polcam-notice']);
    const events = eventsOf(made.db, 'camera:lobby').map(({ type }) => type);
    expect(events.slice(1, 3)).toEqual(['camera.retention-proposed', 'camera.changed']);
    expect(made.verify().problems).toEqual([]);
  });

  test('can be cancelled until then', async () => {
    const made = site();
    const { change } = proposeRetention(made.retention, made.admin, shorter);
    expect(() => proposeRetention(made.retention, made.admin, { ...shorter, retentionDays: 5 })).toThrow(
      code('conflict'),
    );
    cancelRetention(made.retention, made.legal, change.id);
    made.nowUs = june + 2 * day;
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 0 });
    expect(days(made)).toBe(30);
    expect(() => cancelRetention(made.retention, made.legal, change.id)).toThrow(code('not-found'));
    expect(() => confirmRetention(made.retention, made.other, change.id)).toThrow(code('not-found'));
  });

  test('does not count early because a clock was set forward', async () => {
    const made = site();
    const boot = { bootId: 'a', uptimeUs: hour };
    const context = { ...made.retention, uptime: () => boot };
    await applyDeletions(context);
    proposeRetention(context, made.admin, shorter);
    made.nowUs = june + 2 * day;
    expect((await applyDeletions(context)).refused).toContain('set forward');
    expect([days(made), left(made)]).toEqual([30, ages]);
  });

  test('that would wipe four weeks waits for two persons all the same', async () => {
    const made = site();
    const context = { ...made.retention, brake: { floorUs: 3 * hour, factor: 2, voteUs: 4 * hour } };
    proposeRetention(context, made.admin, { ...shorter, retentionDays: 1 });
    made.nowUs = june + day;
    expect(await applyDeletions(context)).toMatchObject({ deleted: 0, waiting: { cameras: [{ segments: 5 }] } });
    expect([days(made), left(made)]).toEqual([1, ages]);
  });
});

describe('A7 a longer period', () => {
  function shortened(): Site & { id: string } {
    const made = site();
    made.db.prepare('UPDATE camera SET retention_days = 14').run();
    const { change, preview } = proposeRetention(made.retention, made.admin, {
      cameraId: 'lobby',
      retentionDays: 30,
      reason: 'burglaries are noticed late',
    });
    expect([change.effectiveUs, preview]).toEqual([null, null]);
    return Object.assign(made, { id: change.id });
  }

  test('needs a second person, whatever the time', () => {
    const made = shortened();
    made.nowUs = june + 300 * day;
    expect(() => confirmRetention(made.retention, made.admin, made.id)).toThrow(code('same-person'));
    expect(() => confirmRetention(made.retention, { ...made.other, roles: ['security'] }, made.id)).toThrow(
      code('forbidden'),
    );
    expect(days(made)).toBe(14);
    expect(confirmRetention(made.retention, made.legal, made.id)).toEqual({ applied: true });
    expect(days(made)).toBe(30);
    expect(openChanges(made.db)).toEqual([]);
    expect(eventsOf(made.db, 'camera:lobby').at(-1)?.actor).toBe('user:u-legal');
  });

  test('is not applied by the database either without one', () => {
    const made = shortened();
    expect(() =>
      made.db.prepare(`UPDATE retention_change SET outcome = 'applied', ended_us = 1, ended_by = proposed_by`).run(),
    ).toThrow('CHECK');
  });
});

describe('what is refused', () => {
  test.each([0, -1, 31, 1.5, Number.NaN, Infinity, Number.MAX_SAFE_INTEGER])('%s days', (retentionDays) => {
    const made = site();
    expect(() => proposeRetention(made.retention, made.admin, { ...shorter, retentionDays })).toThrow(
      code('retention-illegal'),
    );
    expect(() => previewDays(made.retention, 'lobby', retentionDays)).toThrow(code('retention-illegal'));
    expect(openChanges(made.db)).toEqual([]);
  });

  test('a change without a reason, by nobody who may, of nothing, of no camera', () => {
    const made = site();
    expect(() => proposeRetention(made.retention, made.admin, { ...shorter, reason: ' because ' })).toThrow(
      code('input-invalid'),
    );
    expect(() => proposeRetention(made.retention, made.legal, shorter)).toThrow(code('forbidden'));
    expect(() => proposeRetention(made.retention, made.admin, { ...shorter, retentionDays: 30 })).toThrow(
      code('input-invalid'),
    );
    expect(() => proposeRetention(made.retention, made.admin, { ...shorter, cameraId: 'none' })).toThrow(
      code('not-found'),
    );
  });

  test.each([31, 0])('%s days by the database itself', (to) => {
    const made = site();
    expect(() =>
      made.db
        .prepare(
          `INSERT INTO retention_change (id, camera_id, from_class, from_days, to_class, to_days, reason, proposed_by, proposed_us,
             effective_us) VALUES ('c', 'lobby', 'crime-prevention', 40, 'crime-prevention', ?, 'r', 'user:a', 0, 86400000000)`,
        )
        .run(to),
    ).toThrow('CHECK');
  });
});

describe('a period that was changed in the configuration file', () => {
  const inFile = (more: Partial<ConfiguredCamera> = {}): ConfiguredCamera => ({
    id: 'lobby',
    class: 'crime-prevention',
    retentionDays: 30,
    audio: false,
    ...more,
  });
  /** A start with this file. */
  const start = (made: Site, more: Partial<ConfiguredCamera> = {}): void => {
    proposeConfigured(made.retention, applyConfiguredCameras(made.store, [inFile(more)]).periods);
  };

  test('a shorter one waits its day, also over starts, and deletes nothing before', async () => {
    const made = site();
    start(made);
    start(made, { retentionDays: 3 });
    made.nowUs = june + 20 * hour;
    start(made, { retentionDays: 3 });
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 0 });
    expect([days(made), openChanges(made.db).length]).toEqual([30, 1]);
    made.nowUs = june + day;
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 4 });
    start(made, { retentionDays: 3 });
    expect([days(made), openChanges(made.db).length]).toEqual([3, 0]);
  });

  test('is withdrawn by a file that says again what it did', async () => {
    const made = site();
    start(made);
    start(made, { retentionDays: 3 });
    start(made);
    expect(openChanges(made.db)).toEqual([]);
    made.nowUs = june + 2 * day;
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 0 });
  });

  test('a longer one takes an administrator who stands for it, and a second person', () => {
    const made = site();
    made.db.prepare('UPDATE camera SET retention_days = 14').run();
    start(made, { retentionDays: 14 });
    start(made, { retentionDays: 30 });
    const id = openChanges(made.db)[0]?.id ?? '';
    expect(() => confirmRetention(made.retention, made.legal, id)).toThrow(code('forbidden'));
    expect(confirmRetention(made.retention, made.admin, id)).toEqual({ applied: false });
    expect(() => confirmRetention(made.retention, made.admin, id)).toThrow(code('same-person'));
    expect(days(made)).toBe(14);
    start(made, { retentionDays: 30 });
    expect(confirmRetention(made.retention, made.legal, id)).toEqual({ applied: true });
    expect(days(made)).toBe(30);
  });

  test('a file that says what it always did does not undo what people changed', async () => {
    const made = site();
    start(made);
    proposeRetention(made.retention, made.admin, { ...shorter, retentionDays: 14 });
    made.nowUs = june + day;
    await applyDeletions(made.retention);
    start(made);
    expect([days(made), openChanges(made.db)]).toEqual([14, []]);
    start(made, { class: 'municipal' });
    expect(getCamera(made.db, 'lobby')).toMatchObject({ class: 'municipal', retentionDays: 14 });
  });

  test('another class counts at once where it allows the period in force, and waits where it would keep longer', () => {
    const made = site();
    start(made);
    start(made, { class: 'live-only', retentionDays: 1 });
    expect(getCamera(made.db, 'lobby')).toMatchObject({ class: 'live-only', retentionDays: 30 });
    expect(openChanges(made.db)).toMatchObject([{ to: { class: 'live-only', retentionDays: 1 } }]);
    const other = {
      class: 'other-purpose',
      retentionDays: 90,
      retentionReason: 'process control of the plant',
    } as const;
    start(made, other);
    expect(getCamera(made.db, 'lobby')).toMatchObject({ class: 'live-only', retentionDays: 30 });
    const id = openChanges(made.db)[0]?.id ?? '';
    confirmRetention(made.retention, made.admin, id);
    expect(() => confirmRetention(made.retention, made.other, id)).toThrow(code('forbidden'));
    confirmRetention(made.retention, made.legal, id);
    expect(getCamera(made.db, 'lobby')).toMatchObject(other);
    // Back again: 90 days do not fit, so that all of it waits its day.
    start(made);
    expect(getCamera(made.db, 'lobby')).toMatchObject(other);
    expect(openChanges(made.db)).toMatchObject([{ effectiveUs: june + day, to: { class: 'crime-prevention' } }]);
  });

  test('the streams of a camera have its period', async () => {
    const made = site();
    addCamera(made, 'lobby_sub');
    addSegment(made, { camera: 'lobby_sub', path: 'sub.mp4', startUs: june - 20 * day, minutes: 60 });
    start(made, { substreams: ['lobby_sub'] });
    start(made, { substreams: ['lobby_sub'], retentionDays: 3 });
    expect(openChanges(made.db)).toHaveLength(1);
    expect(openTasks(made.db).find(({ kind }) => kind === 'retention-change')?.detail).toContain('5 segments');
    made.nowUs = june + day;
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 5 });
    expect(getCamera(made.db, 'lobby_sub').retentionDays).toBe(3);
    expect(() => proposeRetention(made.retention, made.admin, { ...shorter, cameraId: 'lobby_sub' })).toThrow(
      code('conflict'),
    );
  });
});

test('A5 a recording of a camera that may not record is an alarm until it is gone', async () => {
  const made = site();
  made.db.prepare(`UPDATE camera SET class = 'live-only'`).run();
  await applyDeletions(made.retention);
  expect(openTasks(made.db)).toMatchObject([{ kind: 'live-only-recorded', subject: 'camera:lobby' }]);
  made.nowUs = june + 30 * day;
  expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 5 });
  expect(openTasks(made.db).map(({ kind }) => kind)).not.toContain('live-only-recorded');
});
