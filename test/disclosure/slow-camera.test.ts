/** Cameras that make 60 s of video in 72 s of wall time: what is there, held, handed over and deleted, with real files. */
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { registerFoundCamera } from '../../src/cameras/register-found.js';
import { coverageOf } from '../../src/disclosure/coverage.js';
import { decideRequest } from '../../src/disclosure/decide.js';
import { placeHold } from '../../src/disclosure/hold.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { searchFootage } from '../../src/disclosure/search.js';
import { parseManifest } from '../../src/domain/manifest.js';
import { formatUtc } from '../../src/domain/time.js';
import { verifyPackage } from '../../src/evidence/verify.js';
import { silentLog } from '../../src/platform/log.js';
import type { RecordingsContext } from '../../src/recordings/context.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { contactSheetOf } from '../../src/recordings/pictures/contact-sheet.js';
import { cutsIn } from '../../src/recordings/pictures/cuts.js';
import { lookable } from '../../src/recordings/pictures/find.js';
import { stillAt } from '../../src/recordings/pictures/still.js';
import { putSeenRoots } from '../../src/recordings/roots.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { planDeletions } from '../../src/retention/plan.js';
import { deletionsIn } from '../../src/store/deletions.js';
import { itemsOf } from '../../src/store/requests.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { makeWorld, noTerms, picturesOf, quickRedactor, scopeFor, type World } from '../helpers/disclosure.js';
import { tempFolder } from '../helpers/site.js';
import { ffmpeg } from '../recordings/make-media.js';

const us = (iso: string): number => Date.parse(iso) * 1000;
const at = (clock: string): number => us(`2026-05-31T${clock}Z`);
const range = (from: string, to: string) => ({ startUs: at(from), endUs: at(to) });
const ranges = (found: readonly { readonly startUs: number; readonly endUs: number }[]): string[] =>
  found.map(({ startUs, endUs }) => `${formatUtc(startUs).slice(11)} ${formatUtc(endUs).slice(11)}`);

const clips = new Map<number, Buffer>();
/** Video of so many seconds, made once. */
function video(seconds: number): Buffer {
  const known = clips.get(seconds);
  if (known !== undefined) return known;
  const path = join(tempFolder(), 'clip.mp4');
  const picture = ['-f', 'lavfi', '-i', `testsrc2=size=96x64:rate=5:duration=${seconds}`];
  ffmpeg(...picture, '-c:v', 'libx264', '-g', '50', '-pix_fmt', 'yuv420p', path);
  const bytes = readFileSync(path);
  clips.set(seconds, bytes);
  return bytes;
}

interface Site {
  readonly world: World;
  readonly put: (start: string, lastWrite: string, seconds?: number) => void;
  readonly scan: () => Promise<unknown>;
}

/** A Frigate root with one camera, `lobby`. */
function site(): Site {
  const world = makeWorld({ redactor: quickRedactor({ frames: 300, fps: 5 }) });
  const ctx: RecordingsContext = {
    store: world.store,
    log: silentLog,
    roots: [{ id: 'nvr', path: world.root, layout: layoutFromConfig('frigate', { siteTimezone: 'UTC' }) }],
    quietMs: 50,
    registerCamera: (note, cameraId, label) => {
      registerFoundCamera(world.store, note, cameraId, label);
    },
  };
  world.store.db.prepare('UPDATE root SET identity = ?').run(String(statSync(world.root, { bigint: true }).ino));
  putSeenRoots(ctx);
  return {
    world,
    put: (start, lastWrite, seconds = 60) => {
      const file = join(world.root, `2026-05-31/${start.slice(0, 2)}/lobby/${start.slice(3).replace(':', '.')}.mp4`);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, video(seconds));
      const written = new Date(`2026-05-31T${lastWrite}Z`);
      utimesSync(file, written, written);
    },
    scan: () => scanRoots(ctx),
  };
}

/** Three of 60 s of video in 72 s of wall time each, then the camera is off for ten minutes, and one more that is on time. */
async function slowCamera(): Promise<World> {
  const { world, put, scan } = site();
  put('10:00:00', '10:01:12.300');
  put('10:01:12', '10:02:24.300');
  put('10:02:24', '10:03:36.000');
  put('10:13:36', '10:14:36.200');
  expect(await scan()).toMatchObject({ added: 4, quarantined: [] });
  return world;
}

const lobby = (world: World, from: string, to: string) => {
  const [camera] = coverageOf(world.ctx, ['lobby'], range(from, to)).cameras;
  if (camera === undefined) throw new Error('no camera');
  return camera;
};

describe('what is there', () => {
  test('the last twelve seconds are found, and there are no gaps between recordings that follow one another', async () => {
    const world = await slowCamera();
    const last = lobby(world, '10:01:01', '10:01:11');
    expect(last.segments.map(({ startUs, part }) => [startUs, part])).toEqual([[at('10:00:00'), 'primary']]);
    expect(last.segments[0]).toMatchObject({ endUs: at('10:01:12'), mediaEndUs: at('10:01:00') });
    expect(last.gaps).toEqual([]);
    const all = lobby(world, '10:00:00', '10:03:24');
    expect(all.segments).toHaveLength(3);
    expect(all.gaps).toEqual([]);
    expect(ranges(all.shows)).toEqual(['10:00:00Z 10:01:12Z', '10:01:12Z 10:02:24Z', '10:02:24Z 10:03:24Z']);
  });

  test('a camera that was off stays a gap, from no later than its file was written', async () => {
    const { gaps, covered } = lobby(await slowCamera(), '10:00:00', '10:15:00');
    // Of its last seconds nothing but the last write speaks, less five seconds that closing the file may have taken.
    expect(ranges(covered)).toEqual(['10:00:00Z 10:03:31Z', '10:13:36Z 10:14:36Z']);
    expect(ranges(gaps)).toEqual(['10:03:31Z 10:13:36Z', '10:14:36Z 10:15:00Z']);
  });

  test('a restart between recordings that are on time stays a gap', async () => {
    const { world, put, scan } = site();
    put('10:00:00', '10:01:00.400');
    put('10:01:12', '10:02:12.400');
    await scan();
    expect(ranges(lobby(world, '10:00:00', '10:02:12').gaps)).toEqual(['10:01:00Z 10:01:12Z']);
  });

  test('clips of motion are no longer than they are, though closed or copied late', async () => {
    const { world, put, scan } = site();
    put('10:00:00', '10:00:13', 10);
    put('10:00:40', '10:00:51', 10);
    put('10:05:00', '11:00:00', 10);
    await scan();
    expect(ranges(lobby(world, '10:00:00', '10:06:00').covered)).toEqual([
      '10:00:00Z 10:00:10Z',
      '10:00:40Z 10:00:50Z',
      '10:05:00Z 10:05:10Z',
    ]);
  });

  test('recordings that begin before the last one ended are as long as they are', async () => {
    const { world, put, scan } = site();
    put('10:00:00', '10:01:00.400');
    put('10:00:50', '10:01:50.400');
    // Within the video of the last one, and no end of it.
    put('10:01:00', '10:01:10.400', 10);
    put('10:02:02', '10:03:02', 10);
    await scan();
    expect(ranges(lobby(world, '10:00:00', '10:03:00').gaps)).toEqual(['10:01:50Z 10:02:02Z', '10:02:12Z 10:03:00Z']);
  });
});

describe('what is held and handed over', () => {
  const facts = { ground: 'reported-offence' as const, journalNumber: 'J-1', reportedOn: '2026-05-30' };
  const hold = { facts, reason: 'theft', wideReason: null, cameraIds: ['lobby'] };

  test.each([
    ['that the recording covers', '10:01:05', '10:01:08'],
    ['that it may show, though it is not said to', '10:03:33', '10:03:35'],
  ])('a hold on seconds %s keeps it, when it is planned and when it is deleted', async (_name, from, to) => {
    const world = await slowCamera();
    const { store, ctx } = world;
    world.clock.us = at('10:00:00') + 29.6 * 86_400e6;
    const held = placeHold(ctx, world.lars, { ...hold, ...range(from, to), reviewUs: world.clock.us + 86_400e6 });
    expect(held.segments).toBe(1);
    const retention = {
      store,
      log: silentLog,
      dataDir: ctx.dataDir,
      marginUs: 12 * 3600e6,
      rootPath: () => world.root,
    };
    expect(planDeletions(retention, world.clock.us)).toMatchObject({ due: 3, held: 1 });
    await applyDeletions(retention);
    const left = [...segmentsOfRoot(store.db, 'nvr')].map(({ startUs }) => formatUtc(startUs).slice(11));
    expect(left).toEqual([from < '10:02' ? '10:00:00Z' : '10:02:24Z']);
  });

  test('seconds in which the camera was off are refused, and what was deleted is said to have been there', async () => {
    const world = await slowCamera();
    const { store, ctx } = world;
    const ask = { ...hold, reviewUs: world.clock.us + 86_400e6 };
    expect(() => placeHold(ctx, world.lars, { ...ask, ...range('10:05:00', '10:06:00') })).toThrow('no footage');
    world.clock.us = at('10:00:00') + 29.6 * 86_400e6;
    await applyDeletions({
      store,
      log: silentLog,
      dataDir: ctx.dataDir,
      marginUs: 12 * 3600e6,
      rootPath: () => world.root,
    });
    expect(ranges(deletionsIn(store.db, ['lobby'], range('10:01:05', '10:01:08')))).toEqual(['10:00:00Z 10:01:12Z']);
  });

  test('a request for seconds behind the video gets the recording, with every frame that may be from then, and says so', async () => {
    const world = await slowCamera();
    const { ctx, store } = world;
    const scope = scopeFor(range('10:01:04', '10:01:10'));
    const { request, warnings } = createRequest(ctx, world.sofie, scope);
    expect(warnings.join('\n')).toMatch(/1 recordings hold less video than the time that passed/);
    await prepareRequest(ctx, world.sofie, request.id);
    const [item, ...others] = itemsOf(store.db, request.id);
    expect(others).toEqual([]);
    expect(item).toMatchObject({ startUs: at('10:00:00'), endUs: at('10:01:12') });
    // From 52 s of video on: those frames are from 10:00:52 at the earliest, and from 10:01:04 at the latest.
    expect(item?.summary).toMatchObject({ firstFrame: 52 * 5, endFrame: 300, mediaEndUs: at('10:01:00') });
    reviewRequest(ctx, world.lars, request.id, { uncertainSeen: true });
    decideRequest(ctx, world.lars, request.id, { approve: true, reason: 'needed for the case', terms: noTerms });
    const { directory } = await packageRequest(ctx, world.sofie, request.id);
    expect(await verifyPackage(directory)).toMatchObject({ ok: true });
    const manifest = parseManifest(readFileSync(join(directory, 'manifest.json'), 'utf8'));
    expect(manifest.cameras[0]).toMatchObject({ gaps: [], disclosed: { end: { us: at('10:01:12') } } });
    expect(manifest.items[0]?.original).toMatchObject({
      range: { start: { us: at('10:00:00') }, end: { us: at('10:01:12') } },
      time: { slow: { videoEnd: { us: at('10:01:00') }, latestEnd: { us: at('10:01:12') } } },
    });
  });

  test('a request for seconds that a recording may show gets it, and is told of the gap', async () => {
    const world = await slowCamera();
    const { ctx, store } = world;
    const { request, coverage } = createRequest(ctx, world.sofie, scopeFor(range('10:03:33', '10:03:35')));
    expect(ranges(coverage.cameras[0]?.gaps ?? [])).toEqual(['10:03:33Z 10:03:35Z']);
    await prepareRequest(ctx, world.sofie, request.id);
    expect(itemsOf(store.db, request.id).map(({ startUs }) => startUs)).toEqual([at('10:02:24')]);
  });

  test('pictures of its last seconds are of its last seconds, and a sheet has no hole', async () => {
    const world = await slowCamera();
    const pictures = picturesOf(world);
    const look = { actor: 'user:u-sofie' as const, purpose: 'review' };
    const still = await stillAt(pictures, look, { cameraId: 'lobby', atUs: at('10:01:08'), maxWidth: 320 });
    expect(still.segmentId).toBe(lobby(world, '10:01:08', '10:01:09').segments[0]?.id);
    const sheet = await contactSheetOf(pictures, look, {
      cameraId: 'lobby',
      range: range('10:00:00', '10:03:24'),
      count: 17,
    });
    expect(sheet.timesUs).not.toContain(null);
    expect(lookable(pictures, 'lobby', range('10:05:00', '10:06:00')).shows).toEqual([]);
    const [cut] = await cutsIn(pictures, 'lobby', range('10:01:04', '10:01:10'));
    expect(cut).toMatchObject({ problem: null, cut: { startUs: at('10:00:50'), endUs: at('10:01:00') } });
  });

  test('a search finds them too', async () => {
    const world = await slowCamera();
    const found = searchFootage(world.ctx, 'user:u-sofie', ['lobby'], range('10:01:01', '10:01:02'));
    expect(found.cameras[0]?.segments).toHaveLength(1);
  });
});
