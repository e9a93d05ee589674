// What deleting costs: a sweep of segments that are all due, with its intents, records, audit log, journal and syncs, as a ratio to
// `find DIR -delete` of an identical tree on the same file system, in turn with it. And how the API answers meanwhile, asked every
// few milliseconds by another process. The archive is made up: 64 cameras in Frigate's layout (a folder for each hour of a camera,
// 360 files in it), each file with a block of its own on disk.
//
//   npm run bench -- --only delete [--due 100000] [--runs 3] [--archive FOLDER]
import { fork, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const cameras = 64;
const perHour = 360;
const dayMs = 86_400_000;
const here = dirname(fileURLToPath(import.meta.url));
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const percentile = (numbers, share) => [...numbers].sort((a, b) => a - b)[Math.floor((numbers.length - 1) * share)];
const two = (number) => String(number).padStart(2, '0');
const bytes = Buffer.alloc(4096, 1);

/** Whole hours of all cameras from an instant on, segments of ten seconds. */
function makeTree(root, fromMs, files) {
  let made = 0;
  for (let hour = 0; made < files; hour += 1) {
    const at = new Date(fromMs + hour * 3_600_000);
    for (let camera = 0; camera < cameras && made < files; camera += 1) {
      const folder = join(root, at.toISOString().slice(0, 10), two(at.getUTCHours()), `camera-${two(camera)}`);
      mkdirSync(folder, { recursive: true });
      for (let segment = 0; segment < perHour && made < files; segment += 1) {
        writeFileSync(join(folder, `${two(Math.floor(segment / 6))}.${two((segment % 6) * 10)}.mp4`), bytes);
        made += 1;
      }
    }
  }
}

const settle = () => spawnSync('sync');

function find(tree) {
  settle();
  const began = performance.now();
  const done = spawnSync('find', [tree, '-delete'], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (done.status !== 0) throw new Error('find failed');
  return (performance.now() - began) / 1000;
}

/** One sweep in a process of its own, which answers questions meanwhile. */
async function sweep(config, due, young) {
  const child = fork(join(here, 'delete-child.mjs'), [config], { stdio: 'inherit' });
  const latencies = { before: [], during: [] };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let phase = 'before';
  let result;
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`the sweep ended with ${code}`))));
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
    settle();
    phase = 'during';
    child.send('sweep');
    while (phase === 'during') {
      latencies.during.push(await askOnce());
      await sleep(2);
    }
  });
  await ended;
  agent.destroy();
  const { deleted, failed, records, left, ok } = result;
  if (deleted !== due || records !== due || failed !== 0 || left !== young || !ok) {
    throw new Error(`not what was due: ${JSON.stringify(result).slice(0, 500)}`);
  }
  return { ...result, latencies };
}

export async function measureDelete({ due, runs, row, archive }) {
  const work = mkdtempSync(join(archive ?? tmpdir(), 'tredive-bench-delete-'));
  const at = (name) => join(work, name);
  writeFileSync(
    at('gateway.yaml'),
    `site: { name: Bench, timezone: UTC }\ndata: ./data\nroots: [{ id: nvr, path: ./recordings, layout: frigate }]\nlog: { level: error }\n`,
  );
  // Everything is due, and a little is not: a root of which nothing is left would not be believed.
  const dueMs = Math.floor(Date.now() / dayMs) * dayMs - 40 * dayMs;
  const youngMs = Math.floor(Date.now() / dayMs) * dayMs - dayMs;
  const young = perHour * 4;
  try {
    const found = [];
    for (let run = 0; run < runs; run += 1) {
      for (const name of ['recordings', 'data']) rmSync(at(name), { recursive: true, force: true });
      makeTree(at('same'), dueMs, due);
      makeTree(at('recordings'), dueMs, due);
      makeTree(at('recordings'), youngMs, young);
      const reference = find(at('same'));
      found.push({ reference, ...(await sweep(at('gateway.yaml'), due, young)) });
    }
    row('\ndeleting, 64 cameras', 'files', 'find s', 'sweep s', 'ratio', 'cpu s', 'per s', 'peak MB');
    row(
      'a sweep, all of it included',
      String(due),
      median(found.map(({ reference }) => reference)).toFixed(2),
      median(found.map(({ seconds }) => seconds)).toFixed(2),
      median(found.map(({ seconds, reference }) => seconds / reference)).toFixed(2),
      median(found.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2),
      median(found.map(({ seconds }) => due / seconds)).toFixed(0),
      Math.max(...found.map(({ peakMb }) => peakMb)).toFixed(0),
    );
    row('\nanswers of the API, ms', 'asked', 'p50', 'p99', 'worst');
    for (const when of ['before', 'during']) {
      const numbers = found.flatMap(({ latencies }) => latencies[when]);
      row(
        when === 'before' ? 'before the sweep' : 'during it',
        String(numbers.length),
        ...[0.5, 0.99, 1].map((share) => percentile(numbers, share).toFixed(1)),
      );
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
