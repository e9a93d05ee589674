/** Small file systems of a test's own. Needs the right to mount; where that is missing the test says loudly what it did not try. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterTest } from './store.js';

const run = (command: string, ...args: string[]): void => {
  execFileSync(command, args, { stdio: 'pipe' });
};

type Mount = (point: string, beside: string) => void;

function mounted(mount: Mount): { readonly point: string; readonly end: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'tredive-mount-'));
  const point = join(dir, 'disk');
  mkdirSync(point);
  try {
    mount(point, dir);
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
  const end = (): void => {
    run('umount', point);
    rmSync(dir, { recursive: true, force: true });
  };
  return { point, end };
}

/** In memory, of so many bytes. */
export const tmpfsOf =
  (bytes: number): Mount =>
  (point) => {
    run('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', point);
  };

/** In a file, with reflinks. */
export const reflinksOf =
  (type: 'btrfs' | 'xfs'): Mount =>
  (point, beside) => {
    const image = join(beside, 'image');
    writeFileSync(image, '');
    truncateSync(image, 320 << 20);
    run(`mkfs.${type}`, '-q', image);
    run('mount', '-o', 'loop', image, point);
  };

/** A folder on it, until the end of the test. */
export function mountForTest(mount: Mount): string {
  const { point, end } = mounted(mount);
  afterTest(end);
  return point;
}

/** Whether `mount` works here. Says it on stderr where it does not, so that nobody takes what was skipped for tested. */
export function canMount(what: string, mount: Mount): boolean {
  try {
    mounted(mount).end();
    return true;
  } catch (error) {
    process.stderr.write(`NOT TESTED: ${what}: ${(error as Error).message.split('\n')[0] ?? ''}\n`);
    return false;
  }
}
