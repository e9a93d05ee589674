// The two processes of rows.mjs: one fills an index, the other is measured in it, so that its memory is its own.
//
//   node rows-child.mjs fill|measure FOLDER ROWS
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { ingest } from '../../dist/recordings/ingest.js';
import { retentionOverview } from '../../dist/api/retention-overview.js';
import { planDeletions } from '../../dist/retention/plan.js';
import { previewDays } from '../../dist/retention/policy.js';
import { makeStore } from '../../dist/store/audit-log.js';
import { noDevice, putCamera } from '../../dist/store/cameras.js';
import { openDatabase } from '../../dist/store/database.js';
import { putRoot } from '../../dist/store/roots.js';
import { insertIfNew } from '../../dist/store/segment-inserts.js';
import { footageByCamera, segmentsDue, segmentsIn, segmentStamps } from '../../dist/store/segments.js';

const [what, folder, rowsText] = process.argv.slice(2);
const rows = Number(rowsText);
const minuteUs = 60_000_000;
const hourUs = 60 * minuteUs;
const marginUs = 12 * hourUs;
const periodUs = 30 * 24 * hourUs - marginUs;
const cameras = 64;
const cameraIds = Array.from({ length: cameras }, (_, i) => `camera-${String(i).padStart(2, '0')}`);
const firstUs = Date.UTC(2026, 5, 1) * 1000;
const lastUs = firstUs + Math.floor(rows / cameras) * minuteUs;
const rootPath = join(folder, 'nvr');
let seed = 7;
/** From 0 to below 1, the same each time. */
const next = () => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;

/** The one that stands at `i` in the order of time: 64 cameras write a segment a minute, every thousandth is an hour long. */
function segmentAt(i) {
  const startUs = firstUs + Math.floor(i / cameras) * minuteUs;
  const endUs = startUs + (i % 1000 === 0 ? 60 : 1) * minuteUs + Math.floor(next() * 80_000) - 40_000;
  const cameraId = cameraIds[i % cameras];
  const name = new Date(startUs / 1000).toISOString();
  const mtimeUs = endUs + Math.floor(next() * 3_000_000);
  return {
    rootId: 'nvr',
    path: `${name.slice(0, 10)}/${name.slice(11, 13)}/${cameraId}/${name.slice(14, 16)}.${name.slice(17, 19)}.mp4`,
    cameraId,
    startUs,
    endUs,
    timeSource: 'name-utc',
    timeQuality: 'agreed',
    timeDisagreementMs: Math.floor(next() * 300),
    sizeBytes: 1_000_000 + Math.floor(next() * 20_000_000),
    inode: String(1_000_000 + i),
    mtimeUs,
    container: 'mp4',
    codec: i % 3 === 0 ? 'h265' : 'h264',
    width: [640, 1280, 1920, 3840][i % 4],
    height: [360, 720, 1080, 2160][i % 4],
    frameRate: 25 + next() - 0.5,
    hasAudio: i % 5 === 0,
    truncated: false,
    firstSeenUs: mtimeUs + 5_000_000,
  };
}

function fill(db) {
  // What it costs the disk is no part of this; index.mjs measures a first index as it is.
  db.pragma('synchronous = OFF');
  mkdirSync(rootPath);
  putRoot(db, { id: 'nvr', path: rootPath, identity: String(statSync(rootPath).ino), firstSeenUs: firstUs });
  for (const cameraId of cameraIds) {
    putCamera(db, {
      ...{ cameraId, label: cameraId, class: 'crime-prevention', retentionDays: 30, retentionReason: null },
      ...{ purpose: 'bench', audioAllowed: false, origin: 'config', adopted: true, device: noDevice, clock: null },
      createdUs: firstUs,
    });
  }
  const some = db.transaction((from, to) => {
    for (let i = from; i < to; i += 1) insertIfNew(db, segmentAt(i));
  });
  const began = performance.now();
  for (let from = 0; from < rows; from += 50_000) some(from, Math.min(rows, from + 50_000));
  db.pragma('wal_checkpoint(TRUNCATE)');
  return { insertsPerS: rows / ((performance.now() - began) / 1000) };
}

/**
 * Milliseconds of many runs: the median, the last of a hundred (99 of 100 were faster), and the processor's for each, which a busy
 * machine does not lengthen much. Between runs the writer gets its turn.
 */
async function timed(times, run) {
  const found = [];
  let cpuUs = 0;
  for (let i = 0; i < times; i += 1) {
    const before = process.cpuUsage();
    const began = performance.now();
    run(i);
    found.push(performance.now() - began);
    const { user, system } = process.cpuUsage(before);
    cpuUs += user + system;
    await turn();
  }
  found.sort((a, b) => a - b);
  return { p50: found[times >> 1], p99: found[Math.ceil(times * 0.99) - 1], cpu: cpuUs / times / 1000 };
}

async function measure(db) {
  // Later than everything that is written: an earlier clock than that of the log is not believed.
  const clock = { nowUs: () => lastUs + 24 * hourUs, monotonicMs: () => performance.now() };
  const { privateKey } = generateKeyPairSync('ed25519');
  const store = makeStore(db, clock, { origin: 'tredive/bench', privateKey });
  const log = { warn() {}, error() {}, info() {} };
  const retention = { store, log, dataDir: folder, marginUs, rootPath: () => rootPath };

  // Every camera closes a segment each second, as the watcher enters them: each with its event, its checkpoint and its sync.
  let written = 0;
  const writer = setInterval(() => {
    const segment = segmentAt(rows + written);
    // Of the newest files some have to be there, or the root is not trusted; what is in them is not read.
    mkdirSync(join(rootPath, dirname(segment.path)), { recursive: true });
    writeFileSync(join(rootPath, segment.path), '');
    ingest({ store }, { id: 'nvr' }, [
      { kind: 'segment', path: segment.path, segment, cameraLabel: segment.cameraId, clocks: null, number: null },
    ]);
    written += 1;
  }, 1000 / cameras);

  const range = () => {
    const startUs = firstUs + Math.floor(next() * Math.floor(rows / cameras)) * minuteUs + 1;
    return { startUs, endUs: startUs + hourUs };
  };
  const any = () => cameraIds[Math.floor(next() * cameras)];
  // The same questions as they would be put without knowing better: all rows of the camera before the end of the range.
  const plainRange = db.prepare(
    `SELECT * FROM segment WHERE camera_number = ? AND start_us < ? AND end_us > ? AND missing_since_us IS NULL ORDER BY start_us, id`,
  );
  const plainFootage = db.prepare(
    `SELECT camera_number, count(*), sum(size_bytes), min(start_us), max(end_us) FROM segment
     WHERE missing_since_us IS NULL GROUP BY camera_number`,
  );
  const firstOf = (cameraId) => segmentsDue(db, cameraId, firstUs + hourUs, null, 1);
  const plan = (dueUs, due) => {
    const found = planDeletions(retention, firstUs + dueUs + periodUs);
    if (found.due < due || found.refused !== null) throw new Error(`${found.due} due, refused: ${found.refused}`);
  };
  const found = {};
  found.hour = await timed(2000, () => {
    if (segmentsIn(db, [any()], range()).length === 0) throw new Error('an hour is empty');
  });
  found.plainHour = await timed(100, () => {
    const { startUs, endUs } = range();
    plainRange.all(1 + Math.floor(next() * cameras), endUs, startUs);
  });
  found.footage = await timed(500, () => footageByCamera(db));
  found.plainFootage = await timed(1, () => plainFootage.all());
  found.due = await timed(200, () => {
    if (cameraIds.flatMap(firstOf).length < cameras) throw new Error('nothing is due');
  });
  found.planHour = await timed(100, () => plan(hourUs, cameras * 60));
  found.planDay = await timed(20, () => plan(24 * hourUs, Math.min(rows, cameras * 24 * 60)));
  // What the page of retention asks for every half minute, by whoever has it open.
  const brake = { floorUs: 3 * hourUs, factor: 2, voteUs: 4 * hourUs };
  const overview = (dueUs, due) => {
    const nowUs = firstUs + dueUs + periodUs;
    const at = { ...store, clock: { ...clock, nowUs: () => nowUs } };
    const ctx = { ...retention, store: at, brake };
    const seen = retentionOverview({
      store: at,
      retention: {
        ...{ marginUs, voteUs: brake.voteUs, sweepEveryUs: hourUs },
        plan: (us) => planDeletions(ctx, us),
        ...{ doubt: () => null, clockVotes: () => [], previewOf: () => null },
      },
    });
    if (seen.due.segments < due || seen.cameras.length !== cameras) throw new Error(`${seen.due.segments} due`);
  };
  found.overviewHour = await timed(50, () => overview(hourUs, cameras * 60));
  found.overviewDay = await timed(20, () => overview(24 * hourUs, Math.min(rows, cameras * 24 * 60)));
  found.preview = await timed(20, () => {
    const seen = previewDays(retention, any(), 1);
    if (seen.segments === 0) throw new Error('a shorter period deletes nothing');
  });
  // As a scan reads them, beside a disk that is read in the same order.
  const began = performance.now();
  let read = 0;
  for (let after = ''; read < 1_000_000;) {
    const page = segmentStamps(db, 'nvr', after, 250);
    read += page.length;
    if (page.length < 250) break;
    after = page.at(-1).path;
    if (read % 5000 === 0) await turn();
  }
  found.stampsPerS = read / ((performance.now() - began) / 1000);
  clearInterval(writer);
  if (written < cameras) throw new Error('not every camera has written');
  const peakMb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
  return { ...found, written, peakMb };
}

const db = openDatabase(join(folder, 'tredive.db'));
const result = what === 'fill' ? fill(db) : await measure(db);
db.close();
console.log(JSON.stringify(result));
