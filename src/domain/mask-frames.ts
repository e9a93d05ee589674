/**
 * What is covered in each frame. One rule for everyone who asks: the renderer, frame after frame while a file is read or
 * from a finished plan, and whoever reports about it.
 */
import { modeOf } from './mask-decisions.js';
import { tilesAround, toHole, toMaskRect, type MaskRect } from './mask-rects.js';
import {
  firstFrameOf,
  lastFrameOf,
  pointAt,
  type Box,
  type DrawnMask,
  type RedactionPlan,
  type Track,
  type Zone,
} from './redaction-plan.js';

/** Where a track is in the frame that is asked about. */
export interface TrackBox {
  readonly trackId: number;
  readonly kind: Track['kind'];
  readonly box: Box;
}

export interface FrameCover {
  /** They may lie over one another, but in the mode `whole-frame`, where they are tiles. */
  readonly rects: readonly MaskRect[];
}

/** What decides besides where the tracks are. */
export type MaskRules = Pick<RedactionPlan, 'width' | 'height' | 'zones' | 'decisions'>;

/**
 * Gives the cover of a frame from the boxes of its tracks. The result depends on nothing else; frames may be asked for in any
 * order, but going forwards is what is fast: then a frame costs what is in it, however much was decided about others.
 *
 * A kept track is not covered, and all others are, wherever they are: keeping one person visible never uncovers another, and
 * where the mask of another lies over them, that is an overlap (mask-overlaps.ts). What is drawn and the fixed zones lie over everything.
 */
export function coverOf({
  width,
  height,
  zones,
  decisions,
}: MaskRules): (frame: number, boxes: Iterable<TrackBox>) => FrameCover {
  const mode = modeOf(decisions);
  const drawnIn = activeIn(decisions.drawn);
  const keptIn = activeIn(
    decisions.keepVisible.map(({ trackId, fromFrame = 0, toFrame = Infinity }) => ({ trackId, fromFrame, toFrame })),
  );
  const rectsOf = (boxes: readonly Box[]): MaskRect[] =>
    boxes.map((box) => toMaskRect(box, width, height)).filter((rect) => rect !== null);
  const fixed = rectsOf(zones.map((zone) => inPixels(zone, width, height)));
  let active: readonly unknown[] | null = null;
  let kept: ReadonlySet<number> = new Set();
  return (frame, boxes) => {
    const keeps = keptIn(frame);
    if (keeps !== active) kept = new Set(keeps.map(({ trackId }) => trackId));
    active = keeps;
    const shown: Box[] = [];
    const masked: Box[] = [];
    for (const one of boxes) {
      if (mode === 'people' && one.kind === 'motion') continue;
      (kept.has(one.trackId) ? shown : masked).push(one.box);
    }
    const covers = [...rectsOf(masked), ...rectsOf(drawnIn(frame).map((drawn) => drawnAt(drawn, frame))), ...fixed];
    if (mode !== 'whole-frame') return { rects: covers };
    const holes = shown.map((box) => toHole(box, width, height)).filter((hole) => hole !== null);
    return { rects: tilesAround(holes, covers, width, height) };
  };
}

const inPixels = ({ x, y, w, h }: Zone, width: number, height: number): Box => ({
  x: x * width,
  y: y * height,
  w: w * width,
  h: h * height,
});

function drawnAt({ fromFrame, toFrame, box, toBox }: DrawnMask, frame: number): Box {
  const way = toFrame - 1 - fromFrame;
  if (toBox === undefined || way <= 0) return box;
  const share = (frame - fromFrame) / way;
  const mix = (a: number, b: number): number => a + (b - a) * share;
  return { x: mix(box.x, toBox.x), y: mix(box.y, toBox.y), w: mix(box.w, toBox.w), h: mix(box.h, toBox.h) };
}

/** The cover of any frame of a plan, by the same rule and as fast forwards. */
export function coverIn(plan: RedactionPlan): (frame: number) => FrameCover {
  const cover = coverOf(plan);
  const tracksIn = activeIn(
    plan.tracks.map((track) => ({ track, fromFrame: firstFrameOf(track), toFrame: lastFrameOf(track) + 1 })),
  );
  return (frame) => cover(frame, boxesAt(tracksIn(frame), frame));
}

function* boxesAt(active: readonly { readonly track: Track }[], frame: number): Generator<TrackBox> {
  for (const { track } of active) {
    const point = pointAt(track, frame);
    if (point !== null) yield { trackId: track.id, kind: track.kind, box: point.box };
  }
}

/**
 * The rectangles of one frame after another, each `next()` those of the following one; nothing is kept of those before.
 * Beyond the last frame of the plan there are none: what is there was not planned, and nobody may show it.
 */
export function maskCursor(plan: RedactionPlan, firstFrame = 0): { next(): readonly MaskRect[] } {
  const cover = coverIn(plan);
  let frame = firstFrame;
  return { next: () => (frame < plan.frameCount ? cover(frame++).rects : []) };
}

interface Stretch {
  readonly fromFrame: number;
  /** Not included. */
  readonly toFrame: number;
}

/**
 * Which of these stretches hold a frame. Goes along with frames that ascend, and begins anew where one goes back; the same
 * list, not a copy, is given for as long as nothing begins or ends.
 */
function activeIn<T extends Stretch>(stretches: readonly T[]): (frame: number) => readonly T[] {
  const ordered = [...stretches].sort((a, b) => a.fromFrame - b.fromFrame);
  let active: readonly T[] = [];
  let [next, latest, firstEnd] = [0, -Infinity, Infinity];
  return (frame) => {
    if (frame < latest) [active, next, firstEnd] = [[], 0, Infinity];
    latest = frame;
    const begun = next;
    while ((ordered[next]?.fromFrame ?? Infinity) <= frame) next += 1;
    if (next === begun && frame < firstEnd) return active;
    active = [...active, ...ordered.slice(begun, next)].filter(({ toFrame }) => toFrame > frame);
    firstEnd = active.reduce((first, { toFrame }) => Math.min(first, toFrame), Infinity);
    return active;
  };
}
