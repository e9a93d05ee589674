/**
 * Everything that can fail while a file is redacted: the processes and threads that take part are killed from outside, the disk
 * is full, the source is not what it was. Each time: no file, nothing left behind, and an error that says what happened.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { maskEveryone, type MaskDecisions } from '../../src/domain/redaction-plan.js';
import { defaultRedaction, redactFile, type RedactionRun } from '../../src/redaction/redact.js';
import { ffmpegs, leftBehind } from '../helpers/children.js';
import { makeClip } from '../helpers/clips.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-trouble-'));
const out = join(place, 'out');
const source = join(place, 'source.mp4');
const output = join(out, 'copy.mp4');
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const settings = { ...defaultRedaction, workers: 1, detectionsPerSecond: 2 };
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-pix_fmt', 'yuv420p'];

const redact = (
  more: {
    input?: string;
    output?: string;
    detector?: string;
    decisions?: MaskDecisions;
    run?: RedactionRun;
  } = {},
): ReturnType<typeof redactFile> =>
  redactFile({
    input: more.input ?? source,
    output: more.output ?? output,
    decisions: more.decisions ?? maskEveryone,
    settings: { ...settings, detector: more.detector ?? settings.detector },
    ...(more.run === undefined ? {} : { run: more.run }),
  });

/** Which processes take which part, as far as their arguments tell. */
const parts = {
  encoder: /libx264/,
  decoder: /^(?!.*libx264).*source\.mp4/,
  prover: /^(?!.*libx264)(?!.*source\.mp4).*(copy\.mp4|pipe:)/,
};

/** Until `stop`: does something to each process that takes this part, as soon as there is one. */
function meanwhile(
  part: RegExp,
  act: (pid: number) => void,
  ancestor = process.pid,
): { stop: () => Promise<number[]> } {
  const run = { going: true };
  const met: number[] = [];
  const watch = (async () => {
    while (run.going) {
      for (const { pid } of ffmpegs(part, ancestor)) {
        if (met.includes(pid)) continue;
        met.push(pid);
        act(pid);
      }
      await sleep(4);
    }
  })();
  return {
    async stop() {
      run.going = false;
      await watch;
      return met;
    },
  };
}

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was faster.
  }
};

beforeAll(async () => {
  mkdirSync(out);
  await makeClip(source, 'testsrc2=s=640x360:r=25:d=8', ...x264);
});
afterEach(async () => {
  expect(readdirSync(out)).toEqual([]);
  expect(await leftBehind()).toEqual([]);
  vi.restoreAllMocks();
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

describe('a process is killed', () => {
  test.each(Object.entries(parts))('%s', async (_part, part) => {
    const killing = meanwhile(part, kill);
    const done = redact();
    await expect(done).rejects.toMatchObject({ code: 'ffmpeg-failed' });
    await expect(done).rejects.toThrow(/SIGKILL/);
    expect((await killing.stop()).length).toBeGreaterThan(0);
  });

  test('the decoder in the last pass, after all was analysed', async () => {
    // Only when there is an encoder do masks get onto pictures.
    const killing = meanwhile(parts.encoder, () => {
      ffmpegs(parts.decoder).forEach(({ pid }) => {
        kill(pid);
      });
    });
    await expect(redact()).rejects.toMatchObject({ code: 'ffmpeg-failed' });
    await killing.stop();
  });
});

describe('the detector fails', () => {
  test('a thread crashes between two frames', async () => {
    const original = Object.getOwnPropertyDescriptor(Worker.prototype, 'postMessage')?.value as (
      ...sent: unknown[]
    ) => void;
    let frames = 0;
    vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, ...sent: unknown[]) {
      if (typeof sent[0] === 'object') frames += 1;
      Reflect.apply(original, this, frames === 4 ? ['crash'] : sent);
    });
    const done = redact();
    await expect(done).rejects.toMatchObject({ code: 'detector-failed' });
    expect(frames).toBeGreaterThanOrEqual(4);
  });

  test('the file of the model is damaged', async () => {
    const models = join(place, 'models');
    cpSync(fileURLToPath(new URL('../../dist/models', import.meta.url)), models, { recursive: true });
    const manifest = join(models, 'centernet.json');
    const { file } = JSON.parse(readFileSync(manifest, 'utf8')) as { file: string };
    const bytes = readFileSync(join(models, file));
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    writeFileSync(join(models, file), bytes);
    await expect(redact({ detector: manifest })).rejects.toMatchObject({ code: 'detector-failed' });
    writeFileSync(join(models, file), bytes.subarray(0, 1000));
    await expect(redact({ detector: manifest })).rejects.toMatchObject({ code: 'detector-failed' });
    rmSync(join(models, file));
    await expect(redact({ detector: manifest })).rejects.toMatchObject({ code: 'detector-failed' });
    await expect(redact({ detector: join(models, 'none.json') })).rejects.toMatchObject({ code: 'detector-failed' });
  });
});

describe('the disk', () => {
  const mayMount = process.getuid?.() === 0;
  if (!mayMount) process.stderr.write('\n!!! SKIPPED: a full disk: only root may mount a small one\n\n');

  test.skipIf(!mayMount)('is full', async () => {
    const small = join(place, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small]);
    try {
      // All of it moves: with motion masked there would be next to nothing to write.
      const done = redact({ output: join(small, 'copy.mp4'), decisions: { ...maskEveryone, mode: 'people' } });
      await expect(done).rejects.toMatchObject({ code: 'disk-full' });
      expect(readdirSync(small)).toEqual([]);
    } finally {
      execFileSync('umount', [small]);
    }
  });
});

describe('the source', () => {
  const copyOf = (name: string): string => {
    const path = join(place, name);
    cpSync(source, path);
    return path;
  };
  /** When the source is read for the last time. */
  const whenRendering = (act: () => void): { stop: () => Promise<number[]> } => {
    let done = false;
    return meanwhile(parts.encoder, () => {
      if (!done) act();
      done = true;
    });
  };

  test('ends early: what is there is masked, and it is said', async () => {
    const path = join(place, 'cut.mkv');
    await makeClip(path, 'testsrc2=s=640x360:r=25:d=4', ...x264);
    writeFileSync(path, readFileSync(path).subarray(0, Math.floor(statSync(path).size * 0.6)));
    const { frames, analysis } = await redact({ input: path });
    expect(frames).toBeGreaterThan(20);
    expect(frames).toBeLessThan(100);
    expect(analysis.damaged).toBe(true);
    rmSync(output);
  });

  test('becomes shorter while it is read', async () => {
    const path = copyOf('shrinking-source.mp4');
    const acting = whenRendering(() => {
      writeFileSync(path, readFileSync(path).subarray(0, 1000));
    });
    await expect(redact({ input: path })).rejects.toMatchObject({
      code: 'segment-changed',
    });
    expect(await acting.stop()).not.toEqual([]);
  });

  test('is replaced by another of the same size and times, whose pictures were never looked at', async () => {
    const [path, other] = [copyOf('replaced-source.mp4'), join(place, 'other.mp4')];
    await makeClip(other, 'testsrc2=s=640x360:r=25:d=8', '-vf', 'hflip', ...x264);
    const { atime, mtime } = statSync(path);
    const acting = whenRendering(() => {
      utimesSync(other, atime, mtime);
      renameSync(other, path);
    });
    await expect(redact({ input: path })).rejects.toMatchObject({ code: 'segment-changed' });
    expect(await acting.stop()).not.toEqual([]);
  });

  test('is written to in place, and its time set back', async () => {
    const path = copyOf('written-source.mp4');
    const { atime, mtime } = statSync(path);
    const acting = whenRendering(() => {
      const bytes = readFileSync(path);
      writeFileSync(path, bytes);
      utimesSync(path, atime, mtime);
    });
    await expect(redact({ input: path })).rejects.toMatchObject({ code: 'segment-changed' });
    expect(await acting.stop()).not.toEqual([]);
  });

  test('is removed', async () => {
    const path = copyOf('removed-source.mp4');
    const acting = whenRendering(() => {
      rmSync(path);
    });
    await expect(redact({ input: path })).rejects.toMatchObject({
      code: 'segment-changed',
    });
    expect(await acting.stop()).not.toEqual([]);
  });
});

test('an abort at any moment', async () => {
  for (const delayMs of [0, 40, 150, 400, 800, 1300, 1900, 2600]) {
    await expect(redact({ run: { signal: AbortSignal.timeout(delayMs) } })).rejects.toMatchObject({
      code: 'interrupted',
    });
    expect(readdirSync(out)).toEqual([]);
    expect(await leftBehind()).toEqual([]);
  }
}, 120_000);

describe('the command', () => {
  interface Ended {
    readonly code: number | null;
    readonly stdout: string;
    readonly stderr: string;
  }
  const start = (): { pid: number; ended: Promise<Ended> } => {
    const child = spawn(process.execPath, [main, 'redact', source, output, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
    return { pid: child.pid ?? 0, ended };
  };

  test.each(Object.entries(parts))('says that its %s was killed', async (_part, part) => {
    const { pid, ended } = start();
    const killing = meanwhile(part, kill, pid);
    const { code, stdout, stderr } = await ended;
    expect((await killing.stop()).length).toBeGreaterThan(0);
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(/ffmpeg-failed/);
    expect(stdout + stderr).toMatch(/SIGKILL/);
  });

  test('is told to end', async () => {
    const { pid, ended } = start();
    const ending = meanwhile(
      parts.encoder,
      () => {
        process.kill(pid, 'SIGTERM');
      },
      pid,
    );
    const { code } = await ended;
    await ending.stop();
    expect(code).not.toBe(0);
  });

  test('is killed itself: its processes end, and only a name that nobody takes for a copy is left', async () => {
    const { pid, ended } = start();
    const killing = meanwhile(
      parts.encoder,
      () => {
        kill(pid);
      },
      pid,
    );
    expect((await ended).code).toBe(null);
    await killing.stop();
    // Now nobody's children, so they are known by what they work on.
    const theirs = (): string[] =>
      execFileSync('ps', ['-eo', 'stat=,args='], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.includes(place) && /ffmpeg/.test(line) && !line.startsWith('Z'));
    for (let moment = 0; moment < 400 && theirs().length > 0; moment += 1) await sleep(25);
    expect(theirs()).toEqual([]);
    expect(readdirSync(out).filter((name) => !name.endsWith('.partial'))).toEqual([]);
    await redact();
    expect(readdirSync(out)).toEqual(['copy.mp4']);
    rmSync(output);
  });
});
