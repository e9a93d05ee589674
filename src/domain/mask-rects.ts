/** Integer rectangles that are filled, and what they leave visible. */
import type { Box } from './redaction-plan.js';

/** Pixels, clipped to the picture, even-aligned so that 4:2:0 chroma is covered whole (or at an odd edge of the picture). */
export interface MaskRect {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

const rectOf = (left: number, top: number, right: number, bottom: number): MaskRect | null =>
  right > left && bottom > top ? { x: left, y: top, w: right - left, h: bottom - top } : null;

// Whole numbers first: halving the smallest of doubles gives 0, and would round the wrong way.
const evenBelow = (value: number): number => Math.floor(Math.floor(value) / 2) * 2;
const evenAbove = (value: number): number => Math.ceil(Math.ceil(value) / 2) * 2;

/**
 * A box as the rectangle that is filled: outwards to even pixels and clipped; null where nothing of it is in the picture.
 * Outwards, because a rim of one chroma sample is enough to show hair or skin colour.
 */
export const toMaskRect = ({ x, y, w, h }: Box, width: number, height: number): MaskRect | null =>
  rectOf(
    Math.max(0, evenBelow(x)),
    Math.max(0, evenBelow(y)),
    Math.min(width, evenAbove(x + w)),
    Math.min(height, evenAbove(y + h)),
  );

/**
 * A box as the hole that is left in a covered picture: inwards to even pixels, so that no sample of colour beyond it shows.
 * At the edge of the picture there is nothing beyond. Null where too little of it is in the picture.
 */
export const toHole = ({ x, y, w, h }: Box, width: number, height: number): MaskRect | null =>
  rectOf(
    evenAbove(Math.max(0, x)),
    evenAbove(Math.max(0, y)),
    x + w >= width ? width : evenBelow(x + w),
    y + h >= height ? height : evenBelow(y + h),
  );

/** Pixels of `box` that `rect` covers. */
export function sharedArea(box: Box, rect: MaskRect): number {
  const w = Math.min(box.x + box.w, rect.x + rect.w) - Math.max(box.x, rect.x);
  const h = Math.min(box.y + box.h, rect.y + rect.h) - Math.max(box.y, rect.y);
  return w > 0 && h > 0 ? w * h : 0;
}

/** Distinct, ascending, without what lies outside of 0 to `end`; 0 and `end` are among them. */
const edgesOf = (edges: readonly number[], end: number): number[] =>
  [...new Set([0, ...edges, end])].filter((edge) => edge >= 0 && edge <= end).sort((a, b) => a - b);

/**
 * Tiles, none over another, of everything that is in no hole or under a cover: covers win over holes. Bands from top to
 * bottom, each cut where a hole or a cover begins or ends; equal bands are one.
 */
export function tilesAround(
  holes: readonly MaskRect[],
  covers: readonly MaskRect[],
  width: number,
  height: number,
): MaskRect[] {
  const over = covers.filter((cover) => holes.some((hole) => sharedArea(hole, cover) > 0));
  const rows = edgesOf(
    [...holes, ...over].flatMap(({ y, h }) => [y, y + h]),
    height,
  );
  const tiles: MaskRect[] = [];
  let band: { y: number; spans: readonly (readonly [number, number])[] } = { y: 0, spans: [] };
  const close = (bottom: number): void => {
    for (const [from, to] of band.spans) tiles.push({ x: from, y: band.y, w: to - from, h: bottom - band.y });
  };
  for (const [index, top] of rows.slice(0, -1).entries()) {
    const inRow = ({ y, h }: MaskRect): boolean => y <= top && y + h > top;
    const spans = coveredSpans(holes.filter(inRow), over.filter(inRow), width);
    if (index > 0 && String(spans) === String(band.spans)) continue;
    close(top);
    band = { y: top, spans };
  }
  close(height);
  return tiles;
}

/** Of one band: where it is covered, from left to right. */
function coveredSpans(holes: readonly MaskRect[], over: readonly MaskRect[], width: number): [number, number][] {
  const columns = edgesOf(
    [...holes, ...over].flatMap(({ x, w }) => [x, x + w]),
    width,
  );
  const spans: [number, number][] = [];
  for (const [index, left] of columns.slice(0, -1).entries()) {
    const right = columns[index + 1] ?? width;
    const at = ({ x, w }: MaskRect): boolean => x <= left && x + w > left;
    if (holes.some(at) && !over.some(at)) continue;
    const last = spans.at(-1);
    if (last?.[1] === left) last[1] = right;
    else spans.push([left, right]);
  }
  return spans;
}
