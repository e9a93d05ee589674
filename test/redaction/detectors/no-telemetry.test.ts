import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const pool = new URL('../../../dist/redaction/detectors/pool.js', import.meta.url);

it('the detector leaves no device id behind and prepares no upload', async () => {
  // The compiled code in a process of its own: what counts is the environment in which the library is first loaded.
  expect(existsSync(pool), 'dist is not built; run npm run build').toBe(true);
  const folder = await mkdtemp(join(tmpdir(), 'tredive-home-'));
  const [home, script] = [join(folder, 'home'), join(folder, 'detect.mjs')];
  try {
    await mkdir(home);
    const text = `
      const { openDetectorPool } = await import(${JSON.stringify(pool.href)});
      const pool = openDetectorPool({ workers: 1, minScore: 0.2, vehicles: false });
      await pool.detect(new Float32Array(3 * 64 * 64), 64, 64);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await pool.close();`;
    await writeFile(script, text);
    const env = { PATH: process.env['PATH'], HOME: home };
    const done = spawnSync(process.execPath, [script], { env, encoding: 'utf8' });
    expect(done.stderr).not.toMatch(/telemetry/i);
    expect(done, done.stderr).toMatchObject({ status: 0 });
    expect(await readdir(home)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
