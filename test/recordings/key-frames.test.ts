import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.js';
import { cutOf, keyFramesOf } from '../../src/recordings/key-frames/index.js';
import { readKeyFrames } from '../../src/recordings/key-frames/read.js';
import { makeCollector } from '../../src/recordings/key-frames/collect.js';
import { probeHere } from '../../src/recordings/probe-here.js';
import { findKeyFrames, putKeyFrames } from '../../src/store/key-frames.js';
import { findById, removeSegment } from '../../src/store/segments.js';
import { embeddedFfmpeg } from '../helpers/clip.js';
import { addCamera, addSegment, makeWorld, noonUs, picturesOf } from '../helpers/disclosure.js';
import { footagePath, withoutFootage } from '../helpers/footage.js';
import { tempFolder } from '../helpers/site.js';
import { ffmpeg, make, recipes, type Recipe } from './make-media.js';

/** What a decoder says: microseconds to every key frame, from the first frame or from where MP4 says that the time begins. */
function decoded(path: string): number[] {
  const { stderr } = spawnSync(
    embeddedFfmpeg(),
    ['-nostdin', '-i', path, '-map', '0:V:0', '-vf', 'showinfo', '-f', 'null', '-'],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  const frames = [...stderr.matchAll(/ pts_time:(\S+) .*? iskey:([01]) /g)];
  const first = /\.(mp4|mov)$/.test(path) ? 0 : Number(frames[0]?.[1]);
  return frames.filter(([, , key]) => key === '1').map(([, at]) => (Number(at) - first) * 1e6);
}

async function read(path: string): ReturnType<typeof readKeyFrames> {
  const probe = await probeHere(path);
  if (!probe.ok) throw new Error(`${path}: ${probe.detail}`);
  const { container, codec, durationUs } = probe;
  return readKeyFrames(path, { startUs: 0, endUs: durationUs, container, codec, sizeBytes: statSync(path).size });
}

const near = (got: readonly number[], wanted: readonly number[], tolerance = 1500): void => {
  expect(got.length, `${got.join()} for ${wanted.join()}`).toBe(wanted.length);
  got.forEach((us, index) => {
    expect(Math.abs(us - (wanted[index] ?? NaN))).toBeLessThanOrEqual(tolerance);
  });
};

describe('every container: the very frames that a decoder calls key frames', () => {
  const names = (Object.keys(recipes) as Recipe[]).filter((name) => name !== 'sound-only.mp4');
  test.each(names)('%s', async (name) => {
    const path = make(tempFolder(), name);
    const wanted = decoded(path);
    expect(wanted.length).toBeGreaterThan(0);
    near((await read(path)).offsetsUs, wanted);
  });

  test('a recorder that was killed: Matroska without its table, AVI without its index', async () => {
    const folder = tempFolder();
    const whole = make(folder, 'plain.mkv');
    const bytes = readFileSync(whole);
    const cues = bytes.lastIndexOf(Buffer.from([0x1c, 0x53, 0xbb, 0x6b]));
    const live = join(folder, 'live.mkv');
    writeFileSync(live, bytes.subarray(0, cues));
    const found = await read(live);
    near(found.offsetsUs, decoded(whole));
    expect(found.complete).toBe(true);

    const avi = make(folder, 'h264-sound.avi');
    const cut = join(folder, 'cut.avi');
    const aviBytes = readFileSync(avi);
    writeFileSync(cut, aviBytes.subarray(0, aviBytes.lastIndexOf('idx1', undefined, 'latin1')));
    near((await read(cut)).offsetsUs, decoded(avi));
  });

  test('a recording that was cut tells of what is left', async () => {
    const folder = tempFolder();
    const whole = make(folder, 'fragments.mp4');
    const all = decoded(whole);
    const part = join(folder, 'part.mp4');
    const bytes = readFileSync(whole);
    writeFileSync(part, bytes.subarray(0, Math.floor(bytes.length / 2)));
    const { offsetsUs } = await read(part);
    expect(offsetsUs.length).toBeGreaterThan(1);
    near(offsetsUs, all.slice(0, offsetsUs.length));
  });
});

describe('hostile files', () => {
  const segmentOf = (path: string, container: string): Parameters<typeof readKeyFrames>[1] => ({
    startUs: 0,
    endUs: 6_000_000,
    container,
    codec: 'h264',
    sizeBytes: statSync(path).size,
  });

  /** Writes `value` into a box of a file, `at` bytes behind the name of the box. */
  function edited(name: Recipe, box: string, changes: Record<number, number>): string {
    const path = make(tempFolder(), name);
    const bytes = readFileSync(path);
    const start = bytes.indexOf(box, 0, 'latin1') + 4;
    for (const [at, value] of Object.entries(changes)) bytes.writeUInt32BE(value, start + Number(at));
    writeFileSync(path, bytes);
    return path;
  }

  test.each([
    ['2^31 entries in the table of key frames', 'plain.mp4', 'stss', { 4: 2 ** 31 }],
    ['2^32 - 1 entries in the table of times', 'plain.mp4', 'stts', { 4: 2 ** 32 - 1 }],
    ['2^31 entries in the shifts', 'bframes.mp4', 'ctts', { 4: 2 ** 31 }],
    ['2^31 samples in a fragment', 'fragments.mp4', 'trun', { 4: 2 ** 31 }],
  ] as const)('%s are refused', async (_what, name, box, changes) => {
    const path = edited(name, box, changes);
    await expect(readKeyFrames(path, segmentOf(path, 'mp4'))).rejects.toMatchObject({ code: 'media-unreadable' });
  });

  test('2^31 samples of one length, all of them key frames: counted as far as there are bytes, and thinned', async () => {
    // No table of key frames, sizes of one byte each, and one run of times.
    const path = edited('plain.mp4', 'stss', {});
    const bytes = readFileSync(path);
    bytes.write('free', bytes.indexOf('stss', 0, 'latin1'), 'latin1');
    const stsz = bytes.indexOf('stsz', 0, 'latin1') + 4;
    bytes.writeUInt32BE(1, stsz + 4);
    bytes.writeUInt32BE(2 ** 31, stsz + 8);
    const stts = bytes.indexOf('stts', 0, 'latin1') + 4;
    bytes.writeUInt32BE(2 ** 31, stts + 8);
    writeFileSync(path, bytes);
    const { offsetsUs } = await readKeyFrames(path, segmentOf(path, 'mp4'));
    expect(offsetsUs.length).toBeLessThanOrEqual(2 ** 17);
  });

  test('whatever bytes: an answer or a coded error, and never more key frames than the limit', async () => {
    const folder = tempFolder();
    const sources = (['plain.mp4', 'fragments.mp4', 'plain.mkv', 'plain.ts', 'h264-sound.avi'] as const).map(
      (name) => ({
        bytes: readFileSync(make(folder, name)),
        container: name.slice(name.lastIndexOf('.') + 1),
      }),
    );
    const path = join(folder, 'fuzzed');
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...sources), edits, fc.nat(), async ({ bytes, container }, changes, cut) => {
        const changed = Buffer.from(bytes);
        // Most of them where headers and tables are: at both ends.
        for (const [at, value] of changes) {
          const place =
            at % 2 === 0
              ? at % Math.min(4096, changed.length)
              : changed.length - 1 - (at % Math.min(8192, changed.length));
          changed[place] = value;
        }
        writeFileSync(path, changed.subarray(0, cut % 4 === 0 ? cut % changed.length : changed.length));
        if (statSync(path).size === 0) return;
        try {
          const { offsetsUs } = await readKeyFrames(path, segmentOf(path, container), {
            bytes: 2 ** 26,
            reads: 20_000,
            ms: 2_000,
          });
          expect(offsetsUs.length).toBeLessThanOrEqual(2 ** 17);
          expect(offsetsUs.every((us, index) => us >= 0 && us < 6_000_000 && us > (offsetsUs[index - 1] ?? -1))).toBe(
            true,
          );
        } catch (error) {
          expect(error).toMatchObject({ code: 'media-unreadable' });
        }
      }),
      { numRuns: 300 },
    );
  });
});

test('the collector keeps what is spread evenly, and says that there is more', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 12 }), (runs) => {
      const collect = makeCollector(16);
      let at = 0;
      const all: number[] = [];
      for (const count of runs) {
        collect.addRun(at * 10, 10, count);
        for (let index = 0; index < count; index += 1) all.push((at + index) * 10);
        at += count;
      }
      const { offsetsUs, complete } = collect.keyFrames();
      expect(offsetsUs.length).toBeLessThanOrEqual(16);
      const step = all.length === 0 ? 1 : 2 ** Math.max(0, Math.ceil(Math.log2(all.length / 16)));
      expect(offsetsUs).toEqual(all.filter((_, index) => index % step === 0));
      expect(complete).toBe(step === 1);
    }),
  );
});

test('a cut reaches from key frame to key frame, and to the ends of the recording', () => {
  const segment = { startUs: 1000, endUs: 2000 };
  const keys = { offsetsUs: [0, 300, 600], complete: true };
  expect(cutOf(segment, keys, { startUs: 1350, endUs: 1500 })).toEqual({ startUs: 1300, endUs: 1600 });
  expect(cutOf(segment, keys, { startUs: 1300, endUs: 1600 })).toEqual({ startUs: 1300, endUs: 1600 });
  expect(cutOf(segment, keys, { startUs: 900, endUs: 1700 })).toEqual({ startUs: 1000, endUs: 2000 });
  expect(cutOf(segment, keys, { startUs: 2000, endUs: 2100 })).toBeNull();
});

test('they are read once, kept with the segment, and go with it', async () => {
  const world = makeWorld();
  const { db } = world.store;
  addCamera(world, 'lobby');
  const clip = join(tempFolder(), 'clip.mp4');
  ffmpeg(...recipes['plain.mp4'], clip);
  const { id, file } = addSegment(world, 'lobby', noonUs, { clip, seconds: 6 });
  const segment = findById(db, id);
  if (segment === null) throw new Error('no segment');
  const first = await keyFramesOf(picturesOf(world), segment);
  expect(first.offsetsUs).toEqual([0, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000]);
  expect(findKeyFrames(db, segment)).toEqual(first);
  // Not read again: what lies there now would say something else, and fail.
  writeFileSync(file, 'x');
  expect(await keyFramesOf(picturesOf(world), segment)).toEqual(first);
  // Of another file there is nothing: the segment was indexed anew.
  const again = { ...segment, mtimeUs: segment.mtimeUs + 1 };
  expect(findKeyFrames(db, again)).toBeNull();
  await expect(keyFramesOf(picturesOf(world), again)).rejects.toMatchObject({ code: 'segment-changed' });
  putKeyFrames(db, again, first);
  expect(findKeyFrames(db, again)).toBeNull();
  removeSegment(db, id);
  expect(db.prepare('SELECT count(*) FROM key_frames').pluck().get()).toBe(0);
});

test('a file that does not tell says so, from the thread that read it, and nothing is kept of it', async () => {
  const world = makeWorld();
  addCamera(world, 'lobby');
  const clip = join(tempFolder(), 'clip.mp4');
  writeFileSync(clip, Buffer.alloc(4096, 7));
  const segment = findById(world.store.db, addSegment(world, 'lobby', noonUs, { clip }).id);
  if (segment === null) throw new Error('no segment');
  const error: unknown = await keyFramesOf(picturesOf(world), segment).catch((failure: unknown) => failure);
  if (!(error instanceof GatewayError)) throw new Error('it is not of the closed list');
  expect(error.code).toBe('media-unreadable');
  expect(error.message).toMatch(/does not tell where it can be cut/);
  expect(error.remedy).toMatch(/decoded from its start/);
  expect(findKeyFrames(world.store.db, segment)).toBeNull();
});

test('offsets of hours and of nothing are kept as they are', () => {
  const world = makeWorld();
  addCamera(world, 'lobby');
  const segment = findById(world.store.db, addSegment(world, 'lobby', noonUs).id);
  if (segment === null) throw new Error('no segment');
  for (const offsetsUs of [[], [0], [0, 127, 128, 16_384, 2 ** 31, 2 ** 40, 2 ** 40 + 1]]) {
    putKeyFrames(world.store.db, segment, { offsetsUs, complete: offsetsUs.length > 1 });
    expect(findKeyFrames(world.store.db, segment)).toEqual({ offsetsUs, complete: offsetsUs.length > 1 });
  }
});

describe.skipIf(withoutFootage('key frames of real recordings', 'recordings-small'))('real recordings', () => {
  test.each(['lobby', 'yard', 'parking'])('%s', async (camera) => {
    const { readdirSync } = await import('node:fs');
    const folder = footagePath('recordings-small', camera);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(mp4|mkv|ts|avi)$/.test(name),
    );
    expect(files.length).toBeGreaterThan(0);
    for (const name of files.slice(0, 2)) near((await read(join(folder, name))).offsetsUs, decoded(join(folder, name)));
  });
});
