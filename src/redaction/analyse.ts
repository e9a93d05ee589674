import type { Track } from '../domain/redaction-plan.js';
import { GatewayError } from '../errors.js';
import { startDecoder, type DecodeEnd } from '../platform/ffmpeg.js';
import { openFrameReader, type TimeBase } from '../platform/native.js';
import { openDetectorPool, type DetectorPool } from './detectors/pool.js';
import type { Detection } from './detectors/detector.js';
import { trackAll, type LookedAt } from './track.js';

interface AnalyseSettings {
  /** From this score on a detection begins a track. A privacy setting: keep it low. */
  readonly minScore: number;
  /** Added on each side of a box, as a share of its size. */
  readonly padding: number;
  /** Frames in a second that the detector looks at, at most; the tracker fills in the others. */
  readonly detectionsPerSecond: number;
  /** Detector threads. */
  readonly workers: number;
  readonly vehicles?: boolean | undefined;
  /** Manifest of another model than the built-in one. */
  readonly manifestPath?: string | undefined;
  /** Seconds since the first frame, half-open: only there people are looked for. The whole file where left out. */
  readonly window?: SearchWindow | undefined;
}

export interface SearchWindow {
  readonly fromS: number;
  readonly toS: number;
}

interface AnalysedPicture {
  /** Upright, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly timeBase: TimeBase;
  /** Of every frame, in units of `timeBase`, as the decoder gave them. */
  readonly pts: BigInt64Array;
  readonly tracks: readonly Track[];
  /** Frames in which people were looked for, half-open. Outside of it no track means nothing: never show those frames. */
  readonly searched: { readonly firstFrame: number; readonly endFrame: number };
  readonly detector: {
    readonly name: string;
    readonly sha256: string;
    /** The size in which frames were looked at. */
    readonly width: number;
    readonly height: number;
    readonly framesLookedAt: number;
  };
  /** Part of the source could not be decoded; what is here is what could be. */
  readonly damaged: boolean;
  /** What somebody who reviews should know about the source, in words. */
  readonly notes: readonly string[];
}

interface AnalyseRun {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((framesDone: number) => void) | undefined;
}

/** Pixels a detector gets to see at most: its time grows with them. 512x384 and 576x320 lie just below. */
const detectionPixels = 200_000;
/** A small picture is enlarged so far, since people in it are small; beyond, nothing is gained. */
const largestScale = 1.5;
/** The picture may be stretched so far to fit, as a ratio of widths; a detector does not notice. */
const largestStretch = 1.06;
/** Weaker detections than `minScore`, down to this share of it, lengthen tracks. */
const weakShare = 0.5;

/**
 * The size in which the detector sees a picture: multiples of what the model asks for, of nearly the same shape, as large as
 * the budget allows.
 */
export function detectionSize(width: number, height: number, multipleOf: number): { width: number; height: number } {
  const stretchOf = (w: number, h: number): number => {
    const ratio = w / h / (width / height);
    return Math.max(ratio, 1 / ratio);
  };
  let best = { width: multipleOf, height: multipleOf };
  let bestRank = -Infinity;
  for (let w = multipleOf; w * multipleOf <= detectionPixels; w += multipleOf) {
    for (let h = multipleOf; w * h <= detectionPixels; h += multipleOf) {
      if (w > width * largestScale + multipleOf || h > height * largestScale + multipleOf) continue;
      const stretch = stretchOf(w, h);
      // Any size of the right shape comes before every one of another shape.
      const rank = stretch <= largestStretch ? w * h : -stretch;
      if (rank > bestRank) [best, bestRank] = [{ width: w, height: h }, rank];
    }
  }
  return best;
}

/**
 * Reads a video once, at low size, and returns who is where in every frame, with the time of every frame.
 *
 * Decoding (ffmpeg), reading (native thread) and detecting (worker threads) overlap; a handful of frame buffers go round
 * between them, so that memory does not grow with the length of the video beyond the tracks and 8 bytes a frame. The first
 * and the last frame (of the window, where there is one) are always looked at. Any failure of decoder or detector is thrown: `media-unreadable`,
 * `ffmpeg-failed`, `detector-failed`, `interrupted`.
 */
export async function analyse(
  input: string,
  settings: AnalyseSettings,
  run: AnalyseRun = {},
): Promise<AnalysedPicture> {
  const picture = await uprightSize(input, run.signal);
  const pool = openDetectorPool({
    minScore: settings.minScore * weakShare,
    vehicles: settings.vehicles ?? false,
    workers: settings.workers,
    manifestPath: settings.manifestPath,
  });
  try {
    const size = detectionSize(picture.width, picture.height, pool.multipleOf);
    const { looks, searched, timeBase, pts, end } = await lookThrough(input, pool, size, settings, run);
    const [scaleX, scaleY] = [picture.width / size.width, picture.height / size.height];
    const timesS = secondsOf(pts, timeBase);
    const inPicture = looks.map(({ frame, detections }) => ({
      frame,
      timeS: timesS[frame] ?? 0,
      detections: detections.map((detection) => scaled(detection, scaleX, scaleY)),
    }));
    const tracks = trackAll(inPicture, { ...picture, timesS }, settings);
    const detector = { name: pool.name, sha256: pool.sha256, ...size, framesLookedAt: looks.length };
    const notes = end.damaged ? [`The source is damaged: ${end.complaints}`] : [];
    return { ...picture, timeBase, pts, tracks, searched, detector, damaged: end.damaged, notes };
  } catch (error) {
    // Whatever broke off first because of it: it was stopped, nothing is wrong.
    if (run.signal?.aborted === true)
      throw new GatewayError('interrupted', `Looking for people in ${input}: stopped`, { cause: error });
    throw error;
  } finally {
    await pool.close();
  }
}

/** As the renderer will see it: after rotation, by the same decoder, not by what the container claims. */
async function uprightSize(input: string, signal?: AbortSignal): Promise<{ width: number; height: number }> {
  const decoder = await startDecoder({ input, pixelFormat: 'yuv420p', signal });
  const reader = openFrameReader(decoder.readFd, signal);
  try {
    const { width, height } = await firstOf(reader.header(), decoder.done);
    return { width, height };
  } finally {
    reader.close();
    decoder.stop();
  }
}

/** What was read; or, where ffmpeg gave up, why: "the stream ended" alone would not tell what is wrong with the file. */
async function firstOf<T>(reading: Promise<T>, done: Promise<DecodeEnd>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof GatewayError && error.code !== 'interrupted') await done;
    throw error;
  }
}

async function lookThrough(
  input: string,
  pool: DetectorPool,
  size: { width: number; height: number },
  settings: AnalyseSettings,
  run: AnalyseRun,
): Promise<
  Pick<AnalysedPicture, 'searched' | 'timeBase' | 'pts'> & { looks: Omit<LookedAt, 'timeS'>[]; end: DecodeEnd }
> {
  const decoder = await startDecoder({ input, pixelFormat: 'gbrp', size, signal: run.signal });
  const reader = openFrameReader(decoder.readFd, run.signal);
  const free = Array.from({ length: pool.workers + 2 }, () => new Float32Array(3 * size.width * size.height));
  const underWay = new Set<Promise<void>>();
  const looks: { frame: number; detections: Detection[] }[] = [];
  const look = (frame: number, pixels: Float32Array<ArrayBuffer>): void => {
    const done = pool.detect(pixels, size.width, size.height).then((result) => {
      looks.push({ frame, detections: result.detections });
      free.push(result.frame);
      underWay.delete(done);
    });
    // Awaited below; until then a failure must not count as unhandled.
    done.catch(() => undefined);
    underWay.add(done);
  };

  try {
    const { timeBase } = await firstOf(reader.header(), decoder.done);
    const pts = growing();
    const second = timeBase.den / timeBase.num;
    const interval = second / settings.detectionsPerSecond;
    const [fromS, toS] = [settings.window?.fromS ?? -Infinity, settings.window?.toS ?? Infinity];
    let origin: number | null = null;
    let due: number | null = null;
    let pixels: Float32Array<ArrayBuffer> | undefined;
    let [latestS, lookedAt] = [0, -1];
    let [firstFrame, endFrame] = [-1, 0];
    let past = false;
    for (;;) {
      pixels ??= free.pop();
      if (pixels === undefined) {
        await Promise.race(underWay);
        continue;
      }
      const frame = await firstOf(reader.next(pixels), decoder.done);
      if (frame === null) break;
      pts.push(frame.pts);
      const time = Number(frame.pts);
      origin ??= time;
      latestS = Math.max(latestS, (time - origin) / second);
      if (latestS >= fromS && !past) {
        // The first frame past the window is the last one that is looked at: what is filled in before it has both ends.
        past = latestS >= toS;
        if (firstFrame < 0) firstFrame = frame.index;
        endFrame = frame.index + 1;
        // By time, not by count: with a variable frame rate a count would leave seconds unseen. Time that jumps back (a
        // damaged file) begins anew.
        if (due === null || past || time >= due || time < due - 2 * interval) {
          look(frame.index, pixels);
          pixels = undefined;
          lookedAt = frame.index;
          due = due === null || time < due ? time + interval : Math.max(due + interval, time + interval / 2);
        }
      }
      run.onProgress?.(pts.length());
    }
    const last = pts.length() - 1;
    if (last < 0) {
      throw new GatewayError('media-unreadable', `${input} has no picture in it.`, { remedy: 'Play it to see.' });
    }
    // Who comes in after the last look would be in no track.
    if (lookedAt !== last && endFrame === last + 1) look(last, pixels);
    await Promise.all(underWay);
    const end = await decoder.done;
    looks.sort((a, b) => a.frame - b.frame);
    return { looks, searched: { firstFrame: Math.max(0, firstFrame), endFrame }, timeBase, pts: pts.values(), end };
  } finally {
    reader.close();
    decoder.stop();
  }
}

function scaled(detection: Detection, scaleX: number, scaleY: number): Detection {
  const { x, y, w, h } = detection.box;
  return { ...detection, box: { x: x * scaleX, y: y * scaleY, w: w * scaleX, h: h * scaleY } };
}

/** Seconds since the first frame; a time that goes back (a damaged file) stands still instead. */
function secondsOf(pts: BigInt64Array, timeBase: TimeBase): Float64Array {
  const first = pts[0] ?? 0n;
  const seconds = new Float64Array(pts.length);
  let latest = 0;
  for (const [frame, value] of pts.entries()) {
    latest = Math.max(latest, (Number(value - first) * timeBase.num) / timeBase.den);
    seconds[frame] = latest;
  }
  return seconds;
}

/** A list of 64-bit integers that takes 8 bytes for each, where an array of bigint takes several times that. */
function growing(): { push(value: bigint): void; length(): number; values(): BigInt64Array } {
  let data = new BigInt64Array(4096);
  let length = 0;
  return {
    push(value) {
      if (length === data.length) {
        const larger = new BigInt64Array(2 * length);
        larger.set(data);
        data = larger;
      }
      data[length++] = value;
    },
    length: () => length,
    values: () => data.slice(0, length),
  };
}
