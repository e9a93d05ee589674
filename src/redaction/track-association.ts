import type { Box } from '../domain/redaction-plan.js';
import type { Detection } from './detectors/detector.js';

/** Everything a detector found in one frame that it looked at; boxes in pixels of the upright full-size picture. */
export interface LookedAt {
  readonly frame: number;
  readonly timeS: number;
  readonly detections: readonly Detection[];
}

export interface Sighting {
  readonly frame: number;
  readonly timeS: number;
  readonly box: Box;
  readonly score: number;
}

/** The sightings of one thing, in order of time. */
export interface Chain {
  readonly kind: 'person' | 'vehicle';
  readonly sightings: Sighting[];
}

/** Detections that have the first choice of a track. */
const sureScore = 0.25;
/**
 * A track not seen for so long is not continued by the forward pass; what comes later is joined by both ends. Where looks are
 * further apart (a time-lapse), it is so many looks.
 */
const patienceS = 1;
const patienceLooks = 3;
/** The longest pause over which two tracks are joined to one. */
const longestJoinS = 2.5;
/** Time over which motion is measured. */
const motionWindowS = 0.8;
/** Two boxes of one frame that agree so far are one thing seen twice. */
const sameThingIou = 0.7;

function intersectionOverUnion(a: Box, b: Box): number {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  if (w <= 0 || h <= 0) return 0;
  return (w * h) / (a.w * a.h + b.w * b.h - w * h);
}

/** Pixels per second of the middle of the box, at one end of a chain; still where there is too little to tell. */
export function motionAt(sightings: readonly Sighting[], end: 'first' | 'last'): { vx: number; vy: number } {
  const edge = end === 'last' ? sightings.at(-1) : sightings[0];
  if (edge === undefined) return { vx: 0, vy: 0 };
  const near: Sighting[] = [];
  for (let i = 0; i < sightings.length; i += 1) {
    const sighting = sightings[end === 'last' ? sightings.length - 1 - i : i];
    if (sighting === undefined || Math.abs(sighting.timeS - edge.timeS) > motionWindowS) break;
    near.push(sighting);
  }
  if (near.length < 2) return { vx: 0, vy: 0 };
  const mean = (of: (s: Sighting) => number): number => near.reduce((sum, s) => sum + of(s), 0) / near.length;
  const [x, y] = [(s: Sighting) => s.box.x + s.box.w / 2, (s: Sighting) => s.box.y + s.box.h / 2];
  const [meanT, meanX, meanY] = [mean((s) => s.timeS), mean(x), mean(y)];
  const spread = mean((s) => (s.timeS - meanT) ** 2);
  if (spread <= 0) return { vx: 0, vy: 0 };
  // A slope over a short time is mostly noise of the detector: it is believed in full from 0.4 s on.
  const trust = Math.min(1, (Math.max(...near.map((s) => s.timeS)) - Math.min(...near.map((s) => s.timeS))) / 0.4);
  return {
    vx: (trust * mean((s) => (s.timeS - meanT) * (x(s) - meanX))) / spread,
    vy: (trust * mean((s) => (s.timeS - meanT) * (y(s) - meanY))) / spread,
  };
}

/** Where a chain is expected at a time after its last (before its first) sighting. */
function expectAt(chain: Chain, timeS: number, end: 'first' | 'last'): Sighting | null {
  const edge = end === 'last' ? chain.sightings.at(-1) : chain.sightings[0];
  if (edge === undefined) return null;
  const { vx, vy } = motionAt(chain.sightings, end);
  const dt = timeS - edge.timeS;
  return { ...edge, timeS, box: { ...edge.box, x: edge.box.x + vx * dt, y: edge.box.y + vy * dt } };
}

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
  const change = Math.abs(Math.log(box.h / expected.h)) + Math.abs(Math.log(box.w / expected.w)) / 2;
  if (distance > gate.sizes + Math.min(1, gate.sizesPerS * sinceS) || change > gate.change) return null;
  return distance + 0.4 * change;
}

/** Pairs of lowest cost first; each side at most once. Order of equal costs is the order of the input. */
function pairUp<A, B>(left: readonly A[], right: readonly B[], cost: (a: A, b: B) => number | null): [A, B][] {
  const candidates: { a: A; b: B; cost: number }[] = [];
  for (const a of left) {
    for (const b of right) {
      const value = cost(a, b);
      if (value !== null) candidates.push({ a, b, cost: value });
    }
  }
  candidates.sort((one, other) => one.cost - other.cost);
  const [usedA, usedB] = [new Set<A>(), new Set<B>()];
  const pairs: [A, B][] = [];
  for (const { a, b } of candidates) {
    if (usedA.has(a) || usedB.has(b)) continue;
    usedA.add(a);
    usedB.add(b);
    pairs.push([a, b]);
  }
  return pairs;
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

function around(a: Box, b: Box): Box {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return { x, y, w: Math.max(a.x + a.w, b.x + b.w) - x, h: Math.max(a.y + a.h, b.y + b.h) - y };
}

/**
 * Detections as chains: a forward pass, a backward pass that gives each chain the weak detections before its beginning, and
 * a pass that joins the end of one chain to the beginning of another across a pause.
 * @param minScore from this score on a detection begins a chain of its own; below, it can only lengthen one that is there.
 */
export function associate(looks: readonly LookedAt[], minScore: number): Chain[] {
  const chains: Chain[] = [];
  let live: Chain[] = [];
  const leftOver: { look: LookedAt; weak: Detection[] }[] = [];

  const [firstLook, lastLook] = [looks[0]?.timeS ?? 0, looks.at(-1)?.timeS ?? 0];
  const patience = Math.max(patienceS, (patienceLooks * (lastLook - firstLook)) / Math.max(1, looks.length - 1));
  for (const look of looks) {
    live = live.filter((chain) => look.timeS - (chain.sightings.at(-1)?.timeS ?? 0) <= patience);
    const detections = withoutDoubles(look.detections);
    const sure = detections.filter((detection) => detection.score >= sureScore);
    const weak = detections.filter((detection) => detection.score < sureScore);
    const expected = new Map(live.map((chain) => [chain, expectAt(chain, look.timeS, 'last')]));
    const taken = new Set<Detection>();
    const join = (candidates: readonly Detection[], gateOf: (chain: Chain) => Gate): void => {
      const free = live.filter((chain) => chain.sightings.at(-1)?.frame !== look.frame);
      const cost = (chain: Chain, detection: Detection): number | null => {
        const expectation = expected.get(chain);
        if (expectation === null || expectation === undefined || chain.kind !== detection.kind) return null;
        const sinceS = look.timeS - (chain.sightings.at(-1)?.timeS ?? look.timeS);
        return misfit(expectation.box, detection.box, sinceS, gateOf(chain));
      };
      for (const [chain, detection] of pairUp(free, candidates, cost)) {
        chain.sightings.push(sightingOf(look, detection));
        taken.add(detection);
      }
    };
    join(sure, (chain) => (chain.sightings.length < 2 ? runnersGate : usualGate));
    join(weak, () => tightGate);
    for (const detection of detections) {
      if (taken.has(detection) || detection.score < minScore) continue;
      const chain: Chain = { kind: detection.kind, sightings: [sightingOf(look, detection)] };
      chains.push(chain);
      live.push(chain);
      taken.add(detection);
    }
    leftOver.push({ look, weak: weak.filter((detection) => !taken.has(detection)) });
  }
  extendBackwards(chains, leftOver, patience);
  // What never moves and is never seen surely may be a bollard. It may be somebody who sits there, too: it stays a track,
  // covered, for the reviewer to clear.
  return joinAcrossPauses(chains);
}

function sightingOf(look: LookedAt, detection: Detection): Sighting {
  return { frame: look.frame, timeS: look.timeS, box: detection.box, score: detection.score };
}

/** Who walks in is at first seen weakly. `leftOver` is in order of time; what a chain takes is removed from it. */
function extendBackwards(
  chains: readonly Chain[],
  leftOver: readonly { look: LookedAt; weak: Detection[] }[],
  patience: number,
): void {
  const indexOf = new Map(leftOver.map(({ look }, index) => [look.frame, index]));
  for (const chain of [...chains].sort((a, b) => (b.sightings[0]?.timeS ?? 0) - (a.sightings[0]?.timeS ?? 0))) {
    for (let index = (indexOf.get(chain.sightings[0]?.frame ?? -1) ?? 0) - 1; index >= 0; index -= 1) {
      const { look, weak } = leftOver[index] ?? { look: null, weak: [] };
      const expectation = look === null ? null : expectAt(chain, look.timeS, 'first');
      const sinceS = (chain.sightings[0]?.timeS ?? 0) - (look?.timeS ?? 0);
      if (look === null || expectation === null || sinceS > patience) break;
      const sameKind = weak.filter((detection) => detection.kind === chain.kind);
      const best = pairUp([expectation], sameKind, (e, d) => misfit(e.box, d.box, sinceS, tightGate))[0]?.[1];
      if (best === undefined) continue;
      chain.sightings.unshift(sightingOf(look, best));
      weak.splice(weak.indexOf(best), 1);
    }
  }
}

/** Joins chains whose ends expect each other: someone was hidden behind a pillar, or bent down. */
function joinAcrossPauses(chains: readonly Chain[]): Chain[] {
  const cost = (before: Chain, after: Chain): number | null => {
    const [end, start] = [before.sightings.at(-1), after.sightings[0]];
    if (end === undefined || start === undefined || before === after || before.kind !== after.kind) return null;
    const pauseS = start.timeS - end.timeS;
    if (pauseS <= 0 || pauseS > longestJoinS) return null;
    const [ahead, back] = [expectAt(before, start.timeS, 'last'), expectAt(after, end.timeS, 'first')];
    if (ahead === null || back === null) return null;
    const forth = misfit(ahead.box, start.box, pauseS, usualGate);
    const backAgain = misfit(back.box, end.box, pauseS, usualGate);
    return forth === null || backAgain === null ? null : forth + backAgain + 0.2 * pauseS;
  };
  const next = new Map(pairUp(chains, chains, cost));
  const followers = new Set(next.values());
  const joined: Chain[] = [];
  for (const head of chains) {
    if (followers.has(head)) continue;
    const sightings: Sighting[] = [];
    for (let chain: Chain | undefined = head; chain !== undefined; chain = next.get(chain)) {
      sightings.push(...chain.sightings);
    }
    joined.push({ kind: head.kind, sightings });
  }
  return joined;
}
