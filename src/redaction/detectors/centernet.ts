import type { Detection, DetectorOptions, OpenDetector } from './detector.js';
import { wantedClasses } from './kinds.js';
import { floatsOf, openModel } from './session.js';

/** The network's picture is a quarter of its input. */
const stride = 4;

interface CentreNetMaps {
  /** One map of `cols * rows` for each class, 0..1. */
  readonly scores: Float32Array;
  /** Four maps of `cols * rows`: pixels from the cell to the left, top, right and bottom edge of the box. */
  readonly distances: Float32Array;
  readonly cols: number;
  readonly rows: number;
}

/**
 * Boxes from the maps: every cell that no neighbour (of eight) exceeds and that has at least `minScore`. Boxes are left as
 * the network says, over the edge of the picture too. A map with something that is not a number throws: comparing it would
 * be false everywhere, and the frame would look empty.
 */
export function findPeaks(maps: CentreNetMaps, classes: readonly string[], options: DetectorOptions): Detection[] {
  const { scores, distances, cols, rows } = maps;
  const cells = cols * rows;
  const found: Detection[] = [];
  for (const { index, name, kind } of wantedClasses(classes, options)) {
    const map = scores.subarray(index * cells, (index + 1) * cells);
    if (map.length !== cells) throw new Error(`The score map of class ${name} is cut short.`);
    for (let cell = 0; cell < cells; cell += 1) {
      const score = map[cell] ?? Number.NaN;
      if (score < options.minScore && score >= 0) continue;
      if (!(score >= 0 && score <= 1)) throw new Error(`The score map of class ${name} holds ${score}.`);
      if (!isPeak(map, cell, cols, rows, score)) continue;
      const side = (which: number): number => distances[which * cells + cell] ?? Number.NaN;
      const [x, y] = [(cell % cols) * stride, Math.floor(cell / cols) * stride];
      const [left, top, right, bottom] = [x - side(0), y - side(1), x + side(2), y + side(3)];
      if (!Number.isFinite(left + top + right + bottom)) throw new Error('A box distance is not a number.');
      if (right <= left || bottom <= top) continue; // A box turned inside out covers nothing.
      found.push({ box: { x: left, y: top, w: right - left, h: bottom - top }, score, kind });
    }
  }
  return found;
}

function isPeak(map: Float32Array, cell: number, cols: number, rows: number, score: number): boolean {
  const [col, row] = [cell % cols, Math.floor(cell / cols)];
  for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y += 1) {
    for (let x = Math.max(0, col - 1); x <= Math.min(cols - 1, col + 1); x += 1) {
      if ((map[y * cols + x] ?? 0) > score) return false;
    }
  }
  return true;
}

/** A CenterNet with the outputs `scores` and `distances`, as tooling/model/convert-centernet.mjs makes it. */
export const openCentreNet: OpenDetector = (manifest, model, options) =>
  openModel(manifest, model, (outputs, { width, height }) => {
    const [cols, rows] = [width / stride, height / stride];
    const map = (name: string, channels: number): Float32Array => {
      const { data, dims } = floatsOf(outputs, name);
      if (dims.join() === [1, channels, rows, cols].join()) return data;
      throw new Error(`"${name}" has the shape [${dims.join(', ')}], not [1, ${channels}, ${rows}, ${cols}].`);
    };
    const maps = { scores: map('scores', manifest.classes.length), distances: map('distances', 4), cols, rows };
    return findPeaks(maps, manifest.classes, options);
  });
