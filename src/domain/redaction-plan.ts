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

/** Where a box of a track comes from: seen by the detector, filled in between two sightings, or held before/after them. */
export type PointSource = 'detected' | 'interpolated' | 'extended';

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
  readonly reason: 'low-score' | 'long-gap' | 'short-track' | 'edge' | 'overlap';
}

/** One person (or other masked thing) through time: one point for every frame from first to last, without holes. */
export interface Track {
  readonly id: number;
  readonly kind: 'person' | 'vehicle';
  readonly points: readonly TrackPoint[];
  readonly uncertain: readonly UncertainSpan[];
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
    for (const point of track.points) {
      if (!isKept(plan.decisions, track.id, point.frame)) add(point.frame, point.box);
    }
  }
  for (const drawn of plan.decisions.drawn) {
    const to = Math.min(drawn.toFrame, plan.frameCount);
    for (let frame = Math.max(0, drawn.fromFrame); frame < to; frame += 1) add(frame, drawn.box);
  }
  return masks;
}
