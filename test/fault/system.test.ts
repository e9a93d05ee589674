/** Deletion on disks and databases that really are read-only, full, locked or not ours: mounts and users, no fakes. */
import BetterSqlite3 from 'better-sqlite3';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { openGateway } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import { legalLimitUs } from '../../src/domain/retention.js';
import { formatUtc } from '../../src/domain/time.js';
import { silentLog } from '../../src/platform/log.js';
import { isStuck } from '../../src/platform/patience.js';
import { makeReserve } from '../../src/platform/reserve.js';
import { checkDisk } from '../../src/retention/check-disk.js';
import type { RetentionContext } from '../../src/retention/context.js';
import { applyDeletions } from '../../src/retention/delete.js';
import type { Store } from '../../src/store/audit-log.js';
import { checkStore } from '../../src/store/check.js';
import { listDeletions } from '../../src/store/deletions.js';
import { openTasks } from '../../src/store/tasks.js';
import {
  addCamera,
  addRoot,
  addSegment,
  afterTest,
  day,
  hour,
  june,
  makeTestStore,
  tempDir,
  type TestStore,
} from '../helpers/store.js';

const run = (command: string, ...args: string[]): void => {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
};

function mountTmpfs(at: string, megabytes: number): void {
  mkdirSync(at, { recursive: true });
  run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', at);
  afterTest(() => {
    run('umount', at);
  });
}

/** Mounting takes root, and a container often forbids it even then. */
const mayMount = ((): boolean => {
  const at = '/tmp/tredive-may-mount';
  mkdirSync(at, { recursive: true });
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', at], { stdio: 'ignore' }).status !== 0) return false;
  return spawnSync('umount', [at], { stdio: 'ignore' }).status === 0;
})();
const isRoot = process.geteuid?.() === 0;
if (!mayMount) console.warn('SKIPPED, NOT TESTED: read-only, immutable and full disks. This user may not mount.');
if (!isRoot) console.warn('SKIPPED, NOT TESTED: lost permissions. Only root can become somebody else.');

const due = june - 29.5 * day;

/** Two cameras, one in each of two roots, with footage that is due and some that is not. `dir` may be a mount. */
function makeSite(options: { readonly dir?: string; readonly mount?: (root: string) => void } = {}): TestStore {
  const made = makeTestStore(options.dir === undefined ? {} : { dir: options.dir });
  for (const id of ['lobby', 'yard']) addCamera(made, id);
  options.mount?.(made.rootPath('nvr'));
  addRoot(made, 'nvr');
  addRoot(made, 'second');
  for (const [camera, root] of [
    ['lobby', 'nvr'],
    ['yard', 'second'],
  ] as const) {
    for (const name of ['a', 'b', 'c']) {
      addSegment(made, { root, camera, path: `${camera}/${name}.mp4`, startUs: due - name.charCodeAt(0) * 60_000_000 });
    }
    addSegment(made, { root, camera, path: `${camera}/young.mp4`, startUs: june - day });
  }
  return made;
}

const done = (made: TestStore): number => listDeletions(made.db).filter(({ state }) => state === 'done').length;
const filesOf = (made: TestStore, root: string, camera: string): string[] =>
  readdirSync(join(made.rootPath(root), camera)).sort();
const limitOf = (startUs: number): string =>
  formatUtc(
    legalLimitUs({ cameraId: 'lobby', class: 'crime-prevention', retentionDays: 30, retentionReason: null }, startUs),
  );
const oldest = due - 'c'.charCodeAt(0) * 60_000_000;

/** What is to be done, for a person, before it is too late; and of which footage. */
function expectAlarm(made: TestStore, kind: string, subject: string, detail: string): void {
  const task = openTasks(made.db).find((one) => one.kind === kind && one.subject === subject);
  expect(task?.detail).toContain(detail);
  expect(task?.createdUs).toBeLessThan(oldest + 30 * day);
}

async function expectEverythingGone(made: TestStore, ctx: RetentionContext = made.retention): Promise<void> {
  expect(await applyDeletions(ctx)).toMatchObject({ failed: [], problems: [], refused: null });
  expect(filesOf(made, 'nvr', 'lobby')).toEqual(['young.mp4']);
  expect(filesOf(made, 'second', 'yard')).toEqual(['young.mp4']);
  expect(done(made)).toBe(6);
  expect(new Set(listDeletions(made.db).map(({ segmentId }) => segmentId)).size).toBe(6);
  expect(openTasks(made.db)).toEqual([]);
  expect(await checkDisk(made.db, ctx)).toEqual([]);
  expect(checkStore(made.db)).toEqual([]);
  expect(made.verify().problems).toEqual([]);
}

describe.skipIf(!mayMount)('a disk that refuses', () => {
  test('C9 read-only: nothing is reported, somebody is told by when, the other disk goes on, and it is made good', async () => {
    const made = makeSite({
      mount: (root) => {
        mountTmpfs(root, 4);
      },
    });
    run('mount', '-o', 'remount,ro', made.rootPath('nvr'));
    for (let sweep = 1; sweep <= 2; sweep += 1) {
      const result = await applyDeletions(made.retention);
      expect(result.failed.map(({ path }) => path).sort()).toEqual(['lobby/a.mp4', 'lobby/b.mp4', 'lobby/c.mp4']);
      expect(result.deleted).toBe(sweep === 1 ? 3 : 0);
      expect(done(made)).toBe(3);
      expectAlarm(made, 'deletion-failing', 'camera:lobby', 'EROFS');
      expectAlarm(made, 'deletion-failing', 'camera:lobby', limitOf(oldest));
    }
    expect(filesOf(made, 'nvr', 'lobby')).toHaveLength(4);
    run('mount', '-o', 'remount,rw', made.rootPath('nvr'));
    await expectEverythingGone(made);
  });

  test('C9 not mounted: nothing is judged gone, somebody is told by when, the other disk goes on', async () => {
    const made = makeSite({
      mount: (root) => {
        mountTmpfs(root, 4);
      },
    });
    const [source, at] = [made.rootPath('nvr'), join(made.dir, 'away')];
    mkdirSync(at);
    run('mount', '--move', source, at);
    try {
      expect(await applyDeletions(made.retention)).toMatchObject({
        deleted: 3,
        absent: 0,
        problems: [{ rootId: 'nvr' }],
      });
      expectAlarm(made, 'root-untrusted', 'root:nvr', limitOf(oldest));
      expect(done(made)).toBe(3);
    } finally {
      run('mount', '--move', at, source);
    }
    await expectEverythingGone(made);
  });

  test('C9 one immutable file: it alone stays, is tried again, and goes when it can', async () => {
    const image = join(tempDir(), 'ext4.img');
    run('dd', 'if=/dev/zero', `of=${image}`, 'bs=1M', 'count=8', 'status=none');
    run('mkfs.ext4', '-q', image);
    const made = makeSite({
      mount: (root) => {
        mkdirSync(root, { recursive: true });
        run('mount', '-o', 'loop', image, root);
        afterTest(() => {
          run('umount', root);
        });
      },
    });
    const file = join(made.rootPath('nvr'), 'lobby/b.mp4');
    run('chattr', '+i', file);
    try {
      for (const deleted of [5, 0]) {
        expect(await applyDeletions(made.retention)).toMatchObject({ deleted, failed: [{ path: 'lobby/b.mp4' }] });
        expect(filesOf(made, 'nvr', 'lobby')).toEqual(['b.mp4', 'young.mp4']);
        expectAlarm(made, 'deletion-failing', 'camera:lobby', 'EPERM');
      }
    } finally {
      run('chattr', '-i', file);
    }
    await expectEverythingGone(made);
  });
});

test.skipIf(!mayMount)('C9 a disk that does not answer: the others go on without it, and it is made good', async () => {
  const image = join(tempDir(), 'ext4.img');
  run('dd', 'if=/dev/zero', `of=${image}`, 'bs=1M', 'count=8', 'status=none');
  run('mkfs.ext4', '-q', image);
  const made = makeSite({
    mount: (root) => {
      mkdirSync(root, { recursive: true });
      run('mount', '-o', 'loop', image, root);
      afterTest(() => {
        run('umount', root);
      });
    },
  });
  const root = made.rootPath('nvr');
  // Who writes to it from here on waits in the kernel.
  run('fsfreeze', '-f', root);
  try {
    const impatient = { ...made.retention, patienceMs: 500 };
    const result = await applyDeletions(impatient);
    expect(result).toMatchObject({ deleted: 3, problems: [] });
    expect(result.failed.map(({ path }) => path).sort()).toEqual(['lobby/a.mp4', 'lobby/b.mp4', 'lobby/c.mp4']);
    expectAlarm(made, 'deletion-failing', 'camera:lobby', 'ETIMEDOUT');
    expect(isStuck(root)).toBe(true);
    // Not asked again while it owes an answer: each question would be a thread less.
    expect(await applyDeletions(impatient)).toMatchObject({ deleted: 0, problems: [{ rootId: 'nvr' }] });
    expectAlarm(made, 'root-untrusted', 'root:nvr', limitOf(oldest));
    expect(done(made)).toBe(3);
  } finally {
    run('fsfreeze', '-u', root);
  }
  await vi.waitUntil(() => !isStuck(root), { timeout: 60_000 });
  await expectEverythingGone(made);
});

test.skipIf(!isRoot)('C9 the right to delete was lost: nothing is reported, and it is made good', async () => {
  const made = makeSite();
  // The gateway's own folders are its user's still; one recorder's folder is not.
  for (const path of [made.dir, made.dataDir, made.rootPath('second'), join(made.rootPath('second'), 'yard')])
    chmodSync(path, 0o777);
  for (const name of readdirSync(made.dataDir)) chmodSync(join(made.dataDir, name), 0o666);
  process.seteuid?.(65534);
  try {
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 3, failed: [{}, {}, {}] });
    expect(done(made)).toBe(3);
    expectAlarm(made, 'deletion-failing', 'camera:lobby', 'EACCES');
  } finally {
    process.seteuid?.(0);
  }
  expect(filesOf(made, 'nvr', 'lobby')).toHaveLength(4);
  await expectEverythingGone(made);
});

describe.skipIf(!mayMount)('a disk that is full', () => {
  /** Recordings and data on one small disk, which a recorder fills to the last byte. */
  function fullSite(): { made: TestStore; reserve: RetentionContext } {
    const dir = join(tempDir(), 'disk');
    mountTmpfs(dir, 80);
    const made = makeSite({ dir });
    afterTest(() => {
      made.db.close();
    });
    const reserve = makeReserve(made.dataDir, silentLog);
    expect(reserve.fill()).toBe(true);
    const store: Store = {
      ...made.store,
      act: (actor, work) => reserve.spend(() => made.store.act(actor, work)),
    };
    return { made, reserve: { ...made.retention, store, reserve } };
  }
  function fill(made: TestStore): void {
    // What is in the WAL was written already: only a longer one needs room.
    made.db.pragma('wal_checkpoint(TRUNCATE)');
    const filler = join(made.dir, 'roots/nvr/recording-now.mp4');
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4096', 'status=none'], { stdio: 'ignore' });
    expect(statfsSync(made.dir).bavail).toBe(0);
  }

  test('C14 full to the last byte: what is due goes all the same, recorded and in the log; and somebody is told', async () => {
    const { made, reserve } = fullSite();
    fill(made);
    expect(await applyDeletions(reserve)).toMatchObject({ deleted: 6, absent: 0, failed: [], refused: null });
    expect(done(made)).toBe(6);
    expect(openTasks(made.db).map(({ kind }) => kind)).toEqual(['disk-full']);
    expect(made.verify().problems).toEqual([]);
    // Room again: it is kept for the next time, and nobody is asked for anything any more.
    run('rm', join(made.dir, 'roots/nvr/recording-now.mp4'));
    await expectEverythingGone(made, reserve);
  });

  test('C14 a gateway that is started on a full disk begins to delete by itself', async () => {
    const { made } = fullSite();
    const keys = join(made.dataDir, 'keys');
    mkdirSync(keys, { mode: 0o700 });
    for (const name of ['audit', 'package']) {
      writeFileSync(join(keys, `${name}.pem`), made.privateKey.export({ format: 'pem', type: 'pkcs8' }), {
        mode: 0o600,
      });
    }
    const file = join(made.dir, 'gateway.yaml');
    const roots = ['nvr', 'second'].map((id) => `{ id: ${id}, path: ./roots/${id}, layout: frigate }`).join(', ');
    writeFileSync(file, `site: { name: Full, timezone: UTC }\ndata: ./data\nroots: [${roots}]\n`);
    const options = { clock: made.clock, log: silentLog };
    // Was started before, and stopped in the middle of things: there is a WAL.
    (await openGateway(loadConfig(file), options)).close();
    made.store.act('gateway', (note) => {
      note('config.applied', 'gateway', {});
    });
    const filler = join(made.dir, 'roots/nvr/recording-now.mp4');
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4096', 'status=none'], { stdio: 'ignore' });
    expect(statfsSync(made.dir).bavail).toBe(0);
    const gateway = await openGateway(loadConfig(file), options);
    try {
      expect(await applyDeletions(gateway.retention)).toMatchObject({ deleted: 6, failed: [], refused: null });
    } finally {
      gateway.close();
    }
    expect(done(made)).toBe(6);
  });

  test('C14 and where that room is used up: nothing is reported, nothing is lost, and it is made good', async () => {
    const { made, reserve } = fullSite();
    run('rm', join(made.dataDir, 'reserve'));
    fill(made);
    await expect(applyDeletions(reserve)).rejects.toThrow(/full/i);
    expect(filesOf(made, 'nvr', 'lobby')).toHaveLength(4);
    expect(listDeletions(made.db)).toEqual([]);
    run('rm', join(made.dir, 'roots/nvr/recording-now.mp4'));
    await expectEverythingGone(made, reserve);
  });
});

test('C14 a database that another process keeps locked: nothing is deleted that could not be written down, and the next sweep goes on', async () => {
  const made = makeSite();
  // It waits ten seconds for others, which is not what is tested.
  made.db.pragma('busy_timeout = 50');
  const other = new BetterSqlite3(join(made.dataDir, 'tredive.db'));
  other.exec('BEGIN IMMEDIATE');
  await expect(applyDeletions(made.retention)).rejects.toThrow(/locked/);
  expect(filesOf(made, 'nvr', 'lobby')).toHaveLength(4);
  expect(filesOf(made, 'second', 'yard')).toHaveLength(4);
  other.exec('COMMIT');
  // Locked between the two phases: files are gone that no record says so of yet.
  const outcome = applyDeletions(made.retention, {
    onStep: (step) => {
      if (step === 'files-unlinked' && !other.inTransaction) other.exec('BEGIN IMMEDIATE');
    },
  });
  await expect(outcome).rejects.toThrow(/locked/);
  expect(done(made)).toBe(0);
  expect(existsSync(join(made.rootPath('nvr'), 'lobby/a.mp4'))).toBe(false);
  other.close();
  await expectEverythingGone(made);
});

test('C14 a camera that was removed, of which the recorder keeps no folder any more, does not hold up the others', async () => {
  const made = makeSite();
  run('rm', '-r', join(made.rootPath('nvr'), 'lobby'));
  addSegment(made, { camera: 'yard', path: 'yard/witness.mp4', startUs: june - hour });
  writeFileSync(join(made.rootPath('nvr'), 'not-ours.txt'), 'a letter');
  expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 3, absent: 3, failed: [], refused: null });
  expect(
    listDeletions(made.db)
      .map(({ result }) => result)
      .sort(),
  ).toEqual([...['already-absent', 'already-absent', 'already-absent'], ...['unlinked', 'unlinked', 'unlinked']]);
  expect(existsSync(join(made.rootPath('nvr'), 'not-ours.txt'))).toBe(true);
});
