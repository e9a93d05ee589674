/**
 * Following somebody whom the detector does not see: whoever was seen in a place is there as long as it is not the empty
 * scene, going on from the last sighting, and going back from the first.
 */
import { firstOf, lastOf, motionAt, steady, type Chain, type Moment } from './track-chain.js';
import { areaOf, edgesOf, perEdge, shifted, widened, type Edges } from './track-geometry.js';
import { cellsIn, foregroundIn, type Grid } from './track-motion.js';

/** Looked for so far around where he is expected, in box sizes. */
const reach = 0.25;
/** Of the box, what must not be empty; and at least so many cells. */
const leastShare = 0.12;
const leastCells = 1.5;
/** Somebody never seen surely is followed so long at most: what is there may be the light on a bollard. */
const followDoubtfulS = 1;
const sureScore = 0.35;
/** What is there may be so much larger than he was, for arms and coarse cells. More is a shadow, or somebody else. */
const mostGrowth = 1.5;

/**
 * As large as he was, moved no further than needed to reach around what is there. Always measured by the size in which he was
 * seen: a box that may grow with what it finds soon takes everything.
 */
function slid(expected: Edges, bounds: Edges, seen: Edges): Edges {
  const move = (low: number, high: number, from: number, to: number, size: number): [number, number] => {
    const middled = to - from > size && to - from <= mostGrowth * size;
    const start = (middled ? from + to - size : low + high - size) / 2;
    if (to - from > size) return [start, start + size];
    const by = from < start ? from - start : to > start + size ? to - start - size : 0;
    return [start + by, start + size + by];
  };
  const [left, right] = move(expected[0], expected[2], bounds[0], bounds[2], seen[2] - seen[0]);
  const [top, bottom] = move(expected[1], expected[3], bounds[1], bounds[3], seen[3] - seen[1]);
  return [left, top, right, bottom];
}

function find(grid: Grid, expected: Edges, seen: Edges, cover: Int16Array, owner: number): Edges | null {
  const found = foregroundIn(grid, widened(expected, reach), cover, owner);
  if (found === null) return null;
  const inPicture = perEdge((edge) =>
    Math.min(Math.max(expected[edge], 0), edge % 2 === 0 ? grid.cols * grid.cellWidth : grid.rows * grid.cellHeight),
  );
  const cells = areaOf(inPicture) / (grid.cellWidth * grid.cellHeight);
  if (found.mass < Math.max(leastCells, leastShare * cells)) return null;
  return slid(expected, found.bounds, seen);
}

/** One step on from the last sighting or place. `owner` is the chain's number in `cover`. */
export function followOn(chain: Chain, at: Moment, grid: Grid, cover: Int16Array, owner: number): void {
  const latest = chain.followed.at(-1);
  const last = latest ?? lastOf(chain);
  // Where it was lost once, nothing that comes by later is the same.
  if (at.timeS - last.timeS > 0.7) return;
  const seen = steady(chain, chain.sightings.length - 1);
  let expected: Edges;
  if (latest === undefined) {
    const { vx, vy } = motionAt(chain.sightings, 'last');
    const dt = at.timeS - last.timeS;
    expected = shifted(seen, vx * dt, vy * dt);
  } else {
    expected = latest.edges;
  }
  if (chain.record.bestScore < sureScore && at.timeS - lastOf(chain).timeS > followDoubtfulS) return;
  const edges = find(grid, expected, seen, cover, owner);
  if (edges !== null) chain.followed.push({ frame: at.frame, timeS: at.timeS, edges });
}

/** Takes down how much of a sighting is not the empty scene. */
export function notePresence(chain: Chain, grid: Grid): void {
  const [left, top, right, bottom] = cellsIn(grid, edgesOf(lastOf(chain).box));
  let mass = 0;
  for (let row = top; row < bottom; row += 1) {
    for (let col = left; col < right; col += 1) mass += (grid.foreground[row * grid.cols + col] ?? 0) / 255;
  }
  const share = mass / Math.max(1, (right - left) * (bottom - top));
  chain.presence = Math.max(chain.presence ?? 0, share);
}

/** All the way back from the first sighting. `history` is latest first, of frames before it. */
export function traceBack(
  chain: Chain,
  history: Iterable<Moment & { readonly grid: Grid; readonly cover: Int16Array; readonly owner: number }>,
): void {
  chain.traced = [];
  const { vx, vy } = motionAt(chain.sightings, 'first');
  const seen = steady(chain, 0);
  let expected = seen;
  let fromS = firstOf(chain).timeS;
  for (const { frame, timeS, grid, cover, owner } of history) {
    expected = shifted(expected, vx * (timeS - fromS), vy * (timeS - fromS));
    const edges = find(grid, expected, seen, cover, owner);
    if (edges === null) return;
    chain.traced.push({ frame, timeS, edges });
    [expected, fromS] = [edges, timeS];
  }
}
