/**
 * The way of a recording from its file to a masked copy:
 *
 * - `findPeople` looks at it; with a copy asked for, each frame is covered and encoded as soon as it is final where people
 *   are in it, so that the file is decoded once;
 * - `renderPlan` covers what an analysis found, with other decisions.
 *
 * Both read the frames in the same way, so that a frame's number and time mean the same in both. See README.md beside this.
 */
import { assertDecisions } from '../domain/mask-decisions.js';
import { coverIn } from '../domain/mask-frames.js';
import type { MaskDecisions, RedactionPlan, Track, Zone } from '../domain/redaction-plan.js';
import { GatewayError, toGatewayError } from '../errors.js';
import type { DecodeEnd } from '../platform/ffmpeg.js';
import type { FrameHeader, MaskOptions } from '../platform/native.js';
import { startCopy, type Copy, type FinishedCopy } from './copy.js';
import { openDetectorPool, type DetectorPool } from './detectors/pool.js';
import { labelTexts, type CopyLabel } from './label.js';
import { openLooker, type Looker } from './looker.js';
import type { OutputClaim } from './output-claim.js';
import type { FrameRange, SearchWindow } from './range.js';
import { Batch, endCopy, releaser, TooLongDelay, type TimeSpan } from './release.js';
import { openLookSource, openSource, type FrameTimes, type Source } from './source.js';

export interface FindSettings {
  /** From this score on a detection begins a track. A privacy setting: keep it low. */
  readonly minScore: number;
  /** Added on each side of a box, as a share of its size. */
  readonly padding: number;
  /** Looks in a second of footage, at most; the tracker fills in the others. */
  readonly detectionsPerSecond: number;
  /** Detector threads. */
  readonly workers: number;
  /** Vehicles are masked too. */
  readonly vehicles: boolean;
  readonly manifestPath: string;
}

export interface PassRun {
  readonly signal?: AbortSignal | undefined;
  readonly niceness?: number | undefined;
  /** Frames that were read so far. */
  readonly onProgress?: ((framesDone: number) => void) | undefined;
  /** Memory for frames that wait until they are final; a part of the machine's where left out. */
  readonly mostDelayBytes?: number | undefined;
}

export interface CopyWanted {
  /** Of an .mp4. */
  readonly claim: OutputClaim;
  readonly style: 'solid' | 'pixelate';
  readonly label?: CopyLabel | undefined;
  /** Asked when the copy is proved, before it gets its name; where it throws there is no file. */
  readonly beforeNaming?: (() => Promise<void>) | undefined;
}

export interface FoundPeople {
  readonly picture: { readonly width: number; readonly height: number };
  /** Of every frame that was read: all, or those up to the end of the window. */
  readonly times: FrameTimes;
  readonly tracks: readonly Track[];
  /** Frames in which people were looked for, half-open. Outside of it no track means nothing: never show those frames. */
  readonly searched: FrameRange;
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
  readonly complaints: string;
  /** Where one was asked for. */
  readonly copy: FinishedCopy | null;
}

/** Weaker detections than `minScore`, down to this share of it, lengthen tracks. */
const weakShare = 0.5;

/**
 * Who is where in every frame, or in those of a window.
 *
 * Decoding (ffmpeg), reading and covering (native threads), looking (detector threads), encoding and proving (ffmpeg) overlap;
 * frames wait for `lookaheadS` until they are final. Any failure leaves no file: `media-unreadable`, `ffmpeg-failed`,
 * `detector-failed`, `disk-full`, `verification-failed`, `interrupted`; TooLongDelay, see there.
 */
export async function findPeople(
  input: string,
  settings: FindSettings,
  job: {
    readonly window?: SearchWindow | undefined;
    /** Without a copy: looks at the same pictures as with one. */
    readonly exact?: boolean | undefined;
    readonly copy?:
      | (CopyWanted & {
          readonly decisions: MaskDecisions;
          readonly zones: readonly Zone[];
          /** The frames of the copy; all where left out. They lie in the window. */
          readonly span?: TimeSpan | undefined;
        })
      | undefined;
  },
  run: PassRun = {},
): Promise<FoundPeople> {
  const pool = openDetectorPool({
    minScore: settings.minScore * weakShare,
    // Asked for in any case: a vehicle explains motion, whether or not it is masked.
    vehicles: true,
    workers: settings.workers,
    manifestPath: settings.manifestPath,
  });
  try {
    const { copy } = job;
    const label = copy?.label === undefined ? null : labelTexts(copy.label);
    const masks = { style: copy?.style ?? 'solid', label: label?.options } as const;
    const open = (): Promise<Source> =>
      copy === undefined && job.exact !== true
        ? openLookSource(input, {
            ...run,
            sizeFor: (picture) => pool.sizeFor(picture),
            perSecond: settings.detectionsPerSecond,
          })
        : openSource(input, { ...masks, ...run });
    return await withSource({ input, open, claim: copy?.claim ?? null, masks }, run, async (source, target) => {
      const looker = lookerFor(source, pool, settings);
      const release =
        copy === undefined || target === null
          ? null
          : releaser(
              source,
              target,
              looker,
              { ...copy, ...source.picture },
              label?.textAt ?? null,
              copy.span,
              run.mostDelayBytes,
            );
      const searched = await lookThrough(source, looker, job.window, run, () => {
        release?.upTo(looker.tracker.finalFrames);
      });
      const tracks = await looker.finish();
      const isWhole = searched.endFrame === source.times.length && !searched.pastWindow;
      const end: DecodeEnd = isWhole ? await source.end() : { damaged: false, complaints: '' };
      release?.upTo(Infinity);
      if (copy !== undefined && target !== null) {
        const frameCount = source.times.length;
        assertDecisions(copy.decisions, { ...source.picture, frameCount, tracks });
      }
      const { width, height } = looker.detection;
      return {
        picture: source.picture,
        times: source.times,
        tracks,
        searched: { firstFrame: searched.firstFrame, endFrame: searched.endFrame },
        detector: { name: pool.name, sha256: pool.sha256, width, height, framesLookedAt: looker.detections },
        ...end,
        copy: release === null || target === null ? null : await endCopy(target, source, release, copy?.beforeNaming),
      };
    });
  } finally {
    await pool.close();
  }
}

/** Frames in which people are looked for, and whether reading ended there although the file goes on. */
type Searched = FrameRange & { readonly pastWindow: boolean };

async function lookThrough(
  source: Source,
  looker: Looker,
  window: SearchWindow | undefined,
  run: PassRun,
  release: () => void,
): Promise<Searched> {
  const [fromS, toS] = [window?.fromS ?? -Infinity, window?.toS ?? Infinity];
  let [firstFrame, endFrame, lookedAt, latestS] = [-1, 0, -1, 0];
  for (;;) {
    const frame = await source.next();
    if (frame === null) break;
    latestS = Math.max(latestS, source.times.secondsOf(frame.index));
    // The first frame past the window is the last one that is looked at: what is filled in before it has both ends.
    const past = latestS >= toS;
    if (latestS >= fromS) {
      if (firstFrame < 0) firstFrame = frame.index;
      endFrame = frame.index + 1;
      const isLast = past && source.hasPicture();
      if (isLast || (source.hasPicture() && (firstFrame === frame.index || looker.isDue(latestS)))) {
        await looker.look(source.line, frame.index);
        lookedAt = frame.index;
      }
    }
    release();
    run.onProgress?.(source.times.length);
    if (past) return { firstFrame, endFrame, pastWindow: true };
  }
  // Who comes in after the last look would be in no track.
  if (endFrame > 0 && lookedAt !== endFrame - 1) await looker.look(await source.last(), endFrame - 1);
  return { firstFrame: Math.max(0, firstFrame), endFrame, pastWindow: false };
}

function lookerFor(
  source: Source,
  pool: DetectorPool,
  settings: FindSettings,
): Looker & { detection: { width: number; height: number } } {
  const { picture, color, times } = source;
  const detection = pool.sizeFor(picture);
  const looker = openLooker({
    ...{ picture, detection, pool, settings },
    matrix: color.matrix === 'bt709' ? 'bt709' : 'bt601',
    timeOf: (frame) => times.secondsOf(frame),
  });
  return Object.assign(looker, { detection });
}

/** What was analysed before, and must be found again exactly. */
export interface PlannedFrames {
  readonly plan: RedactionPlan;
  readonly timeBase: { readonly num: number; readonly den: number };
  /** Of each frame, in units of timeBase. */
  readonly pts: readonly number[];
}

/**
 * Covers the frames of `range` as the plan says, and proves it. Each frame of the range is there once, at its time relative to
 * the first. Throws as `findPeople`, and `verification-failed` for a source that decodes differently than when it was
 * analysed: its boxes would be in the wrong places.
 */
export async function renderPlan(
  input: string,
  { plan, timeBase, pts }: PlannedFrames,
  range: FrameRange,
  copy: CopyWanted,
  run: PassRun = {},
): Promise<FinishedCopy & DecodeEnd> {
  const label = copy.label === undefined ? null : labelTexts(copy.label);
  const masks = { style: copy.style, label: label?.options };
  const picture = { width: plan.width, height: plan.height };
  const open = (): Promise<Source> => openSource(input, { ...masks, ...run, picture });
  return withSource({ input, open, claim: copy.claim, masks }, run, async (source, target) => {
    if (target === null) throw new GatewayError('internal', 'There is no copy to render.');
    assertSameClock(source.header, timeBase);
    const cover = coverIn(plan);
    const batch = new Batch();
    for (;;) {
      const frame = await source.next();
      if (frame === null) break;
      const { index } = frame;
      if (pts[index] !== frame.pts) throw differs(`frame ${index} is at ${frame.pts}, not ${String(pts[index])}`);
      if (index < range.firstFrame) {
        target.drop(1);
        continue;
      }
      batch.add(cover(index), frame.pts, label?.textAt(source.times.usOf(index)));
      batch.giveTo(target);
      run.onProgress?.(index + 1 - range.firstFrame);
      // Of a range that ends before the footage the rest is of no interest, nor is damage in it.
      if (index + 1 === range.endFrame) break;
    }
    if (source.times.length < range.endFrame) throw differs(`it has only ${source.times.length} frames`);
    const end = range.endFrame < pts.length ? { damaged: false, complaints: '' } : await atEnd(source, pts.length);
    return { ...(await target.finish(pts[range.endFrame] ?? null, copy.beforeNaming)), ...end };
  });
}

const differs = (how: string): GatewayError =>
  new GatewayError('verification-failed', `The recording is not what was analysed: ${how}.`, {
    remedy: 'Analyse it again: the masks would be in the wrong places.',
  });

function assertSameClock({ timeBase }: FrameHeader, { num, den }: { num: number; den: number }): void {
  if (timeBase.num * den !== timeBase.den * num) throw differs(`its clock counts ${timeBase.num}/${timeBase.den} s`);
}

/** Nothing may come after the last frame that was analysed. */
async function atEnd(source: Source, frames: number): Promise<DecodeEnd> {
  if ((await source.next()) !== null) throw differs(`it has more than ${frames} frames`);
  return source.end();
}

/** Opens the source and, where one is wanted, the copy; and whatever ends badly, ends without a child. */
async function withSource<Result>(
  job: {
    readonly input: string;
    readonly open: () => Promise<Source>;
    readonly claim: OutputClaim | null;
    readonly masks: MaskOptions;
  },
  { signal, niceness }: PassRun,
  work: (source: Source, copy: Copy | null) => Promise<Result>,
): Promise<Result> {
  const { input, claim, masks } = job;
  let [source, copy]: [Source | null, Copy | null] = [null, null];
  try {
    source = await job.open();
    const { line, decoder, header, color } = source;
    if (claim !== null) {
      copy = await startCopy({ claim, line, decoder, header, color, ...masks, signal, niceness });
      // Whoever waits for the next frame learns that nobody wants it any more.
      void copy.failed.then(() => source?.close());
    }
    return await work(source, copy);
  } catch (error) {
    const cause = source === null || copy === null ? error : await copy.abandon(error);
    if (signal?.aborted === true) throw new GatewayError('interrupted', `Masking ${input}: stopped`, { cause });
    if (cause instanceof TooLongDelay) throw cause;
    throw toGatewayError(cause, `masking ${input}`);
  } finally {
    source?.close();
    await source?.decoder.done.catch(() => undefined);
  }
}
