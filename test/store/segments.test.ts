import { describe, expect, test } from 'vitest';
import { checkStore } from '../../src/store/check.js';
import { insertIfNew, insertSegment } from '../../src/store/segment-inserts.js';
import {
  findById,
  footageByCamera,
  markMissing,
  markReturned,
  moveSegment,
  removeSegment,
  segmentStamps,
  segmentsIn,
  segmentsOfFile,
  setSegmentState,
  updateSegment,
} from '../../src/store/segments.js';
import { insertRow, someRow } from '../helpers/rows.js';
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
  // Around the lengths from which a segment counts as long and as one of the longest, some of them exactly those.
  const lengths = [
    ...[1, 30_000_000, minuteUs, 10 * minuteUs - 1, 10 * minuteUs, 10 * minuteUs + 1, 90 * minuteUs],
    ...[120 * minuteUs - 1, 120 * minuteUs, 120 * minuteUs + 1, 300 * minuteUs],
  ];
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

describe('a row', () => {
  function empty() {
    const made = makeTestStore();
    addRoot(made, 'nvr');
    addCamera(made, 'gate');
    const folders = (): unknown[] => made.db.prepare('SELECT path FROM folder ORDER BY path').pluck().all();
    return { ...made, folders };
  }

  test.each([
    '0',
    '4294967296',
    '9007199254740993',
    '9223372036854775807',
    '9223372036854775808',
    '18446744073709551615',
  ])('knows its file by the inode %s', (inode) => {
    const { db } = empty();
    const id = insertRow(db, { path: 'a/b.mp4', inode });
    insertRow(db, { path: 'a/c.mp4', inode: '9007199254740992' });
    expect(findById(db, id)?.inode).toBe(inode);
    const file = { inode, sizeBytes: 1000, mtimeUs: june + 61_000_000 };
    expect(segmentsOfFile(db, 'nvr', file).map((one) => one.id)).toEqual([id]);
    const stamp = `f ${inode} 1000 ${june + 61_000_000}`;
    expect(segmentStamps(db, 'nvr', '', 1)).toEqual([{ path: 'a/b.mp4', stamp, id }]);
    markMissing(db, id, june);
    expect(segmentStamps(db, 'nvr', '', 1)).toEqual([{ path: 'a/b.mp4', stamp: `missing ${stamp}`, id }]);
    markReturned(db, id);
    setSegmentState(db, id, 'deleting');
    expect(segmentStamps(db, 'nvr', '', 1)).toEqual([{ path: 'a/b.mp4', stamp: `deleting ${stamp}`, id }]);
  });

  test('is given back as it was entered, and as it was changed', () => {
    const { db } = empty();
    const row = someRow({ path: 'å/b.mp4', frameRate: 29.97, timeDisagreementMs: -7, hasAudio: true, truncated: true });
    const id = insertSegment(db, row);
    expect(findById(db, id)).toEqual({ ...row, id, state: 'indexed' });
    const later = {
      ...row,
      frameRate: null,
      codec: 'h265',
      hasAudio: false,
      truncated: false,
      sizeBytes: 7,
      inode: '12',
    };
    updateSegment(db, id, later);
    expect(findById(db, id)).toEqual({ ...later, id, state: 'indexed' });
  });

  test('has an id that no other row had, also one that is gone', () => {
    const { db } = empty();
    const first = insertRow(db, { path: 'a.mp4' });
    const second = insertRow(db, { path: 'b.mp4' });
    removeSegment(db, second);
    expect(insertIfNew(db, someRow({ path: 'a.mp4' }))).toBe(false);
    const third = insertRow(db, { path: 'c.mp4' });
    expect([first, second, third]).toEqual([1, 2, 3]);
    removeSegment(db, third);
    expect(() =>
      db.exec(`INSERT INTO segment SELECT camera_number, start_us, 3, end_us, folder_id, 'd.mp4', kind_id, time_disagreement_ms,
        size_bytes, inode, mtime_us, frames_per_1000_s, truncated, deleting, first_seen_us, missing_since_us FROM segment`),
    ).toThrow('never used twice');
  });

  test('takes the name of its folder along when it is the last', () => {
    const { db, folders } = empty();
    const a = insertRow(db, { path: 'gate/secret/a.mp4' });
    const b = insertRow(db, { path: 'gate/secret/b.mp4' });
    insertRow(db, { path: 'c.mp4' });
    const to = { rootId: 'nvr', path: 'yard/a.mp4', inode: '5', mtimeUs: june };
    expect(moveSegment(db, a, to)).toBe(true);
    expect(folders()).toEqual(['', 'gate/secret/', 'yard/']);
    removeSegment(db, b);
    expect(folders()).toEqual(['', 'yard/']);
    // Gone, or being deleted: it goes nowhere, and leaves no name.
    expect(moveSegment(db, b, { ...to, path: 'attic/b.mp4' })).toBe(false);
    expect(checkStore(db)).toEqual([]);
    setSegmentState(db, a, 'deleting');
    expect(moveSegment(db, a, { ...to, path: 'attic/a.mp4' })).toBe(false);
    expect(folders()).toEqual(['', 'yard/']);
  });

  test('of a camera that is not registered is refused', () => {
    const { db } = empty();
    expect(() => insertRow(db, { path: 'a.mp4', cameraId: 'nobody' })).toThrow('NOT NULL');
  });
});
