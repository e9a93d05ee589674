import { describe, expect, test } from 'vitest';
import { checkStore } from '../../src/store/check.js';
import { insertAllIfNew, insertSegment } from '../../src/store/segment-inserts.js';
import { footageByCamera, segmentsIn } from '../../src/store/segments.js';
import { addCamera, addRoot, june, makeTestStore } from '../helpers/store.js';

const minuteUs = 60_000_000;

describe('many segments at once', () => {
  const kind = { timeSource: 'name-utc', timeQuality: 'single', timeDisagreementMs: null } as const;
  const picture = { container: 'mp4', codec: 'h264', width: 640, height: 360, frameRate: 10, hasAudio: false } as const;
  const segment = (at: number, path = `gate/${at}.mp4`) => ({
    ...{ rootId: 'main', path, cameraId: 'gate', ...kind, ...picture, truncated: false, firstSeenUs: june },
    ...{
      startUs: june + at * minuteUs,
      endUs: june + (at + 1) * minuteUs,
      sizeBytes: 1000 + at,
      inode: String(at + 1),
      mtimeUs: june,
    },
  });

  // None, one in the middle of a statement, the last, all of them; counts around the size of a statement.
  test.each([
    [1, []],
    [49, []],
    [50, []],
    [51, [50]],
    [130, [70]],
    [100, [0, 99]],
    [60, Array.from({ length: 60 }, (_, at) => at)],
  ])('%i of which %j are there already', (count, there) => {
    const made = makeTestStore();
    addRoot(made, 'main');
    addCamera(made, 'gate');
    for (const at of there) insertSegment(made.db, segment(at));
    const all = Array.from({ length: count }, (_, at) => segment(at));
    const known = made.db.transaction(() => insertAllIfNew(made.db, all))();
    expect(known.map(({ path }) => path)).toEqual(there.map((at) => `gate/${at}.mp4`));
    const range = { startUs: june, endUs: june + 1000 * minuteUs };
    expect(segmentsIn(made.db, ['gate'], range)).toMatchObject(all);
    expect(footageByCamera(made.db)).toMatchObject([{ cameraId: 'gate', segments: count }]);
    expect(checkStore(made.db)).toEqual([]);
  });

  test('what is no segment at all is an error, and not taken for one that is there', () => {
    const made = makeTestStore();
    addRoot(made, 'main');
    addCamera(made, 'gate');
    const all = Array.from({ length: 50 }, (_, at) => ({ ...segment(at), sizeBytes: at === 30 ? 0 : 1 }));
    expect(() => made.db.transaction(() => insertAllIfNew(made.db, all))()).toThrow(/CHECK/);
    expect(segmentsIn(made.db, ['gate'], { startUs: june, endUs: june + 1000 * minuteUs })).toEqual([]);
  });
});
