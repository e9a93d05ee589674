/** Where keeping somebody visible shows less of them than was asked for, since the mask of somebody else lies over them. */
import { modeOf } from './mask-decisions.js';
import { sharedArea, toMaskRect } from './mask-rects.js';
import {
  firstFrameOf,
  knotLength,
  lastFrameOf,
  type Box,
  type KeepVisible,
  type RedactionPlan,
  type Track,
} from './redaction-plan.js';

/** Frames `[fromFrame, toFrame)` in which the mask of `otherId` covers part of the kept `keptId`. */
export interface Overlap {
  readonly keptId: number;
  readonly otherId: number;
  readonly fromFrame: number;
  readonly toFrame: number;
  /** Of the kept box, where it is covered most, from 0 to 1. */
  readonly share: number;
}

/** Half-open. */
interface Stretch {
  readonly fromFrame: number;
  readonly toFrame: number;
}

/**
 * By first frame, then by track. Not a look at every track in every frame, which for an hour of a busy camera are millions:
 * between two knots a box stays within what it covers at both ends, so that pairs that are apart there are passed over at
 * once, and only frames in which they may touch are looked at.
 */
export function overlapsIn(
  plan: RedactionPlan,
  range: { readonly firstFrame: number; readonly endFrame: number } = { firstFrame: 0, endFrame: plan.frameCount },
): Overlap[] {
  const kept = keptStretches(plan.decisions.keepVisible);
  if (kept.size === 0) return [];
  // Of the mode `people`, unexplained motion is no part at all; around a hole, who lies over whom is the same.
  const takesPart = ({ kind }: Track): boolean => kind !== 'motion' || modeOf(plan.decisions) !== 'people';
  const tracks = plan.tracks.filter(takesPart).sort((a, b) => firstFrameOf(a) - firstFrameOf(b));
  const whole = { fromFrame: range.firstFrame, toFrame: range.endFrame };
  const overlaps: Overlap[] = [];
  for (const shown of tracks) {
    for (const stretch of kept.get(shown.id) ?? []) {
      const seen = shared(shared(stretch, lifeOf(shown)), whole);
      for (const other of tracks) {
        if (firstFrameOf(other) >= seen.toFrame) break;
        // Who is kept too has no mask there.
        for (const masked of without(shared(seen, lifeOf(other)), kept.get(other.id) ?? []))
          addOverlaps(overlaps, shown, other, masked, plan);
      }
    }
  }
  return overlaps.sort((a, b) => a.fromFrame - b.fromFrame || a.keptId - b.keptId || a.otherId - b.otherId);
}

const lifeOf = (track: Track): Stretch => ({ fromFrame: firstFrameOf(track), toFrame: lastFrameOf(track) + 1 });

/** With `toFrame` not after `fromFrame` where they share nothing. */
const shared = (a: Stretch, b: Stretch): Stretch => ({
  fromFrame: Math.max(a.fromFrame, b.fromFrame),
  toFrame: Math.min(a.toFrame, b.toFrame),
});

/** By track: when it is kept, in order, with a gap between any two. */
function keptStretches(keepVisible: readonly KeepVisible[]): ReadonlyMap<number, readonly Stretch[]> {
  const byTrack = new Map<number, Stretch[]>();
  const ordered = keepVisible
    .map(({ trackId, fromFrame = 0, toFrame = Infinity }) => ({ trackId, fromFrame, toFrame }))
    .sort((a, b) => a.fromFrame - b.fromFrame);
  for (const { trackId, fromFrame, toFrame } of ordered) {
    const stretches = byTrack.get(trackId) ?? [];
    byTrack.set(trackId, stretches);
    const last = stretches.at(-1);
    if (last === undefined || fromFrame > last.toFrame) stretches.push({ fromFrame, toFrame });
    else stretches[stretches.length - 1] = { ...last, toFrame: Math.max(last.toFrame, toFrame) };
  }
  return byTrack;
}

/** What is left of a stretch. */
function without({ fromFrame, toFrame }: Stretch, gone: readonly Stretch[]): Stretch[] {
  const left: Stretch[] = [];
  let at = fromFrame;
  for (const { fromFrame: from, toFrame: to } of gone) {
    if (from >= toFrame) break;
    if (from > at) left.push({ fromFrame: at, toFrame: from });
    at = Math.max(at, to);
  }
  if (at < toFrame) left.push({ fromFrame: at, toFrame });
  return left;
}

type Growing = { -readonly [K in keyof Overlap]: Overlap[K] };

/** A mask reaches over its box to even pixels, by less than two; one more is for what rounding does to a straight line. */
const reach = 3;

function addOverlaps(
  overlaps: Overlap[],
  shown: Track,
  other: Track,
  { fromFrame, toFrame }: Stretch,
  { width, height }: Pick<RedactionPlan, 'width' | 'height'>,
): void {
  const picture = { x: 0, y: 0, w: width, h: height };
  const [one, two] = [new Walk(shown.path), new Walk(other.path)];
  let span: Growing | undefined;
  for (let frame = fromFrame; frame < toFrame;) {
    one.enter(frame);
    two.enter(frame);
    const end = Math.min(toFrame, one.legEnd, two.legEnd);
    if (one.isApartFrom(two, reach)) frame = end;
    for (; frame < end; frame += 1) {
      const box = one.at(frame);
      const mask = toMaskRect(two.at(frame), width, height);
      const covered = mask === null ? 0 : sharedArea(box, mask);
      if (covered <= 0) continue;
      const share = Math.min(1, covered / sharedArea(box, picture));
      if (span?.toFrame !== frame) {
        span = { keptId: shown.id, otherId: other.id, fromFrame: frame, toFrame: frame, share: 0 };
        overlaps.push(span);
      }
      span.toFrame = frame + 1;
      // Never rounded to nothing.
      span.share = Math.max(span.share, Math.round(share * 1000) / 1000, 0.001);
    }
  }
}

/**
 * The boxes of a path, forwards, as `pointAt` gives them. Written for speed: nothing is searched, and no object is made for a
 * leg - the way from one knot to the next - or for a frame.
 */
class Walk {
  readonly #path: readonly number[];
  /** Where the knots of the leg stand in the path; the same one twice at the end. */
  #from = 0;
  #to = 0;
  /** The frame in which the next leg begins; of the last knot, the one after it. */
  legEnd = -Infinity;
  readonly #box = { x: 0, y: 0, w: 0, h: 0 };
  constructor(path: readonly number[]) {
    this.#path = path;
  }

  /** The leg that holds `frame`, which is not before that of the last call and not beyond the path. */
  enter(frame: number): void {
    if (frame < this.legEnd) return;
    const path = this.#path;
    // Mostly the next one; the first time it may be anywhere in an hour.
    if ((path[this.#to + knotLength] ?? Infinity) > frame) this.#from = this.#to;
    else {
      let [low, high] = [this.#to / knotLength, path.length / knotLength];
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (this.#value(middle * knotLength, 0) <= frame) low = middle;
        else high = middle;
      }
      this.#from = low * knotLength;
    }
    const next = path[this.#from + knotLength];
    this.#to = next === undefined ? this.#from : this.#from + knotLength;
    this.legEnd = next ?? Infinity;
  }

  #value(knot: number, at: number): number {
    return this.#path[knot + at] ?? 0;
  }
  get #left(): number {
    return Math.min(this.#value(this.#from, 1), this.#value(this.#to, 1));
  }
  get #top(): number {
    return Math.min(this.#value(this.#from, 2), this.#value(this.#to, 2));
  }
  get #right(): number {
    const [from, to] = [this.#from, this.#to];
    return Math.max(this.#value(from, 1) + this.#value(from, 3), this.#value(to, 1) + this.#value(to, 3));
  }
  get #bottom(): number {
    const [from, to] = [this.#from, this.#to];
    return Math.max(this.#value(from, 2) + this.#value(from, 4), this.#value(to, 2) + this.#value(to, 4));
  }

  /** Whether on these legs the two are never nearer than `distance`: each edge moves straight, so its ends say where it is at most. */
  isApartFrom(other: Walk, distance: number): boolean {
    return (
      this.#left >= other.#right + distance ||
      other.#left >= this.#right + distance ||
      this.#top >= other.#bottom + distance ||
      other.#top >= this.#bottom + distance
    );
  }

  /** The box in a frame of the leg; written over by the next call. */
  at(frame: number): Readonly<Box> {
    const [box, from, to] = [this.#box, this.#from, this.#to];
    const [x, y, w, h] = [this.#value(from, 1), this.#value(from, 2), this.#value(from, 3), this.#value(from, 4)];
    const before = this.#value(from, 0);
    box.x = x;
    box.y = y;
    box.w = w;
    box.h = h;
    if (frame === before) return box;
    const share = (frame - before) / (this.#value(to, 0) - before);
    box.x += (this.#value(to, 1) - x) * share;
    box.y += (this.#value(to, 2) - y) * share;
    box.w = x + w + (this.#value(to, 1) + this.#value(to, 3) - (x + w)) * share - box.x;
    box.h = y + h + (this.#value(to, 2) + this.#value(to, 4) - (y + h)) * share - box.y;
    return box;
  }
}
