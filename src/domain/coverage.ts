/**
 * What the recordings of one camera show of a range together. There may be several of one moment: a copy of the archive, a
 * file that begins a little before the last one ended, the same camera recorded a second time in small. Pure, and the same
 * whatever order the recordings come in.
 *
 * Every moment that any recording shows is shown here too: leaving out is only ever about what is shown anyway.
 */
import { gapsIn, overlaps, type Segment, type TimeRange } from './segment.js';

export type Recording = TimeRange &
  Pick<Segment, 'id' | 'width' | 'height' | 'codec' | 'hasAudio' | 'sizeBytes' | 'timeQuality'> & {
    /** Which stream of the camera: its own id for the main one. */
    readonly streamId: string;
  };

/**
 * primary: needed to show all there is. duplicate: others of the same picture show all of it. sub-stream: another stream or
 * picture of the camera shows all of it, and shows it better.
 */
export type RecordingPart = 'primary' | 'duplicate' | 'sub-stream';

export interface PlacedRecording {
  readonly part: RecordingPart;
  /** The primary recordings that show its moments; empty for a primary one. */
  readonly shownBy: readonly number[];
}

export interface Shown extends TimeRange {
  readonly segmentId: number;
}

export interface Overlap extends TimeRange {
  readonly segmentIds: readonly [number, number];
}

export interface RangeCoverage {
  /** With `gaps` a partition of the range, oldest first. Cracks that are no gaps count as covered. */
  readonly covered: readonly TimeRange[];
  /** Stretches longer than the tolerance of which nothing is there. */
  readonly gaps: readonly TimeRange[];
  /** Exactly what is there of the range, each moment once, with the recording that shows it best. Oldest first. */
  readonly shows: readonly Shown[];
  /** Stretches that two primary recordings show both. */
  readonly overlaps: readonly Overlap[];
  /** Each recording that has a moment of the range. */
  readonly placed: ReadonlyMap<number, PlacedRecording>;
}

const sharpness = { agreed: 0, single: 1, disagreeing: 2 } as const;
const pixelsOf = (one: Recording): number => one.width * one.height;

/** Better first: larger picture, surer time, longer, known for longer. A total order, since ids differ. */
const byWorth = (a: Recording, b: Recording): number =>
  byRank(a, b) || b.endUs - b.startUs - (a.endUs - a.startUs) || a.id - b.id;
const byRank = (a: Recording, b: Recording): number =>
  pixelsOf(b) - pixelsOf(a) || sharpness[a.timeQuality] - sharpness[b.timeQuality];
const byStart = (a: Recording, b: Recording): number => a.startUs - b.startUs || a.id - b.id;

/**
 * Decides for each recording of one camera what it is to the others. `toleranceUs` is the length up to which a crack between
 * two recordings is no gap, and up to which nobody needs another file to fill it. Recordings outside of the range are ignored.
 */
export function coverRange(range: TimeRange, recordings: readonly Recording[], toleranceUs: number): RangeCoverage {
  const inRange = recordings.filter((one) => overlaps(one, range)).sort(byWorth);
  const twins = twinsIn(inRange);
  const single = inRange.filter((one) => !twins.has(one.id));
  const primary = choose(range, single, toleranceUs);
  const isPrimary = new Set(primary.map((one) => one.id));
  const placed = new Map<number, PlacedRecording>();
  const near = neighboursOf(primary);
  for (const one of single) {
    if (isPrimary.has(one.id)) {
      placed.set(one.id, { part: 'primary', shownBy: [] });
      continue;
    }
    const shownBy = near(clip(one, range));
    const part = shownBy.some((other) => isAlike(one, other)) ? 'duplicate' : 'sub-stream';
    placed.set(one.id, { part, shownBy: shownBy.map((other) => other.id) });
  }
  for (const [id, first] of twins) {
    const { part, shownBy } = placed.get(first) ?? { part: 'primary', shownBy: [] };
    placed.set(id, part === 'primary' ? { part: 'duplicate', shownBy: [first] } : { part, shownBy });
  }
  const gaps = gapsIn(range, inRange, toleranceUs);
  return {
    covered: gapsIn(range, gaps, 0),
    gaps,
    shows: showsOf(range, inRange, isPrimary),
    overlaps: overlapsOf(range, primary),
    placed,
  };
}

const clip = (one: TimeRange, range: TimeRange): TimeRange => ({
  startUs: Math.max(one.startUs, range.startUs),
  endUs: Math.min(one.endUs, range.endUs),
});

const isAlike = (a: Recording, b: Recording): boolean =>
  a.streamId === b.streamId && a.codec === b.codec && a.width === b.width && a.height === b.height;

/** By id, the one it is a copy of: same stream, instants, size and kind of picture, as an archive that is indexed twice. */
function twinsIn(worthiestFirst: readonly Recording[]): Map<number, number> {
  const firsts = new Map<string, number>();
  const twins = new Map<number, number>();
  for (const one of worthiestFirst) {
    const { streamId, startUs, endUs, sizeBytes, codec, width, height, hasAudio } = one;
    const key = JSON.stringify([streamId, startUs, endUs, sizeBytes, codec, width, height, hasAudio]);
    const first = firsts.get(key);
    if (first === undefined) firsts.set(key, one.id);
    else twins.set(one.id, first);
  }
  return twins;
}

/**
 * The recordings that are needed: rank by rank, as few whole files as fill the holes that better ones leave. A recording whose
 * clocks disagree may be of another time than it says, so it neither stands in for others nor do others stand in for it.
 */
function choose(range: TimeRange, recordings: readonly Recording[], toleranceUs: number): Recording[] {
  const sure = recordings.filter((one) => one.timeQuality !== 'disagreeing');
  const chosen: Recording[] = [];
  for (const rank of ranksOf(sure)) {
    // With nothing chosen yet all of it is a hole, however short the range.
    const holes = chosen.length === 0 ? [range] : gapsIn(range, chosen, toleranceUs);
    chosen.push(...fill(holes, rank.sort(byStart)));
  }
  // What lies wholly within a crack is shown by no other at all, however short it is.
  const near = neighboursOf(chosen.sort(byStart));
  const alone = sure.filter((one) => near(clip(one, range)).length === 0);
  if (alone.length > 0) chosen.push(...fill(gapsIn(range, chosen, 0), alone.sort(byStart)));
  return [...chosen, ...recordings.filter((one) => one.timeQuality === 'disagreeing')].sort(byStart);
}

function ranksOf(worthiestFirst: readonly Recording[]): Recording[][] {
  const ranks: Recording[][] = [];
  for (const one of worthiestFirst) {
    const last = ranks.at(-1);
    if (last?.[0] !== undefined && byRank(last[0], one) === 0) last.push(one);
    else ranks.push([one]);
  }
  return ranks;
}

/** The fewest recordings that show of the holes all that these can show: of those that go on, always the one that reaches farthest. */
function fill(holes: readonly TimeRange[], rank: readonly Recording[]): Recording[] {
  const chosen = new Set<Recording>();
  let met: Recording[] = [];
  let next = 0;
  for (const hole of holes) {
    met = met.filter((one) => one.endUs > hole.startUs);
    for (let one = rank[next]; one !== undefined && one.startUs < hole.endUs; one = rank[(next += 1)]) {
      if (one.endUs > hole.startUs) met.push(one);
    }
    let reachedUs = hole.startUs;
    let best: Recording | undefined;
    for (let at = 0; reachedUs < hole.endUs;) {
      for (let one = met[at]; one !== undefined && one.startUs <= reachedUs; one = met[(at += 1)]) {
        if (best === undefined || one.endUs > best.endUs || (one.endUs === best.endUs && byWorth(one, best) < 0))
          best = one;
      }
      if (best !== undefined && best.endUs > reachedUs) {
        chosen.add(best);
        reachedUs = best.endUs;
        continue;
      }
      const following = met[at];
      if (following === undefined) break;
      reachedUs = following.startUs;
    }
  }
  return [...chosen];
}

/** Gives the recordings, sorted by start, that have a moment of a range. */
function neighboursOf(sorted: readonly Recording[]): (range: TimeRange) => Recording[] {
  let latestUs = -Infinity;
  const reach = sorted.map((one) => (latestUs = Math.max(latestUs, one.endUs)));
  return (range) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle]?.startUs ?? Infinity) < range.endUs) low = middle + 1;
      else high = middle;
    }
    const found: Recording[] = [];
    for (let at = low - 1; at >= 0 && (reach[at] ?? -Infinity) > range.startUs; at -= 1) {
      const one = sorted[at];
      if (one !== undefined && one.endUs > range.startUs) found.push(one);
    }
    return found.reverse();
  };
}

/** Goes through the range from change to change; at each the best of those that are there shows it. */
function showsOf(range: TimeRange, recordings: readonly Recording[], isPrimary: ReadonlySet<number>): Shown[] {
  const byShow = (a: Recording, b: Recording): number =>
    byRank(a, b) || Number(isPrimary.has(b.id)) - Number(isPrimary.has(a.id)) || byWorth(a, b);
  const sorted = [...recordings].sort(byStart);
  const edges = [...new Set(sorted.flatMap((one) => Object.values(clip(one, range)) as number[]))].sort(
    (a, b) => a - b,
  );
  const shows: { segmentId: number; startUs: number; endUs: number }[] = [];
  let active: Recording[] = [];
  let next = 0;
  edges.forEach((startUs, index) => {
    const endUs = edges[index + 1];
    active = active.filter((one) => one.endUs > startUs);
    for (let one = sorted[next]; one !== undefined && one.startUs <= startUs; one = sorted[(next += 1)]) {
      if (one.endUs > startUs) active.push(one);
    }
    const [first, ...others] = active;
    if (endUs === undefined || first === undefined) return;
    const { id } = others.reduce((best, one) => (byShow(one, best) < 0 ? one : best), first);
    const last = shows.at(-1);
    if (last?.segmentId === id && last.endUs === startUs) last.endUs = endUs;
    else shows.push({ segmentId: id, startUs, endUs });
  });
  return shows;
}

function overlapsOf(range: TimeRange, sorted: readonly Recording[]): Overlap[] {
  const found: Overlap[] = [];
  let active: Recording[] = [];
  for (const one of sorted) {
    active = active.filter((other) => other.endUs > one.startUs);
    for (const other of active) {
      const both = clip({ startUs: one.startUs, endUs: Math.min(one.endUs, other.endUs) }, range);
      if (both.startUs < both.endUs) found.push({ ...both, segmentIds: [other.id, one.id] });
    }
    active.push(one);
  }
  return found;
}
