// How much of the people in a video can still be seen in its masked copy, measured on the pixels of the copy.
//
//   node test/bench/leak.mjs --source IN --masked OUT --truth GT.TXT [--fill 24,128,128] [--tolerance 12] [--json] [--worst N]
//
// GT.TXT is MOT ground truth: frame (from 1), id, left, top, width, height (pixels from 1), confidence (0: ignored), ...
// A pixel is covered where the copy shows the fill colour (Y,U,V) and the source does not; where the source shows that
// colour by itself nothing can be told and the pixel is not counted. Prints the share of box-frames covered to at least
// 80 %, the number of those under 30 %, and the masked area over the area of the boxes. Needs `npm run build` (for finding
// ffmpeg). Exit code 1 if the copy has other frames than the source or ground truth is left over.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findFfmpeg } from '../../dist/platform/ffmpeg.js';

const { values } = parseArgs({
  options: {
    source: { type: 'string' },
    masked: { type: 'string' },
    truth: { type: 'string' },
    fill: { type: 'string', default: '24,128,128' },
    tolerance: { type: 'string', default: '12' },
    worst: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
});
const { source, masked, truth } = values;
if (source === undefined || masked === undefined || truth === undefined) {
  process.stderr.write('usage: leak.mjs --source IN --masked OUT --truth GT.TXT\n');
  process.exit(2);
}
const fill = values.fill.split(',').map(Number);
const tolerance = Number(values.tolerance);

/** Boxes by frame, counted from 0. */
function readTruth(path) {
  const frames = new Map();
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line.trim() === '') continue;
    const [frame, id, left, top, w, h, confidence = 1] = line.split(',').map(Number);
    if (confidence === 0) continue;
    const boxes = frames.get(frame - 1) ?? [];
    boxes.push({ id, x: left - 1, y: top - 1, w, h });
    frames.set(frame - 1, boxes);
  }
  return frames;
}

/** Upright size and one yuv444p buffer after another; every frame as it is stored, none doubled or dropped. */
async function* decode(ffmpeg, path) {
  const args = ['-v', 'error', '-nostdin', '-i', path, '-map', '0:v:0', '-vsync', '0', '-pix_fmt', 'yuv444p'];
  const child = spawn(ffmpeg, [...args, '-f', 'yuv4mpegpipe', '-strict', '-1', 'pipe:1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`ffmpeg failed on ${path}`))));
  });
  ended.catch(() => undefined); // Awaited at the end; the stream may end first.
  let rest = Buffer.alloc(0);
  let size = null;
  for await (const chunk of child.stdout) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const line = rest.subarray(0, 256).indexOf(10);
      if (line < 0) break;
      const head = rest.toString('latin1', 0, line);
      if (size === null) {
        size = { width: Number(/ W(\d+)/.exec(head)[1]), height: Number(/ H(\d+)/.exec(head)[1]) };
        rest = rest.subarray(line + 1);
        continue;
      }
      const bytes = 3 * size.width * size.height;
      if (rest.length < line + 1 + bytes) break;
      yield { ...size, planes: rest.subarray(line + 1, line + 1 + bytes) };
      rest = rest.subarray(line + 1 + bytes);
    }
  }
  await ended;
}

function isFill(planes, pixels, at) {
  return (
    Math.abs(planes[at] - fill[0]) <= tolerance &&
    Math.abs(planes[pixels + at] - fill[1]) <= tolerance &&
    Math.abs(planes[2 * pixels + at] - fill[2]) <= tolerance
  );
}

const { path: ffmpeg } = await findFfmpeg();
const boxes = readTruth(truth);
const result = { frames: 0, boxFrames: 0, covered80: 0, under30: 0, maskedPixels: 0, boxPixels: 0, picturePixels: 0 };
const worst = [];
const [originals, copies] = [decode(ffmpeg, source), decode(ffmpeg, masked)];
let same = true;
for (let frame = 0; ; frame += 1) {
  const [original, copy] = await Promise.all([originals.next(), copies.next()]);
  if (original.done || copy.done) {
    same = original.done === copy.done;
    break;
  }
  // A copy may have one column or row more: chroma needs even sides.
  const { width, height } = original.value;
  const [pixels, stride] = [width * height, copy.value.width];
  const copyPixels = stride * copy.value.height;
  if (Math.abs(stride - width) > 1 || Math.abs(copy.value.height - height) > 1) same = false;
  const state = new Uint8Array(pixels); // 0 seen, 1 covered, 2 cannot be told
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (!isFill(copy.value.planes, copyPixels, y * stride + x)) continue;
      const at = y * width + x;
      state[at] = isFill(original.value.planes, pixels, at) ? 2 : 1;
      if (state[at] === 1) result.maskedPixels += 1;
    }
  }
  for (const { id, x, y, w, h } of boxes.get(frame) ?? []) {
    const [left, top] = [Math.max(0, Math.round(x)), Math.max(0, Math.round(y))];
    const [right, bottom] = [Math.min(width, Math.round(x + w)), Math.min(height, Math.round(y + h))];
    if (right <= left || bottom <= top) continue;
    const count = [0, 0, 0];
    for (let row = top; row < bottom; row += 1) {
      for (let col = left; col < right; col += 1) count[state[row * width + col]] += 1;
    }
    const share = count[0] + count[1] === 0 ? 1 : count[1] / (count[0] + count[1]);
    result.boxFrames += 1;
    result.boxPixels += (right - left) * (bottom - top);
    if (share >= 0.8) result.covered80 += 1;
    else worst.push({ frame, id, share: Number(share.toFixed(3)), box: [left, top, right - left, bottom - top] });
    if (share < 0.3) result.under30 += 1;
  }
  boxes.delete(frame);
  result.frames += 1;
  result.picturePixels += pixels;
}

const summary = {
  frames: result.frames,
  sameFrames: same,
  truthLeftOver: [...boxes.keys()].length,
  boxFrames: result.boxFrames,
  covered80Percent: Number(((100 * result.covered80) / Math.max(1, result.boxFrames)).toFixed(3)),
  under30: result.under30,
  maskedToBoxArea: Number((result.maskedPixels / Math.max(1, result.boxPixels)).toFixed(3)),
  maskedPicturePercent: Number(((100 * result.maskedPixels) / Math.max(1, result.picturePixels)).toFixed(2)),
  worst: worst.sort((a, b) => a.share - b.share).slice(0, Number(values.worst)),
};
if (values.json) {
  process.stdout.write(`${JSON.stringify(summary)}\n`);
} else {
  const { worst: list, ...figures } = summary;
  for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name.padEnd(22)} ${value}\n`);
  for (const { frame, id, share, box } of list) {
    process.stdout.write(`  frame ${frame} person ${id}: ${(100 * share).toFixed(0)} % of ${box.join(',')}\n`);
  }
}
process.exitCode = same && boxes.size === 0 ? 0 : 1;
