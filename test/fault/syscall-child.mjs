// Sweeps in a process of its own, with test/fault/fault.c below it: one for each message {dir, mode, at, how, log}. As mode "recover",
// one that finishes what another began, of which some files are gone already. Answers how it ended, what it reported as deleted
// although the file is there, and, where the fault is over, how the next sweep ended: a gateway lives on after an error.
import { createPrivateKey } from 'node:crypto';
import { accessSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [dist, nowUs] = process.argv.slice(2);
const load = (path) => import(new URL(path, dist).href);
const { openDatabase } = await load('store/database.js');
const { makeStore } = await load('store/audit-log.js');
const { listDeletions } = await load('store/deletions.js');
const { unlinkManyBeneath } = await load('platform/native.js');
const { applyDeletions } = await load('retention/delete.js');
const { makeJournalKeeper } = await load('retention/journal.js');

const log = { info() {}, warn() {}, error() {} };
const mark = (what) => {
  try {
    accessSync(`/fault/${what}`);
  } catch {
    // Only a word to what lies below: there is no such file.
  }
};

async function judge({ dir, mode, at, how, log: trace }) {
  const dataDir = join(dir, 'data');
  const db = openDatabase(join(dataDir, 'tredive.db'));
  const clock = { nowUs: () => Number(nowUs), monotonicMs: () => performance.now() };
  const privateKey = createPrivateKey(readFileSync(join(dir, 'key.pem')));
  const store = makeStore(db, clock, { origin: 'tredive/test', privateKey });
  const keepJournal = makeJournalKeeper(db, { dataDir, copies: [] }, log);
  store.onCheckpoint(keepJournal);
  keepJournal();
  const rootPath = (id) => join(dir, 'roots', id);
  const context = { store, log, dataDir, marginUs: 12 * 3_600_000_000, rootPath };
  const run = { batchSize: 3 };
  const rows = db.prepare(
    'SELECT s.id, f.root_id, f.path || s.name FROM segment s JOIN folder f ON f.id = s.folder_id',
  );
  const pathOf = new Map(
    rows
      .raw()
      .all()
      .map(([id, root, path]) => [id, join(rootPath(root), path)]),
  );
  const sweep = async () => {
    try {
      const { deleted, absent, failed, refused, problems } = await applyDeletions(context, run);
      return { deleted, absent, failed: failed.length, refused, problems };
    } catch (error) {
      return { error: `${error.code}: ${error.message}` };
    }
  };
  if (mode === 'recover') {
    const unlink = async (root, files) => {
      await unlinkManyBeneath(root, files.slice(0, 1));
      throw new Error('cut off');
    };
    await applyDeletions({ ...context, unlink }, run);
  }

  mark(`begin ${at} ${how} ${trace ?? ''}`);
  const first = await sweep();
  mark('end');
  const isThere = ({ segmentId }) => existsSync(pathOf.get(segmentId));
  const lies = listDeletions(db).filter((row) => row.state === 'done' && isThere(row)).length;
  const second = how.endsWith('+') ? null : await sweep();
  db.close();
  return { first, lies, second };
}

process.on('message', async (order) => {
  process.send(await judge(order));
});
