import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const soak = fileURLToPath(new URL('../bench/soak.mjs', import.meta.url));

it('ends with index and disk equal after a minute of sixteen cameras and somebody at their files', () => {
  const run = spawnSync(process.execPath, [soak, '--minutes', '1.1', '--json'], { encoding: 'utf8', timeout: 240_000 });
  expect(run.stderr).toBe('');
  const result = JSON.parse(run.stdout) as Record<string, unknown>;
  expect(result).toMatchObject({ ok: true, differ: [], late: [], code: 0, audit: true });
  const { made, renamed, truncated, deleted, moved, announced } = result['done'] as Record<string, number>;
  for (const count of [made, renamed, truncated, deleted, moved, announced]) expect(count).toBeGreaterThan(0);
  // Five roots, sixteen cameras: see `WatchFigures`.
  expect((result['peak'] as { watches: number }).watches).toBeLessThan(5 * 64 + 16 * 8);
}, 300_000);
