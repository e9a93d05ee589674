/** A database that was put back from a backup, beside a vault that went on: what is held is taken over, what is not held is not kept. */
import { mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDisk } from '../../src/retention/check-disk.js';
import { protectHeld } from '../../src/retention/vault/protect.js';
import { readEntries } from '../../src/store/audit-log.js';
import { checkStore } from '../../src/store/check.js';
import { liftHold } from '../../src/store/holds.js';
import { findById, findByPath, removeSegment, segmentsIn } from '../../src/store/segments.js';
import { closeTask, openTask, openTasks } from '../../src/store/tasks.js';
import { listCopies, wholeCopyOf } from '../../src/store/vault-copies.js';
import {
  addCamera,
  addHold,
  addRoot,
  addSegment,
  hour,
  june,
  makeTestStore,
  type TestStore,
} from '../helpers/store.js';
import { vaultFiles, vaultOf } from '../helpers/vault.js';

const minute = 60_000_000;
const content = 'what was recorded '.repeat(100);

interface Site extends TestStore {
  readonly id: number;
  readonly original: string;
}

/** Held, protected, and then the rows of the copy are lost, as with a backup of before the hold. */
async function withLostCopy(alsoRow: boolean): Promise<Site> {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  const root = addRoot(made, 'nvr');
  const id = addSegment(made, { camera: 'lobby', path: 'lobby/a.mp4', startUs: june - hour, content });
  // So that the root is not empty when the recorder has deleted the other.
  addSegment(made, { camera: 'lobby', path: 'lobby/b.mp4', startUs: june - minute });
  addHold(made, { id: 'h1', cameras: ['lobby'], startUs: june - hour, endUs: june - hour + minute });
  await protectHeld(vaultOf(made));
  made.db.prepare('DELETE FROM derived_file').run();
  if (alsoRow) removeSegment(made.db, id);
  return Object.assign(made, { id, original: join(root, 'lobby/a.mp4') });
}

const putBack = (made: TestStore): void => {
  openTask(made.db, { kind: 'database-restored', subject: 'gateway:database', detail: 'test', createdUs: june });
};

const lift = (made: TestStore): void => {
  made.store.act('user:legal', (note) => {
    liftHold(made.db, 'h1', 'user:legal', june);
    note('hold.lifted', 'hold:h1', {});
  });
};

const problemsOf = async (made: TestStore): Promise<unknown[]> => [
  ...checkStore(made.db),
  ...(await checkDisk(made.db, { dataDir: made.dataDir, rootPath: (id) => made.rootPath(id) })),
];

const typesOf = (made: TestStore): string[] =>
  [...readEntries(made.db)].map(({ entry }) => (JSON.parse(entry) as { type: string }).type);

describe('C11 D6 a database from a backup beside the vault', () => {
  test('a copy that it does not know, of what is held, is compared and taken over', async () => {
    const made = await withLostCopy(false);
    unlinkSync(made.original);
    const before = [...vaultFiles(made).keys()];
    expect(await protectHeld(vaultOf(made))).toMatchObject({ copied: 0, waiting: 0, originalsLost: 1 });
    expect([...vaultFiles(made).keys()]).toEqual(before);
    expect(wholeCopyOf(made.db, made.id)).toMatchObject({ method: 'copy', sizeBytes: content.length });
    expect(typesOf(made)).toContain('vault.adopted');
    expect((await problemsOf(made)).filter((one) => !JSON.stringify(one).includes('"I6"'))).toEqual([]);
  });

  test('also where the row of the segment is lost with it: it stands in its range again', async () => {
    const made = await withLostCopy(true);
    unlinkSync(made.original);
    expect(segmentsIn(made.db, ['lobby'], { startUs: june - hour, endUs: june - hour + 1 })).toEqual([]);
    await protectHeld(vaultOf(made));
    const row = findByPath(made.db, 'nvr', 'lobby/a.mp4');
    expect(row).toMatchObject({ state: 'vaulted', cameraId: 'lobby', startUs: june - hour, sizeBytes: content.length });
    expect(row?.id).toBeGreaterThan(made.id);
    expect(findById(made.db, made.id)).toBeNull();
    expect(await problemsOf(made)).toEqual([]);
  });

  test('one that no hold covers goes at once in an ordinary start', async () => {
    const made = await withLostCopy(false);
    lift(made);
    await protectHeld(vaultOf(made));
    expect(vaultFiles(made).size).toBe(0);
    expect(typesOf(made).at(-1)).toBe('vault.removed');
    expect(await problemsOf(made)).toEqual([]);
  });

  test('after a database was put back it waits for a person who has looked at the holds', async () => {
    const made = await withLostCopy(false);
    lift(made);
    putBack(made);
    await protectHeld(vaultOf(made));
    expect(vaultFiles(made).size).toBe(2);
    const tasks = openTasks(made.db).map(({ kind }) => kind);
    expect(tasks).toEqual(['database-restored', 'vault-unknown']);
    // The hold is placed again: it is taken over after all.
    addHold(made, { id: 'h9', cameras: ['lobby'], startUs: june - hour, endUs: june - hour + minute });
    await protectHeld(vaultOf(made));
    expect(wholeCopyOf(made.db, made.id)).not.toBeNull();
    expect(openTasks(made.db).map(({ kind }) => kind)).toEqual(['database-restored']);
  });

  test('and goes when that person says that nothing is missing', async () => {
    const made = await withLostCopy(false);
    lift(made);
    putBack(made);
    await protectHeld(vaultOf(made));
    closeTask(made.db, 'database-restored', 'gateway:database', june);
    await protectHeld(vaultOf(made));
    expect(vaultFiles(made).size).toBe(0);
    expect(openTasks(made.db)).toEqual([]);
  });

  test.each([
    [
      'other bytes',
      (folder: string) => {
        writeFileSync(join(folder, 'footage.mp4'), 'z'.repeat(content.length));
      },
    ],
    [
      'no footage',
      (folder: string) => {
        rmSync(join(folder, 'footage.mp4'));
      },
    ],
    [
      'half a card',
      (folder: string) => {
        const card = join(folder, 'segment.json');
        writeFileSync(card, readFileSync(card, 'utf8').slice(0, 200));
      },
    ],
    [
      'a card that leads elsewhere',
      (folder: string) => {
        const card = join(folder, 'segment.json');
        writeFileSync(card, readFileSync(card, 'utf8').replace('footage.mp4', '../../../../etc/passwd'));
      },
    ],
    [
      'a card without a start',
      (folder: string) => {
        const card = join(folder, 'segment.json');
        writeFileSync(card, readFileSync(card, 'utf8').replace('startUs', 'startsUs'));
      },
    ],
  ])('a folder with %s is never taken for a copy', async (_what, harm) => {
    const made = await withLostCopy(false);
    const [first = ''] = vaultFiles(made).keys();
    const folder = join(made.dataDir, 'vault', first, '..');
    harm(folder);
    await protectHeld(vaultOf(made));
    // The original is still there, so a whole one stands in its place.
    expect(listCopies(made.db)).toHaveLength(1);
    expect(typesOf(made)).not.toContain('vault.adopted');
    expect(await problemsOf(made)).toEqual([]);
  });

  test('a copy that it knows and that is gone since, with its hold, is no alarm', async () => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    addRoot(made, 'nvr');
    addSegment(made, { camera: 'lobby', path: 'lobby/a.mp4', startUs: june - hour, content });
    addHold(made, { id: 'h1', cameras: ['lobby'], startUs: june - hour, endUs: june - hour + minute });
    await protectHeld(vaultOf(made));
    renameSync(join(made.dataDir, 'vault'), join(made.dir, 'away'));
    mkdirSync(join(made.dataDir, 'vault'));
    lift(made);
    expect(await protectHeld(vaultOf(made))).toMatchObject({ removed: 1, damaged: 0 });
    expect(openTasks(made.db)).toEqual([]);
  });
});
