// Prepares a request, or packages it as `packagedBy`, in a process of its own, with the real detector, so that a test can kill it.
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [dist, job] = process.argv.slice(2);
const { databaseFile, dataDir, root, nowUs, keyFile, redaction, id, packagedBy } = JSON.parse(job);
const load = (path) => import(new URL(path, dist).href);
const { openDatabase } = await load('store/database.js');
const { makeStore } = await load('store/audit-log.js');
const { silentLog } = await load('platform/log.js');
const { prepareRequest } = await load('disclosure/prepare.js');
const { packageRequest } = await load('disclosure/package.js');

const privateKey = createPrivateKey(readFileSync(keyFile));
const audit = { origin: 'tredive/test', privateKey };
const db = openDatabase(databaseFile);
const clock = { nowUs: () => nowUs, monotonicMs: () => performance.now() };
await (packagedBy === undefined ? prepareRequest : packageRequest)(
  {
    store: makeStore(db, clock, audit),
    log: silentLog,
    dataDir,
    site: { name: 'Main office', timezone: 'Europe/Copenhagen' },
    rootPath: () => root,
    zonesOf: () => [],
    redaction,
    packageDays: 7,
    packageKey: privateKey,
    audit,
    version: '0.1.0-test',
  },
  packagedBy ?? 'gateway',
  id,
);
db.close();
