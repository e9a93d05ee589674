import { mix, noise, roughness, shade, type Colour } from './canvas.js';
import type { Light } from './figure.js';
import type { Block, Point, Texture, View } from './view.js';
import { standing, walking, type Walk } from './walks.js';

export const placeNames = ['lobby', 'yard', 'parking'] as const;
export type PlaceName = (typeof placeNames)[number];

/** What one camera sees. `toSun` is how a shadow falls on the ground, in metres per metre of height. */
export interface Place {
  readonly view: View;
  readonly blocks: readonly Block[];
  readonly sky: (py: number) => Colour;
  readonly light: Light;
  readonly shadow: { readonly dx: number; readonly dz: number; readonly dark: number };
  /** Which people walk here: other ones than in the other places. */
  readonly crowd: number;
  readonly walks: readonly Walk[];
}

const deg = Math.PI / 180;
const block = (min: Point, max: Point, texture: Texture): Block => ({ min, max, texture });
const sides = { x: 0.78, y: 1.05, z: 0.92 };
const plaster =
  (colour: Colour, seed: number): Texture =>
  ([x, y, z], face) =>
    shade(
      colour,
      sides[face] * (0.9 + 0.14 * roughness((x + z) * 1.3, y * 1.3, seed) + 0.05 * noise((x + z) * 30, y * 30, seed)),
    );

/** The point as coordinates along a face, so that a pattern lies on it. */
const onFace = ([x, y, z]: Point, face: 'x' | 'y' | 'z'): [number, number] =>
  face === 'x' ? [z, y] : face === 'y' ? [x, z] : [x, y];

function lobby(width: number, height: number): Place {
  const floor: Texture = ([x, , z]) => {
    const joint =
      Math.min(Math.abs(((((x / 0.6) % 1) + 1.5) % 1) - 0.5), Math.abs(((((z / 0.6) % 1) + 1.5) % 1) - 0.5)) < 0.012;
    const tile = 0.9 + 0.12 * noise(Math.floor(x / 0.6) * 3.7, Math.floor(z / 0.6) * 5.3, 4);
    const gleam = 26 * Math.exp(-((x - 0.4) ** 2) / 1.8) * (z / 12);
    return shade(
      [168 + gleam, 162 + gleam, 152 + gleam],
      joint ? 0.72 : tile * (0.93 + 0.12 * roughness(x * 2, z * 2, 8)),
    );
  };
  const backWall: Texture = (point, face) => {
    const [x, y] = point;
    if (x > -0.6 && x < 1.6 && y < 2.3) {
      const frame = Math.min(x + 0.6, 1.6 - x, 2.3 - y, Math.abs(x - 0.5)) < 0.06;
      return frame
        ? [70, 74, 78]
        : mix([188, 206, 214], [120, 140, 132], Math.min(1, (2.3 - y) / 2.6) * (0.6 + 0.4 * noise(x * 3, y * 2, 2)));
    }
    if (x > -4.6 && x < -3.2 && y > 1.2 && y < 2.2)
      return Math.min(x + 4.6, -3.2 - x, y - 1.2, 2.2 - y) < 0.05
        ? [60, 46, 34]
        : [60 + 90 * noise(x * 3, y * 3, 9), 90, 120];
    return y < 0.12 ? [86, 82, 78] : plaster([206, 200, 186], 3)(point, face);
  };
  const wood: Texture = (point, face) => {
    const [u, v] = onFace(point, face);
    return shade([138, 98, 62], sides[face] * (0.85 + 0.25 * noise(u * 1.5, v * 18, 5)));
  };
  return {
    view: { width, height, heightM: 2.7, tiltDownRad: 13 * deg, focalPx: width * 0.86 },
    blocks: [
      block([-7, -0.2, 0], [7, 0, 12.5], floor),
      block([-7, 0, 12.3], [7, 4, 12.6], backWall),
      block([-6.3, 0, 0], [-6, 4, 12.5], plaster([196, 190, 178], 6)),
      block([6, 0, 0], [6.3, 4, 12.5], plaster([188, 184, 176], 7)),
      block([-7, 3.4, 3], [7, 3.6, 12.5], ([x, , z]) =>
        Math.abs(x % 2.4) < 0.5 && Math.abs(z % 2.4) < 0.5 ? [250, 250, 244] : [204, 204, 200],
      ),
      block([2.5, 0, 8.4], [4.9, 1.08, 9.1], wood),
      block([2.4, 1.08, 8.3], [5, 1.13, 9.2], plaster([70, 66, 64], 1)),
      block([-2.9, 0, 8.2], [-2.5, 4, 8.6], plaster([178, 174, 168], 12)),
      block([-5.6, 0, 10.6], [-4.9, 0.5, 11.2], plaster([120, 74, 52], 14)),
      block([-5.5, 0.5, 10.7], [-5, 1.3, 11.1], ([x, y, z]) =>
        shade([62, 104, 56], 0.5 + 0.9 * noise((x + z) * 14, y * 14, 3)),
      ),
    ],
    sky: () => [204, 204, 200],
    light: { direction: [-0.35, -0.72, 0.6], ambient: 0.62 },
    shadow: { dx: 0.12, dz: 0.1, dark: 0.5 },
    crowd: 1,
    walks: [
      walking(1.15, 0.5, 0.5, 11.8, 0.2, 8, -1.4, 5.4, -4.8, 4.9),
      walking(1.3, 9, -5.4, 6.6, 0, 6.2, 5.6, 6.8),
      walking(1.1, 4, 5.4, 5.6, 1.6, 6.4, 0.6, 11.7),
      standing(3.3, 7.9, 0.35),
    ],
  };
}

function yard(width: number, height: number): Place {
  const ground: Texture = ([x, , z]) => {
    if (z > 17.5 || x < -6.5) return mix([70, 92, 52], [116, 128, 74], roughness(x * 1.7, z * 1.7, 21));
    const row = Math.floor(z / 0.5);
    const inBrick = ((((x / 1 + (row % 2) * 0.5) % 1) + 1) % 1) * 1;
    const joint = inBrick < 0.03 || ((z / 0.5) % 1) * 0.5 < 0.03;
    const tone = 0.86 + 0.16 * noise(Math.floor(x + (row % 2) * 0.5) * 7.1, row * 3.3, 22) + 0.14 * roughness(x, z, 23);
    return shade([150, 146, 138], joint ? 0.74 : tone);
  };
  const brick: Texture = (point, face) => {
    const [u, v] = onFace(point, face);
    const row = Math.floor(v / 0.12);
    const joint = (v / 0.12) % 1 < 0.14 || (((u / 0.3 + (row % 2) * 0.5) % 1) + 1) % 1 < 0.05;
    const window = face === 'z' && v > 0.9 && v < 2.2 && ((u % 3) + 3) % 3 < 1.2;
    if (window) return mix([52, 62, 74], [140, 156, 170], noise(u * 1.1, v * 1.4, 31));
    return shade(
      joint ? [168, 158, 146] : [142, 84, 66],
      sides[face] * (0.85 + 0.3 * noise(Math.floor(u / 0.3) * 3, row * 5, 30)),
    );
  };
  return {
    view: { width, height, heightM: 5.6, tiltDownRad: 27 * deg, focalPx: width * 1.1 },
    blocks: [
      block([-30, -0.2, 0], [30, 0, 22], ground),
      block([-30, 0, 21], [30, 6, 22], brick),
      block([-3.4, 0, 10.2], [-1.6, 0.62, 11.2], plaster([138, 132, 124], 41)),
      block([-3.2, 0.6, 10.4], [-1.8, 1.1, 11], ([x, y, z]) =>
        shade([70, 110, 58], 0.5 + 0.9 * noise((x + z) * 12, (y + z) * 12, 42)),
      ),
      block([2.6, 0, 12.2], [4.6, 0.46, 12.7], plaster([120, 88, 56], 43)),
      block([4.9, 0, 9], [5.05, 4.5, 9.15], plaster([84, 88, 90], 44)),
    ],
    sky: () => [196, 208, 220],
    light: { direction: [0.5, -0.62, 0.6], ambient: 0.5 },
    shadow: { dx: -0.75, dz: 0.35, dark: 0.55 },
    crowd: 2,
    walks: [
      walking(1.35, 0, -7.5, 8.4, 6.8, 8.9),
      walking(1.2, 1.5, 7.4, 9.8, -7.6, 9.2),
      walking(1.1, 3, 0.6, 17, 0.2, 11.5, 1.8, 6.2, 2.2, 4),
      walking(1.25, 5.5, -8.6, 12, 8.6, 11.2),
      walking(1.3, 2, 8, 13.6, 0, 12.9, -8.8, 13.4),
      walking(1.15, 8, 6, 7.6, -0.6, 10.8, -2.4, 12.6, -5.4, 17),
      standing(3.3, 11.8, 2.6),
    ],
  };
}

function carTexture(paint: Colour, x0: number, x1: number): Texture {
  return (point, face) => {
    const [x, y] = point;
    const gloss = 0.8 + 0.3 * Math.min(1, Math.max(0, (y - 0.2) / 0.9)) + 0.05 * noise(x * 2, y * 3, 50);
    if (face === 'z') {
      for (const wheel of [x0 + 0.85, x1 - 0.85]) {
        const r = Math.hypot(x - wheel, y - 0.33);
        if (r < 0.16) return [150, 152, 156];
        if (r < 0.34) return [28, 28, 30];
      }
      if (y < 0.18) return [30, 30, 32];
      if (Math.abs(y - 0.86) < 0.012 || Math.abs(x - (x0 + x1) / 2) < 0.012) return shade(paint, 0.5);
    }
    return shade(paint, sides[face] * gloss);
  };
}

/** A car that stands across the picture: body, bonnet, cabin with windows. */
function car(x: number, z: number, paint: Colour): Block[] {
  const window: Texture = ([px, py, pz], face) => {
    const pillar = face === 'z' && Math.abs(((px - x - 1.05) % 1.1) - 0.55) > 0.49;
    return face === 'y' || py > 1.36 || pillar
      ? shade(paint, sides[face])
      : mix([30, 36, 42], [120, 136, 148], noise(px * 1.2, (py + pz) * 2, 52));
  };
  const body = carTexture(paint, x, x + 4.3);
  return [
    block([x, 0.12, z], [x + 4.3, 0.92, z + 1.75], body),
    block([x + 1.05, 0.9, z + 0.12], [x + 3.5, 1.44, z + 1.63], window),
  ];
}

function parking(width: number, height: number): Place {
  const asphalt: Texture = ([x, , z]) => {
    const line = z > 7 && z < 11.6 && Math.abs(((((x + 0.4) % 5) + 5) % 5) - 2.5) < 0.06;
    const kerb = z > 14.6 && z < 14.9;
    if (line) return shade([206, 204, 196], 0.8 + 0.25 * noise(x * 8, z * 8, 60));
    if (kerb) return shade([160, 158, 150], 0.85 + 0.2 * noise(x * 3, z * 3, 61));
    if (z >= 14.9) return mix([72, 96, 54], [120, 132, 80], roughness(x * 2, z * 2, 62));
    return shade([104, 105, 108], 0.78 + 0.25 * roughness(x * 0.9, z * 0.9, 63) + 0.2 * noise(x * 22, z * 22, 64));
  };
  const hedge: Texture = ([x, y, z]) => shade([56, 84, 44], 0.45 + 0.9 * roughness((x + z) * 5, (y + z) * 5, 65));
  return {
    view: { width, height, heightM: 3.1, tiltDownRad: 13 * deg, focalPx: width * 0.95 },
    blocks: [
      block([-40, -0.2, 0], [40, 0, 60], asphalt),
      block([-40, 0, 19], [40, 1.7, 20], hedge),
      block([-12, 0, 24], [7, 7, 30], plaster([170, 160, 146], 66)),
      ...car(-0.4, 8.4, [150, 30, 34]),
      ...car(-5.6, 8.7, [176, 180, 186]),
    ],
    sky: (py) => mix([150, 178, 212], [214, 222, 228], Math.min(1, py / 120)),
    light: { direction: [-0.55, -0.6, 0.58], ambient: 0.5 },
    shadow: { dx: 0.8, dz: 0.3, dark: 0.55 },
    crowd: 3,
    walks: [
      walking(1.2, 1, -4.9, 6.5, 0.5, 6.2, 5.2, 7.1),
      walking(1.3, 6, 7.6, 11.6, -8, 11.2),
      walking(1.1, 8, -1.2, 14.4, -0.75, 11.6, -0.85, 6.4, -2.6, 3.8),
      walking(1.15, 14, 6.6, 13.5, 5, 9, 4, 5.6, 1.6, 3.4),
    ],
  };
}

export function placeOf(name: PlaceName, width: number, height: number): Place {
  return { lobby, yard, parking }[name](width, height);
}
