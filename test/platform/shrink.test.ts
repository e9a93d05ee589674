import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { native } from '../../src/platform/native.js';

const { path: ffmpeg } = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string };

const run = (args: string[], input?: Buffer): Buffer =>
  execFileSync(ffmpeg, ['-v', 'error', ...args, '-frames:v', '1', '-f', 'rawvideo', '-'], {
    maxBuffer: 1 << 26,
    ...(input === undefined ? {} : { input }),
  });

test.each([
  [1920, 1080, 576, 320, 'bt709', 'tv'],
  [768, 576, 512, 384, 'bt601', 'tv'],
  [642, 358, 576, 320, 'bt601', 'pc'],
  [320, 240, 576, 320, 'bt709', 'pc'],
] as const)('%i x %i as %i x %i RGB (%s, %s) is what swscale makes of it', (w, h, toW, toH, matrix, range) => {
  // Edges, ramps and colours.
  const picture = run(['-f', 'lavfi', '-i', `testsrc2=s=${w}x${h}:d=0.1:r=10`, '-pix_fmt', 'yuv420p']);
  const rgb = native().shrinkToRgb(picture, w, h, toW, toH, matrix, range === 'pc');
  const flags = toW > w ? 'bilinear' : 'area';
  const scale = `scale=${toW}:${toH}:flags=${flags}+accurate_rnd+full_chroma_int:in_color_matrix=${matrix}:in_range=${range}`;
  const raw = ['-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', `${w}x${h}`, '-i', '-'];
  const expected = run([...raw, '-vf', scale, '-pix_fmt', 'gbrp'], picture);
  const count = toW * toH;
  expect(expected.length).toBe(3 * count);
  // G, B, R there; R, G, B here.
  for (const [plane, theirs] of [2, 0, 1].entries()) {
    let difference = 0;
    for (let i = 0; i < count; i++) {
      difference += Math.abs((rgb[plane * count + i] ?? 0) - (expected[theirs * count + i] ?? 0));
    }
    expect(difference / count).toBeLessThan(2.5);
  }
});

test('values stay in 0..255', () => {
  const picture = Uint8Array.from({ length: 64 * 64 * 1.5 }, (_, i) => (i * 77) % 256);
  const rgb = native().shrinkToRgb(picture, 64, 64, 40, 40, 'bt601', false);
  expect(Math.min(...rgb)).toBe(0);
  expect(Math.max(...rgb)).toBe(255);
});

test('sizes that do not fit are refused', () => {
  const picture = new Uint8Array(64 * 64 * 1.5);
  for (const [w, h, toW, toH] of [
    [64, 62, 32, 32],
    [0, 64, 32, 32],
    [64, 64, 0, 32],
    [64, 64, 32, 70000],
  ] as const) {
    expect(() => native().shrinkToRgb(picture, w, h, toW, toH, 'bt601', false)).toThrow(
      expect.objectContaining({ code: 'usage' }) as Error,
    );
  }
});
