import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { maskEveryone, type Box, type RedactionPlan } from '../../src/domain/redaction-plan.js';
import { renderPlan, type CopyWanted } from '../../src/redaction/conveyor.js';
import { withOutput } from '../../src/redaction/output-claim.js';
import type { FrameRange } from '../../src/redaction/range.js';
import { bothBinaries, ffmpeg, look, lumaFrames, makeClip, packetTimes, type Seen } from '../helpers/clips.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-render-'));
const clip = (name: string): string => join(place, name);
const binaries = await bothBinaries();

interface Kind {
  readonly name: string;
  readonly file: string;
  readonly frames: number;
  readonly size: readonly [number, number];
  readonly make: (path: string) => Promise<unknown>;
}

const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];
/** Keeps frames at uneven distances, with their times. */
const uneven = [
  '-vf',
  "select='not(mod(n,3))+not(mod(n,7))',noise=alls=20:allf=t",
  '-vsync',
  '0',
  '-enc_time_base',
  '-1',
];

const kinds: Kind[] = [
  {
    name: 'constant rate with B-frames and sound',
    file: 'cfr.mp4',
    frames: 50,
    size: [320, 240],
    make: (path) =>
      ffmpeg(
        '-f',
        'lavfi',
        '-i',
        'testsrc2=s=320x240:r=25:d=2',
        '-f',
        'lavfi',
        '-i',
        'sine=d=2',
        '-c:v',
        'libx264',
        '-bf',
        '3',
        '-c:a',
        'aac',
        '-metadata',
        'title=secret',
        '-metadata',
        'location=+55.6761+012.5683/',
        path,
      ),
  },
  {
    name: 'variable rate',
    file: 'vfr.mp4',
    frames: 44,
    size: [320, 240],
    make: (path) =>
      makeClip(path, 'testsrc2=s=320x240:r=25:d=4', ...uneven, ...x264, '-video_track_timescale', '90000'),
  },
  {
    name: 'variable rate in Matroska (milliseconds)',
    file: 'vfr.mkv',
    frames: 44,
    size: [320, 240],
    make: (path) => makeClip(path, 'testsrc2=s=320x240:r=30000/1001:d=3.336', ...uneven, ...x264),
  },
  {
    name: 'odd size',
    file: 'odd.mkv',
    frames: 10,
    size: [321, 241],
    make: (path) =>
      makeClip(path, 'testsrc=s=321x241:r=10:d=1', '-c:v', 'libx264', '-pix_fmt', 'yuv444p', '-profile:v', 'high444'),
  },
  {
    name: 'rotated',
    file: 'rotated.mp4',
    frames: 25,
    size: [240, 320],
    make: async (path) => {
      await makeClip(clip('upright.mp4'), 'testsrc2=s=320x240:r=25:d=1', ...x264);
      await ffmpeg('-i', clip('upright.mp4'), '-c', 'copy', '-metadata:s:v', 'rotate=90', path);
    },
  },
  {
    name: '10-bit HEVC',
    file: 'hevc.mp4',
    frames: 25,
    size: [320, 240],
    make: (path) =>
      makeClip(
        path,
        'testsrc2=s=320x240:r=25:d=1',
        '-c:v',
        'libx265',
        '-preset',
        'ultrafast',
        '-pix_fmt',
        'yuv420p10le',
        '-x265-params',
        'log-level=none',
      ),
  },
  {
    name: 'MJPEG in AVI, full range',
    file: 'mjpeg.avi',
    frames: 15,
    size: [320, 240],
    make: (path) => makeClip(path, 'testsrc2=s=320x240:r=15:d=1', '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p'),
  },
  {
    name: 'MPEG-TS with a start offset',
    file: 'offset.ts',
    frames: 25,
    size: [320, 240],
    make: (path) => makeClip(path, 'testsrc2=s=320x240:r=25:d=1', ...x264, '-output_ts_offset', '1234.5'),
  },
  {
    name: 'a single frame',
    file: 'one.mp4',
    frames: 1,
    size: [320, 240],
    make: (path) => makeClip(path, 'testsrc2=s=320x240:r=25', '-frames:v', '1', ...x264),
  },
  {
    name: 'a picture smaller than any mask',
    file: 'tiny.mkv',
    frames: 10,
    size: [34, 18],
    make: (path) => makeClip(path, 'testsrc2=s=34x18:r=10:d=1', ...x264),
  },
];

const planFor = (
  width: number,
  height: number,
  frameCount: number,
  boxesOf: (frame: number) => Box[],
): RedactionPlan => ({
  version: 2,
  width,
  height,
  frameCount,
  tracks: [],
  zones: [],
  decisions: {
    ...maskEveryone,
    drawn: Array.from({ length: frameCount }, (_unused, frame) =>
      boxesOf(frame).map((box) => ({ fromFrame: frame, toFrame: frame + 1, box })),
    ).flat(),
  },
});

interface Job {
  readonly file: string;
  readonly source: Seen;
  readonly plan: RedactionPlan;
  readonly range?: FrameRange;
  readonly label?: CopyWanted['label'];
  readonly style?: 'pixelate';
  readonly signal?: AbortSignal;
}

const render = ({ file, source, plan, range, label, style, signal }: Job) =>
  withOutput(clip('masked.mp4'), (claim) =>
    renderPlan(
      clip(file),
      { plan, timeBase: source.timeBase, pts: source.pts },
      range ?? { firstFrame: 0, endFrame: source.pts.length },
      { claim, style: style ?? 'solid', label },
      { signal },
    ),
  );

const moving = (frame: number): Box[] => [
  { x: 20 + frame * 2.5, y: 31, w: 60.5, h: 120 },
  { x: 200, y: 190 - frame, w: 200, h: 90 },
];

function meanOf(frame: Buffer, stride: number, { x, y, w, h }: Box): number {
  let sum = 0;
  for (let row = y; row < y + h; row += 1)
    for (let column = x; column < x + w; column += 1) sum += frame[row * stride + column] ?? 0;
  return sum / (w * h);
}

beforeAll(async () => {
  for (const { file, make } of kinds) await make(clip(file));
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

/** Only the sources are left: no copy, no partial file. */
const expectNothingLeft = (): void => {
  expect(readdirSync(place).filter((name) => name.includes('masked'))).toEqual([]);
};

describe.each(binaries)('with ffmpeg %s', (_version, binary) => {
  beforeAll(() => {
    process.env['TREDIVE_FFMPEG'] = binary;
  });
  afterAll(() => {
    delete process.env['TREDIVE_FFMPEG'];
  });
  afterEach(() => {
    for (const name of readdirSync(place)) if (name.includes('masked')) rmSync(join(place, name));
  });

  test.each(kinds.map((kind) => [kind.name, kind] as const))('%s', async (_name, { file, frames, size }) => {
    const source = await look(clip(file));
    const [width, height] = size;
    expect([source.width, source.height, source.pts.length]).toEqual([width, height, frames]);
    const plan = planFor(width, height, frames, moving);
    const output = clip('masked.mp4');
    const result = await render({ file, plan, source });
    expect(result).toMatchObject({ frames, damaged: false });
    expect(readdirSync(place).filter((name) => name.includes('masked'))).toEqual(['masked.mp4']);

    const { num, den } = source.timeBase;
    const first = source.pts[0] ?? 0;
    const expected = source.pts.map((pts) => ((pts - first) * num) / den);
    const times = await packetTimes(output);
    expect(times).toHaveLength(frames);
    times.forEach((time, frame) => {
      expect(time).toBeCloseTo(expected[frame] ?? -1, 6);
    });
    // And the source's own packets, read by somebody else, have the same rhythm.
    if (!file.endsWith('.avi')) {
      const original = await packetTimes(clip(file));
      expect(original).toHaveLength(frames);
      // Container times are rounded to milliseconds in Matroska.
      times.forEach((time, frame) => {
        expect(time).toBeCloseTo((original[frame] ?? -1) - (original[0] ?? 0), file.endsWith('.mkv') ? 2 : 4);
      });
    }

    const [evenWidth, evenHeight] = [width + (width % 2), height + (height % 2)];
    const lumas = await lumaFrames(output, evenWidth, evenHeight);
    const before = await lumaFrames(clip(file), width, height);
    expect(lumas).toHaveLength(frames);
    if (width < 100) return;
    for (const [frame, luma] of lumas.entries()) {
      expect(
        Math.abs(meanOf(luma, evenWidth, { x: 24 + Math.ceil(frame * 2.5), y: 36, w: 50, h: 100 }) - 24),
      ).toBeLessThan(3);
      // Outside of the masks the picture is still there.
      const corner = { x: 0, y: 0, w: 18, h: 28 };
      const difference = meanOf(luma, evenWidth, corner) - meanOf(before[frame] ?? luma, width, corner);
      expect(Math.abs(difference)).toBeLessThan(file.endsWith('.avi') ? 20 : 6);
    }
  });

  test('a range is cut exactly, and begins at 0', async () => {
    const source = await look(clip('vfr.mp4'));
    const plan = planFor(320, 240, 44, moving);
    const output = clip('masked.mp4');
    const range = { firstFrame: 7, endFrame: 30 };
    const result = await render({ file: 'vfr.mp4', plan, source, range });
    expect(result).toMatchObject({ frames: 23, damaged: false });
    const original = (await packetTimes(clip('vfr.mp4'))).slice(7, 30);
    const times = await packetTimes(output);
    expect(times).toHaveLength(23);
    times.forEach((time, i) => {
      expect(time).toBeCloseTo((original[i] ?? -1) - (original[0] ?? 0), 5);
    });
  });

  test('the copy carries neither tags, nor sound, nor the name of an encoder', async () => {
    const source = await look(clip('cfr.mp4'));
    const output = clip('masked.mp4');
    await render({ file: 'cfr.mp4', plan: planFor(320, 240, 50, moving), source });
    const bytes = readFileSync(output).toString('latin1');
    expect(readFileSync(clip('cfr.mp4')).toString('latin1')).toMatch(/secret/);
    for (const word of ['secret', '55.6761', 'Lavf', 'Lavc', 'x264', 'soun', 'elst']) expect(bytes).not.toContain(word);
  });

  test('pixelation and a label', async () => {
    const source = await look(clip('cfr.mp4'));
    const output = clip('masked.mp4');
    const result = await render({
      file: 'cfr.mp4',
      plan: planFor(320, 240, 50, () => [{ x: 40, y: 60, w: 100, h: 150 }]),
      source,
      style: 'pixelate',
      label: { camera: 'Gård 7 – æøå', timeZone: 'Europe/Copenhagen' },
    });
    expect(result.rectanglesProved).toBe(50);
    const strips = (await lumaFrames(output, 320, 240)).map((luma) => luma.subarray(0, 320 * 10));
    const differing = (one: number, other: number): number =>
      (strips[one] ?? Buffer.alloc(0)).filter((luma, i) => Math.abs(luma - (strips[other]?.[i] ?? 0)) > 80).length;
    // Light letters on a dark strip, which change when the second does.
    expect(strips[3]?.filter((luma) => luma > 150).length).toBeGreaterThan(200);
    expect(differing(3, 22)).toBe(0);
    expect(differing(3, 40)).toBeGreaterThan(4);
  });

  test('a plan for other times or another number of frames is refused', async () => {
    const source = await look(clip('vfr.mp4'));
    const withTimes = (pts: readonly number[], timeBase = source.timeBase): Promise<unknown> =>
      render({ file: 'vfr.mp4', plan: planFor(320, 240, pts.length, moving), source: { ...source, pts, timeBase } });
    const [shifted, longer] = [[...source.pts], [...source.pts, (source.pts.at(-1) ?? 0) + 3600]];
    shifted[20] = (shifted[20] ?? 0) + 1;
    for (const pts of [shifted, source.pts.slice(0, -1), longer]) {
      await expect(withTimes(pts)).rejects.toMatchObject({ code: 'verification-failed' });
      await expect(withTimes(pts)).rejects.toThrow(/is not what was analysed/);
    }
    await expect(withTimes(source.pts, { num: 1, den: 1000 })).rejects.toThrow(/its clock counts/);
    expectNothingLeft();
  });

  test('an abort leaves no file', async () => {
    const source = await look(clip('cfr.mp4'));
    const stop = new AbortController();
    const rendering = render({
      file: 'cfr.mp4',
      plan: planFor(320, 240, 50, moving),
      source,
      signal: stop.signal,
    });
    setTimeout(() => {
      stop.abort();
    }, 60);
    await expect(rendering).rejects.toMatchObject({ code: 'interrupted' });
    expectNothingLeft();
  });
});
