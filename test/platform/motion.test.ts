import { describe, expect, test } from 'vitest';
import { createMotionModel, type MotionLook, type MotionModel } from '../../src/platform/native.js';
import {
  covered,
  elsewhere,
  height,
  makePicture,
  pictureSize,
  width,
  type Box,
  type Figure,
  type PictureOptions,
} from '../helpers/small-pictures.js';

const perSecond = 5;
const nobody = new Int32Array();
const rectsOf = (...boxes: readonly Box[]) => Int32Array.from(boxes.flatMap(({ x, y, w, h }) => [x, y, w, h]));

type Scene = Omit<PictureOptions, 'seed'>;

/** A model that knows the empty scene, and what it says about each picture of a film. */
class Film {
  readonly model: MotionModel = createMotionModel(width, height);
  private count = 0;

  constructor(start: Scene = {}) {
    this.model.prime(Array.from({ length: 10 }, (_, i) => makePicture({ ...start, seed: 1000 + i })));
  }

  look(scene: Scene, occupied = nobody): MotionLook {
    const seed = this.count++;
    return this.model.look(makePicture({ ...scene, seed }), seed / perSecond, occupied);
  }

  /** Looks for some seconds; `scene` is given the seconds since the start of this part. */
  run(seconds: number, scene: (timeS: number) => Scene, occupied = nobody): MotionLook[] {
    return Array.from({ length: seconds * perSecond }, (_, i) => this.look(scene(i / perSecond), occupied));
  }
}

const last = (looks: readonly MotionLook[]): MotionLook => {
  const look = looks.at(-1);
  if (look === undefined) throw new Error('no look');
  return look;
};
const person = (x: number, y: number, more: Partial<Figure> = { luma: 60 }): Figure => ({
  x,
  y,
  w: 18,
  h: 48,
  ...more,
});
/** Goes through both halves of the room in 15 s. */
const walker = (timeS: number, more?: Partial<Figure>): Figure => person(Math.round(10 + timeS * 18), 80, more);

describe('the empty scene', () => {
  test.each([0.5, 1, 2, 4, 6])('stays empty under noise of %f levels', (noise) => {
    const looks = new Film({ noise }).run(12, () => ({ noise }));
    expect(Math.max(...looks.map((look) => elsewhere(look)))).toBe(0);
    expect(looks.every((look) => look.reliable && !look.lightChanged)).toBe(true);
    const moving = looks.map((look) => look.moving.filter((share) => share >= 64).length);
    expect(Math.max(...moving)).toBe(0);
  });

  test('stays empty when keyframes pump', () => {
    const pump = (timeS: number) => ({
      shift: (x: number, y: number) =>
        timeS % 2 < 0.2 ? (((x >> 3) * 7 + (y >> 3) * 13 + Math.round(timeS)) % 5) - 2 : 0,
    });
    const looks = new Film().run(20, pump);
    expect(Math.max(...looks.map((look) => elsewhere(look)))).toBe(0);
  });

  test('stays empty while daylight fades to 60 % in half a minute', () => {
    const looks = new Film().run(40, (timeS) => ({ light: () => Math.max(0.6, 1 - timeS / 75) }));
    expect(Math.max(...looks.map((look) => elsewhere(look)))).toBe(0);
  });
});

describe('a walker', () => {
  test.each<[string, Partial<Figure>, number]>([
    ['dark', { luma: 50 }, 2],
    ['10 levels brighter than the plain wall', { add: 10 }, 1],
    ['15 levels darker than the plain wall, under noise', { add: -15 }, 4],
    ['of the same brightness but another colour', { chroma: [-14, 16] }, 2],
  ])('who is %s is found at every look', (_, more, noise) => {
    const film = new Film({ noise });
    film.run(4, () => ({ noise }));
    for (let timeS = 0; timeS < 15; timeS += 0.2) {
      const figure = walker(timeS, more);
      // What only shifts the brightness of a textured wall is a shadow.
      if (figure.add !== undefined && figure.x < 165) continue;
      const look = film.look({ noise, figures: [figure] });
      expect(covered(look, figure)).toBeGreaterThan(0.5);
      expect(elsewhere(look, [figure])).toBe(0);
    }
  });

  test('is found while daylight fades', () => {
    const film = new Film();
    for (let timeS = 0; timeS < 16; timeS += 0.2) {
      const figure = walker(timeS, { luma: 50 });
      const look = film.look({ figures: [figure], light: () => 1 - timeS / 40 });
      expect(covered(look, figure)).toBeGreaterThan(0.8);
      expect(elsewhere(look, [figure])).toBe(0);
    }
  });

  test('leaves nothing behind, and moves only where it is', () => {
    const film = new Film();
    const looks = film.run(15, (timeS) => ({ figures: [walker(timeS)] }));
    expect(looks.slice(1).every((look) => look.moving.some((share) => share > 200))).toBe(true);
    const after = film.run(2, () => ({}));
    expect(elsewhere(last(after))).toBe(0);
    expect(Math.max(...last(after).moving)).toBeLessThan(64);
  });
});

describe('a person who stands still', () => {
  const places: [string, Figure][] = [
    ['before bricks', person(60, 80, { luma: 70 })],
    ['before a plain wall', person(250, 80, { luma: 90 })],
    ['faintly', person(240, 70, { add: -14 })],
    ['in another colour only', person(240, 70, { chroma: [12, -14] })],
  ];
  test.each(places)('%s, known to nobody, stays foreground for two minutes', (_, figure) => {
    const film = new Film();
    film.run(2, () => ({}));
    for (const look of film.run(120, () => ({ figures: [figure] }))) {
      expect(covered(look, figure)).toBeGreaterThan(0.7);
    }
    expect(elsewhere(last(film.run(1, () => ({}))))).toBe(0);
  });

  test('stays while daylight fades to 60 %', () => {
    const film = new Film();
    const figure = person(250, 80, { luma: 90 });
    film.run(2, () => ({}));
    const light = (timeS: number): number => Math.max(0.6, 1 - timeS / 75);
    for (const look of film.run(60, (timeS) => ({ figures: [figure], light: () => light(timeS) }))) {
      expect(covered(look, figure)).toBeGreaterThan(0.7);
    }
    expect(elsewhere(last(film.run(1, () => ({ light: () => 0.6 }))))).toBe(0);
  });
});

describe('a light is switched', () => {
  const rooms: [string, (x: number) => number][] = [
    ['on', () => 1.6],
    ['off', () => 0.5],
    ['on in the left half', (x) => (x < 150 ? 1.6 : 1)],
    ['off in the left half', (x) => (x < 150 ? 0.5 : 1)],
  ];
  test.each(rooms)('%s: the empty room is empty again at once', (_, light) => {
    const film = new Film();
    film.run(3, () => ({}));
    const looks = film.run(4, () => ({ light }));
    expect(looks[0]?.lightChanged).toBe(true);
    expect(looks.slice(2).some((look) => look.lightChanged)).toBe(false);
    expect(looks.every((look) => look.reliable)).toBe(true);
    expect(Math.max(...looks.slice(1).map((look) => elsewhere(look)))).toBeLessThan(3);
  });

  test.each(rooms)('%s: a known person stays, and leaves no trace', (_, light) => {
    const film = new Film();
    const figure = person(250, 80, { luma: 50 });
    film.run(3, () => ({}));
    film.run(3, () => ({ figures: [figure] }), rectsOf(figure));
    for (const look of film.run(5, () => ({ figures: [figure], light }), rectsOf(figure))) {
      expect(covered(look, figure)).toBeGreaterThan(0.7);
    }
    expect(elsewhere(last(film.run(5, () => ({ light }))))).toBe(0);
  });

  test.each(rooms)('%s: a person known to nobody stays', (_, light) => {
    const film = new Film();
    const figure = person(250, 80, { luma: 50 });
    film.run(3, () => ({}));
    film.run(3, () => ({ figures: [figure] }));
    for (const look of film.run(30, () => ({ figures: [figure], light }))) {
      expect(covered(look, figure)).toBeGreaterThan(0.7);
    }
  });
});

describe('a ghost', () => {
  test.each([60, 250])('at %i is gone a few seconds after the person left, who is found on the way', (x) => {
    const film = new Film({ figures: [person(x, 80)] });
    film.run(3, () => ({ figures: [person(x, 80)] }));
    const away = (timeS: number): Figure => person(x + Math.round((x < 160 ? 1 : -1) * timeS * 25), 80);
    const looks = film.run(6, (timeS) => ({ figures: [away(timeS)] }));
    for (const [i, look] of looks.entries()) {
      // Where person and ghost overlap in part, what they share looks like the scene.
      if (i > 1.2 * perSecond) expect(covered(look, away(i / perSecond))).toBeGreaterThan(0.7);
    }
    expect(elsewhere(last(looks), [away(5.8)])).toBe(0);
  });

  test('of a person whom the detector knows is foreground as long as the person stays', () => {
    const figure = person(250, 80);
    const film = new Film({ figures: [figure] });
    const looks = film.run(6, () => ({ figures: [figure] }), rectsOf(figure));
    expect(covered(last(looks), figure)).toBeGreaterThan(0.95);
    expect(covered(last(film.run(4, () => ({ figures: [figure] }))), figure)).toBeGreaterThan(0.95);
    expect(elsewhere(last(film.run(3, () => ({}))))).toBe(0);
  });
});

describe('what moves in its place', () => {
  const clock = (timeS: number): Figure[] => {
    const digit = Math.floor(timeS) % 10;
    return [0, 1, 2, 3].map((part) => ({ x: 20, y: 10 + part * 4, w: 8, h: 3, luma: (digit >> part) & 1 ? 235 : 20 }));
  };
  test('a running clock calms down', () => {
    const film = new Film({ figures: clock(0) });
    const looks = film.run(120, (timeS) => ({ figures: clock(timeS) }));
    const late = looks.slice(60 * perSecond).filter((look) => elsewhere(look) > 0);
    expect(late.length).toBeLessThan(0.1 * 60 * perSecond);
  });

  test('leaves calm down, but not where somebody is', () => {
    const film = new Film();
    const tree: Box = { x: 200, y: 20, w: 40, h: 50 };
    const leaves = (timeS: number): Figure => ({ ...tree, add: Math.round(timeS * perSecond) % 3 === 0 ? 30 : 0 });
    film.run(40, (timeS) => ({ figures: [leaves(timeS)] }), rectsOf(tree));
    expect(covered(film.look({ figures: [leaves(0)] }), tree)).toBeGreaterThan(0.8);
    const looks = film.run(60, (timeS) => ({ figures: [leaves(timeS)] }));
    expect(elsewhere(looks[0] ?? last(looks))).toBeGreaterThan(50);
    expect(looks.slice(-10).every((look) => elsewhere(look) === 0)).toBe(true);
  });

  test('does not hide people who pass one after the other', () => {
    const film = new Film();
    for (let count = 0; count < 8; count++) {
      for (let timeS = 0; timeS < 4; timeS += 0.2) {
        const figure = person(Math.round(timeS * 75), 80, { luma: 60 });
        expect(covered(film.look({ figures: [figure] }), figure)).toBeGreaterThan(0.8);
      }
    }
  });
});

test('a camera that moves is not reliable, and is again when it rests', () => {
  const film = new Film();
  const turned = (by: number): Scene => ({
    shift: (x, y) => 60 * Math.sin((x + by) / 6) * Math.cos(y / 9 + by) + ((x + by) % 40 < 20 ? 30 : -30),
  });
  film.run(2, () => ({}));
  const looks = film.run(6, (timeS) => turned(Math.round(timeS * 20)));
  expect(looks.slice(2 * perSecond).every((look) => !look.reliable)).toBe(true);
  const after = film.run(8, () => turned(300));
  expect(last(after).reliable).toBe(true);
  expect(elsewhere(last(after))).toBe(0);
});

test('the same pictures give the same looks', () => {
  const looks = [new Film(), new Film()].map((film) => film.run(5, (timeS) => ({ figures: [walker(timeS)] })));
  expect(looks[0]).toEqual(looks[1]);
});

describe('wrong input is refused', () => {
  const refused = expect.objectContaining({ code: 'internal' }) as Error;
  test.each([
    [15, 180],
    [320, 0],
    [-320, 180],
    [5000, 180],
    [Number.NaN, 180],
    [2 ** 40, 180],
  ])('a model of %f x %f', (w, h) => {
    expect(() => createMotionModel(w, h)).toThrow(refused);
  });

  test('pictures, rectangles and times', () => {
    const model = createMotionModel(width, height);
    const good = new Uint8Array(pictureSize);
    expect(() => {
      model.prime([]);
    }).toThrow(refused);
    expect(() => {
      model.prime([good, good.subarray(1)]);
    }).toThrow(refused);
    expect(() => model.look(good.subarray(1), 0, nobody)).toThrow(refused);
    expect(() => model.look(new Float32Array(pictureSize) as unknown as Uint8Array, 0, nobody)).toThrow(refused);
    expect(() => model.look(good, Number.NaN, nobody)).toThrow(refused);
    expect(() => model.look(good, 0, new Int32Array(3))).toThrow(refused);
    const wild = Int32Array.from([-(2 ** 31), -5, 2 ** 31 - 1, 2 ** 31 - 1, 10, 10, -5, 4, 2 ** 31 - 1, 0, 9, 9]);
    expect(model.look(good, 0, wild).reliable).toBe(true);
    expect(model.look(good, -5, nobody).cols).toBe(80);
  });

  test('sides that are not whole cells have cells all the same', () => {
    const model = createMotionModel(33, 19);
    const look = model.look(new Uint8Array(33 * 19 + 2 * 17 * 10).fill(100), 0, nobody);
    expect([look.cols, look.rows, look.foreground.length, look.moving.length]).toEqual([9, 5, 45, 45]);
  });
});
