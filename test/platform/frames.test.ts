import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.js';
import { startDecoder } from '../../src/platform/ffmpeg.js';
import {
  checkFrames,
  openFramePipe,
  openFrameReader,
  pumpFrames,
  type FrameReader,
} from '../../src/platform/native.js';
import { ffmpeg, makeClip } from '../helpers/clips.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-frames-'));
const at = (name: string): string => join(place, name);
const raw = ['-c:v', 'rawvideo', '-f', 'nut'];

/** A NUT file of 5 frames; so small that ffmpeg's muxer takes the start of a frame from its elision headers at times. */
let small: Buffer;

beforeAll(async () => {
  await makeClip(at('small.nut'), 'testsrc=s=18x10:r=5:d=1', '-pix_fmt', 'yuv420p', ...raw);
  small = readFileSync(at('small.nut'));
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

/** A reader on bytes that come from nowhere but here; they must fit into the pipe's 64 KiB. */
function readerOf(bytes: Uint8Array): FrameReader {
  const { readFd, writeFd } = openFramePipe();
  writeSync(writeFd, bytes);
  closeSync(writeFd);
  return openFrameReader(readFd);
}

async function readAll(reader: FrameReader): Promise<number> {
  try {
    let frames = 0;
    while ((await reader.next(null)) !== null) frames += 1;
    return frames;
  } finally {
    reader.close();
  }
}

const openFds = (): number => readdirSync('/proc/self/fd').length;
const threads = (): number => readdirSync('/proc/self/task').length;
const settle = (ms = 100): Promise<void> => new Promise((done) => setTimeout(done, ms));

test.each(['rgb24', 'gbrp'] as const)('planar floats of %s, odd size', async (pixelFormat) => {
  await makeClip(
    at('colors.mkv'),
    'color=c=0x4080C0:s=35x21:r=5:d=1,format=yuv444p',
    '-c:v',
    'libx264',
    '-qp',
    '0',
    '-pix_fmt',
    'yuv444p',
  );
  const decoder = await startDecoder({ input: at('colors.mkv'), pixelFormat });
  const reader = openFrameReader(decoder.readFd);
  expect(await reader.header()).toMatchObject({ width: 35, height: 21, pixelFormat });
  const into = new Float32Array(3 * 35 * 21);
  expect(await reader.next(into)).toMatchObject({ index: 0 });
  [0x40, 0x80, 0xc0].forEach((value, plane) => {
    for (const pixel of [0, 34, 35 * 21 - 1]) {
      expect(Math.abs((into[plane * 35 * 21 + pixel] ?? -99) - value)).toBeLessThan(4);
    }
  });
  await expect(reader.next(new Float32Array(5))).rejects.toMatchObject({ code: 'internal' });
  expect(await reader.next(null)).toMatchObject({ index: 2 });
  expect(await reader.next(into)).toMatchObject({ index: 3 });
  expect(await reader.next(into)).toMatchObject({ index: 4 });
  expect(await reader.next(into)).toBeNull();
  expect(await reader.next(into)).toBeNull();
  reader.close();
  expect(await decoder.done).toEqual({ damaged: false, complaints: '' });
});

test('frames so small that the muxer leaves out their first bytes come through whole', async () => {
  await ffmpeg('-i', at('small.nut'), '-pix_fmt', 'rgb24', ...raw, at('tiny.nut'));
  await ffmpeg('-i', at('small.nut'), '-pix_fmt', 'rgb24', '-f', 'rawvideo', at('tiny.raw'));
  const plain = readFileSync(at('tiny.raw'));
  const reader = readerOf(readFileSync(at('tiny.nut')));
  const into = new Float32Array(3 * 180);
  for (let frame = 0; (await reader.next(into)) !== null; frame += 1) {
    for (let pixel = 0; pixel < 180; pixel += 1) {
      expect([into[pixel], into[180 + pixel], into[360 + pixel]]).toEqual([
        ...plain.subarray(frame * 540 + pixel * 3, frame * 540 + pixel * 3 + 3),
      ]);
    }
  }
  reader.close();
});

test('a stream cut at any byte ends in a coded error or fewer frames, never in all of them', async () => {
  expect(await readAll(readerOf(small))).toBe(5);
  // The index behind the last frame may be missing; everything before is needed.
  const lastFrame = small.lastIndexOf(Buffer.from([0x4e, 0x58, 0xdd, 0x67]));
  for (let length = 0; length < lastFrame - 300; length += 13) {
    const frames = await readAll(readerOf(small.subarray(0, length))).catch((error: unknown) => {
      expect(error).toBeInstanceOf(GatewayError);
      expect((error as GatewayError).code).toMatch(/media-unreadable|ffmpeg-failed/);
      return -1;
    });
    expect(frames).toBeLessThan(5);
  }
});

test('flipped bits and noise end in frames or a coded error', async () => {
  let seed = 1;
  const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
  for (let round = 0; round < 400; round += 1) {
    const bytes = Buffer.from(small);
    const reach = round % 2 === 0 ? 250 : bytes.length;
    for (let i = 0; i < 3; i += 1) {
      const where = random(reach);
      bytes[where] = (bytes[where] ?? 0) ^ (1 << random(8));
    }
    await readAll(readerOf(bytes)).catch((error: unknown) => {
      expect((error as GatewayError).code).toMatch(/media-unreadable|ffmpeg-failed/);
    });
  }
  const noise = Buffer.from(Array.from({ length: 5000 }, () => random(256)));
  await expect(readAll(readerOf(noise))).rejects.toMatchObject({ code: 'media-unreadable' });
  await expect(readAll(readerOf(Buffer.alloc(0)))).rejects.toMatchObject({ code: 'ffmpeg-failed' });
});

test('closing or aborting frees a reader whose writer never says anything, and leaks neither threads nor fds', async () => {
  await settle();
  const [fdsBefore, threadsBefore] = [openFds(), threads()];
  const writers: number[] = [];
  for (let i = 0; i < 20; i += 1) {
    const stop = new AbortController();
    const { readFd, writeFd } = openFramePipe();
    writers.push(writeFd);
    const reader = openFrameReader(readFd, stop.signal);
    const [header, next] = [reader.header(), reader.next(null)];
    if (i % 2 === 0) reader.close();
    else stop.abort();
    await expect(header).rejects.toMatchObject({ code: 'interrupted' });
    await expect(next).rejects.toMatchObject({ code: 'interrupted' });
    await expect(reader.next(null)).rejects.toMatchObject({ code: 'interrupted' });
    reader.close();
  }
  writers.forEach((fd) => {
    closeSync(fd);
  });
  await settle();
  expect(openFds() - fdsBefore).toBe(0);
  expect(threads() - threadsBefore).toBeLessThanOrEqual(0);
});

const oneFrame = {
  offsets: Uint32Array.from([0, 0]),
  rects: new Int32Array(),
  expectedPts: BigInt64Array.from([0n]),
  timeBase: { num: 1, den: 25 },
  style: 'solid' as const,
};

test('a pump whose writer or reader has gone ends in an error, not in a dead process', async () => {
  const masks = {
    ...oneFrame,
    offsets: new Uint32Array(6),
    expectedPts: BigInt64Array.from([0n, 1n, 2n, 3n, 4n]),
    timeBase: { num: 1, den: 5 },
  };
  const start = async (useOutput: (fd: number) => void): Promise<unknown> => {
    const decoder = await startDecoder({ input: at('small.mkv'), pixelFormat: 'yuv420p' });
    const output = openFramePipe();
    const pumping = pumpFrames({
      ...masks,
      readFd: decoder.readFd,
      writeFd: output.writeFd,
      firstFrame: 0,
      endFrame: 5,
    });
    useOutput(output.readFd);
    return pumping;
  };
  await makeClip(at('small.mkv'), 'testsrc=s=1280x720:r=5:d=1', '-c:v', 'libx264', '-pix_fmt', 'yuv420p');
  await expect(start(closeSync)).rejects.toMatchObject({ code: 'ffmpeg-failed' });
  // Nobody reads: an abort ends it all the same.
  const stop = new AbortController();
  const stuck = openFramePipe();
  const decoder = await startDecoder({ input: at('small.mkv'), pixelFormat: 'yuv420p', signal: stop.signal });
  const pumping = pumpFrames({
    ...masks,
    readFd: decoder.readFd,
    writeFd: stuck.writeFd,
    firstFrame: 0,
    endFrame: 5,
    signal: stop.signal,
  });
  setTimeout(() => {
    stop.abort();
  }, 200);
  await expect(pumping).rejects.toMatchObject({ code: 'interrupted' });
  closeSync(stuck.readFd);
  // The writer closes without a word.
  const silent = openFramePipe();
  const sink = openFramePipe();
  closeSync(silent.writeFd);
  await expect(
    pumpFrames({ ...masks, readFd: silent.readFd, writeFd: sink.writeFd, firstFrame: 0, endFrame: 5 }),
  ).rejects.toMatchObject({ code: 'ffmpeg-failed' });
  closeSync(sink.readFd);
});

test('masks that do not fit together are refused before anything runs, and their pipes closed', async () => {
  await settle();
  const before = openFds();
  const wrong: object[] = [
    { offsets: Uint32Array.from([0]) },
    { offsets: Uint32Array.from([0, 1]) },
    { rects: Int32Array.from([1, 2, 3]) },
    { offsets: Uint32Array.from([0, 1]), rects: Int32Array.from([0, 0, -4, 4]) },
    { timeBase: { num: 0, den: 25 } },
    { style: 'blur' },
    { expectedPts: BigInt64Array.from([3n, 3n]), offsets: Uint32Array.from([0, 0, 0]) },
    { label: { texts: ['A'], textOfFrame: Uint32Array.from([1]), edge: 'top' } },
    { label: { texts: [], textOfFrame: Uint32Array.from([]), edge: 'top' } },
  ];
  for (const part of wrong) {
    const { readFd, writeFd } = openFramePipe();
    await expect(checkFrames({ ...oneFrame, ...part, readFd })).rejects.toMatchObject({ code: 'internal' });
    closeSync(writeFd);
  }
  expect(openFds()).toBe(before);
});

test('a process with an open reader ends by itself', async () => {
  const addon = join(import.meta.dirname, '../../dist/native/tredive.node');
  const script = `const a=require(${JSON.stringify(addon)});const p=a.openFramePipe();const r=a.openFrameReader(p.readFd);
    if (process.argv[1] === 'pending') { r.next(null).catch(() => {}); setTimeout(() => process.exit(0), 50); }`;
  for (const mode of ['idle', 'pending']) {
    const code = await new Promise((done) => {
      spawn(process.execPath, ['-e', script, mode], { stdio: 'inherit', timeout: 10_000 }).on('exit', (status, by) => {
        done(status ?? by);
      });
    });
    expect(code).toBe(0);
  }
});

test('a worker thread that is terminated takes its readers and pumps with it', async () => {
  const addon = join(import.meta.dirname, '../../dist/native/tredive.node');
  const script = `
    const { Worker, isMainThread, parentPort } = require('worker_threads');
    const a = require(${JSON.stringify(addon)});
    const masks = { offsets: new Uint32Array(2), rects: new Int32Array(0), expectedPts: new BigInt64Array(1),
      timeBase: { num: 1, den: 25 }, style: 'solid' };
    if (isMainThread) (async () => {
      const threads = () => require('fs').readdirSync('/proc/self/task').length;
      const once = async () => {
        const worker = new Worker(process.env.SCRIPT, { eval: true });
        await new Promise((ready) => worker.on('message', ready));
        await worker.terminate();
      };
      await once();
      const before = threads();
      for (let i = 0; i < 5; i++) await once();
      process.exit(threads() > before ? 1 : 0);
    })(); else {
      a.openFrameReader(a.openFramePipe().readFd).next(null).catch(() => {});
      a.pumpFrames({ ...masks, readFd: a.openFramePipe().readFd, writeFd: a.openFramePipe().writeFd, firstFrame: 0,
        endFrame: 1 }).done.catch(() => {});
      a.checkFrames({ ...masks, readFd: a.openFramePipe().readFd }).done.catch(() => {});
      parentPort.postMessage(1);
    }`;
  const code = await new Promise((done) => {
    const env = { ...process.env, SCRIPT: script };
    spawn(process.execPath, ['-e', script], { stdio: 'inherit', env, timeout: 30_000 }).on('exit', (status, by) => {
      done(status ?? by);
    });
  });
  expect(code).toBe(0);
});
