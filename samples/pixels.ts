/** Looks at the pixels of a video, not at what anybody says about them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg';
import type { Box } from './canvas.js';

/** Luma planes of every frame, one after the other. For short clips: all of it is in memory. */
export async function lumaFrames(file: string, width: number, height: number): Promise<Uint8Array[]> {
  const child = spawn(
    ffmpegInstaller.path,
    ['-v', 'error', '-nostdin', '-i', file, '-f', 'rawvideo', '-pix_fmt', 'gray', '-vsync', '0', '-'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${file} cannot be decoded.`);
  const all = Buffer.concat(chunks);
  const size = width * height;
  if (all.length % size !== 0) throw new Error(`${file} is not ${width}x${height}.`);
  return Array.from({ length: all.length / size }, (_, index) => all.subarray(index * size, (index + 1) * size));
}

/** Share of a box, 0 to 1, whose luma is that of a fill: `level` give or take what an encoder changes. */
export function filledShare(luma: Uint8Array, width: number, box: Box, level: number, tolerance = 12): number {
  let filled = 0;
  for (let y = box.y; y < box.y + box.h; y += 1) {
    for (let x = box.x; x < box.x + box.w; x += 1) {
      if (Math.abs((luma[y * width + x] ?? 255) - level) <= tolerance) filled += 1;
    }
  }
  return filled / Math.max(1, box.w * box.h);
}

/** The most frequent luma within the boxes of a frame: the level of the fill, found without being told. */
export function commonLevel(
  frames: readonly { readonly luma: Uint8Array; readonly boxes: readonly Box[] }[],
  width: number,
): number {
  const counts = new Float64Array(256);
  for (const { luma, boxes } of frames) {
    for (const box of boxes) {
      for (let y = box.y; y < box.y + box.h; y += 1) {
        for (let x = box.x; x < box.x + box.w; x += 1) {
          const level = luma[y * width + x] ?? 0;
          counts[level] = (counts[level] ?? 0) + 1;
        }
      }
    }
  }
  return counts.indexOf(Math.max(...counts));
}
