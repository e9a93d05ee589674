// A run of the vault in a process of its own, killed by SIGKILL at its n-th step (never, if n is negative). Prints the names of the
// steps as it goes, so that the test knows how many there are and where the kill was. Copies in this thread: the steps are there.
import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const [dist, dir, killAt, nowUs, neverRewritten] = process.argv.slice(2);
const load = (path) => import(new URL(path, dist).href);
const { openDatabase } = await load('store/database.js');
const { makeStore } = await load('store/audit-log.js');
const { silentLog } = await load('platform/log.js');
const { protectHeld } = await load('retention/vault/protect.js');
const { copyHere, hashHere } = await load('retention/vault/copy-here.js');

const dataDir = join(dir, 'data');
const db = openDatabase(join(dataDir, 'tredive.db'));
const clock = { nowUs: () => Number(nowUs), monotonicMs: () => performance.now() };
const privateKey = createPrivateKey(readFileSync(join(dir, 'key.pem')));
const store = makeStore(db, clock, { origin: 'tredive/test', privateKey });
let step = 0;
const onStep = (name) => {
  writeSync(1, `${name}\n`);
  if (step === Number(killAt)) process.kill(process.pid, 'SIGKILL');
  step += 1;
};
await protectHeld(
  {
    store,
    log: silentLog,
    dataDir,
    marginUs: 12 * 3_600_000_000,
    rootPath: (id) => join(dir, 'roots', id),
    reserveBytes: 0,
    neverRewritten: () => neverRewritten === 'yes',
    makeCopier: () => ({
      copy: async (task) => copyHere(task, { onStep }),
      hash: async (task) => hashHere(task),
      close: async () => undefined,
    }),
  },
  { onStep },
);
db.close();
