// Does the index follow? Sixteen cameras of five recorders make, rename, truncate, delete and move segments while `tredive serve`
// runs on them; when they stop, index and disk are compared by a walk of its own, file by file. Nothing of the gateway's code is
// used for that but its database, opened for reading.
//
//   npm run soak [-- --minutes 20] [--seed 1] [--json] [--keep]
//
// The recorders: Frigate (written in place), MediaMTX (written in place, half of its cameras announce by the hook), Kerberos
// (renamed when closed, all in one folder), ZoneMinder (incomplete.mp4 until closed, a folder for each event) and Shinobi (in place,
// a root that is asked instead of watched). Names begin before midnight and go forward ten seconds a segment, so hours and days
// change. Prints what was done, how long it took from a segment's closing until a query finds it, watches and memory; ends with 1
// where index and disk differ.
import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const Database = require('better-sqlite3');
const ffmpeg = require('@ffmpeg-installer/ffmpeg').path;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const runMs = Number(values.minutes) * 60_000;
const main = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist', 'main.js');
const work = mkdtempSync(join(tmpdir(), 'tredive-soak-'));
const config = join(work, 'gateway.yaml');

/** Always the same for one seed (mulberry32): a run that failed can be done again. */
let state = Number(values.seed) >>> 0;
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const pick = (list) => list[Math.floor(random() * list.length)];

function clip(name, ...more) {
  const path = join(work, name);
  execFileSync(
    ffmpeg,
    ['-v', 'error', '-nostdin', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10:duration=3'].concat(
      ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '10', '-pix_fmt', 'yuv420p'],
      more,
      path,
    ),
  );
  return readFileSync(path);
}

const two = (number) => String(number).padStart(2, '0');
const parts = (ms) => {
  const at = new Date(ms);
  const [year, month, day] = [at.getUTCFullYear(), two(at.getUTCMonth() + 1), two(at.getUTCDate())];
  const [hour, minute, second] = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two);
  return { day: `${year}-${month}-${day}`, year, month, date: day, hour, minute, second };
};

/** Where a recorder writes to and what it then calls that; the same path where it writes in place. */
const recorders = {
  frigate: {
    layout: 'frigate',
    names(camera, ms) {
      const { day, hour, minute, second } = parts(ms);
      const path = `${day}/${hour}/${camera}/${minute}.${second}.mp4`;
      return [path, path];
    },
  },
  mediamtx: {
    layout: 'mediamtx',
    names(camera, ms) {
      const { day, hour, minute, second } = parts(ms);
      const path = `${camera}/${day}_${hour}-${minute}-${second}-000000.mp4`;
      return [path, path];
    },
  },
  kerberos: {
    layout: 'kerberos',
    names(camera, ms) {
      const start = `${Math.floor(ms / 1000)}_1-0_${camera}_0-0-0-0`;
      return [`${start}_0_0_.mp4`, `${start}_-1_3000.mp4`];
    },
  },
  zoneminder: {
    layout: 'zoneminder',
    names(camera, ms) {
      const { year, month, date, hour, minute, second } = parts(ms);
      const folder = `${camera}/${String(year).slice(2)}/${month}/${date}/${hour}/${minute}/${second}`;
      return [`${folder}/incomplete.mp4`, `${folder}/${Math.floor(ms / 1000)}-video.mp4`];
    },
  },
  shinobi: {
    layout: 'shinobi',
    poll: 'always',
    names(camera, ms) {
      const { day, hour, minute, second } = parts(ms);
      const path = `group/${camera}/${day}T${hour}-${minute}-${second}.mp4`;
      return [path, path];
    },
  },
};
const perRecorder = { frigate: 4, mediamtx: 4, kerberos: 3, zoneminder: 3, shinobi: 2 };

const done = { made: 0, renamed: 0, truncated: 0, deleted: 0, moved: 0, announced: 0 };
/** Closed segments by `root/path`: when they were closed, until a query finds them. */
const closedAt = new Map();
const latencies = {};
/** What lies there, as far as the writer knows: what can be deleted, truncated or moved. */
const files = [];
let stopping = false;
let clips;
let hook;

/** `./NAME` of a root in the file system. */
const full = (root, path) => join(work, root, path);

async function record(root, camera, ms, announces) {
  const [open, name] = recorders[root].names(camera, ms);
  const bytes = root === 'mediamtx' ? clips.fragments : clips.plain;
  mkdirSync(dirname(full(root, open)), { recursive: true });
  const fd = openSync(full(root, open), 'w');
  const pieces = 4;
  for (let piece = 0; piece < pieces; piece += 1) {
    const from = Math.floor((bytes.length * piece) / pieces);
    writeSync(fd, bytes, from, Math.floor((bytes.length * (piece + 1)) / pieces) - from);
    if (piece < pieces - 1) await sleep(200 + random() * 400);
  }
  closeSync(fd);
  if (open !== name) {
    renameSync(full(root, open), full(root, name));
    done.renamed += 1;
  }
  closedAt.set(`${root}/${name}`, { atMs: Date.now(), how: announces ? `${root}, announced` : root });
  done.made += 1;
  files.push({ root, camera, path: name });
  if (announces) await announce(full(root, name));
}

const announce = (path) =>
  new Promise((resolve) => {
    const body = new URLSearchParams({ path, duration: '3' }).toString();
    const headers = {
      authorization: `Bearer ${hook.token}`,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(body),
    };
    const sent = request(hook.url, { method: 'POST', headers }, (answer) => {
      if (answer.statusCode === 200) done.announced += 1;
      answer.resume().on('end', resolve);
    });
    // As a recorder would: what is not announced is found all the same.
    sent.on('error', resolve);
    sent.end(body);
  });

async function recordAll(root, number) {
  const camera = root === 'zoneminder' ? String(number) : `${root}-${number}`;
  let ms = new Date().setUTCHours(0, 0, 0, 0) - 86_400_000 - Math.min(1_800_000, runMs / 2) - number * 1000;
  await sleep(random() * 2000);
  while (!stopping) {
    await record(root, camera, ms, root === 'mediamtx' && number % 2 === 0);
    ms += 10_000;
    await sleep(500 + random() * 1500);
  }
}

function take() {
  const at = Math.floor(random() * files.length);
  const file = files[at];
  // A recorder is still at the newest ones.
  if (file === undefined || at > files.length - 100) return null;
  files.splice(at, 1);
  closedAt.delete(`${file.root}/${file.path}`);
  return existsSync(full(file.root, file.path)) ? file : null;
}

/** Somebody at the files, now and then. */
async function meddle() {
  while (!stopping) {
    await sleep(200 + random() * 900);
    const what = random();
    const file = take();
    if (file === null) continue;
    const path = full(file.root, file.path);
    if (what < 0.35) {
      unlinkSync(path);
      done.deleted += 1;
    } else if (what < 0.6) {
      truncateSync(path, Math.floor(statSync(path).size * (0.1 + 0.8 * random())));
      done.truncated += 1;
    } else if (what < 0.8) {
      const to = { ...file, path: `moved/${file.path}` };
      mkdirSync(dirname(full(to.root, to.path)), { recursive: true });
      renameSync(path, full(to.root, to.path));
      done.moved += 1;
    } else if (what < 0.95) {
      // To another root, where its layout does not know it by this name.
      const other = pick(Object.keys(recorders).filter((root) => root !== file.root));
      const to = full(other, `from-${file.root}/${file.path}`);
      mkdirSync(dirname(to), { recursive: true });
      renameSync(path, to);
      done.moved += 1;
    } else {
      appendFileSync(path, Buffer.alloc(100));
    }
  }
}

/** Somebody clears most of a camera; an operator says each time that this was meant. */
async function clearAndAccept() {
  const everyMs = Math.max(20_000, runMs / 5);
  while (!stopping) {
    for (let waited = 0; waited < everyMs && !stopping; waited += 500) await sleep(500);
    if (stopping || files.length === 0) return;
    const { root, camera } = pick(files);
    for (const file of files.filter((one) => one.root === root && one.camera === camera).slice(0, -3)) {
      if (existsSync(full(root, file.path)) && random() < 0.8) {
        unlinkSync(full(root, file.path));
        done.deleted += 1;
      }
      files.splice(files.indexOf(file), 1);
      closedAt.delete(`${root}/${file.path}`);
    }
    await scanAccepting();
  }
}

function tredive(...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args, '--config', config, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, complaints] = ['', ''];
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (complaints += data));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(out));
      else reject(new Error(`tredive ${args.join(' ')} ended with ${code}: ${out} ${complaints}`));
    });
  });
}

/** A scan, and where it asks whether most of a camera is really gone, one that answers yes. */
async function scanAccepting() {
  const result = await tredive('scan');
  const asked = [...new Set(result.asked.map(({ cameraId }) => cameraId))];
  return asked.length === 0 ? result : tredive('scan', '--accept-vanished', ...asked);
}

/** Entries of a process in its inotify instances, as the kernel counts them. */
function watchesOf(pid) {
  let watches = 0;
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      if (!readlinkSync(`/proc/${pid}/fd/${fd}`).includes('inotify')) continue;
      watches += readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8').split('\ninotify wd:').length - 1;
    } catch {
      // Closed since it was listed.
    }
  }
  return watches;
}

const memoryMb = (pid, field) =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

/** Asks the index for what is new, ten times a second, and notes how long ago that was closed. */
async function observe(db) {
  const query = db.prepare(
    'SELECT s.id, root_id AS root, path || name AS path FROM segment s JOIN folder f ON f.id = folder_id WHERE s.id > ? ORDER BY s.id',
  );
  let last = 0;
  while (!stopping || closedAt.size > 0) {
    for (const { id, root, path } of query.all(last)) {
      last = id;
      const key = `${root}/${path}`;
      const closed = closedAt.get(key);
      if (closed === undefined) continue;
      closedAt.delete(key);
      (latencies[closed.how] ??= []).push((Date.now() - closed.atMs) / 1000);
    }
    if (stopping && Date.now() - stoppedAt > 30_000) return;
    await sleep(100);
  }
}
let stoppedAt = Infinity;

/** Every regular file with the name of a recording, by a walk of its own. */
function onDisk(root) {
  return readdirSync(join(work, root), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.mp4'))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const stat = lstatSync(path, { bigint: true });
      return `${root}/${path.slice(join(work, root).length + 1)} ${stat.ino} ${stat.size} ${stat.mtimeNs / 1000n}`;
    });
}

/** What is in one of them only. A file belongs to the index, or to the quarantine where it is no readable recording of its root. */
function compare(db) {
  const row = ({ root, path, inode, size, mtime }) => `${root}/${path} ${inode} ${size} ${mtime}`;
  const columns = 'root_id AS root, path, inode, size_bytes AS size, mtime_us AS mtime';
  const segments = `SELECT root_id AS root, path || name AS path, inode, size_bytes AS size, mtime_us AS mtime
    FROM segment JOIN folder ON folder.id = folder_id WHERE missing_since_us IS NULL AND deleting = 0`;
  const indexed = new Set(db.prepare(segments).all().map(row));
  const quarantined = new Set(db.prepare(`SELECT ${columns} FROM quarantine`).all().map(row));
  const disk = new Set(Object.keys(recorders).flatMap(onDisk));
  return {
    indexed: indexed.size,
    quarantined: quarantined.size,
    onDisk: disk.size,
    onlyOnDisk: [...disk].filter((one) => !indexed.has(one) && !quarantined.has(one)),
    onlyInIndex: [...indexed].filter((one) => !disk.has(one)),
    onlyInQuarantine: [...quarantined].filter((one) => one.includes('.mp4 ') && !disk.has(one)),
    inBoth: [...indexed].filter((one) => quarantined.has(one)),
  };
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

async function run() {
  clips = {
    plain: clip('plain.mp4'),
    fragments: clip('fragments.mp4', '-movflags', 'frag_keyframe+empty_moov+default_base_moof'),
  };
  const [apiPort, hookPort] = [await freePort(), await freePort()];
  const roots = Object.entries(recorders).map(([id, { layout, poll = 'auto' }]) => {
    mkdirSync(join(work, id));
    return `  - { id: ${id}, path: ./${id}, layout: ${layout}, poll: ${poll} }`;
  });
  writeFileSync(
    config,
    [
      'site: { name: Soak, timezone: UTC }',
      'data: ./data',
      'roots:',
      ...roots,
      'recordings: { rescanMinutes: 1 }',
      'discovery: { enabled: false }',
      `api: { port: ${apiPort} }`,
      `hook: { port: ${hookPort} }`,
      'log: { level: warn }',
    ].join('\n'),
  );
  hook = await tredive('hook');
  const log = openSync(join(work, 'serve.log'), 'w');
  const gateway = spawn(process.execPath, [main, 'serve', '--config', config], { stdio: ['ignore', log, log] });
  const ended = new Promise((resolve) => gateway.on('exit', resolve));
  const database = join(work, 'data', 'tredive.db');
  for (let waited = 0; !existsSync(database) && waited < 100; waited += 1) await sleep(200);
  await sleep(2000);
  const db = new Database(database, { readonly: true });
  const peak = { watches: 0, memoryMb: 0 };
  const sampler = setInterval(() => {
    peak.watches = Math.max(peak.watches, watchesOf(gateway.pid));
    peak.memoryMb = Math.max(peak.memoryMb, memoryMb(gateway.pid, 'VmRSS'));
  }, 1000);
  const cameras = Object.entries(perRecorder).flatMap(([root, count]) =>
    Array.from({ length: count }, (_none, at) => recordAll(root, at + 1)),
  );
  const others = [meddle(), clearAndAccept()];
  const observing = observe(db);
  await sleep(runMs);
  stopping = true;
  stoppedAt = Date.now();
  await Promise.all([...cameras, ...others, observing]);
  clearInterval(sampler);
  const late = [...closedAt.keys()];
  await scanAccepting();
  const result = compare(db);
  db.close();
  gateway.kill('SIGTERM');
  const code = await ended;
  const audit = await tredive('audit', 'verify');
  return { result, peak, late, code, audit: audit.ok };
}

const percentile = (numbers, share) => [...numbers].sort((a, b) => a - b)[Math.floor((numbers.length - 1) * share)];
const row = (...cells) => console.log(cells.map((cell, at) => String(cell).padEnd(at === 0 ? 32 : 12)).join(''));

let failed = true;
try {
  const { result, peak, late, code, audit } = await run();
  const differ = ['onlyOnDisk', 'onlyInIndex', 'onlyInQuarantine', 'inBoth'].flatMap((what) =>
    result[what].map((one) => `${what} ${one}`),
  );
  failed = differ.length > 0 || late.length > 0 || code !== 0 || !audit;
  if (values.json) {
    const seconds = Object.fromEntries(
      Object.entries(latencies).map(([root, all]) => [
        root,
        { median: percentile(all, 0.5), p99: percentile(all, 0.99), worst: percentile(all, 1) },
      ]),
    );
    console.log(JSON.stringify({ ok: !failed, done, seconds, peak, late, differ, code, audit, ...result }, null, 2));
  } else {
    row('16 cameras, minutes', values.minutes);
    for (const [what, number] of Object.entries(done)) row(`segments ${what}`, number);
    row('\nclosed until indexed, s', 'segments', 'median', 'p99', 'worst');
    for (const [root, all] of Object.entries(latencies)) {
      row(root, all.length, ...[0.5, 0.99, 1].map((share) => percentile(all, share).toFixed(1)));
    }
    row('\nwatches of the system, peak', peak.watches);
    row('resident memory, peak MB', peak.memoryMb.toFixed(0));
    row('files on disk', result.onDisk);
    row('in the index', result.indexed);
    row('in quarantine', result.quarantined);
    row('never indexed', late.length);
    row('different', differ.length);
    for (const one of [...differ, ...late.map((path) => `late ${path}`)].slice(0, 50)) console.log(`  ${one}`);
    if (code !== 0) console.log(`serve ended with ${code}`);
  }
} finally {
  if (failed || values.keep) console.error(`what there was is in ${work}`);
  else rmSync(work, { recursive: true, force: true });
  process.exitCode = failed ? 1 : 0;
}
