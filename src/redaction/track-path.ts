/**
 * The path of one track while it grows. A frame is masked before it is known whether its knot will be kept, so leaving a knot
 * out must not move a mask by a single pixel: edges are odd multiples of 1/128 pixel and change by multiples of 1/64 pixel a
 * frame. Whichever knots a box is then computed from, rounding leaves it on the same side of every whole pixel.
 */
import { knotLength, pointSources, type PointSource } from '../domain/redaction-plan.js';
import type { EdgeIndex, Edges } from './track-geometry.js';

const unitsPerPixel = 128;
/** The line of the two last knots is continued where it covers what it must and is at most so much too large, of the size. */
const slackShare = 0.012;

export interface TrackPath {
  /** As `Track.path`; always complete up to the last frame added. */
  readonly path: number[];
  readonly lastFrame: () => number;
  /** The box reaches at least to `edges` in that frame. Frames ascend. */
  add(frame: number, edges: Edges, score: number, source: PointSource): void;
}

/** The next odd number outwards. */
function quantised(edge: EdgeIndex, value: number): number {
  const units = value * unitsPerPixel;
  return edge < 2 ? 2 * Math.floor((units - 1) / 2) + 1 : 2 * Math.ceil((units - 1) / 2) + 1;
}

const isGuess = (source: number): boolean => pointSources[source] === 'extended' || pointSources[source] === 'motion';

export function openPath(): TrackPath {
  const path: number[] = [];
  let last = [0, 0, 0, 0];
  /** Units a frame, of the segment that ends at the last knot; null while there is only one knot. */
  let slopes: number[] | null = null;
  let lastFrame = -1;
  const write = (at: number, frame: number, score: number, source: number): void => {
    const [left = 0, top = 0, right = 0, bottom = 0] = last.map((units) => units / unitsPerPixel);
    for (const [index, value] of [frame, left, top, right - left, bottom - top, score, source].entries()) {
      path[at + index] = value;
    }
  };
  return {
    path,
    lastFrame: () => lastFrame,
    add(frame, edges, score, sourceName) {
      const source = pointSources.indexOf(sourceName);
      const wanted = edges.map((value, edge) => quantised(edge as EdgeIndex, value));
      if (lastFrame < 0) {
        last = wanted;
        write(0, frame, score, source);
        lastFrame = frame;
        return;
      }
      const frames = frame - lastFrame;
      const previousSource = path[path.length - 1] ?? 0;
      const slack = [0, 1, 0, 1].map(
        (edge) => ((edges[edge + 2] ?? 0) - (edges[edge] ?? 0)) * slackShare * unitsPerPixel,
      );
      const along = slopes?.map((slope, edge) => (last[edge] ?? 0) + slope * frames);
      const goesOn =
        along !== undefined &&
        (source === previousSource || (!isGuess(source) && !isGuess(previousSource))) &&
        along.every((units, edge) => {
          const excess = (edge < 2 ? -1 : 1) * (units - (wanted[edge] ?? 0));
          return excess >= 0 && excess <= (slack[edge] ?? 0);
        });
      if (goesOn) {
        last = along;
        write(path.length - knotLength, frame, score, source);
      } else {
        slopes = wanted.map((units, edge) => {
          const steps = (units - (last[edge] ?? 0)) / (2 * frames);
          return 2 * (edge < 2 ? Math.floor(steps) : Math.ceil(steps));
        });
        last = slopes.map((slope, edge) => (last[edge] ?? 0) + slope * frames);
        write(path.length, frame, score, source);
      }
      lastFrame = frame;
    },
  };
}
