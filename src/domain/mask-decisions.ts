/** What a reviewer decided, in the one form in which it is kept and hashed, and whether a recording can follow it. */
import { GatewayError } from '../errors.js';
import { maskModes, type Box, type MaskDecisions, type MaskMode, type Zone } from './redaction-plan.js';

/** Entries in each list of one item's decisions. */
export const maxDecisions = 10_000;

export const modeOf = ({ mode }: Pick<MaskDecisions, 'mode'>): MaskMode => mode ?? 'people-and-motion';

const wrong = (message: string, remedy: string): GatewayError => new GatewayError('input-invalid', message, { remedy });

/**
 * Only what an approval is bound to, with the default mode and open limits left out: a further key would be rendered or not,
 * but never hashed, and the same decisions are the same JSON, also those of before there were modes. Throws `input-invalid`
 * for more than `maxDecisions`.
 */
export function plainDecisions(decisions: MaskDecisions): MaskDecisions {
  const { keepVisible, drawn } = decisions;
  if (keepVisible.length > maxDecisions || drawn.length > maxDecisions) {
    throw wrong(
      `There are ${keepVisible.length} stretches to keep visible and ${drawn.length} drawn boxes.`,
      `At most ${maxDecisions} of each; mask the whole picture where nearly all of it is to be masked.`,
    );
  }
  const mode = modeOf(decisions);
  return {
    ...(mode === 'people-and-motion' ? {} : { mode }),
    keepVisible: keepVisible.map(({ trackId, fromFrame, toFrame }) => ({
      trackId,
      ...(fromFrame === undefined ? {} : { fromFrame }),
      ...(toFrame === undefined ? {} : { toFrame }),
    })),
    drawn: drawn.map(({ fromFrame, toFrame, box, toBox }) => ({
      fromFrame,
      toFrame,
      box: plainBox(box),
      ...(toBox === undefined ? {} : { toBox: plainBox(toBox) }),
    })),
  };
}

/** As manifests and hashes have them: open limits said as null. The same bytes for the same decisions, of any release. */
export function recordedDecisions(decisions: MaskDecisions): RecordedDecisions {
  const { mode, keepVisible, drawn } = plainDecisions(decisions);
  return {
    ...(mode === undefined || mode === 'people-and-motion' ? {} : { mode }),
    keepVisible: keepVisible.map(({ trackId, fromFrame = null, toFrame = null }) => ({ trackId, fromFrame, toFrame })),
    drawn: drawn.map(({ toBox, box, ...frames }) => ({
      ...frames,
      box: { ...box },
      ...(toBox === undefined ? {} : { toBox: { ...toBox } }),
    })),
  };
}

// Types, not interfaces: only those are also JSON to the compiler.
type RecordedBox = { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
type RecordedDecisions = {
  mode?: 'people' | 'whole-frame';
  keepVisible: { trackId: number; fromFrame: number | null; toFrame: number | null }[];
  drawn: { fromFrame: number; toFrame: number; box: RecordedBox; toBox?: RecordedBox }[];
};

const plainBox = ({ x, y, w, h }: Box): Box => ({ x, y, w, h });

/** What decisions have to fit. Frames count from 0; the picture is the upright one, in pixels. */
export interface Decidable {
  readonly frameCount: number;
  readonly width: number;
  readonly height: number;
  readonly tracks: readonly { readonly id: number }[];
}

/** Throws `input-invalid` for a mode, track, stretch or box that there is not. A box may reach out of the picture. */
export function assertDecisions(decisions: MaskDecisions, recording: Decidable): void {
  const { frameCount, width, height, tracks } = recording;
  const { mode, keepVisible, drawn } = plainDecisions(decisions);
  if (mode !== undefined && !maskModes.includes(mode)) {
    throw wrong(`There is no mode "${mode}".`, `Use ${maskModes.join(', ')}.`);
  }
  const isFrame = (frame: number): boolean => Number.isSafeInteger(frame) && frame >= 0 && frame <= frameCount;
  const assertStretch = (fromFrame: number, toFrame: number): void => {
    if (isFrame(fromFrame) && isFrame(toFrame) && fromFrame < toFrame) return;
    throw wrong(
      `Frames ${fromFrame} to ${toFrame} are no stretch of it.`,
      `It has ${frameCount} frames, from 0; the last frame named is the first one not meant any more.`,
    );
  };
  const known = new Set(tracks.map(({ id }) => id));
  for (const { trackId, fromFrame = 0, toFrame = frameCount } of keepVisible) {
    if (!known.has(trackId)) {
      const some = [...known].slice(0, 50).join(', ');
      throw wrong(
        `There is no track ${trackId} in this recording.`,
        `Tracks: ${some || 'none'}${known.size > 50 ? ', …' : ''}.`,
      );
    }
    assertStretch(fromFrame, toFrame);
  }
  for (const { fromFrame, toFrame, box, toBox = box } of drawn) {
    assertStretch(fromFrame, toFrame);
    for (const { x, y, w, h } of [box, toBox]) {
      const inside = w > 0 && h > 0 && x < width && y < height && x + w > 0 && y + h > 0;
      // Anything not finite too: NaN compares to nothing, and an infinite edge gives no rectangle.
      if (inside && [x, y, w, h].every(Number.isFinite)) continue;
      throw wrong(
        `A drawn box at (${x}, ${y}) of ${w} by ${h} has no size, or lies outside the picture.`,
        `The picture is ${width} by ${height} pixels.`,
      );
    }
  }
}

/** Added to shares by rounding: a zone of 0.7 and 0.3 ends at the edge. */
const roundingSlack = 1e-9;

/** What is wrong with a zone, or null. */
export function zoneProblem({ x, y, w, h }: Omit<Zone, 'name' | 'kind'>): string | null {
  const inside = x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= 1 + roundingSlack && y + h <= 1 + roundingSlack;
  return inside
    ? null
    : 'must lie in the picture: x, y, w and h are shares of it from 0 to 1, x + w and y + h at most 1';
}
