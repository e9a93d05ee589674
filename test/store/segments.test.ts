import { describe, expect, test } from 'vitest';
import { checkStore } from '../../src/store/check.js';
import {
  footageByCamera,
  insertSegment,
  markMissing,
  markReturned,
  removeSegment,
  segmentsIn,
} from '../../src/store/segments.js';
import { addCamera, addRoot, june, makeTestStore } from '../helpers/store.js';

const minuteUs = 60_000_000;

/** The same numbers each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function archive(seed: number) {
  const made = makeTestStore();
  addRoot(made, 'main');
  const cameraIds = ['gate', 'yard'];
  for (const id of cameraIds) addCamera(made, id);
  const next = random(seed);
  const rows: { id: number; cameraId: string; startUs: number; endUs: number; sizeBytes: number; missing: boolean }[] =
    [];
  // Around the length from which a segment counts as long, some of them exactly it.
  const lengths = [1, 30_000_000, minuteUs, 10 * minuteUs - 1, 10 * minuteUs, 10 * minuteUs + 1, 90 * minuteUs];
  for (let i = 0; i < 300; i += 1) {
    const startUs = june + Math.floor(next() * 600) * minuteUs;
    const endUs = startUs + (lengths[Math.floor(next() * lengths.length)] ?? minuteUs);
    const cameraId = cameraIds[i % 2] ?? '';
    const sizeBytes = 1 + Math.floor(next() * 1e6);
    const id = insertSegment(made.db, {
      ...{ rootId: 'main', path: `${cameraId}/${i}.mp4`, cameraId, startUs, endUs, sizeBytes },
      ...{ timeSource: 'name-utc', timeQuality: 'single', timeDisagreementMs: null, inode: String(i), mtimeUs: endUs },
      ...{ container: 'mp4', codec: 'h264', width: 640, height: 360, frameRate: 25, hasAudio: false, truncated: false },
      firstSeenUs: endUs,
    });
    rows.push({ id, cameraId, startUs, endUs, sizeBytes, missing: false });
  }
  return { ...made, cameraIds, next, rows };
}

describe('the index', () => {
  test.each([1, 2, 3])('finds for every range what reaches into it, however long it is (%i)', (seed) => {
    const { db, cameraIds, next, rows } = archive(seed);
    let found = 0;
    for (let i = 0; i < 200; i += 1) {
      const startUs = june + Math.floor(next() * 600) * minuteUs + (i % 3) - 1;
      const range = { startUs, endUs: startUs + 1 + Math.floor(next() * 30 * minuteUs) };
      const wanted = rows
        .filter((row) => row.startUs < range.endUs && row.endUs > range.startUs)
        .sort((a, b) =>
          a.cameraId < b.cameraId ? -1 : a.cameraId > b.cameraId ? 1 : a.startUs - b.startUs || a.id - b.id,
        );
      const got = segmentsIn(db, cameraIds, range);
      expect(got.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
      found += got.length;
    }
    expect(found).toBeGreaterThan(1000);
  });

  test('keeps count of what each camera has, whatever happens to its rows', () => {
    const { db, cameraIds, next, rows } = archive(4);
    const expected = () =>
      cameraIds.map((cameraId) => {
        const own = rows.filter((row) => row.cameraId === cameraId);
        const there = own.filter((row) => !row.missing);
        return {
          cameraId,
          segments: there.length,
          missing: own.length - there.length,
          sizeBytes: there.reduce((sum, row) => sum + row.sizeBytes, 0),
          oldestUs: Math.min(...there.map((row) => row.startUs)),
        };
      });
    for (let i = 0; i < 150; i += 1) {
      const at = Math.floor(next() * rows.length);
      const row = rows[at];
      if (row === undefined) continue;
      if (i % 3 === 0) {
        removeSegment(db, row.id);
        rows.splice(at, 1);
      } else if (i % 3 === 1) {
        expect(markMissing(db, row.id, june)).toBe(!row.missing);
        row.missing = true;
      } else {
        expect(markReturned(db, row.id)).toBe(row.missing);
        row.missing = false;
      }
    }
    for (const row of rows.filter((one) => !one.missing && one.id % 7 === 0)) {
      db.prepare(
        `UPDATE segment SET camera_number = (SELECT number FROM camera_footage WHERE camera_id = 'yard'), size_bytes = 7
         WHERE id = ?`,
      ).run(row.id);
      [row.cameraId, row.sizeBytes] = ['yard', 7];
    }
    expect(expected().every(({ missing }) => missing > 5)).toBe(true);
    expect(
      footageByCamera(db).map(({ cameraId, segments, missing, sizeBytes, oldestUs }) => ({
        cameraId,
        segments,
        missing,
        sizeBytes,
        oldestUs,
      })),
    ).toEqual(expected());
    const about = () => checkStore(db).filter(({ invariant }) => invariant === 'I15');
    expect(about()).toEqual([]);
    db.exec(`UPDATE camera_footage SET segments = segments + 1 WHERE camera_id = 'gate'`);
    expect(about()).toMatchObject([{ detail: expect.stringContaining('camera gate is said to have') as string }]);
  });

  test('says of a camera without footage that it has none', () => {
    const made = makeTestStore();
    addCamera(made, 'gate');
    expect(footageByCamera(made.db)).toEqual([
      { cameraId: 'gate', segments: 0, missing: 0, sizeBytes: 0, oldestUs: null, newestUs: null },
    ]);
  });
});
