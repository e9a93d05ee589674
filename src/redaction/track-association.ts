/** Which detection belongs to which chain. Pure, but for the chains that grow. */
import type { Box } from '../domain/redaction-plan.js';
import type { Detection } from './detectors/detector.js';
import {
  addSighting,
  beginChain,
  expectAt,
  firstOf,
  lastOf,
  type Chain,
  type Moment,
  type Sighting,
} from './track-chain.js';
import { around, intersectionOverUnion } from './track-geometry.js';

/** A frame the detector looked at, and what of it belongs to no chain so far. */
export interface Look extends Moment {
  readonly look: number;
  readonly leftOver: Detection[];
}

/** Detections that have the first choice of a track. */
const sureScore = 0.25;
/**
 * A track not seen for so long is not continued by what is seen then; what comes later is joined by both ends. Where looks
 * are further apart (a time-lapse), it is so many looks.
 */
const patienceS = 1;
const patienceLooks = 3;
/** The longest pause over which two tracks are joined to one. */
const longestJoinS = 2.5;
/** Two boxes of one frame that agree so far are one thing seen twice. */
const sameThingIou = 0.7;
/** Another pairing that is worse by no more than this might as well be the right one. */
const ambiguousCost = 0.25;

/** How far from where it is expected, in box sizes, something may be found and be the same thing. */
interface Gate {
  readonly sizes: number;
  readonly sizesPerS: number;
  readonly change: number;
}
const usualGate: Gate = { sizes: 0.7, sizesPerS: 0.8, change: 1.2 };
/** For detections that may be nothing. */
const tightGate: Gate = { sizes: 0.4, sizesPerS: 0.4, change: 0.8 };
/** Seen once, somebody may run in any direction. */
const runnersGate: Gate = { sizes: 0.7, sizesPerS: 2, change: 1.2 };

/**
 * How badly a box fits an expectation: the distance of the middles in box sizes plus the change of size; null where it
 * cannot be the same thing. `sinceS` is the time since the last sighting: the longer, the wider the gate.
 */
function misfit(expected: Box, box: Box, sinceS: number, gate: Gate): number | null {
  const size = Math.sqrt(Math.sqrt(expected.w * expected.h * box.w * box.h));
  const dx = expected.x + expected.w / 2 - box.x - box.w / 2;
  const dy = expected.y + expected.h / 2 - box.y - box.h / 2;
  const distance = Math.hypot(dx, dy) / size;
  if (distance > gate.sizes + Math.min(1, gate.sizesPerS * sinceS)) return null;
  const change = Math.abs(Math.log(box.h / expected.h)) + Math.abs(Math.log(box.w / expected.w)) / 2;
  return change > gate.change ? null : distance + 0.4 * change;
}

interface Pair<A, B> {
  readonly a: A;
  readonly b: B;
  readonly cost: number;
}

/** Pairs of lowest cost first; each side at most once. Order of equal costs is the order of the input. */
function pairUp<A, B>(
  left: readonly A[],
  right: readonly B[],
  cost: (a: A, b: B) => number | null,
): { pairs: Pair<A, B>[]; candidates: readonly Pair<A, B>[] } {
  const candidates: Pair<A, B>[] = [];
  for (const a of left) {
    for (const b of right) {
      const value = cost(a, b);
      if (value !== null) candidates.push({ a, b, cost: value });
    }
  }
  candidates.sort((one, other) => one.cost - other.cost);
  const [usedA, usedB] = [new Set<A>(), new Set<B>()];
  const pairs: Pair<A, B>[] = [];
  for (const pair of candidates) {
    if (usedA.has(pair.a) || usedB.has(pair.b)) continue;
    usedA.add(pair.a);
    usedB.add(pair.b);
    pairs.push(pair);
  }
  return { pairs, candidates };
}

/** Whether `other` might as well have got what `pair` got, and the other way round. */
function exchangeable<A, B>(
  pair: Pair<A, B>,
  other: Pair<A, B>,
  { pairs, candidates }: { pairs: readonly Pair<A, B>[]; candidates: readonly Pair<A, B>[] },
): boolean {
  const own = pairs.find(({ a }) => a === other.a);
  if (own === undefined) return other.cost < pair.cost + ambiguousCost;
  const back = candidates.find(({ a, b }) => a === pair.a && b === own.b);
  return back !== undefined && other.cost + back.cost < pair.cost + own.cost + ambiguousCost;
}

/** What is seen twice in one frame becomes one: the box around both, with the higher score. */
function withoutDoubles(detections: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const detection of [...detections].sort((a, b) => b.score - a.score)) {
    const { box, kind } = detection;
    const twin = kept.findIndex((k) => k.kind === kind && intersectionOverUnion(k.box, box) > sameThingIou);
    const known = kept[twin];
    if (known === undefined) kept.push(detection);
    else kept[twin] = { ...known, box: around(known.box, box) };
  }
  return kept;
}

const sightingOf = ({ frame, timeS, look }: Omit<Look, 'leftOver'>, { box, score }: Detection): Sighting => ({
  frame,
  timeS,
  look,
  box,
  score,
});

export interface Seen {
  readonly begun: readonly Chain[];
  readonly look: Look;
  /** Chains that may have been taken for one another in this look. */
  readonly confused: ReadonlySet<Chain>;
}

/**
 * Gives the detections of one look to the chains that are expected there, and begins chains with those that nobody expects.
 * @param chains none of them closed.
 * @param minScore from this score on a detection begins a chain of its own; below, it can only lengthen one that is there.
 */
export function see(
  chains: readonly Chain[],
  at: Omit<Look, 'leftOver'>,
  found: readonly Detection[],
  minScore: number,
): Seen {
  const patient = (chain: Chain): boolean => {
    const last = lastOf(chain);
    if (at.timeS - last.timeS <= patienceS || at.look - last.look <= patienceLooks) return true;
    const followed = chain.followed.at(-1);
    return followed !== undefined && at.timeS - followed.timeS <= patienceS;
  };
  const detections = withoutDoubles(found);
  const live = chains.filter(patient).map((chain) => ({ chain, expected: expectAt(chain, at.timeS, 'last') }));
  const taken = new Set<Detection>();
  const confused = new Set<Chain>();
  const join = (candidates: readonly Detection[], gateOf: (chain: Chain) => Gate): void => {
    const free = live.filter(({ chain }) => lastOf(chain).frame !== at.frame);
    const result = pairUp(free, candidates, ({ chain, expected }, detection) => {
      if (chain.kind !== detection.kind) return null;
      return misfit(expected, detection.box, Math.min(2, at.timeS - lastOf(chain).timeS), gateOf(chain));
    });
    for (const pair of result.pairs) {
      for (const other of result.candidates) {
        if (other.b !== pair.b || other.a === pair.a || !exchangeable(pair, other, result)) continue;
        confused.add(other.a.chain).add(pair.a.chain);
      }
    }
    for (const { a, b } of result.pairs) {
      addSighting(a.chain, sightingOf(at, b));
      taken.add(b);
    }
  };
  join(
    detections.filter(({ score }) => score >= sureScore),
    (chain) => (chain.record.sightings < 2 ? runnersGate : usualGate),
  );
  join(
    detections.filter(({ score }) => score < sureScore),
    () => tightGate,
  );
  const begun: Chain[] = [];
  for (const detection of detections) {
    if (taken.has(detection) || detection.score < minScore) continue;
    begun.push(beginChain(detection.kind, sightingOf(at, detection)));
    taken.add(detection);
  }
  return { begun, confused, look: { ...at, leftOver: detections.filter((detection) => !taken.has(detection)) } };
}

/**
 * Who walks in is at first seen weakly: gives a chain that has just begun the weak detections before its beginning.
 * @param looks in order of time, none of them final yet; what a chain takes is removed.
 */
export function extendBackwards(chain: Chain, looks: readonly Look[]): void {
  const beginning = firstOf(chain).frame;
  for (let index = looks.length - 1; index >= 0; index -= 1) {
    const look = looks[index];
    if (look === undefined || look.frame >= beginning) continue;
    const first = firstOf(chain);
    const sinceS = first.timeS - look.timeS;
    if (sinceS > patienceS && first.look - look.look > patienceLooks) break;
    const expected = expectAt(chain, look.timeS, 'first');
    const sameKind = look.leftOver.filter((detection) => detection.kind === chain.kind);
    const best = pairUp([expected], sameKind, (e, d) => misfit(e, d.box, sinceS, tightGate)).pairs[0]?.b;
    if (best === undefined) continue;
    addSighting(chain, sightingOf(look, best));
    look.leftOver.splice(look.leftOver.indexOf(best), 1);
  }
}

/**
 * Joins chains whose ends expect each other: someone was hidden behind a pillar, or bent down. Only a chain of which nothing
 * is final can continue another one.
 * @returns the chains that were taken up by others.
 */
export function joinAcrossPauses(chains: readonly Chain[], nowS: number): Set<Chain> {
  const ended = chains.filter((chain) => nowS - lastOf(chain).timeS > 0);
  const young = chains.filter((chain) => chain.output === null && chain.record.sightings >= 2);
  const { pairs } = pairUp(ended, young, (before, after) => {
    const [end, start] = [lastOf(before), firstOf(after)];
    const pauseS = start.timeS - end.timeS;
    if (before === after || before.kind !== after.kind || pauseS <= 0 || pauseS > longestJoinS) return null;
    const forth = misfit(expectAt(before, start.timeS, 'last'), start.box, pauseS, usualGate);
    const back = misfit(expectAt(after, end.timeS, 'first'), end.box, pauseS, usualGate);
    return forth === null || back === null ? null : forth + back + 0.2 * pauseS;
  });
  const takenUp = new Set<Chain>();
  for (const { a: before, b: after } of pairs) {
    // A chain taken up in this very round is no longer one that others can join.
    if (takenUp.has(before) || takenUp.has(after)) continue;
    for (const sighting of after.sightings) addSighting(before, sighting);
    before.record.doubts.push(...after.record.doubts);
    for (const [frame, edges] of after.beside) before.beside.set(frame, edges);
    before.followed = after.followed;
    takenUp.add(after);
  }
  return takenUp;
}
