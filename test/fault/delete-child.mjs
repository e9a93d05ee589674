// A sweep or a recovery in a process of its own, killed by SIGKILL at its n-th step (never, if n is negative). Prints the
// names of the steps as it goes, so that the test knows how many there are and where the kill was.
import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const [dist, dir, mode, killAt, nowUs] = process.argv.slice(2);
const load = (path) => import(new URL(path, dist).href);
const { openDatabase } = await load('store/database.js');
const { makeStore } = await load('store/audit-log.js');
const { silentLog } = await load('platform/log.js');
const { applyDeletions } = await load('retention/delete.js');
const { recoverDeletions } = await load('retention/recovery.js');

const dataDir = join(dir, 'data');
const db = openDatabase(join(dataDir, 'tredive.db'));
const clock = { nowUs: () => Number(nowUs), monotonicMs: () => performance.now() };
const privateKey = createPrivateKey(readFileSync(join(dir, 'key.pem')));
const store = makeStore(db, clock, { origin: 'tredive/test', privateKey });
let step = 0;
const run = {
  batchSize: 3,
  onStep(name) {
    writeSync(1, `${name}\n`);
    if (step === Number(killAt)) process.kill(process.pid, 'SIGKILL');
    step += 1;
  },
};
const context = {
  store,
  log: silentLog,
  dataDir,
  marginUs: 12 * 3_600_000_000,
  rootPath: (id) => join(dir, 'roots', id),
};
await (mode === 'sweep' ? applyDeletions : recoverDeletions)(context, run);
db.close();
