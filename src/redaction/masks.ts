/** A plan as the flat arrays that native code works on, and what is written along the edge of the picture. */
import { masksByFrame, type RedactionPlan } from '../domain/redaction-plan.js';
import { GatewayError } from '../errors.js';
import type { BurntLabel, FrameMasks, TimeBase } from '../platform/native.js';

export type MaskStyle = 'solid' | 'pixelate';

/** The time of every frame of the source, as the decoder gave them when it was analysed. */
export interface Timeline {
  readonly timeBase: TimeBase;
  /** Strictly growing, in units of `timeBase`. */
  readonly pts: BigInt64Array;
}

/** Half-open. */
export interface FrameRange {
  readonly firstFrame: number;
  readonly endFrame: number;
}

export interface RenderLabel {
  readonly texts: readonly string[];
  /** For each frame of the whole timeline. */
  readonly textOfFrame: Uint32Array;
  /** `top` where left out. */
  readonly edge?: 'top' | 'bottom' | undefined;
}

const letters: Record<string, string> = {
  Æ: 'AE',
  Ø: 'OE',
  Å: 'AA',
  Ä: 'AE',
  Ö: 'OE',
  Ü: 'UE',
  ß: 'SS',
  '–': '-',
  '—': '-',
};

/** A text in the letters of the built-in font: capitals, Danish letters written out, accents left off. */
export function toLabelText(text: string): string {
  return text
    .toUpperCase()
    .normalize('NFC')
    .replaceAll(/[^ -~]/g, (letter) => letters[letter] ?? letter.normalize('NFD').replaceAll(/[^ -~]/g, ''))
    .trim();
}

/** Throws `internal` where plan and timeline do not belong together. */
export function flattenMasks(
  plan: RedactionPlan,
  timeline: Timeline,
  style: MaskStyle,
  label?: RenderLabel,
): FrameMasks {
  const { pts, timeBase } = timeline;
  if (plan.frameCount !== pts.length || pts.length === 0) {
    throw new GatewayError('internal', `A plan for ${plan.frameCount} frames on a video of ${pts.length} frames.`);
  }
  const masks = masksByFrame(plan);
  const offsets = new Uint32Array(pts.length + 1);
  for (const [frame, rects] of masks.entries()) offsets[frame + 1] = (offsets[frame] ?? 0) + rects.length;
  const rects = new Int32Array((offsets[pts.length] ?? 0) * 4);
  let at = 0;
  for (const { x, y, w, h } of masks.flat()) {
    rects.set([x, y, w, h], at);
    at += 4;
  }
  const burnt: BurntLabel | undefined =
    label === undefined
      ? undefined
      : { texts: label.texts.map(toLabelText), textOfFrame: label.textOfFrame, edge: label.edge ?? 'top' };
  return { offsets, rects, expectedPts: pts, timeBase, style, label: burnt };
}

/** What a copy of only these frames must be. */
export function sliceMasks(masks: FrameMasks, { firstFrame, endFrame }: FrameRange): FrameMasks {
  const first = masks.offsets[firstFrame] ?? 0;
  const end = masks.offsets[endFrame] ?? first;
  return {
    ...masks,
    offsets: masks.offsets.slice(firstFrame, endFrame + 1).map((offset) => offset - first),
    rects: masks.rects.subarray(first * 4, end * 4),
    expectedPts: masks.expectedPts.subarray(firstFrame, endFrame),
    label:
      masks.label === undefined
        ? undefined
        : { ...masks.label, textOfFrame: masks.label.textOfFrame.subarray(firstFrame, endFrame) },
  };
}
