import { describe, expect, test } from 'vitest';
import { createMotionModel, type MotionLook } from '../../src/platform/native.js';
import {
  covered,
  elsewhere,
  height,
  makePicture,
  width,
  type Figure,
  type PictureOptions,
} from '../helpers/small-pictures.js';

const perSecond = 6;

/** A number of 0..1 that belongs to a place. */
const grainAt = (x: number, y: number): number => {
  const mixed = Math.imul(Math.imul(x, 374761393) ^ Math.imul(y, 668265263), 1274126177);
  return ((mixed ^ (mixed >>> 15)) >>> 8) / 2 ** 24;
};

/** A yard that looks nowhere like anywhere else, known between pixels, too. */
function yard(x: number, y: number): number {
  let luma = 60;
  for (const [size, levels] of [
    [23, 70],
    [8, 50],
  ] as const) {
    const [left, top] = [Math.floor(x / size), Math.floor(y / size)];
    const [atX, atY] = [x / size - left, y / size - top].map((share) => share * share * (3 - 2 * share)) as [
      number,
      number,
    ];
    const upper = grainAt(left, top) * (1 - atX) + grainAt(left + 1, top) * atX;
    const lower = grainAt(left, top + 1) * (1 - atX) + grainAt(left + 1, top + 1) * atX;
    luma += levels * (upper * (1 - atY) + lower * atY);
  }
  return luma;
}

interface Shot extends Omit<PictureOptions, 'seed' | 'scene'> {
  /** Where the camera looks, and how near. */
  readonly x?: number;
  readonly y?: number;
  readonly zoom?: number;
  readonly roll?: number;
  readonly occupied?: readonly Figure[];
}

const sceneOf =
  ({ x: toX = 0, y: toY = 0, zoom = 1, roll = 0 }: Shot) =>
  (x: number, y: number): number => {
    const [dx, dy] = [(x - width / 2) / zoom, (y - height / 2) / zoom];
    return yard(
      width / 2 + toX + dx * Math.cos(roll) - dy * Math.sin(roll),
      height / 2 + toY + dx * Math.sin(roll) + dy * Math.cos(roll),
    );
  };

/** A camera that filmed the empty yard for two seconds, and then films what `film` says of each second and its parts. */
function watch(seconds: number, film: (timeS: number) => Shot): MotionLook[] {
  const model = createMotionModel(width, height);
  const still = sceneOf({});
  model.prime(Array.from({ length: 2 * perSecond }, (_, i) => makePicture({ scene: still, seed: 500 + i })));
  return Array.from({ length: seconds * perSecond }, (_, i) => {
    const shot = film(i / perSecond);
    const occupied = (shot.occupied ?? []).flatMap(({ x, y, w, h }) => [x, y, w, h]);
    return model.look(
      makePicture({ ...shot, scene: sceneOf(shot), seed: i }),
      2 + i / perSecond,
      Int32Array.from(occupied),
    );
  });
}

const unreliable = (looks: readonly MotionLook[]): number => looks.filter(({ reliable }) => !reliable).length;
const somebody: Figure = { x: 150, y: 70, w: 18, h: 48, luma: 30 };
const walker = (timeS: number): Figure => ({ ...somebody, x: Math.round(20 + 20 * timeS) });

describe('a camera that moves makes looks unreliable', () => {
  const ways: [string, (timeS: number) => Shot][] = [
    ['pans by a pixel and a half a look', (timeS) => ({ x: 9 * timeS })],
    ['pans by five pixels a look', (timeS) => ({ x: 30 * timeS })],
    ['tilts slowly', (timeS) => ({ y: 4 * timeS })],
    ['zooms in', (timeS) => ({ zoom: 1 + 0.05 * timeS })],
    ['zooms out', (timeS) => ({ zoom: 1 / (1 + 0.05 * timeS) })],
    ['is turned around its axis', (timeS) => ({ roll: 0.03 * timeS })],
    ['drifts in a hand', (timeS) => ({ x: 2 * timeS + Math.sin(5 * timeS), y: timeS + Math.cos(4 * timeS) })],
  ];
  test.each(ways)('when it %s', (_, film) => {
    const looks = watch(8, (timeS) => ({ ...film(timeS), figures: [walker(timeS)] }));
    expect(unreliable(looks.slice(2 * perSecond))).toBe(6 * perSecond);
  });

  test('until it has rested for two seconds; then who stands there is told from the new scene', () => {
    const looks = watch(16, (timeS) => ({
      x: 15 * Math.min(3, timeS),
      figures: timeS < 8 ? [] : [somebody],
    }));
    expect(unreliable(looks.slice(perSecond, 5 * perSecond - 1))).toBe(4 * perSecond - 1);
    const later = looks.slice(6 * perSecond);
    expect(unreliable(later)).toBe(0);
    expect(Math.max(...later.slice(0, 2 * perSecond).map((look) => elsewhere(look)))).toBe(0);
    for (const look of later.slice(2 * perSecond + 1)) {
      expect(covered(look, somebody)).toBeGreaterThan(0.8);
      expect(elsewhere(look, [somebody])).toBe(0);
    }
  });

  test('and whoever stood there while it came to rest is not taken for the scene', () => {
    const looks = watch(14, (timeS) => ({
      x: 15 * Math.min(3, timeS),
      figures: [somebody],
      occupied: timeS < 9 ? [somebody] : [],
    }));
    const later = looks.slice(6 * perSecond);
    expect(unreliable(later)).toBe(0);
    for (const look of later) expect(covered(look, somebody)).toBeGreaterThan(0.8);
  });
});

describe('a pole in the wind', () => {
  test.each([1, 2])('that shakes by %d pixels shows the walker, and nothing else', (pixels) => {
    const looks = watch(10, (timeS) => ({
      x: pixels * Math.sin(7.3 * timeS),
      y: 0.6 * pixels * Math.cos(9.1 * timeS),
      figures: [walker(timeS)],
    }));
    expect(unreliable(looks)).toBe(0);
    for (const [i, look] of looks.entries()) {
      expect(covered(look, walker(i / perSecond))).toBeGreaterThan(0.7);
      expect(elsewhere(look, [walker(i / perSecond)])).toBe(0);
    }
  });

  test('that sags by a pixel leaves no edges in the foreground', () => {
    const looks = watch(10, (timeS) => ({ x: Math.min(1, timeS / 5), y: Math.min(0.7, timeS / 6) }));
    expect(unreliable(looks)).toBe(0);
    expect(Math.max(...looks.map((look) => elsewhere(look)))).toBe(0);
  });
});

describe('what is no motion of the camera', () => {
  test('a light that is switched', () => {
    const looks = watch(8, (timeS) => ({ light: () => (timeS < 4 ? 1 : 0.55), figures: [walker(timeS)] }));
    expect(unreliable(looks)).toBe(0);
  });

  test('a crowd in half of the picture, each at a speed of his own', () => {
    const crowd = (timeS: number): Figure[] =>
      Array.from({ length: 24 }, (_, i) => ({
        x: Math.floor((i * 41 + timeS * (12 + (i % 5) * 7)) % 320),
        y: 60 + (i % 2) * 55,
        w: 20,
        h: 50,
        luma: i % 3 === 0 ? 240 : 10,
      }));
    const looks = watch(8, (timeS) => ({ figures: crowd(timeS) }));
    expect(unreliable(looks)).toBe(0);
    expect(looks.every((look) => look.foreground.filter((share) => share >= 64).length > 600)).toBe(true);
  });

  test('a patterned coat that fills most of the picture and walks', () => {
    const model = createMotionModel(width, height);
    model.prime(Array.from({ length: 12 }, (_, i) => makePicture({ scene: yard, seed: 500 + i })));
    for (let i = 0; i < 30; i++) {
      // Three quarters of the width, below a strip of the yard.
      const left = 20 + 2 * i;
      const scene = (x: number, y: number): number =>
        x >= left && x < left + 220 && y > 40 ? yard(x - left + 900, y + 900) : yard(x, y);
      const look = model.look(makePicture({ scene, seed: i }), 2 + i / perSecond, new Int32Array());
      // Whoever fills more than half may make the whole picture doubtful, as ever, but is never learned.
      expect(covered(look, { x: left, y: 42, w: 220, h: height - 42 })).toBeGreaterThan(0.6);
    }
    const empty = model.look(makePicture({ scene: yard, seed: 99 }), 8, new Int32Array());
    expect(elsewhere(empty)).toBe(0);
  });
});
