/** What time does to holds: each sweep reminds, alarms and ends, and the brake knows an end that was announced from a mass lifting. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { confirmDeletion } from '../../src/retention/confirm.js';
import type { RetentionContext } from '../../src/retention/context.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { planDeletions } from '../../src/retention/plan.js';
import { proposeRetention } from '../../src/retention/policy.js';
import type { NewHold } from '../../src/domain/hold.js';
import { endsOrderly, wasLetGoOrderly } from '../../src/domain/hold-end.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { findHold, insertHold, liftHold, setApproved, setNotified, setReview } from '../../src/store/holds.js';
import { rememberSweep } from '../../src/store/sweep-history.js';
import { closeTask, openTasks } from '../../src/store/tasks.js';
import { heldRow, holdRow } from '../helpers/holds.js';
import {
  addCamera,
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
  files(): string[];
  tasks(): string[];
  /** Sweeps at each of the days, counted from now on; gives the last result. */
  days(count: number): Promise<Awaited<ReturnType<typeof applyDeletions>>>;
  hold(id: string, row?: Partial<NewHold>): void;
}

const held = { startUs: june - 20 * day, endUs: june - 20 * day + 5 * hour };

/** Five hours of a camera, recorded 20 days ago, in files of an hour; and a brake that lets three hours go. */
function site(): Site {
  const made = makeTestStore();
  made.db.pragma('synchronous = OFF');
  const root = addRoot(made, 'nvr');
  addCamera(made, 'lobby');
  for (let part = 0; part < 5; part += 1) {
    const startUs = held.startUs + part * hour;
    addSegment(made, { camera: 'lobby', path: `lobby/${part}.mp4`, startUs, minutes: 60 });
  }
  const ctx = { ...made.retention, brake: { floorUs: 3 * hour, factor: 2, voteUs: 4 * hour } };
  return Object.assign(made, {
    ctx,
    files: () =>
      readdirSync(root, { recursive: true })
        .map(String)
        .filter((name) => name.endsWith('.mp4'))
        .sort(),
    tasks: () => openTasks(made.db).map(({ kind }) => kind),
    days: async (count: number) => {
      let result = await applyDeletions(ctx);
      for (let past = 0; past < count; past += 1) {
        made.nowUs += day;
        result = await applyDeletions(ctx);
      }
      return result;
    },
    hold: (id: string, row: Partial<NewHold> = {}) => {
      made.store.act('user:legal', (note) => {
        insertHold(made.db, holdRow({ id, cameraIds: ['lobby'], ...held, placedUs: made.nowUs, ...row }));
        note('hold.placed', `hold:${id}`, {});
      });
    },
  });
}

const liftNow = (made: Site, id: string): void => {
  made.store.act('user:legal', (note) => {
    liftHold(made.db, id, 'user:legal', made.nowUs);
    note('hold.lifted', `hold:${id}`, {});
  });
};

describe('D4 a hold is announced, ends by itself, and its footage goes at once', () => {
  test('reminders 14 and 3 days before, then the end and the deletion in the same sweep', async () => {
    const made = site();
    made.hold('h1', { reviewUs: june + 40 * day });
    await made.days(25);
    expect(made.tasks()).toEqual([]);
    await made.days(1);
    expect(made.tasks()).toEqual(['hold-ends']);
    expect(openTasks(made.db)[0]?.detail).toContain(
      'ends 2026-07-25T12:00:00Z; what is due of it goes at the next sweep',
    );
    await made.days(10);
    expect(made.tasks()).toEqual(['hold-ends']);
    await made.days(1);
    expect(made.tasks()).toEqual(['hold-ends-soon']);
    expect(made.files()).toHaveLength(5);
    expect(await made.days(2)).toMatchObject({ deleted: 0, held: 5 });
    // More than the brake lets go, and it goes all the same: nobody is surprised by it.
    expect(await made.days(1)).toMatchObject({ deleted: 5, due: 5, refused: null, waiting: null, late: 5 });
    expect(made.files()).toEqual([]);
    expect(made.tasks().filter((kind) => kind.startsWith('hold') || kind.startsWith('mass'))).toEqual([]);
    expect(findHold(made.db, 'h1')).toMatchObject({ outcome: 'expired', orderly: true, liftedUs: june + 40 * day });
    expect(
      eventsOf(made.db, 'hold:h1').map(({ type, data }) => [type, data['orderly'] ?? data['last'] ?? null]),
    ).toEqual([
      ['hold.placed', null],
      ['hold.reminded', false],
      ['hold.reminded', true],
      ['hold.expired', true],
    ]);
    expect(made.verify().problems).toEqual([]);
  });

  test('a reminder that somebody has closed is not repeated; a new date is announced anew', async () => {
    const made = site();
    made.hold('h1', { reviewUs: june + 10 * day });
    await made.days(0);
    closeTask(made.db, 'hold-ends', 'hold:h1', made.nowUs);
    await made.days(1);
    expect(made.tasks()).toEqual([]);
    setReview(made.db, 'h1', { reviewUs: june + 12 * day, setUs: made.nowUs });
    await made.days(1);
    expect(made.tasks()).toEqual(['hold-ends']);
  });

  test('a clock that is in doubt ends nothing', async () => {
    const made = site();
    made.hold('h1', { reviewUs: june + 10 * day });
    let ranUs = 0;
    const ctx = { ...made.ctx, uptime: () => ({ bootId: 'b', uptimeUs: ranUs }) };
    await applyDeletions(ctx);
    made.nowUs += 40 * day;
    ranUs += hour;
    expect((await applyDeletions(ctx)).refused).toMatch(/clock/);
    expect(findHold(made.db, 'h1')?.outcome).toBeNull();
    expect(made.files()).toHaveLength(5);
  });
});

describe('the end of a hold and the brake', () => {
  test('lifted by a person it waits for two, and goes when they have confirmed it', async () => {
    const made = site();
    made.hold('h1', { reviewUs: june + 80 * day });
    await made.days(30);
    liftNow(made, 'h1');
    expect(await applyDeletions(made.ctx)).toMatchObject({
      deleted: 0,
      due: 5,
      waiting: { cameras: [{ segments: 5 }] },
    });
    addUser(made, 'u-a', ['admin']);
    addUser(made, 'u-b', ['legal']);
    const id = planDeletions(made.ctx, made.nowUs).waiting?.id ?? '';
    confirmDeletion(made.ctx, { id: 'u-a', name: 'a', roles: ['admin'], disabledUs: null }, id);
    confirmDeletion(made.ctx, { id: 'u-b', name: 'b', roles: ['legal'], disabledUs: null }, id);
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 5, waiting: null });
  });

  test('many small ones lifted by one person are one mass, which waits', async () => {
    const made = site();
    for (let part = 0; part < 5; part += 1) {
      const startUs = held.startUs + part * hour;
      made.hold(`h${part}`, { startUs, endUs: startUs + hour, reviewUs: june + 80 * day });
    }
    await made.days(30);
    for (let part = 0; part < 5; part += 1) liftNow(made, `h${part}`);
    expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 0, waiting: { cameras: [{ segments: 5 }] } });
  });

  test('what is let go in an orderly way goes, while what a person has lifted beside it waits', async () => {
    const made = site();
    const cut = held.startUs + hour;
    made.hold('orderly', { endUs: cut, reviewUs: june + 30 * day });
    made.hold('by-hand', { startUs: cut, reviewUs: june + 80 * day });
    await made.days(29);
    liftNow(made, 'by-hand');
    const result = await made.days(1);
    expect(result).toMatchObject({ deleted: 1, due: 5, refused: null, waiting: { cameras: [{ segments: 4 }] } });
    expect(made.files()).toEqual(['lobby/1.mp4', 'lobby/2.mp4', 'lobby/3.mp4', 'lobby/4.mp4']);
    // Asked again it is the same, and what went says nothing of what is usual.
    expect(await applyDeletions(made.ctx)).toMatchObject({
      deleted: 0,
      waiting: { cameras: [{ segments: 4, usualUs: 0 }] },
    });
  });

  test('an end that was not announced for two days waits', async () => {
    const made = site();
    await made.days(9);
    made.hold('h1', { reviewUs: made.nowUs + 36 * hour });
    expect(await made.days(2)).toMatchObject({ deleted: 0, waiting: { cameras: [{ segments: 5 }] } });
    expect(findHold(made.db, 'h1')).toMatchObject({ outcome: 'expired', orderly: false });
  });

  test('a clock set forward while the machine was off ends no hold unseen, in no later sweep either', async () => {
    const made = site();
    made.hold('h1', { reviewUs: june + 20 * day });
    await made.days(10);
    expect(made.tasks()).toEqual(['hold-ends']);
    made.nowUs += 12 * day;
    for (let sweep = 0; sweep < 3; sweep += 1) {
      expect(await applyDeletions(made.ctx)).toMatchObject({ deleted: 0, waiting: { cameras: [{ segments: 5 }] } });
      made.nowUs += hour;
    }
    expect(findHold(made.db, 'h1')).toMatchObject({ outcome: 'expired', orderly: false });
    expect(made.files()).toHaveLength(5);
  });

  test('the usual of a camera is not moved by what holds have kept', async () => {
    const made = site();
    for (const sweptUs of [june - 3 * day, june - 2 * day, june - day]) {
      rememberSweep(made.db, { cameraId: 'lobby', sweptUs, segments: 1, footageUs: hour });
    }
    made.hold('h1', { reviewUs: june + 15 * day });
    await made.days(15);
    expect(made.files()).toEqual([]);
    expect(made.db.prepare('SELECT footage_us FROM sweep_history').pluck().all()).toEqual([hour, hour, hour]);
  });

  const footage = { cameraId: 'lobby', startUs: 0, endUs: 10 };
  const ended = (placedUs: number, liftedUs: number, orderly: boolean): ReturnType<typeof heldRow> =>
    heldRow({
      ...{ id: `${placedUs}`, cameraIds: ['lobby'], startUs: 0, endUs: 10, placedUs, reviewUs: liftedUs, liftedUs },
      ...{ outcome: orderly ? 'expired' : 'lifted', orderly },
    });
  test.each([
    ['one that ran out as announced', [ended(50, 200, true)], true],
    ['none at all', [], false],
    ['one that was over before it was due', [ended(50, 90, true)], false],
    ['one that came when it was overdue', [ended(110, 200, true)], false],
    ['a person lifted it', [ended(50, 200, false)], false],
    ['the announced one was the last', [ended(50, 150, false), ended(60, 200, true)], true],
    ['the lifted one was the last', [ended(50, 150, true), ended(60, 200, false)], false],
    ['one after the other without a pause', [ended(50, 150, false), ended(140, 200, true)], true],
    ['with a pause', [ended(50, 150, true), ended(160, 200, true)], false],
    ['of other cameras', [{ ...ended(50, 200, true), cameraIds: ['yard'] }], false],
    ['of another range', [{ ...ended(50, 200, true), startUs: 10, endUs: 20 }], false],
  ])('footage that was kept by: %s', (_name, holds, expected) => {
    expect(wasLetGoOrderly(footage, 100, holds)).toBe(expected);
  });

  test.each([
    [48 * hour, 26 * hour, true],
    [48 * hour - 1, 26 * hour, false],
    [48 * hour, 26 * hour + 1, false],
    [null, 0, false],
    [48 * hour, null, false],
  ])('announced %s us and swept %s us before the end: %s', (announced, swept, expected) => {
    const announcedUs = announced === null ? null : june - announced;
    expect(endsOrderly({ announcedUs, reviewUs: june }, swept === null ? null : june - swept)).toBe(expected);
  });
});

describe('D2 what security has placed', () => {
  const bySecurity = (made: Site): Partial<NewHold> => ({
    ...{ placedAs: 'security', placedBy: 'user:s', approvedUs: null, approvedBy: null },
    ...{ reviewUs: made.nowUs + 14 * day, wantedReviewUs: made.nowUs + 60 * day, approveByUs: made.nowUs + 72 * hour },
  });

  test('an alarm after 72 hours, and it stays in force; without legal it ends after 14 days, and is deleted', async () => {
    const made = site();
    await made.days(5);
    made.hold('h1', bySecurity(made));
    await made.days(2);
    expect(made.tasks()).not.toContain('hold-approval-overdue');
    await made.days(1);
    expect(made.tasks()).toContain('hold-approval-overdue');
    closeTask(made.db, 'hold-approval-overdue', 'hold:h1', made.nowUs);
    expect(await made.days(1)).toMatchObject({ deleted: 0 });
    // The cause goes on, and so does the alarm.
    expect(made.tasks()).toContain('hold-approval-overdue');
    await made.days(9);
    expect(made.files()).toHaveLength(5);
    await made.days(1);
    expect(made.files()).toEqual([]);
    expect(findHold(made.db, 'h1')).toMatchObject({ outcome: 'expired', orderly: true });
    expect(made.tasks()).not.toContain('hold-approval-overdue');
  });

  test('approved, it runs on', async () => {
    const made = site();
    made.hold('h1', bySecurity(made));
    setApproved(made.db, 'h1', { by: 'user:legal', atUs: made.nowUs, reviewUs: made.nowUs + 60 * day });
    await made.days(40);
    expect(made.files()).toHaveLength(5);
    expect(made.tasks()).not.toContain('hold-approval-overdue');
  });
});

describe('D3 the other party of a dispute', () => {
  const dispute: Partial<NewHold> = {
    ground: 'dispute',
    facts: { ground: 'dispute', counterparty: 'A Company', description: 'who drove into the gate' },
    notifyByUs: held.startUs + 30 * day,
  };

  test('not told in time: an alarm, until it is entered', async () => {
    const made = site();
    made.hold('h1', dispute);
    await made.days(9);
    expect(made.tasks()).toEqual([]);
    await made.days(1);
    expect(made.tasks()).toContain('hold-notice-overdue');
    expect(eventsOf(made.db, 'hold:h1').at(-1)).toMatchObject({
      type: 'hold.overdue',
      data: { what: 'notice-overdue' },
    });
    setNotified(made.db, 'h1', made.nowUs);
    closeTask(made.db, 'hold-notice-overdue', 'hold:h1', made.nowUs);
    await made.days(1);
    expect(made.tasks()).not.toContain('hold-notice-overdue');
  });

  test('told in time: none', async () => {
    const made = site();
    made.hold('h1', dispute);
    setNotified(made.db, 'h1', made.nowUs);
    await made.days(15);
    expect(made.tasks()).not.toContain('hold-notice-overdue');
  });
});

describe.each(['access-request', 'complaint'] as const)('D7 %s blocks deletion', (ground) => {
  const facts = { ground, caseNumber: 'I-7', receivedOn: '2026-06-10' };

  test('past its review date, with an alarm, whoever asks for it', async () => {
    const made = site();
    made.hold('h1', { ground, facts, reviewUs: june + 20 * day });
    addUser(made, 'u-admin', ['admin']);
    const admin = { id: 'u-admin', name: 'a', roles: ['admin'] as const, disabledUs: null };
    proposeRetention(made.ctx, admin, { cameraId: 'lobby', retentionDays: 1, reason: 'a much shorter period' });
    await made.days(19);
    expect(made.tasks()).not.toContain('hold-review-overdue');
    expect(await made.days(60)).toMatchObject({ deleted: 0, held: 5, waiting: null });
    expect(await applyDeletions(made.ctx, { byHand: true, actor: 'user:u-admin' })).toMatchObject({
      deleted: 0,
      held: 5,
    });
    expect(made.tasks()).toContain('hold-review-overdue');
    expect(made.files()).toHaveLength(5);
    expect(findHold(made.db, 'h1')).toMatchObject({ outcome: null, liftedUs: null });
    liftNow(made, 'h1');
    expect(await applyDeletions(made.ctx)).toMatchObject({ due: 5, held: 0 });
  });

  test('not even by the end of the hold in the middle of a sweep', async () => {
    const made = site();
    made.hold('h1', { ground, facts, reviewUs: june + 20 * day });
    made.nowUs = june + 20 * day - 1;
    const result = await applyDeletions(made.ctx, {
      onStep: (step) => {
        if (step === 'sweep-begun') made.nowUs += hour;
      },
    });
    expect(result).toMatchObject({ deleted: 0, held: 5 });
    expect(made.files()).toHaveLength(5);
  });
});
