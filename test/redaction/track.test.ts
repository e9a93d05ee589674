import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstFrameOf, lastFrameOf, pointAt, pointsOf, type Box, type Track } from '../../src/domain/redaction-plan.js';
import type { Detection } from '../../src/redaction/detectors/detector.js';
import { trackAll, type LookedAt, type Timeline } from '../../src/redaction/track.js';

const settings = { minScore: 0.2, padding: 0.06 };
const [width, height] = [640, 480];
const timelineOf = (frames: number, fps = 10): Timeline => ({
  width,
  height,
  timesS: Float64Array.from({ length: frames }, (_, frame) => frame / fps),
});
const person = (box: Box, score = 0.6): Detection => ({ box, score, kind: 'person' });
const look = (frame: number, detections: Detection[], fps = 10): LookedAt => ({
  frame,
  timeS: frame / fps,
  detections,
});
const contains = (outer: Box, inner: Box): boolean =>
  outer.x <= inner.x + 1e-6 &&
  outer.y <= inner.y + 1e-6 &&
  outer.x + outer.w >= inner.x + inner.w - 1e-6 &&
  outer.y + outer.h >= inner.y + inner.h - 1e-6;
const boxAt = (track: Track | undefined, frame: number): Box | undefined =>
  track === undefined ? undefined : pointAt(track, frame)?.box;
const only = (tracks: Track[]): Track => {
  expect(tracks).toHaveLength(1);
  return tracks[0] as Track;
};
/** Somebody who walks to the right. */
const walker = (frame: number): Box => ({ x: 100 + 8 * frame, y: 200, w: 40, h: 100 });

const anyBox = fc.record({
  x: fc.double({ min: -30, max: 620, noNaN: true }),
  y: fc.double({ min: -30, max: 460, noNaN: true }),
  w: fc.double({ min: 4, max: 300, noNaN: true }),
  h: fc.double({ min: 4, max: 400, noNaN: true }),
});
const anyDetection = fc.record({
  box: anyBox,
  score: fc.double({ min: 0.1, max: 1, noNaN: true }),
  kind: fc.constantFrom('person' as const, 'person' as const, 'vehicle' as const),
});
/** Up to 4 seconds. */
const anyScene = fc
  .record({
    step: fc.integer({ min: 1, max: 4 }),
    looks: fc.array(fc.array(anyDetection, { maxLength: 5 }), { minLength: 1, maxLength: 10 }),
  })
  .map(({ step, looks }) => ({
    looks: looks.map((detections, index) => look(index * step, detections)),
    timeline: timelineOf((looks.length - 1) * step + 1),
  }));

describe('tracks, whatever is detected', () => {
  it('have one point for every frame from first to last, inside the video, in order', () => {
    fc.assert(
      fc.property(anyScene, ({ looks, timeline }) => {
        for (const found of trackAll(looks, timeline, settings)) {
          const points = [...pointsOf(found)];
          const first = points[0]?.frame ?? -1;
          expect(first).toBeGreaterThanOrEqual(0);
          expect(points.map(({ frame }) => frame)).toEqual(points.map((_, index) => first + index));
          expect(points.at(-1)?.frame).toBeLessThan(timeline.timesS.length);
          for (const { box } of points) {
            expect(box.w > 0 && box.h > 0 && Number.isFinite(box.x + box.y + box.w + box.h)).toBe(true);
          }
        }
      }),
    );
  });

  it('leave no detection from the threshold on uncovered, and pad it', () => {
    fc.assert(
      fc.property(anyScene, ({ looks, timeline }) => {
        const tracks = trackAll(looks, timeline, settings);
        for (const { frame, detections } of looks) {
          for (const { box, score, kind } of detections) {
            if (score < settings.minScore) continue;
            const [dx, dy] = [box.w * settings.padding, box.h * settings.padding];
            const padded = { x: box.x - dx, y: box.y - dy, w: box.w + 2 * dx, h: box.h + 2 * dy };
            const covering = tracks.some((track) => {
              const at = boxAt(track, frame);
              return track.kind === kind && at !== undefined && contains(at, padded);
            });
            expect(covering).toBe(true);
          }
        }
      }),
    );
  });

  it('are the same each time, numbered from 1 by their beginning', () => {
    fc.assert(
      fc.property(anyScene, ({ looks, timeline }) => {
        const tracks = trackAll(looks, timeline, settings);
        expect(trackAll(structuredClone(looks), timeline, settings)).toEqual(tracks);
        expect(tracks.map(({ id }) => id)).toEqual(tracks.map((_, index) => index + 1));
        const begins = tracks.map(firstFrameOf);
        expect(begins).toEqual([...begins].sort((a, b) => a - b));
      }),
    );
  });

  it('list uncertain spans within the track, in order', () => {
    fc.assert(
      fc.property(anyScene, ({ looks, timeline }) => {
        for (const found of trackAll(looks, timeline, settings)) {
          const { uncertain } = found;
          const [first, last] = [firstFrameOf(found), lastFrameOf(found)];
          for (const { fromFrame, toFrame } of uncertain) {
            expect(fromFrame).toBeGreaterThanOrEqual(first);
            expect(toFrame).toBeLessThanOrEqual(last + 1);
            expect(toFrame).toBeGreaterThan(fromFrame);
          }
          // Nobody is asked to look twice at one stretch.
          for (const span of uncertain) {
            const around = uncertain.filter(
              (other) => other.fromFrame <= span.fromFrame && other.toFrame >= span.toFrame,
            );
            expect(around).toEqual([span]);
          }
          expect(uncertain.map((span) => span.fromFrame)).toEqual(
            uncertain.map((span) => span.fromFrame).sort((a, b) => a - b),
          );
        }
      }),
    );
  });
});

describe('one person', () => {
  it('who walks evenly is covered in every frame between the looks', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.double({ min: -25, max: 25, noNaN: true }),
        fc.double({ min: -6, max: 6, noNaN: true }),
        (step, vx, vy) => {
          const at = (frame: number): Box => ({ x: 300 + vx * frame, y: 200 + vy * frame, w: 60, h: 120 });
          const looks = Array.from({ length: 9 }, (_, i) => look(i * step, [person(at(i * step))]));
          const tracks = trackAll(looks, timelineOf(8 * step + 1), settings);
          for (let frame = 0; frame <= 8 * step; frame += 1) {
            const covered = tracks.some((track) => {
              const box = boxAt(track, frame);
              return box !== undefined && contains(box, at(frame));
            });
            expect(covered).toBe(true);
          }
        },
      ),
    );
  });

  it('stays one track while hidden for a second and a half, covered all the time, and the gap is listed', () => {
    const looks = Array.from({ length: 50 }, (_, frame) =>
      look(frame, frame > 15 && frame < 31 ? [] : [person(walker(frame))]),
    );
    const track = only(trackAll(looks, timelineOf(50), settings));
    for (let frame = 0; frame < 50; frame += 1) {
      expect(contains(boxAt(track, frame) as Box, walker(frame))).toBe(true);
    }
    expect(track.uncertain).toContainEqual({ fromFrame: 16, toFrame: 31, reason: 'long-gap' });
  });

  it('is held before the first and after the last sighting, where the motion leads', () => {
    const looks = Array.from({ length: 60 }, (_, frame) =>
      look(frame, frame >= 20 && frame < 40 ? [person(walker(frame))] : []),
    );
    const track = only(trackAll(looks, timelineOf(60), settings));
    expect([...pointsOf(track)][0]?.frame).toBeLessThanOrEqual(13);
    expect([...pointsOf(track)].at(-1)?.frame).toBeGreaterThanOrEqual(46);
    for (const frame of [15, 17, 42, 44]) {
      const { x, y, w, h } = boxAt(track, frame) as Box;
      const middle = { x: walker(frame).x + 20, y: 250, w: 0, h: 0 };
      expect(contains({ x, y, w, h }, middle)).toBe(true);
    }
    expect([...pointsOf(track)].filter(({ source }) => source === 'extended').length).toBeGreaterThan(10);
  });

  it('seen weakly while coming in is covered from the first weak sighting on', () => {
    const looks = Array.from({ length: 30 }, (_, frame) =>
      look(frame, [person(walker(frame), frame < 12 ? 0.12 : 0.6)]),
    );
    const track = only(trackAll(looks, timelineOf(30), settings));
    expect([...pointsOf(track)][0]).toMatchObject({ frame: 0, source: 'detected' });
  });

  it('seen once and weakly is kept, and listed as doubtful', () => {
    const looks = Array.from({ length: 30 }, (_, frame) => look(frame, frame === 15 ? [person(walker(15), 0.21)] : []));
    const track = only(trackAll(looks, timelineOf(30), settings));
    expect(track.uncertain.map(({ reason }) => reason)).toContain('low-score');
  });

  it('who stands still for a minute is covered all the time, also if hardly ever seen surely', () => {
    const still = (frame: number): Box => ({ x: 300 + (frame % 3), y: 200, w: 40, h: 100 });
    const looks = Array.from({ length: 600 }, (_, frame) =>
      look(frame, [person(still(frame), frame === 300 ? 0.26 : 0.21)]),
    );
    const track = only(trackAll(looks, timelineOf(600), settings));
    expect([...pointsOf(track)]).toHaveLength(600);
  });
});

describe('two people', () => {
  it('who cross stay two tracks, both covered, and the crossing is listed', () => {
    const left = (frame: number): Box => ({ x: 100 + 6 * frame, y: 200, w: 40, h: 100 });
    const right = (frame: number): Box => ({ x: 400 - 6 * frame, y: 206, w: 40, h: 100 });
    const looks = Array.from({ length: 50 }, (_, frame) => look(frame, [person(left(frame)), person(right(frame))]));
    const tracks = trackAll(looks, timelineOf(50), settings);
    for (let frame = 0; frame < 50; frame += 1) {
      for (const box of [left(frame), right(frame)]) {
        expect(tracks.some((track) => contains(boxAt(track, frame) ?? { x: 0, y: 0, w: 0, h: 0 }, box))).toBe(true);
      }
    }
    expect(tracks).toHaveLength(2);
    for (const track of tracks) expect(track.uncertain.map(({ reason }) => reason)).toContain('overlap');
  });
});

describe('a bollard', () => {
  const bollard = { x: 300, y: 200, w: 20, h: 30 };
  const scene = (scoreAt: (frame: number) => number, boxAtFrame: (frame: number) => Box = () => bollard): Track[] =>
    trackAll(
      Array.from({ length: 100 }, (_, frame) => look(frame, [person(boxAtFrame(frame), scoreAt(frame))])),
      timelineOf(100),
      settings,
    );

  it('that never moves and is never seen surely is covered all the same, and doubtful: it might be somebody sitting', () => {
    const [track, ...others] = scene(() => 0.22);
    expect(others).toEqual([]);
    expect(track && [...pointsOf(track)]).toHaveLength(100);
    expect(track?.uncertain.map(({ reason }) => reason)).toContain('low-score');
  });

  it('that is seen surely once, or moves, is taken for a person', () => {
    expect(scene((frame) => (frame === 70 ? 0.3 : 0.22))).toHaveLength(1);
    expect(
      scene(
        () => 0.22,
        (frame) => ({ ...bollard, x: 300 + frame / 2 }),
      ),
    ).toHaveLength(1);
  });
});
