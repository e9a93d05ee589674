// What masking costs, each figure as a ratio to a reference in the same run: machines are noisy, ratios less so. Every run is a
// process of its own, reference and candidate in turn, three or more of each; medians. No test depends on it.
//
//   npm run bench -- [--runs 3] [--only whole,analysis,memory,leak,index,rows,probe,delete] [--clips 1,2,3,4] [--seconds 60] [--hour]
//
// whole     `redact` of a clip with people throughout against ffmpeg decoding and encoding it with the same settings (wall time);
//           `render`: covering what was analysed before, with the proof, against the same; `cpu`: processor time of the whole
// analysis  processor time, children included, of looking through ten minutes with people in a tenth of them, against decoding
//           them and detecting in every fifth frame
// memory    peak of the node process, and of all its children together, for one minute and ten (--hour: sixty)
// index     see index.mjs
// rows      see rows.mjs (--rows 5000000)
// probe     see probe.mjs (--probes 240)
// delete    see delete.mjs (--due 100000)
// leak      see leak.mjs; needs TREDIVE_FOOTAGE with footage/vtest.avi and ground-truth/PETS09-S2L1/gt.txt
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findFfmpeg } from '../../dist/platform/ffmpeg.js';
import { encodeScene } from '../../dist/samples/scene.js';
import { measureDelete } from './delete.mjs';
import { measureIndex } from './index.mjs';
import { measureProbe } from './probe.mjs';
import { measureRows } from './rows.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    only: { type: 'string', default: 'whole,analysis,memory,leak,index,rows,probe,delete' },
    clips: { type: 'string', default: '1,2,3,4' },
    seconds: { type: 'string', default: '60' },
    hour: { type: 'boolean', default: false },
    first: { type: 'string', default: '200000' },
    files: { type: 'string', default: '1000000' },
    archive: { type: 'string' },
    rows: { type: 'string', default: '5000000' },
    probes: { type: 'string', default: '240' },
    due: { type: 'string', default: '100000' },
  },
});
const runs = Math.max(1, Number(values.runs));
const wanted = new Set(values.only.split(','));
const here = dirname(fileURLToPath(import.meta.url));
const { path: ffmpeg, version } = await findFfmpeg();
const folder = mkdtempSync(join(tmpdir(), 'tredive-bench-'));
const footage = process.env.TREDIVE_FOOTAGE;
const at = (name) => join(folder, name);

function must(args) {
  const done = spawnSync(ffmpeg, ['-v', 'error', '-nostdin', '-y', ...args], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`ffmpeg ${args.join(' ')}: ${done.stderr}`);
}

/** Peak resident sizes in MB of a process and of its children together, looked at a few times a second. */
function watchMemory(pid) {
  const peak = { own: 0, children: 0 };
  const status = (id, field) => {
    try {
      return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0; // it has ended
    }
  };
  const timer = setInterval(() => {
    peak.own = Math.max(peak.own, status(pid, 'VmHWM') / 1024);
    let children = 0;
    for (const id of readdirSync('/proc')) {
      if (/^\d+$/.test(id) && status(id, 'PPid') === pid) children += status(id, 'VmRSS') / 1024;
    }
    peak.children = Math.max(peak.children, children);
  }, 100);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

/** Runs a process to its end; its wall time, its peak memory and, where it prints one, its JSON. */
async function timed(command, args) {
  const began = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const memory = watchMemory(child.pid);
  let [out, complaints] = ['', ''];
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (complaints += data));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${complaints}`);
  return { seconds: (performance.now() - began) / 1000, memory: memory(), json: out === '' ? null : JSON.parse(out) };
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const row = (...cells) =>
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(40) : cell.padStart(10))).join(' '));
const child = (what, ...args) => timed(process.execPath, [join(here, 'child.mjs'), what, ...args]);
const reference = (input) => child('reference', input, at('plain.mp4'));

/** A clip of the drawn yard, or of real people, at a size and length. */
async function peopleClip(name, { width, height, seconds, real }) {
  const output = at(`${name}.mp4`);
  if (existsSync(output)) return output;
  const source = real ?? at('yard.mp4');
  if (real === undefined && !existsSync(source)) await encodeScene(source, { place: 'yard', seconds: 20, seed: 3 });
  const fit = `scale=${width}:${height}:force_original_aspect_ratio=increase,crop=${width}:${height}`;
  const rate = real === undefined ? ['-r', '25'] : [];
  // Real footage of ten frames a second is played faster instead of showing each frame twice, which would cost nothing.
  const faster = real === undefined ? [] : ['-r', '25'];
  const encode = ['-c:v', 'libx264', '-preset', 'fast', '-crf', '20', '-g', '50', '-bf', '0', '-an'];
  must(['-stream_loop', '-1', ...faster, '-i', source, '-t', String(seconds), '-vf', fit, ...rate, ...encode, output]);
  return output;
}

/** Ten minutes of an empty yard; for one minute in it the clip with people. */
async function mostlyEmptyClip(width, height) {
  const output = at('mostly-empty.mp4');
  const people = await peopleClip('people', { width, height, seconds: 60 });
  await encodeScene(at('empty.mp4'), { place: 'yard', seconds: 20, seed: 3, empty: true });
  const encode = ['-r', '25', '-c:v', 'libx264', '-preset', 'fast', '-crf', '20', '-g', '50', '-bf', '0', '-an'];
  const fit = `scale=${width}:${height}:force_original_aspect_ratio=increase,crop=${width}:${height}`;
  must(['-stream_loop', '-1', '-i', at('empty.mp4'), '-t', '270', '-vf', fit, ...encode, at('empty-long.mp4')]);
  const list = ['empty-long.mp4', 'people.mp4', 'empty-long.mp4'].map((name) => `[${name}]`);
  const inputs = [at('empty-long.mp4'), people, at('empty-long.mp4')].flatMap((path) => ['-i', path]);
  must([...inputs, '-filter_complex', `${list.map((_, i) => `[${i}:v]`).join('')}concat=n=3`, ...encode, output]);
  return output;
}

async function whole() {
  const s = Number(values.seconds);
  const real = footage === undefined ? undefined : join(footage, 'footage', 'vtest.avi');
  const clips = [
    ...(real !== undefined && existsSync(real)
      ? [['vtest at 1920x1080, 25 a second', { width: 1920, height: 1080, seconds: s, real }]]
      : []),
    ['drawn yard at 1920x1080, 25 a second', { width: 1920, height: 1080, seconds: s }],
    ['drawn yard at 3840x2160, 25 a second', { width: 3840, height: 2160, seconds: s / 3 }],
    ['drawn yard at 640x360, 25 a second', { width: 640, height: 360, seconds: s }],
  ];
  row(
    'people throughout',
    'seconds',
    'ffmpeg s',
    'redact s',
    'whole',
    'render',
    'cpu',
    'looks',
    'node MB',
    'others MB',
  );
  const chosen = values.clips.split(',').map(Number);
  for (const [at_, [name, clip]] of clips.entries()) {
    if (!chosen.includes(at_ + 1)) continue;
    const input = await peopleClip(`clip${at_}`, clip);
    const found = [];
    for (let run = 0; run < runs; run += 1) {
      const plain = await reference(input);
      const redact = await child('redact', input, at('masked.mp4'));
      const render = await child('render', input, at('masked.mp4'));
      found.push({ plain, redact, render });
    }
    const ratio = (of) => median(found.map((one) => of(one) / one.plain.seconds)).toFixed(2);
    row(
      name,
      clip.seconds.toFixed(0),
      median(found.map((one) => one.plain.seconds)).toFixed(1),
      median(found.map((one) => one.redact.seconds)).toFixed(1),
      ratio((one) => one.redact.seconds),
      ratio((one) => one.render.json.renderSeconds),
      median(found.map((one) => one.redact.json.cpuSeconds / one.plain.json.cpuSeconds)).toFixed(2),
      String(found[0].redact.json.looks),
      Math.max(...found.map((one) => one.redact.memory.own)).toFixed(0),
      Math.max(...found.map((one) => one.redact.memory.children)).toFixed(0),
    );
  }
}

async function analysis() {
  row('\nten minutes, people in a tenth', 'frames', 'reference', 'analysis', 'ratio', 'looks', '(processor seconds)');
  for (const [width, height] of [
    [1920, 1080],
    [768, 432],
  ]) {
    for (const name of readdirSync(folder)) if (/^(people|empty|mostly)/.test(name)) rmSync(at(name));
    const input = await mostlyEmptyClip(width, height);
    process.env.PICTURE = JSON.stringify({ width, height });
    const found = [];
    for (let run = 0; run < runs; run += 1) {
      found.push({ plain: await child('every-fifth', input), candidate: await child('analyse', input) });
    }
    row(
      `drawn yard at ${width}x${height}, 25 a second`,
      String(found[0].plain.json.frames),
      median(found.map(({ plain }) => plain.json.cpuSeconds)).toFixed(1),
      median(found.map(({ candidate }) => candidate.json.cpuSeconds)).toFixed(1),
      median(found.map(({ plain, candidate }) => candidate.json.cpuSeconds / plain.json.cpuSeconds)).toFixed(2),
      String(found[0].candidate.json.looks),
    );
  }
}

async function memory() {
  row('\npeak memory at 1920x1080', 'minutes', 'node MB', 'others MB');
  for (const minutes of [1, 10, ...(values.hour ? [60] : [])]) {
    const input = await peopleClip(`long${minutes}`, { width: 1920, height: 1080, seconds: 60 * minutes });
    const { memory: peak } = await child('redact', input, at('masked.mp4'));
    row('drawn yard', String(minutes), peak.own.toFixed(0), peak.children.toFixed(0));
    rmSync(input);
  }
}

async function leak() {
  const truth = join(footage ?? '', 'ground-truth', 'PETS09-S2L1', 'gt.txt');
  const source = join(footage ?? '', 'footage', 'vtest.avi');
  if (footage === undefined || !existsSync(truth) || !existsSync(source)) {
    console.log('\nleak: set TREDIVE_FOOTAGE to measure it');
    return;
  }
  await child('redact', source, at('masked.mp4'));
  const { json } = await timed(process.execPath, [
    ...[join(here, 'leak.mjs'), '--source', source, '--masked', at('masked.mp4'), '--truth', truth, '--json'],
  ]);
  row('\nleak, on the pixels of the copy', 'boxes', '>= 80 %', '< 30 %', 'area');
  row(
    'vtest.avi',
    String(json.boxFrames),
    `${json.covered80Percent} %`,
    String(json.under30),
    String(json.maskedToBoxArea),
  );
}

const index = () =>
  measureIndex({ first: Number(values.first), files: Number(values.files), runs, row, archive: values.archive });

const rows = () => {
  measureRows({ rows: Number(values.rows), row });
};

const probe = () => measureProbe({ folder, footage, files: Number(values.probes), runs, row, must });

const remove = () => measureDelete({ due: Number(values.due), runs, row, archive: values.archive });

try {
  console.log(`ffmpeg ${version}, ${cpus().length} cores, ${runs} runs, medians\n`);
  for (const [name, measure] of Object.entries({ whole, analysis, memory, leak, index, rows, probe, delete: remove }))
    if (wanted.has(name)) await measure();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
