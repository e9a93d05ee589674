/** Held footage in the gateway's own store, on real files: a recorder that deletes, cuts and rewrites, and the end of a hold. */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../src/platform/log.js';
import { fileOf } from '../../src/recordings/segment-file.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { checkDisk } from '../../src/retention/check-disk.js';
import { applyDeletions } from '../../src/retention/delete.js';
import type { VaultContext } from '../../src/retention/vault/context.js';
import { makeCopier } from '../../src/retention/vault/copy-thread.js';
import { protectHeld } from '../../src/retention/vault/protect.js';
import { readEntries } from '../../src/store/audit-log.js';
import { checkStore } from '../../src/store/check.js';
import { listDerived } from '../../src/store/derived-files.js';
import { liftHold } from '../../src/store/holds.js';
import { findById, markMissing, segmentsIn } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import { listCopies, wholeCopyOf } from '../../src/store/vault-copies.js';
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
import { copierWith, vaultFiles, vaultOf } from '../helpers/vault.js';

const minute = 60_000_000;
const content = 'the very frames of this hour '.repeat(5000);
const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

interface Site extends TestStore {
  readonly root: string;
  readonly vault: VaultContext;
  /** The held segment, and one beside it that is not held. */
  readonly id: number;
  readonly original: string;
}

function site(tools: Parameters<typeof vaultOf>[1] = {}, startUs = june - hour): Site {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  const root = addRoot(made, 'nvr');
  const id = addSegment(made, { camera: 'lobby', path: 'lobby/a.mp4', startUs, content });
  addSegment(made, { camera: 'lobby', path: 'lobby/b.mp4', startUs: startUs + 30 * minute });
  addHold(made, { id: 'h1', cameras: ['lobby'], startUs, endUs: startUs + 5 * minute });
  return Object.assign(made, { root, vault: vaultOf(made, tools), id, original: join(root, 'lobby/a.mp4') });
}

const lift = (made: TestStore, id = 'h1'): void => {
  made.store.act('user:legal', (note) => {
    liftHold(made.db, id, 'user:legal', made.nowUs);
    note('hold.lifted', `hold:${id}`, {});
  });
};

const typesOf = (made: TestStore): string[] =>
  [...readEntries(made.db)].map(({ entry }) => (JSON.parse(entry) as { type: string }).type);

const tasksOf = (made: TestStore): string[] => openTasks(made.db).map(({ kind }) => kind);

const problemsOf = async (made: TestStore): Promise<string[]> =>
  [
    ...checkStore(made.db),
    ...(await checkDisk(made.db, { dataDir: made.dataDir, rootPath: (id) => made.rootPath(id) })),
  ].map(({ invariant, detail }) => `${invariant} ${detail}`);

const footageIn = (made: TestStore, id: number): string => {
  const copy = wholeCopyOf(made.db, id);
  return copy === null ? '' : join(made.dataDir, copy.path, copy.fileName);
};

describe('D6 held footage is copied into protected storage, verified by read-back', () => {
  test('what is held is copied with its hash, and nothing else is', async () => {
    const made = site();
    const result = await protectHeld(made.vault);
    expect(result).toMatchObject({ copied: 1, waiting: 0, failed: [], removed: 0, refused: null });
    const copy = wholeCopyOf(made.db, made.id);
    expect(copy).toMatchObject({
      method: 'copy',
      sha256: sha256(content),
      sizeBytes: content.length,
      original: 'there',
    });
    expect(readFileSync(footageIn(made, made.id), 'utf8')).toBe(content);
    expect(statSync(join(made.dataDir, 'vault')).mode & 0o777).toBe(0o700);
    expect([...vaultFiles(made).values()]).toEqual([0o600, 0o600]);
    expect(listDerived(made.db)).toMatchObject([{ kind: 'vault-copy', requestId: null }]);
    expect(typesOf(made).slice(-2)).toEqual(['vault.begun', 'vault.copied']);
    expect(await problemsOf(made)).toEqual([]);
    expect(made.verify()).toMatchObject({ ok: true });
  });

  test('a second run has nothing to do, and says nothing in the log', async () => {
    const made = site();
    await protectHeld(made.vault);
    const before = typesOf(made).length;
    expect(await protectHeld(made.vault)).toMatchObject({ copied: 0, waiting: 0, removed: 0 });
    expect(typesOf(made)).toHaveLength(before);
  });

  test('the thread of the running gateway copies the same', async () => {
    const made = site();
    const progress: number[] = [];
    const vault = { ...made.vault, makeCopier };
    const result = await protectHeld(vault, { onProgress: ({ readBytes }) => progress.push(readBytes) });
    expect(result).toMatchObject({ copied: 1, waiting: 0, failed: [] });
    expect(readFileSync(footageIn(made, made.id), 'utf8')).toBe(content);
    // Read once to be copied, and once to be read back.
    expect(progress.at(-1)).toBe(2 * content.length);
  });

  test('what comes into the range later is protected too', async () => {
    const made = site();
    await protectHeld(made.vault);
    const late = addSegment(made, { camera: 'lobby', path: 'lobby/late.mp4', startUs: june - hour + minute });
    expect(await protectHeld(made.vault)).toMatchObject({ copied: 1, waiting: 0 });
    expect(wholeCopyOf(made.db, late)).not.toBeNull();
  });

  test('a recording that was indexed early, and grew, is copied anew, and the shorter copy goes', async () => {
    const made = site();
    await protectHeld(made.vault);
    const [first] = listCopies(made.db);
    appendFileSync(made.original, 'and its end');
    // The vault sees that it begins with what was copied; only then the index takes it for the same recording.
    await protectHeld(made.vault);
    expect(wholeCopyOf(made.db, made.id)).toMatchObject({ original: 'grown', sizeBytes: content.length });
    rescan(made, content.length + 11);
    expect(await protectHeld(made.vault)).toMatchObject({ copied: 1, removed: 0, originalsLost: 0 });
    expect(readFileSync(footageIn(made, made.id), 'utf8')).toBe(`${content}and its end`);
    expect(existsSync(join(made.dataDir, first?.path ?? ''))).toBe(false);
    expect(listCopies(made.db)).toHaveLength(1);
    expect(tasksOf(made)).toEqual([]);
    expect(await problemsOf(made)).toEqual([]);
  });

  test('two processes do not copy the same at once', async () => {
    const made = site();
    let second: Awaited<ReturnType<typeof protectHeld>> | null = null;
    const vault: VaultContext = {
      ...made.vault,
      makeCopier: () => {
        const copier = copierWith({});
        return {
          ...copier,
          copy: async (task) => {
            second = await protectHeld(made.vault);
            return copier.copy(task);
          },
        };
      },
    };
    expect(await protectHeld(vault)).toMatchObject({ copied: 1, refused: null });
    expect(second).toMatchObject({
      copied: 0,
      waiting: 1,
      waitingBytes: content.length,
      refused: 'another process is at it',
    });
  });

  test('interrupted, it leaves nothing half-made, and the next run does it', async () => {
    const made = site();
    const stop = new AbortController();
    const isAborted = (): boolean => stop.signal.aborted;
    const hooks = {
      isAborted,
      onBytes: () => {
        stop.abort();
      },
    };
    const vault = vaultOf(made, { hooks });
    expect(await protectHeld(vault, { signal: stop.signal })).toMatchObject({ copied: 0, waiting: 1, failed: [] });
    expect(vaultFiles(made).size).toBe(0);
    expect(listCopies(made.db)).toEqual([]);
    expect(await protectHeld(made.vault)).toMatchObject({ copied: 1 });
  });

  test('a fragment is copied with the initialisation segment it cannot be read without', async () => {
    const made = site();
    writeFileSync(join(made.root, 'lobby/init.mp4'), 'ftyp moov');
    const id = addSegment(made, {
      camera: 'lobby',
      path: 'lobby/1.m4s',
      startUs: june - hour + minute,
      content: 'moof',
    });
    await protectHeld(made.vault);
    expect(wholeCopyOf(made.db, id)).toMatchObject({ fileName: 'footage.m4s', initSha256: sha256('ftyp moov') });
    expect(readFileSync(join(footageIn(made, id), '../init.mp4'), 'utf8')).toBe('ftyp moov');
  });
});

/** What a scan enters of a file that grew; only where the vault lets it. */
function rescan(made: Site, sizeBytes: number): void {
  const stat = statSync(made.original, { bigint: true });
  expect(Number(stat.size)).toBe(sizeBytes);
  made.db
    .prepare('UPDATE segment SET size_bytes = ?, mtime_us = ? WHERE id = ?')
    .run(sizeBytes, Number(stat.mtimeNs / 1000n), made.id);
}

/** What a recorder may do to a file, and what is to be seen of it afterwards. */
const attacks: readonly [string, 'gone' | 'changed', (path: string) => void][] = [
  ['deletes it', 'gone', unlinkSync],
  [
    'empties it',
    'changed',
    (path) => {
      truncateSync(path, 0);
    },
  ],
  [
    'cuts it',
    'changed',
    (path) => {
      truncateSync(path, 100);
    },
  ],
  [
    'overwrites it in place, with the same size',
    'changed',
    (path) => {
      writeFileSync(path, 'x'.repeat(content.length));
    },
  ],
  [
    'overwrites it in place, and sets back the time',
    'changed',
    (path) => {
      const { atime, mtime } = statSync(path);
      writeFileSync(path, 'x'.repeat(content.length + 1));
      utimesSync(path, atime, mtime);
    },
  ],
  [
    'puts another file in its place',
    'changed',
    (path) => {
      writeFileSync(`${path}.new`, 'y'.repeat(content.length));
      renameSync(`${path}.new`, path);
    },
  ],
  [
    'puts a longer file in its place',
    'changed',
    (path) => {
      rmSync(path);
      writeFileSync(path, 'y'.repeat(content.length * 2));
    },
  ],
  [
    'puts a link in its place',
    'changed',
    (path) => {
      renameSync(path, `${path}.old`);
      symlinkSync(`${path}.old`, path);
    },
  ],
  [
    'puts a folder in its place',
    'changed',
    (path) => {
      unlinkSync(path);
      mkdirSync(path);
    },
  ],
];

describe('D6 the VMS deletes or changes held footage', () => {
  test.each(attacks)('a recorder that %s: alarm, and the copy stands for it', async (_what, original, attack) => {
    const made = site();
    await protectHeld(made.vault);
    attack(made.original);
    expect(await protectHeld(made.vault)).toMatchObject({ originalsLost: 1, damaged: 0, copied: 0, waiting: 0 });
    expect(wholeCopyOf(made.db, made.id)).toMatchObject({ original, sha256: sha256(content) });
    expect(tasksOf(made)).toEqual(['held-original-lost']);
    expect(typesOf(made).filter((type) => type === 'vault.original-lost')).toHaveLength(1);
    // Said once, however often it is looked at.
    await protectHeld(made.vault);
    expect(typesOf(made).filter((type) => type === 'vault.original-lost')).toHaveLength(1);
    const segment = findById(made.db, made.id);
    const shown = segment === null ? '' : await fileOf(made, segment);
    expect(readFileSync(shown, 'utf8')).toBe(content);
  });

  test('gone from the disk, and marked so by a scan, it is still found in its range', async () => {
    const made = site();
    await protectHeld(made.vault);
    unlinkSync(made.original);
    markMissing(made.db, made.id, made.nowUs);
    expect(segmentsIn(made.db, ['lobby'], { startUs: june - hour, endUs: june - hour + 1 })).toMatchObject([
      { id: made.id, state: 'vaulted' },
    ]);
    lift(made);
    await protectHeld(made.vault);
    expect(segmentsIn(made.db, ['lobby'], { startUs: june - hour, endUs: june - hour + 1 })).toEqual([]);
  });

  test.each(attacks.slice(1, 7))(
    'a scan does not take for the segment what a recorder that %s put there',
    async (_what, _original, attack) => {
      const made = site();
      await protectHeld(made.vault);
      const before = findById(made.db, made.id);
      attack(made.original);
      const scan = () =>
        scanRoots({
          store: made.store,
          log: silentLog,
          roots: [
            {
              id: 'nvr',
              path: made.root,
              poll: 'never',
              layout: layoutFromConfig(
                { template: '%path/%Y-%m-%d_%H-%M-%S', timezone: 'UTC' },
                { siteTimezone: 'UTC' },
              ),
            },
          ],
          quietMs: 0,
          registerCamera: () => undefined,
        });
      await scan();
      await protectHeld(made.vault);
      await scan();
      expect(findById(made.db, made.id)).toEqual(before);
    },
  );

  test('only touched, it is what it was', async () => {
    const made = site();
    await protectHeld(made.vault);
    utimesSync(made.original, 1, 1);
    expect(await protectHeld(made.vault)).toMatchObject({ originalsLost: 0 });
    expect(wholeCopyOf(made.db, made.id)).toMatchObject({ original: 'there', source: { mtimeUs: 1_000_000 } });
    expect(tasksOf(made)).toEqual([]);
  });

  test('gone before it was copied: an alarm says that it is lost', async () => {
    const made = site();
    unlinkSync(made.original);
    const result = await protectHeld(made.vault);
    expect(result).toMatchObject({ copied: 0, waiting: 1, failed: [{ segmentId: made.id }] });
    expect(tasksOf(made)).toEqual(['held-footage-lost']);
    expect(typesOf(made).at(-1)).toBe('vault.failed');
  });

  test.each(attacks)(
    'a recorder that %s while it is copied: no copy of half of it',
    async (_what, _original, attack) => {
      let struck = false;
      const made: Site = site({
        before: () => undefined,
        hooks: {
          onStep: (step) => {
            if (step !== 'bytes-there' || struck) return;
            struck = true;
            attack(made.original);
          },
        },
      });
      const { copied } = await protectHeld(made.vault);
      // Either the whole of what was indexed, or nothing.
      expect(vaultFiles(made).size).toBe(copied === 1 ? 2 : 0);
      const copy = wholeCopyOf(made.db, made.id);
      if (copy !== null) expect(sha256(readFileSync(footageIn(made, made.id)))).toBe(sha256(content));
      else expect(listDerived(made.db)).toEqual([]);
      expect(await problemsOf(made).then((all) => all.filter((one) => !one.startsWith('I6')))).toEqual([]);
    },
  );

  test('a disk that is not there is no loss', async () => {
    const made = site();
    await protectHeld(made.vault);
    renameSync(made.root, `${made.root}-away`);
    mkdirSync(made.root);
    expect(await protectHeld(made.vault)).toMatchObject({ originalsLost: 0 });
    expect(wholeCopyOf(made.db, made.id)).toMatchObject({ original: 'there' });
  });
});

describe('D6 hard links, where a recorder rewrites nothing', () => {
  const old = (path: string): void => {
    utimesSync(path, june / 1e6, june / 1e6);
  };
  /** As a scan would have indexed it: at rest for long. */
  function restingSite(neverRewritten: boolean): Site {
    const made = site({ neverRewritten });
    old(made.original);
    rescan(made, content.length);
    return made;
  }

  test('a link is made only where the configuration says so', async () => {
    const plain = restingSite(false);
    await protectHeld(plain.vault);
    expect(wholeCopyOf(plain.db, plain.id)).toMatchObject({ method: 'copy' });
    const linked = restingSite(true);
    await protectHeld(linked.vault);
    expect(wholeCopyOf(linked.db, linked.id)).toMatchObject({ method: 'hard-link', sha256: sha256(content) });
    expect(statSync(footageIn(linked, linked.id)).ino).toBe(statSync(linked.original).ino);
    // Its mode is the recorder's own, and is left alone; nobody else gets into the folder.
    expect(statSync(join(linked.dataDir, 'vault')).mode & 0o777).toBe(0o700);
    expect(await problemsOf(linked)).toEqual([]);
  });

  test('never of a file that was written to a moment ago', async () => {
    const made = site({ neverRewritten: true });
    await protectHeld(made.vault);
    expect(wholeCopyOf(made.db, made.id)).toMatchObject({ method: 'copy' });
  });

  test('a recorder that deletes takes only its own name', async () => {
    const made = restingSite(true);
    await protectHeld(made.vault);
    unlinkSync(made.original);
    expect(await protectHeld(made.vault)).toMatchObject({ originalsLost: 1, damaged: 0 });
    expect(readFileSync(footageIn(made, made.id), 'utf8')).toBe(content);
  });

  test('a recorder that rewrites all the same is found out: the copy counts as damaged', async () => {
    const made = restingSite(true);
    await protectHeld(made.vault);
    truncateSync(made.original, 10);
    expect(await protectHeld(made.vault)).toMatchObject({ originalsLost: 1, damaged: 1 });
    expect(tasksOf(made).sort()).toEqual(['held-original-lost', 'vault-copy-damaged']);
    expect((await problemsOf(made)).filter((one) => one.startsWith('I24'))).toHaveLength(1);
  });

  test('a recording with another name beside it is deleted by both names at its end', async () => {
    const made = restingSite(true);
    await protectHeld(made.vault);
    linkSync(made.original, join(made.dir, 'not-ours'));
    lift(made);
    made.nowUs = june + 31 * day;
    await applyDeletions(made.retention);
    expect(existsSync(made.original)).toBe(false);
    expect(vaultFiles(made).size).toBe(0);
  });
});

describe('D6 the end of a hold', () => {
  test('not yet due: the copy goes at once, with a record, and the recording stays', async () => {
    const made = site();
    await protectHeld(made.vault);
    lift(made);
    expect(await protectHeld(made.vault)).toMatchObject({ removed: 1, copied: 0 });
    expect(vaultFiles(made).size).toBe(0);
    expect(listDerived(made.db)).toEqual([]);
    expect(existsSync(made.original)).toBe(true);
    expect(made.db.prepare('SELECT segment_id, camera_id, size_bytes, why, done_us FROM vault_removal').all()).toEqual([
      { segment_id: made.id, camera_id: 'lobby', size_bytes: content.length, why: 'hold-ended', done_us: june },
    ]);
    expect(typesOf(made).slice(-2)).toEqual(['vault.removal-intended', 'vault.removed']);
    expect(await problemsOf(made)).toEqual([]);
  });

  test('due: it goes with its segment in the next sweep, and before it', async () => {
    const made = site({}, june - 29.6 * day);
    await protectHeld(made.vault);
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1, held: 1 });
    expect(vaultFiles(made).size).toBe(2);
    lift(made);
    expect(await protectHeld(made.vault)).toMatchObject({ removed: 0 });
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 1, derivedRemoved: 1 });
    expect(vaultFiles(made).size).toBe(0);
    expect(listCopies(made.db)).toEqual([]);
    expect(existsSync(made.original)).toBe(false);
    expect(await problemsOf(made)).toEqual([]);
  });

  test('with one of two holds lifted it stays', async () => {
    const made = site();
    addHold(made, { id: 'h2', cameras: ['lobby'], startUs: june - hour + minute, endUs: june - hour + 2 * minute });
    await protectHeld(made.vault);
    lift(made);
    expect(await protectHeld(made.vault)).toMatchObject({ removed: 0 });
    expect(wholeCopyOf(made.db, made.id)).not.toBeNull();
  });

  test('a clock that was set forward ends no hold: nothing is removed', async () => {
    const made = site();
    await protectHeld(made.vault);
    const uptime = { bootId: 'b', uptimeUs: 10 * hour };
    const vault = { ...made.vault, uptime: () => uptime };
    await applyDeletions({ ...made.retention, uptime: () => uptime });
    made.nowUs = june + 40 * day;
    expect(await protectHeld(vault)).toMatchObject({ removed: 0 });
    expect(wholeCopyOf(made.db, made.id)).not.toBeNull();
  });

  test('what was lifted while it was copied is not kept', async () => {
    const made: Site = site({
      before: () => {
        lift(made);
      },
    });
    expect(await protectHeld(made.vault)).toMatchObject({ copied: 0, waiting: 0, failed: [] });
    expect(vaultFiles(made).size).toBe(0);
    expect(listDerived(made.db)).toEqual([]);
  });

  test.skipIf(process.getuid?.() === 0)('what cannot be removed is a task, and goes later', async () => {
    const made = site();
    await protectHeld(made.vault);
    lift(made);
    chmodSync(join(made.dataDir, 'vault'), 0o500);
    expect(await protectHeld(made.vault)).toMatchObject({ removed: 0 });
    expect(tasksOf(made)).toEqual(['vault-removal-failing']);
    chmodSync(join(made.dataDir, 'vault'), 0o700);
    expect(await protectHeld(made.vault)).toMatchObject({ removed: 1 });
    expect(tasksOf(made)).toEqual([]);
  });
});

describe('D6 the copies themselves are looked after', () => {
  test.each([
    [
      'deleted',
      (path: string) => {
        unlinkSync(path);
      },
    ],
    [
      'cut',
      (path: string) => {
        truncateSync(path, 5);
      },
    ],
    [
      'overwritten',
      (path: string) => {
        writeFileSync(path, 'z'.repeat(content.length));
      },
    ],
  ])('one that was %s is found, alarmed and made anew', async (_how, harm) => {
    const made = site();
    await protectHeld(made.vault);
    const path = footageIn(made, made.id);
    harm(path);
    expect((await problemsOf(made)).filter((one) => one.startsWith('I24'))).toHaveLength(1);
    expect(await protectHeld(made.vault)).toMatchObject({ damaged: 1, originalsLost: 0 });
    expect(tasksOf(made)).toEqual(['vault-copy-damaged']);
    expect(await protectHeld(made.vault)).toMatchObject({ copied: 1, damaged: 0 });
    expect(readFileSync(footageIn(made, made.id), 'utf8')).toBe(content);
    expect(await problemsOf(made)).toEqual([]);
  });

  test('one that changed without a trace is found when it is used', async () => {
    const made = site();
    await protectHeld(made.vault);
    const path = footageIn(made, made.id);
    const { atime, mtime } = statSync(path);
    unlinkSync(made.original);
    writeFileSync(path, 'z'.repeat(content.length));
    utimesSync(path, atime, mtime);
    const segment = findById(made.db, made.id);
    if (segment === null) throw new Error('the row is gone');
    await expect(fileOf(made, segment)).rejects.toMatchObject({ code: 'verification-failed' });
    expect(await protectHeld(made.vault)).toMatchObject({ damaged: 1 });
  });

  test('what is half-made and nobody knows is removed, and what is not ours is said', async () => {
    const made = site();
    await protectHeld(made.vault);
    const vault = join(made.dataDir, 'vault');
    mkdirSync(join(vault, 's9-0123456789ab.partial'));
    writeFileSync(join(vault, 's9-0123456789ab.partial/footage.mp4'), 'half');
    mkdirSync(join(vault, 's9-ba9876543210'));
    writeFileSync(join(vault, 's9-ba9876543210/footage.mp4'), 'without a card');
    writeFileSync(join(vault, 'a letter'), 'mine');
    expect((await problemsOf(made)).filter((one) => one.startsWith('I7'))).toHaveLength(3);
    await protectHeld(made.vault);
    expect(vaultFiles(made).size).toBe(3);
    expect((await problemsOf(made)).map((one) => one.slice(0, 22))).toEqual(['I7 vault/a letter in t']);
  });
});
