// One measured scan of bench/index.mjs, in a process of its own; its parent speaks to it by messages.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { openGateway } from '../../dist/app.js';
import { makeApi } from '../../dist/api/server.js';
import { apiDeps } from '../../dist/cli/api-deps.js';
import { makeJobs } from '../../dist/cli/jobs.js';
import { loadConfig } from '../../dist/config.js';
import { scanRoots } from '../../dist/recordings/scan.js';

const [config, how] = process.argv.slice(2);
const gateway = await openGateway(loadConfig(config));

const summary = {
  ok: true,
  container: 'mp4',
  durationUs: 10_000_000,
  hasVideo: true,
  hasAudio: false,
  codec: 'h264',
  width: 1920,
  height: 1080,
  frameRate: 25,
  creationTimeUs: null,
  recorderClockUs: null,
  truncated: false,
  file: null,
};
/** What the walk saw of the file, which nobody writes to: asking the disk once more belongs to probing. */
const probe = (_root, _path, met) => Promise.resolve({ probe: summary, after: met });

const server = createServer();
if (how === 'serve') {
  server.on('request', makeApi(await apiDeps(gateway, makeJobs(gateway, new AbortController().signal))));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const told = once(process, 'message');
  process.send({ port: server.address().port });
  await told;
}
const cpuBefore = process.cpuUsage();
const began = performance.now();
const { added, unchanged, segments, quarantined } = await scanRoots({ ...gateway.recordings, quietMs: 0, probe });
const seconds = (performance.now() - began) / 1000;
const cpu = process.cpuUsage(cpuBefore);
const cpuSeconds = (cpu.user + cpu.system) / 1e6;
const peakMb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
const ended = once(process, 'message');
process.send({ result: { added, unchanged, segments, quarantined: quarantined.length, seconds, cpuSeconds, peakMb } });
await ended;
server.close();
server.closeAllConnections();
gateway.close();
process.disconnect();
