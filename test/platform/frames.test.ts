import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.js';
import { startDecoder } from '../../src/platform/ffmpeg.js';
import {
  checkFrames,
  openFrameLine,
  openFramePipe,
  type FrameLine,
  type LookInto,
  type MaskBatch,
} from '../../src/platform/native.js';
import { ffmpeg, makeClip } from '../helpers/clips.js';
import { readNut, writeNut } from '../helpers/nut.js';
import { expectNoLeak, openFds, readToEnd, threads } from '../helpers/pipes.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-frames-'));
const at = (name: string): string => join(place, name);

/** A NUT file of 5 frames; so small that ffmpeg's muxer takes the start of a frame from its elision headers at times. */
let small: Buffer;

beforeAll(async () => {
  const raw = ['-pix_fmt', 'yuv420p', '-c:v', 'rawvideo', '-f', 'nut'];
  await makeClip(at('small.nut'), 'testsrc=s=18x10:r=5:d=1', ...raw);
  small = readFileSync(at('small.nut'));
  await makeClip(at('large.mp4'), 'testsrc=s=1280x720:r=5:d=1', '-c:v', 'libx264', '-pix_fmt', 'yuv420p');
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

/** A line on bytes that come from nowhere but here; they must fit into the pipe's 64 KiB. */
function lineOf(bytes: Uint8Array): FrameLine {
  const { readFd, writeFd } = openFramePipe();
  writeSync(writeFd, bytes);
  closeSync(writeFd);
  return openFrameLine({ readFd, style: 'solid' });
}

const bare = (count: number): MaskBatch => ({ counts: new Uint32Array(count), rects: new Int32Array(0) });

async function readAll(line: FrameLine): Promise<number> {
  try {
    let frames = 0;
    while ((await line.next()) !== null) frames += 1;
    return frames;
  } finally {
    line.close();
  }
}

test('a decoded picture is looked at in its colours, at an odd size', async () => {
  const lossless = ['-c:v', 'libx264', '-qp', '0', '-pix_fmt', 'yuv444p'];
  await makeClip(at('colors.mkv'), 'color=c=0x4080C0:s=35x21:r=5:d=1,format=yuv444p', ...lossless);
  const decoder = await startDecoder({ input: at('colors.mkv') });
  const line = openFrameLine({ readFd: decoder.readFd, timesFd: decoder.timesFd, style: 'solid' });
  expect(await line.header()).toMatchObject({ width: 35, height: 21, timeBase: { num: 1 } });
  const rgb = { pixels: new Float32Array(3 * 35 * 21), width: 35, height: 21 };
  for (let index = 0; index < 5; index += 1) {
    expect(await line.next()).toMatchObject({ index });
    rgb.pixels.fill(-99);
    await line.look({ rgb, small: null, matrix: 'bt601' });
    [0x40, 0x80, 0xc0].forEach((value, plane) => {
      for (const pixel of [0, 34, 35 * 21 - 1]) {
        expect(Math.abs((rgb.pixels[plane * 35 * 21 + pixel] ?? -99) - value)).toBeLessThan(4);
      }
    });
  }
  expect(await line.next()).toBeNull();
  expect(await line.next()).toBeNull();
  line.close();
  expect(await decoder.done).toEqual({ damaged: false, complaints: '' });
});

test('frames so small that the muxer leaves out their first bytes come through whole', async () => {
  await ffmpeg('-i', at('small.nut'), '-f', 'rawvideo', at('small.raw'));
  const plain = readFileSync(at('small.raw'));
  const line = lineOf(small);
  const sink = openFramePipe();
  const out = readToEnd(sink.readFd);
  line.writeTo(sink.writeFd);
  while ((await line.next()) !== null) line.release(bare(1));
  expect(await line.finish()).toBe(5);
  const { frames } = readNut(await out);
  expect(Buffer.concat(frames.map(({ pixels }) => pixels)).equals(plain)).toBe(true);
});

test('a stream cut at any byte ends in a coded error or fewer frames, never in all of them', async () => {
  expect(await readAll(lineOf(small))).toBe(5);
  // The index behind the last frame may be missing; everything before is needed.
  const lastFrame = small.lastIndexOf(Buffer.from([0x4e, 0x58, 0xdd, 0x67]));
  for (let length = 0; length < lastFrame - 300; length += 7) {
    const frames = await readAll(lineOf(small.subarray(0, length))).catch((error: unknown) => {
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
    await readAll(lineOf(bytes)).catch((error: unknown) => {
      expect((error as GatewayError).code).toMatch(/media-unreadable|ffmpeg-failed/);
    });
  }
  const noise = Buffer.from(Array.from({ length: 5000 }, () => random(256)));
  await expect(readAll(lineOf(noise))).rejects.toMatchObject({ code: 'media-unreadable' });
  await expect(readAll(lineOf(Buffer.alloc(0)))).rejects.toMatchObject({ code: 'ffmpeg-failed' });
});

test('pictures in another form than the one that is covered are refused', async () => {
  const frame = { pts: 0, pixels: new Uint8Array(8 * 8 * 3) };
  const rgb = writeNut({ width: 8, height: 8, timeBase: { num: 1, den: 25 }, frames: [frame] }, 'RGB\x18');
  const line = lineOf(rgb);
  await expect(line.header()).rejects.toMatchObject({ code: 'media-unreadable' });
  const { readFd, writeFd } = openFramePipe();
  writeSync(writeFd, rgb);
  closeSync(writeFd);
  await expect(checkFrames({ readFd, style: 'solid' }).done).rejects.toMatchObject({ code: 'media-unreadable' });
});

test('closing or aborting frees a line whose writer never says anything, and leaks neither threads nor fds', async () => {
  await sleep(100);
  const [fdsBefore, threadsBefore] = [openFds(), threads()];
  const writers: number[] = [];
  for (let i = 0; i < 20; i += 1) {
    const stop = new AbortController();
    const { readFd, writeFd } = openFramePipe();
    writers.push(writeFd);
    const line = openFrameLine({ readFd, style: 'solid' }, stop.signal);
    const sink = openFramePipe();
    if (i % 3 > 0) line.writeTo(sink.writeFd);
    const askAll = (): Promise<unknown>[] => [line.header(), line.next(), line.look(lookInto()), line.finish()];
    const asked = Promise.allSettled(askAll());
    if (i % 4 > 1) await sleep(i % 3);
    if (i % 2 === 0) line.close();
    else stop.abort();
    for (const one of [...(await asked), ...(await Promise.allSettled(askAll()))]) {
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'interrupted' } });
    }
    // Closed at once, whenever it is told of: an encoder must not wait for it.
    if (i % 3 === 0) line.writeTo(sink.writeFd);
    expect(await readToEnd(sink.readFd)).toHaveLength(0);
    line.close();
  }
  writers.forEach((fd) => {
    closeSync(fd);
  });
  await expectNoLeak(fdsBefore, threadsBefore);
});

const lookInto = (more: Partial<LookInto> = {}): LookInto => ({
  rgb: { pixels: new Float32Array(3 * 4 * 4), width: 4, height: 4 },
  small: null,
  matrix: 'bt601',
  ...more,
});

test('closed at any moment of its work, a line leaves nothing open, and whoever waits is told', async () => {
  await sleep(100);
  const [fdsBefore, threadsBefore] = [openFds(), threads()];
  for (let moment = 0; moment < 24; moment += 1) {
    const decoder = await startDecoder({ input: at('large.mp4'), niceness: 0 });
    const line = openFrameLine({ readFd: decoder.readFd, timesFd: decoder.timesFd, style: 'solid' });
    const sink = openFramePipe();
    line.writeTo(sink.writeFd);
    const out = moment % 2 === 0 ? readToEnd(sink.readFd) : null;
    const work = (async () => {
      while ((await line.next()) !== null) {
        await line.look(lookInto());
        if (moment % 3 > 0) line.release(bare(1));
      }
      if (moment % 3 === 0) line.release(bare(5));
      return line.finish();
    })();
    setTimeout(() => {
      line.close();
    }, moment * 4);
    const end = await work.catch((error: unknown) => error);
    if (end !== 5) expect(end).toMatchObject({ code: 'interrupted' });
    decoder.stop();
    if (out === null) closeSync(sink.readFd);
    else await out;
  }
  await expectNoLeak(fdsBefore, threadsBefore);
});

test('an encoder or a decoder that has gone ends in an error, not in a dead process', async () => {
  await sleep(100);
  const [fdsBefore, threadsBefore] = [openFds(), threads()];
  const pass = async (line: FrameLine): Promise<number> => {
    while ((await line.next()) !== null) line.release(bare(1));
    return line.finish();
  };
  const decoder = await startDecoder({ input: at('large.mp4') });
  const broken = openFramePipe();
  const line = openFrameLine({ readFd: decoder.readFd, timesFd: decoder.timesFd, style: 'solid' });
  line.writeTo(broken.writeFd);
  closeSync(broken.readFd);
  await expect(pass(line)).rejects.toMatchObject({ code: 'ffmpeg-failed' });
  // The reason stays the same for whoever asks later.
  await expect(line.next()).rejects.toMatchObject({ code: 'ffmpeg-failed' });
  // The writer closes without a word.
  const silent = openFramePipe();
  const sink = openFramePipe();
  closeSync(silent.writeFd);
  const empty = openFrameLine({ readFd: silent.readFd, style: 'solid' });
  empty.writeTo(sink.writeFd);
  await expect(pass(empty)).rejects.toMatchObject({ code: 'ffmpeg-failed' });
  const finished = lineOf(Buffer.alloc(0));
  finished.writeTo(openFramePipe().writeFd);
  await expect(finished.finish()).rejects.toMatchObject({ code: 'ffmpeg-failed' });
  closeSync(sink.readFd);
  await expectNoLeak(fdsBefore + 1, threadsBefore);
});

test('what cannot be done is refused, and the line goes on', async () => {
  const line = lineOf(small);
  const sink = openFramePipe();
  const out = readToEnd(sink.readFd);
  expect(() => {
    line.release(bare(1));
  }).toThrow(/not read yet/);
  line.writeTo(sink.writeFd);
  const second = openFramePipe();
  expect(() => {
    line.writeTo(second.writeFd);
  }).toThrow(/elsewhere/);
  expect(await readToEnd(second.readFd)).toHaveLength(0);
  await line.next();
  expect(() => {
    line.release(bare(2));
  }).toThrow(/not read yet/);
  const wrongLooks: LookInto[] = [
    lookInto({ rgb: { pixels: new Float32Array(47), width: 4, height: 4 } }),
    lookInto({ rgb: { pixels: new Float32Array(48), width: -4, height: -4 } }),
    lookInto({ rgb: { pixels: new Float32Array(0), width: 0, height: 4 } }),
    lookInto({ rgb: { pixels: new Uint8Array(48) as unknown as Float32Array, width: 4, height: 4 } }),
    lookInto({ rgb: { pixels: [] as unknown as Float32Array, width: 4, height: 4 } }),
    lookInto({ small: { pixels: new Uint8Array(16), width: 4, height: 4 } }),
    lookInto({ small: { pixels: new Uint8Array(24), width: 4, height: 1e9 } }),
  ];
  for (const wrong of wrongLooks) expect(() => line.look(wrong)).toThrow(/size|array/);
  const wrongMasks: object[] = [
    { counts: Uint32Array.from([1]) },
    { counts: Uint32Array.from([4294967295]) },
    { counts: Uint8Array.from([0]) },
    { counts: [0] },
    { rects: Int32Array.from([1, 2, 3]) },
    { rects: Int32Array.from([1, 2, 3, 4]) },
    { rects: Uint8Array.from([1, 2, 3, 4]), counts: Uint32Array.from([1]) },
    { rects: Int32Array.from([0, 0, -4, 4]), counts: Uint32Array.from([1]) },
    { texts: ['A', 'B'] },
    { texts: [] },
  ];
  for (const wrong of wrongMasks) {
    expect(() => {
      line.release({ ...bare(1), ...wrong });
    }, JSON.stringify(wrong)).toThrow();
  }
  line.release(bare(1));
  while ((await line.next()) !== null) line.release(bare(1));
  expect(await line.finish()).toBe(5);
  expect(readNut(await out).frames).toHaveLength(5);
});

test('an end with frames whose masks nobody told is an error, and so is an encoder that comes late', async () => {
  const line = lineOf(small);
  const sink = openFramePipe();
  const out = readToEnd(sink.readFd);
  line.writeTo(sink.writeFd);
  while ((await line.next()) !== null);
  line.release(bare(4));
  await expect(line.finish()).rejects.toMatchObject({ code: 'internal' });
  await out;
  const late = lineOf(small);
  await late.next();
  await late.next();
  const { readFd, writeFd } = openFramePipe();
  expect(() => {
    late.writeTo(writeFd);
  }).toThrow(/elsewhere/);
  closeSync(readFd);
  late.close();
  // No frame in hand, nothing to look at.
  await expect(lineOf(small).look(lookInto())).rejects.toMatchObject({ code: 'internal' });
});

test('options that make no sense are refused before anything runs, and their pipes closed', async () => {
  await sleep(50);
  const before = openFds();
  for (const part of [{ style: 'blur' }, { label: { edge: 'top' } }, { label: 7 }, { style: undefined }]) {
    for (const open of [openFrameLine, checkFrames]) {
      const { readFd, writeFd } = openFramePipe();
      expect(() => open({ style: 'solid', ...part, readFd } as never)).toThrow(GatewayError);
      closeSync(writeFd);
    }
  }
  expect(openFds()).toBe(before);
});

const addon = join(import.meta.dirname, '../../dist/native/tredive.node');

test('a process with an open line ends by itself', async () => {
  const script = `const a=require(${JSON.stringify(addon)});const p=a.openFramePipe();
    const r=a.openFrameLine({readFd:p.readFd,style:'solid'});
    if (process.argv[1] === 'pending') { r.next().catch(() => {}); setTimeout(() => process.exit(0), 50); }`;
  for (const mode of ['idle', 'pending']) {
    const code = await new Promise((done) => {
      spawn(process.execPath, ['-e', script, mode], { stdio: 'inherit', timeout: 10_000 }).on('exit', (status, by) => {
        done(status ?? by);
      });
    });
    expect(code).toBe(0);
  }
});

test('a worker thread that is terminated takes its lines and checks with it', async () => {
  const script = `
    const { Worker, isMainThread, parentPort } = require('worker_threads');
    const a = require(${JSON.stringify(addon)});
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
      const stuck = () => a.openFrameLine({ readFd: a.openFramePipe().readFd, style: 'solid' });
      stuck().next().catch(() => {});
      const fed = stuck();
      fed.writeTo(a.openFramePipe().writeFd);
      fed.next().catch(() => {});
      fed.finish().catch(() => {});
      const check = a.checkFrames({ readFd: a.openFramePipe().readFd, style: 'solid' });
      check.done.catch(() => {});
      check.expect({ counts: new Uint32Array(3), rects: new Int32Array(0) });
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
