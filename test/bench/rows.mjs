// What the index answers in how many milliseconds when it has millions of rows, while 64 cameras go on writing into it, in the same
// process: each closes a segment every second. The rows are made up: 64 cameras that wrote a segment a minute, every thousandth
// an hour long, in Frigate's layout. Beside it the same questions in plain SQL that reads all rows of a camera.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

function child(what, folder, rows) {
  const args = [join(here, 'rows-child.mjs'), what, folder, String(rows)];
  const done = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (done.status !== 0) throw new Error(`${what} ended with ${done.status}`);
  return JSON.parse(done.stdout);
}

export function measureRows({ rows, row }) {
  const folder = mkdtempSync(join(tmpdir(), 'tredive-rows-'));
  try {
    const { insertsPerS } = child('fill', folder, rows);
    // Writing all that to disk is not what is measured.
    spawnSync('sync');
    const size = statSync(join(folder, 'tredive.db')).size;
    const found = child('measure', folder, rows);
    row(`\nindex of ${rows} rows, 64 cameras writing`, 'p50 ms', 'p99 ms', 'cpu ms', 'plain cpu', 'ratio');
    const line = (name, { p50, p99, cpu }, plain) =>
      row(
        name,
        ...[p50, p99, cpu].map((ms) => ms.toFixed(2)),
        ...(plain === undefined ? [] : [plain.cpu.toFixed(1), (cpu / plain.cpu).toFixed(4)]),
      );
    line('an hour of one camera', found.hour, found.plainHour);
    line('oldest, newest, sizes of all cameras', found.footage, found.plainFootage);
    line('the next deletion of each camera', found.due);
    line('planning a sweep, an hour is due', found.planHour);
    line('planning a sweep, a day is due', found.planDay);
    line('the page of retention, an hour is due', found.overviewHour);
    line('the page of retention, a day is due', found.overviewDay);
    line('what a period of one day would delete', found.preview);
    row('', 'MB/million', 'inserts/s', 'in order/s', 'written', 'node MB');
    row(
      'size, filling, reading, memory',
      (size / rows).toFixed(0),
      insertsPerS.toFixed(0),
      found.stampsPerS.toFixed(0),
      String(found.written),
      found.peakMb.toFixed(0),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
