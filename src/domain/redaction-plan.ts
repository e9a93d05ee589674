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

/** A track that a reviewer lets be seen, in `[fromFrame, toFrame)`; whole track where the limits are left out. */
export interface KeepVisible {
  readonly trackId: number;
  readonly fromFrame?: number | undefined;
  readonly toFrame?: number | undefined;
}

/** A box drawn by a reviewer, in `[fromFrame, toFrame)`. */
export interface DrawnMask {
  readonly fromFrame: number;
  readonly toFrame: number;
  readonly box: Box;
}

/** What a reviewer decided. Default is nobody visible and nothing drawn. */
export interface MaskDecisions {
  readonly keepVisible: readonly KeepVisible[];
  readonly drawn: readonly DrawnMask[];
}

export const maskEveryone: MaskDecisions = { keepVisible: [], drawn: [] };

export interface RedactionPlan {
  readonly version: 1;
  readonly width: number;
  readonly height: number;
  readonly frameCount: number;
  readonly tracks: readonly Track[];
  readonly decisions: MaskDecisions;
}

/** An integer pixel rectangle, clipped to the picture, even-aligned so that 4:2:0 chroma is covered whole. */
export interface MaskRect {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

const isKept = (decisions: MaskDecisions, trackId: number, frame: number): boolean =>
  decisions.keepVisible.some(
    (keep) =>
      keep.trackId === trackId && frame >= (keep.fromFrame ?? 0) && frame < (keep.toFrame ?? Number.POSITIVE_INFINITY),
  );

/**
 * A box as the rectangle that is filled: outwards to even pixels and clipped; null where nothing of it is in the picture.
 * Outwards, because a rim of one chroma sample is enough to show hair or skin colour.
 */
export function toMaskRect(box: Box, width: number, height: number): MaskRect | null {
  const left = Math.max(0, Math.floor(box.x / 2) * 2);
  const top = Math.max(0, Math.floor(box.y / 2) * 2);
  const right = Math.min(width, Math.ceil((box.x + box.w) / 2) * 2);
  const bottom = Math.min(height, Math.ceil((box.y + box.h) / 2) * 2);
  return right > left && bottom > top ? { x: left, y: top, w: right - left, h: bottom - top } : null;
}

/**
 * The filled rectangles of every frame: `result[frame]`. A kept track is simply not filled; where another track's box
 * overlaps it, that box is filled all the same, so keeping one person visible never uncovers another.
 */
export function masksByFrame(plan: RedactionPlan): MaskRect[][] {
  const masks: MaskRect[][] = Array.from({ length: plan.frameCount }, () => []);
  const add = (frame: number, box: Box): void => {
    const rect = toMaskRect(box, plan.width, plan.height);
    if (rect !== null) masks[frame]?.push(rect);
  };
  for (const track of plan.tracks) {
    for (const point of pointsOf(track, 0, plan.frameCount)) {
      if (!isKept(plan.decisions, track.id, point.frame)) add(point.frame, point.box);
    }
  }
  for (const drawn of plan.decisions.drawn) {
    const to = Math.min(drawn.toFrame, plan.frameCount);
    for (let frame = Math.max(0, drawn.fromFrame); frame < to; frame += 1) add(frame, drawn.box);
  }
  return masks;
}
