/**
 * A kill, and an error, at each call by which a deletion touches the disk: its own and those of SQLite, as the kernel gets them
 * (test/fault/fault.c). Whatever it was, the next start leaves nothing lost, nothing left over and nothing half done.
 *
 * A sweep of six files makes about 865 such calls and a recovery 650, most of them SQLite's on its own files. Of the
 * others all are taken, of SQLite's every thirteenth. TREDIVE_FAULTS=all takes all of them, each with every errno that fits.
 */
import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openJournal } from '../../src/retention/journal-file.js';
import { june } from '../helpers/store.js';
import {
  checkpointsOf,
  dist,
  dueFiles,
  filesBelow,
  makeSite,
  requireBuild,
  restartAndJudge,
  several,
} from './delete-site.js';

const all = process.env['TREDIVE_FAULTS'] === 'all';
const stride = all ? 1 : 13;
const { EIO, ENOSPC, EDQUOT, EROFS, EACCES, EPERM, EBUSY, ENOLCK, ENOMEM, EMFILE } = constants.errno;

/** What each call may fail with. */
const errnosOf: Readonly<Record<string, readonly number[]>> = {
  ...Object.fromEntries(
    ['unlink', 'unlinkat', 'rmdir', 'mkdir'].map((name) => [name, [EIO, EROFS, EACCES, EBUSY, EPERM]]),
  ),
  ...Object.fromEntries(['write', 'pwrite', 'ftruncate'].map((name) => [name, [ENOSPC, EIO, EDQUOT]])),
  ...Object.fromEntries(['open', 'openat2', 'opendir', 'scandir'].map((name) => [name, [EACCES, EIO, EMFILE]])),
  fsync: [EIO, ENOSPC],
  fcntl: [ENOLCK, EIO],
  mmap: [ENOMEM],
};
const errnosFor = (name: string): readonly number[] => errnosOf[name] ?? [EIO];

interface Call {
  readonly at: number;
  readonly writes: boolean;
  readonly name: string;
  readonly path: string;
}
interface Ended {
  readonly error?: string;
  readonly deleted?: number;
  readonly absent?: number;
  readonly failed?: number;
  readonly refused?: string | null;
}
interface Answer {
  readonly first: Ended;
  readonly lies: number;
  readonly second: Ended | null;
}

// In memory where there is such a folder: a kill leaves the same there, and thousands of syncs cost nothing.
const place = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tredive-fault-'));
const shim = join(place, 'fault.so');
const idle: ChildProcess[] = [];

beforeAll(() => {
  requireBuild();
  const source = fileURLToPath(new URL('./fault.c', import.meta.url));
  execFileSync('cc', [
    '-O1',
    '-shared',
    '-fPIC',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-o',
    shim,
    source,
    '-ldl',
    '-pthread',
  ]);
});
afterAll(() => {
  for (const child of idle) child.kill();
  rmSync(place, { recursive: true, force: true });
});

/** Lets a child carry out an order. What it said, and null where it was killed. */
async function order(message: {
  dir: string;
  mode: string;
  at: number;
  how: string;
  log?: string;
}): Promise<{ answer: Answer | null; signal: string | null }> {
  const script = fileURLToPath(new URL('./syscall-child.mjs', import.meta.url));
  const child =
    idle.pop() ??
    fork(script, [dist.href, String(june)], {
      env: { ...process.env, LD_PRELOAD: shim, FAULT_DIR: place },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  return await new Promise((resolve) => {
    const onExit = (_code: number | null, signal: string | null): void => {
      child.removeAllListeners();
      resolve({ answer: null, signal });
    };
    child.once('exit', onExit);
    child.once('message', (answer: Answer) => {
      child.removeAllListeners();
      idle.push(child);
      resolve({ answer, signal: null });
    });
    child.send(message);
  });
}

const sites = { made: 0 };
async function withSite(
  mode: string,
  at: number,
  how: string,
  log?: string,
): Promise<{ answer: Answer | null; signal: string | null }> {
  sites.made += 1;
  const dir = join(place, String(sites.made));
  const site = makeSite(dir);
  const before = filesBelow(dir);
  const { answer, signal } = await order({ dir, mode, at, how, ...(log !== undefined && { log }) });
  const what = `${mode}, call ${at}, ${how}`;
  try {
    if (answer !== null) {
      expect(answer.lies, what).toBe(0);
      if (answer.second !== null) expect(answer.second, what).toMatchObject({ failed: 0, refused: null, problems: [] });
    }
    await restartAndJudge(site, before, checkpointsOf(dir));
    judgeJournal(join(dir, 'data', 'journal'), (answer?.second ?? null) !== null);
  } catch (error) {
    throw new Error(`${what}: ${String(error)}`, { cause: error });
  }
  rmSync(dir, { recursive: true, force: true });
  return { answer, signal };
}

/** Its chain holds, it says no deletion twice, and after a sweep that wrote to it, it lacks none. */
function judgeJournal(folder: string, complete: boolean): void {
  const journal = openJournal(folder);
  const ids = [...journal.lines()].flatMap((line) =>
    line.kind === 'deleted' ? line.deletions.map(({ id }) => id) : [],
  );
  expect(journal.broken()).toBeNull();
  expect(new Set(ids).size).toBe(ids.length);
  if (complete) expect(ids).toHaveLength(dueFiles.length);
}

/** The calls of one undisturbed run. */
async function callsOf(mode: string): Promise<Call[]> {
  const log = join(place, `trace-${mode}`);
  const { answer } = await withSite(mode, 0, '0', log);
  expect(answer?.first).toMatchObject({ failed: 0, refused: null });
  return readFileSync(log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [at, kind, name, path] = line.split(' ');
      return { at: Number(at), writes: kind === 'w', name: name ?? '', path: path ?? '' };
    });
}

const ofSqlite = ({ path }: Call): boolean => /tredive\.db|\.lock/.test(path);

/** All that are not SQLite's own, and of those every so many. */
function chosen(calls: readonly Call[]): Call[] {
  let left = 0;
  return calls.filter((call) => !ofSqlite(call) || left++ % stride === 0);
}

describe.each(['sweep', 'recover'])('at a call to the disk of a %s', (mode) => {
  test('a kill loses nothing, leaves nothing, and nothing is half done', { timeout: 3_600_000 }, async () => {
    const calls = await callsOf(mode);
    // What changes nothing leaves what the call before it left.
    const points = chosen(calls.filter(({ writes }) => writes));
    for (const name of ['unlinkat', 'unlink', 'fsync', 'pwrite', 'open'])
      expect(points.map((point) => point.name)).toContain(name);
    let killed = 0;
    await several(
      points,
      async ({ at }) => {
        if ((await withSite(mode, at, '0')).signal === 'SIGKILL') killed += 1;
      },
      2,
    );
    expect(killed).toBe(points.length);
    console.log(`${mode}: killed after ${killed} of ${calls.length} calls`);
  });

  test('an error loses nothing, is reported, and the next sweep makes it good', { timeout: 3_600_000 }, async () => {
    const calls = await callsOf(mode);
    const points = chosen(calls).flatMap((call, index) => {
      const errnos = errnosFor(call.name);
      const which = all ? errnos : [errnos[index % errnos.length] ?? EIO];
      return which.map((errno) => ({ ...call, errno }));
    });
    await several(
      points,
      async ({ at, name, path, errno }) => {
        const { answer } = await withSite(mode, at, String(errno));
        expect(answer, `${name} ${path}`).not.toBeNull();
        // Of a file itself, nothing else could tell that it is still there.
        if (name !== 'unlinkat') return;
        expect(answer?.first.failed, path).toBe(1);
      },
      2,
    );
    console.log(`${mode}: ${points.length} errors at ${chosen(calls).length} of ${calls.length} calls`);
  });

  test('a disk that fails from there on is survived by a restart', { timeout: 3_600_000 }, async () => {
    const calls = await callsOf(mode);
    const points = calls.filter((_, index) => index % (all ? 7 : 61) === 0);
    const ways = [EIO, ENOSPC, EROFS];
    await several(
      [...points.entries()],
      async ([index, { at }]) => {
        const { answer } = await withSite(mode, at, `${ways[index % ways.length] ?? EIO}+`);
        const { error, deleted = 0, absent = 0, failed = 0, refused } = answer?.first ?? {};
        const reported = error !== undefined || failed > 0 || refused !== null;
        expect(reported || deleted + absent === dueFiles.length, `call ${at}`).toBe(true);
      },
      2,
    );
    console.log(`${mode}: a disk that fails from ${points.length} of ${calls.length} calls on`);
  });
});
