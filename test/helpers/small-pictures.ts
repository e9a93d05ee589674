/** Small yuv420p pictures of a synthetic room for the motion model: a textured and a flat half, figures, light and sensor noise. */
import type { MotionLook } from '../../src/platform/native.js';

export const width = 320;
export const height = 180;
const chromaWidth = width / 2;
const lumaSize = width * height;
const chromaSize = lumaSize / 4;
export const pictureSize = lumaSize + 2 * chromaSize;

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Figure extends Box {
  /** Added to what is behind (a faint figure), or in its stead (an opaque one). */
  readonly add?: number;
  readonly luma?: number;
  /** Added to U and V of what is behind. */
  readonly chroma?: readonly [u: number, v: number];
}

/** Numbers of a normal distribution that are the same in every run. */
function* normals(seed: number): Generator<number> {
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (;;) yield Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next());
}

const source = normals(30);
const table = Float32Array.from({ length: 1 << 18 }, () => source.next().value as number);

/** The left half is brick-like, the right one a plain wall; the floor has boards. */
export function emptyLuma(x: number, y: number): number {
  if (y > 130) return 90 + ((x >> 4) % 2 ? 14 : 0) + (y - 130) * 0.4;
  if (x < width / 2) return (y % 12 < 2 || (x + (Math.floor(y / 12) % 2) * 10) % 20 < 2 ? 150 : 105) + (x % 7);
  return 128 + (x - 160) * 0.1;
}

export interface PictureOptions {
  /** Luma of what is behind all figures; the empty room where it is left out. */
  readonly scene?: (x: number, y: number) => number;
  readonly figures?: readonly Figure[];
  /** Standard deviation of the noise in levels. */
  readonly noise?: number;
  /** Which noise; another one for each picture. */
  readonly seed: number;
  readonly light?: (x: number, y: number) => number;
  /** Added after the light: keyframes that pump, for one. */
  readonly shift?: (x: number, y: number) => number;
}

const clamp = (value: number): number => Math.min(255, Math.max(0, Math.round(value)));

export function makePicture(options: PictureOptions): Uint8Array {
  const { scene = emptyLuma, figures = [], noise = 2, seed, light, shift } = options;
  const picture = new Uint8Array(pictureSize);
  const luma = new Float32Array(lumaSize);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) luma[y * width + x] = scene(x, y);
  const chroma = new Float32Array(2 * chromaSize).fill(128);
  for (const figure of figures) {
    for (let y = Math.max(0, figure.y); y < Math.min(height, figure.y + figure.h); y++) {
      for (let x = Math.max(0, figure.x); x < Math.min(width, figure.x + figure.w); x++) {
        const at = y * width + x;
        luma[at] = (figure.luma ?? luma[at] ?? 0) + (figure.add ?? 0);
        if (figure.chroma === undefined) continue;
        const half = (y >> 1) * chromaWidth + (x >> 1);
        chroma[half] = 128 + figure.chroma[0];
        chroma[chromaSize + half] = 128 + figure.chroma[1];
      }
    }
  }
  let random = Math.imul(seed + 1, 2654435761) >>> 0;
  const noiseAt = (): number => (table[(random = (random + 1) & (table.length - 1))] ?? 0) * noise;
  for (let y = 0; y < height; y++) {
    random = (Math.imul(random, 1664525) + 1013904223) & (table.length - 1);
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      picture[at] = clamp((luma[at] ?? 0) * (light?.(x, y) ?? 1) + (shift?.(x, y) ?? 0) + noiseAt());
    }
  }
  for (let i = 0; i < 2 * chromaSize; i++) {
    const inPlane = i % chromaSize;
    const gain = light?.((inPlane % chromaWidth) * 2, Math.floor(inPlane / chromaWidth) * 2) ?? 1;
    picture[lumaSize + i] = clamp(128 + ((chroma[i] ?? 128) - 128) * gain + noiseAt() / 2);
  }
  return picture;
}

/** Cells that are more than a quarter foreground. */
const isOn = (look: MotionLook, col: number, row: number): boolean =>
  (look.foreground[row * look.cols + col] ?? 0) >= 64;

/** Share of a box that lies in foreground cells. */
export function covered(look: MotionLook, box: Box): number {
  let on = 0;
  for (let y = box.y; y < box.y + box.h; y++) {
    for (let x = box.x; x < box.x + box.w; x++) if (isOn(look, x >> 2, y >> 2)) on++;
  }
  return on / (box.w * box.h);
}

/** Number of foreground cells that touch none of the boxes, of which each is taken a little larger. */
export function elsewhere(look: MotionLook, boxes: readonly Box[] = [], margin = 8): number {
  let count = 0;
  for (let row = 0; row < look.rows; row++) {
    for (let col = 0; col < look.cols; col++) {
      if (!isOn(look, col, row)) continue;
      const inBox = boxes.some(
        ({ x, y, w, h }) =>
          col * 4 + 4 > x - margin && col * 4 < x + w + margin && row * 4 + 4 > y - margin && row * 4 < y + h + margin,
      );
      if (!inBox) count++;
    }
  }
  return count;
}
