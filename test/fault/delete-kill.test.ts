/** SIGKILL at every step of a deletion, and at every step of finishing it; and at moments that no step names. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { verifyAuditLog } from '../../src/audit/verify.js';
import { silentLog } from '../../src/platform/log.js';
import { checkDisk } from '../../src/retention/check-disk.js';
import type { RetentionContext } from '../../src/retention/context.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { recoverDeletions } from '../../src/retention/recovery.js';
import { makeStore, readCheckpoints, readEntries, readFrontier } from '../../src/store/audit-log.js';
import { checkStore } from '../../src/store/check.js';
import { openDatabase } from '../../src/store/database.js';
import { listDeletions } from '../../src/store/deletions.js';
import { listDerived, registerDerived } from '../../src/store/derived-files.js';
import { insertRequest } from '../../src/store/requests.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import {
  addCamera,
  addHold,
  addRoot,
  addSegment,
  addUser,
  day,
  hour,
  june,
  makeTestStore,
  origin,
  type TestStore,
} from '../helpers/store.js';

const dist = new URL('../../dist/', import.meta.url);
const child = fileURLToPath(new URL('./delete-child.mjs', import.meta.url));

beforeAll(() => {
  // The child runs what is compiled; an old build would prove nothing about this source.
  for (const folder of ['retention', 'store', 'store/migrations']) {
    const source = new URL(`../../src/${folder}/`, import.meta.url);
    for (const name of readdirSync(source)) {
      if (!/\.(ts|sql)$/.test(name)) continue;
      const built = new URL(`${folder}/${name.replace(/\.ts$/, '.js')}`, dist);
      if (!existsSync(built) || statSync(built).mtimeMs < statSync(new URL(name, source)).mtimeMs) {
        throw new Error(`${fileURLToPath(built)} is older than its source: run "npm run build" first.`);
      }
    }
  }
});

const dueFiles = ['lobby/a.mp4', 'lobby/b.mp4', 'lobby/deep/er/c.mp4', 'lobby/d.mp4', 'yard/e.mp4', 'yard/f.mp4'];
const otherFiles = ['lobby/held.mp4', 'lobby/young.mp4', 'yard/just-not.mp4', 'not-ours.txt'];

interface Site {
  readonly dir: string;
  readonly publicKey: TestStore['publicKey'];
  readonly privateKey: TestStore['privateKey'];
}

/** Two cameras in two roots, six due files in three batches, copies and a package of some of them, a hold, and bystanders. */
function makeSite(): Site {
  const made = makeTestStore();
  writeFileSync(join(made.dir, 'key.pem'), made.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  addCamera(made, 'lobby');
  addCamera(made, 'yard', { retentionDays: 3 });
  const root = addRoot(made, 'nvr');
  addRoot(made, 'second');
  const ids = dueFiles.map((path, index) => {
    const camera = dirname(path).split('/')[0] ?? '';
    const startUs = june - (camera === 'yard' ? 3 : 29.5) * day - index * hour;
    return addSegment(made, { camera, path, startUs, root: path === 'yard/f.mp4' ? 'second' : 'nvr' });
  });
  const held = addSegment(made, { camera: 'lobby', path: 'lobby/held.mp4', startUs: june - 31 * day });
  addHold(made, { id: 'h1', cameras: ['lobby'], startUs: june - 31 * day, endUs: june - 31 * day + hour });
  addSegment(made, { camera: 'lobby', path: 'lobby/young.mp4', startUs: june - day });
  addSegment(made, { camera: 'yard', path: 'yard/just-not.mp4', startUs: june - 3 * day + 1 });
  addSegment(made, { camera: 'yard', path: 'yard/second.mp4', startUs: june - day, root: 'second' });
  writeFileSync(join(root, 'not-ours.txt'), 'a letter');

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
      startUs: june - 31 * day,
      endUs: june - 29 * day,
      requestedBy: 'u1',
      requestedUs: june,
    });
    const derive = (path: string, kind: 'masked-copy' | 'package', segmentIds: number[]): void => {
      const file = join(made.dataDir, path, kind === 'package' ? 'originals/a.mp4' : '');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `made from ${path}`);
      registerDerived(made.db, { path, kind, requestId: 'r1', segmentIds, createdUs: june });
    };
    derive('requests/r1/masked/a.mp4', 'masked-copy', ids.slice(0, 1));
    derive('requests/r1/masked/held.mp4', 'masked-copy', [held]);
    derive('requests/r1/package', 'package', [...ids.slice(1, 3), held]);
    note('request.created', 'request:r1', {});
  });
  made.db.close();
  return made;
}

/** Every file below a folder with its bytes, except the database's own. */
function filesBelow(folder: string, path = ''): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
    const name = join(path, entry.name);
    if (entry.isDirectory()) for (const [key, value] of filesBelow(folder, name)) files.set(key, value);
    else if (!/tredive\.db|retention\.lock/.test(name)) files.set(name, readFileSync(join(folder, name), 'utf8'));
  }
  return files;
}

const runChild = (
  dir: string,
  mode: 'sweep' | 'recover',
  killAt: number,
): Promise<{ steps: string[]; signal: string | null }> =>
  new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [child, dist.href, dir, mode, String(killAt), String(june)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    process_.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    process_.on('error', reject);
    process_.on('close', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') reject(new Error(`the child ended with ${String(code ?? signal)}`));
      else resolve({ steps: out.split('\n').filter((line) => line !== ''), signal });
    });
  });

/** What the next start does, and what must be true then; `before` is every file that was there before the first kill. */
async function restartAndJudge(site: Site, before: Map<string, string>, anchors: string[]): Promise<string[]> {
  const { dir } = site;
  const db = openDatabase(join(dir, 'data', 'tredive.db'));
  try {
    const clock = { nowUs: () => june, monotonicMs: () => 0 };
    const rootPath = (id: string): string => join(dir, 'roots', id);
    const store = makeStore(db, clock, { origin, privateKey: site.privateKey });
    const context: RetentionContext = {
      store,
      log: silentLog,
      dataDir: join(dir, 'data'),
      marginUs: 12 * hour,
      rootPath,
    };
    const judge = async (): Promise<void> => {
      expect(await checkDisk(db, context)).toEqual([]);
      expect(checkStore(db)).toEqual([]);
    };

    // The recovery alone: nothing is half-done, no row without its file, no file without its row.
    expect(await recoverDeletions(context)).toMatchObject({ failed: [], problems: [] });
    expect(listDeletions(db).filter((row) => row.state === 'intended')).toEqual([]);
    await judge();
    for (const root of ['nvr', 'second']) {
      const rows = [...segmentsOfRoot(db, root)];
      expect(rows.map((row) => row.state)).not.toContain('deleting');
      const onDisk = [...filesBelow(rootPath(root)).keys()].filter((name) => name !== 'not-ours.txt');
      expect(rows.map((row) => row.path).sort()).toEqual(onDisk.sort());
    }

    expect(await applyDeletions(context)).toMatchObject({ failed: [], refused: null, held: 1 });
    await judge();
    const expected = new Map(before);
    for (const path of dueFiles) expected.delete(join('roots', path === 'yard/f.mp4' ? 'second' : 'nvr', path));
    expected.delete('data/requests/r1/masked/a.mp4');
    expected.delete('data/requests/r1/package/originals/a.mp4');
    expect(filesBelow(dir)).toEqual(expected);
    for (const path of otherFiles) expect(existsSync(join(dir, 'roots/nvr', path)), path).toBe(true);
    expect(listDerived(db).map((file) => file.path)).toEqual(['requests/r1/masked/held.mp4']);
    const records = listDeletions(db);
    expect(records.map((row) => row.state)).toEqual(dueFiles.map(() => 'done'));
    expect(new Set(records.map((row) => row.segmentId)).size).toBe(dueFiles.length);
    const report = verifyAuditLog(
      { entries: readEntries(db), checkpoints: readCheckpoints(db), anchors, frontierSize: readFrontier(db).size },
      site.publicKey,
    );
    expect(report.problems).toEqual([]);
    return records.map((row) => row.result ?? '');
  } finally {
    db.close();
  }
}

const checkpointsOf = (dir: string): string[] => {
  const db = openDatabase(join(dir, 'data', 'tredive.db'), { readonly: true });
  try {
    return readCheckpoints(db).map(({ note }) => note);
  } finally {
    db.close();
  }
};

/** A copy keeps no inode, and a segment is its inode: so every run gets a site made anew. */
async function sweepKilledAt(
  killAt: number,
): Promise<{ site: Site; before: Map<string, string>; steps: string[]; signal: string | null }> {
  const site = makeSite();
  const before = filesBelow(site.dir);
  const { steps, signal } = await runChild(site.dir, 'sweep', killAt);
  return { site, before, steps, signal };
}

/** A few at a time: they wait for the disk more than for the processor. */
async function several<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const next = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all([next(), next(), next()]);
}

describe('C6 killed with SIGKILL', () => {
  test('at every step of a sweep', { timeout: 300_000 }, async () => {
    const { site, before, steps } = await sweepKilledAt(-1);
    expect(await restartAndJudge(site, before, checkpointsOf(site.dir))).toEqual(dueFiles.map(() => 'unlinked'));
    expect(new Set(steps)).toEqual(
      new Set([
        'sweep-begun',
        'intent-written',
        'intent-committed',
        'derived-unlinked',
        'derived-synced',
        'derived-written',
        'derived-forgotten',
        'files-unlinked',
        'end-written',
        'end-committed',
        'sweep-committed',
        'wal-truncated',
      ]),
    );
    const absentAfter = new Set<string>();
    await several([...steps.entries()], async ([index, name]) => {
      const killed = await sweepKilledAt(index);
      expect(killed.signal, name).toBe('SIGKILL');
      expect(killed.steps.at(-1)).toBe(name);
      const results = await restartAndJudge(killed.site, killed.before, checkpointsOf(killed.site.dir));
      if (results.includes('already-absent')) absentAfter.add(name);
    });
    // Only between the unlink and its commit is it not known who removed a file, and the record does not claim to know.
    expect([...absentAfter].sort()).toEqual(['end-written', 'files-unlinked']);
    console.log(`killed at ${steps.length} points of a sweep`);
  });

  test('and again at every step of the recovery', { timeout: 300_000 }, async () => {
    // Killed for the first time with all files still there, and with files that are gone.
    const { steps } = await sweepKilledAt(-1);
    let points = 0;
    await several(['intent-committed', 'files-unlinked'], async (first) => {
      for (let secondAt = 0; ; secondAt += 1) {
        const { site, before } = await sweepKilledAt(steps.indexOf(first));
        const second = await runChild(site.dir, 'recover', secondAt);
        await restartAndJudge(site, before, checkpointsOf(site.dir));
        if (second.signal === null) break;
        points += 1;
      }
    });
    expect(points).toBeGreaterThan(8);
    console.log(`killed at ${points} points of a recovery`);
  });

  test('at moments that no step names', { timeout: 120_000 }, async () => {
    await several([0, 1, 2, 3, 4, 5, 6, 7], async (round) => {
      const site = makeSite();
      const before = filesBelow(site.dir);
      const process_ = spawn(process.execPath, [child, dist.href, site.dir, 'sweep', '-1', String(june)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const closed = new Promise((resolve) => process_.once('close', resolve));
      await new Promise((resolve) => process_.stdout.once('data', resolve));
      await sleep(round * 7);
      process_.kill('SIGKILL');
      await closed;
      await restartAndJudge(site, before, checkpointsOf(site.dir));
    });
  });
});
