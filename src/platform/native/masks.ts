/** What is said about frames to those who cover them and to those who look whether they are covered (mask_arguments). */

/** How one picture is covered; `frames` are in order and follow the ones given before. */
export interface MaskBatch {
  /** Rectangles of each frame. */
  readonly counts: Uint32Array;
  /** All of them, x, y, w, h each, in pixels; clipped to the picture. */
  readonly rects: Int32Array;
  /** What is written along the edge of each frame, in the letters of the built-in font; needed where there is a label. */
  readonly texts?: readonly string[] | undefined;
  /** These frames are not part of the copy. */
  readonly drop?: boolean | undefined;
}

export interface LabelOptions {
  readonly edge: 'top' | 'bottom';
  /** Letters of the longest text there will be. */
  readonly longest: number;
}

export interface MaskOptions {
  readonly style: 'solid' | 'pixelate';
  readonly label?: LabelOptions | undefined;
}
