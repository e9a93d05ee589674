import type { Box, TrackPoint, UncertainSpan } from '../domain/redaction-plan.js';
import type { Chain } from './track-association.js';
import type { Timeline } from './track-points.js';

interface Unnumbered {
  readonly points: readonly TrackPoint[];
}

/** A track whose best sighting stays below this may be no person at all: the reviewer decides. */
const lowScore = 0.3;
/** A pause in the sightings from which on the filled-in boxes are a guess. */
const longGapS = 0.6;
/** A track seen over less time than this. */
const shortTrackS = 0.5;
/** Share of the smaller box that lies in the other one, from which on two people are hard to tell apart. */
const overlapShare = 0.5;
/** Spans of one reason that are nearer than this become one: a person has to look at each. */
const mergeS = 1;

/** The spans of each track that a person must look at, in order of time. Same order as `tracks`. */
export function findDoubts(
  tracks: readonly Unnumbered[],
  chains: readonly Chain[],
  timeline: Timeline,
): UncertainSpan[][] {
  const spans = tracks.map((track, index) => ownDoubts(track, chains[index], timeline));
  markOverlaps(tracks, spans, timeline);
  return spans.map((list) => merged(list, timeline));
}

function ownDoubts({ points }: Unnumbered, chain: Chain | undefined, timeline: Timeline): UncertainSpan[] {
  const [first, last] = [points[0], points.at(-1)];
  if (chain === undefined || first === undefined || last === undefined) return [];
  const { sightings } = chain;
  const spans: UncertainSpan[] = [];
  const add = (fromFrame: number, toFrame: number, reason: UncertainSpan['reason']): void => {
    spans.push({ fromFrame, toFrame, reason });
  };
  const seenS = (sightings.at(-1)?.timeS ?? 0) - (sightings[0]?.timeS ?? 0);
  if (Math.max(...sightings.map((sighting) => sighting.score)) < lowScore) {
    add(first.frame, last.frame + 1, 'low-score');
  } else if (seenS < shortTrackS) {
    add(first.frame, last.frame + 1, 'short-track');
  }
  for (const [at, sighting] of sightings.entries()) {
    const next = sightings[at + 1];
    if (next !== undefined && next.timeS - sighting.timeS > longGapS) add(sighting.frame + 1, next.frame, 'long-gap');
  }
  // Held boxes at the edge of the picture: where exactly somebody came in or went out is a guess.
  for (const point of points) {
    if (point.source === 'extended' && cutByEdge(point.box, timeline)) add(point.frame, point.frame + 1, 'edge');
  }
  return spans;
}

const cutByEdge = (box: Box, { width, height }: Timeline): boolean =>
  box.x < 0 || box.y < 0 || box.x + box.w > width || box.y + box.h > height;

/** Frame by frame, since only what is there at the same time can overlap; two people in one box are followed as one. */
function markOverlaps(tracks: readonly Unnumbered[], spans: UncertainSpan[][], timeline: Timeline): void {
  const order = tracks.map((_, index) => index).sort((a, b) => startOf(tracks[a]) - startOf(tracks[b]));
  let live: number[] = [];
  let next = 0;
  for (let frame = 0; frame < timeline.timesS.length; frame += 1) {
    for (let index = order[next]; index !== undefined && startOf(tracks[index]) <= frame; index = order[next]) {
      live.push(index);
      next += 1;
    }
    live = live.filter((index) => (tracks[index]?.points.at(-1)?.frame ?? -1) >= frame);
    for (const [position, one] of live.entries()) {
      for (const other of live.slice(position + 1)) {
        const [a, b] = [pointAt(tracks[one], frame), pointAt(tracks[other], frame)];
        if (a === undefined || b === undefined || sharedBySmaller(a.box, b.box) < overlapShare) continue;
        const span: UncertainSpan = { fromFrame: frame, toFrame: frame + 1, reason: 'overlap' };
        addTo(spans[one], span);
        addTo(spans[other], span);
      }
    }
  }
}

/** Lengthens the last span instead of adding one for each frame. */
function addTo(spans: UncertainSpan[] | undefined, span: UncertainSpan): void {
  const last = spans?.at(-1);
  if (last?.reason === span.reason && span.fromFrame <= last.toFrame) {
    spans?.splice(-1, 1, { ...last, toFrame: Math.max(last.toFrame, span.toFrame) });
  } else {
    spans?.push(span);
  }
}

const startOf = (track: Unnumbered | undefined): number => track?.points[0]?.frame ?? 0;

const pointAt = (track: Unnumbered | undefined, frame: number): TrackPoint | undefined =>
  track?.points[frame - startOf(track)];

function sharedBySmaller(a: Box, b: Box): number {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  return w <= 0 || h <= 0 ? 0 : (w * h) / Math.min(a.w * a.h, b.w * b.h);
}

function merged(spans: readonly UncertainSpan[], { timesS }: Timeline): UncertainSpan[] {
  const time = (frame: number): number => timesS[Math.min(frame, timesS.length - 1)] ?? 0;
  const result: UncertainSpan[] = [];
  const sorted = [...spans].sort((a, b) => a.reason.localeCompare(b.reason) || a.fromFrame - b.fromFrame);
  for (const span of sorted) {
    const last = result.at(-1);
    if (last?.reason === span.reason && time(span.fromFrame) - time(last.toFrame) < mergeS) {
      result[result.length - 1] = { ...last, toFrame: Math.max(last.toFrame, span.toFrame) };
    } else {
      result.push(span);
    }
  }
  // A stretch that has to be looked at anyway is not asked for twice: of spans within others only the outermost stays.
  const length = ({ fromFrame, toFrame }: UncertainSpan): number => toFrame - fromFrame;
  const outermost: UncertainSpan[] = [];
  for (const span of result.sort((a, b) => length(b) - length(a))) {
    if (!outermost.some((other) => other.fromFrame <= span.fromFrame && other.toFrame >= span.toFrame)) {
      outermost.push(span);
    }
  }
  return outermost.sort((a, b) => a.fromFrame - b.fromFrame);
}
