import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { copyCanvas, makeCanvas, makeRandom, type Box, type Canvas } from './canvas.js';
import { drawFigure, type Outline } from './figure.js';
import { makeLook, placeOf, stanceAt, type Place, type PlaceName } from './places.js';
import { drawShadow, drawStill, project } from './view.js';

export interface SceneOptions {
  readonly place: PlaceName;
  /** Default 768 × 432. */
  readonly width?: number;
  readonly height?: number;
  /** Default 10. */
  readonly fps?: number;
  /** Default 20. Walks repeat after 20 s, so clips of that length follow one another without a jump. */
  readonly seconds?: number;
  /** Who walks there and the grain of the picture. Default 1. */
  readonly seed?: number;
}

/** One figure in one frame: the part of it that can be seen. Boxes are in whole pixels and within the picture. */
export interface FigureBox {
  readonly figure: number;
  readonly body: Box;
  /** Undefined when the head is outside the picture or behind something. */
  readonly head: Box | undefined;
  /** Share of the body, 0 to 1, that neither the edge nor something nearer hides. */
  readonly visible: number;
}

export interface SceneTruth {
  readonly place: PlaceName;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** Per frame, who is in the picture. */
  readonly frames: readonly (readonly FigureBox[])[];
}

const periodS = 20;

function settled(options: SceneOptions) {
  return { width: 768, height: 432, fps: 10, seconds: periodS, seed: 1, ...options };
}

/** The box of those pixels within `around` that show this figure; undefined when fewer than `least` of them do. */
function shownIn(canvas: Canvas, around: Box, figure: number, least: number): Box | undefined {
  let [left, top, right, bottom, count] = [Infinity, Infinity, -1, -1, 0];
  for (let y = Math.max(0, Math.floor(around.y)); y < Math.min(canvas.height, around.y + around.h); y += 1) {
    for (let x = Math.max(0, Math.floor(around.x)); x < Math.min(canvas.width, around.x + around.w); x += 1) {
      if (canvas.owner[y * canvas.width + x] !== figure) continue;
      count += 1;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  return count < Math.max(1, least) ? undefined : { x: left, y: top, w: right - left + 1, h: bottom - top + 1 };
}

function drawPeople(canvas: Canvas, place: Place, second: number, seed: number): FigureBox[] {
  const people = place.walks.flatMap((walk, i) => {
    const stance = stanceAt(walk, ((((second - walk.startS) % periodS) + periodS) % periodS) + walk.startS);
    return stance === undefined ? [] : [{ figure: i + 1, stance, depthM: project(place.view, stance.at).depthM }];
  });
  people.sort((a, b) => b.depthM - a.depthM);
  for (const { stance } of people) {
    const { dx, dz, dark } = place.shadow;
    const [x, , z] = stance.at;
    drawShadow(canvas, place.view, stance.at, [x + dx * 1.7, 0, z + dz * 1.7], 0.26, dark);
  }
  const outlines = people.map(({ figure, stance }): [number, Outline] => [
    figure,
    drawFigure(
      canvas,
      place.view,
      place.light,
      makeLook(seed * 1009 + place.crowd * 101 + figure * 31),
      stance,
      figure,
    ),
  ]);
  return outlines.flatMap(([figure, outline]) => {
    const body = shownIn(canvas, outline.body, figure, 1);
    if (body === undefined) return [];
    const shown = outline.marks.filter(({ x, y }) => {
      const inside = x >= 0 && y >= 0 && x < canvas.width && y < canvas.height;
      return inside && canvas.owner[Math.floor(y) * canvas.width + Math.floor(x)] === figure;
    });
    const head = shownIn(canvas, outline.head, figure, 0.15 * outline.head.w * outline.head.h);
    return [{ figure, body, head, visible: shown.length / outline.marks.length }];
  });
}

/** The grain of a sensor: a fixed tile of it, laid elsewhere in every frame. */
function makeGrain(random: () => number): Int8Array {
  return Int8Array.from({ length: 65_537 }, () => Math.round((random() + random() + random() - 1.5) * 4));
}

/**
 * Draws a clip frame by frame. The canvas that is handed out is drawn over by the next frame.
 * The same options give the same bytes on every machine.
 */
export function* drawScene(options: SceneOptions): Generator<{ rgb: Uint8ClampedArray; figures: FigureBox[] }> {
  const { place: name, width, height, fps, seconds, seed } = settled(options);
  const place = placeOf(name, width, height);
  const random = makeRandom(seed);
  const still = drawStill(place.view, place.blocks, place.sky);
  const grain = makeGrain(random);
  const canvas = makeCanvas(width, height);
  for (let frame = 0; frame < Math.round(seconds * fps); frame += 1) {
    copyCanvas(still, canvas);
    const figures = drawPeople(canvas, place, frame / fps, seed);
    let at = Math.floor(random() * grain.length);
    for (let i = 0; i < canvas.rgb.length; i += 1) {
      canvas.rgb[i] = (canvas.rgb[i] ?? 0) + (grain[at] ?? 0);
      at = at + 1 === grain.length ? 0 : at + 1;
    }
    yield { rgb: canvas.rgb, figures };
  }
}
