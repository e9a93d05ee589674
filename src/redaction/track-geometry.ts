/** Boxes as edges, and what the tracker computes with them. Pure. */
import type { Box } from '../domain/redaction-plan.js';

/** Left, top, right, bottom in pixels. All arithmetic on shapes is per edge. */
export type Edges = readonly [left: number, top: number, right: number, bottom: number];
export type EdgeIndex = 0 | 1 | 2 | 3;

export const edgesOf = (box: Box): Edges => [box.x, box.y, box.x + box.w, box.y + box.h];
export const boxOf = ([left, top, right, bottom]: Edges): Box => ({
  x: left,
  y: top,
  w: right - left,
  h: bottom - top,
});
export const perEdge = (of: (edge: EdgeIndex) => number): Edges => [of(0), of(1), of(2), of(3)];
export const further = (edge: EdgeIndex, a: number, b: number): number => (edge < 2 ? Math.min(a, b) : Math.max(a, b));
export const union = (a: Edges, b: Edges): Edges => perEdge((edge) => further(edge, a[edge], b[edge]));
export const mix = (a: Edges, b: Edges, share: number): Edges =>
  perEdge((edge) => a[edge] + (b[edge] - a[edge]) * share);
export const shifted = (edges: Edges, dx: number, dy: number): Edges => [
  edges[0] + dx,
  edges[1] + dy,
  edges[2] + dx,
  edges[3] + dy,
];

/** Wider by a share of its own size on every side. */
export function widened(edges: Edges, share: number): Edges {
  const [dx, dy] = [(edges[2] - edges[0]) * share, (edges[3] - edges[1]) * share];
  return [edges[0] - dx, edges[1] - dy, edges[2] + dx, edges[3] + dy];
}

export const areaOf = (edges: Edges): number => Math.max(0, edges[2] - edges[0]) * Math.max(0, edges[3] - edges[1]);

export function sharedArea(a: Edges, b: Edges): number {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return w <= 0 || h <= 0 ? 0 : w * h;
}

export function intersectionOverUnion(a: Box, b: Box): number {
  const shared = sharedArea(edgesOf(a), edgesOf(b));
  return shared === 0 ? 0 : shared / (a.w * a.h + b.w * b.h - shared);
}

/** How much of the smaller one lies in the other. */
export const shareOfSmaller = (a: Edges, b: Edges): number =>
  sharedArea(a, b) / Math.max(1e-9, Math.min(areaOf(a), areaOf(b)));

export function around(a: Box, b: Box): Box {
  return boxOf(union(edgesOf(a), edgesOf(b)));
}

interface Picture {
  readonly width: number;
  readonly height: number;
}

/** Whether a box is cut by the edge of the picture, or as good as. */
export function atEdge(edges: Edges, { width, height }: Picture, slack = 0.02): boolean {
  const [dx, dy] = [(edges[2] - edges[0]) * slack, (edges[3] - edges[1]) * slack];
  return edges[0] < dx || edges[1] < dy || edges[2] > width - dx || edges[3] > height - dy;
}
