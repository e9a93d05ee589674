import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBounded } from '../../src/recordings/containers/bounded-file.js';
import { readWithLibrary } from '../../src/recordings/containers/library.js';
import { probeHere, type ProbeResult } from '../../src/recordings/probe-here.js';
import { ffmpeg, make, recipes, splitFragments, withRecorderClock, type Recipe } from './make-media.js';

let folder = '';
const path = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tredive-probe-'));
  for (const name of Object.keys(recipes)) make(folder, name as Recipe);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const probed = async (name: string): Promise<ProbeResult> => {
  const result = await probeHere(path(name));
  if (!result.ok) throw new Error(`${name}: ${result.reason} (${result.detail})`);
  return result;
};

/** The bytes of a made file, changed, under a new name. */
const changed = (from: Recipe, to: string, change: (bytes: Buffer) => Uint8Array): string => {
  writeFileSync(path(to), change(readFileSync(path(from))));
  return to;
};

/** Frames that ffmpeg really decodes: the measure of "playable". */
const decodableFrames = (name: string): number =>
  ffmpeg('-err_detect', 'ignore_err', '-i', path(name), '-map', '0:v:0', '-f', 'framemd5', '-')
    .split('\n')
    .filter((line) => /^\d/.test(line)).length;

const boxAt = (bytes: Buffer, type: string): number => {
  const at = bytes.indexOf(type, 4, 'latin1');
  if (at < 0) throw new Error(`no ${type}`);
  return at;
};

describe('what recorders write', () => {
  const creationTimeUs = Date.parse('2026-03-29T00:54:00Z') * 1000;

  test.each([
    ['plain.mp4', { container: 'mp4', codec: 'h264', hasAudio: false, creationTimeUs }],
    ['sound.mp4', { container: 'mp4', codec: 'h264', hasAudio: true, creationTimeUs: null }],
    ['faststart.mp4', { container: 'mp4', codec: 'h264', hasAudio: false }],
    ['bframes.mp4', { container: 'mp4', codec: 'h264', hasAudio: false }],
    ['fragments.mp4', { container: 'fmp4', codec: 'h264', hasAudio: false, creationTimeUs }],
    ['fragments-sound.mp4', { container: 'fmp4', codec: 'h264', hasAudio: true }],
    ['hevc.mp4', { container: 'mp4', codec: 'hevc', hasAudio: false }],
    ['plain.mov', { container: 'mov', codec: 'h264', hasAudio: false, creationTimeUs }],
    ['plain.mkv', { container: 'mkv', codec: 'h264', hasAudio: true, creationTimeUs }],
    ['plain.webm', { container: 'webm', codec: 'vp8', hasAudio: false }],
    ['plain.ts', { container: 'ts', codec: 'h264', hasAudio: true }],
    ['mjpeg.avi', { container: 'avi', codec: 'mjpeg', hasAudio: false }],
    ['h264-sound.avi', { container: 'avi', codec: 'h264', hasAudio: true }],
  ])('%s', async (name, expected) => {
    const result = await probed(name);
    expect(result).toMatchObject({ ...expected, hasVideo: true, width: 192, height: 108, truncated: false });
    expect(Math.abs(result.durationUs - 6e6)).toBeLessThan(250_000);
    expect(result.frameRate).toBeCloseTo(10, 0);
    expect(result.recorderClockUs).toBeNull();
    const stat = statSync(path(name), { bigint: true });
    expect(result.file).toEqual({
      sizeBytes: Number(stat.size),
      inode: String(stat.ino),
      mtimeUs: Number(stat.mtimeNs / 1000n),
    });
  });

  test('the bytes decide, not the name', async () => {
    changed('plain.mkv', 'matroska.mp4', (bytes) => bytes);
    expect((await probed('matroska.mp4')).container).toBe('mkv');
  });

  test.each([
    ['ab'.repeat(16), 7n, { stream: 'ab'.repeat(16), number: 7 }],
    ['00'.repeat(16), 7n, null],
    ['ab'.repeat(16), 2n ** 63n + 5n, null],
  ])("MediaMTX's own box gives its count of segments: stream %s, number %s", async (stream, number, recorderNumber) => {
    changed('fragments.mp4', 'count.mp4', (bytes) => withRecorderClock(bytes, 1_790_000_000e6, { stream, number }));
    expect(await probed('count.mp4')).toMatchObject({ recorderNumber });
  });

  test("MediaMTX's own box gives the recorder's clock", async () => {
    const us = Date.parse('2026-10-25T01:30:00Z') * 1000 + 123_456;
    changed('fragments.mp4', 'mtxi.mp4', (bytes) => withRecorderClock(bytes, us));
    expect(await probed('mtxi.mp4')).toMatchObject({ recorderClockUs: us, container: 'fmp4', truncated: false });
  });

  test('an hour of one-second fragments takes a handful of reads', async () => {
    ffmpeg(
      '-stream_loop',
      '599',
      '-i',
      path('fragments.mp4'),
      '-c',
      'copy',
      '-movflags',
      'frag_keyframe+empty_moov',
      path('hour.mp4'),
    );
    const result = await probeHere(path('hour.mp4'), { bytes: 6e6, reads: 30, ms: 20_000 });
    expect(result).toMatchObject({ ok: true, container: 'fmp4', truncated: false });
    if (result.ok) {
      expect(Math.abs(result.durationUs - 3600e6)).toBeLessThan(1e6);
      expect(result.frameRate).toBeCloseTo(10, 0);
    }
  });
});

describe('MPEG-TS is told by its two ends, and as by reading all of it', () => {
  const copyTo = (name: string, from: string, ...more: string[]): string => {
    ffmpeg(...more, '-i', path(from), '-c', 'copy', path(name));
    return name;
  };

  test.each([
    ['as it was made', () => 'plain.ts'],
    ['with pictures out of order', () => copyTo('bframes.ts', 'bframes.mp4')],
    ['HEVC', () => copyTo('hevc.ts', 'hevc.mp4')],
    ['a minute', () => copyTo('minute.ts', 'sound.mp4', '-stream_loop', '9')],
    [
      'whose times begin anew in the middle of it',
      () => {
        // 33 bits at 90 kHz come to their end after 95443.7 s.
        ffmpeg('-i', path('plain.ts'), '-c', 'copy', '-output_ts_offset', '95440', '-muxdelay', '0', path('wrap.ts'));
        return 'wrap.ts';
      },
    ],
    ['cut', () => changed('plain.ts', 'short.ts', (bytes) => bytes.subarray(0, Math.floor(bytes.length / 3)))],
    ['without its first packets', () => changed('plain.ts', 'late.ts', (bytes) => bytes.subarray(188 * 40))],
  ])('%s', async (_, made) => {
    const name = made();
    const file = openBounded(path(name));
    const { durationUs, frameRate, ...library } = await readWithLibrary(file);
    file.close();
    const result = await probed(name);
    expect(result).toMatchObject(library);
    // The library counts from when the first picture is decoded, we from when it is shown.
    expect(Math.abs(result.durationUs - durationUs)).toBeLessThan(250_000);
    expect(result.frameRate).toBeCloseTo(frameRate ?? 0, 0);
  });

  test('an hour of it takes a handful of reads', async () => {
    ffmpeg('-stream_loop', '599', '-i', path('plain.mp4'), '-c', 'copy', path('hour.ts'));
    expect(statSync(path('hour.ts')).size).toBeGreaterThan(10e6);
    const result = await probeHere(path('hour.ts'), { bytes: 2e6, reads: 6, ms: 20_000 });
    expect(result).toMatchObject({ ok: true, container: 'ts', hasAudio: false, width: 192, truncated: false });
    if (result.ok) expect(Math.abs(result.durationUs - 3600e6)).toBeLessThan(1e6);
  });

  test.each([0.1, 0.97])('a packet out of step at %d of it is damage, as it is by reading all of it', async (part) => {
    changed('plain.ts', 'lost.ts', (bytes) => {
      bytes[Math.floor((bytes.length * part) / 188) * 188] = 0;
      return bytes;
    });
    const file = openBounded(path('lost.ts'));
    await expect(readWithLibrary(file)).rejects.toMatchObject({ reason: 'damaged' });
    file.close();
    expect(await probeHere(path('lost.ts'))).toMatchObject({ ok: false, reason: 'damaged' });
  });

  test('two recordings put together are as long as reading all of it says', async () => {
    const bytes = readFileSync(path('plain.ts'));
    writeFileSync(path('twice.ts'), Buffer.concat([bytes, bytes]));
    const file = openBounded(path('twice.ts'));
    const { durationUs } = await readWithLibrary(file);
    file.close();
    expect(Math.abs((await probed('twice.ts')).durationUs - durationUs)).toBeLessThan(250_000);
  });
});

describe('files that were cut are indexed up to the cut', () => {
  test.each(['fragments.mp4', 'fragments-sound.mp4', 'faststart.mp4'] as const)('%s at many places', async (from) => {
    const bytes = readFileSync(path(from));
    for (const part of [0.35, 0.5, 0.65, 0.8, 0.95, 0.999]) {
      const name = changed(from, 'cut.mp4', (all) => all.subarray(0, Math.floor(bytes.length * part)));
      const result = await probed(name);
      expect(result.truncated).toBe(true);
      const seconds = decodableFrames(name) / 10;
      // ffmpeg also counts the one frame that is there in part; sound may begin up to 64 ms before the picture.
      expect(result.durationUs / 1e6, `cut at ${part}`).toBeGreaterThan(seconds - 0.35);
      expect(result.durationUs / 1e6, `cut at ${part}`).toBeLessThan(seconds + 0.1);
    }
  });

  test.each([
    ['plain.mkv', 3],
    ['mjpeg.avi', 3],
  ] as const)('%s in the middle', async (from, about) => {
    const name = changed(from, `cut-${from}`, (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2)));
    const result = await probed(name);
    expect(result.truncated).toBe(true);
    expect(Math.abs(result.durationUs / 1e6 - about)).toBeLessThan(1);
  });

  test('a transport stream cut inside a packet', async () => {
    changed('plain.ts', 'cut.ts', (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2 / 188) * 188 + 100));
    const result = await probed('cut.ts');
    expect(result.truncated).toBe(true);
    expect(Math.abs(result.durationUs / 1e6 - 3)).toBeLessThan(1);
  });

  test('an AVI whose recorder was killed has no frame count: the frames that are there are counted', async () => {
    changed('mjpeg.avi', 'killed.avi', (bytes) => {
      bytes.writeUInt32LE(0, boxAt(bytes, 'avih') + 8 + 16);
      bytes.writeUInt32LE(0, boxAt(bytes, 'strh') + 8 + 32);
      return bytes;
    });
    expect(await probed('killed.avi')).toMatchObject({ durationUs: 6_000_000, truncated: true });
  });
});

describe('files that cannot be indexed', () => {
  test.each([
    ['empty', 'zero.mp4', () => Buffer.alloc(0)],
    ['no-index', 'no-moov.mp4', (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length * 0.6))],
    [
      'no-index',
      'open.mp4',
      (bytes: Buffer) => {
        // As a killed recorder leaves it: the size of mdat is still to be filled in.
        const mdat = boxAt(bytes, 'mdat') - 4;
        bytes.writeUInt32BE(0, mdat);
        return bytes.subarray(0, boxAt(bytes, 'moov') - 4);
      },
    ],
    ['unknown-format', 'zeros.mp4', () => Buffer.alloc(65_536)],
    ['unknown-format', 'text.mp4', () => Buffer.from('not a film at all\n'.repeat(100))],
    ['unknown-format', 'one.mp4', () => Buffer.from([1])],
    ['unknown-format', 'playlist.ts', () => Buffer.from('#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nplain.ts\n')],
  ] as const)('%s: %s', async (reason, name, change) => {
    changed('plain.mp4', name, change);
    expect(await probeHere(path(name))).toMatchObject({ ok: false, reason });
  });

  test('an initialisation segment alone, and a fragment without one', async () => {
    const { init, fragments } = splitFragments(readFileSync(path('fragments.mp4')));
    writeFileSync(path('init.mp4'), init);
    writeFileSync(path('part.m4s'), fragments);
    expect(await probeHere(path('init.mp4'))).toMatchObject({ ok: false, reason: 'no-media' });
    expect(await probeHere(path('part.m4s'))).toMatchObject({ ok: false, reason: 'no-index' });
  });

  test('a fragment with its initialisation segment is read whole, by its own size and none of the other clocks', async () => {
    const whole = readFileSync(path('fragments.mp4'));
    const { init, fragments } = splitFragments(withRecorderClock(whole, 1_782_900_330e6));
    writeFileSync(path('beside.mp4'), init);
    writeFileSync(path('later.m4s'), fragments);
    const result = await probeHere(path('later.m4s'), undefined, path('beside.mp4'));
    expect(result).toMatchObject({
      ...{ ok: true, container: 'fmp4', codec: 'h264', width: 192, height: 108, truncated: false },
      ...{ creationTimeUs: null, recorderClockUs: null, file: { sizeBytes: fragments.length } },
    });
    if (result.ok) expect(Math.abs(result.durationUs - 6e6)).toBeLessThan(250_000);
    writeFileSync(path('later.m4s'), fragments.subarray(0, Math.floor(fragments.length / 2)));
    expect(await probeHere(path('later.m4s'), undefined, path('beside.mp4'))).toMatchObject({
      ok: true,
      truncated: true,
    });
  });

  test('a fragment whose initialisation segment is missing, empty, huge, a link or of something else', async () => {
    const { init, fragments } = splitFragments(readFileSync(path('fragments.mp4')));
    writeFileSync(path('alone.m4s'), fragments);
    writeFileSync(path('real-init.mp4'), init);
    writeFileSync(path('empty-init.mp4'), '');
    writeFileSync(path('huge-init.mp4'), Buffer.alloc(2 ** 20 + 1));
    writeFileSync(path('text-init.mp4'), 'not an index at all');
    symlinkSync(path('real-init.mp4'), path('link-init.mp4'));
    for (const [name, reason] of [
      ['nowhere-init.mp4', 'no-index'],
      ['empty-init.mp4', 'no-index'],
      ['huge-init.mp4', 'no-index'],
      ['link-init.mp4', 'no-index'],
      ['text-init.mp4', 'unknown-format'],
    ] as const) {
      expect(await probeHere(path('alone.m4s'), undefined, path(name)), name).toMatchObject({ ok: false, reason });
    }
    writeFileSync(path('alone.m4s'), '');
    expect(await probeHere(path('alone.m4s'), undefined, path('real-init.mp4'))).toMatchObject({ reason: 'empty' });
  });

  test('sound only', async () => {
    expect(await probeHere(path('sound-only.mp4'))).toMatchObject({ ok: false, reason: 'no-video' });
  });

  test('what is no file at all', async () => {
    mkdirSync(path('folder.mp4'));
    symlinkSync(path('plain.mp4'), path('link.mp4'));
    execFileSync('mkfifo', [path('pipe.mp4')]);
    for (const name of ['folder.mp4', 'link.mp4', 'pipe.mp4', 'absent.mp4']) {
      expect(await probeHere(path(name)), name).toMatchObject({ ok: false, reason: 'unreadable' });
    }
  });
});
