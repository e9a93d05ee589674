import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstFrameOf, lastFrameOf, pointAt, pointsOf, type Box, type Track } from '../../src/domain/redaction-plan.js';
import { toMaskRect } from '../../src/domain/mask-rects.js';
import type { Detection } from '../../src/redaction/detectors/detector.js';
import type { MotionLook } from '../../src/platform/native.js';
import { createTracker, type MaskedBox, type Tick, type Tracker } from '../../src/redaction/track.js';

const settings = { minScore: 0.2, padding: 0.06, detectionsPerSecond: 6, vehicles: true };
const [width, height] = [640, 480];
interface LookedAt extends Tick {
  readonly detections: readonly Detection[];
}
interface Timeline {
  readonly frames: number;
  readonly fps: number;
}
const timelineOf = (frames: number, fps = 10): Timeline => ({ frames, fps });
const trackerFor = ({ fps }: Timeline): Tracker =>
  createTracker({ width, height, timeOf: (frame) => frame / fps }, settings);
const trackAll = (ticks: readonly Tick[], timeline: Timeline, motion: MotionLook | null = null): readonly Track[] => {
  const tracker = trackerFor(timeline);
  for (const tick of ticks) {
    tracker.see(tick);
    tracker.notice(motion);
  }
  return tracker.finish();
};
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
const only = (tracks: readonly Track[]): Track => {
  expect(tracks).toHaveLength(1);
  return tracks[0] as Track;
};
/** A grid in which these places, and nothing else, are not the empty scene. */
function motionOf(boxes: readonly Box[], moving = true, reliable = true): MotionLook {
  const [cols, rows] = [64, 48];
  const foreground = new Uint8Array(cols * rows);
  for (const { x, y, w, h } of boxes) {
    for (let row = Math.max(0, Math.floor(y / 10)); row < Math.min(rows, (y + h) / 10); row += 1) {
      foreground.fill(
        255,
        row * cols + Math.max(0, Math.floor(x / 10)),
        row * cols + Math.min(cols, Math.ceil((x + w) / 10)),
      );
    }
  }
  const changed = moving ? foreground : new Uint8Array(cols * rows);
  return { cols, rows, foreground, moving: changed, reliable, lightChanged: false };
}
/** Runs a scene of ten frames a second, the motion model looking at each, the detector at those for which `seen` is not null. */
function run(
  frames: number,
  seen: (frame: number) => Detection[] | null,
  motion: (frame: number) => MotionLook | null,
): readonly Track[] {
  const tracker = trackerFor(timelineOf(frames));
  for (let frame = 0; frame < frames; frame += 1) {
    tracker.see({ frame, timeS: frame / 10, detections: seen(frame) });
    tracker.notice(motion(frame));
  }
  return tracker.finish();
}
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
        for (const found of trackAll(looks, timeline)) {
          const points = [...pointsOf(found)];
          const first = points[0]?.frame ?? -1;
          expect(first).toBeGreaterThanOrEqual(0);
          expect(points.map(({ frame }) => frame)).toEqual(points.map((_, index) => first + index));
          expect(points.at(-1)?.frame).toBeLessThan(timeline.frames);
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
        const tracks = trackAll(looks, timeline);
        for (const { frame, detections } of looks) {
          for (const { box, score, kind } of detections) {
            if (score < settings.minScore) continue;
            const [dx, dy] = [box.w * settings.padding, box.h * settings.padding * 0.3];
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
        const tracks = trackAll(looks, timeline);
        expect(trackAll(structuredClone(looks), timeline)).toEqual(tracks);
        expect(tracks.map(({ id }) => id)).toEqual(tracks.map((_, index) => index + 1));
        const begins = tracks.map(firstFrameOf);
        expect(begins).toEqual([...begins].sort((a, b) => a - b));
      }),
    );
  });

  it('are final in time: what was told of a frame two seconds back is what the finished tracks say, to the pixel', () => {
    const anyTicks = fc.array(
      fc.record({
        step: fc.integer({ min: 1, max: 30 }),
        seen: fc.option(fc.array(anyDetection, { maxLength: 4 })),
        notEmpty: fc.option(fc.array(anyBox, { maxLength: 3 })),
      }),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(anyTicks, fc.constantFrom(1, 7, 25), (steps, fps) => {
        const tracker = trackerFor(timelineOf(0, fps));
        const told: (readonly MaskedBox[])[] = [];
        const tell = (): void => {
          while (told.length < tracker.finalFrames) told.push(tracker.boxesIn(told.length));
        };
        let frame = 0;
        for (const { step, seen, notEmpty } of steps) {
          const timeS = frame / fps;
          tracker.see({ frame, timeS, detections: seen });
          tracker.notice(notEmpty === null ? null : motionOf(notEmpty));
          expect(tracker.finalFrames / fps).toBeGreaterThanOrEqual(timeS - 2 - 1e-9);
          tell();
          frame += step;
        }
        const tracks = tracker.finish();
        tell();
        expect(told).toHaveLength(frame - (steps.at(-1)?.step ?? 0) + 1);
        for (const [at, boxes] of told.entries()) {
          const planned = tracks.flatMap(({ id, kind, path }) => {
            const point = pointAt({ path }, at);
            return point === null ? [] : [{ trackId: id, kind, rect: toMaskRect(point.box, width, height) }];
          });
          expect(boxes.map(({ box, ...of }) => ({ ...of, rect: toMaskRect(box, width, height) }))).toEqual(planned);
        }
      }),
    );
  });

  it('list uncertain spans within the track, in order', () => {
    fc.assert(
      fc.property(anyScene, ({ looks, timeline }) => {
        for (const found of trackAll(looks, timeline)) {
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
          const tracks = trackAll(looks, timelineOf(8 * step + 1));
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
    const track = only(trackAll(looks, timelineOf(50)));
    for (let frame = 0; frame < 50; frame += 1) {
      expect(contains(boxAt(track, frame) as Box, walker(frame))).toBe(true);
    }
    expect(track.uncertain).toContainEqual({ fromFrame: 16, toFrame: 31, reason: 'long-gap' });
  });

  it('is held before the first and after the last sighting, where the motion leads', () => {
    const looks = Array.from({ length: 60 }, (_, frame) =>
      look(frame, frame >= 20 && frame < 40 ? [person(walker(frame))] : []),
    );
    const track = only(trackAll(looks, timelineOf(60)));
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
    const track = only(trackAll(looks, timelineOf(30)));
    expect([...pointsOf(track)][0]).toMatchObject({ frame: 0, source: 'detected' });
  });

  it('seen once and weakly is kept, and listed as doubtful', () => {
    const looks = Array.from({ length: 30 }, (_, frame) => look(frame, frame === 15 ? [person(walker(15), 0.21)] : []));
    const track = only(trackAll(looks, timelineOf(30)));
    expect(track.uncertain.map(({ reason }) => reason)).toContain('low-score');
  });

  it('who stands still for a minute is covered all the time, also if hardly ever seen surely', () => {
    const still = (frame: number): Box => ({ x: 300 + (frame % 3), y: 200, w: 40, h: 100 });
    const looks = Array.from({ length: 600 }, (_, frame) =>
      look(frame, [person(still(frame), frame === 300 ? 0.26 : 0.21)]),
    );
    const track = only(trackAll(looks, timelineOf(600)));
    expect([...pointsOf(track)]).toHaveLength(600);
  });
});

describe('two people', () => {
  it('who cross stay two tracks, both covered, and the crossing is listed', () => {
    const left = (frame: number): Box => ({ x: 100 + 6 * frame, y: 200, w: 40, h: 100 });
    const right = (frame: number): Box => ({ x: 400 - 6 * frame, y: 206, w: 40, h: 100 });
    const looks = Array.from({ length: 50 }, (_, frame) => look(frame, [person(left(frame)), person(right(frame))]));
    const tracks = trackAll(looks, timelineOf(50));
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
  const scene = (
    scoreAt: (frame: number) => number,
    boxAtFrame: (frame: number) => Box = () => bollard,
  ): readonly Track[] =>
    trackAll(
      Array.from({ length: 100 }, (_, frame) => look(frame, [person(boxAtFrame(frame), scoreAt(frame))])),
      timelineOf(100),
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

describe('what is not the empty scene', () => {
  const standing = { x: 300, y: 200, w: 40, h: 100 };
  const everywhere = (from: number, to: number, track: Track | undefined, box: (frame: number) => Box): void => {
    for (let frame = from; frame < to; frame += 1) {
      expect(contains(boxAt(track, frame) ?? { x: 0, y: 0, w: 0, h: 0 }, box(frame)), `frame ${frame}`).toBe(true);
    }
  };

  it('keeps somebody covered who stands still and is not detected any more, until he has left', () => {
    const track = only(
      run(
        400,
        (frame) => (frame % 3 === 0 ? (frame < 40 ? [person(standing)] : []) : null),
        (frame) => motionOf(frame < 300 ? [standing] : [], false),
      ),
    );
    everywhere(0, 300, track, () => standing);
    expect(lastFrameOf(track)).toBeLessThan(320);
    expect(track.uncertain.map(({ reason }) => reason)).toContain('long-gap');
  });

  it('covers somebody before the first sighting as far back as he can be traced', () => {
    const track = only(
      run(
        60,
        (frame) => (frame % 3 === 0 ? (frame >= 36 ? [person(walker(frame))] : []) : null),
        (frame) => (frame < 20 ? motionOf([]) : motionOf([walker(frame)])),
      ).filter(({ kind }) => kind === 'person'),
    );
    everywhere(20, 60, track, (frame) => {
      const { x, y, w, h } = walker(frame);
      return { x: x + 8, y: y + 10, w: w - 16, h: h - 20 };
    });
  });

  it('is masked where no detector explains it, from its beginning to its end, and is listed', () => {
    const tracks = run(
      80,
      (frame) => (frame % 5 === 0 ? [] : null),
      (frame) => motionOf(frame >= 20 && frame < 60 ? [walker(frame)] : []),
    );
    const track = only(tracks);
    expect(track.kind).toBe('motion');
    everywhere(20, 60, track, walker);
    expect([firstFrameOf(track), lastFrameOf(track)]).toEqual([expect.closeTo(17, -1), expect.closeTo(63, -1)]);
    expect(track.uncertain).toEqual([
      { fromFrame: firstFrameOf(track), toFrame: lastFrameOf(track) + 1, reason: 'unexplained-motion' },
    ]);
  });

  it('finds somebody far away, two cells wide and four high', () => {
    const far = (frame: number): Box => ({ x: 100 + 4 * frame, y: 50, w: 11, h: 31 });
    const tracks = run(
      60,
      () => null,
      (frame) => motionOf([far(frame)]),
    );
    everywhere(0, 60, only(tracks), far);
  });

  it('is nothing where it flickers, hangs at a person, or where the model does not know the scene', () => {
    const flicker = run(
      60,
      () => null,
      (frame) => motionOf(frame % 20 === 0 ? [standing] : []),
    );
    expect(flicker).toEqual([]);
    const unknown = run(
      60,
      () => null,
      () => motionOf([{ x: 0, y: 0, w: 640, h: 300 }], true, false),
    );
    expect(unknown).toEqual([]);
    const arm = run(
      60,
      (frame) => [person(walker(frame))],
      (frame) => motionOf([walker(frame), { ...walker(frame), x: walker(frame).x + 30, h: 20, w: 24 }]),
    );
    expect(only(arm).kind).toBe('person');
  });
});

describe('the detector', () => {
  const looksOf = (
    seconds: number,
    seen: (frame: number) => Detection[],
    motion: (frame: number) => MotionLook | null,
  ): number[] => {
    const tracker = trackerFor(timelineOf(0, 6));
    const wanted = [0, 1, 2].map((frame) => tracker.wantsDetection(frame / 6));
    const looks: number[] = [];
    for (let frame = 0; frame < 6 * seconds; frame += 1) {
      if (wanted[frame] === true) looks.push(frame);
      tracker.see({ frame, timeS: frame / 6, detections: wanted[frame] === true ? seen(frame) : null });
      tracker.notice(motion(frame));
      wanted.push(tracker.wantsDetection((frame + 3) / 6));
    }
    return looks;
  };
  const strolling = (frame: number): Box => ({ x: 40 + frame, y: 200, w: 40, h: 100 });
  const running = (frame: number): Box => ({ x: 40 + ((40 * frame) % 500), y: 200, w: 40, h: 100 });

  it('looks seldom at an empty scene, but never more than three seconds apart', () => {
    const looks = looksOf(
      60,
      () => [],
      () => motionOf([]),
    );
    expect(looks.length).toBeLessThanOrEqual(32);
    for (const [at, frame] of looks.entries()) expect(frame - (looks[at - 1] ?? 0)).toBeLessThanOrEqual(18);
  });

  it('looks at once at what moves into it', () => {
    const looks = looksOf(
      30,
      () => [],
      (frame) => motionOf(frame >= 100 ? [strolling(frame)] : []),
    );
    expect(looks.some((frame) => frame >= 100 && frame <= 106)).toBe(true);
  });

  it('looks more often at who moves fast, and keeps within its budget', () => {
    const calm = looksOf(
      60,
      (frame) => [person(strolling(frame))],
      (frame) => motionOf([strolling(frame)]),
    );
    const fast = looksOf(
      60,
      (frame) => [person(running(frame))],
      (frame) => motionOf([running(frame)]),
    );
    expect(calm.length).toBeLessThan(fast.length);
    expect(fast.length).toBeLessThanOrEqual(210);
  });
});

describe('somebody who runs in along the edge of the picture', () => {
  it('is covered on the straight way, too, where following goes no further back', () => {
    const runner = (frame: number): Box => ({ x: 300 + 24 * (30 - frame), y: 440, w: 60, h: 60 });
    const tracks = run(
      45,
      (frame) => (frame >= 30 ? [person(runner(frame))] : []),
      (frame) => motionOf(frame >= 28 ? [runner(frame)] : []),
    );
    for (const frame of [23, 24, 25, 26]) {
      const middle = runner(frame).x + 30;
      const boxes = tracks.map((track) => boxAt(track, frame)).filter((box) => box !== undefined);
      expect(boxes.some(({ x, w }) => x <= middle && middle <= x + w)).toBe(true);
    }
  });
});
