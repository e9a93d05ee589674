import { makeCanvas, type Canvas, type Colour } from './canvas.js';

/** A point in metres: x to the right, y up from the ground, z away from the camera's foot. */
export type Point = readonly [number, number, number];

/** A camera above the origin of the ground, looking along z and tilted down. */
export interface View {
  readonly width: number;
  readonly height: number;
  readonly heightM: number;
  readonly tiltDownRad: number;
  /** Focal length in pixels. */
  readonly focalPx: number;
}

export interface Projected {
  readonly x: number;
  readonly y: number;
  readonly depthM: number;
  /** Pixels that one metre takes at this distance. */
  readonly pxPerM: number;
}

/** Where a point appears in the picture. Pixels; also outside the picture, but only in front of the camera. */
export function project(view: View, [x, y, z]: Point): Projected {
  const sin = Math.sin(view.tiltDownRad);
  const cos = Math.cos(view.tiltDownRad);
  const up = y - view.heightM;
  const depthM = Math.max(0.1, z * cos - up * sin);
  const pxPerM = view.focalPx / depthM;
  return { x: view.width / 2 + x * pxPerM, y: view.height / 2 - (up * cos + z * sin) * pxPerM, depthM, pxPerM };
}

/** The direction in which a pixel looks, in world axes; its length along the optical axis is 1. */
function rayOf(view: View, px: number, py: number): Point {
  const right = (px - view.width / 2) / view.focalPx;
  const down = (py - view.height / 2) / view.focalPx;
  const sin = Math.sin(view.tiltDownRad);
  const cos = Math.cos(view.tiltDownRad);
  return [right, -down * cos - sin, cos - down * sin];
}

/** The colour of a surface at a point; `face` is the axis it faces: x, y (up or down) or z (towards the camera). */
export type Texture = (point: Point, face: 'x' | 'y' | 'z') => Colour;

/** Everything that stands still is made of axis-aligned blocks: floor, walls, desk, pillars, cars. */
export interface Block {
  readonly min: Point;
  readonly max: Point;
  readonly texture: Texture;
}

const axes = [0, 1, 2] as const;
const faces = ['x', 'y', 'z'] as const;

/** How far along a ray a block begins, or Infinity. `hitAxis` then says across which axis the ray came in. */
function distanceTo(block: Block, origin: Point, ray: Point): number {
  let near = 1e-6;
  let far = Infinity;
  let entered = false;
  for (const axis of axes) {
    const slope = ray[axis];
    if (Math.abs(slope) < 1e-9) {
      if (origin[axis] < block.min[axis] || origin[axis] > block.max[axis]) return Infinity;
      continue;
    }
    const a = (block.min[axis] - origin[axis]) / slope;
    const b = (block.max[axis] - origin[axis]) / slope;
    const enters = a < b ? a : b;
    const leaves = a < b ? b : a;
    if (enters > near) {
      near = enters;
      entered = true;
      hitAxis = axis;
    }
    if (leaves < far) far = leaves;
    if (near > far) return Infinity;
  }
  return entered ? near : Infinity;
}
/** Not part of the result, because an object for each pixel and block would cost more than the arithmetic. */
let hitAxis: 0 | 1 | 2 = 0;

/** Draws what stands still, once per clip: every pixel looks for the nearest block. `sky` is what is behind them all. */
export function drawStill(view: View, blocks: readonly Block[], sky: (py: number) => Colour): Canvas {
  const canvas = makeCanvas(view.width, view.height);
  const origin: Point = [0, view.heightM, 0];
  for (let py = 0; py < view.height; py += 1) {
    for (let px = 0; px < view.width; px += 1) {
      const ray = rayOf(view, px + 0.5, py + 0.5);
      let nearest: Block | undefined;
      let nearestAt = Infinity;
      let face: (typeof faces)[number] = 'x';
      for (const block of blocks) {
        const at = distanceTo(block, origin, ray);
        if (at >= nearestAt) continue;
        nearest = block;
        nearestAt = at;
        face = faces[hitAxis];
      }
      const pixel = py * view.width + px;
      let colour = sky(py);
      if (nearest !== undefined) {
        const point: Point = [ray[0] * nearestAt, view.heightM + ray[1] * nearestAt, ray[2] * nearestAt];
        colour = nearest.texture(point, face);
        canvas.depthM[pixel] = nearestAt;
      }
      canvas.rgb.set(colour, pixel * 3);
    }
  }
  return canvas;
}

/**
 * Darkens the ground along a line, softly: the shadow of somebody who stands at `foot`. Only pixels that show the
 * ground itself are touched, so the shadow never climbs a wall or another person.
 */
export function drawShadow(
  canvas: Canvas,
  view: View,
  foot: Point,
  towards: Point,
  radiusM: number,
  dark: number,
): void {
  const ends = [foot, towards].map((point) => project(view, [point[0], 0, point[2]]));
  const reach = Math.max(...ends.map((end) => end.pxPerM)) * radiusM * 1.5;
  // A circle on the ground looks flatter the lower the camera hangs.
  const reachY = 2 + reach * Math.min(1, Math.max(...ends.map((end) => (1.3 * view.heightM) / end.depthM)));
  const left = Math.max(0, Math.floor(Math.min(...ends.map((end) => end.x)) - reach));
  const right = Math.min(canvas.width, Math.ceil(Math.max(...ends.map((end) => end.x)) + reach));
  const top = Math.max(0, Math.floor(Math.min(...ends.map((end) => end.y)) - reachY));
  const bottom = Math.min(canvas.height, Math.ceil(Math.max(...ends.map((end) => end.y)) + reachY));
  const dx = towards[0] - foot[0];
  const dz = towards[2] - foot[2];
  const lengthSquared = Math.max(1e-6, dx * dx + dz * dz);
  for (let py = top; py < bottom; py += 1) {
    for (let px = left; px < right; px += 1) {
      const pixel = py * canvas.width + px;
      const ray = rayOf(view, px + 0.5, py + 0.5);
      if (ray[1] >= 0) continue;
      const d = -view.heightM / ray[1];
      if (Math.abs((canvas.depthM[pixel] ?? 0) - d) > 0.02 * d || canvas.owner[pixel] !== 0) continue;
      const along = ((ray[0] * d - foot[0]) * dx + (ray[2] * d - foot[2]) * dz) / lengthSquared;
      const t = Math.min(1, Math.max(0, along));
      const away = Math.hypot(ray[0] * d - foot[0] - t * dx, ray[2] * d - foot[2] - t * dz) / radiusM;
      if (away >= 1.4) continue;
      const edge = Math.min(1, Math.max(0, (1.4 - away) / 1.0));
      const factor = 1 - dark * (1 - 0.5 * t) * edge * edge * (3 - 2 * edge);
      for (let i = pixel * 3; i < pixel * 3 + 3; i += 1) canvas.rgb[i] = (canvas.rgb[i] ?? 0) * factor;
    }
  }
}
