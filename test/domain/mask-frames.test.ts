import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { modeOf, plainDecisions } from '../../src/domain/mask-decisions.js';
import { coverIn, coverOf, maskCursor } from '../../src/domain/mask-frames.js';
import { overlapsIn } from '../../src/domain/mask-overlaps.js';
import { sharedArea, toMaskRect, type MaskRect } from '../../src/domain/mask-rects.js';
import {
  firstFrameOf,
  lastFrameOf,
  maskEveryone,
  maskModes,
  pathOf,
  pointAt,
  type Box,
  type RedactionPlan,
  type Track,
} from '../../src/domain/redaction-plan.js';

const box = (x: number, y: number, w: number, h: number): Box => ({ x, y, w, h });
const track = (id: number, from: number, to: number, at: Box, kind: Track['kind'] = 'person'): Track => ({
  id,
  kind,
  uncertain: [],
  path: pathOf(
    [from, to - 1].map((frame) => ({ frame, box: at, score: 1, source: 'detected' as const })).slice(0, to - from),
  ),
});
const plan = (change: Partial<RedactionPlan>): RedactionPlan => ({
  version: 2,
  width: 100,
  height: 60,
  frameCount: 10,
  tracks: [],
  zones: [],
  decisions: maskEveryone,
  ...change,
});
const masksOf = (of: RedactionPlan): (readonly MaskRect[])[] => {
  const cursor = maskCursor(of);
  return Array.from({ length: of.frameCount }, () => cursor.next());
};
const at = box(10, 10, 20, 20);
const rect = { x: 10, y: 10, w: 20, h: 20 };

describe('masks by frame', () => {
  test('cover everyone by default, in exactly the frames of the track', () => {
    const masks = masksOf(plan({ tracks: [track(1, 2, 5, at)] }));
    expect(masks.map((frame) => frame.length)).toEqual([0, 0, 1, 1, 1, 0, 0, 0, 0, 0]);
    expect(masks[2]).toEqual([rect]);
  });

  test('keeping one person visible, for a while or for good, uncovers nobody else', () => {
    const tracks = [track(1, 0, 10, at), track(2, 0, 10, box(15, 15, 10, 10))];
    const some = masksOf(
      plan({ tracks, decisions: { keepVisible: [{ trackId: 1, fromFrame: 3, toFrame: 6 }], drawn: [] } }),
    );
    expect(some.map((frame) => frame.length)).toEqual([2, 2, 2, 1, 1, 1, 2, 2, 2, 2]);
    expect(some[3]).toEqual([{ x: 14, y: 14, w: 12, h: 12 }]);
    const all = masksOf(plan({ tracks, decisions: { keepVisible: [{ trackId: 1 }], drawn: [] } }));
    expect(all.every((frame) => frame.length === 1)).toBe(true);
    const nobody = masksOf(plan({ tracks, decisions: { keepVisible: [{ trackId: 99 }], drawn: [] } }));
    expect(nobody.every((frame) => frame.length === 2)).toBe(true);
  });

  test('a drawn box is there in its frames, also over a person who is kept visible, and ends with the clip', () => {
    const drawn = [
      { fromFrame: -3, toFrame: 2, box: at },
      { fromFrame: 8, toFrame: 99, box: at },
    ];
    const masks = masksOf(plan({ tracks: [track(1, 0, 10, at)], decisions: { keepVisible: [{ trackId: 1 }], drawn } }));
    expect(masks.map((frame) => frame.length)).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
  });

  test('a drawn box that moves is at its first place in its first frame and at its last in its last', () => {
    const drawn = [{ fromFrame: 2, toFrame: 7, box: box(0, 0, 10, 10), toBox: box(40, 20, 30, 10) }];
    const masks = masksOf(plan({ decisions: { keepVisible: [], drawn } }));
    expect(masks.map((frame) => frame[0])).toEqual([
      undefined,
      undefined,
      { x: 0, y: 0, w: 10, h: 10 },
      { x: 10, y: 4, w: 16, h: 12 },
      { x: 20, y: 10, w: 20, h: 10 },
      { x: 30, y: 14, w: 26, h: 12 },
      { x: 40, y: 20, w: 30, h: 10 },
      undefined,
      undefined,
      undefined,
    ]);
    const still = [{ fromFrame: 2, toFrame: 3, box: at, toBox: box(40, 20, 30, 10) }];
    expect(masksOf(plan({ decisions: { keepVisible: [], drawn: still } }))[2]).toEqual([rect]);
  });

  test('a point outside of the clip or the picture is no mask and no mistake', () => {
    const tracks = [track(1, 8, 14, at), track(2, 0, 2, box(200, 200, 5, 5))];
    expect(masksOf(plan({ tracks })).map((frame) => frame.length)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
  });

  test('unexplained motion is covered by default, cleared like a person, and left out where only people are asked for', () => {
    const tracks = [track(1, 0, 10, at), track(2, 0, 10, box(50, 20, 10, 10), 'motion')];
    const masks = (decisions: Partial<RedactionPlan['decisions']>): readonly MaskRect[] | undefined =>
      masksOf(plan({ tracks, decisions: { ...maskEveryone, ...decisions } }))[4];
    expect(masks({})).toHaveLength(2);
    expect(masks({ keepVisible: [{ trackId: 2 }] })).toEqual([rect]);
    expect(masks({ mode: 'people' })).toEqual([rect]);
  });

  test('with the whole frame masked, only the kept one is seen, and nothing where there is none', () => {
    const tracks = [track(1, 3, 6, at), track(2, 0, 10, box(24, 10, 20, 20))];
    const masks = masksOf(
      plan({ tracks, decisions: { mode: 'whole-frame', keepVisible: [{ trackId: 1 }], drawn: [] } }),
    );
    const all = [{ x: 0, y: 0, w: 100, h: 60 }];
    expect(masks.map((frame) => frame.length)).toEqual([1, 1, 1, 4, 4, 4, 1, 1, 1, 1]);
    expect(masks[0]).toEqual(all);
    expect(masks[4]).toEqual([
      { x: 0, y: 0, w: 100, h: 10 },
      { x: 0, y: 10, w: 10, h: 20 },
      { x: 24, y: 10, w: 76, h: 20 },
      { x: 0, y: 30, w: 100, h: 30 },
    ]);
    expect(masksOf(plan({ tracks, decisions: { ...maskEveryone, mode: 'whole-frame' } })).flat()).toEqual(
      Array.from({ length: 10 }, () => all[0]),
    );
  });

  test('a fixed zone is in every frame, in shares of whatever size the picture has, also over the kept', () => {
    const zones = [{ name: 'window', kind: 'always-mask' as const, x: 0.7, y: 0.1, w: 0.3, h: 0.5 }];
    const tracks = [track(1, 0, 10, box(60, 0, 40, 60))];
    const decisions = { keepVisible: [{ trackId: 1 }], drawn: [] };
    expect(new Set(masksOf(plan({ tracks, zones, decisions })).map((frame) => JSON.stringify(frame)))).toEqual(
      new Set([JSON.stringify([{ x: 70, y: 6, w: 30, h: 30 }])]),
    );
    expect(masksOf(plan({ zones, width: 199, height: 119 }))[0]).toEqual([{ x: 138, y: 10, w: 61, h: 62 }]);
  });

  test('beyond the plan there is nothing to read', () => {
    const cursor = maskCursor(plan({ tracks: [track(1, 0, 30, at)] }), 9);
    expect([cursor.next(), cursor.next()]).toEqual([[rect], []]);
  });
});

describe('an overlap', () => {
  const tracks = [track(1, 0, 10, at), track(2, 2, 5, box(20, 10, 20, 20)), track(3, 4, 9, box(10, 10, 20, 10))];
  const kept = (...keepVisible: { trackId: number; fromFrame?: number; toFrame?: number }[]): RedactionPlan =>
    plan({ tracks, decisions: { keepVisible, drawn: [] } });

  test('is reported as spans of frames, with how much of the kept one is covered', () => {
    expect(overlapsIn(kept({ trackId: 1 }))).toEqual([
      { keptId: 1, otherId: 2, fromFrame: 2, toFrame: 5, share: 0.5 },
      { keptId: 1, otherId: 3, fromFrame: 4, toFrame: 9, share: 0.5 },
    ]);
    expect(overlapsIn(kept({ trackId: 1 }), { firstFrame: 3, endFrame: 6 }).map((one) => one.toFrame)).toEqual([5, 6]);
  });

  test('is two spans where it stops in between, and none of somebody who is kept too', () => {
    expect(overlapsIn(kept({ trackId: 1, toFrame: 3 }, { trackId: 1, fromFrame: 4 }, { trackId: 3 }))).toEqual([
      { keptId: 1, otherId: 2, fromFrame: 2, toFrame: 3, share: 0.5 },
      { keptId: 1, otherId: 2, fromFrame: 4, toFrame: 5, share: 0.5 },
      { keptId: 3, otherId: 2, fromFrame: 4, toFrame: 5, share: 0.5 },
    ]);
  });

  test('there is none without a kept track', () => {
    expect(overlapsIn(kept())).toEqual([]);
  });
});

// Small and odd, so that every pixel of every frame can be looked at.
const [width, height, frameCount] = [31, 23, 6];
const coordinate = fc.double({ min: -12, max: 36, noNaN: true });
const side = fc.double({ min: 0.3, max: 24, noNaN: true });
const anyBox = fc.tuple(coordinate, coordinate, side, side).map((sides) => box(...sides));
const anyTrack = fc
  .tuple(
    fc.constantFrom<Track['kind']>('person', 'vehicle', 'motion'),
    fc.uniqueArray(fc.nat(frameCount + 1), { minLength: 1, maxLength: 3 }),
    fc.array(anyBox, { minLength: 3, maxLength: 3 }),
  )
  .map(([kind, frames, boxes]) => ({
    kind,
    uncertain: [],
    path: pathOf(
      frames
        .sort((a, b) => a - b)
        .map((frame, knot) => ({ frame, box: boxes[knot] ?? at, score: 0.5, source: 'detected' as const })),
    ),
  }));
const stretch = fc.tuple(fc.nat(frameCount - 1), fc.integer({ min: 1, max: frameCount }));
const anyDecisions = fc.record({
  mode: fc.constantFrom(...maskModes, undefined),
  keepVisible: fc.array(
    fc.tuple(fc.integer({ min: 1, max: 5 }), fc.option(stretch, { nil: undefined })).map(([trackId, frames]) => ({
      trackId,
      ...(frames && { fromFrame: frames[0], toFrame: frames[0] + frames[1] }),
    })),
    { maxLength: 4 },
  ),
  drawn: fc.array(
    fc
      .tuple(stretch, anyBox, fc.option(anyBox, { nil: undefined }))
      .map(([[fromFrame, frames], first, toBox]) => ({ fromFrame, toFrame: fromFrame + frames, box: first, toBox })),
    { maxLength: 2 },
  ),
});
const share = fc.double({ min: 0, max: 0.7, noNaN: true });
const anyZone = fc
  .tuple(share, share, fc.double({ min: 0.01, max: 0.3, noNaN: true }), fc.double({ min: 0.01, max: 0.3, noNaN: true }))
  .map(([x, y, w, h]) => ({ name: 'zone', kind: 'always-mask' as const, x, y, w, h }));
const anyPlan = fc
  .record({
    tracks: fc.array(anyTrack, { maxLength: 5 }),
    decisions: anyDecisions,
    zones: fc.array(anyZone, { maxLength: 2 }),
  })
  .map(({ tracks, ...more }) =>
    plan({ width, height, frameCount, tracks: tracks.map((one, index) => ({ ...one, id: index + 1 })), ...more }),
  );

/** Pixels, by row, that lie in one of these. */
function paint(rects: readonly (MaskRect | null)[]): boolean[] {
  const pixels = Array.from({ length: width * height }, () => false);
  for (const one of rects) {
    if (one === null) continue;
    for (let y = one.y; y < one.y + one.h; y += 1) pixels.fill(true, y * width + one.x, y * width + one.x + one.w);
  }
  return pixels;
}
const within = (inner: readonly boolean[], outer: readonly boolean[]): boolean =>
  inner.every((set, pixel) => !set || outer[pixel]);
const isKept = ({ decisions }: RedactionPlan, id: number, frame: number): boolean =>
  decisions.keepVisible.some(
    (keep) => keep.trackId === id && frame >= (keep.fromFrame ?? 0) && frame < (keep.toFrame ?? frameCount),
  );
const rectAt = (one: Track, frame: number): MaskRect | null => {
  const point = pointAt(one, frame);
  return point === null ? null : toMaskRect(point.box, width, height);
};
/** What holds in each frame of any plan. */
const always = (holds: (of: RedactionPlan, frame: number, rects: readonly MaskRect[]) => boolean): void => {
  fc.assert(
    fc.property(anyPlan, (of) => masksOf(of).every((rects, frame) => holds(of, frame, rects))),
    { numRuns: 300 },
  );
};

describe('whatever was tracked and decided', () => {
  test('keeping A visible never uncovers B: who is not kept is masked to the last pixel', () => {
    always((of, frame, rects) => {
      const covered = paint(rects);
      return of.tracks
        .filter(({ id, kind }) => !isKept(of, id, frame) && !(kind === 'motion' && modeOf(of.decisions) === 'people'))
        .every((one) => within(paint([rectAt(one, frame)]), covered));
    });
  });

  test('keeping somebody visible only takes away, and nothing outside of their own box', () => {
    always((of, frame, rects) => {
      const covered = paint(rects);
      const without = paint(coverIn({ ...of, decisions: { ...of.decisions, keepVisible: [] } })(frame).rects);
      const own = paint(of.tracks.filter(({ id }) => isKept(of, id, frame)).map((one) => rectAt(one, frame)));
      return covered.every((set, pixel) => (set ? without[pixel] : !without[pixel] || own[pixel]));
    });
  });

  test('with the whole frame masked, whatever is seen lies wholly in the box of a kept track, colour included', () => {
    always((given, frame) => {
      const of = { ...given, decisions: { ...given.decisions, mode: 'whole-frame' as const } };
      const rects = coverIn(of)(frame).rects;
      const covered = paint(rects);
      const kept = of.tracks
        .filter(({ id }) => isKept(of, id, frame))
        .map((one) => pointAt(one, frame)?.box)
        .filter((one) => one !== undefined);
      const tiled = rects.reduce((sum, { w, h }) => sum + w * h, 0) === covered.filter(Boolean).length;
      return (
        tiled &&
        covered.every((set, pixel) => {
          // The 2 by 2 pixels that share one sample of colour.
          const [x, y] = [Math.floor((pixel % width) / 2) * 2, Math.floor(pixel / width / 2) * 2];
          const [right, bottom] = [Math.min(width, x + 2), Math.min(height, y + 2)];
          const inBox = kept.some(
            (one) => x >= one.x && y >= one.y && right <= one.x + one.w && bottom <= one.y + one.h,
          );
          return set || inBox;
        })
      );
    });
  });

  test('zones and drawn boxes are covered, whoever is kept', () => {
    always((of, frame, rects) => {
      const covered = paint(rects);
      const zones = of.zones.map(({ x, y, w, h }) =>
        toMaskRect({ x: x * width, y: y * height, w: w * width, h: h * height }, width, height),
      );
      const drawn = of.decisions.drawn
        .filter(
          (one) => one.fromFrame === frame || (one.toBox === undefined && frame < one.toFrame && frame > one.fromFrame),
        )
        .map((one) => toMaskRect(one.box, width, height));
      return within(paint([...zones, ...drawn]), covered);
    });
  });

  test('masks lie in the picture, on even pixels', () => {
    always((_of, _frame, rects) =>
      rects.every(
        ({ x, y, w, h }) =>
          [x, y, w, h].every(Number.isInteger) &&
          x >= 0 &&
          y >= 0 &&
          x + w <= width &&
          y + h <= height &&
          x % 2 === 0 &&
          y % 2 === 0 &&
          (w % 2 === 0 || x + w === width) &&
          (h % 2 === 0 || y + h === height),
      ),
    );
  });

  test('a track that nobody keeps is covered in every frame from its first knot to its last', () => {
    fc.assert(
      fc.property(anyTrack, (one) => {
        const inside = { ...one, id: 1, path: one.path.map((value, at) => (at % 7 === 1 || at % 7 === 2 ? 4 : value)) };
        const masks = masksOf(plan({ width, height, frameCount, tracks: [inside] }));
        return masks.every(
          (rects, frame) => rects.length === (frame >= firstFrameOf(inside) && frame <= lastFrameOf(inside) ? 1 : 0),
        );
      }),
    );
  });

  test('frame after frame is the same as each for itself, backwards, from the middle, or while tracks become known', () => {
    fc.assert(
      fc.property(anyPlan, fc.array(fc.nat(frameCount - 1), { maxLength: 20 }), (of, frames) => {
        const masks = masksOf(of);
        const cover = coverIn(of);
        const live = coverOf(of);
        const middle = maskCursor(of, 3);
        return (
          frames.every((frame) => JSON.stringify(cover(frame).rects) === JSON.stringify(masks[frame])) &&
          masks.slice(3).every((rects) => JSON.stringify(middle.next()) === JSON.stringify(rects)) &&
          masks.every((rects, frame) => {
            const boxes = of.tracks.flatMap((one) => {
              const point = pointAt(one, frame);
              return point === null ? [] : [{ trackId: one.id, kind: one.kind, box: point.box }];
            });
            const order = (some: readonly MaskRect[]): string[] => some.map((one) => JSON.stringify(one)).sort();
            return String(order(live(frame, boxes).rects)) === String(order(rects));
          })
        );
      }),
      { numRuns: 200 },
    );
  });

  test('written and read again it gives the same masks and overlaps, and so do its plain decisions', () => {
    fc.assert(
      fc.property(anyPlan, (of) => {
        const again = JSON.parse(JSON.stringify(of)) as RedactionPlan;
        const plain = { ...of, decisions: plainDecisions(of.decisions) };
        for (const other of [again, plain]) {
          expect(masksOf(other)).toEqual(masksOf(of));
          expect(overlapsIn(other)).toEqual(overlapsIn(of));
        }
        expect(JSON.stringify(plainDecisions(plain.decisions))).toBe(JSON.stringify(plain.decisions));
      }),
    );
  });

  test('every overlap is reported, in exactly its frames, and nothing else is', () => {
    fc.assert(
      fc.property(anyPlan, (of) => {
        const spans = overlapsIn(of);
        for (let frame = 0; frame < frameCount; frame += 1) {
          for (const kept of of.tracks) {
            const point = isKept(of, kept.id, frame) ? pointAt(kept, frame) : null;
            for (const other of of.tracks) {
              const mask = isKept(of, other.id, frame) ? null : rectAt(other, frame);
              const people = modeOf(of.decisions) === 'people' && [kept.kind, other.kind].includes('motion');
              const wanted =
                point !== null &&
                mask !== null &&
                !people &&
                // In the picture a mask ends, a box does not.
                Math.min(point.box.x + point.box.w, mask.x + mask.w) > Math.max(point.box.x, mask.x) &&
                Math.min(point.box.y + point.box.h, mask.y + mask.h) > Math.max(point.box.y, mask.y);
              const found = spans.filter(
                (span) =>
                  span.keptId === kept.id &&
                  span.otherId === other.id &&
                  frame >= span.fromFrame &&
                  frame < span.toFrame,
              );
              if (found.length !== (wanted ? 1 : 0)) return false;
            }
          }
        }
        return spans.every((span) => {
          const [kept, other] = [span.keptId, span.otherId].map((id) => of.tracks[id - 1]);
          const shares = Array.from({ length: span.toFrame - span.fromFrame }, (_, at) => {
            const point = kept === undefined ? null : pointAt(kept, span.fromFrame + at);
            const mask = other === undefined ? null : rectAt(other, span.fromFrame + at);
            if (point === null || mask === null) return NaN;
            return Math.min(
              1,
              sharedArea(point.box, mask) / sharedArea(point.box, { x: 0, y: 0, w: width, h: height }),
            );
          });
          return span.share === Math.max(0.001, ...shares.map((one) => Math.round(one * 1000) / 1000));
        });
      }),
      { numRuns: 300 },
    );
  });
});
