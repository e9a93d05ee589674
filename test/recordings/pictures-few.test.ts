/** A contact sheet is made by few processes; and pictures of fragments, which no decoder can read alone. */
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, describe, expect, test } from 'vitest';
import { findFfmpeg } from '../../src/platform/ffmpeg-binary.js';
import { contactSheetOf } from '../../src/recordings/pictures/contact-sheet.js';
import { cutsIn } from '../../src/recordings/pictures/cuts.js';
import { stillAt } from '../../src/recordings/pictures/still.js';
import { addCamera, addSegment, filesBelow, makeWorld, noonUs, picturesOf, seconds } from '../helpers/disclosure.js';
import { tempFolder } from '../helpers/site.js';
import { ffmpeg, splitFragments } from './make-media.js';

const look = { actor: 'user:u-sofie', purpose: 'identify-incident' } as const;

/** The frames of second n have the brightness 16 + 20n; a key frame each second. */
function greys(length: number, more: readonly string[] = []): string {
  const path = join(tempFolder(), 'greys.mp4');
  const grey = `geq=lum='floor(T)*20+16':cb=128:cr=128`;
  ffmpeg(
    ...['-f', 'lavfi', '-i', `color=black:size=160x120:rate=10:duration=${length}`, '-vf', grey],
    ...['-c:v', 'libx264', '-g', '10', '-pix_fmt', 'yuv420p', ...more, path],
  );
  return path;
}

/** Of the cells of a sheet, which second it shows, by its grey; null for an empty one. */
async function secondsOn(jpeg: Buffer, count: number, columns: number): Promise<number[]> {
  const found: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const [column, row] = [index % columns, Math.floor(index / columns)];
    const area = { left: 4 + column * 324 + 100, top: 4 + row * 268 + 100, width: 40, height: 40 };
    const { channels } = await sharp(await sharp(jpeg).extract(area).toBuffer()).stats();
    found.push(Math.round(((channels[0]?.mean ?? NaN) * 219) / 255 / 20));
  }
  return found;
}

const before = process.env['TREDIVE_FFMPEG'];
afterEach(() => {
  if (before === undefined) delete process.env['TREDIVE_FFMPEG'];
  else process.env['TREDIVE_FFMPEG'] = before;
});

/** Counts how often a picture is asked of ffmpeg. */
async function counted(): Promise<() => number> {
  const { path } = await findFfmpeg();
  const folder = tempFolder();
  const script = join(folder, 'ffmpeg');
  writeFileSync(script, `#!/bin/sh\ncase "$*" in *image2pipe*) echo >> ${folder}/count;; esac\nexec ${path} "$@"\n`);
  chmodSync(script, 0o755);
  process.env['TREDIVE_FFMPEG'] = script;
  writeFileSync(join(folder, 'count'), '');
  return () => readFileSync(join(folder, 'count'), 'utf8').length;
}

test('twelve pictures of two recordings need two processes; those of a process with a broken file one each', async () => {
  const world = makeWorld();
  const pictures = picturesOf(world);
  addCamera(world, 'lobby');
  const clip = greys(6);
  for (const at of [0, 6]) addSegment(world, 'lobby', noonUs + seconds(at), { clip, seconds: 6 });
  const processes = await counted();
  const ask = { cameraId: 'lobby', range: { startUs: noonUs, endUs: noonUs + seconds(12) }, count: 12 };
  const { jpeg } = await contactSheetOf(pictures, look, ask);
  expect(processes()).toBe(2);
  expect(await secondsOn(jpeg, 12, 4)).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]);
  addSegment(world, 'lobby', noonUs + seconds(12), { seconds: 1 });
  const wider = { ...ask, range: { startUs: noonUs + seconds(10), endUs: noonUs + seconds(13) }, count: 3 };
  const sheet = await contactSheetOf(pictures, look, wider);
  expect(processes()).toBe(2 + 1 + 3);
  expect((await secondsOn(sheet.jpeg, 3, 2)).slice(0, 2)).toEqual([4, 5]);
});

describe('a fragment that shares its initialisation segment', () => {
  function site() {
    const world = makeWorld();
    addCamera(world, 'lobby');
    const whole = readFileSync(greys(6, ['-movflags', 'frag_keyframe+empty_moov+default_base_moof']));
    const { init, fragments } = splitFragments(whole);
    const folder = tempFolder();
    const clip = join(folder, 'fragment.m4s');
    writeFileSync(clip, fragments);
    const name = `${noonUs / 1e6}.m4s`;
    const { id } = addSegment(world, 'lobby', noonUs, { clip, name, seconds: 6 });
    world.store.db.prepare("UPDATE segment_kind SET container = 'fmp4', codec = 'h264'").run();
    mkdirSync(join(world.root, 'lobby'), { recursive: true });
    const initPath = join(world.root, 'lobby/init.mp4');
    writeFileSync(initPath, init);
    return { world, pictures: picturesOf(world), id, initPath };
  }
  const range = { startUs: noonUs, endUs: noonUs + seconds(6) };

  test('has stills, a contact sheet and key frames, and nothing of it is left lying', async () => {
    const { world, pictures, id } = site();
    const still = await stillAt(pictures, look, { cameraId: 'lobby', atUs: noonUs + seconds(3.2), maxWidth: 320 });
    const grey = ((await sharp(still.jpeg).stats()).channels[0]?.mean ?? NaN) * (219 / 255);
    expect(Math.round(grey / 20)).toBe(3);
    const { jpeg, timesUs } = await contactSheetOf(pictures, look, { cameraId: 'lobby', range, count: 6 });
    expect(timesUs).toHaveLength(6);
    expect(await secondsOn(jpeg, 6, 3)).toEqual([0, 1, 2, 3, 4, 5]);
    const cuts = await cutsIn(pictures, 'lobby', { startUs: noonUs + seconds(2.5), endUs: noonUs + seconds(3.5) });
    expect(cuts).toEqual([
      {
        ...{ segmentId: id, ...range, problem: null, complete: true },
        cut: { startUs: noonUs + seconds(2), endUs: noonUs + seconds(4) },
        keyFramesUs: [2, 3, 4].map((second) => noonUs + seconds(second)),
      },
    ]);
    expect(filesBelow(world, 'stills').filter((name) => !name.endsWith('.jpg'))).toEqual([]);
    expect(readdirSync(world.dataDir).filter((name) => name.startsWith('.joined'))).toEqual([]);
  });

  test.each([
    ['is not there', undefined],
    ['has 0 bytes', Buffer.alloc(0)],
    ['has 1048577 bytes', Buffer.alloc(2 ** 20 + 1)],
  ])('without one, because it %s, says so', async (why, bytes) => {
    const { pictures, initPath } = site();
    rmSync(initPath);
    if (bytes !== undefined) writeFileSync(initPath, bytes);
    const ask = { cameraId: 'lobby', atUs: noonUs, maxWidth: 320 };
    await expect(stillAt(pictures, look, ask)).rejects.toMatchObject({
      code: 'media-unreadable',
      message: expect.stringContaining(why) as string,
    });
    await expect(contactSheetOf(pictures, look, { cameraId: 'lobby', range, count: 2 })).rejects.toMatchObject({
      code: 'media-unreadable',
    });
    const [cut] = await cutsIn(pictures, 'lobby', range);
    expect(cut).toMatchObject({ cut: null, problem: expect.stringContaining('where it can be cut') as string });
  });
});
