// Sweeps without a pause until its input ends, in small batches, by the instant that it is given; says how many files it has removed.
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [dist, dir, nowUs] = process.argv.slice(2);
const load = (path) => import(new URL(path, dist).href);
const { openDatabase } = await load('store/database.js');
const { makeStore } = await load('store/audit-log.js');
const { silentLog } = await load('platform/log.js');
const { applyDeletions } = await load('retention/delete.js');

const dataDir = join(dir, 'data');
const privateKey = createPrivateKey(readFileSync(join(dir, 'key.pem')));
const clock = { nowUs: () => Number(nowUs), monotonicMs: () => performance.now() };
const store = makeStore(openDatabase(join(dataDir, 'tredive.db')), clock, { origin: 'tredive/test', privateKey });
const context = {
  store,
  log: silentLog,
  dataDir,
  marginUs: 12 * 3_600_000_000,
  rootPath: (id) => join(dir, 'roots', id),
};
let stop = false;
process.stdin.on('end', () => (stop = true)).resume();
let deleted = 0;
process.stdout.write('ready\n');
while (!stop) {
  const result = await applyDeletions(context, { batchSize: 3 });
  deleted += result.deleted;
  if (result.failed.length > 0) process.stdout.write(`${JSON.stringify(result.failed)}\n`);
  await new Promise((turn) => setTimeout(turn, 1));
}
process.stdout.write(`${JSON.stringify({ deleted })}\n`);
store.db.close();
