/** What a motion model says of a frame, and how it is asked. Cells and pixels meet here and nowhere else. */
import type { MotionLook } from '../platform/native.js';
import type { Edges } from './track-geometry.js';

/** Of a cell, from which on it counts as not empty: a quarter. */
const cellCounts = 64;

/** One frame's grid with the boxes that explain it. */
export interface Grid {
  readonly cols: number;
  readonly rows: number;
  /** Pixels of the picture in a cell. */
  readonly cellWidth: number;
  readonly cellHeight: number;
  readonly foreground: Uint8Array;
  readonly moving: Uint8Array;
}

/** Null where the model says of itself that it does not know the scene. */
export function gridOf(motion: MotionLook | null, picture: { width: number; height: number }): Grid | null {
  if (motion === null || !motion.reliable || motion.lightChanged) return null;
  const { cols, rows } = motion;
  return {
    cols,
    rows,
    cellWidth: picture.width / cols,
    cellHeight: picture.height / rows,
    // Copies: the caller may fill its arrays again.
    foreground: motion.foreground.slice(),
    moving: motion.moving.slice(),
  };
}

/** Half-open ranges of cells whose middles lie in a box. */
export function cellsIn({ cols, rows, cellWidth, cellHeight }: Grid, edges: Edges): Edges {
  const low = (value: number, size: number, end: number): number =>
    Math.min(end, Math.max(0, Math.ceil(value / size - 0.5)));
  return [
    low(edges[0], cellWidth, cols),
    low(edges[1], cellHeight, rows),
    low(edges[2], cellWidth, cols),
    low(edges[3], cellHeight, rows),
  ];
}

/** What a box explains of the motion around it: feet and hands reach out of it, and so does what a low resolution smears. */
export function explainedBy({ cellWidth, cellHeight }: Grid, edges: Edges): Edges {
  const dx = 0.15 * (edges[2] - edges[0]) + 0.75 * cellWidth;
  const dy = 0.05 * (edges[3] - edges[1]) + 0.75 * cellHeight;
  return [edges[0] - dx, edges[1] - dy, edges[2] + dx, edges[3] + dy];
}

/** Who covers which cell: 0 nobody, n the box `n - 1`, -1 several. */
export function coverOf(grid: Grid, boxes: readonly (Edges | null)[]): Int16Array {
  const cover = new Int16Array(grid.cols * grid.rows);
  for (const [index, edges] of boxes.entries()) {
    if (edges === null) continue;
    const [left, top, right, bottom] = cellsIn(grid, edges);
    for (let row = top; row < bottom; row += 1) {
      for (let at = row * grid.cols + left; at < row * grid.cols + right; at += 1) {
        cover[at] = cover[at] === 0 ? index + 1 : -1;
      }
    }
  }
  return cover;
}

export interface Found {
  /** In pixels. */
  readonly bounds: Edges;
  /** In whole cells. */
  readonly mass: number;
  readonly moving: number;
}

/** The foreground in a region that only `owner` may cover; null where there is none. */
export function foregroundIn(grid: Grid, region: Edges, cover: Int16Array, owner: number): Found | null {
  const [left, top, right, bottom] = cellsIn(grid, region);
  let [l, t, r, b, mass, moving] = [right, bottom, left, top, 0, 0];
  for (let row = top; row < bottom; row += 1) {
    for (let col = left; col < right; col += 1) {
      const at = row * grid.cols + col;
      const share = grid.foreground[at] ?? 0;
      const by = cover[at] ?? 0;
      if (share < cellCounts || (by !== 0 && by !== owner)) continue;
      mass += share / 255;
      moving += (grid.moving[at] ?? 0) / 255;
      [l, t, r, b] = [Math.min(l, col), Math.min(t, row), Math.max(r, col + 1), Math.max(b, row + 1)];
    }
  }
  if (mass === 0) return null;
  const { cellWidth, cellHeight } = grid;
  return { bounds: [l * cellWidth, t * cellHeight, r * cellWidth, b * cellHeight], mass, moving };
}

export interface Blob extends Found {
  /** Index of a box that it touches; -1 where there is none. */
  readonly beside: number;
}

/** Connected foreground that nobody covers. Cells one apart, upright, are connected: a body is often seen in pieces. */
export function blobsIn(grid: Grid, cover: Int16Array, leastMass: number): Blob[] {
  const { cols, rows, foreground, moving, cellWidth, cellHeight } = grid;
  const done = new Uint8Array(cols * rows);
  const isFree = (at: number): boolean => cover[at] === 0 && (foreground[at] ?? 0) >= cellCounts;
  const blobs: Blob[] = [];
  const queue: number[] = [];
  for (let start = 0; start < done.length; start += 1) {
    if (done[start] === 1 || !isFree(start)) continue;
    let [l, t, r, b, mass, moved, beside] = [cols, rows, 0, 0, 0, 0, -1];
    done[start] = 1;
    queue.push(start);
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      const [col, row] = [at % cols, Math.floor(at / cols)];
      mass += (foreground[at] ?? 0) / 255;
      moved += (moving[at] ?? 0) / 255;
      [l, t, r, b] = [Math.min(l, col), Math.min(t, row), Math.max(r, col + 1), Math.max(b, row + 1)];
      for (let y = Math.max(0, row - 2); y <= Math.min(rows - 1, row + 2); y += 1) {
        for (let x = Math.max(0, col - 1); x <= Math.min(cols - 1, col + 1); x += 1) {
          const next = y * cols + x;
          const by = cover[next] ?? 0;
          if (by > 0 && Math.abs(y - row) <= 1) beside = by - 1;
          if (done[next] === 1 || !isFree(next)) continue;
          done[next] = 1;
          queue.push(next);
        }
      }
    }
    if (mass < leastMass) continue;
    const bounds: Edges = [l * cellWidth, t * cellHeight, r * cellWidth, b * cellHeight];
    blobs.push({ bounds, mass, moving: moved, beside });
  }
  return blobs;
}

/** Of the picture, what is foreground and nobody covers. */
export function unexplainedShare({ foreground }: Grid, cover: Int16Array): number {
  let count = 0;
  for (let at = 0; at < cover.length; at += 1) if (cover[at] === 0 && (foreground[at] ?? 0) >= cellCounts) count += 1;
  return count / Math.max(1, cover.length);
}
