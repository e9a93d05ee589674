import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { maskEveryone } from '../../src/domain/redaction-plan.js';
import { GatewayError } from '../../src/errors.js';
import type * as native from '../../src/platform/native.js';
import { withOutput, type OutputClaim } from '../../src/redaction/output-claim.js';
import { analyseFile, defaultRedaction, redactFile, renderCopy } from '../../src/redaction/redact.js';
import { makeClip, packetTimes } from '../helpers/clips.js';

const locks = vi.hoisted(() => ({ unknown: false }));
vi.mock('../../src/platform/native.js', async (original) => {
  const real = await original<typeof native>();
  return { ...real, tryLock: (fd: number) => (locks.unknown ? 'unknown' : real.tryLock(fd)) };
});

const place = mkdtempSync(join(tmpdir(), 'tredive-claim-'));
const folder = join(place, 'out');
const [output, other] = [join(folder, 'copy.mp4'), join(place, 'other')];
const [partial, growing] = [`${output}.partial`, `${output}.growing.partial`];

beforeEach(() => {
  locks.unknown = false;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  rmSync(other, { force: true });
});
afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

/** Writes a copy. */
const make =
  (content: string) =>
  async (claim: OutputClaim): Promise<void> => {
    await claim.partial.file.writeFile(content);
    await claim.name();
  };

/** A claim that lasts until it is told to end. */
function hold(path = output): { claim: Promise<OutputClaim>; end: (how?: Error) => void; done: Promise<unknown> } {
  let end: (how?: Error) => void = () => undefined;
  let done: Promise<unknown> = Promise.resolve();
  const claim = new Promise<OutputClaim>((settle, fail) => {
    done = withOutput(path, (mine) => {
      settle(mine);
      return new Promise<void>((ok, bad) => {
        end = (how) => {
          if (how === undefined) ok();
          else bad(how);
        };
      });
    });
    done.catch(fail);
  });
  return {
    claim,
    end: (how) => {
      end(how);
    },
    get done() {
      return done;
    },
  };
}

test('what is written gets the name, in place of what had it, and nothing else is left', async () => {
  writeFileSync(output, 'old');
  await withOutput(output, async (claim) => {
    expect(readFileSync(partial).length).toBe(0);
    expect(statSync(partial).mode & 0o777).toBe(0o600);
    writeFileSync(claim.growing, 'grows');
    expect(readFileSync(output, 'utf8')).toBe('old');
    rmSync(claim.growing);
    await make('new')(claim);
  });
  expect(readdirSync(folder)).toEqual(['copy.mp4']);
  expect(readFileSync(output, 'utf8')).toBe('new');
});

test.each(['fails', 'ends without a name'])('where the work %s, its files are gone', async (how) => {
  const held = hold();
  const { growing: path } = await held.claim;
  writeFileSync(path, 'grows');
  held.end(how === 'fails' ? new Error('no') : undefined);
  if (how === 'fails') await expect(held.done).rejects.toThrow('no');
  else await held.done;
  expect(readdirSync(folder)).toEqual([]);
});

describe('while one run makes it', () => {
  test('another is refused, by whatever path it comes, and harms nothing', async () => {
    const held = hold();
    writeFileSync((await held.claim).growing, 'grows');
    const link = join(place, 'link');
    symlinkSync(folder, link);
    for (const path of [output, join(link, 'copy.mp4'), join(folder, '..', 'out', 'copy.mp4')]) {
      const refused = withOutput(path, make('second'));
      await expect(refused).rejects.toMatchObject({
        code: 'conflict',
        message: `${path} is being made by another run right now.`,
        remedy: expect.stringContaining('name another output') as string,
      });
    }
    rmSync(link);
    expect(readdirSync(folder).sort()).toEqual(['copy.mp4.growing.partial', 'copy.mp4.partial']);
    await make('first')(await held.claim);
    held.end();
    await held.done;
    expect(readFileSync(output, 'utf8')).toBe('first');
  });

  test('another output is free', async () => {
    const held = hold();
    await held.claim;
    await withOutput(join(folder, 'copy2.mp4'), make('2'));
    held.end();
    await held.done;
    expect(readdirSync(folder)).toEqual(['copy2.mp4']);
  });

  test('of many at once one gets it, time after time', async () => {
    for (let round = 0; round < 20; round += 1) {
      const runs = await Promise.allSettled(
        Array.from({ length: 8 }, (_, run) =>
          withOutput(output, async (claim) => {
            await new Promise((settle) => setTimeout(settle, 5));
            await make(String(run))(claim);
          }),
        ),
      );
      const won = runs.flatMap(({ status }, run) => (status === 'fulfilled' ? [run] : []));
      expect(won.length).toBeGreaterThan(0);
      for (const run of runs) if (run.status === 'rejected') expect(run.reason).toMatchObject({ code: 'conflict' });
      expect(won.map(String)).toContain(readFileSync(output, 'utf8'));
      expect(readdirSync(folder)).toEqual(['copy.mp4']);
    }
  });

  test('it may be taken away, and then nothing of the one who has it now is touched', async () => {
    const held = hold();
    const first = await held.claim;
    rmSync(partial);
    await withOutput(output, async (claim) => {
      writeFileSync(claim.growing, 'of the second');
      await expect(first.name()).rejects.toMatchObject({ code: 'conflict' });
      held.end();
      await held.done;
      expect(readFileSync(growing, 'utf8')).toBe('of the second');
      await make('second')(claim);
    });
    expect(readFileSync(output, 'utf8')).toBe('second');
  });
});

describe('what was left is no hindrance, and is not written into', () => {
  const left: [string, () => void][] = [
    [
      'files of a crash',
      () => {
        for (const path of [partial, growing]) writeFileSync(path, 'half');
      },
    ],
    [
      'a link to a file',
      () => {
        symlinkSync(other, partial);
      },
    ],
    [
      'another name of a file',
      () => {
        linkSync(other, partial);
      },
    ],
    ['a pipe', () => execFileSync('mkfifo', [partial])],
  ];
  test.each(left)('%s', async (_what, leave) => {
    writeFileSync(other, 'precious');
    leave();
    await withOutput(output, make('new'));
    expect(readFileSync(output, 'utf8')).toBe('new');
    expect(lstatSync(output).isFile()).toBe(true);
    expect(readFileSync(other, 'utf8')).toBe('precious');
    expect(existsSync(partial)).toBe(false);
  });

  test('but a folder is', async () => {
    mkdirSync(partial);
    await expect(withOutput(output, make('new'))).rejects.toMatchObject({ code: 'io-failed' });
    rmSync(folder, { recursive: true });
    await expect(withOutput(output, make('new'))).rejects.toMatchObject({ code: 'io-failed' });
  });
});

test('where a file system keeps no locks, the one that was first learns it in the end', async () => {
  locks.unknown = true;
  const held = hold();
  const first = await held.claim;
  await withOutput(output, make('second'));
  await expect(first.name()).rejects.toMatchObject({ code: 'conflict' });
  held.end();
  await held.done;
  expect(readFileSync(output, 'utf8')).toBe('second');
});

describe('of real copies', () => {
  const clip = join(place, 'clip.mp4');
  const settings = { ...defaultRedaction, workers: 1 };
  const job = { input: clip, output, decisions: maskEveryone, settings };
  const made = (): Promise<string> =>
    makeClip(clip, 'testsrc2=s=320x240:r=10:d=2', '-c:v', 'libx264', '-pix_fmt', 'yuv420p');

  test('two at once: one is made, and the other is refused before it looks at anything', async () => {
    await made();
    const looked = vi.fn();
    const first = redactFile(job);
    const second = redactFile({ ...job, run: { onProgress: looked } });
    const ends = await Promise.allSettled([first, second]);
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const [refused] = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    expect(refused).toBeInstanceOf(GatewayError);
    expect(refused).toMatchObject({ code: 'conflict', message: expect.stringMatching(/by another run/) as string });
    if (ends[1].status === 'rejected') expect(looked).not.toHaveBeenCalled();
    expect(await packetTimes(output)).toHaveLength(20);
    expect(readdirSync(folder)).toEqual(['copy.mp4']);
  });

  test('rendering a plan claims it too, and so does a file that has to be read twice, throughout', async () => {
    await made();
    const analysis = await analyseFile(clip, settings);
    const render = { input: clip, output, analysis, decisions: maskEveryone, settings };
    const held = hold();
    await held.claim;
    await expect(renderCopy(render)).rejects.toMatchObject({ code: 'conflict' });
    held.end();
    await held.done;
    const seen: (string | undefined)[] = [];
    await redactFile({
      ...job,
      run: { mostDelayBytes: 1, onProgress: () => seen.push(existsSync(partial) ? undefined : 'free') },
    });
    expect(seen.length).toBeGreaterThan(20);
    expect(seen).not.toContain('free');
    await renderCopy(render);
    expect(readdirSync(folder)).toEqual(['copy.mp4']);
  });

  test('one that was put there meanwhile is not replaced unasked', async () => {
    await made();
    writeFileSync(output, 'done');
    await expect(redactFile({ ...job, replace: false })).rejects.toMatchObject({ code: 'conflict' });
    expect(readFileSync(output, 'utf8')).toBe('done');
    expect(readdirSync(folder)).toEqual(['copy.mp4']);
    await redactFile(job);
    expect(await packetTimes(output)).toHaveLength(20);
  });
});
