/** Pictures as JPEG, by sharp: the only place that knows of it. Loaded at first use, since most commands make no picture. */
import type { default as Sharp, OverlayOptions } from 'sharp';
import { drawDigits, glyphRows, textWidth } from './digits.js';
import type { RgbPicture } from './rgb-picture.js';

let loaded: Promise<typeof Sharp> | undefined;

async function load(): Promise<typeof Sharp> {
  loaded ??= import('sharp').then(({ default: sharp }) => {
    // It would keep pictures of people in memory, where no deletion finds them.
    sharp.cache(false);
    sharp.concurrency(1);
    return sharp;
  });
  return loaded;
}

/** Without any metadata. `quality` from 1 to 100. */
export async function toJpeg({ width, height, rgb }: RgbPicture, quality: number): Promise<Buffer> {
  const sharp = await load();
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer();
}

export interface SheetCell {
  /** Null where there is nothing to show: the place is left empty and crossed out. */
  readonly picture: RgbPicture | null;
  /** Digits and the signs of a time. */
  readonly caption: string;
}

export interface SheetSize {
  readonly columns: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
}

const captionScale = 2;
const captionHeight = (glyphRows + 5) * captionScale;
const gap = 4;
const grey = { page: 24, empty: 56, cross: 96, caption: 235 };

/** Pictures row by row, each with its caption below. They are fitted into their cells, never cut. */
export async function contactSheet(cells: readonly SheetCell[], size: SheetSize): Promise<Buffer> {
  const sharp = await load();
  const { columns, cellWidth, cellHeight } = size;
  const rows = Math.ceil(cells.length / columns);
  const width = columns * (cellWidth + gap) + gap;
  const height = rows * (cellHeight + captionHeight + gap) + gap;
  const page: RgbPicture = { width, height, rgb: Buffer.alloc(width * height * 3, grey.page) };
  const overlays: OverlayOptions[] = [];
  for (const [index, { picture, caption }] of cells.entries()) {
    const left = gap + (index % columns) * (cellWidth + gap);
    const top = gap + Math.floor(index / columns) * (cellHeight + captionHeight + gap);
    if (picture === null) crossOut(page, left, top, size);
    else overlays.push({ ...(await fitted(sharp, picture, size)), left, top });
    drawDigits(page, caption, {
      left: left + Math.max(0, Math.floor((cellWidth - textWidth(caption, captionScale)) / 2)),
      top: top + cellHeight + 3 * captionScale,
      scale: captionScale,
      grey: grey.caption,
    });
  }
  return sharp(page.rgb, { raw: { width, height, channels: 3 } })
    .composite(overlays)
    .jpeg({ quality: 80 })
    .toBuffer();
}

async function fitted(
  sharp: typeof Sharp,
  { width, height, rgb }: RgbPicture,
  { cellWidth, cellHeight }: SheetSize,
): Promise<OverlayOptions> {
  const input = await sharp(rgb, { raw: { width, height, channels: 3 } })
    .resize(cellWidth, cellHeight, { fit: 'contain', background: { r: 0, g: 0, b: 0 } })
    .raw()
    .toBuffer();
  return { input, raw: { width: cellWidth, height: cellHeight, channels: 3 } };
}

function crossOut({ width, rgb }: RgbPicture, left: number, top: number, { cellWidth, cellHeight }: SheetSize): void {
  for (let y = 0; y < cellHeight; y += 1) {
    const row = ((top + y) * width + left) * 3;
    rgb.fill(grey.empty, row, row + cellWidth * 3);
    const x = Math.floor((y * (cellWidth - 2)) / cellHeight);
    for (const at of [x, cellWidth - 2 - x]) rgb.fill(grey.cross, row + at * 3, row + (at + 2) * 3);
  }
}
