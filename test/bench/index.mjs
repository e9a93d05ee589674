// What finding files costs: the first index and a scan of an unchanged archive, each as a ratio to `find ROOT -printf` with what a
// scan needs of a file, in the same run and in turn with it. The archive is made up: 64 cameras in Frigate's layout, files of no
// bytes on disk. Probing is left out (every file is said to be ten seconds of video), entering into the database is not.
//
//   npm run bench -- --only index [--first 200000] [--files 1000000] [--runs 3] [--archive FOLDER]
//
// first       the index of an empty database; once more while the API is asked, which costs it time of its own
// unchanged   a scan that finds nothing new, while the API is asked every few milliseconds by another process
import { fork, spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { get, Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const cameras = 64;
const here = dirname(fileURLToPath(import.meta.url));
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const percentile = (numbers, share) => [...numbers].sort((a, b) => a - b)[Math.floor((numbers.length - 1) * share)];
const two = (number) => String(number).padStart(2, '0');

/** Segments of ten seconds, so 360 in an hour of a camera; as many hours as it takes, backwards from yesterday: what is there stays. */
function makeArchive(root, files) {
  const hours = Math.ceil(files / cameras / 360);
  const endMs = Math.floor(Date.now() / 86_400_000) * 86_400_000;
  let made = 0;
  for (let hour = 0; hour < hours; hour += 1) {
    const at = new Date(endMs - (hour + 1) * 3_600_000);
    for (let camera = 0; camera < cameras && made < files; camera += 1) {
      const folder = join(root, at.toISOString().slice(0, 10), two(at.getUTCHours()), `camera-${two(camera)}`);
      mkdirSync(folder, { recursive: true });
      for (let segment = 0; segment < 360 && made < files; segment += 1) {
        const fd = openSync(join(folder, `${two(Math.floor(segment / 6))}.${two((segment % 6) * 10)}.mp4`), 'w');
        ftruncateSync(fd, 1_000_000 + segment);
        closeSync(fd);
        made += 1;
      }
    }
  }
}

/** Processor seconds of children that have ended. */
function childCpuSeconds() {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Inode, size, last write and path: what a scan asks of each file. */
function find(root) {
  const cpuBefore = childCpuSeconds();
  const began = performance.now();
  const done = spawnSync('find', [root, '-printf', '%i %s %T@ %p\\n'], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (done.status !== 0) throw new Error('find failed');
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: childCpuSeconds() - cpuBefore };
}

/** One scan in a process of its own. With `ask`, the API answers in it meanwhile, and is asked from here. */
async function scan(config, ask) {
  const child = fork(join(here, 'index-child.mjs'), [config, ask ? 'serve' : 'alone'], { stdio: 'inherit' });
  const latencies = { before: [], during: [] };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let phase = 'before';
  let result;
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`the scan ended with ${code}`))));
  });
  child.on('message', async (message) => {
    if (message.result !== undefined) {
      result = message.result;
      phase = 'over';
      child.send('end');
    }
    if (message.port === undefined) return;
    const askOnce = () =>
      new Promise((resolve, reject) => {
        const began = performance.now();
        const request = get({ host: '127.0.0.1', port: message.port, path: '/api/health', agent }, (answer) => {
          answer.resume().on('end', () => resolve(performance.now() - began));
        });
        request.on('error', reject);
      });
    while (latencies.before.length < 200) latencies.before.push(await askOnce());
    phase = 'during';
    child.send('scan');
    while (phase === 'during') {
      latencies.during.push(await askOnce());
      await sleep(2);
    }
  });
  await ended;
  agent.destroy();
  return { ...result, latencies };
}

export async function measureIndex({ first, files, runs, row, archive }) {
  const work = archive ?? mkdtempSync(join(tmpdir(), 'tredive-bench-index-'));
  const root = join(work, 'recordings');
  const data = join(work, 'data');
  const config = join(work, 'gateway.yaml');
  mkdirSync(root, { recursive: true });
  writeFileSync(
    config,
    `site: { name: Bench, timezone: UTC }\ndata: ./data\nroots: [{ id: nvr, path: ./recordings, layout: frigate }]\nlog: { level: error }\n`,
  );
  try {
    row('\nfinding files, 64 cameras', 'files', 'find s', 'scan s', 'ratio', 'cpu ratio', 'peak MB', 'MB per M');
    for (const [what, count] of [
      ['first index, without probing', first],
      ['unchanged, API asked meanwhile', files],
    ]) {
      makeArchive(root, count);
      find(root);
      const found = [];
      let size = 0;
      for (let run = 0; run < runs; run += 1) {
        const again = what.startsWith('unchanged');
        if (!again || run === 0) rmSync(data, { recursive: true, force: true });
        if (again && run === 0) await scan(config, false);
        const reference = find(root);
        const result = await scan(config, again);
        const met = again ? result.unchanged : result.added;
        if (met !== count) throw new Error(`${met} of ${count} files: ${JSON.stringify(result).slice(0, 500)}`);
        found.push({ reference, ...result });
        size = statSync(join(data, 'tredive.db')).size;
      }
      row(
        what,
        String(count),
        median(found.map(({ reference }) => reference.seconds)).toFixed(2),
        median(found.map(({ seconds }) => seconds)).toFixed(2),
        median(found.map(({ reference, seconds }) => seconds / reference.seconds)).toFixed(2),
        median(found.map(({ reference, cpuSeconds }) => cpuSeconds / reference.cpuSeconds)).toFixed(2),
        Math.max(...found.map(({ peakMb }) => peakMb)).toFixed(0),
        (size / count).toFixed(0),
      );
      if (what.startsWith('first')) {
        rmSync(data, { recursive: true, force: true });
        found.push(await scan(config, true));
      }
      const during = found.flatMap(({ latencies }) => latencies.during);
      const before = found.flatMap(({ latencies }) => latencies.before);
      row('\nanswers of the API, ms', 'asked', 'p50', 'p99', 'worst');
      for (const [when, numbers] of [
        ['before the scan', before],
        ['during it', during],
      ]) {
        const ms = [0.5, 0.99, 1].map((share) => percentile(numbers, share).toFixed(1));
        row(when, String(numbers.length), ...ms);
      }
    }
  } finally {
    if (archive === undefined) rmSync(work, { recursive: true, force: true });
  }
}
