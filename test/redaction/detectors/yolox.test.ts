import { describe, expect, it } from 'vitest';
import { decodeYolox } from '../../../src/redaction/detectors/yolox.js';
import { rowsOf, yoloxRows, type KnownBox } from '../../helpers/models.js';

const classes = ['person', 'cat', 'car', 'truck'];
const [width, height] = [96, 64];
const options = { minScore: 0.2, vehicles: true };
const at = (cx: number, cy: number, more: Partial<KnownBox> = {}): KnownBox => {
  return { cx, cy, w: 12, h: 30, classIndex: 0, objectness: 0.9, ...more };
};
const output = (boxes: readonly KnownBox[]): Parameters<typeof decodeYolox>[0] => {
  const data = yoloxRows({ width, height, classes: classes.length, boxes });
  return { data, dims: [1, rowsOf(width, height), 5 + classes.length], width, height };
};

describe('rows of YOLOX', () => {
  it('become boxes: offset in the grid, size as a logarithm, objectness times class', () => {
    const read = output([at(50, 21)]);
    read.data[(2 * 12 + 6) * 9 + 5] = 0.5;
    const [found, ...others] = decodeYolox(read, { classes }, options);
    expect(others).toEqual([]);
    expect(found?.kind).toBe('person');
    expect(found?.score).toBeCloseTo(0.45, 5);
    expect(found?.box.x).toBeCloseTo(50 - 6, 4);
    expect(found?.box.y).toBeCloseTo(21 - 15, 4);
    expect(found?.box.w).toBeCloseTo(12, 4);
    expect(found?.box.h).toBeCloseTo(30, 4);
  });

  it('count from the second and third grid with their own strides', () => {
    const read = output([]);
    const columns = 9;
    // The last cell of the grids of 16 and of 32 pixels.
    const [second, third] = [12 * 8 + 6 * 4 - 1, rowsOf(width, height) - 1];
    for (const row of [second, third]) {
      read.data.set([0.5, 0.5, 0, 0, 1, 1], row * columns);
    }
    const boxes = decodeYolox(read, { classes }, options).map((one) => one.box);
    expect(boxes).toContainEqual({ x: 5.5 * 16 - 8, y: 3.5 * 16 - 8, w: 16, h: 16 });
    expect(boxes).toContainEqual({ x: 2.5 * 32 - 16, y: 1.5 * 32 - 16, w: 32, h: 32 });
    expect(boxes).toHaveLength(2);
  });

  it('are taken as they are where the model decodes by itself', () => {
    const read = output([]);
    read.data.set([50, 30, 20, 40, 1, 0.7], 7 * 9);
    read.data.set([50, 30, -20, 40, 1, 0.7], 8 * 9);
    const found = decodeYolox(read, { classes, decoded: true }, options);
    expect(found.map(({ box }) => box)).toEqual([{ x: 40, y: 10, w: 20, h: 40 }]);
  });

  it('keep the better of two that cover one another, of one kind', () => {
    const doubles = output([at(50, 23), at(50, 25, { objectness: 0.5 })]);
    expect(decodeYolox(doubles, { classes }, options).map(({ score }) => score)).toEqual([Math.fround(0.9)]);
    const apart = output([at(50, 23), at(42, 23, { objectness: 0.5 })]);
    expect(decodeYolox(apart, { classes }, options)).toHaveLength(2);
    const inACar = output([at(50, 23), at(50, 25, { classIndex: 2 })]);
    expect(decodeYolox(inACar, { classes }, options).map(({ kind }) => kind)).toEqual(['person', 'vehicle']);
    const carOrTruck = output([at(50, 23, { classIndex: 3 }), at(50, 25, { classIndex: 2, objectness: 0.5 })]);
    expect(decodeYolox(carOrTruck, { classes }, options)).toHaveLength(1);
  });

  it('are a person by that score alone, whatever else is likelier', () => {
    const read = output([at(50, 21, { classIndex: 1 })]);
    read.data[(2 * 12 + 6) * 9 + 5] = 0.3;
    expect(decodeYolox(read, { classes }, options)).toMatchObject([{ kind: 'person' }]);
  });

  it('know vehicles only when asked, and nothing below the least score', () => {
    const read = output([
      at(20, 21, { classIndex: 2 }),
      at(50, 21, { objectness: 0.19 }),
      at(70, 21, { classIndex: 1 }),
    ]);
    expect(decodeYolox(read, { classes }, { ...options, vehicles: false })).toEqual([]);
    expect(decodeYolox(read, { classes }, options)).toMatchObject([{ kind: 'vehicle' }]);
  });

  it.each([
    ['an objectness', 4, Number.NaN],
    ['a score of a person', 5, Number.NaN],
    ['a score of a vehicle', 7, Infinity],
    ['a score before its sigmoid', 5, 4.2],
    ['a place', 0, Number.NaN],
    ['a size too large for a number', 2, 1000],
  ])('throw for %s that is no number of its kind: it must not look like an empty scene', (_what, column, number) => {
    const read = output([at(50, 21)]);
    read.data[(2 * 12 + 6) * 9 + column] = number;
    expect(() => decodeYolox(read, { classes }, options)).toThrow(/not in 0\.\.1|not made of numbers/);
  });

  it.each([
    ['a row too few', [1, rowsOf(width, height) - 1, 9]],
    ['other classes', [1, rowsOf(width, height), 85]],
    ['two pictures', [2, rowsOf(width, height), 9]],
    ['no such rank', [rowsOf(width, height), 9]],
  ])('throw for the shape of %s', (_what, dims) => {
    expect(() => decodeYolox({ ...output([]), dims }, { classes }, options)).toThrow(/must be \[1, 126, 9\]/);
  });
});
