/**
 * Bytes made to hurt: sizes and counts without anything behind them, cuts and flipped bits at any place. These go through the
 * threads (of the last build), since some of them cannot be survived in one's own.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultLimits } from '../../src/recordings/containers/bounded-file.js';
import { probeFile } from '../../src/recordings/probe.js';
import { make, type Recipe } from './make-media.js';

/** Its own limit, the grace for a thread that runs in a circle, and some for a busy machine. */
const limitMs = 1500 + 1500 + 2000;

let folder = '';
const made = new Map<Recipe, Buffer>();
const kinds: Recipe[] = ['bframes.mp4', 'fragments-sound.mp4', 'plain.mkv', 'plain.ts', 'h264-sound.avi'];
const escaped: unknown[] = [];
const note = (error: unknown): void => {
  escaped.push(error);
};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tredive-hostile-'));
  for (const kind of kinds) made.set(kind, readFileSync(make(folder, kind)));
  process.on('unhandledRejection', note);
});
afterAll(() => {
  process.off('unhandledRejection', note);
  rmSync(folder, { recursive: true, force: true });
});

const original = (kind: Recipe): Buffer => Buffer.from(made.get(kind) ?? Buffer.alloc(0));

async function judge(bytes: Uint8Array): Promise<{ ok: boolean; reason?: string; ms: number; grownBytes: number }> {
  const file = join(folder, 'subject.mp4');
  writeFileSync(file, bytes);
  const memory = process.memoryUsage().rss;
  const before = performance.now();
  const result = await probeFile(file, { ...defaultLimits, ms: 1500 });
  const ms = performance.now() - before;
  const grownBytes = process.memoryUsage().rss - memory;
  if (result.ok) {
    expect(result.durationUs).toBeGreaterThan(0);
    expect(result.width).toBeGreaterThan(0);
    return { ok: true, ms, grownBytes };
  }
  expect(result.detail).not.toBe('');
  return { ok: false, reason: result.reason, ms, grownBytes };
}

/** Writes a big-endian number at a place inside the first box of this type. */
function poke(bytes: Buffer, type: string, offset: number, value: number): Buffer {
  const at = bytes.indexOf(type, 4, 'latin1');
  if (at < 0) throw new Error(`no ${type}`);
  bytes.writeUInt32BE(value, at + 4 + offset);
  return bytes;
}

describe('claims with nothing behind them', () => {
  test.each([
    ['4 billion entries of timing', 'bframes.mp4', 'stts', 4, 0xffffffff],
    ['4 billion samples in one entry of timing', 'bframes.mp4', 'stts', 8, 0xffffffff],
    ['4 billion entries of reordering', 'bframes.mp4', 'ctts', 4, 0xffffffff],
    ['4 billion samples in one entry of reordering', 'bframes.mp4', 'ctts', 8, 0xffffffff],
    ['4 billion sample sizes', 'bframes.mp4', 'stsz', 8, 0xffffffff],
    ['4 billion chunks', 'bframes.mp4', 'stco', 4, 0xffffffff],
    ['4 billion samples in a chunk', 'bframes.mp4', 'stsc', 12, 0xffffffff],
    ['4 billion samples in a fragment', 'fragments-sound.mp4', 'trun', 4, 0xffffffff],
    ['4 billion track descriptions', 'bframes.mp4', 'stsd', 4, 0xffffffff],
    ['a time scale of 0', 'bframes.mp4', 'mdhd', 12, 0],
    ['an index of 2 GB', 'bframes.mp4', 'moov', -8, 0x7fffffff],
    ['a fragment of 2 GB', 'fragments-sound.mp4', 'moof', -8, 0x7fffffff],
    ['a box of 3 bytes', 'bframes.mp4', 'moov', -8, 3],
  ] as const)('%s', async (_, kind, box, offset, value) => {
    const verdict = await judge(poke(original(kind), box, offset, value));
    expect(verdict.ms).toBeLessThan(limitMs);
    expect(verdict.grownBytes).toBeLessThan(200 * 2 ** 20);
  });

  test('samples by default size only, 4 billion of them, are counted without a loop', async () => {
    const bytes = original('fragments-sound.mp4');
    poke(bytes, 'trun', 0, 0x000001);
    poke(bytes, 'trun', 4, 0xffffffff);
    const verdict = await judge(bytes);
    expect(verdict.ms).toBeLessThan(limitMs);
  });

  test('a box of 2^63 bytes, and an endless row of the smallest boxes', async () => {
    const huge = Buffer.alloc(1024);
    huge.writeUInt32BE(1, 0);
    huge.write('mdat', 4, 'latin1');
    huge.writeBigUInt64BE(2n ** 63n, 8);
    expect((await judge(huge)).reason).toBe('no-index');
    const tiny = Buffer.alloc(8 * 200_000);
    for (let at = 0; at < tiny.length; at += 8) {
      tiny.writeUInt32BE(8, at);
      tiny.write('free', at + 4, 'latin1');
    }
    const verdict = await judge(tiny);
    expect(verdict.reason).toBe('no-media');
    expect(verdict.ms).toBeLessThan(limitMs);
  });

  test('reads and bytes are bounded, and running out of them is a verdict', async () => {
    const file = join(folder, 'bframes.mp4');
    expect(await probeFile(file, { bytes: 100, reads: 1000, ms: 5000 })).toMatchObject({
      ok: false,
      reason: 'damaged',
    });
    expect(await probeFile(file, { bytes: 1e9, reads: 1, ms: 5000 })).toMatchObject({ ok: false, reason: 'damaged' });
    expect(await probeFile(join(folder, 'plain.ts'), { bytes: 1e9, reads: 1, ms: 5000 })).toMatchObject({
      ok: false,
      reason: 'damaged',
    });
    expect(await probeFile(file, { bytes: 1e9, reads: 1000, ms: -1 })).toMatchObject({
      ok: false,
      reason: 'unreadable',
    });
  });
});

describe('a thread that runs in a circle', () => {
  const inCircle = (): Buffer => {
    // A size whose first byte is 0 is none; the library looks for the next element and finds this one again.
    const bytes = original('plain.mkv');
    const id = Buffer.from([0x16, 0x54, 0xae, 0x6b]);
    // The first is an entry in the table of contents.
    const tracks = bytes.indexOf(id, bytes.indexOf(id) + 4);
    bytes[tracks + 4] = 0;
    return bytes;
  };

  test('is ended; its file has a verdict, and so have the others that waited', async () => {
    const circle = join(folder, 'circle.mkv');
    writeFileSync(circle, inCircle());
    const limits = { ...defaultLimits, ms: 300 };
    const sound = join(folder, 'bframes.mp4');
    const verdicts = await Promise.all(
      [circle, sound, circle, sound, circle, sound, sound].map((file) => probeFile(file, limits)),
    );
    expect(verdicts.map((verdict) => (verdict.ok ? verdict.container : verdict.reason))).toEqual([
      'damaged',
      'mp4',
      'damaged',
      'mp4',
      'damaged',
      'mp4',
      'mp4',
    ]);
  });
});

/** A small generator with a seed, so that a failure can be made again. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('any damage ends in a verdict, and soon', () => {
  test.each(kinds)('%s cut anywhere', async (kind) => {
    const bytes = original(kind);
    const random = numbers(7);
    for (let round = 0; round < 60; round += 1) {
      const length = Math.floor(random() ** 2 * bytes.length);
      const verdict = await judge(bytes.subarray(0, length));
      expect(verdict.ms, `cut at ${length}`).toBeLessThan(limitMs);
    }
  });

  test.each(kinds)('%s with flipped bits', async (kind) => {
    for (let seed = 1; seed <= 120; seed += 1) {
      const random = numbers(seed);
      const bytes = original(kind);
      // Mostly in the index, where it hurts: at the front, and for MP4 at the back.
      const reach = Math.min(bytes.length, 4000);
      for (let flips = 1 + Math.floor(random() * 8); flips > 0; flips -= 1) {
        const at = random() < 0.5 ? Math.floor(random() * reach) : bytes.length - 1 - Math.floor(random() * reach);
        bytes[at] = random() < 0.3 ? 0xff : Math.floor(random() * 256);
      }
      const verdict = await judge(bytes);
      expect(verdict.ms, `seed ${seed}`).toBeLessThan(limitMs);
      expect(verdict.grownBytes, `seed ${seed}`).toBeLessThan(200 * 2 ** 20);
    }
  });

  test('nothing was thrown past the verdicts', async () => {
    await new Promise((done) => setTimeout(done, 100));
    expect(escaped).toEqual([]);
  });
});
