import { describe, expect, it } from 'vitest';
import { placeHold, type HoldContext, type HoldInput } from '../../src/disclosure/hold.js';
import { approveHold, lift, prolongHold, refuseHold } from '../../src/disclosure/hold-acts.js';
import { setGround } from '../../src/disclosure/hold-grounds.js';
import { noteNotice } from '../../src/disclosure/hold-notice.js';
import { cameraClasses, defaultPolicy, type CameraClass } from '../../src/domain/camera.js';
import { enabledGrounds, type HoldGround } from '../../src/domain/hold.js';
import { readFacts, type HoldFacts } from '../../src/domain/hold-facts.js';
import type { Role, User } from '../../src/domain/user.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { noDevice, putCamera } from '../../src/store/cameras.js';
import { finishIntent, insertIntent } from '../../src/store/deletions.js';
import { activeHolds, listHolds, listHoldSteps } from '../../src/store/holds.js';
import { putRoot } from '../../src/store/roots.js';
import { insertSegment } from '../../src/store/segment-inserts.js';
import { markMissing, removeSegment, setSegmentState } from '../../src/store/segments.js';
import { finishTask, openTasks } from '../../src/store/tasks.js';
import { makeTestStore, type TestStore } from '../helpers/site.js';

const hourUs = 3_600_000_000;
const dayUs = 24 * hourUs;
const user = (...roles: Role[]): User => ({ id: `u-${roles.join('-')}`, name: 'n', roles, disabledUs: null });
const [legal, security, both] = [user('legal'), user('security'), user('security', 'legal')];
const otherLegal: User = { ...legal, id: 'u-other' };

const factsFor: Readonly<Record<HoldFacts['ground'], HoldFacts>> = {
  'reported-offence': { ground: 'reported-offence', journalNumber: '0100-1-26', reportedOn: '2026-06-01' },
  dispute: { ground: 'dispute', counterparty: 'A Company', description: 'who drove into the gate' },
  'access-request': { ground: 'access-request', caseNumber: 'I-7', receivedOn: '2026-05-30' },
  complaint: { ground: 'complaint', caseNumber: 'K-7', receivedOn: '2026-05-30' },
  'legal-duty': { ground: 'legal-duty', provision: 'Retsplejeloven § 806' },
};
const grounds = Object.keys(factsFor) as HoldFacts['ground'][];

interface Site extends TestStore {
  readonly ctx: HoldContext;
  readonly startUs: number;
  readonly ids: readonly number[];
  readonly input: (ground: HoldFacts['ground'], more?: Partial<HoldInput>) => HoldInput;
  readonly tasks: () => string[];
}

/** Cameras of a class, each with three segments of ten minutes from `ageUs` ago on. */
function siteWith(cameraClass: CameraClass = 'crime-prevention', ageUs = hourUs, cameras = ['gate']): Site {
  const site = makeTestStore('2026-06-01T12:00:00Z');
  const { store, clock } = site;
  const startUs = clock.us - ageUs;
  const ids: number[] = [];
  store.act('gateway', (note) => {
    putRoot(store.db, { id: 'nvr', path: '/nowhere', identity: '1', firstSeenUs: startUs });
    for (const cameraId of cameras) {
      putCamera(store.db, {
        cameraId,
        label: cameraId,
        ...defaultPolicy,
        class: cameraClass,
        retentionReason: 'counting visitors for the fire plan',
        purpose: 'test',
        audioAllowed: false,
        origin: 'config',
        adopted: true,
        device: noDevice,
        clock: null,
        createdUs: startUs,
      });
      for (const part of [0, 1, 2]) {
        const at = startUs + (part * hourUs) / 6;
        ids.push(
          insertSegment(store.db, {
            rootId: 'nvr',
            path: `${cameraId}/${part}.mp4`,
            cameraId,
            startUs: at,
            endUs: at + hourUs / 6,
            timeSource: 'name-utc',
            timeQuality: 'single',
            timeDisagreementMs: null,
            sizeBytes: 1,
            inode: '1',
            mtimeUs: at,
            container: 'mp4',
            codec: 'h264',
            width: 16,
            height: 16,
            frameRate: 10,
            hasAudio: false,
            truncated: false,
            firstSeenUs: at,
          }),
        );
      }
    }
    note('camera.registered', 'camera:gate', {});
  });
  return {
    ...site,
    ctx: { store, site: { name: 'Main office', timezone: 'Europe/Copenhagen' } },
    startUs,
    ids,
    input: (ground, more = {}) => ({
      facts: factsFor[ground],
      reason: 'because of it',
      wideReason: null,
      cameraIds: ['gate'],
      startUs,
      endUs: startUs + hourUs / 2,
      reviewUs: clock.us + 30 * dayUs,
      ...more,
    }),
    tasks: () => openTasks(store.db).map(({ kind }) => kind),
  };
}

const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'done';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('D1 a hold has one ground, with what the ground demands', () => {
  it.each(grounds)('%s is placed, and what was said of it is kept', (ground) => {
    const { ctx, input } = siteWith();
    const { hold } = placeHold(ctx, legal, input(ground));
    expect(hold).toMatchObject({ ground, facts: factsFor[ground] });
    expect(hold.reference).not.toBe('');
  });

  const without = (ground: HoldFacts['ground'], field: string): HoldFacts =>
    Object.fromEntries(Object.entries(factsFor[ground]).filter(([name]) => name !== field)) as unknown as HoldFacts;
  it.each(
    grounds.flatMap((ground) =>
      Object.keys(factsFor[ground])
        .filter((field) => field !== 'ground')
        .map((field) => [ground, field] as const),
    ),
  )('%s is refused without its %s, and with a blank one', (ground, field) => {
    const { ctx, input, store } = siteWith();
    for (const facts of [without(ground, field), { ...factsFor[ground], [field]: '  ' }]) {
      expect(codeOf(() => placeHold(ctx, legal, input(ground, { facts })))).toBe('input-invalid');
    }
    expect(listHolds(store.db)).toEqual([]);
  });

  it.each([
    ['2026-06-02', 'input-invalid'],
    ['2026-06-01', 'done'],
    ['2026-02-30', 'input-invalid'],
    ['yesterday', 'input-invalid'],
  ])('a report of %s: %s', (reportedOn, expected) => {
    const { ctx, input } = siteWith();
    const facts: HoldFacts = { ground: 'reported-offence', journalNumber: '1', reportedOn };
    expect(codeOf(() => placeHold(ctx, legal, input('reported-offence', { facts })))).toBe(expected);
  });

  it('today is the day of the site, not that of Greenwich', () => {
    const { ctx, input, clock } = siteWith();
    // Half past midnight of 2 June in Copenhagen.
    clock.us = Date.parse('2026-06-01T22:30:00Z') * 1000;
    const facts: HoldFacts = { ground: 'reported-offence', journalNumber: '1', reportedOn: '2026-06-02' };
    expect(codeOf(() => placeHold(ctx, legal, input('reported-offence', { facts })))).toBe('done');
  });

  it('free text alone is refused, whatever it claims to be', () => {
    for (const facts of [
      { text: 'a theft' },
      { ground: 'theft' },
      { ground: 'disclosure-request' },
      { ground: 'toString' },
    ]) {
      expect(codeOf(() => readFacts(facts as unknown as HoldFacts, '2026-06-01'))).toBe('input-invalid');
    }
  });

  it('the database itself refuses facts that are not those of the ground', () => {
    const { ctx, input, store } = siteWith();
    placeHold(ctx, legal, input('reported-offence'));
    const set = store.db.prepare('UPDATE hold SET facts = ?');
    for (const facts of [
      null,
      '{}',
      'no JSON',
      '{"ground":"dispute","counterparty":"x","description":"long enough a text"}',
      '{"ground":"reported-offence","journalNumber":" ","reportedOn":"2026-06-01"}',
      '{"ground":"reported-offence","journalNumber":"1","reportedOn":"2026-02-30"}',
      '{"ground":"reported-offence","journalNumber":"1","reportedOn":"2027-01-01"}',
    ]) {
      expect(() => set.run(facts), String(facts)).toThrow();
    }
    set.run('{"ground":"reported-offence","journalNumber":"2","reportedOn":"2026-05-01"}');
  });
});

describe('D2 a hold is minimal, and legal approves it', () => {
  it('more than 60 minutes or 3 cameras needs the reason why, which is kept', () => {
    const { ctx, input, store, startUs } = siteWith('crime-prevention', hourUs, ['gate', 'b', 'c', 'd']);
    const long = { endUs: startUs + hourUs + 1 };
    const many = { cameraIds: ['gate', 'b', 'c', 'd'] };
    for (const wide of [long, many]) {
      expect(codeOf(() => placeHold(ctx, legal, input('dispute', wide)))).toBe('input-invalid');
      expect(codeOf(() => placeHold(ctx, legal, input('dispute', { ...wide, wideReason: 'needed' })))).toBe(
        'input-invalid',
      );
    }
    expect(listHolds(store.db)).toEqual([]);
    const exactly = placeHold(ctx, legal, input('dispute', { endUs: startUs + hourUs, cameraIds: ['gate', 'b', 'c'] }));
    expect(exactly.hold.wideReason).toBeNull();
    const wideReason = 'the thief was seen at all four doors';
    const { hold } = placeHold(ctx, legal, input('dispute', { ...long, ...many, wideReason }));
    expect(hold.wideReason).toBe(wideReason);
    expect(() => store.db.prepare('UPDATE hold SET wide_reason = NULL').run()).toThrow('CHECK constraint');
  });

  it('says which files it keeps, which is more than was asked for', () => {
    const { ctx, input, startUs } = siteWith();
    const part = { startUs: startUs + hourUs / 4, endUs: startUs + hourUs / 4 + 1 };
    const { keeps, segments } = placeHold(ctx, legal, input('complaint', part));
    expect(segments).toBe(1);
    expect(keeps).toEqual({ startUs: startUs + hourUs / 6, endUs: startUs + hourUs / 3 });
  });

  it('placed by security it protects at once, provisionally, with a task for legal', () => {
    const { ctx, input, store, clock, tasks } = siteWith();
    const wanted = { reviewUs: clock.us + 80 * dayUs };
    const { hold, warnings } = placeHold(ctx, security, input('reported-offence', wanted));
    expect(activeHolds(store.db, clock.us).map(({ id }) => id)).toEqual([hold.id]);
    expect(hold).toMatchObject({
      placedAs: 'security',
      approvedUs: null,
      approveByUs: clock.us + 72 * hourUs,
      reviewUs: clock.us + 14 * dayUs,
      wantedReviewUs: wanted.reviewUs,
    });
    expect(tasks()).toEqual(['approve-hold']);
    expect(warnings.join()).toContain('Legal has to approve it before 2026-06-04T12:00:00Z');
    // A long weekend changes nothing: it is in force until the fifteenth day.
    expect(activeHolds(store.db, clock.us + 14 * dayUs - 1)).toHaveLength(1);
    expect(activeHolds(store.db, clock.us + 14 * dayUs)).toEqual([]);
    // Nor can one person's word be made to last longer by editing the database.
    expect(() => store.db.prepare('UPDATE hold SET review_us = review_us + 1').run()).toThrow('CHECK constraint');
  });

  it('another person of legal approves: then it runs until the date that was asked for', () => {
    const { ctx, input, clock, tasks, store } = siteWith();
    const reviewUs = clock.us + 80 * dayUs;
    const { hold } = placeHold(ctx, security, input('reported-offence', { reviewUs }));
    expect(codeOf(() => approveHold(ctx, security, hold.id, { reviewUs: null }))).toBe('forbidden');
    clock.us += dayUs;
    expect(approveHold(ctx, legal, hold.id, { reviewUs: null })).toMatchObject({
      reviewUs,
      approvedBy: 'user:u-legal',
    });
    expect(tasks()).toEqual([]);
    expect(codeOf(() => approveHold(ctx, legal, hold.id, { reviewUs: null }))).toBe('conflict');
    expect(eventsOf(store.db, `hold:${hold.id}`).map(({ type }) => type)).toEqual(['hold.placed', 'hold.approved']);
  });

  it('who has both roles acts as security, and does not approve the own hold', () => {
    const { ctx, input, store } = siteWith();
    const { hold } = placeHold(ctx, both, input('reported-offence'));
    expect(hold).toMatchObject({ placedAs: 'security', approvedUs: null });
    expect(codeOf(() => approveHold(ctx, both, hold.id, { reviewUs: null }))).toBe('same-person');
    expect(codeOf(() => refuseHold(ctx, both, hold.id, { reason: 'no case' }))).toBe('same-person');
    const byItself = `UPDATE hold SET approved_us = 1, approved_by = placed_by`;
    expect(() => store.db.prepare(byItself).run()).toThrow('CHECK constraint');
    expect(approveHold(ctx, otherLegal, hold.id, { reviewUs: null }).approvedBy).toBe('user:u-other');
  });

  it('what legal places needs no second person', () => {
    const { ctx, input, tasks } = siteWith();
    const { hold } = placeHold(ctx, legal, input('reported-offence'));
    expect(hold).toMatchObject({ placedAs: 'legal', approvedBy: 'user:u-legal', approveByUs: null });
    expect(tasks()).toEqual([]);
    expect(codeOf(() => approveHold(ctx, otherLegal, hold.id, { reviewUs: null }))).toBe('conflict');
  });

  it('legal refuses with a reason, which ends it and is told', () => {
    const { ctx, input, store, clock } = siteWith();
    const { hold } = placeHold(ctx, security, input('reported-offence'));
    expect(codeOf(() => refuseHold(ctx, legal, hold.id, { reason: ' ' }))).toBe('input-invalid');
    expect(refuseHold(ctx, legal, hold.id, { reason: 'nothing was reported' })).toMatchObject({
      outcome: 'refused',
      liftedUs: clock.us,
      orderly: false,
    });
    expect(activeHolds(store.db, clock.us)).toEqual([]);
    expect(openTasks(store.db).map(({ kind, detail }) => `${kind}: ${detail}`)).toEqual([
      expect.stringMatching(/^hold-refused: .*goes at the next sweep/),
    ]);
    expect(listHoldSteps(store.db)).toMatchObject([{ kind: 'refused', facts: { reason: 'nothing was reported' } }]);
    expect(codeOf(() => approveHold(ctx, legal, hold.id, { reviewUs: null }))).toBe('conflict');
  });
});

describe('D3 the other party of a dispute is told within 30 days of the oldest frame', () => {
  it('a hold on day 29 gives a day to do it, whatever the period of the camera is', () => {
    for (const cameraClass of ['crime-prevention', 'other-purpose'] as const) {
      const { ctx, input, clock, startUs, tasks, store } = siteWith(cameraClass, 29 * dayUs);
      const { hold } = placeHold(ctx, legal, input('dispute', { startUs: startUs + 1 }));
      // Of the file, whose oldest frame is kept too, and not of the range that was asked for.
      expect(hold.notifyByUs).toBe(startUs + 30 * dayUs);
      expect((hold.notifyByUs ?? 0) - clock.us).toBe(dayUs);
      expect(tasks()).toEqual(['tell-the-other-party']);
      expect(openTasks(store.db)[0]?.detail).toContain('before 2026-06-02T12:00:00Z');
    }
  });

  it('no other ground has such a task', () => {
    for (const ground of grounds.filter((one) => one !== 'dispute')) {
      const { ctx, input, tasks } = siteWith();
      expect(placeHold(ctx, legal, input(ground)).hold.notifyByUs).toBeNull();
      expect(tasks()).toEqual([]);
    }
  });

  it('the proof of it: who, when, how and by which document; a copy is asked for and handed over', () => {
    const { ctx, input, clock, store, tasks } = siteWith();
    const { hold } = placeHold(ctx, legal, input('dispute'));
    const note = (kind: 'notified' | 'copy-requested' | 'copy-handed', more = {}): string =>
      codeOf(() =>
        noteNotice(ctx, security, hold.id, { kind, atUs: clock.us - hourUs, how: 'letter', document: 'L-1', ...more }),
      );
    expect(note('notified', { document: ' ' })).toBe('input-invalid');
    expect(note('notified', { how: '' })).toBe('input-invalid');
    expect(note('notified', { atUs: clock.us + 1 })).toBe('input-invalid');
    // Nobody ends it by saying that it is done.
    const task = String(openTasks(store.db)[0]?.id);
    const admin: User = { id: 'u-admin', name: 'admin', roles: ['admin'], disabledUs: null };
    expect(codeOf(() => finishTask(ctx.store, admin, task))).toBe('conflict');
    expect(tasks()).toEqual(['tell-the-other-party']);
    expect(note('notified')).toBe('done');
    expect(tasks()).toEqual([]);
    expect(note('copy-requested', { document: 'M-2' })).toBe('done');
    expect(tasks()).toEqual(['hand-copy']);
    expect(note('copy-handed', { document: 'R-3' })).toBe('done');
    expect(tasks()).toEqual([]);
    expect(listHoldSteps(store.db)).toMatchObject([
      {
        kind: 'notified',
        by: 'user:u-security',
        atUs: clock.us,
        facts: { atUs: clock.us - hourUs, how: 'letter', document: 'L-1' },
      },
      { kind: 'copy-requested', facts: { document: 'M-2' } },
      { kind: 'copy-handed', facts: { document: 'R-3' } },
    ]);
    expect(JSON.stringify(eventsOf(store.db, `hold:${hold.id}`))).not.toContain('letter');
    const { hold: other } = placeHold(ctx, legal, input('complaint'));
    const notice = { kind: 'notified', atUs: clock.us, how: 'letter', document: 'L-1' } as const;
    expect(codeOf(() => noteNotice(ctx, legal, other.id, notice))).toBe('conflict');
  });
});

describe('D4 a hold ends, and is prolonged by legal alone', () => {
  it.each([
    [90 * dayUs, 'done'],
    [90 * dayUs + 1, 'input-invalid'],
    [0, 'input-invalid'],
    [-1, 'input-invalid'],
    [Infinity, 'input-invalid'],
    [NaN, 'input-invalid'],
  ])('a review date in %s us: %s', (inUs, expected) => {
    const { ctx, input, clock } = siteWith();
    expect(codeOf(() => placeHold(ctx, legal, input('legal-duty', { reviewUs: clock.us + inUs })))).toBe(expected);
  });

  it('prolonged again and again, each time by at most 90 days, with a reason, in the log', () => {
    const { ctx, input, clock, store } = siteWith();
    const { hold } = placeHold(ctx, legal, input('legal-duty'));
    const prolong = (who: User, reviewUs: number, reason = 'the case is pending'): string =>
      codeOf(() => prolongHold(ctx, who, hold.id, { reviewUs, reason }));
    expect(prolong(security, clock.us + 60 * dayUs)).toBe('forbidden');
    expect(prolong(legal, clock.us + 90 * dayUs + 1)).toBe('input-invalid');
    expect(prolong(legal, clock.us + 60 * dayUs, ' ')).toBe('input-invalid');
    // A hold is not cut short by the way.
    expect(prolong(legal, clock.us + 20 * dayUs)).toBe('input-invalid');
    expect(prolong(legal, clock.us + 60 * dayUs)).toBe('done');
    clock.us += 50 * dayUs;
    expect(prolong(legal, clock.us + 90 * dayUs)).toBe('done');
    expect(activeHolds(store.db, clock.us + 89 * dayUs)).toHaveLength(1);
    expect(eventsOf(store.db, `hold:${hold.id}`).map(({ type }) => type)).toEqual([
      'hold.placed',
      'hold.prolonged',
      'hold.prolonged',
    ]);
    expect(listHoldSteps(store.db)).toMatchObject([
      { kind: 'prolonged', facts: { reason: 'the case is pending' } },
      { kind: 'prolonged', facts: { reviewUs: clock.us + 90 * dayUs } },
    ]);
    clock.us += 90 * dayUs;
    expect(prolong(legal, clock.us + dayUs)).toBe('conflict');
  });

  it('what waits for its approval is approved, not prolonged', () => {
    const { ctx, input, clock } = siteWith();
    const { hold } = placeHold(ctx, security, input('legal-duty'));
    const date = { reviewUs: clock.us + 60 * dayUs, reason: 'the case is pending' };
    expect(codeOf(() => prolongHold(ctx, legal, hold.id, date))).toBe('conflict');
  });

  it('is lifted once, with a reason', () => {
    const { ctx, input } = siteWith();
    const { hold } = placeHold(ctx, legal, input('dispute'));
    expect(codeOf(() => lift(ctx, security, hold.id, { reason: 'settled' }))).toBe('forbidden');
    expect(codeOf(() => lift(ctx, legal, hold.id, { reason: '' }))).toBe('input-invalid');
    expect(lift(ctx, legal, hold.id, { reason: 'settled' })).toMatchObject({ outcome: 'lifted' });
    expect(() => lift(ctx, legal, hold.id, { reason: 'settled' })).toThrow(/lifted before/);
    expect(codeOf(() => lift(ctx, legal, 'h-none', { reason: 'settled' }))).toBe('not-found');
  });
});

describe('D5 a hold on footage that is gone says so', () => {
  /** The recording is deleted by a sweep, as far as that got. */
  function remove(site: Site, index: number, done: boolean): void {
    const segmentId = site.ids[index] ?? 0;
    const { startUs, store, clock } = site;
    const at = startUs + (index * hourUs) / 6;
    store.act('gateway', (note) => {
      const intent = { segmentId, cameraId: 'gate', startUs: at, endUs: at + hourUs / 6, sizeBytes: 1, inode: '1' };
      const id = insertIntent(store.db, { ...intent, ruleId: 'class-limit/1', dueUs: at, intendedUs: clock.us });
      setSegmentState(store.db, segmentId, 'deleting');
      if (done) {
        finishIntent(store.db, id, { state: 'done', result: 'unlinked', doneUs: clock.us });
        removeSegment(store.db, segmentId);
      }
      note('deletion.intended', 'camera:gate', { records: [] });
    });
  }

  it.each([
    ['deleted', true],
    ['being deleted', false],
  ])('all of it %s: refused, and there is no hold', (words, done) => {
    const site = siteWith();
    for (const index of [0, 1, 2]) remove(site, index, done);
    try {
      placeHold(site.ctx, legal, site.input('complaint'));
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'footage-gone', details: { gone: [{ segments: 3 }] } });
      expect((error as { remedy: string }).remedy).toContain(words);
    }
    expect(listHolds(site.store.db)).toEqual([]);
    expect(site.tasks()).toEqual([]);
  });

  it('a part of it: held as far as it is there, and told what is not', () => {
    const site = siteWith();
    remove(site, 0, true);
    remove(site, 1, false);
    const { segments, gone, keeps, warnings } = placeHold(site.ctx, legal, site.input('complaint'));
    const at = (part: number): number => site.startUs + (part * hourUs) / 6;
    expect(segments).toBe(1);
    expect(keeps).toEqual({ startUs: at(2), endUs: at(3) });
    expect(gone).toEqual([
      { cameraId: 'gate', startUs: at(0), endUs: at(1), what: 'deleted', segments: 1 },
      { cameraId: 'gate', startUs: at(1), endUs: at(2), what: 'being-deleted', segments: 1 },
    ]);
    expect(warnings.join()).toContain('Not all of this range is held');
  });

  it('what the recorder has removed is no held footage either', () => {
    const site = siteWith();
    markMissing(site.store.db, site.ids[0] ?? 0, site.clock.us);
    const { segments, gone } = placeHold(site.ctx, legal, site.input('complaint'));
    expect([segments, gone.map(({ what }) => what)]).toEqual([2, ['missing']]);
  });

  it('nothing was ever recorded there', () => {
    const { ctx, input } = siteWith();
    expect(codeOf(() => placeHold(ctx, legal, input('complaint', { startUs: 1, endUs: 2 })))).toBe('footage-gone');
  });
});

describe.each(['access-request', 'complaint'] as const)('D7 %s freezes the footage', (ground) => {
  it('past its review date, until legal says that it was answered and the time to appeal is over', () => {
    const { ctx, input, clock, store } = siteWith();
    const { hold } = placeHold(ctx, legal, input(ground));
    clock.us += 400 * dayUs;
    expect(activeHolds(store.db, clock.us)).toHaveLength(1);
    const end = (who: User, days: object): string =>
      codeOf(() => lift(ctx, who, hold.id, { reason: 'answered', ...days }));
    const days = { answeredOn: '2026-06-20', appealEndedOn: '2026-07-20' };
    for (const role of ['admin', 'security', 'auditor'] as const) expect(end(user(role), days)).toBe('forbidden');
    expect(end(legal, {})).toBe('input-invalid');
    expect(end(legal, { answeredOn: days.answeredOn })).toBe('input-invalid');
    expect(end(legal, { ...days, appealEndedOn: '2026-06-19' })).toBe('input-invalid');
    expect(end(legal, { ...days, answeredOn: '2026-05-29' })).toBe('input-invalid');
    expect(end(legal, { ...days, appealEndedOn: '2030-01-01' })).toBe('input-invalid');
    expect(activeHolds(store.db, clock.us)).toHaveLength(1);
    expect(end(legal, days)).toBe('done');
    expect(activeHolds(store.db, clock.us)).toEqual([]);
    expect(eventsOf(store.db, `hold:${hold.id}`).at(-1)).toMatchObject({ type: 'hold.lifted', data: days });
  });

  it('placed by security too, although legal decides late: only then it is over', () => {
    const { ctx, input, clock, store } = siteWith();
    const { hold } = placeHold(ctx, security, input(ground));
    clock.us += 100 * dayUs;
    expect(activeHolds(store.db, clock.us)).toHaveLength(1);
    expect(approveHold(ctx, legal, hold.id, { reviewUs: null }).reviewUs).toBe(clock.us + 14 * dayUs);
    expect(() =>
      store.db.prepare(`UPDATE hold SET lifted_us = 1, lifted_by = 'gateway', outcome = 'expired'`).run(),
    ).toThrow('CHECK constraint');
  });
});

describe('D8 grounds by class', () => {
  const refusedIn = (site: Site): HoldGround[] =>
    grounds.filter((ground) => codeOf(() => placeHold(site.ctx, legal, site.input(ground))) === 'forbidden');

  it.each(cameraClasses)('class %s', (cameraClass) => {
    const expected: Partial<Record<CameraClass, HoldGround[]>> = {
      municipal: ['reported-offence', 'dispute', 'legal-duty'],
      'live-only': grounds,
    };
    expect(refusedIn(siteWith(cameraClass))).toEqual(expected[cameraClass] ?? []);
  });

  it.each(enabledGrounds)(
    'legal enables %s for municipal cameras, and disables it; what is held stays held',
    (ground) => {
      const site = siteWith('municipal');
      const set = (who: User, enabled: boolean, reason = 'agreed with counsel, note 4'): string =>
        codeOf(() => setGround(site.ctx, who, { ground, enabled, reason }));
      expect(set(security, true)).toBe('forbidden');
      expect(set(user('admin'), true)).toBe('forbidden');
      expect(set(legal, true, 'so')).toBe('input-invalid');
      expect(set(legal, false)).toBe('conflict');
      expect(set(legal, true)).toBe('done');
      expect(refusedIn(site)).toEqual(enabledGrounds.filter((one) => one !== ground));
      expect(set(legal, false)).toBe('done');
      expect(refusedIn(site)).toEqual([...enabledGrounds]);
      expect(activeHolds(site.store.db, site.clock.us).some((hold) => hold.ground === ground)).toBe(true);
      expect(eventsOf(site.store.db, 'class:municipal').map(({ type }) => type)).toEqual([
        'hold.ground-enabled',
        'hold.ground-disabled',
      ]);
      expect(refusedIn(siteWith('live-only'))).toEqual(grounds);
    },
  );
});
