/** Motion that no detector explains, as chains of their own: masked, until a reviewer says that it is nothing. */
import type { UncertainSpan } from '../domain/redaction-plan.js';
import type { Moment, Place } from './track-chain.js';
import { areaOf, mix, sharedArea, union, widened, type Edges } from './track-geometry.js';
import { blobsIn, type Blob, type Grid } from './track-motion.js';
import type { TrackPath } from './track-path.js';

export interface MotionChain {
  /** In order of time; those long past are forgotten, except the last. */
  readonly places: (Place & { readonly mass: number })[];
  /** Looks in which a part of it moved. */
  movedLooks: number;
  /** When it moved last. */
  movedS: number;
  looks: number;
  /** Masked. Before, it may be flicker. */
  confirmed: boolean;
  output: { readonly path: TrackPath } | null;
  closed: boolean;
}

/** Cells: what begins a chain, and what continues it. Somebody far away may be two cells wide and four high. */
const beginMass = 3.5;
const continueMass = 1.2;
/** Of these looks, so many must show it moving. */
const confirmLooks = 3;
const confirmMoved = 2;
/** Held so long before the first and after the last look that shows it. */
const holdS = 0.35;
/** How far from its last place it may be, in its own size. */
const reach = 0.5;
/** The box around two parts of a thing is at most so much larger than they are. */
const looseness = 1.4;
/** A blob that touches somebody and is not larger than this share of him is his arm or his bag. */
const limbShare = 0.35;
const limbGrowth = 1.5;

export interface Unexplained {
  readonly chains: readonly MotionChain[];
  /** Boxes that a limb belongs to, with the limb. */
  readonly limbs: readonly { readonly box: number; readonly edges: Edges }[];
}

/**
 * Goes on with what is not covered in one frame.
 * @param boxes of everything that explains motion, in the order of `cover`.
 */
export function seeUnexplained(
  chains: readonly MotionChain[],
  at: Moment,
  grid: Grid,
  cover: Int16Array,
  boxes: readonly (Edges | null)[],
): Unexplained {
  const limbs: { box: number; edges: Edges }[] = [];
  const cellArea = grid.cellWidth * grid.cellHeight;
  const free: Blob[] = [];
  for (const blob of blobsIn(grid, cover, continueMass)) {
    const box = boxes[blob.beside] ?? null;
    if (box !== null && blob.mass * cellArea <= limbShare * areaOf(box)) {
      const both = union(box, blob.bounds);
      if (areaOf(both) <= limbGrowth * areaOf(box)) {
        limbs.push({ box: blob.beside, edges: both });
        continue;
      }
    }
    free.push(blob);
  }

  const begun: MotionChain[] = [];
  const open = chains.filter(({ closed, places }) => !closed && at.timeS - (places.at(-1)?.timeS ?? 0) <= 2 * holdS);
  const next = new Map<MotionChain, Blob[]>();
  // The largest first: it is what goes on, and the rest are parts of it or things of their own.
  for (const blob of free.sort((one, other) => other.mass - one.mass)) {
    let best: MotionChain | undefined;
    let bestShared = 0;
    for (const chain of open) {
      const last = chain.places.at(-1);
      if (last === undefined) continue;
      const known = next.get(chain);
      const shared =
        known === undefined
          ? sharedArea(widened(last.edges, reach), widened(blob.bounds, reach))
          : nearness(known.map(({ bounds }) => bounds).reduce(union), blob.bounds);
      if (shared > bestShared) [best, bestShared] = [chain, shared];
    }
    if (best !== undefined) {
      const list = next.get(best) ?? [];
      list.push(blob);
      next.set(best, list);
    } else if (blob.mass >= beginMass) {
      const chain: MotionChain = {
        places: [],
        movedLooks: 0,
        movedS: -Infinity,
        looks: 0,
        confirmed: false,
        output: null,
        closed: false,
      };
      begun.push(chain);
      next.set(chain, [blob]);
    }
  }
  for (const [chain, blobs] of next) {
    const edges = blobs.map(({ bounds }) => bounds).reduce(union);
    const mass = blobs.reduce((sum, blob) => sum + blob.mass, 0);
    const moving = blobs.reduce((sum, blob) => sum + blob.moving, 0);
    chain.places.push({ frame: at.frame, timeS: at.timeS, edges, mass });
    chain.looks += 1;
    if (moving >= 0.5) {
      chain.movedLooks += 1;
      chain.movedS = at.timeS;
    }
    if (chain.looks >= confirmLooks && chain.movedLooks >= confirmMoved) chain.confirmed = true;
  }
  return { chains: begun, limbs };
}

/** How near together two boxes are that may be parts of one thing; 0 where one box around both would be mostly empty. */
function nearness(a: Edges, b: Edges): number {
  return areaOf(union(a, b)) > looseness * (areaOf(a) + areaOf(b))
    ? 0
    : sharedArea(widened(a, reach), widened(b, reach));
}

/** Where it is masked in a frame; null where it has not begun or has ended. */
export function unexplainedAt({ places }: MotionChain, at: Moment): Edges | null {
  let index = places.length - 1;
  while (index >= 0 && (places[index]?.frame ?? 0) > at.frame) index -= 1;
  const [before, after] = [places[index], places[index + 1]];
  if (before?.frame === at.frame) return before.edges;
  if (before !== undefined && after !== undefined) {
    const share = (at.timeS - before.timeS) / Math.max(1e-9, after.timeS - before.timeS);
    const way = mix(before.edges, after.edges, share);
    return mix(way, union(before.edges, after.edges), 0.5);
  }
  const near = before ?? after;
  return near !== undefined && Math.abs(at.timeS - near.timeS) <= holdS ? near.edges : null;
}

export const doubtOf = (firstFrame: number, lastFrame: number): UncertainSpan[] => [
  { fromFrame: firstFrame, toFrame: lastFrame + 1, reason: 'unexplained-motion' },
];
