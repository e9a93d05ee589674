import { closeSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import {
  native,
  openFrameLine,
  openFramePipe,
  type FrameLine,
  type MaskBatch,
  type MaskOptions,
} from '../../src/platform/native.js';
import { frameBytes, noise, readNut, writeAll, writeNut, type RawFrame, type RawVideo } from '../helpers/nut.js';
import { readToEnd } from '../helpers/pipes.js';

const timeBase = { num: 1, den: 1000 };
const videoOf = (width: number, height: number, pts: readonly number[]): RawVideo => ({
  ...{ width, height, timeBase },
  frames: pts.map((one, i) => ({ pts: one, pixels: noise(frameBytes(width, height), i) })),
});
const evenly = (count: number): number[] => Array.from({ length: count }, (_, i) => i * 40);

type Rect = readonly [x: number, y: number, w: number, h: number];
const batchOf = (frames: readonly (readonly Rect[])[], more: Partial<MaskBatch> = {}): MaskBatch => ({
  counts: Uint32Array.from(frames, (rects) => rects.length),
  rects: Int32Array.from(frames.flat(2)),
  ...more,
});
const bare = (count: number): MaskBatch => batchOf(Array.from({ length: count }, () => []));
const dropped = (count: number): MaskBatch => ({ ...bare(count), drop: true });

/** The picture with rectangles filled: in the chroma planes whatever they touch. */
function covered({ width, height }: RawVideo, pixels: Uint8Array, rects: readonly Rect[]): Buffer {
  const copy = Buffer.from(pixels);
  const [halfWidth, halfHeight] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  for (const [x, y, w, h] of rects) {
    const [left, top, right, bottom] = [
      Math.max(0, x),
      Math.max(0, y),
      Math.min(width, x + w),
      Math.min(height, y + h),
    ];
    for (let row = top; row < bottom; row += 1) {
      for (let column = left; column < right; column += 1) {
        copy[row * width + column] = 24;
        const at = width * height + (row >> 1) * halfWidth + (column >> 1);
        copy[at] = copy[at + halfWidth * halfHeight] = 128;
      }
    }
  }
  return copy;
}

interface Running {
  readonly line: FrameLine;
  readonly fed: Promise<boolean>;
}
function feed(video: RawVideo, options: MaskOptions = { style: 'solid' }, pieceBytes?: number): Running {
  const { readFd, writeFd } = openFramePipe();
  const fed = writeAll(writeFd, writeNut(video), pieceBytes).finally(() => {
    closeSync(writeFd);
  });
  const line = openFrameLine({ ...options, readFd });
  opened.push(line);
  return { line, fed };
}

/** A failed test must not leave others waiting for a pipe that nobody reads. */
const opened: FrameLine[] = [];
afterEach(() => {
  for (const line of opened.splice(0)) line.close();
});

/** Bytes of the frames that this process keeps in anonymous memory. */
const storedBytes = (): number =>
  readdirSync('/proc/self/fd').reduce((sum, fd) => {
    try {
      const path = `/proc/self/fd/${fd}`;
      return sum + (readlinkSync(path).includes('tredive frames') ? statSync(path).size : 0);
    } catch {
      return sum; // the folder's own handle
    }
  }, 0);

test('whatever the order of reading, looking and releasing: the covered frames come out, each at its time', async () => {
  const rect = fc.tuple(fc.integer({ min: -9, max: 40 }), fc.integer({ min: -9, max: 40 }), fc.nat(30), fc.nat(30));
  const run = fc.record({
    size: fc.constantFrom([16, 10] as const, [17, 9] as const, [320, 240] as const),
    // 0 is a time stamp that does not grow, and one of -3 goes back.
    steps: fc.array(fc.integer({ min: -3, max: 60 }), { maxLength: 24 }),
    rects: fc.array(fc.array(rect, { maxLength: 3 }), { minLength: 25, maxLength: 25 }),
    drops: fc.tuple(fc.nat(12), fc.nat(12)),
    groups: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
    looks: fc.array(fc.constantFrom('rgb', 'small', 'both', null), { minLength: 1, maxLength: 6 }),
    pieceBytes: fc.constantFrom(1 << 20, 5000),
    isSlow: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(run, async ({ size, steps, rects, drops, groups, looks, pieceBytes, isSlow }) => {
      const [width, height] = size;
      const pts = [5000, ...steps].map((_step, i, all) => all.slice(0, i + 1).reduce((sum, one) => sum + one, 0));
      const video = videoOf(width, height, pts);
      const count = pts.length;
      const firstKept = Math.min(drops[0], count);
      const endKept = Math.max(firstKept, count - drops[1]);
      for (const before of opened.splice(0)) before.close();
      const { line, fed } = feed(video, { style: 'solid' }, pieceBytes);
      const sink = openFramePipe();
      const out = readToEnd(sink.readFd, isSlow ? { pieceBytes: 20_000, pauseMs: 1 } : {});
      line.writeTo(sink.writeFd);
      expect(await line.header()).toEqual({ width, height, timeBase });

      const grown: number[] = [];
      let [released, group] = [0, 0];
      const release = (until: number): void => {
        while (released < until) {
          const isKept = released >= firstKept && released < endKept;
          const border = released < firstKept ? firstKept : isKept ? endKept : count;
          const end = Math.min(until, border, released + (groups[group++ % groups.length] ?? 1));
          const masks = rects.slice(released, end);
          line.release(isKept ? batchOf(masks) : { ...batchOf(masks), drop: true });
          released = end;
        }
      };
      for (let frame = await line.next(); frame !== null; frame = await line.next()) {
        expect(frame.index).toBe(grown.length);
        grown.push(frame.pts);
        const looked = looks[frame.index % looks.length];
        const rgb =
          looked === 'rgb' || looked === 'both' ? { pixels: new Float32Array(36), width: 4, height: 3 } : null;
        const small =
          looked === 'small' || looked === 'both' ? { pixels: new Uint8Array(27), width: 5, height: 3 } : null;
        if (looked !== null) await line.look({ rgb, small, matrix: 'bt601' });
        // Nothing, all but the latest one, or all: in groups of the sizes above.
        if (grown.length % 3 !== 0) release(grown.length - (frame.index % 2));
      }
      release(count);
      const frames = await line.finish();
      line.close();
      const seen = readNut(await out);
      await fed;

      // What does not grow comes a tick later.
      const expectedPts = pts.reduce<number[]>(
        (all, one, i) => [...all, i === 0 ? one : Math.max(one, (all[i - 1] ?? 0) + 1)],
        [],
      );
      expect(grown).toEqual(expectedPts);
      expect(frames).toBe(endKept - firstKept);
      expect({ ...seen, frames: 0 }).toEqual({ ...{ width, height, timeBase }, frames: 0 });
      const origin = expectedPts[firstKept] ?? 0;
      const wanted = expectedPts.slice(firstKept, endKept).map((one) => one - origin);
      expect(seen.frames.map((frame) => frame.pts)).toEqual(wanted);
      for (const [i, frame] of seen.frames.entries()) {
        const at = firstKept + i;
        const expected = covered(video, video.frames[at]?.pixels ?? new Uint8Array(), rects[at] ?? []);
        expect([at, expected.equals(frame.pixels)]).toEqual([at, true]);
      }
    }),
    { numRuns: 60, seed: 3 },
  );
}, 120_000);

test('frames wait in memory for their masks as long as it takes, and come out as they went in', async () => {
  const video = videoOf(64, 36, evenly(100));
  const { line, fed } = feed(video);
  const sink = openFramePipe();
  const out = readToEnd(sink.readFd);
  line.writeTo(sink.writeFd);
  let frames = 0;
  while ((await line.next()) !== null) frames += 1;
  expect(frames).toBe(100);
  // All but the one in hand.
  expect(storedBytes()).toBe(99 * frameBytes(64, 36));
  line.release(bare(100));
  expect(await line.finish()).toBe(100);
  expect(await fed).toBe(true);
  const seen = readNut(await out);
  expect(seen.frames.map(({ pts }) => pts)).toEqual(evenly(100));
  seen.frames.forEach((frame, i) => {
    expect([i, Buffer.from(video.frames[i]?.pixels ?? []).equals(frame.pixels)]).toEqual([i, true]);
  });
  await vanished(() => storedBytes() === 0);
});

/** Waits for what threads do by themselves; the limit is only for a failure. */
async function vanished(isGone: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !isGone(); i += 1) await sleep(20);
  expect(isGone()).toBe(true);
}

test.each([
  ['known at once', 0],
  ['known five frames later', 5],
])('nothing grows while the encoder does not read: masks %s', async (_when, lag) => {
  const size = frameBytes(640, 360);
  const pixels = noise(size, 7);
  const video: RawVideo = {
    ...{ width: 640, height: 360, timeBase },
    frames: evenly(80).map((pts) => ({ pts, pixels })),
  };
  const { line, fed } = feed(video);
  const sink = openFramePipe();
  line.writeTo(sink.writeFd);
  let told = 0;
  const reading = (async () => {
    while ((await line.next()) !== null) {
      told += 1;
      if (told > lag) line.release(bare(1));
    }
    line.release(bare(lag));
    return line.finish();
  })();
  for (let before = -1; before !== told;) {
    before = told;
    await sleep(400);
  }
  // In the pipe, in buffers, and in line for the encoder.
  expect(told).toBeGreaterThan(5);
  expect(told).toBeLessThan(25 + lag);
  expect(storedBytes()).toBeLessThanOrEqual((lag === 0 ? 0 : 20 + lag) * size);
  const out = readToEnd(sink.readFd);
  expect(await reading).toBe(80);
  expect(storedBytes()).toBeLessThanOrEqual((lag === 0 ? 0 : 20 + lag) * size);
  expect(readNut(await out).frames).toHaveLength(80);
  await fed;
  line.close();
});

test('a look at the frame in hand is the shrunk picture, and does not change it', async () => {
  const video = videoOf(64, 48, evenly(3));
  const { line } = feed(video);
  const sink = openFramePipe();
  const out = readToEnd(sink.readFd);
  line.writeTo(sink.writeFd);
  for (let frame = await line.next(), i = 0; frame !== null; frame = await line.next(), i += 1) {
    for (const matrix of ['bt601', 'bt709'] as const) {
      const rgb = { pixels: new Float32Array(3 * 20 * 16), width: 20, height: 16 };
      const small = { pixels: new Uint8Array(frameBytes(32, 24)), width: 32, height: 24 };
      await Promise.all([line.look({ rgb, small: null, matrix }), line.look({ rgb: null, small, matrix })]);
      const { pixels } = video.frames[i] as RawFrame;
      expect(rgb.pixels).toEqual(native().shrinkToRgb(pixels, 64, 48, 20, 16, matrix, false));
      // Half the size: the mean of four.
      const mean = (at: number): number =>
        [at, at + 1, at + 64, at + 65].reduce((sum, one) => sum + (pixels[one] ?? 0), 0) / 4;
      for (const [x, y] of [
        [0, 0],
        [31, 23],
        [7, 11],
      ] as const) {
        expect(Math.abs((small.pixels[y * 32 + x] ?? -99) - mean(2 * y * 64 + 2 * x))).toBeLessThanOrEqual(1);
      }
    }
    line.release(bare(1));
  }
  // The last one stays in hand.
  await line.look({ rgb: null, small: { pixels: new Uint8Array(6), width: 2, height: 2 }, matrix: 'bt601' });
  await line.finish();
  const seen = readNut(await out);
  expect(seen.frames.map(({ pixels }) => Buffer.from(pixels))).toEqual(
    video.frames.map(({ pixels }) => Buffer.from(pixels)),
  );
});

test('a label is written into each frame, and other letters are another picture', async () => {
  const video = videoOf(160, 48, evenly(3));
  const { line } = feed(video, { style: 'pixelate', label: { edge: 'bottom', longest: 8 } });
  const sink = openFramePipe();
  const out = readToEnd(sink.readFd);
  line.writeTo(sink.writeFd);
  while ((await line.next()) !== null);
  line.release(batchOf([[], [], []], { texts: ['COPY 1', 'COPY 1', 'COPY 2'] }));
  await line.finish();
  const { frames } = readNut(await out);
  const stripOf = (frame: number): Buffer => Buffer.from(frames[frame]?.pixels.subarray(160 * 36, 160 * 48) ?? []);
  expect(stripOf(0).equals(stripOf(1))).toBe(true);
  expect(stripOf(0).equals(stripOf(2))).toBe(false);
  expect(new Set(stripOf(0)).size).toBe(2);
  frames.forEach((frame, i) => {
    const [above, expected] = [frame.pixels, video.frames[i]?.pixels].map((all) =>
      Buffer.from(all?.subarray(0, 160 * 30) ?? []),
    );
    expect(above?.equals(expected ?? Buffer.alloc(0))).toBe(true);
  });
});

test('two lines at once do not meet', async () => {
  const run = async (width: number, style: 'solid' | 'pixelate'): Promise<[RawVideo, RawVideo]> => {
    const video = videoOf(width, 40, evenly(50));
    const { line } = feed(video, { style });
    const sink = openFramePipe();
    const out = readToEnd(sink.readFd);
    line.writeTo(sink.writeFd);
    while ((await line.next()) !== null);
    line.release(bare(50));
    await line.finish();
    return [video, readNut(await out)];
  };
  for (const [video, seen] of await Promise.all([run(60, 'solid'), run(62, 'pixelate'), run(64, 'solid')])) {
    expect(seen.frames).toHaveLength(50);
    seen.frames.forEach(({ pixels }, i) => {
      expect(Buffer.from(pixels).equals(Buffer.from(video.frames[i]?.pixels ?? []))).toBe(true);
    });
  }
});

test('without anywhere to write, frames are only told of, and nothing is kept', async () => {
  const { line, fed } = feed(videoOf(64, 36, evenly(60)));
  let frames = 0;
  while ((await line.next()) !== null) frames += 1;
  expect([frames, storedBytes(), await fed]).toEqual([60, 0, true]);
  expect(await line.finish()).toBe(0);
});

test('a part is finished although the footage goes on', async () => {
  const { line, fed } = feed(videoOf(320, 240, evenly(60)));
  const sink = openFramePipe();
  const out = readToEnd(sink.readFd);
  line.writeTo(sink.writeFd);
  for (let i = 0; i < 10; i += 1) await line.next();
  line.release(dropped(4));
  line.release(bare(6));
  expect(await line.finish()).toBe(6);
  expect(readNut(await out).frames.map(({ pts }) => pts)).toEqual([0, 40, 80, 120, 160, 200]);
  // Whoever writes the rest learns that nobody reads it.
  expect(await fed).toBe(false);
});

test('closed while the encoder has not taken everything, a line does not call itself finished', async () => {
  const video = videoOf(640, 480, evenly(6));
  for (let round = 0; round < 10; round += 1) {
    const { line } = feed(video);
    const sink = openFramePipe();
    line.writeTo(sink.writeFd);
    while ((await line.next()) !== null);
    line.release(bare(6));
    const finished = line.finish();
    await sleep(5);
    line.close();
    await expect(finished).rejects.toMatchObject({ code: 'interrupted' });
    closeSync(sink.readFd);
  }
});

test('no frame at all is a stream without frames, not an error', async () => {
  const { line } = feed(videoOf(16, 10, []));
  const sink = openFramePipe();
  const out = readToEnd(sink.readFd);
  line.writeTo(sink.writeFd);
  expect(await line.next()).toBeNull();
  expect(await line.finish()).toBe(0);
  expect(readNut(await out).frames).toEqual([]);
});
