/** What size a detector sees a picture in, and how its model is fed with that. */
import type { ModelInput } from './detector.js';

/** Pixels a detector gets to see at most, where its model leaves the size open: its time grows with them. 512x384 and 576x320 lie just below. */
const detectionPixels = 200_000;
/** A small picture is enlarged so far, since people in it are small; beyond, nothing is gained. */
const largestScale = 1.5;
/** The picture may be stretched so far to fit, as a ratio of widths; a detector does not notice. */
const largestStretch = 1.06;
/** Grey of what a fixed size leaves over, before the range is changed: what YOLOX was trained with. */
const paddingValue = 114;

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * The size in which a detector wants to see a picture. Where the model leaves it open: multiples of what it asks for, of
 * nearly the same shape, as large as the budget allows. Where it is fixed: the largest of the picture's shape that fits in.
 */
export function detectionSize(picture: Size, input: Pick<ModelInput, 'size'>): Size {
  if ('multipleOf' in input.size) return freeSize(picture, input.size.multipleOf);
  const { width, height } = input.size;
  const scale = Math.min(width / picture.width, height / picture.height);
  return {
    width: Math.max(1, Math.min(width, Math.round(picture.width * scale))),
    height: Math.max(1, Math.min(height, Math.round(picture.height * scale))),
  };
}

function freeSize(picture: Size, multipleOf: number): Size {
  const stretchOf = (w: number, h: number): number => {
    const ratio = w / h / (picture.width / picture.height);
    return Math.max(ratio, 1 / ratio);
  };
  let best = { width: multipleOf, height: multipleOf };
  let bestRank = -Infinity;
  for (let w = multipleOf; w * multipleOf <= detectionPixels; w += multipleOf) {
    for (let h = multipleOf; w * h <= detectionPixels; h += multipleOf) {
      if (w > picture.width * largestScale + multipleOf || h > picture.height * largestScale + multipleOf) continue;
      const stretch = stretchOf(w, h);
      // Any size of the right shape comes before every one of another shape.
      const rank = stretch <= largestStretch ? w * h : -stretch;
      if (rank > bestRank) [best, bestRank] = [{ width: w, height: h }, rank];
    }
  }
  return best;
}

/** Whether a picture of this size can be handed to the detector. */
export function takesSize({ width, height }: Size, { size }: Pick<ModelInput, 'size'>): boolean {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) return false;
  return 'multipleOf' in size
    ? width % size.multipleOf === 0 && height % size.multipleOf === 0
    : width <= size.width && height <= size.height;
}

export interface Feed extends Size {
  /** `[1, 3, height, width]` in the model's own order and range. Valid until the next call; may be what was handed in. */
  readonly data: Float32Array;
}

/**
 * Turns pictures (planar RGB, 0..255) into what the model wants: channels in its order, values in its range, and, of a fixed
 * size, the picture in the upper left corner with grey around. What needs no change is not copied.
 */
export function makeFeeder(input: ModelInput): (rgbPlanar: Float32Array, width: number, height: number) => Feed {
  let buffer = new Float32Array(0);
  // Factor and offset of the range, by channel.
  const scale = [0, 1, 2].map((c) => rangeOf(input, c));
  const plain = input.channels === 'rgb' && input.range === '0-255';
  return (rgbPlanar, width, height) => {
    const full = 'multipleOf' in input.size ? { width, height } : input.size;
    if (plain && full.width === width && full.height === height) return { data: rgbPlanar, width, height };
    const plane = full.width * full.height;
    if (buffer.length !== 3 * plane) buffer = new Float32Array(3 * plane);
    for (const [c, { factor, offset }] of scale.entries()) {
      const from = (input.channels === 'bgr' ? 2 - c : c) * width * height;
      const to = buffer.subarray(c * plane, (c + 1) * plane);
      if (full.width !== width || full.height !== height) to.fill(paddingValue * factor + offset);
      for (let row = 0; row < height; row += 1) {
        const line = rgbPlanar.subarray(from + row * width, from + (row + 1) * width);
        if (factor === 1 && offset === 0) to.set(line, row * full.width);
        else for (const [x, value] of line.entries()) to[row * full.width + x] = value * factor + offset;
      }
    }
    return { data: buffer, ...full };
  };
}

function rangeOf({ range }: ModelInput, channel: number): { factor: number; offset: number } {
  if (range === '0-255') return { factor: 1, offset: 0 };
  if (range === '0-1') return { factor: 1 / 255, offset: 0 };
  const [mean, std] = [range.mean[channel] ?? 0, range.std[channel] ?? 1];
  return { factor: 1 / std, offset: -mean / std };
}
