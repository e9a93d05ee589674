import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startEncoder } from '../../src/platform/ffmpeg.js';
import { putIndexFirst } from '../../src/redaction/index-first.js';
import { readCopyShape } from '../../src/redaction/mp4-shape.js';
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

function moved(bytes: Buffer): ReturnType<typeof putIndexFirst> {
  writeFileSync(at('in.mp4'), bytes);
  return putIndexFirst(at('in.mp4'), at('out.mp4'));
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

test('a target that is there is not written over, and an abort is told', async () => {
  writeFileSync(at('out.mp4'), 'somebody else');
  await expect(moved(written)).rejects.toMatchObject({ code: 'io-failed' });
  expect(readFileSync(at('out.mp4'), 'utf8')).toBe('somebody else');
  rmSync(at('out.mp4'));
  await expect(putIndexFirst(at('in.mp4'), at('out.mp4'), AbortSignal.abort())).rejects.toMatchObject({
    code: 'interrupted',
  });
  await expect(putIndexFirst(at('none.mp4'), at('none-out.mp4'))).rejects.toMatchObject({ code: 'io-failed' });
  expect(existsSync(at('none-out.mp4'))).toBe(false);
});
