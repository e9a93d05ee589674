/** Looks at a recording a few times a second, with the motion model and, where it is worth it, the detector. */
import type { Track } from '../domain/redaction-plan.js';
import { createMotionModel, type FrameLine } from '../platform/native.js';
import type { DetectorPool } from './detectors/pool.js';
import { createTracker, type Tracker, type TrackerSettings } from './track.js';

/**
 * Looks that may be under way at once. Whether the detector looks is decided from what was known so many looks ago: always
 * the same number, so that the same recording gives the same tracks on any machine, and enough that no core waits.
 */
const lag = 3;
/** The motion model begins with the middle of what it sees in so long; until then every second look is the detector's. */
const primeS = 2;
/** Longer side of the motion model's picture, at most. */
const smallSide = 320;
/** Below this the motion model does not work. */
const smallestSide = 16;

interface LookerRequest {
  readonly picture: { readonly width: number; readonly height: number };
  /** In which the detector sees it. */
  readonly detection: { readonly width: number; readonly height: number };
  readonly matrix: 'bt601' | 'bt709';
  readonly pool: DetectorPool;
  /** Seconds since the first frame; known for every frame that was in hand. */
  readonly timeOf: (frame: number) => number;
  readonly settings: TrackerSettings;
}

export interface Looker {
  /** Whether a frame is to be looked at, by its time: with a variable frame rate a count would leave seconds unseen. */
  isDue(timeS: number): boolean;
  /** Looks at the frame in hand; in order. Resolves when the line may go on. */
  look(line: FrameLine, frame: number): Promise<void>;
  readonly tracker: Pick<Tracker, 'finalFrames' | 'boxesIn'>;
  /** How many frames the detector saw. */
  readonly detections: number;
  /** After the last look: everything is final. */
  finish(): Promise<readonly Track[]>;
}

interface Look {
  readonly frame: number;
  readonly timeS: number;
  readonly small: Uint8Array;
  readonly detected: ReturnType<DetectorPool['detect']> | null;
}

export function openLooker(request: LookerRequest): Looker {
  const { picture, detection, pool, timeOf, settings } = request;
  const tracker = createTracker({ ...picture, timeOf }, settings);
  const small = smallSize(picture);
  const smallBytes = small.width * small.height + 2 * Math.ceil(small.width / 2) * Math.ceil(small.height / 2);
  const toSmall = (value: number, side: 'width' | 'height'): number => (value * small[side]) / picture[side];
  // In a picture of a few pixels there is nothing to be seen of motion that the detector would not see.
  const motion =
    Math.min(small.width, small.height) < smallestSide ? null : createMotionModel(small.width, small.height);
  const pixels = 3 * detection.width * detection.height;
  const free: Float32Array<ArrayBuffer>[] = [];
  const freeSmall: Uint8Array[] = [];
  const waiting: Look[] = [];
  const interval = 1 / settings.detectionsPerSecond;
  let [looks, detections] = [0, 0];
  let [due, firstS, primed] = [-Infinity, 0, false];

  /** One look after the other, in order: the tracker first, then what it does not explain. */
  const take = async (): Promise<void> => {
    const look = waiting.shift();
    if (look === undefined) return;
    const found = await look.detected;
    if (found !== null) free.push(found.frame);
    const [scaleX, scaleY] = [picture.width / detection.width, picture.height / detection.height];
    const occupied = tracker.see({
      frame: look.frame,
      timeS: look.timeS,
      detections:
        found?.detections.map(({ box, ...rest }) => ({
          ...rest,
          box: { x: box.x * scaleX, y: box.y * scaleY, w: box.w * scaleX, h: box.h * scaleY },
        })) ?? null,
    });
    const rects = occupied.flatMap(({ x, y, w, h }) => {
      const [left, top] = [Math.floor(toSmall(x, 'width')), Math.floor(toSmall(y, 'height'))];
      return [left, top, Math.ceil(toSmall(x + w, 'width')) - left, Math.ceil(toSmall(y + h, 'height')) - top];
    });
    tracker.notice(motion?.look(look.small, look.timeS, Int32Array.from(rects)) ?? null);
    freeSmall.push(look.small);
  };

  const prime = (): void => {
    primed = true;
    if (waiting.length > 0) motion?.prime(waiting.map((look) => look.small));
  };

  return {
    tracker,
    get detections() {
      return detections;
    },
    isDue: (timeS) => timeS >= due,
    async look(line, frame) {
      const timeS = timeOf(frame);
      if (looks === 0) firstS = timeS;
      if (!primed && timeS - firstS >= primeS) prime();
      while (primed && waiting.length >= lag) await take();
      const wanted = primed ? tracker.wantsDetection(timeS) : looks % 2 === 0;
      looks += 1;
      due = Math.max(due + interval, timeS + interval / 2);
      if (due === Infinity || due - timeS > 2 * interval) due = timeS + interval;
      const into = freeSmall.pop() ?? new Uint8Array(smallBytes);
      const rgb = wanted ? (free.pop() ?? new Float32Array(pixels)) : null;
      await line.look({
        rgb: rgb === null ? null : { pixels: rgb, ...detection },
        small: { pixels: into, ...small },
        matrix: request.matrix,
      });
      const detected = rgb === null ? null : pool.detect(rgb, detection.width, detection.height);
      // Awaited in its turn; until then a failure must not count as unhandled.
      detected?.catch(() => undefined);
      if (detected !== null) detections += 1;
      waiting.push({ frame, timeS, small: into, detected });
    },
    async finish() {
      if (!primed) prime();
      while (waiting.length > 0) await take();
      return tracker.finish();
    },
  };
}

function smallSize({ width, height }: { width: number; height: number }): { width: number; height: number } {
  const scale = Math.min(1, smallSide / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
