/** Frames are what they are said to be: each frame of the clip has a grey of its own, which tells when it is from. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { grabFrame, grabFrames, type FrameRequest } from '../../src/platform/ffmpeg-frame.js';
import { tempFolder } from '../helpers/site.js';
import { ffmpeg } from '../recordings/make-media.js';

const fps = 10;

/** Six seconds, a key frame every two, with B-frames; frame n has the brightness 16 + 3n. */
function clip(kind: 'mp4' | 'mkv' | 'ts', size = '64x48'): string {
  const path = join(tempFolder(), `greys.${kind}`);
  const grey = `geq=lum='16+floor(T*${fps}+0.5)*3':cb=128:cr=128`;
  ffmpeg(
    ...['-f', 'lavfi', '-i', `color=black:size=${size}:rate=${fps}:duration=6`, '-vf', grey],
    ...['-c:v', 'libx264', '-qp', '1', '-g', '20', '-bf', '2', '-pix_fmt', 'yuv420p', path],
  );
  return path;
}

const ask = (input: string, atS: number, keyFrame: boolean): FrameRequest => ({
  ...{ input, atS, keyFrame, maxWidth: 64, maxHeight: 48 },
});

/** Which frame it is, by its grey; stretched from limited to full range. */
const frameOf = ({ rgb }: { readonly rgb: Uint8Array }): number =>
  Math.round(((rgb[rgb.length >> 1] ?? NaN) * 219) / 255 / 3);

test.each(['mp4', 'mkv'] as const)('a frame of %s is from the time that it says', async (kind) => {
  const path = clip(kind);
  for (const [atS, keyFrame, expected] of [
    [0, true, 0],
    [1.9, true, 0],
    [2.25, true, 20],
    [3.9, true, 20],
    [4.3, true, 40],
    [0, false, 0],
    [1.23, false, 13],
    [3.1, false, 31],
    [5.9, false, 59],
  ] as const) {
    const frame = await grabFrame(ask(path, atS, keyFrame));
    if (frame === null) throw new Error(`no frame at ${atS}`);
    expect([atS, frameOf(frame)]).toEqual([atS, expected]);
    expect(Math.abs(frame.atS - expected / fps)).toBeLessThan(0.5 / fps);
  }
  expect(await grabFrame(ask(path, 7, false))).toBeNull();
});

test('many at once are the very same as one by one, and what has none is told apart from what has', async () => {
  const [mp4, mkv, ts, wide] = [clip('mp4'), clip('mkv'), clip('ts'), clip('mp4', '160x48')];
  const requests = [
    ...[ask(mp4, 2.25, true), ask(mkv, 5.3, false), ask(mp4, 9, false), ask(ts, 4.2, true)],
    ...[ask(wide, 3.1, false), ask(mp4, 2.25, true)],
  ];
  const together = await grabFrames(requests);
  const alone = await Promise.all(requests.map((request) => grabFrame(request)));
  expect(together).toEqual(alone);
  expect(together.map((frame) => frame === null)).toEqual([false, false, true, false, false, false]);
  expect(together[4]).toMatchObject({ width: 64, height: 18 });
});

test('one file that is none is the end of all of them, and a stop is one', async () => {
  const path = clip('mp4');
  const broken = join(tempFolder(), 'broken.mp4');
  writeFileSync(broken, 'no video at all, '.repeat(500));
  await expect(grabFrames([ask(path, 1, false), ask(broken, 0, false)])).rejects.toMatchObject({
    code: 'media-unreadable',
  });
  await expect(grabFrames([ask(path, 1, false)], AbortSignal.abort())).rejects.toMatchObject({ code: 'interrupted' });
});
