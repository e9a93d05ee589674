import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import {
  checkFrames,
  openFrameLine,
  openFramePipe,
  type FrameCheck,
  type MaskBatch,
  type MaskOptions,
} from '../../src/platform/native.js';
import { frameBytes, noise, readNut, writeAll, writeNut, type RawVideo } from '../helpers/nut.js';
import { expectNoLeak, openFds, readToEnd, threads } from '../helpers/pipes.js';

const [width, height, count] = [160, 96, 12];
type Rect = readonly [x: number, y: number, w: number, h: number];
const rect: Rect = [40, 30, 48, 60];
const batchOf = (frames: readonly (readonly Rect[])[], more: Partial<MaskBatch> = {}): MaskBatch => ({
  counts: Uint32Array.from(frames, (rects) => rects.length),
  rects: Int32Array.from(frames.flat(2)),
  ...more,
});
const each = (frames: number, rects: readonly Rect[] = [rect], text?: string): MaskBatch =>
  batchOf(
    Array(frames).fill(rects) as Rect[][],
    text === undefined ? {} : { texts: Array(frames).fill(text) as string[] },
  );
const label = { edge: 'top', longest: 12 } as const;

/** Frames of noise as the line covers them. */
async function masked(options: MaskOptions, batch: MaskBatch): Promise<RawVideo> {
  const [input, output] = [openFramePipe(), openFramePipe()];
  const frames = Array.from({ length: count }, (_, i) => ({ pts: i, pixels: noise(frameBytes(width, height), i) }));
  const video = { width, height, timeBase: { num: 1, den: 25 }, frames };
  const fed = writeAll(input.writeFd, writeNut(video)).finally(() => {
    closeSync(input.writeFd);
  });
  const line = openFrameLine({ ...options, readFd: input.readFd });
  line.writeTo(output.writeFd);
  const out = readToEnd(output.readFd);
  while ((await line.next()) !== null);
  line.release(batch);
  await line.finish();
  await fed;
  return readNut(await out);
}

const checks: FrameCheck[] = [];
afterEach(() => {
  for (const check of checks.splice(0)) check.stop();
});
function check(video: RawVideo, options: MaskOptions, signal?: AbortSignal): FrameCheck {
  const { readFd, writeFd } = openFramePipe();
  void writeAll(writeFd, writeNut(video)).then(() => {
    closeSync(writeFd);
  });
  const started = checkFrames({ ...options, readFd }, signal);
  checks.push(started);
  return started;
}
const withFrames = (video: RawVideo, change: (frames: RawVideo['frames']) => RawVideo['frames']): RawVideo => ({
  ...video,
  frames: change(video.frames),
});

test.each(['solid', 'pixelate'] as const)(
  '%s: what was covered is found covered, fed early, late or in any groups',
  async (style) => {
    const video = await masked({ style }, each(count));
    const early = check(video, { style });
    early.expect(each(count));
    early.expectNoMore();
    expect(await early.done).toMatchObject({ frames: count, rectangles: count });

    const late = check(video, { style });
    await sleep(50);
    late.expect(each(count));
    await sleep(50);
    late.expectNoMore();
    expect((await late.done).frames).toBe(count);

    const bitByBit = check(video, { style });
    bitByBit.expect({ ...each(3, []), drop: true });
    for (const group of [1, 5, 2, 4]) {
      bitByBit.expect(each(group));
      bitByBit.expect({ ...each(group), drop: true });
      await sleep(5);
    }
    bitByBit.expectNoMore();
    expect(await bitByBit.done).toMatchObject({ frames: count, rectangles: count });
  },
);

test.each([
  ['a surplus frame', (frames: RawVideo['frames']) => [...frames, ...frames.slice(-1)], /more frames/],
  ['a missing frame', (frames: RawVideo['frames']) => frames.slice(0, -1), /only 11 of/],
  ['no frame', () => [], /only 0 of/],
  [
    'one frame as it was',
    (frames: RawVideo['frames']) =>
      frames.map((frame, i) => (i === 7 ? { ...frame, pixels: noise(frameBytes(width, height), 7) } : frame)),
    /frame 7: the rectangle 48x60 at 40,30/,
  ],
])('%s is found out', async (_what, change, why) => {
  const video = withFrames(await masked({ style: 'solid' }, each(count)), change);
  const proof = check(video, { style: 'solid' });
  proof.expect(each(count));
  proof.expectNoMore();
  await expect(proof.done).rejects.toMatchObject({ code: 'verification-failed' });
  await expect(proof.done).rejects.toThrow(why);
});

test.each(['solid', 'pixelate'] as const)(
  '%s: a rectangle elsewhere, larger, or one more is found out in its frame',
  async (style) => {
    const video = await masked({ style }, each(count));
    for (const rects of [[[90, 30, 48, 60]], [[20, 10, 100, 80]], [rect, [100, 4, 40, 24]]] as const) {
      const proof = check(video, { style });
      proof.expect(each(4));
      proof.expect(each(1, rects));
      proof.expect(each(count - 5));
      // Told at once, not only at the end.
      await expect(proof.done).rejects.toThrow(/frame 4: the rectangle/);
    }
  },
);

test('a fill of another kind, noise in a covered place and a colour that stays are found out', async () => {
  const plain = await masked({ style: 'solid' }, each(count));
  const spoil = (change: (pixels: Uint8Array) => void): RawVideo =>
    withFrames(plain, (frames) =>
      frames.map((frame) => {
        const pixels = Uint8Array.from(frame.pixels);
        change(pixels);
        return { ...frame, pixels };
      }),
    );
  const area = (pixels: Uint8Array, value: (x: number, y: number) => number): void => {
    for (let y = 50; y < 66; y += 1) for (let x = 56; x < 72; x += 1) pixels[y * width + x] = value(x, y);
  };
  const chroma = (pixels: Uint8Array): void => {
    for (let y = 25; y < 33; y += 1)
      pixels.fill(190, width * height + (y * width) / 2 + 28, width * height + (y * width) / 2 + 36);
  };
  for (const change of [
    (pixels: Uint8Array) => {
      area(pixels, () => 90);
    },
    (pixels: Uint8Array) => {
      area(pixels, (x, y) => (x * 31 + y * 57) % 256);
    },
    chroma,
  ]) {
    const proof = check(spoil(change), { style: 'solid' });
    proof.expect(each(count));
    await expect(proof.done).rejects.toThrow(/frame 0: the rectangle/);
  }
});

test('a label that is missing, or says something else, is found out', async () => {
  const options = { style: 'solid', label } as const;
  const video = await masked(options, each(count, [rect], 'COPY 7'));
  const right = check(video, options);
  right.expect(each(count, [rect], 'COPY 7'));
  right.expectNoMore();
  expect(await right.done).toMatchObject({ frames: count });
  const other = check(video, options);
  other.expect(each(count, [rect], 'AN OTHER ONE'));
  await expect(other.done).rejects.toThrow(/frame 0: the label/);
  const bare = check(await masked({ style: 'solid' }, each(count)), options);
  bare.expect(each(count, [rect], 'COPY 7'));
  await expect(bare.done).rejects.toThrow(/frame 0: the label/);
});

test('a mask under the label is not asked for, but beside it', async () => {
  const options = { style: 'solid', label } as const;
  const tall: Rect = [40, 0, 48, 90];
  const video = await masked(options, each(count, [tall], 'COPY 7'));
  const proof = check(video, options);
  proof.expect(each(count, [tall], 'COPY 7'));
  proof.expectNoMore();
  expect(await proof.done).toMatchObject({ rectangles: count });
});

test('a stream that breaks off is a failure of whoever decodes, not of the copy', async () => {
  const bytes = writeNut(await masked({ style: 'solid' }, each(count)));
  const { readFd, writeFd } = openFramePipe();
  void writeAll(writeFd, bytes.subarray(0, bytes.length - 1000)).then(() => {
    closeSync(writeFd);
  });
  const proof = checkFrames({ readFd, style: 'solid' });
  proof.expect(each(count));
  await expect(proof.done).rejects.toMatchObject({ code: 'ffmpeg-failed' });
});

test('stopped while it waits for frames or for masks, it leaves nothing behind', async () => {
  const video = await masked({ style: 'solid' }, each(count));
  await sleep(100);
  const [fdsBefore, threadsBefore] = [openFds(), threads()];
  for (let i = 0; i < 12; i += 1) {
    const stop = new AbortController();
    const silent = openFramePipe();
    const waiting =
      i % 2 === 0
        ? checkFrames({ readFd: silent.readFd, style: 'solid' }, stop.signal)
        : check(video, { style: 'solid' }, stop.signal);
    if (i % 2 === 1) closeSync(silent.readFd);
    if (i % 3 === 0) waiting.expect(each(3));
    await sleep(i);
    if (i % 4 > 1) stop.abort();
    else waiting.stop();
    await expect(waiting.done).rejects.toMatchObject({ code: 'interrupted' });
    waiting.expect(each(3));
    waiting.expectNoMore();
    waiting.stop();
    closeSync(silent.writeFd);
  }
  await expectNoLeak(fdsBefore, threadsBefore);
});

test('masks that do not fit together are refused', () => {
  const { readFd, writeFd } = openFramePipe();
  const proof = checkFrames({ readFd, style: 'solid' });
  for (const wrong of [{ counts: Uint32Array.from([2]) }, { rects: Int32Array.from([1]) }, { texts: [] }]) {
    expect(() => {
      proof.expect({ ...each(1), ...wrong });
    }).toThrow();
  }
  proof.stop();
  closeSync(writeFd);
});
