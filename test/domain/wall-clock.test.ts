import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rangeInVideo, videoOffsetUs, wallEndOf, wallOffsetUs } from '../../src/domain/wall-clock.js';

const s = (seconds: number): number => Math.round(seconds * 1e6);
const segment = (endS: number, mtimeS: number, truncated = false) => ({
  startUs: 0,
  endUs: s(endS),
  mtimeUs: s(mtimeS),
  truncated,
});

describe('how far a recording of 60 s reaches', () => {
  test.each([
    // name, last write, next, covered until, latest
    ['is written in time and goes on at once', 60.1, 60, 60, 60],
    ['is written until the next one begins, at 72 s', 72.1, 72, 72, 72],
    ['is written until 72 s, and nothing follows', 72, null, 67, 72],
    ['is written until 72 s, and the camera was off for an hour then', 72, 3600, 67, 72],
    ['is closed a moment late, and nothing follows', 62, null, 60, 62],
    ['is closed in time, and the camera restarts: a gap of 12 s', 60.3, 72, 60, 60.3],
    ['is stored half a minute late, while the next one runs', 100, 72, 72, 72],
    ['was copied weeks later, with a gap of 12 s behind it', 2e6, 72, 60, 72],
    ['was copied weeks later, and the camera was off for an hour', 2e6, 3600, 60, 90],
    ['was copied weeks later, and is the last', 2e6, null, 60, 90],
    ['was copied with a last write of long ago', -2e6, 72, 60, 60],
    ['was written to for hours, which is no slow camera', 7200, 7200, 60, 90],
  ])('that %s', (_name, mtimeS, nextS, coveredS, latestS) => {
    const nextUs = nextS === null ? null : s(nextS);
    expect(wallEndOf(segment(60, mtimeS), nextUs)).toEqual({ coveredUntilUs: s(coveredS), latestEndUs: s(latestS) });
  });

  test('of an hour at five sixths of its speed', () => {
    expect(wallEndOf(segment(3000, 3601), s(3600))).toEqual({ coveredUntilUs: s(3600), latestEndUs: s(3600) });
  });

  test('that was cut short: what follows the cut is lost, not late', () => {
    expect(wallEndOf(segment(60, 72.1, true), s(72))).toEqual({ coveredUntilUs: s(60), latestEndUs: s(72) });
  });
});

test('it is never shorter than its video, and never longer than anything allows', () => {
  const us = fc.integer({ min: 1, max: 10_000_000_000 });
  fc.assert(
    fc.property(
      us,
      fc.integer({ min: -1e9, max: 20_000_000_000 }),
      fc.option(us),
      fc.boolean(),
      (end, late, more, truncated) => {
        const one = { startUs: 0, endUs: end, mtimeUs: end + late, truncated };
        const nextUs = more === null ? null : end + more - 1;
        const { coveredUntilUs, latestEndUs } = wallEndOf(one, nextUs);
        expect(coveredUntilUs).toBeGreaterThanOrEqual(end);
        expect(latestEndUs).toBeGreaterThanOrEqual(coveredUntilUs);
        expect(latestEndUs).toBeLessThanOrEqual(Math.max(end, Math.min(one.mtimeUs, nextUs ?? Infinity)));
        expect(latestEndUs).toBeLessThanOrEqual(end * 1.5);
        expect(Number.isSafeInteger(coveredUntilUs) && Number.isSafeInteger(latestEndUs)).toBe(true);
      },
    ),
  );
});

test('a range of a slow video takes in every frame that may be from it, of any other just its own', () => {
  const range = { startUs: s(60), endUs: s(72) };
  const slow = { startUs: 0, endUs: s(60), coveredUntilUs: s(72), latestEndUs: s(72) };
  expect(rangeInVideo(range, slow)).toEqual({ startUs: s(48), endUs: s(72) });
  const unproven = { ...slow, coveredUntilUs: s(60) };
  expect(rangeInVideo({ startUs: s(50), endUs: s(55) }, unproven)).toEqual({ startUs: s(50), endUs: s(55) });
  expect(rangeInVideo(range, unproven)).toEqual({ startUs: s(48), endUs: s(72) });
});

test('a moment of a slow video is looked for where it most likely is', () => {
  const slow = { startUs: s(1000), endUs: s(1060), coveredUntilUs: s(1072) };
  expect(videoOffsetUs(slow, s(36))).toBe(s(30));
  expect(wallOffsetUs(slow, s(30))).toBe(s(36));
  expect(videoOffsetUs({ ...slow, coveredUntilUs: slow.endUs }, s(36))).toBe(s(36));
});
