import { makeRandom } from './canvas.js';
import type { Look, Stance } from './figure.js';

/** A way over the ground. One point: somebody stands there. Otherwise the figure is there only while it walks. */
export interface Walk {
  readonly points: readonly (readonly [x: number, z: number])[];
  readonly metresPerS: number;
  /** When the walk begins, in seconds into the clip. */
  readonly startS: number;
  /** Only for somebody who stands: where to he looks. */
  readonly headingRad?: number;
}

/** Somebody who walks at `metresPerS` from second `startS` on, over the points x, z, x, z and so on. */
export function walking(metresPerS: number, startS: number, ...coordinates: number[]): Walk {
  const points: [number, number][] = [];
  for (let i = 0; i + 1 < coordinates.length; i += 2) points.push([coordinates[i] ?? 0, coordinates[i + 1] ?? 0]);
  return { points, metresPerS, startS };
}

export function standing(x: number, z: number, headingRad: number): Walk {
  return { points: [[x, z]], metresPerS: 0, startS: 0, headingRad };
}

/** Where a walker is at a moment of the clip, or undefined when he is not there. */
export function stanceAt(walk: Walk, second: number): Stance | undefined {
  const [first] = walk.points;
  if (first === undefined) return undefined;
  if (walk.points.length === 1) {
    const sway = 0.04 * Math.sin(0.9 * second);
    return {
      at: [first[0], 0, first[1]],
      headingRad: (walk.headingRad ?? 0) + sway,
      strideRad: 0.4 + sway,
      swing: 0.12,
    };
  }
  const metres = (second - walk.startS) * walk.metresPerS;
  const at = pointAlong(walk, metres);
  if (at === undefined) return undefined;
  const [from, to] = [pointAlong(walk, metres - 0.35) ?? at, pointAlong(walk, metres + 0.35) ?? at];
  // A double step is about 1.45 m long.
  const strideRad = (metres / 1.45) * 2 * Math.PI;
  return { at: [at[0], 0, at[1]], headingRad: Math.atan2(to[0] - from[0], to[1] - from[1]), strideRad, swing: 1 };
}

function pointAlong(walk: Walk, metres: number): readonly [number, number] | undefined {
  if (metres < 0) return undefined;
  let left = metres;
  for (const [i, to] of walk.points.entries()) {
    const from = walk.points[i - 1];
    if (from === undefined) continue;
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (left <= length)
      return [from[0] + ((to[0] - from[0]) * left) / length, from[1] + ((to[1] - from[1]) * left) / length];
    left -= length;
  }
  return undefined;
}

/** Somebody who never existed, from a seed. */
export function makeLook(seed: number): Look {
  const random = makeRandom(seed);
  const pick = <T>(from: readonly [T, ...T[]]): T => from[Math.floor(random() * from.length)] ?? from[0];
  const coat = random() < 0.3;
  return {
    tallM: 1.62 + 0.26 * random(),
    build: 0.93 + 0.18 * random(),
    skin: pick([
      [226, 184, 156],
      [205, 160, 128],
      [168, 120, 90],
      [122, 84, 62],
      [236, 200, 178],
    ]),
    hair: pick([
      [44, 32, 24],
      [96, 66, 40],
      [24, 22, 22],
      [150, 118, 74],
      [128, 126, 122],
    ]),
    top: pick([
      [150, 44, 46],
      [52, 72, 120],
      [60, 62, 68],
      [210, 206, 196],
      [72, 104, 74],
      [196, 150, 60],
      [34, 36, 44],
    ]),
    trousers: pick([
      [44, 54, 82],
      [48, 46, 46],
      [92, 84, 70],
      [70, 84, 112],
      [30, 30, 34],
    ]),
    shoes: pick([
      [30, 28, 28],
      [190, 188, 184],
      [84, 56, 38],
    ]),
    sleeves: coat || random() < 0.6 ? 'long' : 'short',
    coatM: coat ? 0.3 : 0,
    backpack:
      !coat && random() < 0.3
        ? pick([
            [40, 44, 48],
            [120, 60, 40],
            [48, 80, 96],
          ])
        : undefined,
  };
}
