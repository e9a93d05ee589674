import { spawn } from 'node:child_process';
import { once } from 'node:events';
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg';
import { copyCanvas, makeCanvas, makeRandom, type Box, type Canvas } from './canvas.js';
import { drawFigure, type Outline } from './figure.js';
import { placeOf, type Place, type PlaceName } from './places.js';
import { drawShadow, drawStill, project } from './view.js';
import { makeLook, stanceAt } from './walks.js';

export interface SceneOptions {
  readonly place: PlaceName;
  /** Default 768 × 432. */
  readonly width?: number;
  readonly height?: number;
  /** Default 10. */
  readonly fps?: number;
  /** Default 20. Walks repeat after 20 s, so clips of that length follow one another without a jump. */
  readonly seconds?: number;
  /** Who walks there and the grain of the picture. Default 1. */
  readonly seed?: number;
  /** Nobody is there. */
  readonly empty?: boolean;
}

/** One figure in one frame: the part of it that can be seen. Boxes are in whole pixels and within the picture. */
export interface FigureBox {
  readonly figure: number;
  readonly body: Box;
  /** Undefined when the head is outside the picture or behind something. */
  readonly head: Box | undefined;
  /** Share of the body, 0 to 1, that neither the edge nor something nearer hides. */
  readonly visible: number;
}

export interface SceneTruth {
  readonly place: PlaceName;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** Per frame, who is in the picture. */
  readonly frames: readonly (readonly FigureBox[])[];
}

const periodS = 20;

function settled(options: SceneOptions) {
  return { width: 768, height: 432, fps: 10, seconds: periodS, seed: 1, empty: false, ...options };
}

/** The box of those pixels within `around` that show this figure; undefined when fewer than `least` of them do. */
function shownIn(canvas: Canvas, around: Box, figure: number, least: number): Box | undefined {
  let [left, top, right, bottom, count] = [Infinity, Infinity, -1, -1, 0];
  for (let y = Math.max(0, Math.floor(around.y)); y < Math.min(canvas.height, around.y + around.h); y += 1) {
    for (let x = Math.max(0, Math.floor(around.x)); x < Math.min(canvas.width, around.x + around.w); x += 1) {
      if (canvas.owner[y * canvas.width + x] !== figure) continue;
      count += 1;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  return count < Math.max(1, least) ? undefined : { x: left, y: top, w: right - left + 1, h: bottom - top + 1 };
}

function drawPeople(canvas: Canvas, place: Place, second: number, seed: number): FigureBox[] {
  const people = place.walks.flatMap((walk, i) => {
    const stance = stanceAt(walk, ((((second - walk.startS) % periodS) + periodS) % periodS) + walk.startS);
    return stance === undefined ? [] : [{ figure: i + 1, stance, depthM: project(place.view, stance.at).depthM }];
  });
  people.sort((a, b) => b.depthM - a.depthM);
  for (const { stance } of people) {
    const { dx, dz, dark } = place.shadow;
    const [x, , z] = stance.at;
    drawShadow(canvas, place.view, stance.at, [x + dx * 1.7, 0, z + dz * 1.7], 0.26, dark);
  }
  const outlines = people.map(({ figure, stance }): [number, Outline] => [
    figure,
    drawFigure(
      canvas,
      place.view,
      place.light,
      makeLook(seed * 1009 + place.crowd * 101 + figure * 31),
      stance,
      figure,
    ),
  ]);
  return outlines.flatMap(([figure, outline]) => {
    const body = shownIn(canvas, outline.body, figure, 1);
    if (body === undefined) return [];
    const shown = outline.marks.filter(({ x, y }) => {
      const inside = x >= 0 && y >= 0 && x < canvas.width && y < canvas.height;
      return inside && canvas.owner[Math.floor(y) * canvas.width + Math.floor(x)] === figure;
    });
    const head = shownIn(canvas, outline.head, figure, 0.15 * outline.head.w * outline.head.h);
    return [{ figure, body, head, visible: shown.length / outline.marks.length }];
  });
}

/** The empty place with the grain of a sensor on it: a few of them, so that no two frames in a row are the same. */
function makeStills(place: Place, random: () => number): Canvas[] {
  const clean = drawStill(place.view, place.blocks, place.sky);
  return Array.from({ length: 5 }, () => ({
    ...clean,
    rgb: clean.rgb.map((value) => Math.round(value + (random() + random() - 1) * 3)),
  }));
}

/**
 * Draws a clip frame by frame. The canvas that is handed out is drawn over by the next frame.
 * The same options give the same bytes on every machine.
 */
export function* drawScene(options: SceneOptions): Generator<{ rgb: Uint8ClampedArray; figures: FigureBox[] }> {
  const { place: name, width, height, fps, seconds, seed, empty } = settled(options);
  const place = placeOf(name, width, height);
  const random = makeRandom(seed);
  const stills = makeStills(place, random);
  const canvas = makeCanvas(width, height);
  for (let frame = 0; frame < Math.round(seconds * fps); frame += 1) {
    const still = stills[frame % stills.length];
    if (still !== undefined) copyCanvas(still, canvas);
    const figures = empty ? [] : drawPeople(canvas, place, frame / fps, seed);
    yield { rgb: canvas.rgb, figures };
  }
}

/** Draws a clip and lets ffmpeg encode it as H.264 while it is drawn. Returns who is where in which frame. */
export async function encodeScene(
  file: string,
  options: SceneOptions & {
    /** A hum as a second track. Default false. */
    readonly audio?: boolean;
    /** `fragmented` is what MediaMTX writes: an MP4 in pieces, each readable without the next. Default false. */
    readonly fragmented?: boolean;
  },
): Promise<SceneTruth> {
  const { place, width, height, fps, seconds } = settled(options);
  // Begins a little later and ends a little earlier than the picture: the encoder pads both ends of a sound, which would
  // shift the picture and make the clip end after the next one begins.
  const hum = `aevalsrc=0.04*sin(440*t)*(1+sin(3*t))+0.02*(random(0)-0.5):sample_rate=16000:duration=${seconds - 0.4}`;
  const audio =
    options.audio === true ? ['-itsoffset', '0.2', '-f', 'lavfi', '-i', hum, '-c:a', 'aac', '-b:a', '32k'] : [];
  const flags = options.fragmented === true ? 'frag_keyframe+empty_moov+default_base_moof' : 'faststart';
  const ffmpeg = spawn(
    ffmpegInstaller.path,
    [
      ...[
        '-v',
        'error',
        '-f',
        'rawvideo',
        '-pix_fmt',
        'rgb24',
        '-s',
        `${width}x${height}`,
        '-r',
        `${fps}`,
        '-i',
        'pipe:0',
      ],
      ...audio,
      ...[
        '-c:v',
        'libx264',
        '-preset',
        'veryfast',
        '-crf',
        '28',
        '-bf',
        '0',
        '-pix_fmt',
        'yuv420p',
        '-g',
        `${fps * 2}`,
      ],
      ...[
        '-t',
        `${seconds}`,
        '-fflags',
        '+bitexact',
        '-flags',
        '+bitexact',
        '-movflags',
        flags,
        '-f',
        'mp4',
        '-y',
        file,
      ],
    ],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  let complaint = '';
  ffmpeg.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  // A dead ffmpeg closes its end of the pipe; its exit status tells more than our EPIPE.
  ffmpeg.stdin.on('error', () => undefined);
  const closed = new Promise<number | null>((resolve, reject) => {
    ffmpeg.once('error', reject);
    ffmpeg.once('close', resolve);
  });
  const frames: FigureBox[][] = [];
  for (const { rgb, figures } of drawScene(options)) {
    frames.push(figures);
    if (ffmpeg.exitCode !== null || !ffmpeg.stdin.writable) break;
    if (!ffmpeg.stdin.write(Buffer.from(rgb))) await Promise.race([once(ffmpeg.stdin, 'drain'), closed]);
  }
  ffmpeg.stdin.end();
  const status = await closed;
  if (status !== 0) throw new Error(`ffmpeg could not encode ${file} (${status ?? 'killed'}): ${complaint.trim()}`);
  return { place, width, height, fps, frames };
}
