import { existsSync, readFileSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeEach, describe, expect, test } from 'vitest';
import { contactSheetOf } from '../../src/recordings/pictures/contact-sheet.js';
import { pictureOf, prunePictures } from '../../src/recordings/pictures/cache.js';
import type { PictureContext } from '../../src/recordings/pictures/context.js';
import { stillAt } from '../../src/recordings/pictures/still.js';
import { cutsIn } from '../../src/recordings/pictures/cuts.js';
import { checkDisk } from '../../src/retention/check-disk.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { checkStore } from '../../src/store/check.js';
import { derivedOfSegment, listDerived, listPictures } from '../../src/store/derived-files.js';
import { holdRow } from '../helpers/holds.js';
import { insertHold } from '../../src/store/holds.js';
import { findById, setSegmentState } from '../../src/store/segments.js';
import { putSubstream } from '../../src/store/substreams.js';
import {
  addCamera,
  addSegment,
  filesBelow,
  makeWorld,
  noonUs,
  picturesOf,
  seconds,
  type World,
} from '../helpers/disclosure.js';
import { tempFolder } from '../helpers/site.js';
import { ffmpeg } from './make-media.js';

/** Ten frames a second, a key frame each; the frame of second n is of one grey, n times 20. */
function greys(size = '160x120', more: readonly string[] = []): string {
  const path = join(tempFolder(), 'greys.mp4');
  const lum = 'floor(T)*20+16';
  ffmpeg(
    ...['-f', 'lavfi', '-i', `color=black:size=${size}:rate=10:duration=6`, '-vf', `geq=lum='${lum}':cb=128:cr=128`],
    ...['-c:v', 'libx264', '-g', '10', '-bf', '2', '-pix_fmt', 'yuv420p', ...more, path],
  );
  return path;
}
let clip = '';
beforeEach(() => {
  clip = greys();
});
const look = { actor: 'user:u-sofie', purpose: 'identify-incident' } as const;

function site(more: Partial<PictureContext> = {}): {
  world: World;
  pictures: PictureContext;
  id: number;
  file: string;
} {
  const world = makeWorld();
  addCamera(world, 'lobby');
  const { id, file } = addSegment(world, 'lobby', noonUs, { clip, seconds: 6 });
  return { world, pictures: picturesOf(world, more), id, file };
}
const at = (world: number): { cameraId: string; atUs: number; maxWidth: number } => ({
  cameraId: 'lobby',
  atUs: noonUs + seconds(world),
  maxWidth: 1920,
});
const viewed = (world: World): unknown[] =>
  eventsOf(world.store.db, 'camera:lobby')
    .filter((event) => event.type === 'footage.viewed')
    .map(({ actor, data }) => ({ actor, ...data }));
const greyOf = async (jpeg: Buffer): Promise<number> => (await sharp(jpeg).stats()).channels[0]?.mean ?? NaN;
/** Limited range as a picture has it. */
const greyOfSecond = (second: number): number => (second * 20 * 255) / 219;
const retention = (world: World): Parameters<typeof applyDeletions>[0] => ({
  store: world.store,
  log: world.ctx.log,
  dataDir: world.dataDir,
  marginUs: 12 * 3_600_000_000,
  rootPath: () => world.root,
});
const days = (count: number): number => seconds(count * 86_400);

describe('a still', () => {
  test.each([
    [0, 0],
    [2.05, 2],
    [3.95, 4],
    [4, 4],
    [5.85, 5],
    // Behind the last frame of all: the last key frame before.
    [5.97, 5],
  ])('at %d s it is the frame of that moment', async (second, grey) => {
    const { world, pictures } = site();
    const { jpeg, segmentId } = await stillAt(pictures, look, at(second));
    expect(await sharp(jpeg).metadata()).toMatchObject({ format: 'jpeg', width: 160, height: 120 });
    expect(Math.abs((await greyOf(jpeg)) - greyOfSecond(grey))).toBeLessThan(6);
    expect(viewed(world)).toEqual([
      {
        actor: 'user:u-sofie',
        what: 'still',
        camera: 'lobby',
        startUs: at(second).atUs,
        endUs: at(second).atUs + 1,
        segments: [segmentId],
        purpose: 'identify-incident',
      },
    ]);
  });

  test('it carries no metadata, is upright with square pixels, and never larger than asked for', async () => {
    const { world, pictures } = site();
    addCamera(world, 'gate');
    addSegment(world, 'gate', noonUs, { clip: greys('704x576', ['-aspect', '16:9']), seconds: 6 });
    const { jpeg } = await stillAt(pictures, look, { cameraId: 'gate', atUs: noonUs, maxWidth: 512 });
    const { width, height, exif, icc, xmp } = await sharp(jpeg).metadata();
    expect({ width, height, exif, icc, xmp }).toEqual({ width: 512, height: 288 });
  });

  test('of several recordings of a moment it is of the best, and of a sub-stream where there is no other', async () => {
    const { world, pictures, id } = site();
    addCamera(world, 'lobby_sub');
    const sub = addSegment(world, 'lobby_sub', noonUs, { clip: greys('64x48'), seconds: 60, picture: [64, 48] });
    putSubstream(world.store.db, { streamId: 'lobby_sub', cameraId: 'lobby' });
    expect((await stillAt(pictures, look, at(1))).segmentId).toBe(id);
    expect((await stillAt(pictures, look, { ...at(1), cameraId: 'lobby_sub' })).segmentId).toBe(sub.id);
    await expect(stillAt(pictures, look, at(70))).rejects.toMatchObject({ code: 'footage-gone' });
  });

  test('the second time it is the same file, and a look of its own in the log', async () => {
    const { world, pictures, id } = site();
    const first = await stillAt(pictures, look, at(1));
    const written = statSync(join(world.dataDir, first.path)).mtimeMs;
    const again = await stillAt(pictures, { ...look, actor: 'user:u-lars' }, at(1));
    expect(again.jpeg.equals(first.jpeg)).toBe(true);
    expect(statSync(join(world.dataDir, first.path)).mtimeMs).toBe(written);
    expect(viewed(world)).toHaveLength(2);
    expect(derivedOfSegment(world.store.db, id)).toMatchObject([
      { kind: 'still', path: first.path, requestId: null, sizeBytes: first.jpeg.length },
    ]);
    expect(await checkDisk(world.store.db, { dataDir: world.dataDir, rootPath: () => world.root })).toEqual([
      expect.objectContaining({ invariant: 'I14' }),
    ]);
    expect(checkStore(world.store.db)).toEqual([]);
  });

  test('no footage, an unknown camera, a replaced and a broken file: a coded error, and nothing is left', async () => {
    const { world, pictures, file } = site();
    await expect(stillAt(pictures, look, at(60))).rejects.toMatchObject({ code: 'footage-gone' });
    await expect(stillAt(pictures, look, { ...at(1), cameraId: 'none' })).rejects.toMatchObject({ code: 'not-found' });
    addCamera(world, 'gate');
    addSegment(world, 'gate', noonUs, { seconds: 6 });
    await expect(stillAt(pictures, look, { ...at(1), cameraId: 'gate' })).rejects.toMatchObject({
      code: 'media-unreadable',
    });
    writeFileSync(file, 'somebody else');
    await expect(stillAt(pictures, look, at(1))).rejects.toMatchObject({ code: 'segment-changed' });
    // That somebody looked is in the log all the same: it was noted before anything was read.
    expect(viewed(world)).toHaveLength(1);
    expect(listDerived(world.store.db)).toEqual([]);
    expect(filesBelow(world, 'stills')).toEqual([]);
  });

  test('nothing is made where the look cannot be noted', async () => {
    const { world, pictures } = site();
    world.store.db.exec(
      `CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`,
    );
    await expect(stillAt(pictures, look, at(1))).rejects.toMatchObject({ code: 'audit-unwritable' });
    expect(listDerived(world.store.db)).toEqual([]);
    expect(filesBelow(world, 'stills')).toEqual([]);
  });
});

describe('a contact sheet', () => {
  test('one picture for each part of the range, with a cross where nothing is there', async () => {
    const { world, pictures, id } = site();
    const range = { startUs: noonUs, endUs: noonUs + seconds(8) };
    const sheet = await contactSheetOf(pictures, look, { cameraId: 'lobby', range, count: 4 });
    expect(sheet.timesUs).toEqual([1, 3, 5, null].map((second) => (second === null ? null : noonUs + seconds(second))));
    const { width, height } = await sharp(sheet.jpeg).metadata();
    expect([width, height]).toEqual([2 * 324 + 4, 2 * (240 + 24 + 4) + 4]);
    const cell = async (column: number, row: number): Promise<number> => {
      const area = { left: 4 + column * 324 + 100, top: 4 + row * 268 + 100, width: 40, height: 40 };
      return greyOf(await sharp(sheet.jpeg).extract(area).toBuffer());
    };
    for (const [index, second] of [1, 3, 5].entries()) {
      expect(Math.abs((await cell(index % 2, Math.floor(index / 2))) - greyOfSecond(second))).toBeLessThan(6);
    }
    // The caption is lighter than the page that it stands on.
    const caption = await sharp(sheet.jpeg).extract({ left: 4, top: 244, width: 320, height: 24 }).stats();
    expect(caption.channels[0]?.max).toBeGreaterThan(200);
    expect(derivedOfSegment(world.store.db, id)).toMatchObject([{ kind: 'contact-sheet' }]);
    expect(viewed(world)).toMatchObject([{ what: 'contact-sheet', ...range, segments: [id] }]);
  });

  test('a part that is shown only at its edge is shown from there', async () => {
    const { pictures } = site();
    const range = { startUs: noonUs - seconds(10), endUs: noonUs + seconds(2) };
    const { timesUs } = await contactSheetOf(pictures, look, { cameraId: 'lobby', range, count: 1 });
    expect(timesUs).toEqual([noonUs]);
  });

  test('a recording that cannot be decoded is crossed out; where none can, it is an error', async () => {
    const { world, pictures } = site();
    addSegment(world, 'lobby', noonUs + seconds(6), { seconds: 6 });
    const range = { startUs: noonUs, endUs: noonUs + seconds(12) };
    expect((await contactSheetOf(pictures, look, { cameraId: 'lobby', range, count: 2 })).timesUs).toHaveLength(2);
    const broken = { startUs: noonUs + seconds(6), endUs: noonUs + seconds(12) };
    await expect(contactSheetOf(pictures, look, { cameraId: 'lobby', range: broken, count: 2 })).rejects.toMatchObject({
      code: 'media-unreadable',
    });
  });
});

describe('pictures go with their footage', () => {
  test('what is due is not shown any more, though a picture of it is at hand; under a hold it is', async () => {
    const { world, pictures, id } = site();
    await stillAt(pictures, look, at(1));
    world.clock.us = noonUs + days(29.6);
    await expect(stillAt(pictures, look, at(1))).rejects.toMatchObject({
      code: 'footage-gone',
      remedy: 'It is due for deletion.',
    });
    const range = { startUs: noonUs, endUs: noonUs + seconds(6) };
    await expect(contactSheetOf(pictures, look, { cameraId: 'lobby', range, count: 2 })).rejects.toMatchObject({
      code: 'footage-gone',
    });
    const nowUs = world.clock.nowUs();
    insertHold(
      world.store.db,
      holdRow({ id: 'h-1', cameraIds: ['lobby'], ...range, placedUs: nowUs, reviewUs: nowUs + days(1) }),
    );
    expect((await stillAt(pictures, look, at(1))).segmentId).toBe(id);
  });

  test('a sweep removes them with the recording', async () => {
    const { world, pictures } = site();
    const { path } = await stillAt(pictures, look, at(1));
    writeFileSync(`${join(world.dataDir, path)}.partial`, 'left by a crash');
    world.store.db.prepare('UPDATE root SET identity = ?').run(String(statSync(world.root, { bigint: true }).ino));
    world.clock.us = noonUs + days(29.6);
    const swept = await applyDeletions(retention(world));
    expect(swept).toMatchObject({ refused: null, deleted: 1, derivedRemoved: 1 });
    expect(filesBelow(world, 'stills')).toEqual([]);
    expect(listDerived(world.store.db)).toEqual([]);
  });

  test('a deletion that begins while a picture is made: no picture is left, whichever comes first', async () => {
    const { world, pictures, id } = site();
    const segment = findById(world.store.db, id);
    if (segment === null) throw new Error('no segment');
    const ask = {
      kind: 'still',
      cameraId: 'lobby',
      range: { startUs: noonUs, endUs: noonUs + 1 },
      of: {},
      segments: [segment],
    } as const;
    await expect(
      pictureOf(pictures, look, ask, () => {
        setSegmentState(world.store.db, id, 'deleting');
        return Promise.resolve(Buffer.from('a picture'));
      }),
    ).rejects.toMatchObject({ code: 'footage-gone' });
    expect(filesBelow(world, 'stills')).toEqual([]);
    expect(listDerived(world.store.db)).toEqual([]);
    // Begun before: then nothing is registered either.
    await expect(pictureOf(pictures, look, ask, () => Promise.resolve(Buffer.from('x')))).rejects.toMatchObject({
      code: 'footage-gone',
    });
    setSegmentState(world.store.db, id, 'indexed');
    // Its row was removed by somebody: the picture has no right to be.
    await expect(
      pictureOf(pictures, look, ask, () => {
        world.store.db.exec('DELETE FROM derived_file');
        return Promise.resolve(Buffer.from('a picture'));
      }),
    ).rejects.toMatchObject({ code: 'conflict' });
    expect(filesBelow(world, 'stills')).toEqual([]);
  });

  test('a picture that a power cut left half is made again', async () => {
    const { world, pictures } = site();
    const { path, jpeg } = await stillAt(pictures, look, at(1));
    writeFileSync(join(world.dataDir, path), jpeg.subarray(0, 100));
    expect((await stillAt(pictures, look, at(1))).jpeg.length).toBe(jpeg.length);
    expect(readFileSync(join(world.dataDir, path)).length).toBe(jpeg.length);
  });
});

describe('pictures do not stay', () => {
  test('after their hours they go, and are not served before that sweep either', async () => {
    const { world, pictures } = site({ keepUs: seconds(3600) });
    const { path } = await stillAt(pictures, look, at(1));
    expect(prunePictures(pictures)).toBe(0);
    world.clock.us += seconds(3601);
    writeFileSync(join(world.dataDir, path), 'not made now');
    expect((await stillAt(pictures, look, at(1))).jpeg.length).toBeGreaterThan(100);
    world.clock.us += seconds(3601);
    expect(prunePictures(pictures)).toBe(1);
    expect(filesBelow(world, 'stills')).toEqual([]);
    expect(listPictures(world.store.db)).toEqual([]);
    expect(eventsOf(world.store.db, 'gateway').at(-1)).toMatchObject({ type: 'derived.removed', data: { files: 1 } });
  });

  test('the oldest go where they take too much room', async () => {
    const { world, pictures } = site();
    const first = await stillAt(pictures, look, at(1));
    world.clock.us += seconds(1);
    const second = await stillAt({ ...pictures, maxBytes: Math.round(first.jpeg.length * 1.5) }, look, at(3));
    expect(filesBelow(world, 'stills')).toEqual([second.path.slice('stills/'.length)]);
    expect(listPictures(world.store.db).map((picture) => picture.path)).toEqual([second.path]);
  });

  test('what a kill left between registering and writing, and files that no row knows', async () => {
    const { world, pictures } = site();
    const { path } = await stillAt(pictures, look, at(1));
    const full = join(world.dataDir, path);
    const stranger = `stills/${'ab'.repeat(20)}.jpg`;
    // A crash within the writing: a row that is not finished, a temporary file; and a file of a database that was restored.
    renameSync(full, `${full}.partial`);
    world.store.db.exec('UPDATE derived_file SET size_bytes = NULL');
    writeFileSync(join(world.dataDir, stranger), 'a face');
    writeFileSync(join(world.dataDir, 'stills', 'notes.txt'), 'of an administrator');
    const old = world.clock.us / 1e6 - 3600;
    utimesSync(join(world.dataDir, stranger), old, old);
    // The one that may still be at work is left in peace.
    expect(prunePictures(pictures)).toBe(1);
    expect(existsSync(`${full}.partial`)).toBe(true);
    world.clock.us += seconds(601);
    expect(prunePictures(pictures)).toBe(1);
    expect(readdirSync(join(world.dataDir, 'stills'))).toEqual(['notes.txt']);
    expect(listDerived(world.store.db)).toEqual([]);
  });
});

test('where the recordings of a range can be cut, and which does not tell', async () => {
  const { world, pictures, id } = site();
  const broken = addSegment(world, 'lobby', noonUs + seconds(6), { seconds: 6 });
  const cuts = await cutsIn(pictures, 'lobby', { startUs: noonUs + seconds(2.5), endUs: noonUs + seconds(8) });
  expect(cuts).toMatchObject([
    {
      segmentId: id,
      cut: { startUs: noonUs + seconds(2), endUs: noonUs + seconds(6) },
      keyFramesUs: [2, 3, 4, 5].map((second) => noonUs + seconds(second)),
      complete: true,
      problem: null,
    },
    { segmentId: broken.id, cut: null, keyFramesUs: [], complete: false },
  ]);
});
