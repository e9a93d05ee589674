import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  maskEveryone,
  masksByFrame,
  pathOf,
  toMaskRect,
  type Box,
  type MaskRect,
  type RedactionPlan,
  type Track,
} from '../../src/domain/redaction-plan.js';

const box = (x: number, y: number, w: number, h: number): Box => ({ x, y, w, h });
const track = (id: number, from: number, to: number, at: Box): Track => ({
  id,
  kind: 'person',
  uncertain: [],
  path: pathOf(
    [from, to - 1].map((frame) => ({ frame, box: at, score: 1, source: 'detected' as const })).slice(0, to - from),
  ),
});
const plan = (change: Partial<RedactionPlan>): RedactionPlan => ({
  version: 1,
  width: 100,
  height: 60,
  frameCount: 10,
  tracks: [],
  decisions: maskEveryone,
  ...change,
});
const covers = (rect: MaskRect, x: number, y: number): boolean =>
  x >= rect.x && x < rect.x + rect.w && y >= rect.y && y < rect.y + rect.h;

describe('a mask rectangle', () => {
  test('goes outwards to even pixels, because a rim of one chroma sample shows hair', () => {
    expect(toMaskRect(box(3.9, 5.1, 4, 4), 100, 60)).toEqual({ x: 2, y: 4, w: 6, h: 6 });
    expect(toMaskRect(box(4, 6, 4, 4), 100, 60)).toEqual({ x: 4, y: 6, w: 4, h: 4 });
  });

  test('is clipped to the picture, also one of odd size, and null outside of it', () => {
    expect(toMaskRect(box(-5, -5, 10, 10), 99, 59)).toEqual({ x: 0, y: 0, w: 6, h: 6 });
    expect(toMaskRect(box(95, 55, 50, 50), 99, 59)).toEqual({ x: 94, y: 54, w: 5, h: 5 });
    expect(toMaskRect(box(100, 0, 5, 5), 100, 60)).toBeNull();
    expect(toMaskRect(box(-9, 0, 5, 5), 100, 60)).toBeNull();
  });

  test('covers every pixel of its box that is in the picture, and never leaves it', () => {
    const part = fc.double({ min: -50, max: 150, noNaN: true });
    const size = fc.double({ min: 1, max: 80, noNaN: true });
    fc.assert(
      fc.property(part, part, size, size, (x, y, w, h) => {
        const rect = toMaskRect(box(x, y, w, h), 99, 59);
        for (let py = Math.max(0, Math.floor(y)); py < Math.min(59, y + h); py += 1) {
          for (let px = Math.max(0, Math.floor(x)); px < Math.min(99, x + w); px += 1) {
            if (px + 1 > x && py + 1 > y && (rect === null || !covers(rect, px, py))) return false;
          }
        }
        return rect === null || (rect.x >= 0 && rect.y >= 0 && rect.x + rect.w <= 99 && rect.y + rect.h <= 59);
      }),
    );
  });
});

describe('masks by frame', () => {
  const at = box(10, 10, 20, 20);
  const rect = { x: 10, y: 10, w: 20, h: 20 };

  test('cover everyone by default, in exactly the frames of the track', () => {
    const masks = masksByFrame(plan({ tracks: [track(1, 2, 5, at)] }));
    expect(masks.map((frame) => frame.length)).toEqual([0, 0, 1, 1, 1, 0, 0, 0, 0, 0]);
    expect(masks[2]).toEqual([rect]);
  });

  test('keeping one person visible, for a while or for good, uncovers nobody else', () => {
    const tracks = [track(1, 0, 10, at), track(2, 0, 10, box(15, 15, 10, 10))];
    const some = masksByFrame(
      plan({ tracks, decisions: { keepVisible: [{ trackId: 1, fromFrame: 3, toFrame: 6 }], drawn: [] } }),
    );
    expect(some.map((frame) => frame.length)).toEqual([2, 2, 2, 1, 1, 1, 2, 2, 2, 2]);
    expect(some[3]).toEqual([{ x: 14, y: 14, w: 12, h: 12 }]);
    const all = masksByFrame(plan({ tracks, decisions: { keepVisible: [{ trackId: 1 }], drawn: [] } }));
    expect(all.every((frame) => frame.length === 1)).toBe(true);
    const nobody = masksByFrame(plan({ tracks, decisions: { keepVisible: [{ trackId: 99 }], drawn: [] } }));
    expect(nobody.every((frame) => frame.length === 2)).toBe(true);
  });

  test('a drawn box is there in its frames, also over a person who is kept visible, and ends with the clip', () => {
    const drawn = [
      { fromFrame: -3, toFrame: 2, box: at },
      { fromFrame: 8, toFrame: 99, box: at },
    ];
    const masks = masksByFrame(
      plan({ tracks: [track(1, 0, 10, at)], decisions: { keepVisible: [{ trackId: 1 }], drawn } }),
    );
    expect(masks.map((frame) => frame.length)).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
  });

  test('a point outside of the clip or the picture is no mask and no mistake', () => {
    const tracks = [track(1, 8, 14, at), track(2, 0, 2, box(200, 200, 5, 5))];
    expect(masksByFrame(plan({ tracks })).map((frame) => frame.length)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
  });
});
