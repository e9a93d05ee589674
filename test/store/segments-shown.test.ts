/** What is found by time on the wall is what reading every row would find, and only a step or two of the index is taken for it. */
import { expect, test } from 'vitest';
import { wallEndOf } from '../../src/domain/wall-clock.js';
import { segmentsShowing, wallEndIn } from '../../src/store/segments-shown.js';
import { markMissing, segmentsOfRoot, setSegmentState } from '../../src/store/segments.js';
import { insertRow } from '../helpers/rows.js';
import { addCamera, addRoot, june, makeTestStore } from '../helpers/store.js';

const minute = 60_000_000;

/** The same numbers each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

/** Two cameras: runs without a pause, slow and not, clips, files within files, hours, copies with a late last write. */
function archive(seed: number) {
  const made = makeTestStore();
  addRoot(made, 'nvr');
  for (const id of ['gate', 'yard']) addCamera(made, id);
  const next = random(seed);
  for (const cameraId of ['gate', 'yard']) {
    for (let atUs = june, i = 0; i < 300; i += 1) {
      const videoUs =
        [1, 10_000_000, minute, 10 * minute, 60 * minute, 120 * minute][Math.floor(next() ** 3 * 6)] ?? minute;
      const lastsUs = Math.floor(videoUs * ([1, 1.2, 1.5, 1.6][Math.floor(next() * 4)] ?? 1));
      const lateUs = [-minute, 0, 300_000, 8_000_000, 40_000_000, 90_000_000_000][Math.floor(next() * 6)] ?? 0;
      const id = insertRow(made.db, {
        ...{ path: `${cameraId}/${i}.mp4`, cameraId, startUs: atUs, endUs: atUs + videoUs, inode: String(i) },
        ...{ mtimeUs: atUs + lastsUs + lateUs, truncated: next() < 0.1 },
      });
      if (next() < 0.05) markMissing(made.db, id, june);
      if (next() < 0.05) setSegmentState(made.db, id, 'deleting');
      const pause = next();
      atUs +=
        pause < 0.5 ? lastsUs : pause < 0.7 ? Math.floor(lastsUs / 2) + 1 : lastsUs + Math.floor(next() * 20 * minute);
    }
  }
  return { ...made, next };
}

test.each([1, 2, 3, 4])('finds what reading every row finds (%i)', (seed) => {
  const { db, next } = archive(seed);
  const all = [...segmentsOfRoot(db, 'nvr')].sort((a, b) => a.startUs - b.startUs || a.id - b.id);
  const lastUs = Math.max(...all.map((row) => row.endUs));
  const shown = all.map((row) => {
    const after = all.find((other) => other.cameraId === row.cameraId && other.startUs >= row.endUs);
    return { ...row, ...wallEndOf(row, after?.startUs ?? null) };
  });
  for (const row of shown)
    expect(wallEndIn(db, row)).toEqual({ coveredUntilUs: row.coveredUntilUs, latestEndUs: row.latestEndUs });
  let [found, late] = [0, 0];
  for (let i = 0; i < 300; i += 1) {
    const startUs = june - minute + Math.floor(next() * (lastUs - june + 2 * minute));
    const range = { startUs, endUs: startUs + 1 + Math.floor(next() * 3 * minute) };
    for (const cameraId of ['gate', 'yard']) {
      const wanted = shown.filter(
        (row) =>
          row.cameraId === cameraId &&
          row.state !== 'missing' &&
          row.startUs < range.endUs &&
          row.latestEndUs > range.startUs,
      );
      expect(segmentsShowing(db, [cameraId], range)).toEqual(wanted);
      found += wanted.length;
      late += wanted.filter((row) => row.endUs <= range.startUs).length;
    }
  }
  expect(found).toBeGreaterThan(300);
  expect(late).toBeGreaterThan(10);
});

test('of a camera without footage, and of one that is not there, nothing', () => {
  const { db } = archive(1);
  expect(segmentsShowing(db, ['nobody'], { startUs: june, endUs: june + 1 })).toEqual([]);
  expect(segmentsShowing(db, ['gate'], { startUs: 0, endUs: 1 })).toEqual([]);
});
