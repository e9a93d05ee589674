/**
 * What a gateway makes of footage is made, with a marker in the pictures, the names and the metadata; time goes on; and nothing of
 * it is found: in no name, no file, no picture that can be decoded, not in the database and not in its WAL.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGateway, type Gateway } from '../../src/app.js';
import { parseConfig } from '../../src/config.js';
import { closeRequest, expirePackages } from '../../src/disclosure/close.js';
import { decideRequest } from '../../src/disclosure/decide.js';
import { setMasks } from '../../src/disclosure/masks.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { cleanUpAfterCrash } from '../../src/disclosure/recovery.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { searchFootage } from '../../src/disclosure/search.js';
import type { User } from '../../src/domain/user.js';
import { contactSheetOf } from '../../src/recordings/pictures/contact-sheet.js';
import { prunePictures } from '../../src/recordings/pictures/cache.js';
import { cutsIn } from '../../src/recordings/pictures/cuts.js';
import { stillAt } from '../../src/recordings/pictures/still.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { checkDisk } from '../../src/retention/check-disk.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { checkStore } from '../../src/store/check.js';
import { openDatabase, truncateWal, type Database } from '../../src/store/database.js';
import { listDerived } from '../../src/store/derived-files.js';
import { listQuarantine } from '../../src/store/quarantine.js';
import { getRequest } from '../../src/store/requests.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import { insertUser } from '../../src/store/users.js';
import {
  danishName,
  makeMarkedClip,
  needlesOf,
  plainName,
  tracesIn,
  type Needles,
  type Trace,
} from '../helpers/marker.js';
import { scopeFor } from '../helpers/disclosure.js';

const dist = new URL('../../dist/', import.meta.url);
const child = fileURLToPath(new URL('../disclosure/prepare-child.mjs', import.meta.url));
const hook = fileURLToPath(new URL('../fault/kill-at.mjs', import.meta.url));

const seconds = (count: number): number => count * 1_000_000;
const day = seconds(86_400);
/** Real time: what is on disk has the last change that the machine gave it. */
const begunUs = Math.floor(Date.now() / 1000) * 1_000_000;
const recordedUs = begunUs - seconds(3 * 3600);

const security: User = { id: 'u-sofie', name: 'Sofie', roles: ['security'], disabledUs: null };
const legal: User = { id: 'u-lars', name: 'Lars', roles: ['legal'], disabledUs: null };

let site: string;
let needles: Needles;
let gateway: Gateway;
const clock = { us: begunUs, nowUs: () => clock.us, monotonicMs: () => performance.now() };

const data = (path = ''): string => join(site, 'data', path);
const recordings = (path = ''): string => join(site, 'recordings', path);
/** Everything that the gateway may write to: what it logs and its temporary folder too. Not the films that the test began with. */
const folders = (): string[] => ['data', 'recordings', 'log', 'tmp'].map((name) => join(site, name));
const made = new Map<string, string[]>();

const stamp = (us: number): string =>
  new Date(us / 1000).toISOString().slice(0, 19).replace('T', '_').replaceAll(':', '-');
/** Recording `index` lies in a folder and under a name that both say the marker. */
const pathOf = (index: number, more = ''): string =>
  `lobby/${danishName} ${plainName}/${stamp(recordedUs + seconds(index * 10))}-${plainName} ${danishName}${more}.mp4`;

async function open(): Promise<Gateway> {
  const log = pino(
    { level: 'debug' },
    pino.destination({ dest: join(site, 'log/gateway.log'), sync: true, mkdir: true }),
  );
  const config = parseConfig(
    JSON.stringify({
      site: { name: 'Main office', timezone: 'Europe/Copenhagen' },
      data: './data',
      audit: { origin: 'tredive/test' },
      recordings: { quietSeconds: 0 },
      roots: [
        { id: 'nvr', path: './recordings', layout: { template: '%camera/%*/%Y-%m-%d_%H-%M-%S-%*', timezone: 'UTC' } },
      ],
      cameras: [{ id: 'lobby' }],
    }),
    join(site, 'gateway.yaml'),
  );
  return openGateway(config, { clock, log });
}

async function askFor(index: number): Promise<string> {
  const startUs = recordedUs + seconds(index * 10);
  const { request } = createRequest(gateway.disclosure, security, scopeFor({ startUs, endUs: startUs + seconds(3) }));
  return Promise.resolve(request.id);
}

async function approve(index: number): Promise<string> {
  const id = await askFor(index);
  await prepareRequest(gateway.disclosure, security, id);
  reviewRequest(gateway.disclosure, legal, id, { uncertainSeen: true });
  const terms = { audioReason: null, redactedOnlyReason: null };
  decideRequest(gateway.disclosure, legal, id, { approve: true, reason: 'needed for the case', terms });
  return id;
}

/** Another process does it and is killed with SIGKILL in the midst of it. */
async function killedAt(moment: string, id: string, packagedBy?: User): Promise<void> {
  const job = {
    databaseFile: data('tredive.db'),
    dataDir: data(),
    root: recordings(),
    nowUs: clock.us,
    keyFile: data('keys/audit.pem'),
    redaction: gateway.disclosure.redaction,
    id,
    packagedBy,
  };
  const process_ = spawn(process.execPath, ['--import', hook, child, dist.href, JSON.stringify(job)], {
    env: { ...process.env, KILL_AT: moment },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [, signal] = (await once(process_, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
}

/** Keeps one file of a kind aside, as it was before the purge. */
function keep(kind: string, path: string): void {
  const aside = join(site, 'aside', kind);
  mkdirSync(dirname(aside), { recursive: true });
  cpSync(data(path), aside, { recursive: true });
  made.set(kind, [...(made.get(kind) ?? []), path]);
}

const below = (folder: string): string[] =>
  readdirSync(data(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(data().length));

beforeAll(async () => {
  site = mkdtempSync(join(tmpdir(), 'tredive-marker-'));
  for (const name of ['tmp', 'log', 'films', 'recordings']) mkdirSync(join(site, name));
  process.env['TMPDIR'] = join(site, 'tmp');
  const films: string[] = [];
  for (let index = 0; index < 8; index += 1) {
    const film = await makeMarkedClip(join(site, `films/${index}.mp4`), 10 + index * 6);
    films.push(film);
    mkdirSync(dirname(recordings(pathOf(index))), { recursive: true });
    copyFileSync(film, recordings(pathOf(index)));
    const writtenS = (recordedUs + seconds(index * 10 + 3)) / 1e6;
    utimesSync(recordings(pathOf(index)), writtenS, writtenS);
  }
  needles = needlesOf(films);
  gateway = await open();
  const { store, disclosure, pictures } = gateway;
  store.act('operator', (note) => {
    for (const user of [security, legal]) {
      insertUser(store.db, { ...user, passwordHash: 'x', createdUs: clock.us });
      note('user.added', `user:${user.id}`, {});
    }
  });
  // A broken sibling goes into quarantine, a recording gets another name, another one is emptied and comes back.
  writeFileSync(recordings(pathOf(0, '-broken')), 'no film');
  await scanRoots(gateway.recordings);
  expect(listQuarantine(store.db)).toHaveLength(1);
  renameSync(recordings(pathOf(7)), recordings(pathOf(7, '-renamed')));
  await scanRoots(gateway.recordings);
  expect([...segmentsOfRoot(store.db, 'nvr')]).toHaveLength(8);

  const look = { actor: 'user:u-sofie', purpose: 'incident' } as const;
  const range = { startUs: recordedUs, endUs: recordedUs + seconds(60) };
  keep(
    'a still',
    (await stillAt(pictures, look, { cameraId: 'lobby', atUs: recordedUs + seconds(1), maxWidth: 640 })).path,
  );
  keep('a contact sheet', (await contactSheetOf(pictures, look, { cameraId: 'lobby', range, count: 6 })).path);
  searchFootage(disclosure, 'user:u-sofie', ['lobby'], range);
  expect((await cutsIn(pictures, 'lobby', range)).every((cut) => cut.problem === null)).toBe(true);

  // One that is handed over and received, one whose package only expires, and one that is never packaged.
  const received = await approve(0);
  await packageRequest(disclosure, security, received);
  const expires = await approve(1);
  await packageRequest(disclosure, security, expires);
  const forgotten = await askFor(2);
  await prepareRequest(disclosure, security, forgotten);
  const drawn = [{ fromFrame: 0, toFrame: 5, box: { x: 8, y: 8, w: 32, h: 32 } }];
  await setMasks(disclosure, legal, forgotten, [{ position: 0, decisions: { keepVisible: [], drawn } }]);
  // Refused; and one whose recording was away when it was prepared, so that its failure says where it should have been.
  const refused = await askFor(3);
  await prepareRequest(disclosure, security, refused);
  decideRequest(disclosure, legal, refused, {
    approve: false,
    reason: 'no ground for it',
    terms: { audioReason: null, redactedOnlyReason: null },
  });
  const failed = await askFor(4);
  renameSync(recordings(pathOf(4)), join(site, 'films/away.mp4'));
  await expect(prepareRequest(disclosure, security, failed)).rejects.toThrow();
  renameSync(join(site, 'films/away.mp4'), recordings(pathOf(4)));
  expect(getRequest(store.db, failed).failure).not.toBeNull();

  for (const path of below('requests')) {
    if (path.includes('/originals/')) keep('a copy of an original', path);
    if (path.includes('/redacted/')) keep('a masked copy', path);
    if (path.includes('/plans/')) keep('a mask plan', path);
  }
  for (const path of below('packages')) {
    if (path.endsWith('.zip')) keep('a package as an archive', path);
    if (path.endsWith('/manifest.json')) keep('the manifest of a package', path);
  }

  // Killed in the midst of things.
  const preparing = await askFor(5);
  await killedAt('grows 1000', preparing);
  const packaging = await approve(6);
  await killedAt('after sync plan', packaging, security);
  for (const path of [...below('requests'), ...below('packages')]) {
    if (path.endsWith('.growing.partial')) keep('what a killed encoder wrote', path);
    if (path.includes('.partial/originals/')) keep('what a killed packaging copied', path);
  }
  // What a kill leaves where a row was forgotten before its file was gone, or where the database was put back since.
  const [still = ''] = made.get('a still') ?? [];
  const strays = {
    'a picture that no row knows': `stills/${'0'.repeat(40)}.jpg`,
    'a picture with a temporary name': `stills/${'1'.repeat(40)}.jpg.partial`,
    'a file in the folder of a closed request': `requests/${received}/redacted/0000.jpg.partial`,
    'a package that no row knows': `packages/${refused}.zip.partial`,
  };
  for (const [kind, path] of Object.entries(strays)) {
    mkdirSync(dirname(data(path)), { recursive: true });
    copyFileSync(data(still), data(path));
    keep(kind, path);
  }
  gateway.close();
  copyFileSync(data('tredive.db'), data('tredive.db.bak'));
  keep('a copy of the database', 'tredive.db.bak');
  copyFileSync(data('tredive.db'), join(site, 'before.db'));
  gateway = await open();
  await closeRequest(gateway.disclosure, security, received, 'received');
  expect(getRequest(gateway.store.db, expires).state).toBe('packaged');
}, 300_000);

afterAll(() => {
  gateway.close();
  delete process.env['TMPDIR'];
  rmSync(site, { recursive: true, force: true });
});

describe('C3 C13: everything derived goes too', () => {
  test('before the purge the marker is found in every kind that can show it', { timeout: 120_000 }, async () => {
    const traces = await tracesIn([join(site, 'aside'), data()], needles);
    const kinds = new Set(
      traces.filter(({ path }) => path.startsWith(join(site, 'aside'))).map(({ path }) => basename(path)),
    );
    // A plan is numbers: that it is there at all is what is asked below.
    expect([...kinds].sort()).toEqual([...made.keys()].filter((kind) => kind !== 'a mask plan').sort());
    expect(made.size).toBeGreaterThanOrEqual(14);
    expect(traces).toContainEqual({ path: data('tredive.db'), of: 'word' });
  });

  test('C3 C13 E18 E19: after the purge it is nowhere', { timeout: 300_000 }, async () => {
    const { store, disclosure, retention } = gateway;
    // A week on: what was packaged expires, what crashed is cleaned up.
    clock.us += 8 * day;
    await cleanUpAfterCrash(disclosure);
    expect(await expirePackages(disclosure)).toBe(1);
    prunePictures(gateway.pictures);
    await gateway.tidyDataFolder();
    expect(below('packages')).toEqual([]);
    expect(below('stills')).toEqual([]);
    expect(openTasks(store.db).map(({ kind }) => kind)).toContain('database-copies');
    // The holds of requests that nobody ended are over after 30 days, and with them the footage.
    clock.us = begunUs + 31 * day;
    const stuck = await applyDeletions({
      ...retention,
      unlink: (_root, files) => Promise.reject(new Error(`no permission for ${String(files[0]?.relativePath)}`)),
    });
    expect(stuck.failed).toHaveLength(8);
    // What lies in quarantine is never touched by the gateway: a person, or the recorder, removes it.
    rmSync(recordings(pathOf(0, '-broken')));
    await scanRoots(gateway.recordings);
    await gateway.tidyDataFolder();
    expect(await applyDeletions(retention)).toMatchObject({ deleted: 8, failed: [], refused: null });
    expect(statSync(data('tredive.db-wal')).size).toBe(0);
    await gateway.makeReport(
      new Date(begunUs / 1000).toISOString().slice(0, 7),
      data(`reports/${new Date(begunUs / 1000).toISOString().slice(0, 7)}`),
      'gateway',
    );
    rmSync(dirname(recordings(pathOf(0))), { recursive: true });

    // While it runs, with its WAL, and once it is closed.
    expect(await tracesIn(folders(), needles)).toEqual([]);
    expect(leftOver()).toEqual([]);
    expect(listDerived(store.db)).toEqual([]);
    expect(checkStore(store.db)).toEqual([]);
    expect(await checkDisk(store.db, retention)).toEqual([]);
    expect(gateway.verifyAudit().problems).toEqual([]);
    gateway.close();
    expect(await tracesIn(folders(), needles)).toEqual([]);
    gateway = await open();
    expect(openTasks(gateway.store.db).map(({ kind }) => kind)).not.toContain('database-copies');
    truncateWal(gateway.store.db);
  });

  /** By the place alone, whatever is in them. */
  const leftOver = (): string[] => ['requests', 'packages', 'stills'].flatMap(below);

  test('each kind of file that the purge leaves out is seen', { timeout: 120_000 }, async () => {
    for (const [kind, paths] of made) {
      const path = paths.at(-1) ?? '';
      mkdirSync(dirname(data(path)), { recursive: true });
      cpSync(join(site, 'aside', kind), data(path), { recursive: true });
      const traces = await tracesIn([dirname(data(path))], needles);
      const seen = traces.some((trace) => trace.path === data(path)) || leftOver().includes(path);
      expect(seen, kind).toBe(true);
      rmSync(data(path), { recursive: true });
    }
  });

  const word = `${plainName}.mp4`;
  const asSql = `'${word}'`;
  const inTask = `INSERT INTO task (kind, subject, detail, created_us, done_us) VALUES ('k', 's', 'see ${word}', 0, 1)`;
  const inQuarantine = `INSERT INTO quarantine VALUES ('nvr', ${asSql}, 'r', 'd', NULL, 0, 1, '1', 0, 0)`;
  const rows: readonly (readonly [kind: string, leave: (db: Database) => void])[] = [
    [
      'the row of a segment',
      (db) => {
        db.exec(`INSERT INTO folder VALUES (99, 'nvr', 'lobby/')`);
        db.exec(
          `INSERT INTO segment SELECT number, 0, 1000, 1, 99, ${asSql}, (SELECT min(id) FROM segment_kind), NULL, 1, 1, 0, NULL, 0, 0, 0, NULL FROM camera_footage`,
        );
      },
    ],
    ['a folder', (db) => db.exec(`INSERT INTO folder VALUES (99, 'nvr', '${plainName}/')`)],
    ['the quarantine', (db) => db.exec(inQuarantine)],
    ['a task that is done', (db) => db.exec(inTask)],
    ['the item of a closed request', (db) => db.exec(`UPDATE request_item SET source_name = ${asSql}`)],
    ['the path of an item', (db) => db.exec(`UPDATE request_item SET original_path = ${asSql}`)],
    ['why preparing failed', (db) => db.exec(`UPDATE disclosure_request SET failure = ${asSql}`)],
    [
      'the row of a derived file',
      (db) =>
        db.exec(
          `INSERT INTO derived_file (path, kind, request_id, created_us) SELECT ${asSql}, 'plan', min(id), 0 FROM disclosure_request`,
        ),
    ],
    [
      'a page that was freed without secure_delete',
      (db) => {
        db.pragma('secure_delete = OFF');
        db.exec(inQuarantine);
        db.exec('DELETE FROM quarantine');
      },
    ],
    [
      'a sample of ANALYZE',
      (db) => {
        db.exec(inQuarantine);
        db.exec('ANALYZE');
        db.exec('DELETE FROM quarantine');
      },
    ],
  ];

  test.each(rows)('what the purge leaves in the database is seen: %s', async (_kind, leave) => {
    const folder = mkdtempSync(join(site, 'db-'));
    copyFileSync(data('tredive.db'), join(folder, 'tredive.db'));
    const db = openDatabase(join(folder, 'tredive.db'));
    expect(await tracesIn([folder], needles)).toEqual([]);
    db.pragma('foreign_keys = OFF');
    leave(db);
    expect(truncateWal(db)).toBe(true);
    const traces: Trace[] = await tracesIn([folder], needles);
    db.close();
    expect(traces).toEqual([{ path: join(folder, 'tredive.db'), of: 'word' }]);
  });

  test('what is left in the WAL is seen, and goes once its reader has gone', async () => {
    const folder = mkdtempSync(join(site, 'db-'));
    copyFileSync(data('tredive.db'), join(folder, 'tredive.db'));
    const db = openDatabase(join(folder, 'tredive.db'));
    db.exec(inQuarantine);
    const reader = openDatabase(join(folder, 'tredive.db'), { readonly: true });
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM quarantine').get();
    db.exec('DELETE FROM quarantine');
    expect(truncateWal(db)).toBe(false);
    expect(await tracesIn([folder], needles)).toContainEqual({ path: join(folder, 'tredive.db-wal'), of: 'word' });
    reader.close();
    expect(truncateWal(db)).toBe(true);
    expect(await tracesIn([folder], needles)).toEqual([]);
    db.close();
  });
});
