/**
 * The process that makes a masked copy is killed with SIGKILL, at moments before, while and after the copy grows. What is on the
 * disk then shows nobody, the names it has are nobody's, and the next run is as if nothing had been.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runningOn } from '../helpers/children.js';
import { embeddedFfmpeg } from '../helpers/clip.js';
import { makeClip } from '../helpers/clips.js';

const place = mkdtempSync(join(tmpdir(), 'tredive-kill-'));
const [out, temporary] = [join(place, 'out'), join(place, 'tmp')];
const [source, output] = [join(place, 'source.mp4'), join(out, 'copy.mp4')];
const [zones, decisions] = [join(place, 'zones.json'), join(place, 'decisions.json')];
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const hook = fileURLToPath(new URL('./kill-at.mjs', import.meta.url));
const [width, height, frames, coveredWidth] = [320, 240, 100, 240];

beforeAll(async () => {
  mkdirSync(out);
  mkdirSync(temporary);
  // Noise at the right, which nobody covers, lets the copy grow; all the rest is covered in every frame, and has to be.
  const noisy = `testsrc2=s=${width}x${height}:r=25:d=${frames / 25},noise=alls=30:allf=t`;
  await makeClip(source, noisy, '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p');
  writeFileSync(zones, JSON.stringify([{ name: 'all but the right', x: 0, y: 0, w: coveredWidth / width, h: 1 }]));
  writeFileSync(decisions, JSON.stringify({ mode: 'people' }));
});
afterEach(() => {
  for (const name of readdirSync(out)) rmSync(join(out, name));
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

const redact = ['redact', source, output, '--zones', zones, '--keep', decisions, '--json'];
const environment = { ...process.env, TMPDIR: temporary };

/** Luma planes of what can be decoded of a file, whether or not it is whole. */
function lumaOf(path: string): Buffer {
  const picture = ['-pix_fmt', 'gray', '-vf', 'extractplanes=y', '-vsync', '0'];
  const { stdout } = spawnSync(
    embeddedFfmpeg(),
    ['-v', 'quiet', '-f', 'mp4', '-i', path, ...picture, '-f', 'rawvideo', 'pipe:1'],
    { maxBuffer: 1 << 28 },
  );
  return stdout;
}

/** Fill is luma 24; a coder may miss it by a little, and lets the neighbour of another block bleed in. */
const showsNobody = (luma: Buffer): boolean =>
  luma.every((value, at) => at % width >= coveredWidth - 16 || Math.abs(value - 24) < 8);

test('the check finds the frames of the source, so that it would find them in a copy', () => {
  const luma = lumaOf(source);
  expect(luma.length).toBe(width * height * frames);
  expect(showsNobody(luma)).toBe(false);
});

const before = [
  'after open partial',
  'after rm growing',
  'grows 1',
  'grows 100000',
  'before write partial',
  'after write partial',
  'after sync partial',
  'before rename partial',
];

describe('killed', () => {
  test.each([...before, 'after rename partial'])('%s', { timeout: 120_000 }, async (moment) => {
    const child = spawn(process.execPath, ['--import', hook, main, ...redact], {
      env: { ...environment, KILL_AT: moment },
      stdio: 'ignore',
    });
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    // Its processes read and write on pipes that nobody holds any more, and end.
    for (let waited = 0; waited < 400 && runningOn(place).length > 0; waited += 1) await sleep(25);
    expect(runningOn(place)).toEqual([]);

    const left = readdirSync(out);
    expect(left.length).toBeGreaterThan(0);
    const isNamed = moment === 'after rename partial';
    if (isNamed) expect(left).toEqual(['copy.mp4']);
    else expect(left.filter((name) => !name.endsWith('.partial'))).toEqual([]);
    const shown = left.map((name) => lumaOf(join(out, name)));
    expect(shown.every(showsNobody)).toBe(true);
    // There is something to look at, at the moments at which there is.
    const mostFrames = Math.max(...shown.map((luma) => luma.length)) / (width * height);
    if (moment === 'grows 100000' || isNamed || moment.includes('sync')) expect(mostFrames).toBeGreaterThan(10);
    expect(readdirSync(temporary)).toEqual([]);

    const again = execFileSync(process.execPath, [main, ...redact, ...(isNamed ? ['--force'] : [])], {
      env: environment,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(JSON.parse(again)).toMatchObject({ frames });
    expect(readdirSync(out)).toEqual(['copy.mp4']);
    expect(lumaOf(output).length).toBe(width * height * frames);
  });
});

describe('two runs to one output', () => {
  const start = (): { pid: number; ended: Promise<{ code: number | null; said: string }> } => {
    const child = spawn(process.execPath, [main, ...redact], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()));
    return {
      pid: child.pid ?? 0,
      ended: once(child, 'close').then(([code]) => ({ code: code as number | null, said })),
    };
  };
  // What grows is written under the lock; `.partial` is there a moment before it is locked.
  const growing = `${output}.growing.partial`;
  const untilClaimed = async (): Promise<void> => {
    for (let waited = 0; waited < 2000 && !existsSync(growing); waited += 1) await sleep(5);
    expect(existsSync(growing)).toBe(true);
  };

  test('the second is told of the first, which ends as if it were alone', { timeout: 120_000 }, async () => {
    const first = start();
    await untilClaimed();
    // It holds still, so that the other one meets it however fast this machine is.
    process.kill(first.pid, 'SIGSTOP');
    const second = await start().ended;
    process.kill(first.pid, 'SIGCONT');
    expect(second.code).toBe(1);
    expect(second.said).toMatch(/conflict/);
    expect(second.said).toMatch(/copy\.mp4 is being made by another run right now/);
    expect(second.said).toMatch(/name another output/);
    expect(existsSync(`${output}.partial`)).toBe(true);
    expect((await first.ended).code).toBe(0);
    expect(readdirSync(out)).toEqual(['copy.mp4']);
    expect(readFileSync(output).length).toBeGreaterThan(1000);
  });

  test('a first that was killed does not count', { timeout: 120_000 }, async () => {
    const first = start();
    await untilClaimed();
    process.kill(first.pid, 'SIGKILL');
    expect((await first.ended).code).toBe(null);
    expect((await start().ended).code).toBe(0);
    expect(readdirSync(out)).toEqual(['copy.mp4']);
  });
});
