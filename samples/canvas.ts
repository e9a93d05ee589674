/** Red, green, blue, each 0 to 255. */
export type Colour = readonly [number, number, number];

/** Where a picture is drawn: packed RGB, the distance of what each pixel shows, and whose pixel it is (0: nobody's). */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8ClampedArray;
  readonly depthM: Float32Array;
  readonly owner: Uint8Array;
}

/** Box in pixels, half-open: [x, x+w) × [y, y+h). */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/**
 * A shape is drawn pixel by pixel inside `bounds`. `at` fills `out` with the colour of a pixel centre and returns how
 * much of the pixel is covered, 0 to 1. One object for all pixels, because a clip has some hundred million of them.
 */
export interface Shape {
  readonly bounds: Box;
  readonly at: (x: number, y: number, out: [number, number, number]) => number;
}

export function makeCanvas(width: number, height: number): Canvas {
  const pixels = width * height;
  return {
    width,
    height,
    rgb: new Uint8ClampedArray(pixels * 3),
    depthM: new Float32Array(pixels).fill(Infinity),
    owner: new Uint8Array(pixels),
  };
}

export function copyCanvas(from: Canvas, to: Canvas): void {
  to.rgb.set(from.rgb);
  to.depthM.set(from.depthM);
  to.owner.set(from.owner);
}

/** Draws a shape that stands `depthM` away: nearer things already on the canvas stay in front of it. */
export function drawShape(canvas: Canvas, shape: Shape, depthM: number, owner: number): void {
  const { width, height, rgb } = canvas;
  const { bounds } = shape;
  const colour: [number, number, number] = [0, 0, 0];
  const endX = Math.min(width, Math.ceil(bounds.x + bounds.w));
  const endY = Math.min(height, Math.ceil(bounds.y + bounds.h));
  for (let y = Math.max(0, Math.floor(bounds.y)); y < endY; y += 1) {
    for (let x = Math.max(0, Math.floor(bounds.x)); x < endX; x += 1) {
      const pixel = y * width + x;
      if ((canvas.depthM[pixel] ?? 0) < depthM) continue;
      const coverage = shape.at(x + 0.5, y + 0.5, colour);
      if (coverage <= 0) continue;
      const i = pixel * 3;
      for (let c = 0; c < 3; c += 1) {
        const below = rgb[i + c] ?? 0;
        rgb[i + c] = below + ((colour[c] ?? 0) - below) * coverage;
      }
      if (coverage >= 0.5) canvas.owner[pixel] = owner;
    }
  }
}

/** A small generator of numbers in [0, 1): the same seed gives the same clip on every machine. (mulberry32, public domain) */
export function makeRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function hashCell(x: number, y: number, seed: number): number {
  let h = (Math.imul(x, 374761393) + Math.imul(y, 668265263) + Math.imul(seed, 974634777)) | 0;
  h = Math.imul(h ^ (h >>> 13), 1274126177);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

/** Smooth noise in [0, 1) that varies over about one unit. */
export function noise(x: number, y: number, seed = 0): number {
  const cellX = Math.floor(x);
  const cellY = Math.floor(y);
  const fx = x - cellX;
  const fy = y - cellY;
  const sx = fx * fx * (3 - 2 * fx);
  const sy = fy * fy * (3 - 2 * fy);
  const top = hashCell(cellX, cellY, seed) * (1 - sx) + hashCell(cellX + 1, cellY, seed) * sx;
  const bottom = hashCell(cellX, cellY + 1, seed) * (1 - sx) + hashCell(cellX + 1, cellY + 1, seed) * sx;
  return top * (1 - sy) + bottom * sy;
}

/** Three octaves of noise in [0, 1): concrete, plaster, grass. */
export function roughness(x: number, y: number, seed = 0): number {
  return 0.55 * noise(x, y, seed) + 0.3 * noise(2.3 * x, 2.3 * y, seed + 1) + 0.15 * noise(5.1 * x, 5.1 * y, seed + 2);
}

export function shade(colour: Colour, factor: number): Colour {
  return [colour[0] * factor, colour[1] * factor, colour[2] * factor];
}

export function mix(from: Colour, to: Colour, share: number): Colour {
  return [
    from[0] + (to[0] - from[0]) * share,
    from[1] + (to[1] - from[1]) * share,
    from[2] + (to[2] - from[2]) * share,
  ];
}
