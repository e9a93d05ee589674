/**
 * What is covered in a masked copy, frame by frame. Pure and serialisable: the same plan on the same footage gives the same
 * masks, so that a plan can be hashed, approved and rendered later.
 *
 * Coordinates are pixels of the upright picture (after the rotation flag), origin at the top left, as floats; a box covers
 * `x <= px < x + w`. Frames count from 0 in presentation order.
 */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/**
 * Where a box of a track comes from: seen by the detector, filled in between two sightings, held before or after them, or
 * seen as something that is not the empty scene. The order is that of the numbers in `Track.path`.
 */
export const pointSources = ['detected', 'interpolated', 'extended', 'motion'] as const;
export type PointSource = (typeof pointSources)[number];

export interface TrackPoint {
  readonly frame: number;
  readonly box: Box;
  readonly score: number;
  readonly source: PointSource;
}

/** A stretch of a track that a person must look at before release. Half-open in frames. */
export interface UncertainSpan {
  readonly fromFrame: number;
  readonly toFrame: number;
  readonly reason: 'low-score' | 'long-gap' | 'short-track' | 'edge' | 'overlap' | 'unexplained-motion';
}

/**
 * One thing that is masked, through time: a person, a vehicle, or something that moved and that no detector explains. It has
 * a box in every frame from its first knot to its last, without holes: between two knots each edge moves on a straight line.
 */
export interface Track {
  readonly id: number;
  readonly kind: 'person' | 'vehicle' | 'motion';
  /**
   * Knots, `knotLength` numbers each: frame, x, y, w, h, score, index in `pointSources`; frames ascending. Flat, because an
   * hour of a busy camera has hundreds of thousands of knots, which as objects would take a hundred megabytes.
   */
  readonly path: readonly number[];
  readonly uncertain: readonly UncertainSpan[];
}

export const knotLength = 7;

const knotAt = (path: readonly number[], at: number): TrackPoint => ({
  frame: path[at] ?? 0,
  box: { x: path[at + 1] ?? 0, y: path[at + 2] ?? 0, w: path[at + 3] ?? 0, h: path[at + 4] ?? 0 },
  score: path[at + 5] ?? 0,
  source: pointSources[path[at + 6] ?? 0] ?? 'interpolated',
});

export const knotsOf = ({ path }: Pick<Track, 'path'>): TrackPoint[] =>
  Array.from({ length: path.length / knotLength }, (_, knot) => knotAt(path, knot * knotLength));

export const pathOf = (knots: readonly TrackPoint[]): number[] =>
  knots.flatMap(({ frame, box, score, source }) => [
    frame,
    box.x,
    box.y,
    box.w,
    box.h,
    score,
    pointSources.indexOf(source),
  ]);

export const firstFrameOf = ({ path }: Pick<Track, 'path'>): number => path[0] ?? 0;
export const lastFrameOf = ({ path }: Pick<Track, 'path'>): number => path[path.length - knotLength] ?? -1;

/** Between two knots a box is what it is at both, if that is a guess anyway; else it is filled in. */
function between(before: TrackPoint, after: TrackPoint, frame: number): TrackPoint {
  if (frame === before.frame) return before;
  if (frame === after.frame) return after;
  const share = (frame - before.frame) / (after.frame - before.frame);
  const mix = (a: number, b: number): number => a + (b - a) * share;
  const [left, top] = [mix(before.box.x, after.box.x), mix(before.box.y, after.box.y)];
  const right = mix(before.box.x + before.box.w, after.box.x + after.box.w);
  const bottom = mix(before.box.y + before.box.h, after.box.y + after.box.h);
  return {
    frame,
    box: { x: left, y: top, w: right - left, h: bottom - top },
    score: Math.min(before.score, after.score),
    source: before.source === after.source && before.source !== 'detected' ? before.source : 'interpolated',
  };
}

/** Where a track is in one frame; null outside of it. */
export function pointAt({ path }: Pick<Track, 'path'>, frame: number): TrackPoint | null {
  let [low, high] = [0, path.length / knotLength - 1];
  if (high < 0 || frame < (path[0] ?? 0) || frame > (path[high * knotLength] ?? -1)) return null;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((path[middle * knotLength] ?? 0) <= frame) low = middle;
    else high = middle;
  }
  return between(knotAt(path, low * knotLength), knotAt(path, high * knotLength), frame);
}

/** A box for every frame of a track that lies in `[firstFrame, endFrame)`, in order. */
export function* pointsOf({ path }: Pick<Track, 'path'>, firstFrame = 0, endFrame = Infinity): Generator<TrackPoint> {
  for (let at = 0; at < path.length; at += knotLength) {
    const knot = knotAt(path, at);
    const next = at + knotLength < path.length ? knotAt(path, at + knotLength) : null;
    const end = Math.min(endFrame, next?.frame ?? knot.frame + 1);
    for (let frame = Math.max(firstFrame, knot.frame); frame < end; frame += 1) {
      yield next === null ? knot : between(knot, next, frame);
    }
  }
}

/** The part of a path in `[firstFrame, endFrame)`: the same boxes in the same frames. Empty where there is none. */
export function clipPath(track: Pick<Track, 'path'>, firstFrame: number, endFrame: number): number[] {
  const from = Math.max(firstFrame, firstFrameOf(track));
  const last = Math.min(endFrame - 1, lastFrameOf(track));
  const [begin, end] = [pointAt(track, from), pointAt(track, last)];
  if (last < from || begin === null || end === null) return [];
  const inside = knotsOf(track).filter(({ frame }) => frame > from && frame < last);
  return pathOf(last === from ? [begin] : [begin, ...inside, end]);
}

/**
 * What is covered besides what a reviewer draws and the fixed zones. `people-and-motion`: every track. `people`: every track
 * but those of unexplained motion. `whole-frame`: the whole picture, but the boxes of the kept tracks.
 */
export const maskModes = ['people-and-motion', 'people', 'whole-frame'] as const;
export type MaskMode = (typeof maskModes)[number];

/**
 * A track, of any kind, that a reviewer lets be seen, in `[fromFrame, toFrame)`; the whole track where the limits are left
 * out. Of one of unexplained motion: it was looked at and hides nobody.
 */
export interface KeepVisible {
  readonly trackId: number;
  readonly fromFrame?: number | undefined;
  readonly toFrame?: number | undefined;
}

/** A box drawn by a reviewer, in `[fromFrame, toFrame)`. A longer way is several of them, one after another. */
export interface DrawnMask {
  readonly fromFrame: number;
  readonly toFrame: number;
  readonly box: Box;
  /** Where it is in its last frame: it moves there on a straight line. It stands still where left out. */
  readonly toBox?: Box | undefined;
}

/** What a reviewer decided. Default is nobody visible and nothing drawn. */
export interface MaskDecisions {
  /** `people-and-motion` where left out, as in decisions of before there was a choice. */
  readonly mode?: MaskMode | undefined;
  readonly keepVisible: readonly KeepVisible[];
  readonly drawn: readonly DrawnMask[];
}

export const maskEveryone: MaskDecisions = { keepVisible: [], drawn: [] };

/**
 * A part of what a camera sees that never shows, such as a neighbour's window. In shares of the upright picture, from 0 to
 * 1, so that it stays where it is when the camera changes its resolution.
 */
export interface Zone {
  readonly name: string;
  readonly kind: 'always-mask';
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface RedactionPlan {
  readonly version: 2;
  readonly width: number;
  readonly height: number;
  readonly frameCount: number;
  readonly tracks: readonly Track[];
  readonly zones: readonly Zone[];
  readonly decisions: MaskDecisions;
}
