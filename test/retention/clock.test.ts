import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemUptime, type Uptime } from '../../src/platform/uptime.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { planDeletions } from '../../src/retention/plan.js';
import { acceptClock, clockToleranceUs, refusalReason } from '../../src/retention/trust.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { openTasks } from '../../src/store/tasks.js';
import { addCamera, addRoot, addSegment, day, hour, june, makeTestStore, type TestStore } from '../helpers/store.js';

function site(): TestStore & { root: string } {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  const root = addRoot(made, 'nvr');
  addSegment(made, { camera: 'lobby', path: 'young.mp4', startUs: june - hour });
  addSegment(made, { camera: 'lobby', path: 'old.mp4', startUs: june - 29.5 * day });
  return Object.assign(made, { root });
}

const gone = (made: { root: string }, name = 'old.mp4'): boolean => !existsSync(join(made.root, name));

describe('without the uptime', () => {
  test.each([
    ['one microsecond more than the tolerance', june - clockToleranceUs - 1],
    ['a year', june - 365 * day],
    ['1970', 0],
  ])('a clock before the newest event is not believed: %s', async (_name, nowUs) => {
    const made = site();
    made.nowUs = nowUs;
    const result = await applyDeletions(made.retention);
    expect(result).toMatchObject({ deleted: 0, failed: [] });
    expect(result.refused).toContain('the log already has something from 2026-06-15T12:00:00Z');
    expect(planDeletions(made.retention, june).refused).toBe(result.refused);
    expect(gone(made)).toBe(false);
    expect(eventsOf(made.db, 'gateway').at(-1)?.type).toBe('retention.refused');
    expect(openTasks(made.db).map((task) => task.kind)).toEqual(['clock-untrusted']);
    // What was logged by the wrong clock since must not make it believed.
    expect((await applyDeletions(made.retention)).refused).not.toBeNull();
    made.nowUs = june;
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1, refused: null });
    expect(openTasks(made.db)).toEqual([]);
    expect(made.verify().problems).toEqual([]);
  });

  test('a correction within the tolerance is', async () => {
    const made = site();
    made.nowUs = june - clockToleranceUs;
    expect(refusalReason(made.retention, made.nowUs)).toBeNull();
    expect(await applyDeletions(made.retention)).toMatchObject({ refused: null });
  });

  test('after a clock that was wrong in the future, a person can vouch for it', async () => {
    const made = site();
    made.nowUs = june + 100 * 365 * day;
    made.store.act('gateway', (note) => {
      note('gateway.started', 'gateway', {});
    });
    made.nowUs = june + 1;
    expect((await applyDeletions(made.retention)).refused).toContain('2126');
    acceptClock(made.retention, 'operator');
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1, refused: null });
    made.nowUs = june - hour;
    expect((await applyDeletions(made.retention)).refused).not.toBeNull();
  });
});

describe('with the uptime as a witness', () => {
  function witnessed(): {
    made: TestStore & { root: string };
    boot: { -readonly [K in keyof Uptime]: Uptime[K] };
    context: TestStore['retention'];
  } {
    const made = site();
    const boot = { bootId: 'a', uptimeUs: 5 * hour };
    return { made, boot, context: { ...made.retention, uptime: () => ({ ...boot }) } };
  }

  test.each([
    ['40 days forward', 40 * day],
    ['to 2106', Date.UTC(2106, 0, 1) * 1000 - june],
    ['six minutes forward', 360_000_000],
    ['a year back', -365 * day],
  ])('a clock set %s deletes nothing, and is believed again when it is right again', async (_name, stepUs) => {
    const { made, boot, context } = witnessed();
    expect(await applyDeletions(context)).toMatchObject({ deleted: 1, refused: null });
    boot.uptimeUs += hour;
    made.nowUs = june + hour + stepUs;
    const result = await applyDeletions(context);
    expect(result.refused).toMatch(stepUs > 0 ? /set forward/ : /set back/);
    expect(gone(made, 'young.mp4')).toBe(false);
    made.nowUs = june + hour;
    expect(await applyDeletions(context)).toMatchObject({ deleted: 0, refused: null });
    expect(gone(made, 'young.mp4')).toBe(false);
  });

  test('time that really passed is believed, also across a boot', async () => {
    const { made, boot, context } = witnessed();
    await applyDeletions(context);
    boot.uptimeUs += 10 * day;
    made.nowUs = june + 10 * day;
    expect(await applyDeletions(context)).toMatchObject({ refused: null });
    Object.assign(boot, { bootId: 'b', uptimeUs: 60_000_000 });
    made.nowUs = june + 30 * day;
    expect(await applyDeletions(context)).toMatchObject({ refused: null, deleted: 1 });
  });

  test('a person can vouch for a clock that was set', async () => {
    const { made, boot, context } = witnessed();
    await applyDeletions(context);
    boot.uptimeUs += hour;
    made.nowUs = june + 2 * hour;
    expect((await applyDeletions(context)).refused).not.toBeNull();
    acceptClock(context, 'operator');
    expect(await applyDeletions(context)).toMatchObject({ refused: null });
    expect(openTasks(made.db)).toEqual([]);
  });

  test('this machine tells its uptime', () => {
    const first = systemUptime();
    if (process.platform !== 'linux') return;
    expect(first?.bootId).toMatch(/^[0-9a-f-]{36}$/);
    expect(first?.uptimeUs).toBeGreaterThan(0);
  });
});
