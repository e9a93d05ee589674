/** A database that is put back from a backup, and footage that comes back with it: through the door that every command takes. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openGateway, type Gateway } from '../../src/app.js';
import { parseConfig } from '../../src/config.js';
import { openCheckpoint } from '../../src/domain/checkpoint.js';
import type { Clock } from '../../src/platform/clock.js';
import { silentLog } from '../../src/platform/log.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { checkDisk } from '../../src/retention/check-disk.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { openJournal } from '../../src/retention/journal-file.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { checkStore } from '../../src/store/check.js';
import { truncateWal } from '../../src/store/database.js';
import { listDeletions } from '../../src/store/deletions.js';
import { holdRow } from '../helpers/holds.js';
import { findHold, insertHold, liftHold, listHolds, setApproved, setReview } from '../../src/store/holds.js';
import { footageByCamera, segmentsOfRoot } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import { makeClip } from '../helpers/clip.js';
import { day, hour, tempDir } from '../helpers/store.js';

/** 2026-06-15T12:00:00Z */
const begin = Date.UTC(2026, 5, 15, 12) * 1000;
let clip = '';
beforeAll(async () => {
  const folder = join(tempClips, 'clips');
  mkdirSync(folder, { recursive: true });
  clip = await makeClip(join(folder, 'clip.mp4'), { seconds: 1 });
  return () => {
    rmSync(tempClips, { recursive: true, force: true });
  };
});
const tempClips = join(process.env['TMPDIR'] ?? '/tmp', `tredive-restore-${process.pid}`);

interface Site {
  readonly dir: string;
  readonly data: string;
  nowUs: number;
  open(options?: { readonly acceptLoss?: boolean }): Promise<Gateway>;
  /** Writes a recording of a camera as Frigate does. Gives its path below the root. */
  record(camera: string, startUs: number): string;
  /** A copy of the database as a backup tool makes it, and back. */
  backup(): void;
  putBack(): void;
}

function makeSite(audit = ''): Site {
  const dir = tempDir();
  mkdirSync(join(dir, 'recordings'));
  const text = `site: { name: Test, timezone: UTC }\nroots: [{ id: nvr, path: ./recordings, layout: frigate }]\nrecordings: { quietSeconds: 0 }\naudit: { ${audit} }\n`;
  const config = parseConfig(text, join(dir, 'gateway.yaml'));
  const site = { nowUs: begin };
  const clock: Clock = { nowUs: () => site.nowUs, monotonicMs: () => site.nowUs / 1000 };
  const data = join(dir, 'data');
  const database = join(data, 'tredive.db');
  return {
    dir,
    data,
    get nowUs() {
      return site.nowUs;
    },
    set nowUs(us: number) {
      site.nowUs = us;
    },
    open: (options = {}) => openGateway(config, { clock, log: silentLog, ...options }),
    record(camera, startUs) {
      const iso = new Date(startUs / 1000).toISOString();
      const path = `${iso.slice(0, 10)}/${iso.slice(11, 13)}/${camera}/${iso.slice(14, 16)}.${iso.slice(17, 19)}.mp4`;
      const full = join(dir, 'recordings', path);
      mkdirSync(dirname(full), { recursive: true });
      copyFileSync(clip, full);
      utimesSync(full, startUs / 1e6 + 1, startUs / 1e6 + 1);
      return path;
    },
    backup: () => {
      copyFileSync(database, join(dir, 'backup.db'));
    },
    putBack: () => {
      for (const end of ['-wal', '-shm']) rmSync(database + end, { force: true });
      copyFileSync(join(dir, 'backup.db'), database);
    },
  };
}

/** Opens, does, and closes with everything in the one file. */
async function within<T>(site: Site, work: (gateway: Gateway) => T | Promise<T>): Promise<T> {
  const gateway = await site.open();
  try {
    return await work(gateway);
  } finally {
    truncateWal(gateway.store.db);
    gateway.close();
  }
}

const sweep = (gateway: Gateway): ReturnType<typeof applyDeletions> => applyDeletions(gateway.retention);
const pathsOf = (gateway: Gateway): string[] => [...segmentsOfRoot(gateway.store.db, 'nvr')].map(({ path }) => path);
const problemsOf = async (gateway: Gateway): Promise<string[]> =>
  [...checkStore(gateway.store.db), ...(await checkDisk(gateway.store.db, gateway.retention))].map(
    ({ invariant, detail }) => `${invariant} ${detail}`,
  );

function placeHold({ store }: Gateway, id: string, startUs: number): void {
  const nowUs = store.clock.nowUs();
  store.act('user:legal', (note) => {
    insertHold(
      store.db,
      holdRow({
        ...{ id, ground: 'dispute', reference: 'Jens Jensen', reason: 'Jens Jensen says', cameraIds: ['lobby'] },
        facts: { ground: 'dispute', counterparty: 'Jens Jensen', description: 'Jens Jensen says he fell' },
        ...{
          startUs,
          endUs: startUs + hour,
          placedUs: nowUs,
          reviewUs: nowUs + 60 * day,
          notifyByUs: startUs + 30 * day,
        },
      }),
    );
    note('hold.placed', `hold:${id}`, {});
  });
}

function lift({ store }: Gateway, id: string): void {
  store.act('user:legal', (note) => {
    liftHold(store.db, id, 'user:legal', store.clock.nowUs());
    note('hold.lifted', `hold:${id}`, {});
  });
}

/** Ten days: three recordings go, one stays by a hold that was placed, one hold is lifted. Gives what was recorded. */
async function tenDays(site: Site): Promise<{ old: string[]; held: string; young: string }> {
  const old = [0, 1, 2].map((minutes) => site.record('lobby', begin - 29 * day + minutes * 60_000_000));
  const held = site.record('lobby', begin - 28 * day);
  const young = site.record('lobby', begin - day);
  await within(site, async (gateway) => {
    await scanRoots(gateway.recordings);
    placeHold(gateway, 'h-lifted', begin - 29 * day);
  });
  site.backup();
  site.nowUs = begin + 10 * day;
  await within(site, async (gateway) => {
    placeHold(gateway, 'h-new', begin - 28 * day);
    lift(gateway, 'h-lifted');
    expect(await sweep(gateway)).toMatchObject({ deleted: 3, held: 1 });
    expect(pathsOf(gateway).sort()).toEqual([held, young].sort());
  });
  return { old, held, young };
}

describe('C11, rule 9 a database of ten days ago', () => {
  test('knows again what was deleted, held and lifted, before anything can be asked of it', async () => {
    const site = makeSite();
    const { old, held, young } = await tenDays(site);
    const before = await within(site, ({ store }) => listDeletions(store.db));
    site.putBack();
    await within(site, async (gateway) => {
      const { db } = gateway.store;
      expect(gateway.restored).toMatchObject({
        holdsPlaced: 1,
        holdsLifted: 1,
        deletions: 3,
        deletedAgain: 0,
        lossAccepted: false,
      });
      expect(pathsOf(gateway).sort()).toEqual([held, young].sort());
      expect(footageByCamera(db)[0]).toMatchObject({ segments: 2, missing: 0 });
      expect(findHold(db, 'h-lifted')?.liftedUs).toBe(begin + 10 * day);
      expect(findHold(db, 'h-new')).toMatchObject({ ground: 'dispute', startUs: begin - 28 * day, liftedUs: null });
      // The record is what it was, with the time it was done; only its id is a new one, and none was given twice.
      const after = listDeletions(db);
      expect(after.map((row) => ({ ...row, id: 0 }))).toEqual(before.map((row) => ({ ...row, id: 0 })));
      expect(Math.min(...after.map(({ id }) => id))).toBeGreaterThan(Math.max(...before.map(({ id }) => id)));
      expect(openTasks(db).map(({ kind }) => kind)).toEqual(
        expect.arrayContaining(['database-restored', 'hold-restored']),
      );
      expect(await problemsOf(gateway)).toEqual([]);
      // Held and past its limit: the sweep leaves it alone, and takes nothing else.
      expect(await sweep(gateway)).toMatchObject({ deleted: 0, absent: 0, held: 1, late: 0 });
      const [event] = eventsOf(db, 'gateway:database');
      expect(event).toMatchObject({ type: 'database.restored', data: { deletions: 3 } });
      // What had been signed last stands in the log that does not have it any more.
      const lost = openCheckpoint(event?.data['lastCheckpoint'] as string, gateway.auditKey);
      expect(lost.size).toBe(gateway.restored?.entriesBefore);
    });
    for (const path of old) expect(existsSync(join(site.dir, 'recordings', path))).toBe(false);
  });

  test('is put right once: opened again nothing is to do, also after the same backup is put back once more', async () => {
    const site = makeSite();
    const { held, young } = await tenDays(site);
    site.putBack();
    await within(site, ({ restored }) => {
      expect(restored).not.toBeNull();
    });
    await within(site, ({ restored }) => {
      expect(restored).toBeNull();
    });
    site.putBack();
    await within(site, (gateway) => {
      expect(gateway.restored).toMatchObject({ deletions: 3, holdsPlaced: 1, holdsLifted: 1 });
      expect(pathsOf(gateway).sort()).toEqual([held, young].sort());
      expect(listHolds(gateway.store.db)).toHaveLength(2);
    });
  });

  test('that was put right and then went on keeps both: a later backup is put right from there', async () => {
    const site = makeSite();
    await tenDays(site);
    site.putBack();
    await within(site, () => undefined);
    site.backup();
    site.nowUs = begin + 11 * day;
    await within(site, (gateway) => {
      placeHold(gateway, 'h-later', begin - day);
    });
    site.putBack();
    await within(site, (gateway) => {
      expect(gateway.restored).toMatchObject({ holdsPlaced: 1, holdsLifted: 0, deletions: 0 });
      expect(listDeletions(gateway.store.db)).toHaveLength(3);
    });
  });

  test('knows again until when a hold was approved and prolonged since: it does not end by the date of the backup', async () => {
    const site = makeSite();
    const held = site.record('lobby', begin - 28 * day);
    await within(site, async (gateway) => {
      await scanRoots(gateway.recordings);
      gateway.store.act('user:s', (note) => {
        for (const id of ['h-approved', 'h-prolonged']) {
          const row = holdRow({
            ...{ id, cameraIds: ['lobby'], startUs: begin - 28 * day, endUs: begin - 28 * day + hour, placedUs: begin },
            ...{ placedAs: 'security', placedBy: 'user:s', approvedUs: null, approvedBy: null },
            ...{ reviewUs: begin + 14 * day, wantedReviewUs: begin + 60 * day, approveByUs: begin + 3 * day },
          });
          insertHold(gateway.store.db, row);
          note('hold.placed', `hold:${id}`, {});
        }
      });
    });
    site.backup();
    site.nowUs = begin + day;
    const until = (gateway: Gateway, id: string, reviewUs: number): void => {
      gateway.store.act('user:legal', (note) => {
        setApproved(gateway.store.db, id, { by: 'user:legal', atUs: site.nowUs, reviewUs: begin + 60 * day });
        setReview(gateway.store.db, id, { reviewUs, setUs: site.nowUs });
        note('hold.prolonged', `hold:${id}`, {});
      });
    };
    await within(site, (gateway) => {
      until(gateway, 'h-approved', begin + 60 * day);
      until(gateway, 'h-prolonged', begin + 80 * day);
    });
    site.putBack();
    await within(site, async (gateway) => {
      const { db } = gateway.store;
      expect(gateway.restored).toMatchObject({ holdsPlaced: 0, holdsLifted: 0 });
      expect(findHold(db, 'h-approved')).toMatchObject({ reviewUs: begin + 60 * day, approvedBy: 'user:legal' });
      expect(findHold(db, 'h-prolonged')).toMatchObject({ reviewUs: begin + 80 * day, reviewSetUs: begin + day });
      expect(await problemsOf(gateway)).toEqual([]);
      site.nowUs = begin + 79 * day;
      await sweep(gateway);
      expect(pathsOf(gateway)).toEqual([held]);
    });
  });

  test.each([1, 2, 3])('and a crash after act %i of putting it right is made good by the next start', async (acts) => {
    const site = makeSite();
    const { held, young } = await tenDays(site);
    site.putBack();
    // The clock is asked in every act: there it ends.
    let asked = 0;
    const config = parseConfig(
      'site: { name: Test, timezone: UTC }\nroots: [{ id: nvr, path: ./recordings, layout: frigate }]\n',
      join(site.dir, 'gateway.yaml'),
    );
    const clock: Clock = {
      nowUs: () => {
        asked += 1;
        if (asked > acts * 3) throw new Error('killed');
        return site.nowUs;
      },
      monotonicMs: () => 0,
    };
    await expect(openGateway(config, { clock, log: silentLog })).rejects.toThrow('killed');
    await within(site, async (gateway) => {
      expect(pathsOf(gateway).sort()).toEqual([held, young].sort());
      expect(listDeletions(gateway.store.db)).toHaveLength(3);
      expect(listHolds(gateway.store.db)).toHaveLength(2);
      expect(await problemsOf(gateway)).toEqual([]);
    });
  });

  test.each([
    ['the very file', 1, 0],
    ['a copy of it', 0, 1],
  ])('with deleted footage back on disk too, as %s, deletes it again', async (what, deletedAgain, deletions) => {
    const site = makeSite();
    const path = site.record('lobby', begin - 29 * day);
    site.record('lobby', begin - day);
    const full = join(site.dir, 'recordings', path);
    const kept = join(site.dir, 'kept.mp4');
    await within(site, (gateway) => scanRoots(gateway.recordings));
    site.backup();
    if (what === 'the very file') linkSync(full, kept);
    else cpSync(full, kept);
    site.nowUs = begin + 10 * day;
    await within(site, async (gateway) => {
      expect(await sweep(gateway)).toMatchObject({ deleted: 1 });
    });
    site.putBack();
    renameSync(kept, full);
    await within(site, async (gateway) => {
      expect(gateway.restored).toMatchObject({ deletedAgain, deletions });
      // Not in the index any more, so nothing shows it; by its inode it was known, and is gone before anybody could ask.
      expect(pathsOf(gateway)).not.toContain(path);
      expect(existsSync(full)).toBe(what !== 'the very file');
      await scanRoots(gateway.recordings);
      expect(await sweep(gateway)).toMatchObject({ deleted: deletions });
      expect(await problemsOf(gateway)).toEqual([]);
    });
    expect(existsSync(full)).toBe(false);
  });

  test('refuses to open where the whole data folder was put back and a copy of the checkpoints knows more', async () => {
    const site = makeSite('anchors: [./elsewhere/checkpoints]');
    const { young } = await tenDays(site);
    // The journal and the checkpoint of the data folder as they were then.
    site.putBack();
    rmSync(join(site.data, 'journal'), { recursive: true });
    rmSync(join(site.data, 'checkpoint.txt'));
    await expect(site.open()).rejects.toThrow('not in the journal');
    const gateway = await site.open({ acceptLoss: true });
    expect(gateway.restored).toMatchObject({ lossAccepted: true, deletions: 0 });
    expect(pathsOf(gateway)).toContain(young);
    gateway.close();
  });

  test('of which the whole data folder was put back is put right from the journal on another disk', async () => {
    const site = makeSite('anchors: [./elsewhere/checkpoints], journals: [./elsewhere/journal]');
    const { held, young } = await tenDays(site);
    site.putBack();
    rmSync(join(site.data, 'journal'), { recursive: true });
    rmSync(join(site.data, 'checkpoint.txt'));
    await within(site, (gateway) => {
      expect(gateway.restored).toMatchObject({ deletions: 3, holdsPlaced: 1, lossAccepted: false });
      expect(pathsOf(gateway).sort()).toEqual([held, young].sort());
      // An anchor cannot be talked out of what it saw.
      expect(gateway.verifyAudit().ok).toBe(false);
    });
  });
});

describe('the journal', () => {
  test('has no path, no name and no reference, and its chain holds', async () => {
    const site = makeSite();
    await tenDays(site);
    const folder = join(site.data, 'journal');
    const text = readdirSync(folder)
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('');
    for (const word of ['.mp4', 'Jens', '2026-0', 'recordings']) expect(text).not.toContain(word);
    const journal = openJournal(folder);
    const kinds = [...journal.lines()].map(({ kind }) => kind);
    expect(journal.broken()).toBeNull();
    expect(kinds).toEqual(['begun', 'hold', 'hold', 'hold', 'deleted']);
  });

  test('that somebody edited is not believed', async () => {
    const site = makeSite();
    await tenDays(site);
    const folder = join(site.data, 'journal');
    const [name = ''] = readdirSync(folder);
    const text = readFileSync(join(folder, name), 'utf8');
    writeFileSync(join(folder, name), text.replace('"ground":"dispute"', '"ground":"complaint"'));
    site.putBack();
    await expect(site.open()).rejects.toThrow('journal of deletions and holds is broken');
  });

  test('goes on after a torn last line, and after one that was never written', async () => {
    const site = makeSite();
    await tenDays(site);
    const folder = join(site.data, 'journal');
    const [name = ''] = readdirSync(folder);
    const text = readFileSync(join(folder, name), 'utf8');
    // The last line torn off in the middle: its deletion is in the database, and is written again.
    writeFileSync(join(folder, name), text.slice(0, -40));
    await within(site, ({ restored }) => {
      expect(restored).toBeNull();
    });
    expect(readFileSync(join(folder, name), 'utf8')).toBe(text);
  });

  test('takes long lines and begins new files', () => {
    const folder = join(tempDir(), 'journal');
    const journal = openJournal(folder);
    const deletion = {
      id: 1,
      segmentId: 1,
      startUs: 1,
      endUs: 2,
      sizeBytes: 1,
      inode: '1',
      ruleId: 'r',
      dueUs: 1,
      intendedUs: 1,
    };
    const deletions = Array.from({ length: 30_000 }, () => ({ ...deletion, doneUs: 3, result: 'unlinked' as const }));
    for (let round = 0; round < 6; round += 1) {
      journal.append([{ kind: 'deleted', cameraId: 'a', deletions, seq: round, leaf: '' }]);
      expect(journal.tail()).toMatchObject({ n: round, seq: round });
    }
    expect(readdirSync(folder).length).toBeGreaterThan(1);
    expect([...openJournal(folder).lines()].map(({ n }) => n)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(journal.broken()).toBeNull();
  });
});

describe('B3, C11 footage that a backup brought back', () => {
  test('is as old as its frames, not as its copy: indexed by the next scan, gone with the next sweep', async () => {
    const site = makeSite();
    const path = site.record('lobby', begin - 40 * day);
    site.record('lobby', begin - day);
    const full = join(site.dir, 'recordings', path);
    // Written now: only the name says how old it is.
    utimesSync(full, begin / 1e6, begin / 1e6);
    await within(site, async (gateway) => {
      await scanRoots(gateway.recordings);
      expect(await sweep(gateway)).toMatchObject({ deleted: 1, late: 1 });
    });
    expect(existsSync(full)).toBe(false);
  });
});
