import { describe, expect, test } from 'vitest';
import { createRequest } from '../../src/disclosure/request.js';
import { coverageOf } from '../../src/disclosure/coverage.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { finishIntent, insertIntent } from '../../src/store/deletions.js';
import { activeHolds, holdOfRequest, holdsCovering } from '../../src/store/holds.js';
import { listRequests } from '../../src/store/requests.js';
import { removeSegment, setSegmentState } from '../../src/store/segments.js';
import { addCamera, addSegment, makeWorld, noonUs, scopeFor, seconds, type World } from '../helpers/disclosure.js';

function site(): World {
  const world = makeWorld();
  addCamera(world, 'lobby');
  addCamera(world, 'yard');
  return world;
}

/** What retention does to a segment, so far. */
function remove(world: World, id: number, startUs: number, done: boolean): void {
  const { store, clock } = world;
  store.act('gateway', (note) => {
    const intent = insertIntent(store.db, {
      segmentId: id,
      cameraId: 'lobby',
      startUs,
      endUs: startUs + seconds(2),
      sizeBytes: 1,
      inode: '1',
      ruleId: 'class-limit-1',
      dueUs: clock.nowUs(),
      intendedUs: clock.nowUs(),
    });
    setSegmentState(store.db, id, 'deleting');
    if (done) {
      finishIntent(store.db, intent, { state: 'done', result: 'unlinked', doneUs: clock.nowUs() });
      removeSegment(store.db, id);
    }
    note('deletion.intended', `segment:${id}`, {});
  });
}

test('rule 12 a request holds exactly what it asks for, in the transaction that makes it', () => {
  const world = site();
  addSegment(world, 'lobby', noonUs);
  const { request, coverage, warnings } = createRequest(world.ctx, world.sofie, scopeFor());
  expect(request).toMatchObject({ state: 'requested', requestedBy: 'u-sofie', cameraIds: ['lobby'] });
  const hold = holdOfRequest(world.store.db, request.id);
  expect(hold).toMatchObject({
    ground: 'disclosure-request',
    reference: '0100-12345-26',
    cameraIds: ['lobby'],
    startUs: noonUs,
    endUs: noonUs + seconds(10),
    reviewUs: world.clock.nowUs() + 30 * 86_400_000_000,
  });
  expect(holdsCovering(world.store.db, 'lobby', { startUs: noonUs, endUs: noonUs + 1 }, world.clock.nowUs())).toEqual([
    hold?.id,
  ]);
  expect(holdsCovering(world.store.db, 'yard', scopeFor(), world.clock.nowUs())).toEqual([]);
  expect(coverage.cameras[0]?.gaps).toEqual([{ startUs: noonUs + seconds(2), endUs: noonUs + seconds(10) }]);
  expect(warnings).toEqual(['Camera "lobby" has 1 gaps in this range.']);
  expect(eventsOf(world.store.db, `request:${request.id}`).map((event) => event.type)).toEqual(['request.created']);
  expect(eventsOf(world.store.db, `hold:${hold?.id ?? ''}`).map((event) => event.type)).toEqual(['hold.placed']);
});

test('nothing personal goes into the log', () => {
  const world = site();
  addSegment(world, 'lobby', noonUs);
  const { request } = createRequest(world.ctx, world.sofie, scopeFor());
  const logged = world.store.db.prepare('SELECT group_concat(entry) FROM audit_event').pluck().get() as string;
  for (const text of ['Politi', 'called back', 'theft', '0100-12345-26', 'name of']) expect(logged).not.toContain(text);
  expect(logged).toContain(request.id);
});

test('the hold is never longer than 90 days', () => {
  const world = site();
  addSegment(world, 'lobby', noonUs);
  const { request } = createRequest(world.ctx, world.sofie, scopeFor(), { holdDays: 4000 });
  expect(holdOfRequest(world.store.db, request.id)?.reviewUs).toBe(world.clock.nowUs() + 90 * 86_400_000_000);
});

describe('footage that is gone', () => {
  test('nothing was ever there: neither request nor hold', () => {
    const world = site();
    expect(() => createRequest(world.ctx, world.sofie, scopeFor())).toThrow(
      expect.objectContaining({ code: 'footage-gone' }),
    );
    expect(listRequests(world.store.db)).toEqual([]);
    expect(activeHolds(world.store.db, world.clock.nowUs())).toEqual([]);
  });

  test('all of it was deleted: the error says what the records know', () => {
    const world = site();
    const { id } = addSegment(world, 'lobby', noonUs);
    remove(world, id, noonUs, true);
    let thrown: unknown;
    try {
      createRequest(world.ctx, world.sofie, scopeFor());
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'footage-gone', details: { deleted: 1 } });
    expect((thrown as { remedy: string }).remedy).toMatch(
      /lobby 2026-05-31T12:00:00\+02:00 .* deleted .*class-limit-1/,
    );
    expect(listRequests(world.store.db)).toEqual([]);
  });

  test('a segment that is being deleted is named and not reported as held', () => {
    const world = site();
    const { id } = addSegment(world, 'lobby', noonUs);
    addSegment(world, 'lobby', noonUs + seconds(2));
    remove(world, id, noonUs, false);
    const { request, coverage, warnings } = createRequest(world.ctx, world.sofie, scopeFor());
    expect(coverage.cameras[0]?.segments.map((one) => one.state)).toEqual(['deleting', 'indexed']);
    expect(coverage.cameras[0]?.deleted).toMatchObject([{ startUs: noonUs, doneUs: null }]);
    expect(coverage.cameras[0]?.gaps[0]).toEqual({ startUs: noonUs, endUs: noonUs + seconds(2) });
    expect(warnings.join('\n')).toMatch(/is being deleted .* not held/);
    expect(eventsOf(world.store.db, `request:${request.id}`)[0]?.data['segments']).toBe(1);
  });
});

test('rule 12 warns of long ranges, many cameras, sound, whole files and footage past its limit', () => {
  const world = site();
  for (const id of ['c1', 'c2']) addCamera(world, id);
  const oldUs = world.clock.nowUs() - 31 * 86_400_000_000;
  addSegment(world, 'lobby', oldUs - seconds(1), { hasAudio: true });
  const { warnings } = createRequest(
    world.ctx,
    world.sofie,
    scopeFor({ cameraIds: ['lobby', 'yard', 'c1', 'c2'], startUs: oldUs, endUs: oldUs + seconds(3601) }),
  );
  const all = warnings.join('\n');
  for (const said of [
    /60 minutes/,
    /4 cameras/,
    /sound/,
    /whole files/,
    /past its legal limit/,
    /"yard" has no footage/,
  ]) {
    expect(all).toMatch(said);
  }
});

test('who may not, and what the law does not know, changes nothing', () => {
  const world = site();
  addSegment(world, 'lobby', noonUs);
  const attempts: [() => unknown, string][] = [
    [() => createRequest(world.ctx, world.lars, scopeFor()), 'forbidden'],
    [() => createRequest(world.ctx, world.ida, scopeFor()), 'forbidden'],
    [() => createRequest(world.ctx, { ...world.sofie, disabledUs: 1 }, scopeFor()), 'forbidden'],
    [() => createRequest(world.ctx, world.sofie, scopeFor({ journalNumber: ' ' })), 'input-invalid'],
    [() => createRequest(world.ctx, world.sofie, scopeFor({ cameraIds: ['nowhere'] })), 'not-found'],
    [
      () => createRequest(world.ctx, world.sofie, scopeFor({ recipient: { kind: 'person', name: 'x', contact: 'y' } })),
      'forbidden',
    ],
  ];
  for (const [attempt, code] of attempts) expect(attempt).toThrow(expect.objectContaining({ code }));
  expect(listRequests(world.store.db)).toEqual([]);
  expect(() => coverageOf(world.ctx, ['nowhere'], scopeFor())).toThrow(expect.objectContaining({ code: 'not-found' }));
});
