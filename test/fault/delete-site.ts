/** A small site with everything in it that a deletion touches, and what must be true of it after whatever happened to one. */
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
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

export const dist = new URL('../../dist/', import.meta.url);

/** The children run what is compiled; an old build would prove nothing about this source. */
export function requireBuild(): void {
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
}

export const dueFiles = [
  'lobby/a.mp4',
  'lobby/b.mp4',
  'lobby/deep/er/c.mp4',
  'lobby/d.mp4',
  'yard/e.mp4',
  'yard/f.mp4',
];
/** Segments get their ids in this order. */
const fileOf = (dir: string, segmentId: number): string => {
  const path = dueFiles[segmentId - 1];
  if (path === undefined) throw new Error(`segment ${segmentId} was never due`);
  return join(dir, 'roots', path === 'yard/f.mp4' ? 'second' : 'nvr', path);
};
const otherFiles = ['lobby/held.mp4', 'lobby/young.mp4', 'yard/just-not.mp4', 'not-ours.txt'];

export interface Site {
  readonly dir: string;
  readonly publicKey: TestStore['publicKey'];
  readonly privateKey: TestStore['privateKey'];
}

/** Two cameras in two roots, six due files in three batches, copies and a package of some of them, a hold, and bystanders. */
export function makeSite(dir?: string): Site {
  const made = makeTestStore(dir === undefined ? {} : { dir });
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
    derive('packages/r1', 'package', [...ids.slice(1, 3), held]);
    note('request.created', 'request:r1', {});
  });
  made.db.close();
  return made;
}

/** Every file below a folder with its bytes, except the database's and the journal's own. */
export function filesBelow(folder: string, path = ''): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
    const name = join(path, entry.name);
    if (entry.isDirectory()) for (const [key, value] of filesBelow(folder, name)) files.set(key, value);
    else if (!/tredive\.db|retention\.lock|journal/.test(name))
      files.set(name, readFileSync(join(folder, name), 'utf8'));
  }
  return files;
}

/** What the next start does, and what must be true then; `before` is every file that was there before the first kill. */
export async function restartAndJudge(site: Site, before: Map<string, string>, anchors: string[]): Promise<string[]> {
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
      // A file of its own under a temporary name is removed within a day; it shows nothing and names nothing. This start keeps no
      // journal: what is in it is judged where the child has kept one.
      const found = (await checkDisk(db, context)).filter(({ invariant }) => invariant !== 'I22');
      expect(found.filter(({ detail }) => !detail.endsWith('is what a crash left of one of its own files'))).toEqual(
        [],
      );
      expect(checkStore(db)).toEqual([]);
    };

    // As it was left: what is recorded as deleted is gone.
    expect(listDeletions(db).filter((row) => row.state === 'done' && existsSync(fileOf(dir, row.segmentId)))).toEqual(
      [],
    );

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
    expected.delete('data/packages/r1/originals/a.mp4');
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

export const checkpointsOf = (dir: string): string[] => {
  const db = openDatabase(join(dir, 'data', 'tredive.db'), { readonly: true });
  try {
    return readCheckpoints(db).map(({ note }) => note);
  } finally {
    db.close();
  }
};

/** A few at a time: they wait for the disk more than for the processor. */
export async function several<T>(items: readonly T[], work: (item: T) => Promise<void>, atOnce = 3): Promise<void> {
  const left = [...items];
  const next = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}
