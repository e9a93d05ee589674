import { spawn } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import type { Role, User } from '../../src/domain/user.js';
import { clockSynchronised } from '../../src/platform/clock-sync.js';
import { systemUptime, type Uptime } from '../../src/platform/uptime.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { planDeletions } from '../../src/retention/plan.js';
import { acceptClock, clockToleranceUs, refusalReason } from '../../src/retention/trust.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { openTasks } from '../../src/store/tasks.js';
import {
  addCamera,
  addRoot,
  addSegment,
  addUser,
  afterTest,
  day,
  hour,
  june,
  makeTestStore,
  tempDir,
  type TestStore,
} from '../helpers/store.js';

const person = (id: string, ...roles: Role[]): User => ({ id, name: id, roles, disabledUs: null });
const [admin, legal, second] = [person('u-admin', 'admin'), person('u-legal', 'legal'), person('u-second', 'security')];
const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

function site(): TestStore & { root: string } {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  for (const { id, roles } of [admin, legal, second]) addUser(made, id, [...roles]);
  const root = addRoot(made, 'nvr');
  addSegment(made, { camera: 'lobby', path: 'young.mp4', startUs: june - hour });
  addSegment(made, { camera: 'lobby', path: 'old.mp4', startUs: june - 29.5 * day });
  return Object.assign(made, { root });
}

const gone = (made: { root: string }, name = 'old.mp4'): boolean => !existsSync(join(made.root, name));

describe('B5 without the uptime', () => {
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

  test('after a clock that was wrong in the future, two persons can vouch for it', async () => {
    const made = site();
    made.nowUs = june + 100 * 365 * day;
    made.store.act('gateway', (note) => {
      note('gateway.started', 'gateway', {});
    });
    made.nowUs = june + 1;
    expect((await applyDeletions(made.retention)).refused).toContain('2126');
    expect(acceptClock(made.retention, legal)).toMatchObject({ complete: false });
    expect((await applyDeletions(made.retention)).refused).toContain('2126');
    expect(() => acceptClock(made.retention, legal)).toThrow(code('same-person'));
    expect(() => acceptClock(made.retention, second)).toThrow(code('forbidden'));
    expect(() => acceptClock(made.retention, person('u-eve', 'auditor'))).toThrow(code('forbidden'));
    expect(acceptClock(made.retention, admin)).toMatchObject({ complete: true });
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1, refused: null });
    expect(() => acceptClock(made.retention, admin)).toThrow(code('conflict'));
    made.nowUs = june - hour;
    expect((await applyDeletions(made.retention)).refused).not.toBeNull();
  });
});

describe('B5 with the uptime as a witness', () => {
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
    ['to 1970', 1_000_000 - june],
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

  test('two persons can vouch for a clock that was set', async () => {
    const { made, boot, context } = witnessed();
    await applyDeletions(context);
    boot.uptimeUs += hour;
    made.nowUs = june + 2 * hour;
    expect((await applyDeletions(context)).refused).not.toBeNull();
    acceptClock(context, admin);
    acceptClock(context, legal);
    expect(await applyDeletions(context)).toMatchObject({ refused: null });
    expect(openTasks(made.db)).toEqual([]);
  });

  test('their yes is to the same clock: set in between, or too late, it takes two again', async () => {
    const { made, boot, context } = witnessed();
    await applyDeletions(context);
    made.nowUs = june + 2 * hour;
    acceptClock(context, admin);
    made.nowUs = june + 40 * day;
    expect(acceptClock(context, legal)).toMatchObject({ complete: false, votes: [{ userId: 'u-legal' }] });
    expect(await applyDeletions(context)).toMatchObject({ deleted: 0 });
    made.nowUs += 4 * hour;
    boot.uptimeUs += 4 * hour;
    expect(acceptClock(context, admin)).toMatchObject({ complete: false, votes: [{ userId: 'u-admin' }] });
    expect(acceptClock(context, legal)).toMatchObject({ complete: true });
  });

  test('set forward a little before each sweep, it is found out all the same', async () => {
    const { made, boot, context } = witnessed();
    const refused: (string | null)[] = [];
    for (let sweep = 0; sweep < 3; sweep += 1) {
      refused.push((await applyDeletions(context)).refused);
      boot.uptimeUs += hour / 4;
      made.nowUs += hour / 4 + 200_000_000;
    }
    expect(refused.map((reason) => reason === null)).toEqual([true, true, false]);
    expect(gone(made, 'young.mp4')).toBe(false);
  });

  test.each([
    ['forward, in the night of 29 March', Date.UTC(2026, 2, 29, 1) * 1000],
    ['back, in the night of 25 October', Date.UTC(2026, 9, 25, 1) * 1000],
  ])('summer time that sets the clocks of Copenhagen %s moves no limit', async (_name, changeUs) => {
    // The zone of the process: whatever asks for local time by mistake gets that of Copenhagen.
    vi.stubEnv('TZ', 'Europe/Copenhagen');
    afterTest(() => {
      vi.unstubAllEnvs();
    });
    const made = makeTestStore({ nowUs: changeUs - 2 * hour });
    addCamera(made, 'lobby');
    const root = addRoot(made, 'nvr');
    const boot = { bootId: 'a', uptimeUs: 5 * hour };
    const context = { ...made.retention, uptime: () => ({ ...boot }) };
    addSegment(made, { camera: 'lobby', path: 'young.mp4', startUs: changeUs });
    // Due each half hour around the change.
    const dueUs = Array.from({ length: 9 }, (_, index) => changeUs + ((index - 4) * hour) / 2);
    dueUs.forEach((us, index) => addSegment(made, { camera: 'lobby', path: `${index}.mp4`, startUs: us - 29.5 * day }));
    for (const [index, us] of dueUs.entries()) {
      for (const [nowUs, there] of [
        [us - 1, true],
        [us, false],
      ] as const) {
        boot.uptimeUs += nowUs - made.nowUs;
        made.nowUs = nowUs;
        expect(await applyDeletions(context)).toMatchObject({ refused: null, late: 0 });
        expect(existsSync(join(root, `${index}.mp4`)), `${index} at ${nowUs}`).toBe(there);
      }
    }
  });

  test('a process that was suspended goes on as if nothing had been', async () => {
    const made = site();
    const sweeps = fileURLToPath(new URL('sweep-child.mjs', import.meta.url));
    const dist = new URL('../../dist/', import.meta.url).href;
    writeFileSync(join(made.dir, 'key.pem'), made.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    made.db.close();
    const child = spawn(process.execPath, [sweeps, dist, made.dir], { stdio: ['pipe', 'pipe', 'inherit'] });
    afterTest(() => {
      child.kill('SIGKILL');
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const sweep = async (): Promise<{ refused: string | null; suspendedMs: number }> => {
      child.stdin.write('sweep\n');
      return JSON.parse(String((await lines.next()).value)) as { refused: string | null; suspendedMs: number };
    };
    expect(await sweep()).toMatchObject({ refused: null });
    child.kill('SIGSTOP');
    await new Promise((later) => setTimeout(later, 1500));
    child.kill('SIGCONT');
    const after = await sweep();
    expect(after.refused).toBeNull();
    expect(after.suspendedMs).toBeGreaterThan(1000);
    child.stdin.end();
  });

  test('this machine tells its uptime', () => {
    const first = systemUptime();
    if (process.platform !== 'linux') return;
    expect(first?.bootId).toMatch(/^[0-9a-f-]{36}$/);
    expect(first?.uptimeUs).toBeGreaterThan(0);
  });
});

describe('B5 a time service', () => {
  const taskKinds = (made: TestStore): string[] => openTasks(made.db).map(({ kind }) => kind);
  const answers = (answer: boolean | null) => () => Promise.resolve(answer);

  test('that is not there is a task where one is wanted, and stops every deletion where it is required', async () => {
    const made = site();
    const none = { ...made.retention, synchronised: answers(false) };
    for (const answer of [false, null]) {
      const required = { ...none, synchronised: answers(answer), mustBeSynchronised: true };
      expect(await applyDeletions(required)).toMatchObject({
        deleted: 0,
        refused: expect.stringContaining('time service') as string,
      });
    }
    expect(await applyDeletions(none)).toMatchObject({ deleted: 1, refused: null });
    expect(taskKinds(made)).toEqual(['clock-unsynchronised']);
    expect(eventsOf(made.db, 'gateway').at(-1)?.data).toMatchObject({ synchronised: false });
    await applyDeletions({ ...none, synchronised: answers(null) });
    expect(taskKinds(made)).toEqual(['clock-unsynchronised']);
    expect(await applyDeletions({ ...none, synchronised: answers(true), mustBeSynchronised: true })).toMatchObject({
      refused: null,
    });
    expect(taskKinds(made)).toEqual([]);
  });

  test.each([
    ['yes', 'echo yes', true],
    ['no', 'echo no', false],
  ])('is asked for: %s', async (_name, script, expected) => {
    const program = join(tempDir(), 'timedatectl');
    writeFileSync(program, `#!/bin/sh\n${script}\n`);
    chmodSync(program, 0o755);
    expect(await clockSynchronised(program)).toBe(expected);
  });

  test('that nobody can tell of is not guessed', async () => {
    const program = join(tempDir(), 'timedatectl');
    const mark = existsSync('/run/systemd/timesync/synchronized') ? true : null;
    expect(await clockSynchronised(program)).toBe(mark);
    writeFileSync(program, '#!/bin/sh\necho yes\nexit 1\n');
    chmodSync(program, 0o755);
    expect(await clockSynchronised(program)).toBe(mark);
  });
});
