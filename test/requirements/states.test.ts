/** The README's table of what happens to footage in each state, and who is told: each state made, and held against its row. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { placeHold } from '../../src/disclosure/hold.js';
import { lift } from '../../src/disclosure/hold-acts.js';
import type { HoldFacts } from '../../src/domain/hold-facts.js';
import { formatUtc } from '../../src/domain/time.js';
import type { Role } from '../../src/domain/user.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { insertHold } from '../../src/store/holds.js';
import { putQuarantine } from '../../src/store/quarantine.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import { holdRow } from '../helpers/holds.js';
import { addCamera, addRoot, addSegment, day, june, makeTestStore, type TestStore } from '../helpers/store.js';
import { tempFolder } from '../helpers/site.js';
import { clipOf, makeSite } from '../recordings/layout-site.js';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The cells of a state's row: what happens, and the tasks that tell somebody. */
function row(state: string): { readonly happens: string; readonly tasks: string[] } {
  const [line = ''] = readme.split('\n').filter((one) => one.startsWith(`| ${state}`));
  const [, , happens = '', told = ''] = line.split('|').map((cell) => cell.trim());
  return { happens, tasks: [...told.matchAll(/`([a-z]+-[a-z-]+)`/g)].map(([, kind = '']) => kind) };
}

const kinds = (made: Pick<TestStore, 'store'>): string[] => openTasks(made.store.db).map(({ kind }) => kind);

/** One camera, and one file of this age. */
function site(ageDays: number): TestStore & { file: string } {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  const root = addRoot(made, 'nvr');
  addSegment(made, { camera: 'lobby', path: 'a.mp4', startUs: june - ageDays * day });
  return Object.assign(made, { file: join(root, 'a.mp4') });
}

test('due: deleted by the next sweep, and nobody has anything to do', async () => {
  const made = site(29.6);
  expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1, late: 0 });
  expect(existsSync(made.file)).toBe(false);
  expect(kinds(made)).toEqual(row('due').tasks);
  expect(row('due').happens).toContain('deleted by the next sweep');
});

test.each(['held', 'frozen'])('%s: kept until legal ends it, then deleted by the next sweep', async (state) => {
  const made = site(29.6);
  const frozen = state === 'frozen';
  const ground = frozen ? 'access-request' : 'reported-offence';
  const dated = formatUtc(june - day).slice(0, 10);
  const facts: HoldFacts = frozen
    ? { ground: 'access-request', caseNumber: '0100-1', receivedOn: dated }
    : { ground: 'reported-offence', journalNumber: '0100-1', reportedOn: dated };
  made.store.act('user:lars', (note) => {
    const days = { startUs: june - 30 * day, endUs: june - 29 * day, placedUs: june, reviewUs: june + 60 * day };
    insertHold(made.db, holdRow({ id: 'h', ground, facts, cameraIds: ['lobby'], ...days }));
    note('hold.placed', 'hold:h', {});
  });
  made.nowUs += 10 * day;
  expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 0, held: 1, late: 0 });
  expect(kinds(made)).toEqual(row(state).tasks);
  const ctx = { store: made.store, site: { name: 'Test', timezone: 'Europe/Copenhagen' } };
  const lifting = { reason: 'it is over', answeredOn: dated, appealEndedOn: formatUtc(june + 9 * day).slice(0, 10) };
  const person = (role: Role) => ({ id: role, name: role, roles: [role], disabledUs: null });
  for (const role of ['admin', 'security', 'auditor'] as const) {
    expect(() => lift(ctx, person(role), 'h', lifting)).toThrow(expect.objectContaining({ code: 'forbidden' }));
  }
  lift(ctx, person('legal'), 'h', lifting);
  expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1 });
  expect(existsSync(made.file)).toBe(false);
});

test('late: deleted by the next sweep, and somebody is told', async () => {
  const made = site(30.1);
  expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1, late: 1 });
  expect(existsSync(made.file)).toBe(false);
  expect(kinds(made)).toEqual(row('late').tasks);
  expect(row('late').tasks).toEqual(['deletion-late']);
});

test('quarantined: never touched, and a task once its bound is due', async () => {
  const made = site(0);
  made.store.act('gateway', (note) => {
    putQuarantine(made.db, {
      ...{ rootId: 'nvr', path: 'b.mp4', reason: 'impossible-time', detail: 'its name says 2099', cameraId: 'lobby' },
      ...{ boundUs: june, sizeBytes: 1, inode: '1', mtimeUs: june, firstSeenUs: june },
    });
    note('recordings.indexed', 'root:nvr', {});
  });
  await applyDeletions(made.retention);
  expect(kinds(made)).toEqual([]);
  made.nowUs += 29.6 * day;
  await applyDeletions(made.retention);
  expect(kinds(made)).toEqual(row('quarantined').tasks);
  expect(row('quarantined').tasks).toEqual(['quarantine-overdue']);
  expect(made.db.prepare('SELECT count(*) FROM quarantine').pluck().get()).toBe(1);
});

test('missing: the row stays, somebody is told, and it ends when the footage would have been due', async () => {
  const made = makeSite('frigate', clipOf('sound.mp4'));
  for (const minute of ['00', '01', '02']) {
    made.put(`2026-10-20/10/lobby/${minute}.00.mp4`, `2026-10-20T10:${minute}:06Z`);
  }
  await scanRoots(made.ctx);
  const { store } = made.ctx;
  rmSync(made.full('2026-10-20/10/lobby/00.00.mp4'));
  await scanRoots(made.ctx);
  expect([...segmentsOfRoot(store.db, 'nvr')].map(({ state }) => state).sort()).toEqual([
    'indexed',
    'indexed',
    'missing',
  ]);
  expect(kinds({ store })).toEqual(expect.arrayContaining(row('missing').tasks));
  expect(row('missing').tasks).toEqual(['footage-missing']);
});

test('missing: it ends by the same limit', async () => {
  const made = site(20);
  rmSync(made.file);
  made.db.prepare('UPDATE segment SET missing_since_us = ?').run(june);
  made.nowUs += 9 * day;
  await applyDeletions(made.retention);
  expect([...segmentsOfRoot(made.db, 'nvr')]).toHaveLength(1);
  made.nowUs += 0.6 * day;
  await applyDeletions(made.retention);
  expect([...segmentsOfRoot(made.db, 'nvr')]).toEqual([]);
});

test('live-only: one task, by scan and sweep alike, until it is gone like other footage', async () => {
  const made = makeSite('frigate', clipOf('sound.mp4'));
  const { store } = made.ctx;
  made.put('2026-10-20/10/lobby/00.00.mp4', '2026-10-20T10:00:06Z');
  await scanRoots(made.ctx);
  store.db.exec(`UPDATE camera SET class = 'live-only', adopted = 1; UPDATE task SET done_us = 1`);
  made.put('2026-10-20/10/lobby/01.00.mp4', '2026-10-20T10:01:06Z');
  await scanRoots(made.ctx);
  expect(kinds({ store })).toEqual(row('recorded by a camera that is `live-only`').tasks);
  const { path = '' } = made.ctx.roots[0] ?? {};
  const retention = {
    store,
    log: made.ctx.log,
    dataDir: tempFolder(),
    marginUs: day / 2,
    rootPath: () => path,
  };
  expect(await applyDeletions(retention)).toMatchObject({ deleted: 0 });
  expect(kinds({ store })).toEqual(['live-only-recorded']);
  expect(() =>
    placeHold(
      { store, site: { name: 'Test', timezone: 'Europe/Copenhagen' } },
      { id: 'lars', name: 'lars', roles: ['legal'], disabledUs: null },
      {
        facts: { ground: 'legal-duty', provision: 'Archives Act § 8' },
        ...{ reason: 'because', wideReason: 'all of it', cameraIds: ['lobby'] },
        ...{ startUs: 0, endUs: made.clock.us, reviewUs: made.clock.us + day },
      },
    ),
  ).toThrow(expect.objectContaining({ code: 'forbidden' }));
  made.clock.us = Date.parse('2026-11-19T00:00:00Z') * 1000;
  expect(await applyDeletions(retention)).toMatchObject({ deleted: 2, late: 0 });
  expect(kinds({ store })).toEqual([]);
});
