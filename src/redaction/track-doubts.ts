/** What of a track a person must look at before release. */
import type { UncertainSpan } from '../domain/redaction-plan.js';
import { lastOf, type Chain, type Moment } from './track-chain.js';
import { atEdge } from './track-geometry.js';
import type { Believed } from './track-shape.js';

/** A track whose best sighting stays below this may be no person at all: the reviewer decides. */
const lowScore = 0.3;
/** A pause in the sightings from which on the filled-in boxes are a guess: so long, and so many looks that saw nothing. */
const longGapS = 0.6;
const longGapLooks = 2;
/** Somebody held so long without being seen at all. */
const longHoldS = 1;
/** A track seen fewer times. */
const fewSightings = 3;
/** Spans of one reason that are nearer than this become one: a person has to look at each. */
const mergeS = 2;

type TimeOf = (frame: number) => number;

/** Adds a span to those of a chain; what comes soon after another of its reason lengthens that, so that few are kept. */
export function addDoubt({ record: { doubts } }: Chain, span: UncertainSpan, timeOf: TimeOf): void {
  const index = doubts.findLastIndex(({ reason }) => reason === span.reason);
  const known = doubts[index];
  const near =
    known !== undefined &&
    known.fromFrame <= span.fromFrame &&
    timeOf(span.fromFrame) - timeOf(Math.min(known.toFrame, span.fromFrame)) < mergeS;
  if (near) doubts[index] = { ...known, toFrame: Math.max(span.toFrame, known.toFrame) };
  else doubts.push(span);
}

/** Adds what is doubtful in one frame. */
export function noteDoubts(
  chain: Chain,
  at: Moment,
  { source, edges }: Believed,
  picture: { width: number; height: number; timeOf: TimeOf },
): void {
  const { sightings } = chain;
  const add = (reason: UncertainSpan['reason'], fromFrame: number, toFrame: number): void => {
    addDoubt(chain, { fromFrame, toFrame, reason }, picture.timeOf);
  };
  if (source === 'interpolated') {
    const index = sightings.findLastIndex(({ frame }) => frame < at.frame);
    const [before, after] = [sightings[index], sightings[index + 1]];
    if (before === undefined || after === undefined) return;
    if (after.timeS - before.timeS > longGapS && after.look - before.look > longGapLooks) {
      add('long-gap', before.frame + 1, after.frame);
    }
  } else if (source === 'extended') {
    // Where exactly somebody came in or went out is a guess, unless the motion model sees that nothing is left there.
    if (atEdge(edges, picture, 0) && !chain.watched) add('edge', at.frame, at.frame + 1);
    else if (at.timeS - lastOf(chain).timeS > longHoldS && chain.followed.length > 0) {
      add('long-gap', at.frame, at.frame + 1);
    }
  }
}

/** In order of time, in the frames of the track. */
export function doubtsOf(
  { record }: Chain,
  firstFrame: number,
  lastFrame: number,
  picture: { timeOf: TimeOf },
): UncertainSpan[] {
  const spans = record.doubts
    .map((span) => ({
      ...span,
      fromFrame: Math.max(firstFrame, span.fromFrame),
      toFrame: Math.min(lastFrame + 1, span.toFrame),
    }))
    .filter((span) => span.toFrame > span.fromFrame);
  const whole = { fromFrame: firstFrame, toFrame: lastFrame + 1 };
  if (record.bestScore < lowScore) spans.push({ ...whole, reason: 'low-score' });
  else if (record.sightings < fewSightings) spans.push({ ...whole, reason: 'short-track' });
  return merged(spans, (frame) => picture.timeOf(Math.min(frame, lastFrame)));
}

function merged(spans: readonly UncertainSpan[], timeOf: TimeOf): UncertainSpan[] {
  const result: UncertainSpan[] = [];
  const sorted = [...spans].sort((a, b) => a.reason.localeCompare(b.reason) || a.fromFrame - b.fromFrame);
  for (const span of sorted) {
    const last = result.at(-1);
    if (last?.reason === span.reason && timeOf(span.fromFrame) - timeOf(last.toFrame) < mergeS) {
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
