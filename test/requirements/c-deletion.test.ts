/** Deletion: real files, a real index and the real sweep. What fails or is killed on the way is the matter of test/fault. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ageByContent, ageByName } from '../../src/recordings/age.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { isSubvolume } from '../../src/retention/old-copies.js';
import { findOldest, type OldestOnDisk } from '../../src/retention/oldest.js';
import { recoverDeletions } from '../../src/retention/recovery.js';
import { keepOldest } from '../../src/retention/oldest-record.js';
import { defaultMarginUs, limitFor } from '../../src/domain/retention.js';
import { schemaSql } from '../../src/store/database.js';
import { findById, segmentsOfRoot } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import { serve } from '../api/gateway.js';
import {
  addCamera as addWorldCamera,
  addSegment as addWorldSegment,
  makeWorld,
  noonUs,
} from '../helpers/disclosure.js';
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
import { clipOf, makeSite } from '../recordings/layout-site.js';

const sweepUs = hour / 4;

/** Sweeps as often as the gateway does, from now until an instant; when the file went. */
async function goneAt(made: TestStore, path: string, untilUs: number): Promise<number | null> {
  for (; made.nowUs < untilUs; made.nowUs += sweepUs) {
    await applyDeletions(made.retention);
    if (!existsSync(path)) return made.nowUs;
  }
  return null;
}

describe('C2 a file that straddles the limit goes as a whole when its first frame is due', () => {
  test.each([
    ['an hour', 60],
    ['a day', 24 * 60],
    ['five minutes', 5],
  ])('%s long: gone by its start + 30 d, and not before its start + 30 d less the margin', async (_name, minutes) => {
    const startUs = june - 29 * day;
    const made = makeTestStore({ nowUs: startUs + 30 * day - 13 * hour });
    addCamera(made, 'lobby');
    const root = addRoot(made, 'nvr');
    addSegment(made, { camera: 'lobby', path: 'long.mp4', startUs, minutes });
    const at = await goneAt(made, join(root, 'long.mp4'), startUs + 30 * day + hour);
    expect(at).toBeGreaterThanOrEqual(startUs + 30 * day - defaultMarginUs);
    expect(at).toBeLessThan(startUs + 30 * day - defaultMarginUs + sweepUs);
  });

  test('C1 of every class the limit is reached before the law is, whatever the margin', () => {
    for (const name of ['crime-prevention', 'municipal', 'permit', 'live-only'] as const) {
      for (const marginUs of [2 * hour, defaultMarginUs, 360 * hour]) {
        const policy = { cameraId: 'c', class: name, retentionDays: 30, retentionReason: null };
        expect(limitFor(policy, marginUs).maxAgeUs).toBe(30 * day - marginUs);
      }
    }
  });
});

describe('C4, rule 8 a deleted file is gone, and nobody can fetch it', () => {
  test('not renamed, not in any folder of the root or of the data, and its row is no hidden one', async () => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    const root = addRoot(made, 'nvr');
    const id = addSegment(made, {
      camera: 'lobby',
      path: 'a/old.mp4',
      startUs: june - 31 * day,
      content: 'xyzzy-frames',
    });
    await applyDeletions(made.retention);
    expect(existsSync(join(root, 'a/old.mp4'))).toBe(false);
    expect(findById(made.db, id)).toBeNull();
    const left = readdirSync(made.dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    for (const entry of left) {
      expect(readFileSync(join(entry.parentPath, entry.name), 'latin1'), entry.name).not.toContain('xyzzy-frames');
    }
    // No column marks a row as deleted; what is deleting is on its way and is never shown.
    const segment = /CREATE TABLE segment \([\s\S]*?\) STRICT/.exec(schemaSql())?.[0] ?? '';
    expect(segment).not.toMatch(/hidden|trash|deleted_us|is_deleted/);
  });

  test('no role gets it back or looks at it over the API, nor is there a route that would', async () => {
    const world = makeWorld();
    addWorldCamera(world, 'lobby');
    addWorldSegment(world, 'lobby', noonUs - 40 * day);
    world.store.db.prepare('UPDATE root SET identity = ?').run(statSync(world.root).ino.toString());
    const served = await serve({}, world);
    expect(await served.sweep()).toMatchObject({ deleted: 1 });
    const { startUs, endUs } = { startUs: noonUs - 40 * day, endUs: noonUs - 40 * day + 2_000_000 };
    const iso = (us: number): string => encodeURIComponent(new Date(us / 1000).toISOString());
    for (const user of [world.sofie, world.lars, world.both, world.ida]) {
      const client = await served.login(user);
      const still = await client.call('GET', `/api/footage/lobby/still?at=${iso(startUs)}&purpose=check-quality`);
      expect(still.status).toBe(user.roles.includes('admin') ? 403 : 410);
      const coverage = await client.call<{ cameras?: { segments: unknown[] }[] }>(
        'GET',
        `/api/coverage?camera=lobby&from=${iso(startUs)}&to=${iso(endUs)}`,
      );
      expect(coverage.json.cameras?.[0]?.segments ?? []).toEqual([]);
      const { json } = await client.call<{ paths: Record<string, unknown> }>('GET', '/api/openapi.json');
      expect(Object.keys(json.paths)).toContain('/api/retention');
      expect(Object.keys(json.paths).filter((path) => /undelete|restore|trash|recover/i.test(path))).toEqual([]);
    }
  });
});

test('C6 a deletion that was begun is finished by the next start, whichever step it had come to', async () => {
  for (const fileIsGone of [false, true]) {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    const root = addRoot(made, 'nvr');
    const id = addSegment(made, { camera: 'lobby', path: 'old.mp4', startUs: june - 31 * day });
    addSegment(made, { camera: 'lobby', path: 'new.mp4', startUs: june - day });
    // As a kill after step 1, or after step 4, leaves it.
    made.db.exec('UPDATE segment SET deleting = 1 WHERE id = 1');
    made.db
      .prepare(
        `INSERT INTO deletion (segment_id, camera_id, start_us, end_us, size_bytes, inode, rule_id, due_us, intended_us, state)
         SELECT id, 'lobby', start_us, end_us, size_bytes, CAST(inode AS TEXT), 'class-limit/1', 0, 0, 'intended' FROM segment WHERE id = ?`,
      )
      .run(id);
    if (fileIsGone) rmSync(join(root, 'old.mp4'));
    await recoverDeletions(made.retention);
    expect(existsSync(join(root, 'old.mp4'))).toBe(false);
    expect([...segmentsOfRoot(made.db, 'nvr')].map(({ path }) => path)).toEqual(['new.mp4']);
    expect(made.db.prepare('SELECT state, result FROM deletion').all()).toEqual([
      { state: 'done', result: fileIsGone ? 'already-absent' : 'unlinked' },
    ]);
  }
});

test('C7 a file without a row is indexed by its own time; a row without a file is missing, and somebody is told', async () => {
  const site = makeSite('frigate', clipOf('sound.mp4'));
  const first = '2026-10-20/10/lobby/00.00.mp4';
  for (const minute of ['00', '01', '02', '03']) {
    site.put(`2026-10-20/10/lobby/${minute}.00.mp4`, `2026-10-20T10:${minute}:06Z`);
  }
  await scanRoots(site.ctx);
  // Behind the gateway's back: one goes, and an old one is put there with the time of today.
  rmSync(site.full(first));
  const orphan = '2026-09-01/10/lobby/00.00.mp4';
  site.put(orphan, '2026-11-01T11:00:00Z');
  await scanRoots(site.ctx);
  const rows = [...segmentsOfRoot(site.ctx.store.db, 'nvr')];
  expect(rows.find(({ path }) => path === first)?.state).toBe('missing');
  expect(rows.find(({ path }) => path === orphan)).toMatchObject({
    state: 'indexed',
    startUs: Date.parse('2026-09-01T10:00:00Z') * 1000,
  });
  expect(openTasks(site.ctx.store.db).map(({ kind, subject }) => `${kind} ${subject}`)).toContain(
    'footage-missing camera:lobby',
  );
});

describe('C10 a deletion record says what went, when it was due and when it went, and has no picture and no name', () => {
  test('by its columns, each of them', () => {
    const made = makeTestStore();
    const columns = made.db.prepare(`SELECT name, type FROM pragma_table_info('deletion') ORDER BY cid`).all() as {
      name: string;
      type: string;
    }[];
    const names = columns.map(({ name }) => name);
    for (const needed of [
      'camera_id',
      'start_us',
      'end_us',
      'size_bytes',
      'inode',
      'rule_id',
      'due_us',
      'done_us',
      'result',
    ]) {
      expect(names).toContain(needed);
    }
    expect(columns.filter(({ type }) => type === 'BLOB')).toEqual([]);
    expect(names.filter((name) => /path|name|label|picture|thumb|image|person|reason|reference/.test(name))).toEqual(
      [],
    );
  });

  test('and by what is in the row, and in the signed log, of a file whose path names somebody', async () => {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    addRoot(made, 'nvr');
    addSegment(made, { camera: 'lobby', path: 'jens-hansen/cpr-0101701234.mp4', startUs: june - 31 * day });
    await applyDeletions(made.retention);
    const record = JSON.stringify(made.db.prepare('SELECT * FROM deletion').all());
    const log = JSON.stringify(made.db.prepare(`SELECT entry FROM audit_event WHERE entry LIKE '%deletion.%'`).all());
    expect(record).toContain('class-limit/1');
    expect(log).toContain('deletion.done');
    for (const text of [record, log]) expect(text).not.toMatch(/jens|hansen|0101701234|\.mp4/);
    // Who did it and that it was done is under the log's signature.
    expect(made.verify().problems).toEqual([]);
  });
});

describe('C12 copies of footage that snapshots, bins and versions keep are found, and are an alarm once they are too old', () => {
  const layout = layoutFromConfig({ template: '%path/%Y-%m-%d_%H-%M-%S', timezone: 'UTC' }, { siteTimezone: 'UTC' });
  const nameOf = (startUs: number, camera = 'lobby'): string => layout.encode(camera, startUs);

  /** A root two folders below a share; `put` takes paths from the share on. */
  function share() {
    const made = makeTestStore();
    addCamera(made, 'lobby');
    const root = addRoot(made, 'nvr');
    const put = (path: string, lastWriteUs = made.nowUs): void => {
      const full = join(made.dir, path);
      mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, 'a copy');
      utimesSync(full, lastWriteUs / 1e6, lastWriteUs / 1e6);
    };
    const diskRoot = { id: 'nvr', path: root, layout };
    const look = (): Promise<OldestOnDisk> =>
      findOldest({
        db: made.db,
        roots: [
          {
            id: 'nvr',
            path: root,
            ageByName: (path, nowUs) => ageByName(diskRoot, path, nowUs),
            ageByContent: (path, nowUs) => ageByContent(diskRoot, path, nowUs),
          },
        ],
        marginUs: 12 * hour,
        nowUs: made.nowUs,
      });
    return { made, root, put, look };
  }
  const tasks = (made: TestStore): string[] => openTasks(made.db).map(({ kind, subject }) => `${kind} ${subject}`);

  test.each([
    ['.snapshot/daily.0/roots/nvr', 'snapshot'],
    ['.snapshots/17/snapshot/roots/nvr', 'snapshot'],
    ['.zfs/snapshot/auto-2026-06-01/roots/nvr', 'snapshot'],
    ['roots/#snapshot/GMT-2026.06.01/nvr', 'snapshot'],
    ['@Recently-Snapshot/x/roots/nvr', 'snapshot'],
    ['@Recycle/roots/nvr', 'recycle-bin'],
    ['roots/#recycle/nvr', 'recycle-bin'],
    ['.Trash/files', 'recycle-bin'],
    ['.Trash-1000/files', 'recycle-bin'],
    ['.stversions/roots/nvr', 'versions'],
  ])('%s', async (folder, kind) => {
    const { made, put, look } = share();
    const young = `${folder}/${nameOf(june - 3 * day)}`;
    put(young);
    const first = await look();
    expect(first.copies).toMatchObject([{ kind, files: 1, overLimit: 0, unseen: null }]);
    expect(first.ok).toBe(true);
    await keepOldest(made.store, 12 * hour, first);
    expect(tasks(made)).toEqual(['copies-kept root:nvr']);
    // The last write of a copy says nothing: the name does.
    put(`${folder}/${nameOf(june - 31 * day)}`);
    const second = await look();
    expect(second.ok).toBe(false);
    expect(second.copies).toMatchObject([
      { files: 2, overLimit: 1, oldest: { startUs: june - 31 * day, cameraId: 'lobby', source: 'name' } },
    ]);
    await keepOldest(made.store, 12 * hour, second);
    expect(tasks(made).sort()).toEqual(['copies-kept root:nvr', 'copies-over-limit root:nvr']);
    const log = JSON.stringify(made.db.prepare('SELECT entry FROM audit_event').all());
    expect(log).not.toContain(nameOf(june - 31 * day));
    // Cleared, both tasks close.
    rmSync(join(made.dir, folder), { recursive: true });
    await keepOldest(made.store, 12 * hour, await look());
    expect(tasks(made)).toEqual([]);
    expect(made.verify().problems).toEqual([]);
  });

  test('in the root itself too, also where only the last write tells; what is not footage is none of ours', async () => {
    const { root, put, look } = share();
    put('roots/nvr/lost+found/#12345', june - 40 * day);
    put('roots/nvr/.recycle/renamed by hand.mp4', june - 40 * day);
    put('lost+found/#77', june - 2 * day);
    put('.snapshot/daily.0/home/letter.txt', june - 90 * day);
    const seen = await look();
    expect(
      seen.copies.map(({ place, kind, files, overLimit }) => [place.replace(root, ''), kind, files, overLimit]),
    ).toEqual([
      ['/.recycle', 'recycle-bin', 1, 1],
      ['/lost+found', 'lost-and-found', 1, 1],
      [expect.stringContaining('lost+found'), 'lost-and-found', 1, 0],
    ]);
  });

  test('what a hold keeps is no alarm in a copy either; a class with a longer period has its own limit', async () => {
    const { made, put, look } = share();
    addCamera(made, 'dock', { class: 'other-purpose', retentionDays: 90, retentionReason: 'quality of loading' });
    addHold(made, { id: 'h', cameras: ['lobby'], startUs: june - 32 * day, endUs: june - 30 * day });
    put(`.snapshot/a/roots/nvr/${nameOf(june - 31 * day)}`);
    put(`.snapshot/a/roots/nvr/${nameOf(june - 200 * day, 'dock')}`);
    expect((await look()).copies).toMatchObject([{ files: 2, overLimit: 0 }]);
    put(`.snapshot/a/roots/nvr/${nameOf(june - 400 * day, 'dock')}`);
    expect((await look()).copies).toMatchObject([{ files: 3, overLimit: 1 }]);
  });

  test('a subvolume of btrfs is taken for a snapshot by its inode, on btrfs alone', () => {
    expect(isSubvolume(0x9123683e, 256n)).toBe(true);
    expect(isSubvolume(0x9123683e, 257n)).toBe(false);
    expect(isSubvolume(0xef53, 256n)).toBe(false);
  });

  test('a root that is not what it was is no place without copies: nothing is said of it', async () => {
    const { made, root, put, look } = share();
    put(`.snapshot/a/roots/nvr/${nameOf(june - 31 * day)}`);
    renameSync(root, `${root}-away`);
    mkdirSync(root);
    const seen = await look();
    expect(seen.ok).toBe(false);
    expect(seen.copies).toEqual([]);
    expect(seen.problems).toMatchObject([{ rootId: 'nvr' }]);
    expect(made.verify().problems).toEqual([]);
  });
});
