/** What a recorder counts in its files: kept with the segments, and told where it breaks off. */
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { registerFoundCamera } from '../../src/cameras/register-found.js';
import { coverageOf } from '../../src/disclosure/coverage.js';
import { decideRequest } from '../../src/disclosure/decide.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { parseManifest } from '../../src/domain/manifest.js';
import { discontinuitiesIn } from '../../src/domain/recorder-numbers.js';
import { verifyPackage } from '../../src/evidence/verify.js';
import { silentLog } from '../../src/platform/log.js';
import type { RecordingsContext } from '../../src/recordings/context.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { putSeenRoots } from '../../src/recordings/roots.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { numberOf } from '../../src/store/segment-numbers.js';
import { removeSegment, segmentsOfRoot } from '../../src/store/segments.js';
import { makeWorld, noTerms, quickRedactor, scopeFor, type World } from '../helpers/disclosure.js';
import { tempFolder } from '../helpers/site.js';
import { make, withRecorderClock } from '../recordings/make-media.js';

const at = (clock: string): number => Date.parse(`2026-05-31T${clock}Z`) * 1000;
const day = { startUs: at('10:00:00'), endUs: at('11:00:00') };
const [first, second] = ['a1'.repeat(16), 'b2'.repeat(16)];

interface Site {
  readonly world: World;
  /** A file of six seconds, written last when the next one would begin, or as said. */
  readonly put: (start: string, stream: string, number: number, lastWrite?: string) => string;
  readonly scan: () => Promise<unknown>;
}

function site(): Site {
  const world = makeWorld({ redactor: quickRedactor({ frames: 60, fps: 10 }) });
  const layout = layoutFromConfig({ name: 'mediamtx', timezone: 'UTC' }, { siteTimezone: 'UTC' });
  const ctx: RecordingsContext = {
    store: world.store,
    log: silentLog,
    roots: [{ id: 'nvr', path: world.root, layout }],
    quietMs: 50,
    registerCamera: (note, cameraId, label) => {
      registerFoundCamera(world.store, note, cameraId, label);
    },
  };
  world.store.db.prepare('UPDATE root SET identity = ?').run(String(statSync(world.root, { bigint: true }).ino));
  putSeenRoots(ctx);
  mkdirSync(join(world.root, 'lobby'));
  const plain = readFileSync(make(tempFolder(), 'fragments.mp4'));
  return {
    world,
    put: (start, stream, number, lastWrite) => {
      const file = join(world.root, `lobby/2026-05-31_${start.replaceAll(':', '-')}-000000.mp4`);
      writeFileSync(file, withRecorderClock(plain, at(start), { stream, number: BigInt(number) }));
      const written = new Date((lastWrite === undefined ? at(start) + 6.1e6 : at(lastWrite)) / 1000);
      utimesSync(file, written, written);
      return file;
    },
    scan: () => scanRoots(ctx),
  };
}

const lobby = (world: World) => coverageOf(world.ctx, ['lobby'], day).cameras[0];

test('is kept with the segment, follows its file, and goes with it', async () => {
  const { world, put, scan } = site();
  const { db } = world.store;
  put('10:00:00', first, 5);
  expect(await scan()).toMatchObject({ added: 1, quarantined: [] });
  const id = [...segmentsOfRoot(db, 'nvr')][0]?.id ?? 0;
  expect(numberOf(db, id)).toEqual({ stream: first, number: 5 });
  put('10:00:00', second, 6, '10:00:07');
  await scan();
  expect(numberOf(db, id)).toEqual({ stream: second, number: 6 });
  put('10:00:00', '00'.repeat(16), 0, '10:00:08');
  await scan();
  expect(numberOf(db, id)).toBeNull();
  put('10:00:00', first, 7, '10:00:09');
  await scan();
  removeSegment(db, id);
  expect(db.prepare('SELECT count(*) FROM segment_number').pluck().get()).toBe(0);
});

test('a segment that is not there any more is told of, and a stream that was connected anew', async () => {
  const { world, put, scan } = site();
  put('10:00:00', first, 0);
  put('10:00:06', first, 1);
  const gone = [put('10:00:12', first, 2), put('10:00:18', first, 3)];
  put('10:00:24', first, 4);
  put('10:00:40', second, 0);
  put('10:00:46', second, 1);
  await scan();
  const anew = { streamId: 'lobby', kind: 'new-stream', lost: null, fromUs: at('10:00:30'), untilUs: at('10:00:40') };
  expect(lobby(world)?.breaks).toEqual([anew]);
  for (const file of gone) rmSync(file);
  await scan();
  const lost = { streamId: 'lobby', kind: 'segments-lost', lost: 2, fromUs: at('10:00:12'), untilUs: at('10:00:24') };
  expect(lobby(world)?.breaks).toEqual([lost, anew]);
  const { warnings } = createRequest(world.ctx, world.sofie, scopeFor(day));
  expect(warnings.join('\n')).toMatch(/made 2 more segments between .*\n.*connected anew 1 times/);
});

test('numbers that follow one another prove that a copied archive of a slow camera has no gap', async () => {
  const { world, put, scan } = site();
  const copied = '12:00:00';
  put('10:00:00', first, 0, copied);
  put('10:00:08', first, 1, copied);
  put('10:00:16', first, 3, copied);
  put('10:00:24', second, 4, copied);
  await scan();
  const gaps = lobby(world)?.gaps.filter((gap) => gap.startUs >= day.startUs && gap.startUs < at('10:00:24'));
  expect(gaps?.map(({ startUs, endUs }) => [startUs, endUs])).toEqual([
    [at('10:00:14'), at('10:00:16')],
    [at('10:00:22'), at('10:00:24')],
  ]);
});

test('stands in the manifest with each original that has one', async () => {
  const { world, put, scan } = site();
  const { ctx, sofie, lars } = world;
  put('10:00:00', first, 3);
  put('10:00:06', '00'.repeat(16), 0);
  await scan();
  const { request } = createRequest(ctx, sofie, scopeFor({ startUs: at('10:00:00'), endUs: at('10:00:12') }));
  await prepareRequest(ctx, sofie, request.id);
  reviewRequest(ctx, lars, request.id, { uncertainSeen: true });
  decideRequest(ctx, lars, request.id, { approve: true, reason: 'needed for the case', terms: noTerms });
  const { directory } = await packageRequest(ctx, sofie, request.id);
  expect(await verifyPackage(directory)).toMatchObject({ ok: true });
  const { items } = parseManifest(readFileSync(join(directory, 'manifest.json'), 'utf8'));
  expect(items.map(({ original }) => original.counted ?? null)).toEqual([{ stream: first, number: 3 }, null]);
});

test('copies, files in the wrong order and files without a number are no break', () => {
  const numbered = (startUs: number, number: number | null, stream = first) => ({
    ...{ startUs, endUs: startUs + 5 },
    number: number === null ? null : { stream, number },
  });
  expect(discontinuitiesIn([numbered(0, 1), numbered(0, 1), numbered(5, null), numbered(10, 2)])).toEqual([]);
  expect(discontinuitiesIn([numbered(0, 2), numbered(1, 1)])).toEqual([]);
  expect(discontinuitiesIn([numbered(0, 1), numbered(9, 1, second)])).toEqual([
    { kind: 'new-stream', lost: null, fromUs: 5, untilUs: 9 },
  ]);
});
