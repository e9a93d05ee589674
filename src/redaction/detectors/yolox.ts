import type { Box } from '../../domain/redaction-plan.js';
import type { Detection, DetectorManifest, DetectorOptions, OpenDetector } from './detector.js';
import { wantedClasses } from './kinds.js';
import { floatsOf, openModel } from './session.js';

/** Pixels between the cells of the three grids that the rows come from, in this order. */
const strides = [8, 16, 32] as const;
/** x, y, w, h and objectness stand before the classes. */
const firstClass = 5;
/** Of two boxes of one kind that overlap more, the weaker goes. High: two people behind one another are two. */
const largestOverlap = 0.65;
/** Rounding may put a score a little beside 0..1; more means that the model's last layer is missing. */
const tolerance = 1e-3;

interface YoloxOutput {
  readonly data: Float32Array;
  /** `[1, rows, 5 + classes]` */
  readonly dims: readonly number[];
  /** Of what the model was fed with, padding included. */
  readonly width: number;
  readonly height: number;
}

/**
 * Boxes from the one output of a YOLOX model as its own exporter writes it (tools/export_onnx.py): offsets in three grids,
 * logarithms of sizes in cells; or, where the manifest says `decoded`, centre and size in pixels. What the model does not do
 * is done here: offsets, objectness times class, and dropping doubles, within people and within vehicles. A row counts as a
 * person by its score as one, even if the model finds something else likelier.
 *
 * Throws on a shape that does not fit and on what is not a number: either would pass for an empty frame.
 */
export function decodeYolox(
  output: YoloxOutput,
  manifest: Pick<DetectorManifest, 'classes' | 'decoded'>,
  options: DetectorOptions,
): Detection[] {
  const { data, dims, width, height } = output;
  const columns = firstClass + manifest.classes.length;
  const grids = strides.map((stride) => ({ stride, cols: width / stride, rows: height / stride }));
  const rows = grids.reduce((sum, grid) => sum + grid.cols * grid.rows, 0);
  if (dims.join() !== [1, rows, columns].join() || data.length !== rows * columns) {
    throw new Error(
      `The output has the shape [${dims.join(', ')}]; for ${width}x${height} and ${manifest.classes.length} classes it must be [1, ${rows}, ${columns}].`,
    );
  }
  const wanted = wantedClasses(manifest.classes, options);
  const scoreAt = (at: number): number => {
    const score = data[at] ?? Number.NaN;
    if (score >= -tolerance && score <= 1 + tolerance) return score;
    throw new Error(`A score of the model is ${score}, which is not in 0..1.`);
  };
  const found: Detection[] = [];
  let row = 0;
  for (const { stride, cols, rows: gridRows } of grids) {
    for (let y = 0; y < gridRows; y += 1) {
      for (let x = 0; x < cols; x += 1, row += 1) {
        const at = row * columns;
        const objectness = scoreAt(at + 4);
        let [person, vehicle] = [0, 0];
        for (const { index, kind } of wanted) {
          const score = objectness * scoreAt(at + firstClass + index);
          if (kind === 'person') person = Math.max(person, score);
          else vehicle = Math.max(vehicle, score);
        }
        if (person < options.minScore && vehicle < options.minScore) continue;
        const box = boxAt(data, at, manifest.decoded === true ? null : { x, y, stride });
        if (box.w <= 0 || box.h <= 0) continue; // Only where the model decodes by itself: such a box covers nothing.
        if (person >= options.minScore) found.push({ box, score: Math.min(1, person), kind: 'person' });
        if (vehicle >= options.minScore) found.push({ box, score: Math.min(1, vehicle), kind: 'vehicle' });
      }
    }
  }
  return withoutDoubles(found);
}

function boxAt(data: Float32Array, at: number, cell: { x: number; y: number; stride: number } | null): Box {
  const [a, b, c, d] = [0, 1, 2, 3].map((column) => data[at + column] ?? Number.NaN) as [
    number,
    number,
    number,
    number,
  ];
  const [x, y, w, h] =
    cell === null
      ? [a, b, c, d]
      : [(a + cell.x) * cell.stride, (b + cell.y) * cell.stride, Math.exp(c) * cell.stride, Math.exp(d) * cell.stride];
  if (!Number.isFinite(x + y + w + h)) throw new Error('A box of the model is not made of numbers.');
  return { x: x - w / 2, y: y - h / 2, w, h };
}

/** The best of each heap of boxes, by falling score. */
function withoutDoubles(found: Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const one of found.sort((a, b) => b.score - a.score)) {
    if (!kept.some((better) => better.kind === one.kind && overlap(better.box, one.box) > largestOverlap))
      kept.push(one);
  }
  return kept;
}

/** Intersection over union. */
function overlap(a: Box, b: Box): number {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  return w <= 0 || h <= 0 ? 0 : (w * h) / (a.w * a.h + b.w * b.h - w * h);
}

/** A YOLOX model with one output, of any name. */
export const openYolox: OpenDetector = (manifest, model, options) =>
  openModel(manifest, model, (outputs, { width, height }) => {
    const [name = '', ...more] = Object.keys(outputs);
    if (more.length > 0) throw new Error(`The model has ${more.length + 1} outputs; YOLOX has one.`);
    return decodeYolox({ ...floatsOf(outputs, name), width, height }, manifest, options);
  });
