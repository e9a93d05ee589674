/** SIGKILL at every step of protecting held footage and of giving it back, with a recorder that deletes what it still has meanwhile. */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  readFileSync,
  readdirSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { verifyAuditLog } from '../../src/audit/verify.js';
import { silentLog } from '../../src/platform/log.js';
import { checkDisk } from '../../src/retention/check-disk.js';
import { protectHeld } from '../../src/retention/vault/protect.js';
import { makeStore, readCheckpoints, readEntries, readFrontier } from '../../src/store/audit-log.js';
import { checkStore } from '../../src/store/check.js';
import { openDatabase } from '../../src/store/database.js';
import { listDerived } from '../../src/store/derived-files.js';
import { liftHold } from '../../src/store/holds.js';
import { openTasks } from '../../src/store/tasks.js';
import { wholeCopyOf } from '../../src/store/vault-copies.js';
import {
  addCamera,
  addHold,
  addRoot,
  addSegment,
  hour,
  june,
  makeTestStore,
  origin,
  type TestStore,
} from '../helpers/store.js';
import { vaultFiles, vaultOf } from '../helpers/vault.js';

const dist = new URL('../../dist/', import.meta.url);
const child = fileURLToPath(new URL('./vault-child.mjs', import.meta.url));
const minute = 60_000_000;

beforeAll(() => {
  // The child runs what is compiled; an old build would prove nothing about this source.
  for (const folder of ['retention/vault', 'store', 'store/migrations']) {
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

interface Site extends Pick<TestStore, 'dir' | 'dataDir' | 'publicKey' | 'privateKey' | 'rootPath'> {
  /** Held segments and what they hold. */
  readonly held: ReadonlyMap<number, string>;
  readonly paths: ReadonlyMap<number, string>;
  readonly released: number;
}

/** Two segments to be protected, one whose copy is of before it grew, and one that was released. */
async function makeSite(): Promise<Site> {
  const made = makeTestStore();
  writeFileSync(join(made.dir, 'key.pem'), made.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  addCamera(made, 'lobby');
  const root = addRoot(made, 'nvr');
  const held = new Map<number, string>();
  const paths = new Map<number, string>();
  const add = (name: string, atMinute: number): number => {
    const content = `${name} `.repeat(1000);
    const path = `lobby/${name}.mp4`;
    const id = addSegment(made, { camera: 'lobby', path, startUs: june - hour + atMinute * minute, content });
    held.set(id, content);
    paths.set(id, join(root, path));
    rest(made, id, join(root, path));
    return id;
  };
  const grown = add('grown', 0);
  const released = add('released', 20);
  addHold(made, { id: 'h1', cameras: ['lobby'], startUs: june - hour, endUs: june - hour + minute });
  addHold(made, { id: 'h2', cameras: ['lobby'], startUs: june - hour + 20 * minute, endUs: june - hour + 21 * minute });
  await protectHeld(vaultOf(made, { neverRewritten: false }));
  appendFileSync(paths.get(grown) ?? '', 'and its end');
  held.set(grown, `${held.get(grown) ?? ''}and its end`);
  await protectHeld(vaultOf(made));
  rest(made, grown, paths.get(grown) ?? '');
  await protectHeld({ ...vaultOf(made), neverRewritten: () => false, reserveBytes: Number.MAX_SAFE_INTEGER });
  made.store.act('user:legal', (note) => {
    liftHold(made.db, 'h2', 'user:legal', june);
    note('hold.lifted', 'hold:h2', {});
  });
  add('one', 10);
  add('two', 11);
  addHold(made, { id: 'h3', cameras: ['lobby'], startUs: june - hour + 10 * minute, endUs: june - hour + 12 * minute });
  made.db.prepare('DELETE FROM task').run();
  held.delete(released);
  made.db.close();
  return { ...made, rootPath: (id) => made.rootPath(id), held, paths, released };
}

/** As a scan indexes a file that was written long ago. */
function rest(made: TestStore, id: number, path: string): void {
  utimesSync(path, june / 1e6, june / 1e6);
  made.db.prepare('UPDATE segment SET size_bytes = ?, mtime_us = ? WHERE id = ?').run(statSync(path).size, june, id);
}

const runChild = (
  dir: string,
  killAt: number,
  neverRewritten: boolean,
): Promise<{ steps: string[]; signal: string | null }> =>
  new Promise((resolve, reject) => {
    const process_ = spawn(
      process.execPath,
      [child, dist.href, dir, String(killAt), String(june), neverRewritten ? 'yes' : 'no'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let out = '';
    process_.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    process_.on('error', reject);
    process_.on('close', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') reject(new Error(`the child ended with ${String(code ?? signal)}`));
      else resolve({ steps: out.split('\n').filter((line) => line !== ''), signal });
    });
  });

/** What the next run does, and what must be true then. */
async function finishAndCheck(site: Site, deletesMeanwhile: boolean): Promise<void> {
  // The recorder takes what the vault already has a whole folder of: there is no second chance for it.
  const whole = new Set(
    readdirSync(join(site.dataDir, 'vault')).flatMap((name) => {
      const id = Number(/^s(\d+)-[0-9a-f]{12}$/.exec(name)?.[1]);
      const card = join(site.dataDir, 'vault', name, 'segment.json');
      const size = site.held.get(id)?.length;
      if (size === undefined || !existsSync(card)) return [];
      return (JSON.parse(readFileSync(card, 'utf8')) as { sizeBytes: number }).sizeBytes === size ? [id] : [];
    }),
  );
  const gone = deletesMeanwhile ? [...whole] : [];
  for (const id of gone) unlinkSync(site.paths.get(id) ?? '');

  const db = openDatabase(join(site.dataDir, 'tredive.db'));
  const clock = { nowUs: () => june, monotonicMs: () => 0 };
  const store = makeStore(db, clock, { origin, privateKey: site.privateKey });
  const retention = { store, log: silentLog, dataDir: site.dataDir, marginUs: 12 * hour, rootPath: site.rootPath };
  const result = await protectHeld(vaultOf({ retention }));
  expect(result).toMatchObject({ waiting: 0, failed: [], refused: null, damaged: 0, originalsLost: gone.length });
  for (const [id, content] of site.held) {
    const copy = wholeCopyOf(db, id);
    expect(copy, `segment ${id}`).not.toBeNull();
    expect(readFileSync(join(site.dataDir, copy?.path ?? '', copy?.fileName ?? ''), 'utf8')).toBe(content);
  }
  expect(wholeCopyOf(db, site.released)).toBeNull();
  expect(vaultFiles(site).size).toBe(site.held.size * 2);
  expect(listDerived(db)).toHaveLength(site.held.size);
  expect(db.prepare('SELECT count(*) FROM vault_removal WHERE done_us IS NULL').pluck().get()).toBe(0);
  expect(db.prepare("SELECT count(*) FROM vault_removal WHERE why = 'hold-ended'").pluck().get()).toBe(1);
  expect(openTasks(db).map(({ kind }) => kind)).toEqual(gone.length > 0 ? ['held-original-lost'] : []);
  const problems = [...checkStore(db), ...(await checkDisk(db, { dataDir: site.dataDir, rootPath: site.rootPath }))];
  expect(problems.filter(({ invariant }) => invariant !== 'I6' || gone.length === 0)).toEqual([]);
  const entries = readEntries(db);
  const report = verifyAuditLog(
    { entries, checkpoints: readCheckpoints(db), anchors: [], frontierSize: readFrontier(db).size },
    site.publicKey,
  );
  expect(report.problems).toEqual([]);
  db.close();
}

describe.each([
  ['a copy', false],
  ['a hard link', true],
])('D6 killed while it protects by %s', (_how, neverRewritten) => {
  test(
    'at each step: nothing that is held is lost, and nothing stays that is not held',
    { timeout: 600_000 },
    async () => {
      const { steps } = await runChild((await makeSite()).dir, -1, neverRewritten);
      expect(new Set(steps)).toEqual(
        new Set([
          ...[
            'copies-begun',
            'folder-made',
            'bytes-there',
            'file-synced',
            'read-back',
            'card-written',
            'folder-synced',
          ],
          ...[
            'renamed',
            'copy-made',
            'copy-registered',
            'removal-intended',
            'copy-unlinked',
            'removal-synced',
            'removal-done',
          ],
        ]),
      );
      for (let at = 0; at < steps.length; at += 1) {
        // What a recorder that deletes leaves is the harder of the two; without it once.
        for (const deletesMeanwhile of neverRewritten ? [true] : [false, true]) {
          const site = await makeSite();
          const run = await runChild(site.dir, at, neverRewritten);
          expect(run.signal, `step ${at}`).toBe('SIGKILL');
          await finishAndCheck(site, deletesMeanwhile).catch((error: unknown) => {
            throw new Error(`killed after ${run.steps.at(-1) ?? ''} (${at}), deletes: ${deletesMeanwhile}`, {
              cause: error,
            });
          });
        }
      }
    },
  );
});
