/**
 * Drawn pictures to try a model on: nobody's footage has to lie in the program for it. The figures are plain, but a model
 * that was trained on photographs knows them: the built-in one gives each 0.6 or more.
 */
import type { Box } from '../../domain/redaction-plan.js';

export interface TestPicture {
  /** Planar RGB, 0..255. */
  readonly pixels: Float32Array;
  readonly width: number;
  readonly height: number;
  readonly people: readonly Box[];
}

type Colour = readonly [number, number, number];

/** A picture of one grey, with nobody in it. */
export const blankPicture = (width: number, height: number, grey: number): TestPicture => ({
  pixels: new Float32Array(3 * width * height).fill(grey),
  width,
  height,
  people: [],
});

/** Three people who stand in a room, of a half to a quarter of the picture's height. */
export function pictureOfPeople(width: number, height: number): TestPicture {
  const pixels = new Float32Array(3 * width * height);
  const put = (x: number, y: number, colour: Colour, light: number): void => {
    const [column, row] = [Math.round(x), Math.round(y)];
    if (column < 0 || row < 0 || column >= width || row >= height) return;
    for (const [c, value] of colour.entries()) {
      pixels[(c * height + row) * width + column] = Math.min(255, Math.max(0, value * light));
    }
  };
  const horizon = height * 0.45;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      // A little unevenness: nothing in a photograph is one colour.
      const light = 1 + (((x * 7919 + y * 104_729) % 13) - 6) / 150;
      if (y > horizon) put(x, y, [118, 112, 104], light + (y - horizon) / 2000);
      else put(x, y, [178, 174, 165], light);
    }
  }
  // Shape and light as of a column or ball that is lit from the left.
  const ellipse = (cx: number, cy: number, rx: number, ry: number, colour: Colour): void => {
    for (let y = -ry; y <= ry; y += 0.5) {
      for (let x = -rx; x <= rx; x += 0.5) {
        const out = (x / rx) ** 2 + (y / ry) ** 2;
        if (out <= 1) put(cx + x, cy + y, colour, 1.1 - 0.35 * Math.max(0, x / rx) - 0.1 * out);
      }
    }
  };
  const limb = (
    from: readonly [number, number, number],
    to: readonly [number, number, number],
    colour: Colour,
  ): void => {
    const steps = 2 * Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]));
    for (let step = 0; step <= steps; step += 1) {
      const at = (which: 0 | 1 | 2): number => from[which] + ((to[which] - from[which]) * step) / steps;
      const radius = at(2);
      for (let x = -radius; x <= radius; x += 0.5) {
        put(at(0) + x, at(1), colour, 1.1 - (0.4 * Math.abs(x)) / radius - (x > 0 ? 0.15 : 0));
      }
    }
  };
  /** `u` is an eighth of the height, the measure of draughtsmen: one head. */
  const person = (x: number, feet: number, u: number, top: Colour, legs: Colour): Box => {
    const head = feet - 8 * u;
    const skin: Colour = [208, 163, 138];
    const shaded = top.map((value) => value * 0.85) as [number, number, number];
    ellipse(x, feet, 1.4 * u, 0.25 * u, [60, 58, 55]);
    for (const left of [-1, 1]) {
      limb([x + left * 0.45 * u, head + 4 * u, 0.5 * u], [x + left * 0.75 * u, feet - 0.2 * u, 0.3 * u], legs);
      ellipse(x + left * 0.9 * u, feet - 0.1 * u, 0.5 * u, 0.2 * u, [30, 28, 26]);
      limb([x + left * 1.05 * u, head + 1.6 * u, 0.32 * u], [x + left * 1.35 * u, head + 4 * u, 0.25 * u], shaded);
      ellipse(x + left * 1.38 * u, head + 4.2 * u, 0.25 * u, 0.32 * u, skin);
    }
    limb([x, head + 1.35 * u, 1.05 * u], [x, head + 4.2 * u, 0.85 * u], top);
    limb([x, head + 0.9 * u, 0.3 * u], [x, head + 1.45 * u, 0.4 * u], [195, 150, 125]);
    ellipse(x, head + 0.55 * u, 0.42 * u, 0.55 * u, skin);
    ellipse(x, head + 0.3 * u, 0.45 * u, 0.35 * u, [50, 38, 30]);
    return { x: x - 1.6 * u, y: head, w: 3.2 * u, h: 8 * u };
  };
  const u = Math.min(width, height * (4 / 3)) / 512;
  const people = [
    person(width * 0.23, height * 0.78, 20 * u, [160, 40, 40], [40, 45, 70]),
    person(width * 0.58, height * 0.86, 25 * u, [60, 110, 60], [60, 55, 50]),
    person(width * 0.84, height * 0.68, 14 * u, [200, 190, 60], [45, 45, 45]),
  ];
  return { pixels, width, height, people };
}
