import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coverRange, type RangeCoverage, type Recording } from '../../src/domain/coverage.js';
import { gapsIn, overlaps, type TimeRange } from '../../src/domain/segment.js';

const recording = (id: number, startUs: number, endUs: number, more: Partial<Recording> = {}): Recording => ({
  id,
  startUs,
  endUs,
  streamId: 'lobby',
  width: 1920,
  height: 1080,
  codec: 'h264',
  hasAudio: false,
  sizeBytes: 1000 + id,
  timeQuality: 'single',
  ...more,
});
const small = { streamId: 'lobby_sub', width: 640, height: 360 };
const range = { startUs: 0, endUs: 100 };
const parts = (cover: RangeCoverage): Record<number, string> =>
  Object.fromEntries([...cover.placed].map(([id, { part }]) => [id, part]));

describe('which recording is what to the others', () => {
  test('a copy of the same file is a duplicate of the one that is known for longer', () => {
    const cover = coverRange(range, [recording(9, 0, 60, { sizeBytes: 5 }), recording(4, 0, 60, { sizeBytes: 5 })], 2);
    expect(parts(cover)).toEqual({ 4: 'primary', 9: 'duplicate' });
    expect(cover.placed.get(9)?.shownBy).toEqual([4]);
    expect(cover.shows).toEqual([{ segmentId: 4, startUs: 0, endUs: 60 }]);
  });

  test('a few seconds that a recorder repeats at the start of a file make both of them needed', () => {
    const cover = coverRange(range, [recording(1, 0, 62), recording(2, 60, 100)], 2);
    expect(parts(cover)).toEqual({ 1: 'primary', 2: 'primary' });
    expect(cover.overlaps).toEqual([{ segmentIds: [1, 2], startUs: 60, endUs: 62 }]);
    expect(cover.shows).toEqual([
      { segmentId: 1, startUs: 0, endUs: 62 },
      { segmentId: 2, startUs: 62, endUs: 100 },
    ]);
  });

  test('a clip of an event within the recording is not needed, however long it is known', () => {
    const cover = coverRange(range, [recording(1, 20, 30), recording(2, 0, 100)], 2);
    expect(parts(cover)).toEqual({ 1: 'duplicate', 2: 'primary' });
  });

  test('a sub-stream is left out, and cracks between the files of the main stream do not call for it', () => {
    const cover = coverRange(
      range,
      [recording(1, 0, 49), recording(2, 50, 100), recording(3, 0, 52, small), recording(4, 52, 100, small)],
      2,
    );
    expect(parts(cover)).toEqual({ 1: 'primary', 2: 'primary', 3: 'sub-stream', 4: 'sub-stream' });
    expect(cover.placed.get(3)?.shownBy).toEqual([1, 2]);
    // All the same it is known which one shows that moment.
    expect(cover.shows).toContainEqual({ segmentId: 3, startUs: 49, endUs: 50 });
  });

  test('a sub-stream stands in where the main stream has a gap', () => {
    const cover = coverRange(range, [recording(1, 0, 40), recording(2, 60, 100), recording(3, 0, 100, small)], 2);
    expect(parts(cover)).toEqual({ 1: 'primary', 2: 'primary', 3: 'primary' });
    expect(cover.gaps).toEqual([]);
    expect(cover.shows).toContainEqual({ segmentId: 3, startUs: 40, endUs: 60 });
  });

  test('what is not the same stream is no duplicate, even where it looks the same', () => {
    const cover = coverRange(range, [recording(1, 0, 100), recording(2, 0, 90, { streamId: 'lobby_sub' })], 2);
    expect(parts(cover)[2]).toBe('sub-stream');
  });

  test('of the same picture, the one whose clocks agree is taken', () => {
    const cover = coverRange(range, [recording(1, 0, 100), recording(2, 0, 100, { timeQuality: 'agreed' })], 2);
    expect(parts(cover)).toEqual({ 1: 'duplicate', 2: 'primary' });
  });

  test('one whose clocks disagree may be of another time: it is not left out, and nothing is left out for it', () => {
    const cover = coverRange(
      range,
      [recording(1, 0, 100, { timeQuality: 'disagreeing' }), recording(2, 0, 100, small)],
      2,
    );
    expect(parts(cover)).toEqual({ 1: 'primary', 2: 'primary' });
  });

  test('a short range between two moments of a file, and one shorter than the tolerance', () => {
    expect(parts(coverRange({ startUs: 10, endUs: 11 }, [recording(1, 0, 60)], 5))).toEqual({ 1: 'primary' });
    expect(coverRange({ startUs: 70, endUs: 90 }, [recording(1, 0, 60)], 5)).toMatchObject({
      gaps: [{ startUs: 70, endUs: 90 }],
      covered: [],
      shows: [],
    });
  });
});

const anyRecording = fc.record({
  startUs: fc.integer({ min: -20, max: 110 }),
  length: fc.integer({ min: 1, max: 60 }),
  streamId: fc.constantFrom('lobby', 'lobby_sub'),
  width: fc.constantFrom(1920, 640),
  codec: fc.constantFrom('h264', 'hevc'),
  sizeBytes: fc.integer({ min: 1, max: 2 }),
  timeQuality: fc.constantFrom('agreed', 'single', 'disagreeing'),
});
const anyRecordings = fc
  .array(anyRecording, { maxLength: 10 })
  .map((list) =>
    list.map(({ startUs, length, ...more }, id): Recording =>
      recording(id, startUs, startUs + length, more as Partial<Recording>),
    ),
  );
const anyTolerance = fc.constantFrom(0, 1, 3, 7);
const instants = Array.from({ length: 100 }, (_, us): TimeRange => ({ startUs: us, endUs: us + 1 }));
const isIn = (list: readonly TimeRange[], at: TimeRange): boolean => list.some((one) => overlaps(one, at));
const primaryOf = (recordings: readonly Recording[], cover: RangeCoverage): Recording[] =>
  recordings.filter((one) => cover.placed.get(one.id)?.part === 'primary');
const everywhere = (check: (recordings: Recording[], cover: RangeCoverage, toleranceUs: number) => void): void => {
  fc.assert(
    fc.property(anyRecordings, anyTolerance, (recordings, toleranceUs) => {
      check(recordings, coverRange(range, recordings, toleranceUs), toleranceUs);
    }),
    { numRuns: 300 },
  );
};

describe('whatever there is', () => {
  test('every moment that something shows is shown exactly once, by what has it, and no other moment', () => {
    everywhere((recordings, { shows }) => {
      for (const at of instants) {
        const showing = shows.filter((one) => overlaps(one, at));
        expect(showing.length).toBe(isIn(recordings, at) ? 1 : 0);
        for (const { segmentId } of showing) {
          const own = recordings.find((one) => one.id === segmentId);
          expect(own !== undefined && overlaps(own, at)).toBe(true);
        }
      }
    });
  });

  test('it is shown by a picture that is as large as any there', () => {
    everywhere((recordings, { shows }) => {
      for (const shown of shows) {
        const own = recordings.find((one) => one.id === shown.segmentId);
        for (const other of recordings) if (overlaps(other, shown)) expect(other.width <= (own?.width ?? 0)).toBe(true);
      }
    });
  });

  test('what is covered and the gaps are a partition of the range, and no gap has a moment of anything', () => {
    everywhere((recordings, { covered, gaps }, toleranceUs) => {
      for (const at of instants) {
        expect(isIn(covered, at)).toBe(!isIn(gaps, at));
        if (isIn(gaps, at)) expect(isIn(recordings, at)).toBe(false);
        if (toleranceUs === 0) expect(isIn(gaps, at)).toBe(!isIn(recordings, at));
      }
    });
  });

  test('what is primary leaves no moment out but cracks up to the tolerance', () => {
    everywhere((recordings, cover, toleranceUs) => {
      const primary = primaryOf(recordings, cover);
      if (recordings.some((one) => overlaps(one, range))) expect(primary.length).toBeGreaterThan(0);
      const holes = gapsIn(range, primary, primary.length === 0 ? 0 : toleranceUs);
      for (const at of instants) if (isIn(holes, at)) expect(isIn(recordings, at)).toBe(false);
    });
  });

  test('what is left out is shown by primary ones that have its moments', () => {
    everywhere((recordings, cover, toleranceUs) => {
      const primary = new Map(primaryOf(recordings, cover).map((one) => [one.id, one]));
      for (const one of recordings) {
        const placed = cover.placed.get(one.id);
        expect(placed !== undefined).toBe(overlaps(one, range));
        if (placed === undefined || placed.part === 'primary') continue;
        const instead = placed.shownBy.map((id) => primary.get(id));
        expect(instead.length).toBeGreaterThan(0);
        expect(instead.every((other) => other !== undefined && overlaps(other, one))).toBe(true);
        if (placed.part === 'duplicate') expect(instead.some((other) => other?.codec === one.codec)).toBe(true);
        // A hole of its own would be a moment that goes missing with it.
        const clipped = { startUs: Math.max(0, one.startUs), endUs: Math.min(100, one.endUs) };
        for (const hole of gapsIn(clipped, [...primary.values()], toleranceUs)) expect(hole).toBeUndefined();
      }
    });
  });

  test('a duplicate more changes nothing but itself, and never hides a gap', () => {
    everywhere((recordings, cover, toleranceUs) => {
      const [first] = recordings;
      if (first === undefined) return;
      const more = coverRange(range, [...recordings, { ...first, id: 1000 }], toleranceUs);
      expect(more.gaps).toEqual(cover.gaps);
      expect(more.shows).toEqual(cover.shows);
      const { 1000: added, ...others } = parts(more);
      expect(others).toEqual(parts(cover));
      expect(added).not.toBe('primary');
    });
  });

  test('the order of what is given does not matter', () => {
    fc.assert(
      fc.property(
        anyRecordings.chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
        ),
        anyTolerance,
        ([list, shuffled], toleranceUs) => {
          const [a, b] = [coverRange(range, list, toleranceUs), coverRange(range, shuffled, toleranceUs)];
          expect({ ...b, placed: parts(b) }).toEqual({ ...a, placed: parts(a) });
        },
      ),
      { numRuns: 200 },
    );
  });
});
