import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { maskEveryone, type RedactionPlan } from '../../src/domain/redaction-plan.js';
import { findFfmpeg, startDecoder } from '../../src/platform/ffmpeg.js';
import { renderPlan, type PassRun } from '../../src/redaction/conveyor.js';
import { withOutput } from '../../src/redaction/output-claim.js';
import { ffmpeg, look, makeClip, type Seen } from '../helpers/clips.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-fail-'));
const out = join(place, 'out');
const long = join(place, 'long.mp4');
const output = join(out, 'masked.mp4');
let source: Seen;
let realFfmpeg: string;

const planOf = (timeline: Seen, width = 640, height = 360): RedactionPlan => ({
  version: 2,
  width,
  height,
  frameCount: timeline.pts.length,
  tracks: [],
  zones: [],
  decisions: {
    ...maskEveryone,
    drawn: [{ fromFrame: 0, toFrame: timeline.pts.length, box: { x: 100, y: 100, w: 80, h: 160 } }],
  },
});

interface Job {
  readonly input?: string;
  readonly output?: string;
  readonly timeline?: Seen;
}
const render = ({ input = long, output: to = output, timeline = source }: Job = {}, run: PassRun = {}) =>
  withOutput(to, (claim) =>
    renderPlan(
      input,
      { plan: planOf(timeline), timeBase: timeline.timeBase, pts: timeline.pts },
      { firstFrame: 0, endFrame: timeline.pts.length },
      { claim, style: 'solid' },
      run,
    ),
  );

/** A stand-in for ffmpeg that runs `shell` first and then the real one; it only ever makes something fail. */
function useWrapper(shell: string): void {
  const path = join(place, 'wrapped-ffmpeg');
  writeFileSync(path, `#!/bin/sh\n${shell}\nexec '${realFfmpeg}' "$@"\n`);
  chmodSync(path, 0o755);
  process.env['TREDIVE_FFMPEG'] = path;
}
const whenEncoding = (shell: string): string => `case "$*" in *libx264*) ${shell};; esac`;

/** Process ids of our own ffmpeg children whose arguments contain `word`. */
function children(word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        return Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
      } catch {
        return false; // it has ended meanwhile
      }
    })
    .map(Number);
}

beforeAll(async () => {
  realFfmpeg = (await findFfmpeg()).path;
  mkdirSync(out);
  await makeClip(
    long,
    'testsrc2=s=640x360:r=25:d=12',
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-g',
    '25',
    '-pix_fmt',
    'yuv420p',
    '-movflags',
    '+faststart',
  );
  source = await look(long);
});
afterEach(() => {
  delete process.env['TREDIVE_FFMPEG'];
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

test.each([
  ['decoder', 'long.mp4'],
  ['encoder', 'libx264'],
  ['decoder of the proof', 'setpts=N'],
])('the %s is killed midway: no file', async (_who, word) => {
  const rendering = render(
    {},
    {
      onProgress: (frames) => {
        if (frames < 30) return;
        for (const pid of children(word)) process.kill(pid, 'SIGKILL');
      },
    },
  );
  await expect(rendering).rejects.toMatchObject({ code: 'ffmpeg-failed' });
  await expect(rendering).rejects.toThrow(/SIGKILL/);
  expect(readdirSync(out)).toEqual([]);
});

test('the decoder of the proof is killed: no file, and it is not said of the copy', async () => {
  useWrapper('case "$*" in *setpts=N*) kill -KILL $$;; esac');
  await expect(render()).rejects.toMatchObject({ code: 'ffmpeg-failed' });
  await expect(render()).rejects.toThrow(/SIGKILL/);
  expect(readdirSync(out)).toEqual([]);
});

test('an abort at any moment leaves no file and no child', async () => {
  for (const delayMs of [0, 30, 120, 400, 900]) {
    const rendering = render({}, { signal: AbortSignal.timeout(delayMs) });
    await expect(rendering).rejects.toMatchObject({ code: 'interrupted' });
    expect(readdirSync(out)).toEqual([]);
    expect(children('pipe:3')).toEqual([]);
  }
});

test('the file cannot grow any more: no file', async () => {
  useWrapper(whenEncoding('ulimit -f 64'));
  await expect(render()).rejects.toMatchObject({ code: 'ffmpeg-failed' });
  expect(readdirSync(out)).toEqual([]);
});

test('a full disk is told as one', async () => {
  useWrapper(whenEncoding('echo "out.mp4: No space left on device" >&2; exit 1'));
  await expect(render()).rejects.toMatchObject({ code: 'disk-full' });
  expect(readdirSync(out)).toEqual([]);
});

test('an encoder that stops early, writes nothing or writes the source as it was is found out', async () => {
  useWrapper(whenEncoding('set -- -t 5 "$@"'));
  await expect(render()).rejects.toMatchObject({
    // Whoever notices first: its writer, or its proof. It is never said of the source.
    code: expect.stringMatching(/ffmpeg-failed|verification-failed/) as string,
    message: expect.not.stringMatching(/^Decoding/) as string,
  });
  useWrapper(whenEncoding('cat <&3 >/dev/null; exit 0'));
  await expect(render()).rejects.toMatchObject({ code: 'verification-failed' });
  useWrapper(whenEncoding(`for last; do :; done; cat <&3 >/dev/null; cp '${long}' "\${last#file:}"; exit 0`));
  await expect(render()).rejects.toMatchObject({ code: 'verification-failed' });
  expect(readdirSync(out)).toEqual([]);
});

test('no ffmpeg, and something else under its name', async () => {
  process.env['TREDIVE_FFMPEG'] = '/nonexistent/ffmpeg';
  await expect(render()).rejects.toMatchObject({ code: 'ffmpeg-failed' });
  process.env['TREDIVE_FFMPEG'] = '/bin/true';
  await expect(render()).rejects.toThrow(/is not ffmpeg/);
});

test('an output folder that is not there', async () => {
  await expect(render({ output: join(place, 'none/masked.mp4') })).rejects.toMatchObject({ code: 'io-failed' });
});

test('a source cut off in the middle is rendered as far as it goes, and said to be damaged', async () => {
  const cut = join(place, 'cut.mp4');
  writeFileSync(cut, readFileSync(long));
  truncateSync(cut, Math.floor(readFileSync(long).length / 2));
  const timeline = await look(cut);
  expect(timeline.pts.length).toBeGreaterThan(50);
  expect(timeline.pts.length).toBeLessThan(300);
  const result = await render({ input: cut, timeline });
  expect(result).toMatchObject({ damaged: true, frames: timeline.pts.length });
  expect(result.complaints).not.toBe('');
});

test('damage in the pictures loses no frame', async () => {
  const spoilt = join(place, 'spoilt.ts');
  await ffmpeg('-i', long, '-c', 'copy', spoilt);
  const bytes = readFileSync(spoilt);
  for (let at = 188 * 300 + 90; at < bytes.length; at += 188 * 500) bytes.fill(0xa5, at, at + 60);
  writeFileSync(spoilt, bytes);
  const timeline = await look(spoilt);
  const result = await render({ input: spoilt, timeline });
  expect(result).toMatchObject({ damaged: true, frames: timeline.pts.length });
  expect(timeline.pts.length).toBeGreaterThan(290);
});

test.each([
  [
    'no index',
    (path: string) => {
      writeFileSync(path, readFileSync(long).subarray(0, 200));
    },
  ],
  [
    'empty',
    (path: string) => {
      writeFileSync(path, '');
    },
  ],
  [
    'noise',
    (path: string) => {
      writeFileSync(path, Buffer.from(Array.from({ length: 20_000 }, (_u, i) => (i * i * 31) % 251)));
    },
  ],
  [
    'a playlist',
    (path: string) => {
      writeFileSync(path, `ffconcat version 1.0\nfile '${long}'\n`);
    },
  ],
  [
    'an HLS playlist',
    (path: string) => {
      writeFileSync(path, `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${long}\n#EXT-X-ENDLIST\n`);
    },
  ],
  [
    'a text',
    (path: string) => {
      writeFileSync(path, 'Hello there.\n'.repeat(500));
    },
  ],
])('a source that is %s is refused', async (_what, make) => {
  const path = join(place, 'bad.mp4');
  make(path);
  await expect(look(path)).rejects.toMatchObject({
    code: expect.stringMatching(/media-unreadable|ffmpeg-failed/) as string,
  });
  const decoder = await startDecoder({ input: path });
  await expect(decoder.done).rejects.toMatchObject({ code: 'media-unreadable' });
  await expect(render({ input: path })).rejects.toMatchObject({ code: 'media-unreadable' });
  expect(readdirSync(out)).toEqual([]);
});

test('names with colons, quotes, percent signs and a leading dash are just names', async () => {
  for (const name of ['-i.mp4', 'concat:a|b.mp4', "it's 100%d.mp4", 'http:x.mp4', 'Kamera Bücherei 入口.mp4']) {
    const path = join(place, name);
    writeFileSync(path, readFileSync(long));
    const first = await look(path);
    expect(first.pts).toHaveLength(300);
    rmSync(path);
  }
});
