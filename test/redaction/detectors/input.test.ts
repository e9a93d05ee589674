import { describe, expect, it } from 'vitest';
import type { ModelInput } from '../../../src/redaction/detectors/detector.js';
import { detectionSize, makeFeeder, takesSize } from '../../../src/redaction/detectors/input.js';
import { blankPicture, pictureOfPeople } from '../../../src/redaction/detectors/test-picture.js';

const free = { size: { multipleOf: 32 } };
const fixed = { size: { width: 640, height: 416 } };

describe('the size of detection', () => {
  it('has the shape of the picture, whole multiples, and a bounded number of pixels', () => {
    expect(detectionSize({ width: 768, height: 576 }, free)).toEqual({ width: 512, height: 384 });
    expect(detectionSize({ width: 1920, height: 1080 }, free)).toEqual({ width: 576, height: 320 });
    expect(detectionSize({ width: 1080, height: 1920 }, free)).toEqual({ width: 320, height: 576 });
    for (const [width, height] of [
      [3840, 2160],
      [2560, 1920],
      [640, 360],
      [1000, 1000],
      [2000, 500],
      [607, 1081],
    ] as const) {
      const size = detectionSize({ width, height }, free);
      expect(takesSize(size, free)).toBe(true);
      expect(size.width * size.height).toBeGreaterThan(90_000);
      expect(size.width * size.height).toBeLessThanOrEqual(200_000);
      const stretch = size.width / size.height / (width / height);
      expect(Math.max(stretch, 1 / stretch)).toBeLessThan(1.07);
    }
  });

  it('does not enlarge a small picture without end, and survives an absurd one', () => {
    expect(detectionSize({ width: 160, height: 120 }, free).width).toBeLessThanOrEqual(272);
    expect(detectionSize({ width: 16, height: 9000 }, free).width).toBe(32);
  });

  it('of a model with one size is the largest of the shape that fits into it', () => {
    expect(detectionSize({ width: 1920, height: 1080 }, fixed)).toEqual({ width: 640, height: 360 });
    expect(detectionSize({ width: 1080, height: 1920 }, fixed)).toEqual({ width: 234, height: 416 });
    expect(detectionSize({ width: 160, height: 120 }, fixed)).toEqual({ width: 555, height: 416 });
    expect(detectionSize({ width: 16, height: 90_000 }, fixed)).toEqual({ width: 1, height: 416 });
    expect(takesSize({ width: 640, height: 417 }, fixed)).toBe(false);
    expect(takesSize({ width: 0, height: 416 }, fixed)).toBe(false);
    expect(takesSize({ width: 60, height: 64 }, free)).toBe(false);
  });
});

describe('what a model is fed with', () => {
  const input: ModelInput = { name: 'x', layout: 'nchw', channels: 'rgb', range: '0-255', size: { multipleOf: 32 } };
  /** 2 x 2 pixels. */
  const picture = Float32Array.from([1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24]);

  it('is the very picture where nothing has to change', () => {
    expect(makeFeeder(input)(picture, 2, 2).data).toBe(picture);
  });

  it('has its channels and range', () => {
    const bgr = makeFeeder({ ...input, channels: 'bgr' })(picture, 2, 2).data;
    expect([...bgr]).toEqual([21, 22, 23, 24, 11, 12, 13, 14, 1, 2, 3, 4]);
    const share = makeFeeder({ ...input, range: '0-1' })(picture, 2, 2).data;
    expect(share[11]).toBeCloseTo(24 / 255, 6);
    const range = { mean: [100, 10, 1], std: [2, 4, 5] };
    const normal = makeFeeder({ ...input, channels: 'bgr', range })(picture, 2, 2).data;
    expect([...normal].map((number) => Math.round(number * 1e4) / 1e4)).toEqual(
      [21, 22, 23, 24]
        .map((b) => (b - 100) / 2)
        .concat([11, 12, 13, 14].map((g) => (g - 10) / 4))
        .concat([1, 2, 3, 4].map((r) => (r - 1) / 5)),
    );
  });

  it('of one size is the picture in the upper left corner, grey around, and nothing of the picture before', () => {
    const feed = makeFeeder({ ...input, size: { width: 3, height: 3 } });
    feed(new Float32Array(27).fill(255), 3, 3);
    const { data, width, height } = feed(picture, 2, 2);
    expect([width, height]).toEqual([3, 3]);
    expect([...data.subarray(0, 9)]).toEqual([1, 2, 114, 3, 4, 114, 114, 114, 114]);
    expect([...data.subarray(18)]).toEqual([21, 22, 114, 23, 24, 114, 114, 114, 114]);
    const share = makeFeeder({ ...input, range: '0-1', size: { width: 3, height: 2 } })(picture, 2, 2).data;
    expect(share[2]).toBeCloseTo(114 / 255, 6);
  });
});

describe('the pictures of the trial', () => {
  it('hold what they say, inside the picture, in every shape', () => {
    expect(new Set(blankPicture(32, 64, 7).pixels)).toEqual(new Set([7]));
    for (const [width, height] of [
      [576, 320],
      [234, 416],
      [64, 36],
    ] as const) {
      const { pixels, people } = pictureOfPeople(width, height);
      expect(pixels).toHaveLength(3 * width * height);
      expect(pixels.every((number) => number >= 0 && number <= 255)).toBe(true);
      for (const { x, y, w, h } of people) {
        expect(x >= 0 && y >= 0 && x + w <= width && y + h <= height).toBe(true);
      }
    }
  });
});
