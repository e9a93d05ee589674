import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EncodedPacketSink, FilePathSource, Input, MP4 } from 'mediabunny';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startEncoder } from '../../src/platform/ffmpeg.js';
import { putIndexFirst } from '../../src/redaction/index-first.js';
import { readCopyShape } from '../../src/redaction/mp4-shape.js';
import { embeddedFfmpeg } from '../helpers/clip.js';
import { bothBinaries, lumaFrames } from '../helpers/clips.js';
import { frameBytes, writeAll, writeNut } from '../helpers/nut.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-index-'));
const at = (name: string): string => join(place, name);
const binaries = await bothBinaries();
const [width, height, count] = [64, 48, 30];
/** As each encoder leaves it, with its index at the end. */
const made = new Map<string, Buffer>();
let written: Buffer;

beforeAll(async () => {
  const frames = Array.from({ length: count }, (_, i) => {
    const pixels = new Uint8Array(frameBytes(width, height)).fill(128);
    for (let y = 0; y < height; y += 1)
      for (let x = 0; x < width; x += 1) pixels[y * width + x] = (x * 3 + y * i) % 200;
    return { pts: i * 40 + (i % 3), pixels };
  });
  for (const [name, path] of binaries) {
    process.env['TREDIVE_FFMPEG'] = path;
    const encoder = await startEncoder({ output: at(`${name}.mp4`), timescale: 1000 });
    await writeAll(encoder.writeFd, writeNut({ width, height, timeBase: { num: 1, den: 1000 }, frames }));
    closeSync(encoder.writeFd);
    await encoder.done;
    made.set(name, readFileSync(at(`${name}.mp4`)));
  }
  delete process.env['TREDIVE_FFMPEG'];
  written = made.get('embedded') ?? Buffer.alloc(0);
});
afterEach(() => {
  rmSync(at('out.mp4'), { force: true });
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

const usualTicks = 40;
async function moved(bytes: Buffer, lastTicks = usualTicks): ReturnType<typeof putIndexFirst> {
  writeFileSync(at('in.mp4'), bytes);
  const file = await open(at('out.mp4'), 'w+');
  try {
    return await putIndexFirst({ from: at('in.mp4'), to: { path: at('out.mp4'), file }, lastTicks });
  } finally {
    await file.close();
  }
}

const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer).swap32();

test.each(binaries)(
  'of a file by ffmpeg %s: the same pictures and times, the index in front, as the strict reader wants it',
  async (name) => {
    const { mediaSha256, mediaBytes } = await moved(made.get(name) ?? Buffer.alloc(0));
    const bytes = readFileSync(at('out.mp4'));
    expect(bytes.indexOf('moov')).toBeLessThan(bytes.indexOf('mdat'));
    const hash = createHash('sha256');
    const shape = await readCopyShape(at('out.mp4'), {
      onSample: (sample) => {
        hash.update(sample);
      },
    });
    expect(Array.from(shape.times, Number)).toEqual(Array.from({ length: count }, (_, i) => i * 40 + (i % 3)));
    expect(shape.mdat.size).toBe(mediaBytes);
    expect(hash.digest('hex')).toBe(mediaSha256);
    const [before, after] = [
      await lumaFrames(at('in.mp4'), width, height),
      await lumaFrames(at('out.mp4'), width, height),
    ];
    expect(after).toHaveLength(count);
    expect(after.every((frame, i) => frame.equals(before[i] ?? Buffer.alloc(0)))).toBe(true);
  },
);

/** The file with a change of the index, which lies at its end: nothing before it moves. */
function withIndex(change: (index: Buffer) => Buffer): Buffer {
  const from = written.indexOf('moov') - 4;
  return Buffer.concat([written.subarray(0, from), change(Buffer.from(written.subarray(from)))]);
}

/** A file with its index in front as an encoder would have left it; both have the same media data at another place. */
function withIndexBehind(file: Buffer): Buffer {
  const [moov, mdat] = [file.indexOf('moov') - 4, file.indexOf('mdat') - 4];
  const index = Buffer.from(file.subarray(moov, mdat));
  const stco = index.indexOf('stco');
  for (let entry = 0; entry < index.readUInt32BE(stco + 8); entry += 1)
    index.writeUInt32BE(index.readUInt32BE(stco + 12 + 4 * entry) - index.length, stco + 12 + 4 * entry);
  return Buffer.concat([file.subarray(0, moov), file.subarray(mdat), index]);
}

/** Boxes around `type`, whose sizes change with it. */
const parents = ['moov', 'trak', 'mdia', 'minf', 'stbl'];
function replaceTable(index: Buffer, box: Buffer): Buffer {
  const from = index.indexOf('stco') - 4;
  const size = index.readUInt32BE(from);
  for (const parent of parents) {
    const head = index.indexOf(parent) - 4;
    index.writeUInt32BE(index.readUInt32BE(head) + box.length - size, head);
  }
  return Buffer.concat([index.subarray(0, from), box, index.subarray(from + size)]);
}

test('chunks noted in 64 bits are moved too', async () => {
  const long = withIndex((index) => {
    const from = index.indexOf('stco') - 4;
    const entries = index.readUInt32BE(from + 12);
    const table = Buffer.alloc(16 + 8 * entries);
    Buffer.concat([u32(table.length), Buffer.from('co64'), u32(0), u32(entries)]).copy(table);
    for (let i = 0; i < entries; i += 1) {
      table.writeBigUInt64BE(BigInt(index.readUInt32BE(from + 16 + 4 * i)), 16 + 8 * i);
    }
    return replaceTable(index, table);
  });
  await moved(long);
  expect((await readCopyShape(at('out.mp4'))).samples.count).toBe(count);
  expect((await lumaFrames(at('out.mp4'), width, height)).length).toBe(count);
});

test('media data whose size is noted in 64 bits keeps its long head', async () => {
  const mdat = written.indexOf('mdat') - 4;
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(written.readUInt32BE(mdat) + 8));
  // The empty box before it makes room, as the muxer does it beyond 4 GiB.
  expect(written.toString('latin1', mdat - 4, mdat)).toBe('free');
  const long = Buffer.from(written);
  Buffer.concat([u32(1), Buffer.from('mdat'), size]).copy(long, mdat - 8);
  const { mediaBytes } = await moved(long);
  expect(mediaBytes).toBe(written.readUInt32BE(mdat) - 8);
  const frames = await lumaFrames(at('out.mp4'), width, height);
  const before = await lumaFrames(at('in.mp4'), width, height);
  expect(frames.every((frame, i) => frame.equals(before[i] ?? Buffer.alloc(0)))).toBe(true);
  expect(frames).toHaveLength(count);
});

const damages: [string, (bytes: Buffer) => Buffer, RegExp][] = [
  ['nothing', () => Buffer.alloc(0), /no media data/],
  ['no index', (bytes) => bytes.subarray(0, bytes.indexOf('moov') - 4), /no media data with an index/],
  ['an index cut off', (bytes) => bytes.subarray(0, -20), /leaves the file/],
  ['some bytes too many', (bytes) => Buffer.concat([bytes, Buffer.from([1, 2, 3])]), /leaves the file/],
  ['a size of nothing', (bytes) => Buffer.concat([bytes, u32(0), Buffer.from('free')]), /leaves the file/],
  ['an index in front', (bytes) => bytes.subarray(bytes.indexOf('mdat') - 4), /no media data with an index/],
  [
    'a box in the index that leaves it',
    () =>
      withIndex((index) => {
        index.writeUInt32BE(0x7fffffff, index.indexOf('stbl') - 4);
        return index;
      }),
    /index is damaged/,
  ],
  [
    'a box of no size in the index',
    () =>
      withIndex((index) => {
        index.writeUInt32BE(0, index.indexOf('mdhd') - 4);
        return index;
      }),
    /index is damaged/,
  ],
  [
    'more chunks than are listed',
    () =>
      withIndex((index) => {
        index.writeUInt32BE(0x40000000, index.indexOf('stco') + 8);
        return index;
      }),
    /table of chunks/,
  ],
  [
    'an empty table',
    () => withIndex((index) => replaceTable(index, Buffer.concat([u32(8), Buffer.from('stco')]))),
    /table of chunks/,
  ],
  [
    'a table of times that is longer than it is',
    () =>
      withIndex((index) => {
        index.writeUInt32BE(0x10000000, index.indexOf('stts') + 8);
        return index;
      }),
    /table of times/,
  ],
  [
    'a header of another version',
    () =>
      withIndex((index) => {
        index.writeUInt8(2, index.indexOf('mdhd') + 4);
        return index;
      }),
    /mdhd is damaged/,
  ],
  [
    'no header of the movie',
    () =>
      withIndex((index) => {
        index.write('free', index.indexOf('mvhd'), 'latin1');
        return index;
      }),
    /no mvhd/,
  ],
  [
    'a time scale of nothing',
    () =>
      withIndex((index) => {
        index.writeUInt32BE(0, index.indexOf('mdhd') + 16);
        return index;
      }),
    /no time scale/,
  ],
  [
    'chunks that do not fit behind the index',
    () =>
      withIndex((index) => {
        index.writeUInt32BE(0xfffffff0, index.indexOf('stco') + 12);
        return index;
      }),
    /do not fit/,
  ],
];

test.each(damages)('%s is refused', async (_what, damage, why) => {
  const refused = moved(damage(written));
  await expect(refused).rejects.toMatchObject({ code: 'verification-failed' });
  await expect(refused).rejects.toThrow(why);
});

test('what was in the target is gone, an abort is told, and so is a file that is not there', async () => {
  await moved(written);
  const whole = readFileSync(at('out.mp4'));
  const file = await open(at('out.mp4'), 'r+');
  const job = { from: at('in.mp4'), to: { path: at('out.mp4'), file }, lastTicks: usualTicks };
  try {
    await file.writeFile(Buffer.alloc(2 * whole.length, 0x5a));
    await putIndexFirst(job);
    expect(readFileSync(at('out.mp4')).equals(whole)).toBe(true);
    await expect(putIndexFirst({ ...job, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'interrupted' });
    await expect(putIndexFirst({ ...job, from: at('none.mp4') })).rejects.toMatchObject({ code: 'io-failed' });
  } finally {
    await file.close();
  }
});

describe('the last picture', () => {
  /** What others read: each picture's length, and how long the track and the movie say that they last, in milliseconds. */
  async function told(): Promise<{ lengths: number[]; trackMs: number; movieMs: number }> {
    const input = new Input({ source: new FilePathSource(at('out.mp4')), formats: [MP4] });
    const track = await input.getPrimaryVideoTrack();
    if (track === null) throw new Error('no video track');
    const lengths: number[] = [];
    for await (const packet of new EncodedPacketSink(track).packets()) lengths.push(Math.round(packet.duration * 1000));
    const trackMs = Math.round((await track.computeDuration()) * 1000);
    input.dispose();
    const said = spawnSync(embeddedFfmpeg(), ['-hide_banner', '-i', at('out.mp4')], { encoding: 'utf8' }).stderr;
    const [, hours, minutes, seconds] = /Duration: (\d+):(\d+):(\d+\.\d+)/.exec(said) ?? [];
    return { lengths, trackMs, movieMs: ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 };
  }
  const startOfLast = 40 * (count - 1) + ((count - 1) % 3);

  test.each(binaries.flatMap(([name]) => [1, 38, 41, 700, 90_000].map((ticks) => [name, ticks] as const)))(
    'is shown as long as it should be: ffmpeg %s, %i ticks',
    async (name, ticks) => {
      await moved(made.get(name) ?? Buffer.alloc(0), ticks);
      const shape = await readCopyShape(at('out.mp4'));
      expect(shape.lastDuration).toBe(ticks);
      expect(Array.from(shape.times, Number)).toEqual(Array.from({ length: count }, (_, i) => i * 40 + (i % 3)));
      const { lengths, trackMs, movieMs } = await told();
      expect(lengths.at(-1)).toBe(ticks);
      expect(lengths).toHaveLength(count);
      expect(trackMs).toBe(startOfLast + ticks);
      // It says hundredths of a second.
      expect(Math.abs(movieMs - trackMs)).toBeLessThanOrEqual(10);
    },
  );

  test('one like those before it is of their run, and one that is not leaves it', async () => {
    const runs = (bytes: Buffer): number => bytes.readUInt32BE(bytes.indexOf('stts') + 8);
    // Pictures of 41, 41 and 38 ticks in turn; the last but one lasts 41.
    await moved(written, 41);
    const joined = runs(readFileSync(at('out.mp4')));
    await moved(written, 37);
    expect(runs(readFileSync(at('out.mp4')))).toBe(joined + 1);
    // And out of the run again, though the encoder's table has it in there.
    await moved(written, 41);
    const first = readFileSync(at('out.mp4'));
    const back = withIndexBehind(first);
    await moved(back, 5);
    const shape = await readCopyShape(at('out.mp4'));
    expect(shape.lastDuration).toBe(5);
    expect(Array.from(shape.times, Number)).toEqual(Array.from({ length: count }, (_, i) => i * 40 + (i % 3)));
  });

  test('may be what takes a duration beyond 32 bits', async () => {
    // 29 pictures of nearly 41 hours each: still within.
    const long = withIndex((index) => {
      const stts = index.indexOf('stts') - 4;
      const table = Buffer.concat([
        u32(32),
        Buffer.from('stts'),
        u32(0),
        u32(2),
        u32(count - 1),
        u32(148_000_000),
        u32(1),
        u32(1),
      ]);
      const replaced = Buffer.concat([index.subarray(0, stts), table, index.subarray(stts + index.readUInt32BE(stts))]);
      for (const parent of parents) {
        const head = replaced.indexOf(parent) - 4;
        replaced.writeUInt32BE(replaced.readUInt32BE(head) + table.length - index.readUInt32BE(stts), head);
      }
      return replaced;
    });
    await moved(long, 148_000_000);
    const bytes = readFileSync(at('out.mp4'));
    for (const box of ['mvhd', 'tkhd', 'mdhd']) expect([box, bytes[bytes.indexOf(box) + 4]]).toEqual([box, 1]);
    const shape = await readCopyShape(at('out.mp4'));
    expect(shape.lastDuration).toBe(148_000_000);
    expect(Number(shape.times.at(-1))).toBe(29 * 148_000_000);
    expect((await told()).trackMs).toBe(30 * 148_000_000);
  });
});
