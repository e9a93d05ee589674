/** One moment recorded several times: all of it is held and deleted, once is handed over, and everybody is told. */
import { copyFileSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyConfiguredCameras, type ConfiguredCamera } from '../../src/cameras/register.js';
import { coverageOf } from '../../src/disclosure/coverage.js';
import { decideRequest } from '../../src/disclosure/decide.js';
import { placeHold } from '../../src/disclosure/hold.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { searchFootage } from '../../src/disclosure/search.js';
import { parseManifest, type Manifest } from '../../src/domain/manifest.js';
import { verifyPackage } from '../../src/evidence/verify.js';
import { planDeletions } from '../../src/retention/plan.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { getCamera } from '../../src/store/cameras.js';
import { activeHolds, holdOfRequest } from '../../src/store/holds.js';
import { itemsOf } from '../../src/store/requests.js';
import { mainOf, streamsOf } from '../../src/store/substreams.js';
import { addSegment, makeWorld, noonUs, noTerms, scopeFor, seconds, type World } from '../helpers/disclosure.js';

const camera = (id: string, more: Partial<ConfiguredCamera> = {}): ConfiguredCamera => ({
  ...{ id, class: 'crime-prevention', retentionDays: 20, audio: false, substreams: [], ...more },
});

/** Of ten seconds the main stream has the first four and the last four; the sub-stream has all of them, in files of five. */
function site(): { world: World; main: number[]; sub: number[]; copy: number } {
  const world = makeWorld();
  applyConfiguredCameras(world.store, [camera('lobby', { substreams: ['lobby_sub'] }), camera('yard')]);
  const main = [0, 2, 6, 8].map((at) => addSegment(world, 'lobby', noonUs + seconds(at)).id);
  const sub = [0, 5].map(
    (at) => addSegment(world, 'lobby_sub', noonUs + seconds(at), { seconds: 5, picture: [80, 60] }).id,
  );
  // An archive that was copied, and so is indexed twice.
  const first = join(world.root, 'lobby', `${noonUs}.mp4`);
  const { id: copy, file } = addSegment(world, 'lobby', noonUs, { name: 'archive.mp4' });
  copyFileSync(first, file);
  world.store.db
    .prepare('UPDATE segment SET size_bytes = ? WHERE id IN (?, ?)')
    .run(readFileSync(first).length, main[0], copy);
  return { world, main, sub, copy };
}

const rangeOf = { startUs: noonUs, endUs: noonUs + seconds(10) };

test('coverage tells what each recording is to the others', () => {
  const { world, main, sub, copy } = site();
  const [lobby] = coverageOf(world.ctx, ['lobby'], rangeOf).cameras;
  expect(lobby?.streams).toEqual(['lobby', 'lobby_sub']);
  expect(Object.fromEntries(lobby?.segments.map(({ id, part, shownBy }) => [id, { part, shownBy }]) ?? [])).toEqual({
    ...Object.fromEntries(main.map((id) => [id, { part: 'primary', shownBy: [] }])),
    ...Object.fromEntries(sub.map((id) => [id, { part: 'primary', shownBy: [] }])),
    [copy]: { part: 'duplicate', shownBy: [main[0]] },
  });
  expect(lobby).toMatchObject({ gaps: [], covered: [rangeOf], disclosed: rangeOf });
  expect(lobby?.shows.map(({ segmentId }) => segmentId)).toEqual([main[0], main[1], sub[0], sub[1], main[2], main[3]]);
});

test('a request holds every copy and every stream, and is prepared of what is needed alone', async () => {
  const { world, main, copy } = site();
  const { store, ctx } = world;
  const scope = scopeFor({ startUs: noonUs, endUs: noonUs + seconds(4) });
  const { request, warnings } = createRequest(ctx, world.sofie, scope);
  expect(request.cameraIds).toEqual(['lobby']);
  expect(holdOfRequest(store.db, request.id)?.cameraIds).toEqual(['lobby', 'lobby_sub']);
  expect(warnings.join('\n')).toMatch(/2 recordings show what others show too \(1 duplicates, 1 sub-streams\)/);
  await prepareRequest(ctx, world.sofie, request.id);
  expect(itemsOf(store.db, request.id).map((item) => [item.segmentId, item.cameraId])).toEqual([
    [main[0], 'lobby'],
    [main[1], 'lobby'],
  ]);
  expect(eventsOf(store.db, `request:${request.id}`)).toContainEqual(
    expect.objectContaining({ type: 'request.preparation-started', data: { what: 'all', segments: 2, leftOut: 2 } }),
  );
  // Past the limit of the camera, the rest is due: nothing of the range, in no stream and no copy.
  world.clock.us = noonUs + seconds(20 * 86_400 + 9);
  store.db.prepare('UPDATE root SET identity = ?').run(String(statSync(world.root, { bigint: true }).ino));
  const { segments } = planDeletions(
    { store, log: ctx.log, dataDir: world.dataDir, marginUs: 12 * 3_600_000_000, rootPath: () => world.root },
    world.clock.nowUs(),
  );
  expect(segments.map((one) => one.segmentId)).not.toContain(copy);
  expect(segments.filter((one) => one.startUs < noonUs + seconds(4))).toEqual([]);
  expect(segments.length).toBeGreaterThan(0);
});

test('the manifest of the package says what stayed behind and why, and of which stream an original is', async () => {
  const { world, main, sub, copy } = site();
  const { request } = createRequest(world.ctx, world.sofie, scopeFor());
  await prepareRequest(world.ctx, world.sofie, request.id);
  reviewRequest(world.ctx, world.lars, request.id, { uncertainSeen: true });
  decideRequest(world.ctx, world.lars, request.id, { approve: true, reason: 'needed for the case', terms: noTerms });
  const late = addSegment(world, 'lobby', noonUs + seconds(4.5), { seconds: 1 });
  const { directory } = await packageRequest(world.ctx, world.sofie, request.id);
  const manifest: Manifest = parseManifest(readFileSync(join(directory, 'manifest.json'), 'utf8'));
  expect(manifest.items.map((item) => [item.cameraId, item.original.streamId])).toEqual([
    ['lobby', undefined],
    ['lobby', 'lobby_sub'],
    ['lobby', undefined],
    ['lobby', 'lobby_sub'],
    ['lobby', undefined],
    ['lobby', undefined],
  ]);
  expect(itemsOf(world.store.db, request.id).map((item) => item.segmentId)).toEqual([
    main[0],
    sub[0],
    main[1],
    sub[1],
    main[2],
    main[3],
  ]);
  const left = manifest.cameras[0]?.leftOut?.map(({ recorderName, streamId, why }) => ({
    recorderName,
    streamId,
    why,
  }));
  expect(left).toEqual([
    { recorderName: 'archive.mp4', streamId: 'lobby', why: 'duplicate' },
    { recorderName: late.path.split('/').at(-1), streamId: 'lobby', why: 'not-prepared' },
  ]);
  expect(copy).toBeGreaterThan(0);
  expect(await verifyPackage(directory)).toMatchObject({ ok: true });
});

test('a package of one camera without copies has no word of them in its manifest', async () => {
  const world = makeWorld();
  applyConfiguredCameras(world.store, [camera('lobby')]);
  addSegment(world, 'lobby', noonUs);
  const { request } = createRequest(world.ctx, world.sofie, scopeFor());
  await prepareRequest(world.ctx, world.sofie, request.id);
  reviewRequest(world.ctx, world.lars, request.id, { uncertainSeen: true });
  decideRequest(world.ctx, world.lars, request.id, { approve: true, reason: 'needed for the case', terms: noTerms });
  const { directory } = await packageRequest(world.ctx, world.sofie, request.id);
  expect(readFileSync(join(directory, 'manifest.json'), 'utf8')).not.toMatch(/leftOut|streamId/);
});

describe('a sub-stream', () => {
  test('is not asked for by itself', () => {
    const { world } = site();
    expect(() => createRequest(world.ctx, world.sofie, scopeFor({ cameraIds: ['lobby_sub'] }))).toThrow(
      expect.objectContaining({ code: 'input-invalid', message: '"lobby_sub" is a sub-stream of camera "lobby".' }),
    );
  });

  test('is held with its camera, whichever of the two is named', () => {
    const { world } = site();
    const { hold, segments } = placeHold(world.ctx, world.lars, {
      facts: { ground: 'reported-offence', journalNumber: '0100-1-26', reportedOn: '2026-05-31' },
      ...{ reason: 'reported', wideReason: null, cameraIds: ['lobby_sub'] },
      ...{ ...rangeOf, reviewUs: world.clock.nowUs() + seconds(86_400) },
    });
    expect(hold.cameraIds).toEqual(['lobby', 'lobby_sub']);
    expect(segments).toBe(7);
  });

  test('has the rule of its camera, and holds that were placed before it was known', () => {
    const world = makeWorld();
    const { db } = world.store;
    applyConfiguredCameras(world.store, [camera('lobby')]);
    addSegment(world, 'lobby', noonUs);
    createRequest(world.ctx, world.sofie, scopeFor());
    applyConfiguredCameras(world.store, [camera('lobby', { class: 'permit', retentionDays: 7, substreams: ['low'] })]);
    // The shorter period waits a day, for both of them.
    expect(getCamera(db, 'lobby')).toMatchObject({ class: 'permit', retentionDays: 20 });
    expect(getCamera(db, 'low')).toMatchObject({ class: 'permit', retentionDays: 20, origin: 'config' });
    expect(mainOf(db, 'low')).toBe('lobby');
    expect(activeHolds(db, world.clock.nowUs()).map((hold) => hold.cameraIds)).toEqual([['lobby', 'low']]);
    expect(eventsOf(db, 'camera:low').at(-1)).toMatchObject({ type: 'camera.changed', data: { substreamOf: 'lobby' } });
    const events = eventsOf(db, 'camera:low').length;
    applyConfiguredCameras(world.store, [camera('lobby', { class: 'permit', retentionDays: 7, substreams: ['low'] })]);
    expect(eventsOf(db, 'camera:low')).toHaveLength(events);
  });

  test('is a camera of its own again when the configuration says so, with the limit that it had', () => {
    const world = makeWorld();
    const { db } = world.store;
    applyConfiguredCameras(world.store, [camera('lobby', { substreams: ['low'] })]);
    applyConfiguredCameras(world.store, [camera('lobby'), camera('yard', { substreams: [] })]);
    expect(mainOf(db, 'low')).toBeNull();
    expect(streamsOf(db, 'lobby')).toEqual(['lobby']);
    expect(getCamera(db, 'low')).toMatchObject({ retentionDays: 20 });
  });
});

test('a search is in the log: who, which cameras, when', () => {
  const { world } = site();
  searchFootage(world.ctx, 'user:u-sofie', ['lobby'], rangeOf);
  expect(eventsOf(world.store.db, 'gateway').at(-1)).toMatchObject({
    type: 'footage.searched',
    actor: 'user:u-sofie',
    data: { cameras: ['lobby'], ...rangeOf },
  });
  const month = { startUs: noonUs, endUs: noonUs + seconds(31 * 86_400) };
  expect(() => searchFootage(world.ctx, 'user:u-sofie', ['lobby'], month)).toThrow(
    expect.objectContaining({ code: 'input-invalid' }),
  );
  expect(() => searchFootage(world.ctx, 'user:u-sofie', ['none'], rangeOf)).toThrow(
    expect.objectContaining({ code: 'not-found' }),
  );
});
