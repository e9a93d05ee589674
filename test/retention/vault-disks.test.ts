/** Protected copies on disks that are full, and on disks that can share blocks: mounted for the test, real ones. */
import { readFileSync, readdirSync, statSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDisk } from '../../src/retention/check-disk.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { methodHere } from '../../src/retention/vault/method-here.js';
import { makeCopier } from '../../src/retention/vault/copy-thread.js';
import { protectHeld } from '../../src/retention/vault/protect.js';
import { readEntries } from '../../src/store/audit-log.js';
import { markerName } from '../../src/platform/root-folder.js';
import { openTasks } from '../../src/store/tasks.js';
import { wholeCopies, wholeCopyOf } from '../../src/store/vault-copies.js';
import { canMount, mountForTest, reflinksOf, tmpfsOf } from '../helpers/mounts.js';
import {
  addCamera,
  addHold,
  addRoot,
  addSegment,
  day,
  hour,
  june,
  makeTestStore,
  type TestStore,
} from '../helpers/store.js';
import { vaultFiles, vaultOf } from '../helpers/vault.js';

const minute = 60_000_000;
const megabyte = 1 << 20;

/** Held recordings of a megabyte each, on a disk of its own. */
function heldOn(dir: string, count: number): TestStore & { readonly ids: readonly number[] } {
  const made = makeTestStore({ dir });
  addCamera(made, 'lobby');
  addRoot(made, 'nvr');
  const ids = Array.from({ length: count }, (_one, index) => {
    const startUs = june - hour + index * minute;
    const content = String(index % 10).repeat(megabyte);
    return addSegment(made, { camera: 'lobby', path: `lobby/${index}.mp4`, startUs, minutes: 1, content });
  });
  addHold(made, { id: 'h1', cameras: ['lobby'], startUs: june - hour, endUs: june - hour + count * minute });
  return Object.assign(made, { ids });
}

const typesOf = (made: TestStore): string[] =>
  [...readEntries(made.db)].map(({ entry }) => (JSON.parse(entry) as { type: string }).type);

const footageOn = (made: TestStore): string[] => readdirSync(join(made.dir, 'roots/nvr/lobby')).sort();

const tmpfs = canMount('a full disk', tmpfsOf(4 * megabyte));

describe('C15 a full disk', () => {
  test.runIf(tmpfs)('ends in an alarm with the bytes that are needed, and touches nothing that is held', async () => {
    const made = heldOn(mountForTest(tmpfsOf(24 * megabyte)), 8);
    // Room for some of the copies.
    const { bavail, bsize } = statfsSync(made.dir);
    const filler = join(made.dir, 'filler');
    writeFileSync(filler, Buffer.alloc(bavail * bsize - 5 * megabyte));
    const footage = footageOn(made);
    const first = await protectHeld({ ...vaultOf(made), makeCopier });
    expect(first.copied).toBeGreaterThan(0);
    expect(first.copied).toBeLessThan(8);
    expect(first.waiting).toBe(8 - first.copied);
    const [task] = openTasks(made.db);
    expect(task).toMatchObject({ kind: 'vault-full', subject: 'gateway:vault' });
    expect(task?.detail).toContain(`(${first.waitingBytes} bytes)`);
    expect(Number(/free at least (\d+) bytes/.exec(task?.detail ?? '')?.[1])).toBeGreaterThanOrEqual(
      first.waitingBytes,
    );
    expect(footageOn(made)).toEqual(footage);
    // No half of a copy, and every one that counts as whole is.
    expect(vaultFiles(made).size).toBe(first.copied * 2);
    expect(await checkDisk(made.db, made)).toEqual([]);

    // Tried again, and not said again.
    const said = typesOf(made).length;
    expect(await protectHeld(vaultOf(made))).toMatchObject({ copied: 0, waiting: first.waiting });
    expect(typesOf(made)).toHaveLength(said);
    // A sweep on the full disk, with everything else due, keeps what is held too.
    made.nowUs = june + 29.6 * day;
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 0, held: 8 });
    expect(footageOn(made)).toEqual(footage);

    unlinkSync(filler);
    expect(await protectHeld(vaultOf(made))).toMatchObject({ waiting: 0, failed: [] });
    expect(openTasks(made.db).filter(({ kind }) => kind.startsWith('vault'))).toEqual([]);
  });

  test('what must stay free is kept free: a copy that would take of it is not begun', async () => {
    const dir = join(makeTestStore().dir, 'other');
    const made = heldOn(dir, 2);
    const { bavail, bsize } = statfsSync(made.dir);
    const result = await protectHeld(vaultOf(made, { reserveBytes: bavail * bsize + 1_000_000_000 }));
    expect(result).toMatchObject({ copied: 0, waiting: 2, waitingBytes: 2 * megabyte });
    expect(Number(/free at least (\d+) bytes/.exec(openTasks(made.db)[0]?.detail ?? '')?.[1])).toBeGreaterThan(
      900_000_000,
    );
    expect(vaultFiles(made).size).toBe(0);
  });
});

describe.each(['btrfs', 'xfs'] as const)('D6 reflinks on %s', (type) => {
  const works = canMount(`reflinks on ${type}`, reflinksOf(type));

  test.runIf(works)(
    'a copy shares its blocks, takes no room, and keeps what it had when the original is rewritten',
    async () => {
      const made = heldOn(mountForTest(reflinksOf(type)), 3);
      const freeBytes = (): number => {
        const { bavail, bsize } = statfsSync(made.dir);
        return bavail * bsize;
      };
      // More than is free is to stay free: no copy would fit, and none is made.
      const reserveBytes = freeBytes() * 2;
      expect(await protectHeld(vaultOf(made, { reserveBytes }))).toMatchObject({ copied: 3, waiting: 0 });
      expect(wholeCopies(made.db).map(({ method }) => method)).toEqual(['reflink', 'reflink', 'reflink']);
      const [id = 0] = made.ids;
      const copy = wholeCopyOf(made.db, id);
      const path = join(made.dataDir, copy?.path ?? '', copy?.fileName ?? '');
      expect(statSync(path).mode & 0o777).toBe(0o600);
      writeFileSync(join(made.rootPath('nvr'), 'lobby/0.mp4'), 'x'.repeat(megabyte));
      expect(await protectHeld(vaultOf(made))).toMatchObject({ originalsLost: 1, damaged: 0 });
      expect(readFileSync(path, 'utf8')).toBe('0'.repeat(megabyte));
      writeFileSync(join(made.rootPath('nvr'), markerName), 'a marker\n');
      expect(methodHere(made.rootPath('nvr'), made.dataDir, true)).toBe('reflink');
    },
  );
});

test('which way a root takes is found out without leaving anything behind', () => {
  const made = heldOn(join(makeTestStore().dir, 'other'), 1);
  const root = made.rootPath('nvr');
  expect(methodHere(root, made.dataDir, true)).toBeNull();
  writeFileSync(join(root, markerName), 'a marker\n');
  const before = readdirSync(made.dataDir).sort();
  const linked = methodHere(root, made.dataDir, true);
  const copied = methodHere(root, made.dataDir, false);
  expect(['hard-link', 'reflink']).toContain(linked);
  expect(copied).toBe(linked === 'reflink' ? 'reflink' : 'copy');
  expect(readdirSync(made.dataDir).sort()).toEqual(before);
  expect(statSync(join(root, markerName)).nlink).toBe(1);
});
