// The measured process of bench/delete.mjs: indexes an archive, and when it is told to, deletes what is due of it, while the API
// answers in it. Its parent speaks to it by messages.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { openGateway } from '../../dist/app.js';
import { makeApi } from '../../dist/api/server.js';
import { apiDeps } from '../../dist/cli/api-deps.js';
import { makeJobs } from '../../dist/cli/jobs.js';
import { loadConfig } from '../../dist/config.js';
import { scanRoots } from '../../dist/recordings/scan.js';
import { applyDeletions } from '../../dist/retention/delete.js';
import { truncateWal } from '../../dist/store/database.js';

const gateway = await openGateway(loadConfig(process.argv[2]));
const { db } = gateway.store;

const summary = {
  ...{ ok: true, container: 'mp4', durationUs: 10_000_000, hasVideo: true, hasAudio: false, codec: 'h264' },
  ...{ width: 1920, height: 1080, frameRate: 25, creationTimeUs: null, recorderClockUs: null, truncated: false },
  file: null,
};
const probe = (_root, _path, met) => Promise.resolve({ probe: summary, after: met });
const { added } = await scanRoots({ ...gateway.recordings, quietMs: 0, probe });
truncateWal(db);

const server = createServer(makeApi(await apiDeps(gateway, makeJobs(gateway, new AbortController().signal))));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const told = once(process, 'message');
process.send({ port: server.address().port, added });
await told;

// What two persons would have to confirm is not what is measured here.
const brake = { ...gateway.retention.brake, floorUs: Number.MAX_SAFE_INTEGER };
const cpuBefore = process.cpuUsage();
const began = performance.now();
const { deleted, failed, refused } = await applyDeletions({ ...gateway.retention, brake });
const seconds = (performance.now() - began) / 1000;
const cpu = process.cpuUsage(cpuBefore);
const records = db.prepare(`SELECT count(*) FROM deletion WHERE state = 'done' AND result = 'unlinked'`).pluck().get();
const left = db.prepare('SELECT count(*) FROM segment').pluck().get();
const { ok } = gateway.verifyAudit();
const peakMb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
const cpuSeconds = (cpu.user + cpu.system) / 1e6;
const ended = once(process, 'message');
process.send({ result: { deleted, failed: failed.length, refused, records, left, ok, seconds, cpuSeconds, peakMb } });
await ended;
server.close();
server.closeAllConnections();
gateway.close();
process.disconnect();
