import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.js';
import { unlinkManyBeneath } from '../../src/platform/native.js';
import { checkDisk } from '../../src/retention/check-disk.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { planDeletions } from '../../src/retention/plan.js';
import { recoverDeletions, takeRetentionLock } from '../../src/retention/recovery.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { checkStore } from '../../src/store/check.js';
import { listDeletions } from '../../src/store/deletions.js';
import { listDerived, registerDerived } from '../../src/store/derived-files.js';
import { liftHold } from '../../src/store/holds.js';
import { putQuarantine } from '../../src/store/quarantine.js';
import { insertRequest } from '../../src/store/requests.js';
import { findById, markMissing } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import {
  addCamera,
  addHold,
  addRoot,
  addSegment,
  addUser,
  afterTest,
  day,
  hour,
  june,
  makeTestStore,
  type TestStore,
} from '../helpers/store.js';

/** A root with a camera and one young segment, so that it never looks like an empty mount point. */
function site(): TestStore & { root: string } {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  const root = addRoot(made, 'nvr');
  addSegment(made, { camera: 'lobby', path: 'lobby/young.mp4', startUs: june - day });
  return Object.assign(made, { root });
}

const due = june - 29.5 * day;
const tasks = (made: TestStore): string[] => openTasks(made.db).map((task) => `${task.kind} ${task.subject}`);
const everythingAgrees = async (made: TestStore): Promise<void> => {
  expect([...checkStore(made.db), ...(await checkDisk(made.db, made.retention))]).toEqual([]);
  expect(made.verify().problems).toEqual([]);
};

describe('a sweep', () => {
  test('deletes what is due, keeps what is not, and leaves a record without a path', async () => {
    const made = site();
    const old = addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    addSegment(made, { camera: 'lobby', path: 'lobby/just-not.mp4', startUs: due + 1 });
    const result = await applyDeletions(made.retention);
    expect(result).toMatchObject({ due: 1, deleted: 1, held: 0, failed: [], late: 0, refused: null, problems: [] });
    expect(readdirSync(join(made.root, 'lobby')).sort()).toEqual(['just-not.mp4', 'young.mp4']);
    expect(findById(made.db, old)).toBeNull();
    const [record] = listDeletions(made.db);
    expect(record).toMatchObject({ segmentId: old, result: 'unlinked', ruleId: 'class-limit/1', dueUs: june });
    expect(JSON.stringify([record, eventsOf(made.db, 'camera:lobby')])).not.toContain('old.mp4');
    expect(eventsOf(made.db, 'camera:lobby').map((event) => event.type)).toEqual([
      'camera.registered',
      'deletion.intended',
      'deletion.done',
    ]);
    await everythingAgrees(made);
  });

  test('a second sweep finds nothing', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    await applyDeletions(made.retention);
    expect(await applyDeletions(made.retention)).toMatchObject({ due: 0, deleted: 0, absent: 0 });
  });

  test('a plan changes nothing, may be for another instant, and says where each file is', () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    const before = made.db.serialize();
    const plan = planDeletions(made.retention, june);
    expect(plan).toMatchObject({ due: 1, late: 0, held: 0, refused: null, notListed: 0 });
    expect(plan.segments[0]).toMatchObject({
      path: 'lobby/old.mp4',
      startUs: due,
      dueUs: june,
      ruleId: 'class-limit/1',
    });
    expect(plan.cutoffs).toEqual([{ cameraId: 'lobby', ruleId: 'class-limit/1', cutoffUs: due }]);
    expect(planDeletions(made.retention, june + 40 * day)).toMatchObject({ due: 2, late: 2, refused: null });
    expect(planDeletions(made.retention, june - 1)).toMatchObject({ due: 0 });
    expect(made.db.serialize().equals(before)).toBe(true);
  });

  test('footage past the legal limit is deleted, counted as late, and somebody is told', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/late.mp4', startUs: june - 30 * day });
    expect(await applyDeletions(made.retention)).toMatchObject({ due: 1, deleted: 1, late: 1 });
    expect(tasks(made)).toEqual(['deletion-late gateway:retention']);
  });

  test('a hold keeps its footage and nothing else; lifted or past its review date, it keeps nothing', async () => {
    const made = site();
    const held = addSegment(made, { camera: 'lobby', path: 'lobby/held.mp4', startUs: due - hour });
    addSegment(made, { camera: 'lobby', path: 'lobby/beside.mp4', startUs: due });
    addHold(made, { id: 'h1', cameras: ['lobby'], startUs: due - hour + 1, endUs: due - hour + 2 });
    expect(await applyDeletions(made.retention)).toMatchObject({ due: 1, deleted: 1, held: 1 });
    expect(findById(made.db, held)?.state).toBe('indexed');
    made.nowUs = june + 29 * day;
    expect(planDeletions(made.retention, made.nowUs)).toMatchObject({ held: 1 });
    expect(planDeletions(made.retention, june + 30 * day)).toMatchObject({ held: 0, due: 2 });
    made.store.act('user:legal', (note) => {
      liftHold(made.db, 'h1', 'user:legal', made.nowUs);
      note('hold.lifted', 'hold:h1', {});
    });
    // The young one is due by now as well.
    expect(await applyDeletions(made.retention)).toMatchObject({ due: 2, deleted: 2, held: 0 });
  });

  test('B3 touching or renaming folders around a file does not change when it is due', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    utimesSync(join(made.root, 'lobby/old.mp4'), new Date(), new Date());
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1 });
  });

  test('a shorter period of the camera wins over the law, and a camera out of the configuration is purged all the same', async () => {
    const made = site();
    addCamera(made, 'yard', { retentionDays: 3 });
    addSegment(made, { camera: 'yard', path: 'yard/a.mp4', startUs: june - 3 * day });
    addSegment(made, { camera: 'yard', path: 'yard/b.mp4', startUs: june - 3 * day + 1 });
    const result = await applyDeletions(made.retention);
    expect(result).toMatchObject({ deleted: 1, late: 0 });
    expect(result.segments[0]?.ruleId).toBe('camera-retention/1');
  });

  test('a root out of the configuration is purged where it last was', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    expect(await applyDeletions({ ...made.retention, rootPath: () => null })).toMatchObject({ deleted: 1 });
  });

  test('works in batches with one event for each phase of a batch, and reports how far it is', async () => {
    const made = site();
    for (let index = 0; index < 25; index += 1) {
      addSegment(made, { camera: 'lobby', path: `lobby/${index}.mp4`, startUs: due - index * hour });
    }
    const seen: number[] = [];
    const result = await applyDeletions(made.retention, {
      batchSize: 10,
      onProgress: ({ done, total }) => {
        seen.push(done);
        expect(total).toBe(25);
      },
    });
    expect(result.deleted).toBe(25);
    expect(seen).toEqual([10, 20, 25]);
    const events = eventsOf(made.db, 'camera:lobby').filter((event) => event.type.startsWith('deletion.'));
    expect(events.map((event) => (event.data['records'] as unknown[]).length)).toEqual([10, 10, 10, 10, 5, 5]);
    await everythingAgrees(made);
  });

  test('stopped between two batches it leaves a clean state', async () => {
    const made = site();
    for (let index = 0; index < 9; index += 1) {
      addSegment(made, { camera: 'lobby', path: `lobby/${index}.mp4`, startUs: due - index * hour });
    }
    const stop = new AbortController();
    const result = await applyDeletions(made.retention, {
      batchSize: 3,
      signal: stop.signal,
      onProgress: () => {
        stop.abort();
      },
    });
    expect(result).toMatchObject({ due: 9, deleted: 3, interrupted: true });
    expect(readdirSync(join(made.root, 'lobby'))).toHaveLength(7);
    await everythingAgrees(made);
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 6 });
  });

  test('one sweep at a time', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    const release = takeRetentionLock(made);
    expect(await applyDeletions(made.retention)).toMatchObject({
      due: 1,
      deleted: 0,
      refused: 'another sweep is under way',
    });
    expect(await recoverDeletions(made.retention)).toMatchObject({ recovered: 0 });
    release?.();
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1 });
  });

  test('a margin under two hours is refused', async () => {
    const made = site();
    await expect(applyDeletions({ ...made.retention, marginUs: 2 * hour - 1 })).rejects.toMatchObject({
      code: 'config-invalid',
    });
  });

  test('records go after five years', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    await applyDeletions(made.retention);
    made.nowUs += 5 * 365 * day;
    await applyDeletions(made.retention);
    expect(listDeletions(made.db)).toHaveLength(2);
    made.nowUs += 1;
    await applyDeletions(made.retention);
    expect(listDeletions(made.db).map((row) => row.startUs)).toEqual([june - day]);
    await everythingAgrees(made);
  });

  test('a file in quarantine is left alone, but not for ever without a word', async () => {
    const made = site();
    writeFileSync(join(made.root, 'strange.bin'), 'x');
    made.store.act('gateway', (note) => {
      putQuarantine(made.db, {
        rootId: 'nvr',
        path: 'strange.bin',
        reason: 'foreign',
        detail: '',
        cameraId: null,
        boundUs: due,
        sizeBytes: 1,
        inode: '1',
        mtimeUs: 0,
        firstSeenUs: due,
      });
      note('recordings.indexed', 'root:nvr', {});
    });
    await applyDeletions(made.retention);
    expect(existsSync(join(made.root, 'strange.bin'))).toBe(true);
    expect(tasks(made)).toEqual(['quarantine-overdue root:nvr']);
  });
});

describe('a file that is not the indexed one', () => {
  const swaps: [string, (path: string) => void][] = [
    [
      'another inode',
      (path) => {
        // The copy exists before the original goes, so that it cannot get its inode number.
        writeFileSync(`${path}.new`, readFileSync(path));
        renameSync(`${path}.new`, path);
      },
    ],
    [
      'another size',
      (path) => {
        writeFileSync(path, 'longer', { flag: 'a' });
      },
    ],
    [
      'a symbolic link to somebody else',
      (path) => {
        writeFileSync(`${path}.victim`, 'not to be touched');
        unlinkSync(path);
        symlinkSync(`${path}.victim`, path);
      },
    ],
    [
      'a folder',
      (path) => {
        unlinkSync(path);
        mkdirSync(path);
      },
    ],
  ];
  test.each(swaps)('%s: refused, recorded, untouched, and not recorded again', async (_name, swap) => {
    const made = site();
    const path = join(made.root, 'lobby/old.mp4');
    const id = addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    swap(path);
    const before = readdirSync(join(made.root, 'lobby')).sort();
    const result = await applyDeletions(made.retention);
    expect(result).toMatchObject({ due: 1, deleted: 0, failed: [{ path: 'lobby/old.mp4' }] });
    expect(readdirSync(join(made.root, 'lobby')).sort()).toEqual(before);
    expect(findById(made.db, id)?.state).toBe('indexed');
    expect(listDeletions(made.db)).toMatchObject([{ state: 'refused', result: 'not-the-indexed-file' }]);
    expect(eventsOf(made.db, 'camera:lobby').at(-1)?.type).toBe('deletion.refused');
    expect(tasks(made)).toEqual([`segment-changed segment:${id}`]);
    expect(await applyDeletions(made.retention)).toMatchObject({ due: 1, failed: [{ path: 'lobby/old.mp4' }] });
    expect(listDeletions(made.db)).toHaveLength(1);
    expect(checkStore(made.db)).toEqual([]);
    // Indexed anew as what it is now, it goes, and the task with it.
    if (!statSync(path).isFile()) return;
    const stat = statSync(path, { bigint: true });
    made.store.act('gateway', (note) => {
      made.db
        .prepare('UPDATE segment SET inode = ?, size_bytes = ? WHERE id = ?')
        .run(stat.ino.toString(), stat.size, id);
      note('recordings.changed', 'root:nvr', {});
    });
    if (_name.startsWith('a symbolic')) return;
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1, failed: [] });
    expect(tasks(made)).toEqual([]);
  });

  test('a folder on the way that became a link out of the root', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'side/old.mp4', startUs: due });
    renameSync(join(made.root, 'side'), join(made.dir, 'elsewhere'));
    symlinkSync(join(made.dir, 'elsewhere'), join(made.root, 'side'));
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 0, failed: [{ path: 'side/old.mp4' }] });
    expect(existsSync(join(made.dir, 'elsewhere/old.mp4'))).toBe(true);
  });

  test('a file that somebody else removed is recorded as absent, never as unlinked', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    unlinkSync(join(made.root, 'lobby/old.mp4'));
    expect(await applyDeletions(made.retention)).toMatchObject({ due: 1, deleted: 0, absent: 1, failed: [] });
    expect(listDeletions(made.db)).toMatchObject([{ state: 'done', result: 'already-absent' }]);
  });

  test('the row of a missing file ends by the same rule, and goes with its file where that came back', async () => {
    const made = site();
    const lost = addSegment(made, { camera: 'lobby', path: 'lobby/lost.mp4', startUs: due });
    const back = addSegment(made, { camera: 'lobby', path: 'lobby/back.mp4', startUs: due });
    unlinkSync(join(made.root, 'lobby/lost.mp4'));
    made.store.act('gateway', (note) => {
      markMissing(made.db, lost, june);
      markMissing(made.db, back, june);
      note('recordings.missing', 'root:nvr', {});
    });
    expect(await applyDeletions(made.retention)).toMatchObject({ due: 0, deleted: 1, absent: 1 });
    expect(readdirSync(join(made.root, 'lobby'))).toEqual(['young.mp4']);
    await everythingAgrees(made);
  });
});

describe('a disk that refuses', () => {
  /** A read-only bind mount refuses root too. */
  function makeReadOnly(path: string): () => void {
    execFileSync('mount', ['--bind', path, path]);
    execFileSync('mount', ['-o', 'remount,ro,bind', path]);
    let mounted = true;
    const undo = (): void => {
      if (mounted) execFileSync('umount', [path]);
      mounted = false;
    };
    afterTest(undo);
    return undo;
  }
  const canMount = (() => {
    try {
      execFileSync('unshare', ['-m', 'true'], { stdio: 'ignore' });
      return process.getuid?.() === 0;
    } catch {
      console.warn('SKIPPED: no right to mount here, so a really read-only disk is not tested (the injected one is).');
      return false;
    }
  })();

  test.skipIf(!canMount)(
    'really: what fails stays intended, has a task, and goes with the first sweep that can',
    async () => {
      const made = site();
      addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
      const undo = makeReadOnly(made.root);
      const result = await applyDeletions(made.retention);
      expect(result).toMatchObject({ due: 1, deleted: 0, failed: [{ path: 'lobby/old.mp4' }], refused: null });
      expect(listDeletions(made.db)).toMatchObject([{ state: 'intended', attempts: 1, lastError: 'EROFS' }]);
      expect(tasks(made)).toEqual(['deletion-failing camera:lobby']);
      undo();
      expect(await applyDeletions(made.retention)).toMatchObject({ due: 1, deleted: 1, recovered: 1, failed: [] });
      expect(tasks(made)).toEqual([]);
      await everythingAgrees(made);
    },
  );

  const failing =
    (code: string): TestStore['retention']['unlink'] =>
    async (root, files) => {
      const results = await unlinkManyBeneath(
        root,
        files.filter((file) => !String(file.relativePath).includes('stuck')),
      );
      return files.map((file) =>
        String(file.relativePath).includes('stuck')
          ? new GatewayError('io-failed', `unlinkat: ${code}`, { cause: Object.assign(new Error(code), { code }) })
          : (results.shift() ?? 'absent'),
      );
    };

  test('one file that fails does not stop the others', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/stuck.mp4', startUs: due - hour });
    addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    const retention = { ...made.retention, unlink: failing('EBUSY') as NonNullable<TestStore['retention']['unlink']> };
    expect(await applyDeletions(retention)).toMatchObject({
      due: 2,
      deleted: 1,
      failed: [{ path: 'lobby/stuck.mp4' }],
    });
    expect(await applyDeletions(retention)).toMatchObject({
      due: 1,
      deleted: 0,
      failed: [{ path: 'lobby/stuck.mp4' }],
    });
    expect(listDeletions(made.db).find((row) => row.state === 'intended')).toMatchObject({
      attempts: 2,
      lastError: 'EBUSY',
    });
    expect(planDeletions(made.retention, june)).toMatchObject({ due: 1, late: 0 });
    expect(planDeletions(made.retention, june + day)).toMatchObject({ late: 1 });
  });

  test('where everything fails, the intents do not pile up sweep by sweep', async () => {
    const made = site();
    for (let index = 0; index < 30; index += 1) {
      addSegment(made, { camera: 'lobby', path: `lobby/stuck${index}.mp4`, startUs: due - index * hour });
    }
    const retention = { ...made.retention, unlink: failing('EACCES') as NonNullable<TestStore['retention']['unlink']> };
    for (let sweep = 0; sweep < 3; sweep += 1) await applyDeletions(retention, { batchSize: 5 });
    expect(listDeletions(made.db)).toHaveLength(5);
    expect(await applyDeletions(made.retention, { batchSize: 5 })).toMatchObject({
      due: 30,
      deleted: 30,
      recovered: 5,
    });
  });

  test('a hold that comes while a deletion fails wins, if the file is still whole', async () => {
    const made = site();
    const id = addSegment(made, { camera: 'lobby', path: 'lobby/stuck.mp4', startUs: due });
    const retention = { ...made.retention, unlink: failing('EACCES') as NonNullable<TestStore['retention']['unlink']> };
    await applyDeletions(retention);
    addHold(made, { id: 'h1', cameras: ['lobby'], startUs: due, endUs: due + hour });
    expect(await applyDeletions(made.retention)).toMatchObject({ due: 0, deleted: 0, held: 1, failed: [] });
    expect(findById(made.db, id)?.state).toBe('indexed');
    expect(listDeletions(made.db)).toMatchObject([{ state: 'refused', result: 'held' }]);
    await everythingAgrees(made);
  });

  test('a hold that comes after the file was removed does not bring it back into the index', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/stuck.mp4', startUs: due });
    const retention = { ...made.retention, unlink: failing('EIO') as NonNullable<TestStore['retention']['unlink']> };
    await applyDeletions(retention);
    unlinkSync(join(made.root, 'lobby/stuck.mp4'));
    addHold(made, { id: 'h1', cameras: ['lobby'], startUs: due, endUs: due + hour });
    expect(await applyDeletions(made.retention)).toMatchObject({ absent: 1, held: 0 });
    expect(listDeletions(made.db)).toMatchObject([{ state: 'done', result: 'already-absent' }]);
  });
});

describe('C8 a root that is not what it was', () => {
  const doubts: [string, (made: TestStore & { root: string }) => void][] = [
    [
      'missing',
      ({ root, dir }) => {
        renameSync(root, join(dir, 'unmounted'));
      },
    ],
    [
      'another folder of the same name',
      ({ root, dir }) => {
        renameSync(root, join(dir, 'unmounted'));
        mkdirSync(join(root, 'lobby'), { recursive: true });
      },
    ],
    [
      'empty',
      ({ root }) => {
        rmSync(join(root, 'lobby'), { recursive: true });
      },
    ],
    [
      'another disk with the same inode number',
      ({ root }) => {
        rmSync(join(root, 'lobby'), { recursive: true });
        writeFileSync(join(root, 'something-else'), '');
      },
    ],
    [
      'a file',
      ({ root, dir }) => {
        renameSync(root, join(dir, 'unmounted'));
        writeFileSync(root, '');
      },
    ],
  ];
  test.each(doubts)('%s: nothing changes, somebody is told, the others go on', async (_name, spoil) => {
    const made = site();
    const id = addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    addRoot(made, 'other');
    addSegment(made, { root: 'other', camera: 'lobby', path: 'old.mp4', startUs: due });
    spoil(made);
    expect(planDeletions(made.retention, june)).toMatchObject({ due: 2, refused: null, problems: [{ rootId: 'nvr' }] });
    const result = await applyDeletions(made.retention);
    expect(result).toMatchObject({ due: 2, deleted: 1, absent: 0, refused: null, problems: [{ rootId: 'nvr' }] });
    expect(findById(made.db, id)?.state).toBe('indexed');
    expect(tasks(made)).toEqual(['root-untrusted root:nvr']);
    // Alone in doubt: nothing at all can be done, and the result says why.
    const again = await applyDeletions(made.retention);
    expect(again).toMatchObject({ due: 1, deleted: 0 });
    expect(again.refused).toContain(made.root);
    expect(listDeletions(made.db)).toHaveLength(1);
  });

  test('an open intent waits for its root without counting as a failure', async () => {
    const made = site();
    addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    const unlink = (): Promise<never> => Promise.reject(new Error('killed'));
    await applyDeletions({ ...made.retention, unlink });
    renameSync(made.root, join(made.dir, 'unmounted'));
    expect(await recoverDeletions(made.retention)).toMatchObject({ recovered: 0, problems: [{ rootId: 'nvr' }] });
    expect(listDeletions(made.db)).toMatchObject([{ state: 'intended', attempts: 1 }]);
    renameSync(join(made.dir, 'unmounted'), made.root);
    expect(await recoverDeletions(made.retention)).toMatchObject({ recovered: 1, deleted: 1 });
  });

  test('the last segment of a root can be finished after a crash, though its folder is empty by then', async () => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    const root = addRoot(made, 'nvr');
    addSegment(made, { camera: 'lobby', path: 'only.mp4', startUs: due });
    const unlink = (): Promise<never> => {
      unlinkSync(join(root, 'only.mp4'));
      return Promise.reject(new Error('killed'));
    };
    await applyDeletions({ ...made.retention, unlink });
    expect(await recoverDeletions(made.retention)).toMatchObject({ recovered: 1, absent: 1, problems: [] });
  });
});

describe('what was made from footage', () => {
  function withRequest(made: TestStore): void {
    addUser(made, 'u1', ['security']);
    made.store.act('user:u1', (note) => {
      insertRequest(made.db, {
        id: 'r1',
        ground: 'police',
        legalBasis: null,
        recipient: { kind: 'police', name: 'p', contact: 'c' },
        journalNumber: 'j',
        purpose: 'p',
        cameraIds: ['lobby'],
        startUs: due,
        endUs: due + hour,
        requestedBy: 'u1',
        requestedUs: june,
      });
      note('request.created', 'request:r1', {});
    });
  }
  function derive(made: TestStore, path: string, kind: 'masked-copy' | 'package', segmentIds: number[]): void {
    const full = join(made.dataDir, path);
    if (kind === 'package') {
      mkdirSync(join(full, 'originals'), { recursive: true });
      writeFileSync(join(full, 'originals/a.mp4'), 'x');
    } else {
      mkdirSync(join(full, '..'), { recursive: true });
      writeFileSync(full, 'x');
      writeFileSync(`${full}.partial`, 'half');
    }
    made.store.act('gateway', (note) => {
      registerDerived(made.db, { path, kind, requestId: 'r1', segmentIds, createdUs: june });
      note('redaction.rendered', 'request:r1', {});
    });
  }

  test('goes first and with it, also what shows another segment too; the rest stays', async () => {
    const made = site();
    withRequest(made);
    const old = addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    const young = addSegment(made, { camera: 'lobby', path: 'lobby/new.mp4', startUs: due + 9 * hour });
    derive(made, 'requests/r1/masked/0.mp4', 'masked-copy', [old]);
    derive(made, 'requests/r1/masked/1.mp4', 'masked-copy', [young]);
    derive(made, 'packages/r1', 'package', [old, young]);
    const steps: string[] = [];
    const result = await applyDeletions(made.retention, { onStep: (step) => steps.push(step) });
    expect(result).toMatchObject({ deleted: 1, derivedRemoved: 2 });
    expect(listDerived(made.db).map((file) => file.path)).toEqual(['requests/r1/masked/1.mp4']);
    expect(existsSync(join(made.dataDir, 'packages/r1'))).toBe(false);
    expect(readdirSync(join(made.dataDir, 'requests/r1/masked')).sort()).toEqual(['1.mp4', '1.mp4.partial']);
    expect(steps.indexOf('derived-forgotten')).toBeLessThan(steps.indexOf('files-unlinked'));
    expect(steps.indexOf('intent-committed')).toBeLessThan(steps.indexOf('derived-unlinked'));
    expect(tasks(made)).toEqual(['request-footage-expired request:r1']);
  });

  test('that cannot be removed keeps its segment back, to be tried again', async () => {
    const made = site();
    withRequest(made);
    const old = addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    mkdirSync(join(made.dataDir, 'requests'), { recursive: true });
    mkdirSync(join(made.dir, 'outside'));
    writeFileSync(join(made.dir, 'outside/0.mp4'), 'not to be touched');
    symlinkSync(join(made.dir, 'outside'), join(made.dataDir, 'requests/r1'));
    made.store.act('gateway', (note) => {
      const path = 'requests/r1/0.mp4';
      registerDerived(made.db, { path, kind: 'masked-copy', requestId: 'r1', segmentIds: [old], createdUs: june });
      note('redaction.rendered', 'request:r1', {});
    });
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 0, failed: [{ path: 'lobby/old.mp4' }] });
    expect(existsSync(join(made.dir, 'outside/0.mp4'))).toBe(true);
    expect(existsSync(join(made.root, 'lobby/old.mp4'))).toBe(true);
    unlinkSync(join(made.dataDir, 'requests/r1'));
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1, derivedRemoved: 1 });
  });
});

describe('hold against sweep', () => {
  test('the hold first: the intent sees it inside its own transaction', async () => {
    const made = site();
    const id = addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    const result = await applyDeletions(made.retention, {
      onStep: (step) => {
        // After the plan was made and before the intent is: the plan did not know of it.
        if (step === 'sweep-begun') addHold(made, { id: 'h1', cameras: ['lobby'], startUs: due, endUs: due + hour });
      },
    });
    expect(result).toMatchObject({ due: 0, deleted: 0, held: 1 });
    expect(findById(made.db, id)?.state).toBe('indexed');
    expect(existsSync(join(made.root, 'lobby/old.mp4'))).toBe(true);
  });

  test('the sweep first: the hold finds the segment on its way out, and the file goes', async () => {
    const made = site();
    const id = addSegment(made, { camera: 'lobby', path: 'lobby/old.mp4', startUs: due });
    let seen: string | undefined;
    const result = await applyDeletions(made.retention, {
      onStep: (step) => {
        if (step !== 'intent-committed') return;
        seen = findById(made.db, id)?.state;
        addHold(made, { id: 'h1', cameras: ['lobby'], startUs: due, endUs: due + hour });
      },
    });
    expect(seen).toBe('deleting');
    expect(result).toMatchObject({ deleted: 1 });
    await everythingAgrees(made);
  });
});
