/**
 * What recorders write, from a drawn scene with people: each format ends as a copy with the same pictures at the same times,
 * upright, in the colours of the source outside of the masks, and with the people covered. Measured on the pixels of the copy by
 * a plain ffmpeg, never by the code under test.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { drawScene, type FigureBox } from '../../samples/scene.js';
import { maskEveryone } from '../../src/domain/redaction-plan.js';
import { findFfmpeg } from '../../src/platform/ffmpeg.js';
import { readCopyShape } from '../../src/redaction/mp4-shape.js';
import { defaultRedaction, redactFile } from '../../src/redaction/redact.js';
import { bothBinaries, ffmpeg } from '../helpers/clips.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-formats-'));
const at = (name: string): string => join(place, name);
// Interlaced 4:2:0 needs a height that is a multiple of 4.
const [width, height, count] = [480, 272, 20];
const truth: FigureBox[][] = [];

beforeAll(() => {
  const pictures: Buffer[] = [];
  for (const { rgb, figures } of drawScene({ place: 'lobby', width, height, fps: 10, seconds: count / 10 })) {
    pictures.push(Buffer.from(rgb));
    truth.push(figures);
  }
  writeFileSync(at('scene.rgb'), Buffer.concat(pictures));
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

/** The scene as an input, at another rate where asked. */
const scene = (rate = 10): string[] => [
  ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-r', `${rate}`, '-i', at('scene.rgb')],
];
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '12'];
const x265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none:crf=12'];
const x265Full = [...x265.slice(0, -1), 'log-level=none:crf=12:range=full'];
const yuv = ['-pix_fmt', 'yuv420p'];
const keepTimes = ['-vsync', '0', '-enc_time_base', '1:1000'];
/** Fields of one frame are of two pictures, so there are half as many frames. */
const fields = (first: 'top' | 'bottom'): string[] => [
  ...['-vf', `tinterlace=mode=interleave_${first},setfield=${first === 'top' ? 'tff' : 'bff'}`],
  ...['-flags', '+ildct+ilme'],
];

interface Format {
  readonly file: string;
  /** After the scene; or a function where it takes more than one step. */
  readonly make: readonly string[] | ((path: string) => Promise<void>);
  readonly rate?: number;
  readonly frames?: number;
  /** Upright; the scene's where left out. */
  readonly size?: readonly [number, number];
  /** Which of the scene's pictures a frame shows. */
  readonly pictureOf?: (frame: number) => number;
  /** Makes of the source what the copy should show. */
  readonly reference?: string;
  /** Nobody could be recognised in it, so nobody is looked for. */
  readonly noPeople?: true;
  /** Tags of the copy: matrix, primaries, transfer. */
  readonly colors?: string;
}

const turned = (degrees: number, transpose: string): ((path: string) => Promise<void>) => {
  return async (path) => {
    await ffmpeg(...scene(), '-vf', transpose, ...x264, ...yuv, at('lying.mp4'));
    await ffmpeg('-i', at('lying.mp4'), '-c', 'copy', '-metadata:s:v', `rotate=${degrees}`, path);
  };
};

const formats: Record<string, Format> = {
  'H.264 of 8 bits': { file: 'plain.mp4', make: [...x264, ...yuv] },
  'H.264 of 10 bits': { file: 'ten.mp4', make: [...x264, '-pix_fmt', 'yuv420p10le'] },
  'H.264 4:2:2': { file: '422.mp4', make: [...x264, '-pix_fmt', 'yuv422p'] },
  'H.264 4:4:4 of an odd size': {
    file: 'odd.mkv',
    make: ['-vf', 'crop=479:271:0:0:exact=1', ...x264, '-pix_fmt', 'yuv444p'],
    size: [479, 271],
    reference: 'pad=480:272',
  },
  'HEVC of 8 bits': { file: 'hevc.mp4', make: [...x265, ...yuv] },
  'HEVC of 10 bits in Matroska': { file: 'hevc10.mkv', make: [...x265, '-pix_fmt', 'yuv420p10le'] },
  'turned by 90 degrees': { file: 'turned90.mp4', make: turned(90, 'transpose=1') },
  'turned by 180 degrees': { file: 'turned180.mp4', make: turned(180, 'hflip,vflip') },
  'turned by 270 degrees': { file: 'turned270.mov', make: turned(270, 'transpose=2') },
  'interlaced H.264, top field first': {
    file: 'tff.mp4',
    make: [...fields('top'), ...x264, ...yuv, '-x264opts', 'tff=1'],
    frames: 10,
    pictureOf: (frame) => 2 * frame,
    reference: 'yadif=deint=all',
  },
  'interlaced H.264, bottom field first': {
    file: 'bff.mkv',
    make: [...fields('bottom'), ...x264, ...yuv, '-x264opts', 'bff=1'],
    frames: 10,
    pictureOf: (frame) => 2 * frame,
    reference: 'yadif=deint=all',
  },
  'interlaced MPEG-2 in a transport stream': {
    file: 'mpeg2.ts',
    make: [...fields('top'), '-r', '25', '-c:v', 'mpeg2video', '-q:v', '2', ...yuv, '-top', '1'],
    rate: 50,
    frames: 10,
    pictureOf: (frame) => 2 * frame,
    reference: 'yadif=deint=all',
  },
  'a variable rate with gaps of minutes': {
    file: 'gaps.mkv',
    make: [
      '-vf',
      `settb=1/1000,setpts='(N*0.07+0.01*mod(N,3)+if(gt(N,9),400,0)+if(gt(N,15),1000,0))/TB'`,
      ...keepTimes,
      ...x264,
      ...yuv,
    ],
  },
  'pictures of the same time': {
    file: 'doubled.mkv',
    make: ['-vf', `setpts='floor(N/2)*0.2/TB'`, '-vsync', 'passthrough', ...x264, '-bf', '0', ...yuv],
  },
  'MJPEG in AVI': {
    file: 'mjpeg.avi',
    make: ['-c:v', 'mjpeg', '-q:v', '2', '-pix_fmt', 'yuvj420p'],
    reference: 'scale=in_range=pc:out_range=tv',
    colors: 'bt470bg/unknown/unknown',
  },
  'MJPEG 4:2:2 in QuickTime': {
    file: 'mjpeg.mov',
    make: ['-c:v', 'mjpeg', '-q:v', '2', '-pix_fmt', 'yuvj422p'],
    reference: 'scale=in_range=pc:out_range=tv',
    colors: 'bt470bg/unknown/unknown',
  },
  'a transport stream whose times begin late and wrap': {
    file: 'wrap.ts',
    make: [...x264, ...yuv, '-output_ts_offset', '95441.5'],
  },
  'B-frames with an edit list': { file: 'edit.mp4', make: [...x264, '-bf', '3', '-b_strategy', '0', ...yuv] },
  'an edit list that hides the beginning': {
    file: 'hidden.mp4',
    make: async (path) => {
      await ffmpeg(...scene(), ...x264, '-bf', '2', '-g', '5', ...yuv, at('whole.mp4'));
      await ffmpeg('-ss', '0.7', '-i', at('whole.mp4'), '-c', 'copy', path);
    },
    frames: 13,
    pictureOf: (frame) => frame + 7,
  },
  'full range': {
    file: 'full.mp4',
    make: [...x264, '-pix_fmt', 'yuvj420p'],
    reference: 'scale=in_range=pc:out_range=tv',
  },
  'full range of 10 bits': {
    file: 'full10.mp4',
    make: ['-vf', 'scale=out_range=pc', ...x265Full, '-pix_fmt', 'yuv420p10le', '-color_range', 'pc'],
    reference: 'scale=in_range=pc:out_range=tv',
  },
  'colours of HD': {
    file: 'bt709.mkv',
    make: [
      ...['-vf', 'scale=out_color_matrix=bt709', ...x264, ...yuv],
      ...['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'],
    ],
    colors: 'bt709',
  },
  'colours of PAL in FLV': {
    file: 'bt601.flv',
    make: [
      ...['-vf', 'scale=out_color_matrix=bt601', ...x264, ...yuv],
      ...['-colorspace', 'smpte170m', '-color_primaries', 'bt470bg', '-color_trc', 'smpte170m'],
    ],
    colors: 'smpte170m/bt470bg/smpte170m',
  },
  'a size that changes': {
    file: 'sizes.ts',
    make: async (path) => {
      const half = ['-frames:v', String(count / 2)];
      await ffmpeg(...scene(), ...x264, ...yuv, ...half, at('large.h264'));
      await ffmpeg('-ss', '1', ...scene(), '-vf', 'scale=240:136', ...x264, ...yuv, at('small.h264'));
      writeFileSync(at('both.h264'), Buffer.concat([readFileSync(at('large.h264')), readFileSync(at('small.h264'))]));
      await ffmpeg('-f', 'h264', '-r', '10', '-i', at('both.h264'), '-c', 'copy', path);
    },
    reference: `scale=${width}:${height}:flags=bilinear`,
  },
  'one picture': { file: 'one.mp4', make: [...x264, ...yuv, '-frames:v', '1'], frames: 1 },
  'two pictures': { file: 'two.mkv', make: [...x264, ...yuv, '-frames:v', '2'], frames: 2 },
  '5 pictures a second': { file: 'five.mp4', make: [...x264, ...yuv], rate: 5 },
  '60 pictures a second': { file: 'sixty.ts', make: [...x264, '-bf', '2', ...yuv], rate: 60 },
  'one picture a second': { file: 'lapse.avi', make: [...x264, '-bf', '0', ...yuv], rate: 1 },
  '16x16 pixels': {
    file: 'tiny.mp4',
    make: ['-vf', 'scale=16:16', ...x264, ...yuv],
    size: [16, 16],
    noPeople: true,
  },
  'pixels that are not square': { file: 'pal.mp4', make: ['-vf', 'setsar=16/15', ...x264, ...yuv] },
};

interface Picture {
  readonly luma: Buffer;
  readonly chroma: Buffer;
}

/** As a plain ffmpeg decodes it, each frame once. */
async function decode(path: string, w: number, h: number, filter = 'null'): Promise<Picture[]> {
  const { path: binary } = await findFfmpeg();
  const { stdout } = await promisify(execFile)(
    binary,
    [
      ...['-v', 'error', '-nostdin', '-i', path, '-map', '0:v:0', '-vsync', '0', '-vf', `${filter},format=yuv420p`],
      ...['-f', 'rawvideo', 'pipe:1'],
    ],
    { encoding: 'buffer', maxBuffer: 1 << 28 },
  );
  const [lumaBytes, bytes] = [w * h, (w * h * 3) / 2];
  expect(stdout.length % bytes).toBe(0);
  return Array.from({ length: stdout.length / bytes }, (_unused, i) => ({
    luma: stdout.subarray(i * bytes, i * bytes + lumaBytes),
    chroma: stdout.subarray(i * bytes + lumaBytes, (i + 1) * bytes),
  }));
}

/** Seconds of every frame since the first, and what is said of the track. */
async function lookAt(path: string): Promise<{ times: number[]; track: string }> {
  const { path: binary } = await findFfmpeg();
  const { stderr } = await promisify(execFile)(
    binary,
    ['-nostdin', '-i', path, '-map', '0:v:0', '-vsync', '0', '-vf', 'showinfo', '-f', 'null', '-'],
    { maxBuffer: 1 << 26 },
  );
  const [, num, den] = /config in time_base: (\d+)\/(\d+)/.exec(stderr) ?? [];
  const ticks = [...stderr.matchAll(/ n: *\d+ pts: *(-?\d+) /g)].map(([, pts]) => Number(pts));
  return {
    times: ticks.map((pts) => ((pts - (ticks[0] ?? 0)) * Number(num)) / Number(den)),
    track: /Stream #0:0.*: Video: .*/.exec(stderr)?.[0] ?? '',
  };
}

const isFill = (luma: number): boolean => Math.abs(luma - 24) <= 8;

/** Share of a box that is fill. */
function covered(picture: Picture, stride: number, { x, y, w, h }: FigureBox['body']): number {
  let fill = 0;
  for (let row = y; row < y + h; row += 1)
    for (let column = x; column < x + w; column += 1) if (isFill(picture.luma[row * stride + column] ?? 0)) fill += 1;
  return fill / (w * h);
}

/** How like the source the copy is where nothing is masked: dB for brightness and for colour, and the share of such blocks. */
function likeness(copy: Picture[], source: Picture[], w: number, h: number): [number, number, number] {
  const [across, down] = [Math.ceil(w / 8), Math.ceil(h / 8)];
  const sums = { luma: 0, lumaCount: 0, chroma: 0, chromaCount: 0, open: 0 };
  for (const [frame, { luma, chroma }] of copy.entries()) {
    const filled = new Uint8Array(across * down);
    for (let y = 0; y < h; y += 1)
      for (let x = 0; x < w; x += 1)
        if (isFill(luma[y * w + x] ?? 0)) {
          // And its neighbours: the rim of a mask is soft.
          for (let by = Math.max(0, (y >> 3) - 1); by <= Math.min(down - 1, (y >> 3) + 1); by += 1)
            filled.fill(1, by * across + Math.max(0, (x >> 3) - 1), by * across + Math.min(across, (x >> 3) + 2));
        }
    sums.open += filled.filter((value) => value === 0).length;
    const other = source[frame];
    if (other === undefined) throw new Error('fewer frames in the source');
    for (let y = 0; y < h; y += 1)
      for (let x = 0; x < w; x += 1) {
        if (filled[(y >> 3) * across + (x >> 3)] === 1) continue;
        sums.luma += ((luma[y * w + x] ?? 0) - (other.luma[y * w + x] ?? 0)) ** 2;
        sums.lumaCount += 1;
        if ((x | y) & 1) continue;
        for (const plane of [0, 1]) {
          const i = (plane * w * h) / 4 + ((y >> 1) * w) / 2 + (x >> 1);
          sums.chroma += ((chroma[i] ?? 0) - (other.chroma[i] ?? 0)) ** 2;
          sums.chromaCount += 1;
        }
      }
  }
  const decibels = (sum: number, n: number): number => 10 * Math.log10(255 ** 2 / Math.max(sum / n, 1e-9));
  return [
    decibels(sums.luma, sums.lumaCount),
    decibels(sums.chroma, sums.chromaCount),
    sums.open / (copy.length * across * down),
  ];
}

const [[, embedded] = ['', '']] = await bothBinaries();

describe.each(await bothBinaries())('with ffmpeg %s', (_name, binary) => {
  beforeAll(() => {
    process.env['TREDIVE_FFMPEG'] = binary;
    return () => {
      delete process.env['TREDIVE_FFMPEG'];
    };
  });
  // The embedded build is there for systems without a newer one: what differs between builds is enough.
  const both = Object.entries(formats);
  const differing = /8 bits|interlaced|gaps|same time|MJPEG|full|colours|changes|two|turned by 90/;
  const chosen = binary === embedded ? both.filter(([name]) => differing.test(name)) : both;

  test.each(chosen)('%s', async (_format, format) => {
    const { file, make, frames = count, size: [w, h] = [width, height], reference, colors } = format;
    const source = at(file);
    if (typeof make === 'function') await make(source);
    else await ffmpeg(...scene(format.rate), ...make, source);
    const output = at('copy.mp4');
    const done = await redactFile({ input: source, output, decisions: maskEveryone, settings: defaultRedaction });
    expect([done.frames, done.analysis.width, done.analysis.height, done.analysis.damaged]).toEqual([
      frames,
      w,
      h,
      false,
    ]);
    expect(readdirSync(place).filter((name) => name.endsWith('.partial'))).toEqual([]);

    const [evenWidth, evenHeight] = [w + (w % 2), h + (h % 2)];
    const shape = await readCopyShape(output);
    expect([shape.width, shape.height, shape.samples.count]).toEqual([evenWidth, evenHeight, frames]);

    const [before, after] = [await lookAt(source), await lookAt(output)];
    expect([before.times.length, after.times.length]).toEqual([frames, frames]);
    after.times.forEach((time, frame) => {
      // Pictures of one time follow each other by a tick: the copy has no two of the same time.
      expect(Math.abs(time - (before.times[frame] ?? -1))).toBeLessThan(0.0005);
      if (frame > 0) expect(time).toBeGreaterThan(after.times[frame - 1] ?? Infinity);
    });
    expect(after.track).toMatch(/yuv420p[,(]/);
    expect(after.track).not.toMatch(/yuvj|\(pc/);
    if (colors !== undefined) expect(after.track).toContain(`yuv420p(tv, ${colors}`);
    if (file === 'pal.mp4') expect(after.track).toContain('SAR 16:15');

    const copy = await decode(output, evenWidth, evenHeight);
    const shown = await decode(source, evenWidth, evenHeight, reference);
    expect([copy.length, shown.length]).toEqual([frames, frames]);
    const [lumaDb, chromaDb, open] = likeness(copy, shown, evenWidth, evenHeight);
    expect({ lumaDb, chromaDb, open }).toEqual({
      lumaDb: expect.closeTo(50, -1.5) as number,
      chromaDb: expect.closeTo(50, -1.5) as number,
      open: expect.closeTo(0.75, 0.3) as number,
    });
    if (format.noPeople === true) return;
    let people = 0;
    for (const [frame, picture] of copy.entries()) {
      for (const { body, visible } of truth[format.pictureOf?.(frame) ?? frame] ?? []) {
        if (visible < 0.7 || body.w * body.h < 1500) continue;
        people += 1;
        expect([frame, covered(picture, evenWidth, { ...body, w: Math.min(body.w, w - body.x) })]).toEqual([
          frame,
          expect.closeTo(1, 0.4),
        ]);
      }
    }
    expect(people).toBeGreaterThanOrEqual(frames);
  });
});
