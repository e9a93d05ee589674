/**
 * A marker that survives what a gateway does to footage: a pattern over the whole picture that is found again in any decoded
 * picture at any size and place, words for names and metadata, and the very bytes of the encoded film.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { embeddedFfmpeg } from './clip.js';

const columns = 16;
const rows = 12;
/** Light and dark cells, as a linear congruence throws them: no picture has them by chance. */
const cells: readonly boolean[] = (() => {
  let state = 20_261_124;
  return Array.from({ length: columns * rows }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state > 1_073_741_824;
  });
})();

/** In names: plain, and with letters that a file name, a URL and JSON write in ways of their own. */
export const plainName = 'Zqj7731Wvk';
export const danishName = 'Rødgrød9173';
/** In the container's metadata. */
export const title = 'Tqm5520Metadata';

/** Some seconds of H.264 in MP4 that show the marker, and say it in their title. Another `shade`, other bytes. */
export async function makeMarkedClip(path: string, shade: number, seconds = 3): Promise<string> {
  const size = 20;
  const pixels = Buffer.alloc(columns * size * rows * size);
  for (let at = 0; at < pixels.length; at += 1) {
    const column = Math.floor((at % (columns * size)) / size);
    const row = Math.floor(at / (columns * size * size));
    pixels[at] = cells[row * columns + column] === true ? 255 - shade : shade;
  }
  const picture = `${path}.png`;
  await sharp(pixels, { raw: { width: columns * size, height: rows * size, channels: 1 } })
    .png()
    .toFile(picture);
  execFileSync(embeddedFfmpeg(), [
    ...['-v', 'error', '-nostdin', '-y', '-loop', '1', '-framerate', '10', '-t', String(seconds), '-i', picture],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-qp', '18', '-g', '10', '-pix_fmt', 'yuv420p'],
    ...['-metadata', `title=${title}`, path],
  ]);
  return path;
}

interface Gray {
  readonly pixels: Buffer;
  readonly width: number;
  readonly height: number;
}

/** Whether a window of the picture, of any size and place, has the cells light and dark as the marker has them. */
function showsMarker({ pixels, width, height }: Gray): boolean {
  const sums = new Float64Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y += 1) {
    let line = 0;
    for (let x = 0; x < width; x += 1) {
      line += pixels[y * width + x] ?? 0;
      sums[(y + 1) * (width + 1) + x + 1] = (sums[y * (width + 1) + x + 1] ?? 0) + line;
    }
  }
  const sumOf = (x: number, y: number, w: number, h: number): number => {
    const at = (row: number, column: number): number => sums[row * (width + 1) + column] ?? 0;
    return at(y + h, x + w) - at(y, x + w) - at(y + h, x) + at(y, x);
  };
  const means = new Float64Array(columns * rows);
  for (let w = Math.min(width, Math.floor((height * 4) / 3)); w >= 96; w = Math.floor(w * 0.96)) {
    const h = Math.floor((w * 3) / 4);
    const step = Math.max(1, Math.floor(w / columns / 3));
    for (let y = 0; y + h <= height; y += step) {
      for (let x = 0; x + w <= width; x += step) {
        const mean = sumOf(x, y, w, h) / (w * h);
        let agree = 0;
        for (let cell = 0; cell < means.length; cell += 1) {
          // The middle of a cell alone: its edges are blurred, and a window is never quite in its place.
          const left = x + Math.floor((((cell % columns) + 0.25) * w) / columns);
          const top = y + Math.floor(((Math.floor(cell / columns) + 0.25) * h) / rows);
          const side = Math.max(1, Math.floor(w / columns / 2));
          const light = sumOf(left, top, side, side) / (side * side) > mean;
          if (light === cells[cell]) agree += 1;
          // Of 192 cells chance has 96, give or take 7.
          else if (cell - agree > 30) break;
        }
        if (agree > 160) return true;
      }
    }
  }
  return false;
}

async function pictureOf(bytes: Buffer): Promise<Gray | null> {
  try {
    const { data, info } = await sharp(bytes, { failOn: 'none' })
      .resize({ width: 800, height: 800, fit: 'inside', withoutEnlargement: true })
      .flatten()
      .grayscale()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { pixels: data, width: info.width, height: info.height };
  } catch {
    return null;
  }
}

/** Whatever ffmpeg can decode of a file, also of one that was cut off. */
function framesOf(path: string): Gray[] {
  const [width, height] = [320, 240];
  const { stdout } = spawnSync(
    embeddedFfmpeg(),
    [
      ...['-v', 'quiet', '-nostdin', '-i', path, '-vf', `fps=2,scale=${width}:${height}`],
      ...['-frames:v', '8', '-f', 'rawvideo', '-pix_fmt', 'gray', '-'],
    ],
    { maxBuffer: 64_000_000 },
  );
  const frames: Gray[] = [];
  for (let at = 0; at + width * height <= stdout.length; at += width * height) {
    frames.push({ pixels: stdout.subarray(at, at + width * height), width, height });
  }
  return frames;
}

/** Every way in which a word may be written down. */
function writings(word: string): Buffer[] {
  const base64 = (before: number): string => {
    const text = Buffer.concat([Buffer.alloc(before), Buffer.from(word)]).toString('base64');
    // Only what no neighbour of the word has a part in.
    return text.slice(Math.ceil((before * 4) / 3), -4);
  };
  const escaped = JSON.stringify(word)
    .slice(1, -1)
    .replace(/[^ -~]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const utf16 = Buffer.from(word, 'utf16le');
  return [
    Buffer.from(word),
    Buffer.from(word.normalize('NFD')),
    Buffer.from(word, 'latin1'),
    utf16,
    Buffer.from(utf16).swap16(),
    Buffer.from(encodeURIComponent(word)),
    Buffer.from(encodeURIComponent(word).toLowerCase()),
    Buffer.from(escaped),
    Buffer.from(word.normalize('NFKD').replace(/[^A-Za-z0-9._-]+/g, '_')),
    ...[0, 1, 2].map((before) => Buffer.from(base64(before))),
    Buffer.from(Buffer.from(word).toString('hex')),
  ];
}

export interface Needles {
  readonly words: readonly Buffer[];
  /** Bytes of the films themselves. */
  readonly footage: readonly Buffer[];
}

export function needlesOf(films: readonly string[]): Needles {
  const footage = films.flatMap((film) => {
    const bytes = readFileSync(film);
    const from = bytes.indexOf('mdat') + 1_000;
    return [0, 1, 2, 3].map((part) => bytes.subarray(from + part * 700, from + part * 700 + 24));
  });
  return { words: [plainName, danishName, title].flatMap(writings), footage };
}

export interface Trace {
  readonly path: string;
  readonly of: 'name' | 'word' | 'footage' | 'picture';
}

/** Where any of it is left below these folders: in names, in bytes, and in whatever of them can be decoded. */
export async function tracesIn(folders: readonly string[], { words, footage }: Needles): Promise<Trace[]> {
  const traces: Trace[] = [];
  for (const path of folders.flatMap((folder) => everyName(folder))) {
    const name = Buffer.from(path);
    if (words.some((word) => name.includes(word))) traces.push({ path, of: 'name' });
    if (!lstatSync(path).isFile()) continue;
    const bytes = readFileSync(path);
    if (words.some((word) => bytes.includes(word))) traces.push({ path, of: 'word' });
    if (footage.some((part) => bytes.includes(part))) traces.push({ path, of: 'footage' });
    if (bytes.length < 400) continue;
    const picture = await pictureOf(bytes);
    const pictures = picture === null ? framesOf(path) : [picture];
    if (pictures.some(showsMarker)) traces.push({ path, of: 'picture' });
  }
  return traces;
}

/** Folders too: a name may be that of an empty one. */
const everyName = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => join(entry.parentPath, entry.name));
