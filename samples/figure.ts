import { drawShape, mix, noise, shade, type Box, type Canvas, type Colour, type Shape } from './canvas.js';
import { project, type Point, type Projected, type View } from './view.js';

/** What somebody looks like. Nobody here exists: every figure is a handful of numbers. */
export interface Look {
  readonly tallM: number;
  /** 1 is average build. */
  readonly build: number;
  readonly skin: Colour;
  readonly hair: Colour;
  readonly top: Colour;
  readonly trousers: Colour;
  readonly shoes: Colour;
  readonly sleeves: 'long' | 'short';
  /** How far the top reaches below the hip, in metres: 0 is a shirt, 0.4 a coat. */
  readonly coatM: number;
  readonly backpack: Colour | undefined;
}

/** Where somebody is in one frame. `headingRad` 0 walks away from the camera, π towards it; `strideRad` is the phase of the gait. */
export interface Stance {
  readonly at: Point;
  readonly headingRad: number;
  readonly strideRad: number;
  /** 0 stands still, 1 walks at full stride. */
  readonly swing: number;
}

/** Where one figure is in the picture, unclipped. `marks` are points on the body, to see how much of it is hidden. */
export interface Outline {
  readonly body: Box;
  readonly head: Box;
  readonly marks: readonly { readonly x: number; readonly y: number }[];
}

/** Where the light comes from, in the axes of the picture (x right, y down, z towards the viewer), and how bright shade is. */
export interface Light {
  readonly direction: Point;
  readonly ambient: number;
}

type Paint = (along: number, across: number) => Colour;

interface Part {
  readonly shape: Shape;
  readonly depthM: number;
}

function interpolate(knots: readonly (readonly [number, number])[], t: number): number {
  let before = knots[0] ?? [0, 0];
  for (const knot of knots) {
    if (t <= knot[0]) {
      const span = knot[0] - before[0];
      return span <= 0 ? knot[1] : before[1] + ((knot[1] - before[1]) * (t - before[0])) / span;
    }
    before = knot;
  }
  return before[1];
}

function lit(light: Light, nx: number, ny: number, nz: number): number {
  const facing = nx * light.direction[0] + ny * light.direction[1] + nz * light.direction[2];
  return light.ambient + (1.15 - light.ambient) * Math.max(0, facing);
}

/**
 * A tube between two points whose half width (pixels) changes along it: limbs, torso, shoes. Its ends are round, or nearly
 * flat where it starts with a hem.
 */
function tube(
  a: Projected,
  b: Projected,
  halfPx: readonly (readonly [number, number])[],
  paint: Paint,
  light: Light,
  hem = false,
): Shape {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = Math.max(0.5, Math.hypot(dx, dy));
  const [ux, uy] = [dx / length, dy / length];
  const startPx = interpolate(halfPx, 0);
  const endPx = interpolate(halfPx, 1);
  const widest = Math.max(...halfPx.map(([, half]) => half));
  const ends = Math.max(startPx, endPx, widest);
  return {
    bounds: {
      x: Math.min(a.x, b.x) - ends,
      y: Math.min(a.y, b.y) - ends,
      w: Math.abs(dx) + 2 * ends,
      h: Math.abs(dy) + 2 * ends,
    },
    at: (x, y, out) => {
      const along = (x - a.x) * ux + (y - a.y) * uy;
      const across = (y - a.y) * ux - (x - a.x) * uy;
      if (Math.abs(across) > ends + 0.5) return 0;
      const t = Math.min(1, Math.max(0, along / length));
      const half = t <= 0 ? startPx : t >= 1 ? endPx : interpolate(halfPx, t);
      const beyond = (along - t * length) * (hem && along < 0 ? 5 : 1);
      const coverage = half - Math.hypot(beyond, across) + 0.5;
      if (coverage <= 0) return 0;
      const s = Math.max(-1, Math.min(1, across / Math.max(0.5, half)));
      const bright = lit(light, -uy * s, ux * s, Math.sqrt(1 - s * s));
      const colour = paint(t, s);
      out[0] = colour[0] * bright;
      out[1] = colour[1] * bright;
      out[2] = colour[2] * bright;
      return Math.min(1, coverage);
    },
  };
}

/** A head as an ellipsoid that is seen from `turnRad` (0: it looks at us) and `aboveRad`: hair, ears, eyes, mouth. */
function head(centre: Projected, look: Look, turnRad: number, aboveRad: number, light: Light): Shape {
  const halfX = (0.083 + 0.014 * Math.abs(Math.sin(turnRad))) * centre.pxPerM;
  const halfY = 0.122 * centre.pxPerM;
  const [sinT, cosT, sinA, cosA] = [Math.sin(turnRad), Math.cos(turnRad), Math.sin(aboveRad), Math.cos(aboveRad)];
  return {
    bounds: { x: centre.x - halfX, y: centre.y - halfY, w: 2 * halfX, h: 2 * halfY },
    at: (x, y, out) => {
      const u = (x - centre.x) / halfX;
      const v = (y - centre.y) / halfY;
      const r = Math.hypot(u, v);
      const coverage = (1 - r) * Math.min(halfX, halfY) + 0.5;
      if (coverage <= 0) return 0;
      const w = Math.sqrt(Math.max(0, 1 - r * r));
      // Into the axes of the head: up, to its own side, and out of its face.
      const up = -v * cosA + w * sinA;
      const outward = w * cosA + v * sinA;
      const side = u * cosT - outward * sinT;
      const face = outward * cosT + u * sinT;
      let colour = look.skin;
      if (up > 0.52 - 0.12 * Math.abs(side) || (face < 0.12 && up > -0.45) || (Math.abs(side) > 0.78 && up > 0)) {
        colour = shade(look.hair, 0.8 + 0.4 * noise(side * 9, up * 3, 3));
      } else if (face > 0.4 && Math.hypot((Math.abs(side) - 0.36) / 0.17, (up - 0.1) / 0.09) < 1) {
        colour = [52, 40, 36];
      } else if (face > 0.4 && Math.abs(Math.abs(side) - 0.36) < 0.2 && Math.abs(up - 0.27) < 0.06) {
        colour = mix(look.hair, look.skin, 0.3);
      } else if (face > 0.4 && Math.hypot(side / 0.26, (up + 0.52) / 0.07) < 1) {
        colour = mix(look.skin, [150, 50, 50], 0.6);
      } else if (face > 0.5 && Math.abs(side) < 0.12 && up < 0.08 && up > -0.25) {
        colour = shade(look.skin, side > 0 ? 0.82 : 1.06);
      }
      const bright = lit(light, u, v, w);
      out[0] = colour[0] * bright;
      out[1] = colour[1] * bright;
      out[2] = colour[2] * bright;
      return Math.min(1, coverage);
    },
  };
}

/** Joints in metres in the body's own axes: to its right, up, forward. */
function joints(look: Look, stance: Stance) {
  const tall = look.tallM;
  const { swing } = stance;
  const legs = ([-1, 1] as const).map((side) => {
    const phase = stance.strideRad + (side < 0 ? 0 : Math.PI);
    const thigh = swing * (0.44 * Math.sin(phase) + 0.07);
    const shin = thigh - (0.05 + swing * (0.08 + 0.85 * Math.max(0, Math.cos(phase)) ** 2));
    const sideM = side * 0.052 * tall;
    const hip: Point = [sideM, 0.515 * tall, 0];
    const knee: Point = [sideM, hip[1] - 0.243 * tall * Math.cos(thigh), 0.243 * tall * Math.sin(thigh)];
    const ankle: Point = [
      sideM * 0.9,
      knee[1] - 0.235 * tall * Math.cos(shin),
      knee[2] + 0.235 * tall * Math.sin(shin),
    ];
    const pitch = 0.75 * Math.min(0.25, shin);
    const heel: Point = [ankle[0], ankle[1] - 0.03, ankle[2] - 0.04];
    const toe: Point = [sideM * 1.15, heel[1] + 0.2 * Math.sin(pitch), heel[2] + 0.2 * Math.cos(pitch)];
    return { hip, knee, ankle, heel, toe };
  });
  const arms = ([-1, 1] as const).map((side) => {
    const angle = swing * -0.5 * Math.sin(stance.strideRad + (side < 0 ? 0 : Math.PI)) + 0.03;
    const bend = angle + 0.18 + swing * 0.2;
    const shoulder: Point = [side * 0.102 * tall * look.build, 0.8 * tall, 0];
    const elbow: Point = [
      shoulder[0] + side * 0.035,
      shoulder[1] - 0.178 * tall * Math.cos(angle),
      0.178 * tall * Math.sin(angle),
    ];
    const wrist: Point = [
      elbow[0] - side * 0.005,
      elbow[1] - 0.148 * tall * Math.cos(bend),
      elbow[2] + 0.148 * tall * Math.sin(bend),
    ];
    const hand: Point = [wrist[0], wrist[1] - 0.07 * Math.cos(bend), wrist[2] + 0.07 * Math.sin(bend)];
    return { shoulder, elbow, wrist, hand };
  });
  const lowest = Math.min(...legs.flatMap(({ heel, toe }) => [heel[1], toe[1]]));
  return { legs, arms, liftM: 0.035 - lowest };
}

/**
 * Draws one walking or standing figure and says what it covers.
 *
 * The body is a skeleton in three dimensions, projected; each bone is a rounded tube in the picture, drawn from the
 * farthest to the nearest, so that the arm and leg on the far side go behind the body.
 */
export function drawFigure(
  canvas: Canvas,
  view: View,
  light: Light,
  look: Look,
  stance: Stance,
  owner: number,
): Outline {
  const { legs, arms, liftM } = joints(look, stance);
  const [sin, cos] = [Math.sin(stance.headingRad), Math.cos(stance.headingRad)];
  const place = ([right, up, forward]: Point): Point => [
    stance.at[0] + right * cos + forward * sin,
    up + liftM,
    stance.at[2] - right * sin + forward * cos,
  ];
  const seen = (point: Point): Projected => project(view, place(point));
  const tall = look.tallM;
  const turnRad = Math.PI - stance.headingRad + Math.atan2(stance.at[0], stance.at[2]);
  const aboveRad = Math.atan2(view.heightM - 0.8 * tall, Math.hypot(stance.at[0], stance.at[2]));
  const parts: Part[] = [];
  const add = (shape: Shape, depthM: number): void => {
    parts.push({ shape, depthM });
  };
  const bone = (from: Point, to: Point, halvesM: readonly number[], paint: Paint, backM = 0): void => {
    const [a, b] = [seen(from), seen(to)];
    const knots = halvesM.map((m, i) => [i / (halvesM.length - 1), m * look.build * a.pxPerM] as const);
    add(tube(a, b, knots, paint, light), (a.depthM + b.depthM) / 2 + backM);
  };
  const cloth =
    (colour: Colour, seed: number, folds = 4): Paint =>
    (t, s) =>
      shade(colour, 0.84 + 0.32 * noise(t * folds, s * 1.6 + 7, seed));
  const skin: Paint = () => look.skin;

  legs.forEach(({ hip, knee, ankle, heel, toe }, i) => {
    bone(heel, toe, [0.045, 0.048, 0.038], (t) => shade(look.shoes, 0.9 + 0.25 * t));
    bone(knee, ankle, [0.066, 0.062, 0.05], cloth(look.trousers, 20 + i));
    // A coat hangs over both thighs.
    bone(hip, knee, [0.09, 0.083, 0.066], cloth(look.trousers, 30 + i), look.coatM);
  });
  arms.forEach(({ shoulder, elbow, wrist, hand }, i) => {
    bone(wrist, hand, [0.033, 0.04, 0.03], skin);
    if (look.sleeves === 'long') {
      bone(elbow, wrist, [0.047, 0.036], cloth(look.top, 40 + i));
      bone(shoulder, elbow, [0.056, 0.047], cloth(look.top, 50 + i));
    } else {
      bone(elbow, wrist, [0.04, 0.031], skin);
      bone(shoulder, elbow, [0.046, 0.04], skin);
      const half = shoulder.map((v, axis) => v + ((elbow[axis] ?? 0) - v) * 0.55) as unknown as Point;
      bone(shoulder, half, [0.06, 0.058], cloth(look.top, 50 + i));
    }
  });

  // The torso is wider from the front than from the side.
  const [front, flank] = [Math.abs(Math.cos(turnRad)), Math.abs(Math.sin(turnRad))];
  const wide = (frontM: number, flankM: number): number => Math.hypot(frontM * front, flankM * flank);
  const lean = 0.05 * stance.swing;
  const [low, high] = [seen([0, 0.49 * tall - look.coatM, 0]), seen([0, 0.835 * tall, lean])];
  const coat = look.coatM / (look.coatM + 0.345 * tall);
  const halves: [number, number][] = [
    [0, look.coatM > 0 ? wide(0.205, 0.175) : wide(0.165, 0.125)],
    [coat + 0.01, wide(0.17, 0.13)],
    [coat + 0.3 * (1 - coat), wide(0.155, 0.12)],
    [coat + 0.6 * (1 - coat), wide(0.178, 0.135)],
    [coat + 0.86 * (1 - coat), wide(0.2, 0.12)],
    [coat + 0.95 * (1 - coat), wide(0.165, 0.095)],
    [1, wide(0.075, 0.065)],
  ];
  const facing = Math.cos(turnRad) > 0.2;
  const torsoPaint: Paint = (t, s) => {
    if (look.coatM > 0 && facing && Math.abs(s) < 0.06) return shade(look.top, 0.55);
    if (look.coatM === 0 && t < 0.05) return shade(look.trousers, 0.6);
    if (facing && t > 0.93 && Math.abs(s) < 0.45) return mix(look.top, look.skin, 0.7);
    return shade(look.top, 0.82 + 0.3 * noise(t * 6, s * 2 + 5, 11) + 0.08 * t);
  };
  const halvesPx = halves.map(([t, m]) => [t, m * look.build * low.pxPerM] as const);
  const torso = tube(low, high, halvesPx, torsoPaint, light, look.coatM > 0);
  // Half of the arms and legs are nearer than the torso, half farther: the middle of the body decides.
  add(torso, seen([0, 0.55 * tall, 0]).depthM - 0.02);
  if (look.backpack !== undefined) {
    const bag = look.backpack;
    bone(
      [0, 0.56 * tall, -0.16],
      [0, 0.76 * tall, -0.16],
      [0.1 + 0.05 * front, 0.12 + 0.05 * front, 0.09 + 0.03 * front],
      cloth(bag, 60),
    );
  }
  bone([0, 0.83 * tall, lean], [0, 0.885 * tall, lean + 0.02], [0.058, 0.05], (t) => shade(look.skin, 0.8 + 0.1 * t));
  const headAt = seen([0, 0.93 * tall, lean + 0.03]);
  const headShape = head(headAt, look, turnRad, aboveRad, light);
  add(headShape, headAt.depthM - 0.05);

  const depthM = project(view, [stance.at[0], 0.5 * tall, stance.at[2]]).depthM;
  parts.sort((a, b) => b.depthM - a.depthM);
  for (const part of parts) drawShape(canvas, part.shape, depthM, owner);
  const marks = [
    ...legs.flatMap((leg) => [leg.hip, leg.knee, leg.ankle]),
    ...arms.flatMap((arm) => [arm.shoulder, arm.elbow]),
  ];
  return {
    body: around(parts.map((part) => part.shape.bounds)),
    head: headShape.bounds,
    marks: [...marks.map(seen), headAt, { x: (low.x + high.x) / 2, y: (low.y + high.y) / 2 }],
  };
}

function around(boxes: readonly Box[]): Box {
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  return {
    x,
    y,
    w: Math.max(...boxes.map((box) => box.x + box.w)) - x,
    h: Math.max(...boxes.map((box) => box.y + box.h)) - y,
  };
}
