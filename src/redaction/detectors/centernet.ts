import './no-telemetry.js';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Detection, DetectorOptions, OpenDetector } from './detector.js';

/** The network's picture is a quarter of its input. */
const stride = 4;
const vehicleClasses = new Set(['bicycle', 'car', 'motorcycle', 'bus', 'train', 'truck']);

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
  for (const [index, name] of classes.entries()) {
    const kind = name === 'person' ? 'person' : vehicleClasses.has(name) ? 'vehicle' : null;
    if (kind === null || (kind === 'vehicle' && !options.vehicles)) continue;
    const map = scores.subarray(index * cells, (index + 1) * cells);
    if (map.length !== cells) throw new Error(`The score map of class ${name} is cut short.`);
    for (let cell = 0; cell < cells; cell += 1) {
      const score = map[cell] ?? Number.NaN;
      if (!Number.isFinite(score)) throw new Error(`The score map of class ${name} holds ${score}.`);
      if (score < options.minScore || !isPeak(map, cell, cols, rows, score)) continue;
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

/** MobileNetV3-CenterNet as tooling/model/convert-centernet.mjs makes it. One thread: two sessions beat one with two. */
export const openCentreNet: OpenDetector = async (manifest, modelPath, options) => {
  const session = await InferenceSession.create(modelPath, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
  });
  return {
    name: manifest.name,
    async detect(rgbPlanar, width, height) {
      const image = new Tensor('float32', rgbPlanar, [1, 3, height, width]);
      const { scores, distances } = await session.run({ [manifest.input.name]: image });
      if (!(scores?.data instanceof Float32Array) || !(distances?.data instanceof Float32Array)) {
        throw new Error('The model gave other outputs than its manifest says.');
      }
      const [cols, rows] = [width / stride, height / stride];
      const maps = { scores: scores.data, distances: distances.data, cols, rows };
      return findPeaks(maps, manifest.classes, options);
    },
    close: () => session.release(),
  };
};
