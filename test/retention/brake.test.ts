import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { User } from '../../src/domain/user.js';
import { confirmDeletion } from '../../src/retention/confirm.js';
import type { RetentionContext } from '../../src/retention/context.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { planDeletions, planSweep } from '../../src/retention/plan.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { checkStore } from '../../src/store/check.js';
import { footageSwept, rememberSweep } from '../../src/store/sweep-history.js';
import { closeTask, openTasks } from '../../src/store/tasks.js';
import { disableUser } from '../../src/store/users.js';
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
  readonly ctx: RetentionContext;
  readonly admin: User;
  readonly bo: User;
  readonly carl: User;
  files(): number;
}

const limit = 29.5 * day;

/** Cameras that have recorded without a pause since `days` ago, in files of `everyHours`. */
function site(cameras: Readonly<Record<string, { days: number; everyHours?: number }>>): Site {
  const made = makeTestStore();
  // Hundreds of files; that each is on disk for good is not what is tested here.
  made.db.pragma('synchronous = OFF');
  const root = addRoot(made, 'nvr');
  for (const [camera, { days, everyHours = 6 }] of Object.entries(cameras)) {
    addCamera(made, camera);
    for (let age = days * 24; age > 0; age -= everyHours) {
      const startUs = june - age * hour;
      addSegment(made, { camera, path: `${camera}/${startUs}.mp4`, startUs, minutes: 60 * everyHours });
    }
  }
  const person = (id: string, roles: User['roles']): User => {
    addUser(made, id, [...roles]);
    return { id, name: id, roles, disabledUs: null };
  };
  return Object.assign(made, {
    ctx: { ...made.retention, brake: { floorUs: 7 * hour, factor: 2, voteUs: 4 * hour } },
    admin: person('u-admin', ['admin']),
    bo: person('u-bo', ['legal']),
    carl: person('u-carl', ['security']),
    files: () => readdirSync(root, { recursive: true }).filter((name) => String(name).endsWith('.mp4')).length,
  });
}

const waitingId = (made: Site): string => planDeletions(made.ctx, made.nowUs).waiting?.id ?? 'none';
const taskKinds = (made: Site): string[] => openTasks(made.db).map((one) => one.kind);

describe('B6 five days of downtime', () => {
  /** Swept as usual, and then not for five days. */
  async function afterFiveDays(): Promise<Site> {
    const made = site({ lobby: { days: 29 }, yard: { days: 29 } });
    for (let sweep = 0; sweep < 4; sweep += 1) {
      made.nowUs = june + sweep * 6 * hour;
      expect(await applyDeletions(made.ctx)).toMatchObject({ refused: null, waiting: null });
    }
    made.nowUs += 5 * day;
    return made;
  }

  test('nothing goes, somebody is told, and what is shown is a catch-up with the hours of each camera', async () => {
    const made = await afterFiveDays();
    const files = made.files();
    const result = await applyDeletions(made.ctx);
    expect(result).toMatchObject({ deleted: 0, due: 40, waiting: { notSwept: {}, votes: [] } });
    expect(result.refused).toContain('Nothing was swept from 2026-06-16T06:00:00Z to 2026-06-21T06:00:00Z');
    expect(result.refused).toMatch(/"lobby" 20 segments, 120\.0 h .*tredive retain --confirm b-/);
    expect(result.waiting?.cameras.map(({ cameraId, footageUs }) => [cameraId, footageUs / hour])).toEqual([
      ['lobby', 120],
      ['yard', 120],
    ]);
    expect(made.files()).toBe(files);
    expect(openTasks(made.db).find((one) => one.kind === 'mass-deletion-waits')?.detail).toBe(result.waiting?.detail);
    expect(eventsOf(made.db, `proposal:${waitingId(made)}`).map((event) => event.type)).toEqual(['retention.braked']);
    expect(made.verify().problems).toEqual([]);
  });

  test('two persons confirm it, an administrator among them, and the next sweep carries it out', async () => {
    const made = await afterFiveDays();
    await applyDeletions(made.ctx);
    const id = waitingId(made);
    expect(confirmDeletion(made.ctx, made.bo, id)).toMatchObject({ complete: false, votes: [{ userId: 'u-bo' }] });
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 0, waiting: { id } });
    expect(() => confirmDeletion(made.ctx, made.bo, id)).toThrow(
      expect.objectContaining({ code: 'same-person' }) as Error,
    );
    expect(() => confirmDeletion(made.ctx, made.carl, id)).toThrow(
      expect.objectContaining({ code: 'forbidden' }) as Error,
    );
    expect(confirmDeletion(made.ctx, made.admin, id)).toMatchObject({ complete: true });
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 40, due: 40, refused: null, waiting: null });
    expect(taskKinds(made)).not.toContain('mass-deletion-waits');
    const swept = eventsOf(made.db, 'gateway').filter((event) => event.type === 'retention.swept');
    expect(swept.at(-1)?.data).toMatchObject({ confirmed: id, waiting: null, deleted: 40 });
    expect(() => confirmDeletion(made.ctx, made.admin, id)).toThrow(
      expect.objectContaining({ code: 'not-found' }) as Error,
    );
    expect(checkStore(made.db)).toEqual([]);
    // One catch-up does not become what is usual.
    made.nowUs += 5 * day;
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 0, waiting: { votes: [] } });
  });

  test('what falls due while they think about it goes along; much more has to be confirmed anew', async () => {
    const made = await afterFiveDays();
    await applyDeletions(made.ctx);
    const id = waitingId(made);
    confirmDeletion(made.ctx, made.bo, id);
    made.nowUs += 3 * hour;
    confirmDeletion(made.ctx, made.admin, id);
    made.nowUs += 40 * hour;
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 0, waiting: { votes: [] } });
    expect(waitingId(made)).not.toBe(id);
    expect(() => confirmDeletion(made.ctx, made.bo, id)).toThrow(
      expect.objectContaining({ code: 'approval-void' }) as Error,
    );
    expect(planDeletions(made.ctx, made.nowUs).waiting?.notSwept).toMatchObject({
      fromUs: Date.UTC(2026, 5, 16, 6) * 1000,
    });
    const again = waitingId(made);
    confirmDeletion(made.ctx, made.bo, again);
    confirmDeletion(made.ctx, made.admin, again);
    made.nowUs += 3 * hour;
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 54, waiting: null });
  });

  test('a yes is worth nothing after some hours, nor when the account was disabled since', async () => {
    const made = await afterFiveDays();
    await applyDeletions(made.ctx);
    const id = waitingId(made);
    confirmDeletion(made.ctx, made.bo, id);
    made.nowUs += 4 * hour;
    expect(confirmDeletion(made.ctx, made.admin, id)).toMatchObject({ complete: false });
    expect(confirmDeletion(made.ctx, made.bo, id)).toMatchObject({ complete: true });
    made.store.act('operator', (note) => {
      disableUser(made.db, 'u-bo', made.nowUs);
      note('user.changed', 'user:u-bo', {});
    });
    expect(await applyDeletions(made.ctx)).toMatchObject({
      deleted: 0,
      waiting: { id, votes: [{ userId: 'u-admin' }] },
    });
    expect(confirmDeletion(made.ctx, made.carl, id)).toMatchObject({ complete: true });
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 40 });
  });

  test('an old file that is indexed among what was shown needs a new yes', async () => {
    const made = await afterFiveDays();
    await applyDeletions(made.ctx);
    const id = waitingId(made);
    confirmDeletion(made.ctx, made.bo, id);
    addSegment(made, { camera: 'lobby', path: 'lobby/late.mp4', startUs: made.nowUs - 40 * day });
    expect(() => confirmDeletion(made.ctx, made.admin, id)).toThrow(
      expect.objectContaining({ code: 'approval-void' }) as Error,
    );
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 0, waiting: { votes: [] } });
    expect(waitingId(made)).not.toBe(id);
  });

  test('an auditor cannot confirm, nor anybody while the clock is in doubt', async () => {
    const made = await afterFiveDays();
    await applyDeletions(made.ctx);
    const id = waitingId(made);
    expect(() => confirmDeletion(made.ctx, { ...made.bo, roles: ['auditor'] }, id)).toThrow(
      expect.objectContaining({ code: 'forbidden' }) as Error,
    );
    made.nowUs -= day;
    expect(() => confirmDeletion(made.ctx, made.bo, id)).toThrow(
      expect.objectContaining({ code: 'clock-untrusted' }) as Error,
    );
  });

  test('a task that somebody closed is opened again while it waits', async () => {
    const made = await afterFiveDays();
    await applyDeletions(made.ctx);
    closeTask(made.db, 'mass-deletion-waits', 'gateway:retention', made.nowUs);
    await applyDeletions(made.ctx);
    expect(taskKinds(made)).toContain('mass-deletion-waits');
  });

  test('what two confirmed and a stop cut short goes on without asking again', async () => {
    const made = await afterFiveDays();
    await applyDeletions(made.ctx);
    const id = waitingId(made);
    confirmDeletion(made.ctx, made.bo, id);
    confirmDeletion(made.ctx, made.admin, id);
    const stop = new AbortController();
    const cut = await applyDeletions(made.ctx, {
      batchSize: 10,
      signal: stop.signal,
      onProgress: () => {
        stop.abort();
      },
    });
    expect(cut).toMatchObject({ deleted: 10, interrupted: true });
    expect(footageSwept(made.db, 'lobby')[0]).toBe(6 * hour);
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 30, waiting: null });
  });
});

describe('a clock that jumped while nothing could see it', () => {
  test('deletes nothing of any camera, also not of one with little footage', async () => {
    const made = site({ lobby: { days: 20 }, quiet: { days: 20, everyHours: 240 } });
    made.store.act('gateway', (note) => {
      for (const cameraId of ['lobby', 'quiet']) {
        for (let sweep = 0; sweep < 3; sweep += 1) {
          rememberSweep(made.db, { cameraId, sweptUs: june, segments: 1, footageUs: 6 * hour });
        }
      }
      note('retention.swept', 'gateway', {});
    });
    const files = made.files();
    made.nowUs += 40 * day;
    const result = await applyDeletions(made.ctx);
    expect(result).toMatchObject({ deleted: 0, due: files });
    expect(result.waiting?.cameras.map(({ cameraId }) => cameraId)).toEqual(['lobby', 'quiet']);
    // Nor by hand: both have been swept before.
    expect(await applyDeletions(made.ctx, { byHand: true })).toMatchObject({ deleted: 0 });
    expect(made.files()).toBe(files);
  });
});

describe('one camera of many', () => {
  test('waits alone, and the others are purged on time', async () => {
    const made = site({ lobby: { days: 29.6 }, yard: { days: 29.6 }, gate: { days: 34 } });
    const result = await applyDeletions(made.ctx);
    expect(result).toMatchObject({ deleted: 2, refused: null });
    expect(result.waiting?.cameras.map(({ cameraId }) => cameraId)).toEqual(['gate']);
    expect(result.waiting?.detail).toContain('More would be deleted at once than usual');
    expect(planDeletions(made.ctx, made.nowUs)).toMatchObject({ due: 19, refused: expect.any(String) as string });
  });

  test('a root in doubt is not counted, and not confirmed unseen', async () => {
    const made = site({ lobby: { days: 34 } });
    renameSync(made.rootPath('nvr'), join(made.dir, 'unmounted'));
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 0, waiting: null, problems: [{ rootId: 'nvr' }] });
    renameSync(join(made.dir, 'unmounted'), made.rootPath('nvr'));
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 0, waiting: { cameras: [{ segments: 19 }] } });
  });

  test('held footage is not counted', async () => {
    const made = site({ lobby: { days: 34 } });
    addHold(made, { id: 'h1', cameras: ['lobby'], startUs: june - 34 * day, endUs: june - limit });
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 1, held: 18, waiting: null });
  });

  test('what is indexed while the sweep is under way is weighed by the next one', async () => {
    const made = site({ lobby: { days: 29.6 } });
    let added = false;
    const result = await applyDeletions(made.ctx, {
      batchSize: 1,
      onStep: (step) => {
        if (added || step !== 'sweep-begun') return;
        added = true;
        for (let index = 0; index < 50; index += 1) {
          const startUs = june - 60 * day + index * hour;
          addSegment(made, { camera: 'lobby', path: `lobby/new-${index}.mp4`, startUs, minutes: 60 });
        }
      },
    });
    // One segment of six hours was planned; seven hours are the limit.
    expect(result.deleted).toBeLessThanOrEqual(7);
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 0, waiting: {} });
  });
});

describe('the first sweep of an archive that is older than the gateway', () => {
  test('waits where the gateway does it by itself, and goes where a person at the console does', async () => {
    const made = site({ lobby: { days: 45 }, yard: { days: 45 } });
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 0, waiting: {} });
    expect(planSweep(made.ctx, june, { byHand: true }).plan).toMatchObject({ refused: null, waiting: null });
    expect(await applyDeletions(made.ctx, { byHand: true })).toMatchObject({ deleted: 126, waiting: null });
    const swept = eventsOf(made.db, 'gateway').filter((event) => event.type === 'retention.swept');
    expect(swept.at(-1)?.data).toMatchObject({ firstOf: ['lobby', 'yard'] });
    expect(taskKinds(made)).not.toContain('mass-deletion-waits');
    // It was the first, and the next is none.
    made.nowUs += 3 * day;
    expect(await applyDeletions(made.ctx, { byHand: true })).toMatchObject({ deleted: 0, waiting: {} });
  });

  test.each([
    ['its footage ends long ago, as if the clock were wrong', 4 * day, 45],
    ['a hole as of a clock that was set forward lies in it', 0, 45],
  ])('waits also by hand where %s', async (_name, jumpUs, days) => {
    const made = site({ lobby: { days } });
    if (jumpUs > 0) made.nowUs += jumpUs;
    else {
      made.store.act('gateway', (note) => {
        made.db.prepare('DELETE FROM segment WHERE start_us BETWEEN ? AND ?').run(june - 9 * day, june - 5 * day);
        note('recordings.missing', 'root:nvr', {});
      });
    }
    const files = made.files();
    expect(await applyDeletions(made.ctx, { byHand: true })).toMatchObject({ deleted: 0, waiting: {} });
    expect(made.files()).toBe(files);
  });
});

test('only the last twenty sweeps of a camera are remembered', () => {
  const made = site({ lobby: { days: 0 } });
  for (let index = 0; index < 25; index += 1) {
    rememberSweep(made.db, { cameraId: 'lobby', sweptUs: june, segments: 1, footageUs: index });
  }
  expect(footageSwept(made.db, 'lobby')).toEqual(Array.from({ length: 20 }, (_, index) => 24 - index));
});
