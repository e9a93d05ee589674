/** From a file to its masked copy: analyse once, decide, render and prove. What a command or a disclosure calls. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pointsOf, type MaskDecisions, type RedactionPlan } from '../domain/redaction-plan.js';
import type { TimeRange } from '../domain/segment.js';
import { formatLocal } from '../domain/time.js';
import { GatewayError } from '../errors.js';
import { analyse, type SearchWindow } from './analyse.js';
import { builtInManifest } from './detectors/index.js';
import type { Analysis } from './analysis.js';
import { assertSearched } from './range.js';
import { renderMasked } from './render.js';

export interface RedactionSettings {
  /** Name of a model in dist/models, or the path of another manifest. */
  readonly detector: string;
  readonly minScore: number;
  readonly padding: number;
  readonly detectionsPerSecond: number;
  readonly workers: number;
  readonly style: 'solid' | 'pixelate';
}

export const defaultRedaction: RedactionSettings = {
  detector: 'centernet',
  minScore: 0.2,
  padding: 0.08,
  detectionsPerSecond: 6,
  workers: 2,
  style: 'solid',
};

export type { Analysis } from './analysis.js';

export interface RedactionRun {
  readonly signal?: AbortSignal | undefined;
  /** Frames done of the step under way; `framesTotal` is null while it is not known. */
  readonly onProgress?: ((progress: { framesDone: number; framesTotal: number | null }) => void) | undefined;
}

/** Who is where in every frame; with `run.window`, in the frames of that part. Throws `media-unreadable`, `ffmpeg-failed`, `detector-failed`, `interrupted`. */
export async function analyseFile(
  input: string,
  settings: RedactionSettings,
  run: RedactionRun & { readonly window?: SearchWindow | undefined } = {},
): Promise<Analysis> {
  const manifestPath = settings.detector === 'centernet' ? builtInManifest : settings.detector;
  const found = await analyse(
    input,
    { ...settings, manifestPath, window: run.window },
    {
      signal: run.signal,
      onProgress: (framesDone) => run.onProgress?.({ framesDone, framesTotal: null }),
    },
  );
  const pts = Array.from(found.pts, Number);
  return {
    version: 1,
    width: found.width,
    height: found.height,
    timeBase: { num: found.timeBase.num, den: found.timeBase.den },
    pts,
    fps: averageRate(pts, found.timeBase),
    tracks: found.tracks,
    searched: found.searched,
    detector: {
      name: found.detector.name,
      sha256: found.detector.sha256,
      width: found.detector.width,
      height: found.detector.height,
      minScore: settings.minScore,
    },
    damaged: found.damaged,
    notes: found.notes,
  };
}

function averageRate(pts: readonly number[], timeBase: { num: number; den: number }): number {
  const spanS = (((pts.at(-1) ?? 0) - (pts[0] ?? 0)) * timeBase.num) / timeBase.den;
  return pts.length < 2 || spanS <= 0 ? 0 : Math.round(((pts.length - 1) / spanS) * 1000) / 1000;
}

export const planOf = (analysis: Analysis, decisions: MaskDecisions): RedactionPlan => ({
  version: 1,
  width: analysis.width,
  height: analysis.height,
  frameCount: analysis.pts.length,
  tracks: analysis.tracks,
  decisions,
});

/** Microseconds since the first frame. */
const frameUs = (analysis: Analysis, frame: number): number =>
  Math.round(
    (((analysis.pts[frame] ?? 0) - (analysis.pts[0] ?? 0)) * analysis.timeBase.num * 1e6) / analysis.timeBase.den,
  );

/** The frames `[firstFrame, endFrame)` that lie in `range`, for a file whose first frame is of `startUs`. May be none. */
export function framesIn(
  analysis: Analysis,
  startUs: number,
  range: TimeRange,
): { firstFrame: number; endFrame: number } {
  const { length } = analysis.pts;
  let firstFrame = 0;
  while (firstFrame < length && startUs + frameUs(analysis, firstFrame) < range.startUs) firstFrame += 1;
  let endFrame = firstFrame;
  while (endFrame < length && startUs + frameUs(analysis, endFrame) < range.endUs) endFrame += 1;
  return { firstFrame, endFrame };
}

export interface RenderCopy {
  readonly input: string;
  readonly output: string;
  readonly analysis: Analysis;
  readonly decisions: MaskDecisions;
  /** Frames to render; all where left out. */
  readonly range?: { readonly firstFrame: number; readonly endFrame: number };
  readonly settings: Pick<RedactionSettings, 'style'>;
  /** Burnt in at the edge of the picture. */
  readonly label?: {
    readonly case: string;
    readonly camera: string;
    readonly startUs: number;
    readonly timeZone: string;
  };
}

/**
 * Renders a masked copy and proves it: decoded again, every mask is fill, every frame and time is there, nothing else is.
 * No file is left on any doubt. Throws `input-invalid` for decisions about tracks that there are not.
 */
export async function renderCopy(
  job: RenderCopy,
  run: RedactionRun = {},
): Promise<{ frames: number; seconds: number }> {
  const { analysis, decisions } = job;
  assertDecisions(analysis, decisions);
  const firstFrame = job.range?.firstFrame ?? 0;
  const endFrame = job.range?.endFrame ?? analysis.pts.length;
  if (endFrame <= firstFrame) {
    throw new GatewayError('input-invalid', 'There is no frame in the range to render.', {
      remedy: 'Choose a range that the recording covers.',
    });
  }
  assertSearched(analysis, { firstFrame, endFrame });
  const began = performance.now();
  await renderMasked({
    input: job.input,
    output: job.output,
    plan: planOf(analysis, decisions),
    timeline: { timeBase: analysis.timeBase, pts: BigInt64Array.from(analysis.pts, BigInt) },
    range: { firstFrame, endFrame },
    style: job.settings.style,
    ...(job.label && { label: labelFor(analysis, job.label) }),
    signal: run.signal,
    onProgress: (framesDone) => run.onProgress?.({ framesDone, framesTotal: endFrame - firstFrame }),
  });
  return { frames: endFrame - firstFrame, seconds: (performance.now() - began) / 1000 };
}

function assertDecisions(analysis: Analysis, decisions: MaskDecisions): void {
  const known = new Set(analysis.tracks.map((track) => track.id));
  const stray = decisions.keepVisible.find((keep) => !known.has(keep.trackId));
  if (stray !== undefined) {
    throw new GatewayError('input-invalid', `There is no track ${stray.trackId} in this recording.`, {
      remedy: `Tracks: ${[...known].join(', ') || 'none'}.`,
    });
  }
}

/** A line for each second: it changes with the clock, not with the frame. */
function labelFor(
  analysis: Analysis,
  label: NonNullable<RenderCopy['label']>,
): { texts: string[]; textOfFrame: Uint32Array } {
  const texts: string[] = [];
  let second = Number.NaN;
  const textOfFrame = Uint32Array.from(analysis.pts, (_pts, frame) => {
    const us = label.startUs + frameUs(analysis, frame);
    if (Math.floor(us / 1e6) !== second) {
      second = Math.floor(us / 1e6);
      texts.push(`REDACTED COPY  ${label.case}  ${label.camera}  ${formatLocal(second * 1_000_000, label.timeZone)}`);
    }
    return texts.length - 1;
  });
  return { texts, textOfFrame };
}

export interface RedactFile {
  readonly input: string;
  readonly output: string;
  readonly decisions: MaskDecisions;
  readonly settings: RedactionSettings;
  readonly run?: RedactionRun;
}

/** Asked first: nobody should wait for an analysis to learn of a slip in a path. */
async function assertTarget(output: string): Promise<void> {
  const folder = dirname(output);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new GatewayError('io-failed', `Nothing can be written in ${folder}: ${(error as Error).message}`, {
      remedy: 'Make the folder, or name another output.',
      cause: error,
    });
  }
  const there = await stat(output).catch(() => null); // Not there, or a broken link that will be replaced.
  if (there !== null && !there.isFile()) {
    throw new GatewayError('io-failed', `${output} is there and is not a file.`, { remedy: 'Name another output.' });
  }
}

/** A whole file in one go. `seconds` is the time it took. */
export async function redactFile(job: RedactFile): Promise<{ frames: number; seconds: number; analysis: Analysis }> {
  await assertTarget(job.output);
  const began = performance.now();
  const analysis = await analyseFile(job.input, job.settings, job.run);
  const { frames } = await renderCopy({ ...job, analysis }, job.run);
  return { frames, seconds: (performance.now() - began) / 1000, analysis };
}

/** The report of `redact --report`: size, rate, and each track with a box for every frame. */
export const reportOf = (analysis: Analysis): object => ({
  version: analysis.version,
  width: analysis.width,
  height: analysis.height,
  fps: analysis.fps,
  frames: analysis.pts.length,
  timeBase: analysis.timeBase,
  pts: analysis.pts,
  detector: analysis.detector,
  damaged: analysis.damaged,
  notes: analysis.notes,
  tracks: analysis.tracks.map((track) => ({
    id: track.id,
    kind: track.kind,
    uncertain: track.uncertain,
    boxes: [...pointsOf(track)],
  })),
});
