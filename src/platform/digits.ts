/** Writing times into pictures without a font: servers often have none installed, and then a library draws empty boxes. */
import type { RgbPicture } from './rgb-picture.js';

/** Five columns, seven rows, a row for each word, the leftmost pixel as the highest bit. */
const glyphs: Readonly<Record<string, readonly number[]>> = {
  '0': [14, 17, 19, 21, 25, 17, 14],
  '1': [4, 12, 4, 4, 4, 4, 14],
  '2': [14, 17, 1, 2, 4, 8, 31],
  '3': [31, 2, 4, 2, 1, 17, 14],
  '4': [2, 6, 10, 18, 31, 2, 2],
  '5': [31, 16, 30, 1, 1, 17, 14],
  '6': [6, 8, 16, 30, 17, 17, 14],
  '7': [31, 1, 2, 4, 8, 8, 8],
  '8': [14, 17, 17, 14, 17, 17, 14],
  '9': [14, 17, 17, 15, 1, 2, 12],
  ':': [0, 4, 4, 0, 4, 4, 0],
  '-': [0, 0, 0, 14, 0, 0, 0],
  '+': [0, 4, 4, 31, 4, 4, 0],
  '.': [0, 0, 0, 0, 0, 6, 6],
};
const columns = 5;
export const glyphRows = 7;
/** One empty column between two. */
const advance = columns + 1;

export const textWidth = (text: string, scale: number): number => text.length * advance * scale;

/** Draws digits and the signs of a time with its upper left corner at `left`, `top`; other letters are left blank. Cut at the edges. */
export function drawDigits(
  picture: RgbPicture,
  text: string,
  place: { readonly left: number; readonly top: number; readonly scale: number; readonly grey: number },
): void {
  const { width, height, rgb } = picture;
  const { left, top, scale, grey } = place;
  Array.from(text).forEach((letter, position) => {
    (glyphs[letter] ?? []).forEach((bits, row) => {
      for (let column = 0; column < columns; column += 1) {
        if ((bits & (1 << (columns - 1 - column))) === 0) continue;
        const [x0, y0] = [left + (position * advance + column) * scale, top + row * scale];
        for (let y = Math.max(0, y0); y < Math.min(y0 + scale, height); y += 1) {
          const from = Math.max(0, x0);
          const to = Math.min(x0 + scale, width);
          if (from < to) rgb.fill(grey, (y * width + from) * 3, (y * width + to) * 3);
        }
      }
    });
  });
}
