// Sweeps by the machine's own clock and uptime at each line that it is given; says what came of it, and for how long it stood still.
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [dist, dir] = process.argv.slice(2);
const load = (path) => import(new URL(path, dist).href);
const { openDatabase } = await load('store/database.js');
const { makeStore } = await load('store/audit-log.js');
const { silentLog } = await load('platform/log.js');
const { systemClock } = await load('platform/clock.js');
const { systemUptime } = await load('platform/uptime.js');
const { applyDeletions } = await load('retention/delete.js');

const dataDir = join(dir, 'data');
const privateKey = createPrivateKey(readFileSync(join(dir, 'key.pem')));
const store = makeStore(openDatabase(join(dataDir, 'tredive.db')), systemClock, { origin: 'tredive/test', privateKey });
const context = {
  store,
  log: silentLog,
  dataDir,
  marginUs: 12 * 3_600_000_000,
  rootPath: (id) => join(dir, 'roots', id),
  uptime: systemUptime,
};
let [tickedMs, suspendedMs] = [performance.now(), 0];
setInterval(() => {
  suspendedMs = Math.max(suspendedMs, performance.now() - tickedMs);
  tickedMs = performance.now();
}, 20).unref();
for await (const _line of createInterface({ input: process.stdin })) {
  const { refused } = await applyDeletions(context);
  process.stdout.write(`${JSON.stringify({ refused, suspendedMs })}\n`);
}
store.db.close();
