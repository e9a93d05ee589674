import type { Box, TrackPoint } from '../domain/redaction-plan.js';
import { motionAt, type Chain, type Sighting } from './track-association.js';

/** The upright picture and the time of each of its frames, in seconds, ascending. */
export interface Timeline {
  readonly width: number;
  readonly height: number;
  readonly timesS: Float64Array;
}

/** A box as its four edges; all arithmetic here is per edge. */
type Edges = readonly [left: number, top: number, right: number, bottom: number];
const outwards = [-1, -1, 1, 1] as const;

/** Sightings so near in time say together how large someone is. */
const shapeWindowS = 1;
/** Of these sightings' edges, measured outwards from their common line, this share lies inside the mask before padding. */
const insideShare = 0.7;
/** Held before the first and after the last sighting, unless the picture has been left. */
const holdS = 0.8;
/** The same for a track seen only once or twice and never surely. */
const holdDoubtfulS = 0.3;
/** Held at least so long at an edge of the picture, even if the motion says that it has been left. */
const lingerS = 0.3;
/** How fast a box that nobody sees grows, in box sizes per second and side. */
const growthPerS = 0.15;

const edgesOf = (box: Box): Edges => [box.x, box.y, box.x + box.w, box.y + box.h];
const boxOf = ([left, top, right, bottom]: Edges): Box => ({ x: left, y: top, w: right - left, h: bottom - top });
const perEdge = (of: (edge: 0 | 1 | 2 | 3) => number): Edges => [of(0), of(1), of(2), of(3)];
const further = (edge: 0 | 1 | 2 | 3, a: number, b: number): number => (edge < 2 ? Math.min(a, b) : Math.max(a, b));
const union = (a: Edges, b: Edges): Edges => perEdge((edge) => further(edge, a[edge], b[edge]));

/** Wider by a share of its own size on every side. */
function widened(edges: Edges, share: number): Edges {
  const [dx, dy] = [(edges[2] - edges[0]) * share, (edges[3] - edges[1]) * share];
  return [edges[0] - dx, edges[1] - dy, edges[2] + dx, edges[3] + dy];
}

/**
 * One sighting's box, made steady by its neighbours in time: a detector's box trembles, and each frame where it is too small
 * is a leak. Each edge is fitted by a line through the neighbours, then moved outwards until most of them are inside. The
 * sighting's own box is always inside the result.
 */
function steady(sightings: readonly Sighting[], at: number): Edges {
  const own = sightings[at];
  if (own === undefined) throw new RangeError('No such sighting.');
  const near: Sighting[] = [];
  for (let i = at; i >= 0 && own.timeS - (sightings[i]?.timeS ?? -Infinity) <= shapeWindowS; i -= 1) {
    near.push(sightings[i] ?? own);
  }
  for (let i = at + 1; (sightings[i]?.timeS ?? Infinity) - own.timeS <= shapeWindowS; i += 1) {
    near.push(sightings[i] ?? own);
  }
  const raw = edgesOf(own.box);
  if (near.length < 3) return raw;
  const points = near.map((s) => ({ t: s.timeS - own.timeS, edges: edgesOf(s.box) }));
  const meanT = points.reduce((sum, p) => sum + p.t, 0) / points.length;
  const spread = points.reduce((sum, p) => sum + (p.t - meanT) ** 2, 0);
  return perEdge((edge) => {
    const mean = points.reduce((sum, p) => sum + p.edges[edge], 0) / points.length;
    const slope = spread > 0 ? points.reduce((sum, p) => sum + (p.t - meanT) * (p.edges[edge] - mean), 0) / spread : 0;
    const beyond = points
      .map((p) => outwards[edge] * (p.edges[edge] - mean - slope * (p.t - meanT)))
      .sort((a, b) => a - b);
    const margin = beyond[Math.min(beyond.length - 1, Math.floor(insideShare * beyond.length))] ?? 0;
    return further(edge, raw[edge], mean - slope * meanT + outwards[edge] * margin);
  });
}

/** Between two sightings: on the straight way, and towards the union of both the longer nobody has looked. */
function between(a: Edges, b: Edges, share: number, unseenS: number): Edges {
  const way = perEdge((edge) => a[edge] + (b[edge] - a[edge]) * share);
  const both = union(a, b);
  const doubt = Math.min(1, unseenS);
  return widened(
    perEdge((edge) => way[edge] + (both[edge] - way[edge]) * doubt),
    growthPerS * doubt,
  );
}

const outside = (edges: Edges, { width, height }: Timeline): boolean =>
  edges[2] <= 0 || edges[3] <= 0 || edges[0] >= width || edges[1] >= height;

/**
 * A chain as one point for every frame, without holes. Points wholly outside the picture are left out at the ends.
 * @param padding added on each side, as a share of the box: hair, shoes, and what moved between two looks.
 */
export function pointsOf(chain: Chain, timeline: Timeline, padding: number): TrackPoint[] {
  const { sightings } = chain;
  const [first, last] = [sightings[0], sightings.at(-1)];
  if (first === undefined || last === undefined) return [];
  const shapes = sightings.map((_, at) => steady(sightings, at));
  const points: TrackPoint[] = [];
  const add = (frame: number, edges: Edges, score: number, source: TrackPoint['source']): void => {
    points.push({ frame, box: boxOf(widened(edges, padding)), score, source });
  };

  for (const point of held(sightings, first, shapes[0] ?? edgesOf(first.box), 'first', timeline).reverse()) {
    add(point.frame, point.edges, first.score, 'extended');
  }
  for (const [at, sighting] of sightings.entries()) {
    const shape = shapes[at] ?? edgesOf(sighting.box);
    add(sighting.frame, shape, sighting.score, 'detected');
    const next = sightings[at + 1];
    if (next === undefined) break;
    const nextShape = shapes[at + 1] ?? edgesOf(next.box);
    for (let frame = sighting.frame + 1; frame < next.frame; frame += 1) {
      const timeS = timeline.timesS[frame] ?? sighting.timeS;
      const share = (timeS - sighting.timeS) / Math.max(1e-9, next.timeS - sighting.timeS);
      const unseenS = Math.min(timeS - sighting.timeS, next.timeS - timeS);
      add(frame, between(shape, nextShape, share, unseenS), Math.min(sighting.score, next.score), 'interpolated');
    }
  }
  for (const point of held(sightings, last, shapes.at(-1) ?? edgesOf(last.box), 'last', timeline)) {
    add(point.frame, point.edges, last.score, 'extended');
  }
  return points;
}

/** What is held at one end, going away from it: the last place together with where the motion leads, growing. */
function held(
  sightings: readonly Sighting[],
  edge: Sighting,
  shape: Edges,
  end: 'first' | 'last',
  timeline: Timeline,
): { frame: number; edges: Edges }[] {
  const { vx, vy } = motionAt(sightings, end);
  const doubtful = sightings.length <= 2 && sightings.every((sighting) => sighting.score < 0.25);
  const limitS = doubtful ? holdDoubtfulS : holdS;
  const step = end === 'last' ? 1 : -1;
  const result: { frame: number; edges: Edges }[] = [];
  for (let frame = edge.frame + step; frame >= 0 && frame < timeline.timesS.length; frame += step) {
    const dt = (timeline.timesS[frame] ?? edge.timeS) - edge.timeS;
    if (Math.abs(dt) > limitS) break;
    const moved: Edges = [shape[0] + vx * dt, shape[1] + vy * dt, shape[2] + vx * dt, shape[3] + vy * dt];
    // Somebody who slows down at the edge is still there when the straight line has left.
    if (outside(moved, timeline) && Math.abs(dt) > lingerS) break;
    const both = union(shape, moved);
    const share = 0.5;
    const edges = perEdge((e) => moved[e] + (both[e] - moved[e]) * share);
    result.push({ frame, edges: widened(edges, growthPerS * Math.abs(dt)) });
  }
  return result;
}
