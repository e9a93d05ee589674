import { describe, expect, it } from 'vitest';
import { findPeaks } from '../../../src/redaction/detectors/centernet.js';

const classes = ['person', 'bicycle', 'car', 'airplane'];
const [cols, rows] = [8, 6];
const empty = (): { scores: Float32Array; distances: Float32Array; cols: number; rows: number } => ({
  scores: new Float32Array(classes.length * cols * rows),
  distances: new Float32Array(4 * cols * rows).fill(6),
  cols,
  rows,
});
const cell = (kind: number, x: number, y: number): number => (kind * rows + y) * cols + x;
const persons = { minScore: 0.2, vehicles: false };

describe('peaks of CenterNet', () => {
  it('turns a peak into the box (4x-l, 4y-t, 4x+r, 4y+b)', () => {
    const maps = empty();
    maps.scores[cell(0, 3, 2)] = 0.8;
    [5, 7, 9, 11].forEach((distance, side) => (maps.distances[cell(side, 3, 2)] = distance));
    expect(findPeaks(maps, classes, persons)).toEqual([
      { box: { x: 12 - 5, y: 8 - 7, w: 5 + 9, h: 7 + 11 }, score: Math.fround(0.8), kind: 'person' },
    ]);
  });

  it('finds peaks in corners and keeps both of two equal neighbours', () => {
    const maps = empty();
    maps.scores[cell(0, 0, 0)] = 0.5;
    maps.scores[cell(0, cols - 1, rows - 1)] = 0.5;
    maps.scores[cell(0, 3, 3)] = 0.5;
    maps.scores[cell(0, 4, 3)] = 0.5;
    expect(findPeaks(maps, classes, persons)).toHaveLength(4);
  });

  it('drops what a neighbour exceeds, diagonally too, and what is below the threshold', () => {
    const maps = empty();
    maps.scores[cell(0, 3, 3)] = 0.5;
    maps.scores[cell(0, 4, 4)] = 0.51;
    maps.scores[cell(0, 6, 1)] = 0.19;
    const found = findPeaks(maps, classes, persons);
    expect(found.map(({ box }) => [box.x, box.y])).toEqual([[10, 10]]);
  });

  it('knows vehicles only when asked, and never other classes', () => {
    const maps = empty();
    maps.scores[cell(1, 1, 1)] = 0.5;
    maps.scores[cell(2, 3, 3)] = 0.5;
    maps.scores[cell(3, 5, 5)] = 0.9;
    expect(findPeaks(maps, classes, persons)).toEqual([]);
    expect(findPeaks(maps, classes, { ...persons, vehicles: true }).map(({ kind }) => kind)).toEqual([
      'vehicle',
      'vehicle',
    ]);
  });

  it('refuses maps that hold no numbers: they must not look like an empty scene', () => {
    const maps = empty();
    maps.scores[cell(0, 2, 2)] = Number.NaN;
    expect(() => findPeaks(maps, classes, persons)).toThrow(/holds NaN/);
    const boxes = empty();
    boxes.scores[cell(0, 2, 2)] = 0.9;
    boxes.distances[cell(1, 2, 2)] = Infinity;
    expect(() => findPeaks(boxes, classes, persons)).toThrow(/not a number/);
  });
});
