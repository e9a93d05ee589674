/** The sightings of one thing, while they are needed. */
import type { Box, UncertainSpan } from '../domain/redaction-plan.js';
import { boxOf, edgesOf, further, perEdge, shifted, type Edges } from './track-geometry.js';
import type { TrackPath } from './track-path.js';

/** One frame in which the motion model, and perhaps the detector, looked. */
export interface Moment {
  readonly frame: number;
  readonly timeS: number;
}

export interface Sighting extends Moment {
  readonly box: Box;
  readonly score: number;
  /** How many times the detector had looked before. */
  readonly look: number;
}

/** Where something is believed to be that the detector does not see, because that place is not the empty scene. */
export interface Place extends Moment {
  readonly edges: Edges;
}

export interface Chain {
  readonly kind: 'person' | 'vehicle';
  /** In order of time. Those long past are forgotten, except the last. */
  sightings: Sighting[];
  /** After the last sighting, in order of time. */
  followed: Place[];
  /** Before the first sighting, latest first. */
  traced: Place[];
  /** The motion model looked in the latest tick. */
  watched: boolean;
  /** The largest share of its box that was ever not the empty scene; null where no motion model looked. */
  presence: number | null;
  /** Limbs and the like beside it, by frame. */
  readonly beside: Map<number, Edges>;
  readonly record: ChainRecord;
  /** What `steady` found, until a sighting is added. */
  readonly shapes: Map<Sighting, Edges>;
  /** What is final; null until the first frame is. */
  output: { readonly path: TrackPath } | null;
  /** All its frames are final. */
  closed: boolean;
}

/** What must be known of a chain's whole life. */
export interface ChainRecord {
  bestScore: number;
  sightings: number;
  firstS: number;
  /** Largest distance between the middles of two sightings, in box sizes; grows only. */
  travelled: number;
  firstBox: Box;
  readonly doubts: UncertainSpan[];
}

/** Time over which motion is measured. */
const motionWindowS = 0.9;

export function beginChain(kind: Chain['kind'], sighting: Sighting): Chain {
  return {
    kind,
    sightings: [sighting],
    followed: [],
    traced: [],
    watched: false,
    presence: null,
    beside: new Map(),
    shapes: new Map(),
    record: {
      bestScore: sighting.score,
      sightings: 1,
      firstS: sighting.timeS,
      travelled: 0,
      firstBox: sighting.box,
      doubts: [],
    },
    output: null,
    closed: false,
  };
}

export const firstOf = (chain: Chain): Sighting => {
  const sighting = chain.sightings[0];
  if (sighting === undefined) throw new RangeError('A chain without sightings.');
  return sighting;
};
export const lastOf = (chain: Chain): Sighting => chain.sightings.at(-1) ?? firstOf(chain);

/** At the end, or before the beginning. */
export function addSighting(chain: Chain, sighting: Sighting): void {
  if (sighting.frame > lastOf(chain).frame) {
    chain.sightings.push(sighting);
    chain.followed = [];
  } else {
    chain.sightings.unshift(sighting);
    chain.traced = [];
  }
  chain.shapes.clear();
  const { record } = chain;
  const { box, score, timeS } = sighting;
  record.bestScore = Math.max(record.bestScore, score);
  record.sightings += 1;
  record.firstS = Math.min(record.firstS, timeS);
  const [dx, dy] = [box.x + box.w / 2 - record.firstBox.x - record.firstBox.w / 2, box.y - record.firstBox.y];
  record.travelled = Math.max(record.travelled, Math.hypot(dx, dy) / Math.sqrt(box.w * box.h));
}

/** Nobody changes his way much within so many seconds. */
export const straightS = 0.8;

/** Pixels per second of the middle of the box, at one end of a chain; still where there is too little to tell. */
export function motionAt(sightings: readonly Sighting[], end: 'first' | 'last'): { vx: number; vy: number } {
  const edge = end === 'last' ? sightings.at(-1) : sightings[0];
  if (edge === undefined) return { vx: 0, vy: 0 };
  const near: Sighting[] = [];
  for (let i = 0; i < sightings.length; i += 1) {
    const sighting = sightings[end === 'last' ? sightings.length - 1 - i : i];
    // At least three, however far apart: two are mostly the detector's noise.
    if (sighting === undefined || (Math.abs(sighting.timeS - edge.timeS) > motionWindowS && near.length >= 3)) break;
    near.push(sighting);
  }
  if (near.length < 2) return { vx: 0, vy: 0 };
  let [sumT, sumX, sumY] = [0, 0, 0];
  for (const { timeS, box } of near) {
    sumT += timeS;
    sumX += box.x + box.w / 2;
    sumY += box.y + box.h / 2;
  }
  const [meanT, meanX, meanY] = [sumT / near.length, sumX / near.length, sumY / near.length];
  let [spread, withX, withY] = [0, 0, 0];
  for (const { timeS, box } of near) {
    spread += (timeS - meanT) ** 2;
    withX += (timeS - meanT) * (box.x + box.w / 2 - meanX);
    withY += (timeS - meanT) * (box.y + box.h / 2 - meanY);
  }
  if (spread <= 0) return { vx: 0, vy: 0 };
  // A slope over a short time is mostly noise of the detector: it is believed in full from 0.4 s on.
  const trust = Math.min(1, Math.abs((near.at(-1)?.timeS ?? 0) - edge.timeS) / 0.4);
  return { vx: (trust * withX) / spread, vy: (trust * withY) / spread };
}

/** Where a chain is expected at a time after its last (before its first) sighting. */
export function expectAt(chain: Chain, timeS: number, end: 'first' | 'last'): Box {
  const edge = end === 'last' ? lastOf(chain) : firstOf(chain);
  const place = end === 'last' ? chain.followed.at(-1) : undefined;
  const dt = timeS - edge.timeS;
  // The straight way is the better guess for a while: what was followed lags behind who runs.
  if (place !== undefined && dt > straightS) return boxOf(place.edges);
  const { vx, vy } = motionAt(chain.sightings, end);
  return boxOf(shifted(edgesOf(edge.box), vx * dt, vy * dt));
}

/**
 * Never seen surely, never moved, and never anything but the empty scene: a bollard, most likely. It might be somebody who sits
 * there since before the video began, so it is covered; but nothing of it reaches out of the box.
 */
export const isThing = ({ record, presence }: Chain): boolean =>
  presence !== null && presence < 0.15 && record.bestScore < 0.45 && record.travelled < 0.25 && record.sightings >= 4;

/** Sightings so near in time say together where the edges are. */
const shapeWindowS = 1;
/** Of these sightings' edges, measured outwards from their common line, this share lies inside the mask before padding. */
const insideShare = 0.6;
/** The same for upper and lower edges, which tremble less. */
const insideShareUpright = 0.5;
/** Sightings so near in time say together how large somebody is: behind a pole a detector sees half of him. */
const sizeWindowS = 1.8;
/** Of these sightings, this share is not larger. */
const sizeShare = 0.6;
/** Somebody upright is at least so wide, of his height: arms swing, and a box that is narrower misses them. */
const leastWidth = 0.38;

/**
 * One sighting's box, made steady by its neighbours in time: a detector's box trembles, and each frame where it is too small
 * is a leak. Each edge is fitted by a line through the neighbours, then moved outwards until most of them are inside; the
 * whole is at least as large as they mostly are. The sighting's own box is always inside the result.
 */
export function steady(chain: Chain, at: number): Edges {
  const { kind, sightings, shapes } = chain;
  const own = sightings[at];
  if (own === undefined) throw new RangeError('No such sighting.');
  const known = shapes.get(own);
  if (known !== undefined) return known;
  const raw = edgesOf(own.box);
  if (isThing(chain)) return raw;
  const near = windowAround(sightings, at, shapeWindowS);
  const fitted = near.length < 3 ? raw : fit(near, own);
  const alike = windowAround(sightings, at, sizeWindowS);
  const height = quantile(
    alike.map(({ box }) => box.h),
    sizeShare,
  );
  const width = quantile(
    alike.map(({ box }) => box.w),
    sizeShare,
  );
  const least = kind === 'person' ? leastWidth * (fitted[3] - fitted[1]) : 0;
  const dx = Math.max(0, Math.max(width, least) - (fitted[2] - fitted[0])) / 2;
  const dy = Math.max(0, height - (fitted[3] - fitted[1])) / 2;
  const edges: Edges = [fitted[0] - dx, fitted[1] - dy, fitted[2] + dx, fitted[3] + dy];
  shapes.set(own, edges);
  return edges;
}

function windowAround(sightings: readonly Sighting[], at: number, windowS: number): Sighting[] {
  const nowS = sightings[at]?.timeS ?? 0;
  let [from, to] = [at, at + 1];
  while (from > 0 && nowS - (sightings[from - 1]?.timeS ?? -Infinity) <= windowS) from -= 1;
  while (to < sightings.length && (sightings[to]?.timeS ?? Infinity) - nowS <= windowS) to += 1;
  return sightings.slice(from, to);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function fit(near: readonly Sighting[], own: Sighting): Edges {
  const raw = edgesOf(own.box);
  const points = near.map((s) => ({ t: s.timeS - own.timeS, edges: edgesOf(s.box) }));
  const meanT = points.reduce((sum, p) => sum + p.t, 0) / points.length;
  const spread = points.reduce((sum, p) => sum + (p.t - meanT) ** 2, 0);
  return perEdge((edge) => {
    const sign = edge < 2 ? -1 : 1;
    const mean = points.reduce((sum, p) => sum + p.edges[edge], 0) / points.length;
    const slope = spread > 0 ? points.reduce((sum, p) => sum + (p.t - meanT) * (p.edges[edge] - mean), 0) / spread : 0;
    const beyond = points.map((p) => sign * (p.edges[edge] - mean - slope * (p.t - meanT)));
    return further(
      edge,
      raw[edge],
      mean - slope * meanT + sign * quantile(beyond, edge % 2 === 0 ? insideShare : insideShareUpright),
    );
  });
}
