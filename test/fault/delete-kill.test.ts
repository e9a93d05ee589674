/** SIGKILL at every step of a deletion, and at every step of finishing it; and at moments that no step names. */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
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
  type Site,
} from './delete-site.js';

const child = fileURLToPath(new URL('./delete-child.mjs', import.meta.url));

beforeAll(requireBuild);

const runChild = (
  dir: string,
  mode: 'sweep' | 'recover',
  killAt: number,
): Promise<{ steps: string[]; signal: string | null }> =>
  new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [child, dist.href, dir, mode, String(killAt), String(june)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    process_.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    process_.on('error', reject);
    process_.on('close', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') reject(new Error(`the child ended with ${String(code ?? signal)}`));
      else resolve({ steps: out.split('\n').filter((line) => line !== ''), signal });
    });
  });

/** A copy keeps no inode, and a segment is its inode: so every run gets a site made anew. */
async function sweepKilledAt(
  killAt: number,
): Promise<{ site: Site; before: Map<string, string>; steps: string[]; signal: string | null }> {
  const site = makeSite();
  const before = filesBelow(site.dir);
  const { steps, signal } = await runChild(site.dir, 'sweep', killAt);
  return { site, before, steps, signal };
}

describe('C6 killed with SIGKILL', () => {
  test('at every step of a sweep', { timeout: 300_000 }, async () => {
    const { site, before, steps } = await sweepKilledAt(-1);
    expect(await restartAndJudge(site, before, checkpointsOf(site.dir))).toEqual(dueFiles.map(() => 'unlinked'));
    expect(new Set(steps)).toEqual(
      new Set([
        'sweep-begun',
        'intent-written',
        'intent-committed',
        'derived-unlinked',
        'derived-synced',
        'derived-written',
        'derived-forgotten',
        'files-unlinked',
        'end-written',
        'end-committed',
        'sweep-committed',
        'wal-truncated',
      ]),
    );
    const absentAfter = new Set<string>();
    await several([...steps.entries()], async ([index, name]) => {
      const killed = await sweepKilledAt(index);
      expect(killed.signal, name).toBe('SIGKILL');
      expect(killed.steps.at(-1)).toBe(name);
      const results = await restartAndJudge(killed.site, killed.before, checkpointsOf(killed.site.dir));
      if (results.includes('already-absent')) absentAfter.add(name);
    });
    // Only between the unlink and its commit is it not known who removed a file, and the record does not claim to know.
    expect([...absentAfter].sort()).toEqual(['end-written', 'files-unlinked']);
    console.log(`killed at ${steps.length} points of a sweep`);
  });

  test('and again at every step of the recovery', { timeout: 300_000 }, async () => {
    // Killed for the first time with all files still there, and with files that are gone.
    const { steps } = await sweepKilledAt(-1);
    let points = 0;
    await several(['intent-committed', 'files-unlinked'], async (first) => {
      for (let secondAt = 0; ; secondAt += 1) {
        const { site, before } = await sweepKilledAt(steps.indexOf(first));
        const second = await runChild(site.dir, 'recover', secondAt);
        await restartAndJudge(site, before, checkpointsOf(site.dir));
        if (second.signal === null) break;
        points += 1;
      }
    });
    expect(points).toBeGreaterThan(8);
    console.log(`killed at ${points} points of a recovery`);
  });

  test('at moments that no step names', { timeout: 120_000 }, async () => {
    await several([0, 1, 2, 3, 4, 5, 6, 7], async (round) => {
      const site = makeSite();
      const before = filesBelow(site.dir);
      const process_ = spawn(process.execPath, [child, dist.href, site.dir, 'sweep', '-1', String(june)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const closed = new Promise((resolve) => process_.once('close', resolve));
      await new Promise((resolve) => process_.stdout.once('data', resolve));
      await sleep(round * 7);
      process_.kill('SIGKILL');
      await closed;
      await restartAndJudge(site, before, checkpointsOf(site.dir));
    });
  });
});
