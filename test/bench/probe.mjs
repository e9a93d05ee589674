// What knowing a file costs, against one ffprobe process for each: a mix of containers and lengths, files of their own, in turn in
// one run. The gateway's side is `probeFile` as the scan calls it, four at a time, in a process of its own that has met each kind
// before; what its start costs is told apart.
//
//   npm run bench -- --only probe [--probes 240] [--runs 3]
//
// warm   everything in the page cache
// cold   the files' content dropped from it before each run, where the system does that; programs and names stay
//
// With TREDIVE_FOOTAGE its recordings-small goes in too.
import { execFile, fork, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeScene } from '../../dist/samples/scene.js';

const here = dirname(fileURLToPath(import.meta.url));
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

const h264 = ['-c:v', 'copy'];
const aac = ['-map', '1:a', '-c:a', 'aac', '-ar', '16000', '-ac', '1'];
const fragmented = ['-movflags', 'frag_keyframe+empty_moov+default_base_moof'];
/** Ten seconds as Frigate cuts, a minute, five minutes. */
const lengths = [10, 60, 300];
const kinds = [
  ['mp4', 'mp4', [...h264, ...aac]],
  ['mp4, index first', 'mp4', [...h264, '-movflags', 'faststart']],
  ['fmp4', 'mp4', [...h264, ...aac, ...fragmented]],
  ['mkv', 'mkv', [...h264, ...aac]],
  ['ts', 'ts', [...h264, ...aac]],
  ['avi', 'avi', h264],
];

/** One file of each kind and length, of the drawn yard. */
async function makeSources(folder, must) {
  const yard = join(folder, 'yard.mp4');
  await encodeScene(yard, { place: 'yard', seconds: 10, seed: 3 });
  const sources = [];
  for (const [name, extension, args] of kinds) {
    for (const seconds of lengths) {
      const path = join(folder, `${name.replace(/\W+/g, '-')}-${seconds}.${extension}`);
      const sound = args.includes('1:a') ? ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=16000'] : [];
      must(['-stream_loop', '-1', '-i', yard, ...sound, '-t', String(seconds), '-map', '0:v', ...args, path]);
      sources.push({ kind: name, path });
    }
  }
  return sources;
}

const realFiles = (footage) => {
  const root = join(footage ?? '', 'recordings-small');
  if (footage === undefined || !existsSync(root)) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^\.(?:mp4|mkv|ts)$/.test(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ kind: 'real recordings', path }));
};

/** Drops content from the page cache with posix_fadvise, which coreutils' dd asks for and which takes no privilege. */
function dropCache(files) {
  spawnSync('sync');
  for (const file of files) {
    const done = spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
    if (done.status !== 0) return false;
  }
  return true;
}

async function ffprobeAll(files, atOnce) {
  const began = performance.now();
  let at = 0;
  const take = async () => {
    while (at < files.length) {
      const args = ['-v', 'error', '-show_format', '-show_streams', '-of', 'json', files[at++]];
      // Files that it refuses count as well: the gateway has to find that out too.
      await new Promise((resolve) => execFile('ffprobe', args, resolve));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, take));
  return (performance.now() - began) / files.length;
}

/** Milliseconds a file, and until the first, of a process that was started for it. `first` is met before and not counted. */
function probeAll(first, files, atOnce) {
  return new Promise((resolve, reject) => {
    const child = fork(join(here, 'probe-child.mjs'), [], { stdio: 'inherit' });
    child.on('message', (message) => {
      if (message === 'ready') child.send({ first, files, atOnce });
      else resolve(message);
    });
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`probing ended with ${code}`)));
  });
}

export async function measureProbe({ folder, footage, files: wanted, runs, row, must }) {
  if (spawnSync('ffprobe', ['-version']).status !== 0) {
    console.log('\nprobe: ffprobe is not installed');
    return;
  }
  const work = join(folder, 'probe');
  mkdirSync(join(work, 'sources'), { recursive: true });
  const sources = [...(await makeSources(join(work, 'sources'), must)), ...realFiles(footage)];
  const copies = Math.max(1, Math.round(wanted / sources.length));
  const files = [];
  for (let copy = 0; copy < copies; copy += 1) {
    for (const [number, { kind, path }] of sources.entries()) {
      const to = join(work, `${copy}-${number}${extname(path)}`);
      copyFileSync(path, to);
      files.push({ kind, path: to });
    }
  }
  const warm = sources.filter(({ kind }) => kind !== 'real recordings').map(({ path }) => path);
  // ffprobe takes so long that one of each must do for it.
  const sample = files.slice(0, sources.length);
  const paths = (list) => list.map(({ path }) => path);
  const megabytes = files.reduce((sum, { path }) => sum + statSync(path).size, 0) / 1e6;
  const cores = cpus().length;

  row(
    `\nprobing, ${files.length} files, ${megabytes.toFixed(0)} MB`,
    'ffprobe ms',
    `${cores} at once`,
    'gateway ms',
    '4 at once',
    'start ms',
    'ratio',
    'at once',
  );
  const measure = async (name, some, few, cold) => {
    const found = [];
    for (let run = 0; run < runs; run += 1) {
      const prepare = (list) => !cold || dropCache(paths(list));
      if (!prepare(few)) return console.log(`${name}: the page cache cannot be dropped here`);
      const one = await ffprobeAll(paths(few), 1);
      prepare(few);
      const many = await ffprobeAll(paths(few), cores);
      prepare(some);
      const alone = await probeAll(warm, paths(some), 1);
      prepare(some);
      const four = await probeAll(warm, paths(some), 4);
      found.push({ one, many, alone: alone.ms, four: four.ms, startMs: alone.startMs });
    }
    const of = (value, digits) => median(found.map(value)).toFixed(digits);
    row(
      name,
      of(({ one }) => one, 1),
      of(({ many }) => many, 1),
      of(({ alone }) => alone, 2),
      of(({ four }) => four, 2),
      of(({ startMs }) => startMs, 0),
      of(({ one, alone }) => one / alone, 0),
      of(({ many, four }) => many / four, 0),
    );
  };
  await measure('all of them, warm', files, sample, false);
  await measure('all of them, cold', files, sample, true);
  for (const kind of new Set(sources.map((source) => source.kind))) {
    const ofKind = (list) => list.filter((file) => file.kind === kind);
    await measure(kind, ofKind(files), ofKind(sample), false);
  }
}
