/**
 * What is covered in each frame. One rule for everyone who asks: the renderer, frame after frame while a file is read or
 * from a finished plan, and whoever reports about it.
 */
import { modeOf } from './mask-decisions.js';
import { sharedArea, tilesAround, toHole, toMaskRect, type MaskRect } from './mask-rects.js';
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

/** In one frame, somebody who is kept visible is partly under the mask of somebody who is not. */
interface FrameOverlap {
  readonly keptId: number;
  readonly otherId: number;
  /** How much of the kept box is covered, from 0 to 1. */
  readonly share: number;
}

export interface FrameCover {
  /** They may lie over one another, but in the mode `whole-frame`, where they are tiles. */
  readonly rects: readonly MaskRect[];
  readonly overlaps: readonly FrameOverlap[];
}

/** What decides besides where the tracks are. */
export type MaskRules = Pick<RedactionPlan, 'width' | 'height' | 'zones' | 'decisions'>;

/**
 * Gives the cover of a frame from the boxes of its tracks. The result depends on nothing else; frames may be asked for in any
 * order, but going forwards is what is fast: then a frame costs what is in it, however much was decided about others.
 *
 * A kept track is not covered, and all others are, wherever they are: keeping one person visible never uncovers another, and
 * where the mask of another lies over them, that is an overlap. What is drawn and the fixed zones lie over everything.
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
    const shown: TrackBox[] = [];
    const masked: { readonly id: number; readonly rect: MaskRect }[] = [];
    for (const one of boxes) {
      if (mode === 'people' && one.kind === 'motion') continue;
      if (kept.has(one.trackId)) {
        shown.push(one);
        continue;
      }
      const rect = toMaskRect(one.box, width, height);
      if (rect !== null) masked.push({ id: one.trackId, rect });
    }
    const covers = [
      ...masked.map(({ rect }) => rect),
      ...rectsOf(drawnIn(frame).map((drawn) => drawnAt(drawn, frame))),
      ...fixed,
    ];
    const holes = shown.map(({ box }) => toHole(box, width, height)).filter((hole) => hole !== null);
    return {
      rects: mode === 'whole-frame' ? tilesAround(holes, covers, width, height) : covers,
      overlaps: shown.flatMap((one) => overlapsOf(one, masked, width, height)),
    };
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

function overlapsOf(
  { trackId, box }: TrackBox,
  masked: readonly { readonly id: number; readonly rect: MaskRect }[],
  width: number,
  height: number,
): FrameOverlap[] {
  const area = sharedArea(box, { x: 0, y: 0, w: width, h: height });
  const overlaps = masked.map(({ id, rect }) => ({ otherId: id, covered: sharedArea(box, rect) }));
  return overlaps
    .filter(({ covered }) => covered > 0)
    .map(({ otherId, covered }) => ({ keptId: trackId, otherId, share: Math.min(1, covered / area) }));
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

/** Frames `[fromFrame, toFrame)` in which the mask of `otherId` covers part of the kept `keptId`. */
export interface Overlap {
  readonly keptId: number;
  readonly otherId: number;
  readonly fromFrame: number;
  readonly toFrame: number;
  /** Of the kept box, where it is covered most, from 0 to 1. */
  readonly share: number;
}

/** Where keeping somebody visible shows less of them than was asked for. By first frame, then by track. */
export function overlapsIn(
  plan: RedactionPlan,
  range: { readonly firstFrame: number; readonly endFrame: number } = { firstFrame: 0, endFrame: plan.frameCount },
): Overlap[] {
  const spans: { -readonly [K in keyof Overlap]: Overlap[K] }[] = [];
  const { decisions } = plan;
  const byId = new Map(plan.tracks.map((track) => [track.id, track]));
  // Nothing lies over nobody: the other frames need no look.
  const keptIn = activeIn(
    decisions.keepVisible.flatMap(({ trackId, fromFrame = 0, toFrame = Infinity }) => {
      const track = byId.get(trackId);
      if (track === undefined) return [];
      const [first, last] = [firstFrameOf(track), lastFrameOf(track)];
      return [{ fromFrame: Math.max(fromFrame, first), toFrame: Math.min(toFrame, last + 1) }];
    }),
  );
  // Who lies over whom is the same around a hole, and tiles would be made for nothing.
  const mode = modeOf(decisions) === 'people' ? 'people' : undefined;
  const cover = coverIn({ ...plan, zones: [], decisions: { ...decisions, mode, drawn: [] } });
  let open = new Map<string, (typeof spans)[number]>();
  for (let frame = range.firstFrame; frame < range.endFrame; frame += 1) {
    const still: typeof open = new Map();
    for (const { keptId, otherId, share } of keptIn(frame).length === 0 ? [] : cover(frame).overlaps) {
      const key = `${keptId} ${otherId}`;
      const span = open.get(key) ?? { keptId, otherId, fromFrame: frame, toFrame: frame, share: 0 };
      if (span.toFrame === frame && span.fromFrame === frame) spans.push(span);
      span.toFrame = frame + 1;
      // Never rounded to nothing.
      span.share = Math.max(span.share, Math.round(share * 1000) / 1000, 0.001);
      still.set(key, span);
    }
    open = still;
  }
  return spans.sort((a, b) => a.fromFrame - b.fromFrame || a.keptId - b.keptId || a.otherId - b.otherId);
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
