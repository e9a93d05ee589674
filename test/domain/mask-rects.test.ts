import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tilesAround, toHole, toMaskRect, type MaskRect } from '../../src/domain/mask-rects.js';
import type { Box } from '../../src/domain/redaction-plan.js';

const box = (x: number, y: number, w: number, h: number): Box => ({ x, y, w, h });
const covers = (rect: MaskRect, x: number, y: number): boolean =>
  x >= rect.x && x < rect.x + rect.w && y >= rect.y && y < rect.y + rect.h;
const part = fc.double({ min: -50, max: 150, noNaN: true });
const size = fc.double({ min: 1, max: 80, noNaN: true });

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

describe('a hole', () => {
  test('goes inwards to even pixels, up to the edge of the picture where the box reaches it', () => {
    expect(toHole(box(3.9, 5.1, 4.2, 5), 100, 60)).toEqual({ x: 4, y: 6, w: 4, h: 4 });
    expect(toHole(box(-5, -5, 10, 10), 99, 59)).toEqual({ x: 0, y: 0, w: 4, h: 4 });
    expect(toHole(box(93.5, 53.5, 50, 50), 99, 59)).toEqual({ x: 94, y: 54, w: 5, h: 5 });
    // However little is missing, and not to the odd edge of the picture, which the box does not reach.
    expect(toHole(box(5e-324, 0, 4, 4), 99, 59)).toEqual({ x: 2, y: 0, w: 2, h: 4 });
    expect(toHole(box(90, 50, 8.5, 8.9), 99, 59)).toEqual({ x: 90, y: 50, w: 8, h: 8 });
  });

  test('there is none of a box that is narrower than a sample of colour, or outside', () => {
    expect(toHole(box(3, 3, 2.9, 20), 100, 60)).toBeNull();
    expect(toHole(box(120, 3, 20, 20), 100, 60)).toBeNull();
    expect(toHole(box(-20, 3, 20, 20), 100, 60)).toBeNull();
  });

  test('never shows a pixel that is not wholly in its box', () => {
    fc.assert(
      fc.property(part, part, size, size, (x, y, w, h) => {
        const hole = toHole(box(x, y, w, h), 99, 59);
        if (hole === null) return true;
        const [right, bottom] = [hole.x + hole.w, hole.y + hole.h];
        return (
          hole.x >= Math.max(0, x) &&
          hole.y >= Math.max(0, y) &&
          right <= Math.min(99, x + w) &&
          bottom <= Math.min(59, y + h)
        );
      }),
    );
  });
});

describe('tiles', () => {
  test('without a hole are the whole picture, in one', () => {
    expect(tilesAround([], [], 99, 59)).toEqual([{ x: 0, y: 0, w: 99, h: 59 }]);
    expect(tilesAround([], [{ x: 10, y: 10, w: 8, h: 8 }], 99, 59)).toEqual([{ x: 0, y: 0, w: 99, h: 59 }]);
  });

  test('around one hole are four, and none where the hole is all', () => {
    expect(tilesAround([{ x: 10, y: 20, w: 30, h: 20 }], [], 100, 60)).toEqual([
      { x: 0, y: 0, w: 100, h: 20 },
      { x: 0, y: 20, w: 10, h: 20 },
      { x: 40, y: 20, w: 60, h: 20 },
      { x: 0, y: 40, w: 100, h: 20 },
    ]);
    expect(tilesAround([{ x: 0, y: 0, w: 99, h: 59 }], [], 99, 59)).toEqual([]);
  });

  test('are exactly what is in no hole or under a cover, once', () => {
    const rect = fc
      .tuple(fc.nat(14), fc.nat(10), fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 8 }))
      .map(([x, y, w, h]) => ({
        x: x * 2,
        y: y * 2,
        w: Math.min(31 - x * 2, w * 2),
        h: Math.min(23 - y * 2, h * 2),
      }));
    fc.assert(
      fc.property(fc.array(rect, { maxLength: 5 }), fc.array(rect, { maxLength: 5 }), (holes, overs) => {
        const tiles = tilesAround(holes, overs, 31, 23);
        for (let y = 0; y < 23; y += 1) {
          for (let x = 0; x < 31; x += 1) {
            const over = (one: MaskRect): boolean => covers(one, x, y);
            const wanted = overs.some(over) || !holes.some(over) ? 1 : 0;
            if (tiles.filter(over).length !== wanted) return false;
          }
        }
        return tiles.every(({ x, y, w, h }) => x % 2 === 0 && y % 2 === 0 && w > 0 && h > 0);
      }),
      { numRuns: 200 },
    );
  });
});
