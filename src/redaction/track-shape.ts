/** Where a chain is in one frame, seen or not. */
import type { PointSource } from '../domain/redaction-plan.js';
import { firstOf, lastOf, motionAt, steady, straightS, type Chain, type Moment, type Sighting } from './track-chain.js';
import { areaOf, atEdge, mix, shifted, union, widened, type Edges } from './track-geometry.js';

export interface Believed {
  /** Without padding. */
  readonly edges: Edges;
  readonly score: number;
  readonly source: PointSource;
}

interface Picture {
  readonly width: number;
  readonly height: number;
}

/** Held before the first and after the last sighting, unless the picture has been left. */
const holdS = 0.8;
/** The same where the motion model looks, too, and sees nothing there. */
const holdWatchedS = 0.45;
/** The same for a track seen only once or twice and never surely, and where somebody was followed until nothing was there. */
const holdDoubtfulS = 0.3;
/** The same for somebody on the way across the edge of the picture: a strip at the edge stays covered, for a leg or a shoulder. */
const holdAtEdgeS = 1.6;
/** The same where the motion model sees nothing there any more. */
const holdAtEdgeWatchedS = 1;
const trailAtEdge = 0.2;
const stripShare = 0.14;
/** Box sizes per second of somebody who may be far ahead of what was followed. */
const leastRun = 1.2;
/** A box that nobody sees grows from so many seconds on, in box sizes per second and side. */
const surelyS = 0.12;
const growthPerS = 0.1;

/** Between two sightings: on the straight way, and towards the union of both the longer nobody has looked. */
function between(a: Edges, b: Edges, share: number, unseenS: number): Edges {
  const way = mix(a, b, share);
  const doubt = Math.min(1, Math.max(0, unseenS - surelyS));
  return widened(mix(way, union(a, b), doubt), growthPerS * doubt);
}

/** Index of the last sighting in or before a frame; -1 where there is none. */
function lastUpTo(sightings: readonly Sighting[], frame: number): number {
  let at = sightings.length - 1;
  while (at >= 0 && (sightings[at]?.frame ?? 0) > frame) at -= 1;
  return at;
}

/** Null where the chain has not begun yet, or has ended. */
export function believedAt(chain: Chain, at: Moment, picture: Picture): Believed | null {
  const { sightings } = chain;
  const index = lastUpTo(sightings, at.frame);
  const [before, after] = [sightings[index], sightings[index + 1]];
  if (before?.frame === at.frame) return { edges: steady(chain, index), score: before.score, source: 'detected' };
  if (before !== undefined && after !== undefined) {
    const share = (at.timeS - before.timeS) / Math.max(1e-9, after.timeS - before.timeS);
    const unseenS = Math.max(0, Math.min(at.timeS - before.timeS, after.timeS - at.timeS));
    const edges = between(steady(chain, index), steady(chain, index + 1), share, unseenS);
    return { edges, score: Math.min(before.score, after.score), source: 'interpolated' };
  }
  return before === undefined ? held(chain, at, 'first', picture) : held(chain, at, 'last', picture);
}

/** The first place going backwards, or the last going on, together with where the motion leads, growing. */
function held(chain: Chain, at: Moment, end: 'first' | 'last', picture: Picture): Believed | null {
  const edge = end === 'first' ? firstOf(chain) : lastOf(chain);
  const { score } = edge;
  const places = end === 'first' ? chain.traced : chain.followed;
  const place = places.find(({ frame }) => frame === at.frame);
  const last = places.at(-1);
  const dt = at.timeS - edge.timeS;
  const sinceS = Math.abs(last === undefined ? dt : at.timeS - last.timeS);
  const shape = steady(chain, end === 'first' ? 0 : chain.sightings.length - 1);
  const { vx, vy } = motionAt(chain.sightings, end);
  const moved = shifted(shape, vx * dt, vy * dt);
  if (place !== undefined) {
    // The place is not the empty scene: whoever was seen there still is. Who runs is ahead of what was followed, though.
    const edges = Math.abs(dt) > straightS ? place.edges : union(place.edges, moved);
    return { edges, score, source: 'extended' };
  }
  const edgy = atEdge(shape, picture) || atEdge(moved, picture);
  if (sinceS > limitOf(chain, last !== undefined, edgy)) return null;
  if (last !== undefined) {
    const kept = widened(last.edges, growthPerS * sinceS);
    // What was followed sticks to his shadow or to a patch of light while he runs across the edge of the picture.
    const runs = edgy && Math.abs(dt) <= holdAtEdgeS && Math.hypot(vx, vy) > leastRun * Math.sqrt(areaOf(shape));
    return { edges: runs ? union(kept, heldBack(moved, picture)) : kept, score, source: 'extended' };
  }
  const way = mix(moved, union(shape, moved), edgy ? trailAtEdge : 0.5);
  return { edges: widened(edgy ? heldBack(way, picture) : way, growthPerS * sinceS), score, source: 'extended' };
}

function limitOf(chain: Chain, followed: boolean, edgy: boolean): number {
  const doubtful = chain.record.sightings <= 2 && chain.record.bestScore < 0.25;
  if (edgy && !doubtful) return chain.watched ? holdAtEdgeWatchedS : holdAtEdgeS;
  if (doubtful || followed) return holdDoubtfulS;
  return chain.watched ? holdWatchedS : holdS;
}

/** Shifted back so far that a strip of it stays in the picture. */
function heldBack(edges: Edges, { width, height }: Picture): Edges {
  const back = (low: number, high: number, end: number): number => {
    const strip = stripShare * (high - low);
    return high < strip ? strip - high : low > end - strip ? end - strip - low : 0;
  };
  return shifted(edges, back(edges[0], edges[2], width), back(edges[1], edges[3], height));
}
