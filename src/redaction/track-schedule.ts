/**
 * When the detector looks: it is by far the dearest part. Often where people move fast for their size, cross, come in or are
 * doubtful; seldom where nothing moves. Asked a little ahead of what has been seen, so it plans rather than reacts; what it
 * missed is caught up backwards, since nothing is final yet.
 */
import { lastOf, motionAt, type Chain, type Moment } from './track-chain.js';
import { edgesOf, shareOfSmaller } from './track-geometry.js';
import type { Grid } from './track-motion.js';
import type { MotionChain } from './track-unexplained.js';

/** Seconds between looks. */
const paces = { empty: 2.5, blind: 0.5, calm: 0.5, usual: 0.33, busy: 0.16 } as const;
/** Looks a second that may be spent in the long run, and how many may be saved up for a busy moment. */
const budgetPerS = 3.2;
const budgetSaved = 12;

/** Cells of foreground that nobody was found in, from which on the detector looks at once. */
const suspiciousMass = 3;

export interface Schedule {
  /** After each tick. `grid` is null where the motion model says nothing. */
  note(now: Moment, chains: readonly Chain[], unexplained: readonly MotionChain[], grid: Grid | null): void;
  wants(timeS: number): boolean;
}

export function createSchedule(mostPerS: number): Schedule {
  // Who is there when the video begins may run: soon again, until it is known.
  let paceS: number = paces.busy;
  let latestS = -Infinity;
  let budget: number = budgetSaved;
  let budgetAtS = 0;
  return {
    note(now, chains, unexplained, grid) {
      paceS = paceOf(now, chains, unexplained, grid);
    },
    wants(timeS) {
      budget = Math.min(budgetSaved, budget + Math.max(0, timeS - budgetAtS) * budgetPerS);
      budgetAtS = timeS;
      const atLeastS = Math.max(1 / mostPerS, budget < 1 ? paces.usual : 0);
      // Half a tick early is better than one tick late.
      if (timeS - latestS < Math.max(paceS, atLeastS) - 0.04) return false;
      latestS = timeS;
      budget = Math.max(0, budget - 1);
      return true;
    },
  };
}

function paceOf(now: Moment, chains: readonly Chain[], unexplained: readonly MotionChain[], grid: Grid | null): number {
  const people = chains.filter((chain) => chain.kind === 'person' && now.timeS - lastOf(chain).timeS < 1.5);
  let pace: number = grid === null ? paces.blind : paces.empty;
  if (grid !== null) {
    let moving = 0;
    for (let at = 0; at < grid.moving.length; at += 1) {
      if ((grid.foreground[at] ?? 0) >= 64) moving += (grid.moving[at] ?? 0) / 255;
    }
    if (moving >= suspiciousMass / 2) pace = Math.min(pace, paces.calm);
  }
  if (unexplained.some((chain) => now.timeS - chain.movedS < 2)) pace = Math.min(pace, paces.calm);
  if (people.length === 0) return pace;
  pace = Math.min(pace, paces.calm);
  for (const chain of people) {
    const { box } = lastOf(chain);
    const { vx, vy } = motionAt(chain.sightings, 'last');
    // In how many seconds somebody crosses half of his own width.
    const crossingS = (0.5 * box.w) / Math.max(1e-9, Math.hypot(vx, vy));
    if (crossingS < 0.35) pace = Math.min(pace, paces.busy);
    else if (crossingS < 1) pace = Math.min(pace, paces.usual);
    if (chain.record.sightings < 2 && chain.record.bestScore > 0.3) pace = Math.min(pace, paces.busy);
    else if (chain.record.sightings < 3) pace = Math.min(pace, paces.usual);
  }
  for (const [index, one] of people.entries()) {
    for (const other of people.slice(index + 1)) {
      if (shareOfSmaller(edgesOf(lastOf(one).box), edgesOf(lastOf(other).box)) > 0.2)
        return Math.min(pace, paces.usual);
    }
  }
  return pace;
}
