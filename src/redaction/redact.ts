/** From a file to its masked copy: what a command or a disclosure calls. */
import { constants } from 'node:fs';
import { access, lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { assertDecisions } from '../domain/mask-decisions.js';
import { overlapsIn, type Overlap } from '../domain/mask-overlaps.js';
import { pointsOf, type MaskDecisions, type Zone } from '../domain/redaction-plan.js';
import type { TimeRange } from '../domain/segment.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { analysisVersion, planOf, type Analysis } from './analysis.js';
import { findPeople, renderPlan, type FoundPeople, type PassRun } from './conveyor.js';
import { builtInManifest } from './detectors/manifest.js';
import type { CopyLabel } from './label.js';
import { withOutput, type OutputClaim } from './output-claim.js';
import { analysisOf, assertSearched, windowOf, type FrameRange, type SearchWindow } from './range.js';
import { TooLongDelay, type TimeSpan } from './release.js';
import { withSameSource } from './same-source.js';

export interface RedactionSettings {
  /** `centernet`, the built-in model, or the path of another one's manifest. */
  readonly detector: string;
  readonly minScore: number;
  readonly padding: number;
  readonly detectionsPerSecond: number;
  readonly workers: number;
  /** Vehicles are masked too, not only people. */
  readonly vehicles: boolean;
  readonly style: 'solid' | 'pixelate';
}

export const defaultRedaction: RedactionSettings = {
  detector: 'centernet',
  minScore: 0.2,
  padding: 0.06,
  detectionsPerSecond: 6,
  workers: 2,
  vehicles: false,
  style: 'solid',
};

export type { Analysis } from './analysis.js';

export interface RedactionRun {
  readonly signal?: AbortSignal | undefined;
  /** Frames done of the step under way; `framesTotal` is null while it is not known. */
  readonly onProgress?: ((progress: { framesDone: number; framesTotal: number | null }) => void) | undefined;
  /** Memory for frames that wait in one pass over the file; beyond it the file is read twice. */
  readonly mostDelayBytes?: number | undefined;
}

const findSettings = (settings: RedactionSettings): Parameters<typeof findPeople>[1] => ({
  ...settings,
  manifestPath: settings.detector === 'centernet' ? builtInManifest : settings.detector,
});

const passRun = (
  { signal, onProgress, mostDelayBytes }: RedactionRun = {},
  framesTotal: number | null = null,
): PassRun => ({
  signal,
  mostDelayBytes,
  onProgress: (framesDone: number): void => {
    onProgress?.({ framesDone, framesTotal });
  },
});

/**
 * Who is where in every frame; with `window`, in the frames of that part. Looks at pictures that ffmpeg made small, which is
 * much cheaper; with `exact`, at the very ones that `redactFile` looks at, so that both find the same. Throws `media-unreadable`, `ffmpeg-failed`, `detector-failed`,
 * `interrupted`.
 */
export async function analyseFile(
  input: string,
  settings: RedactionSettings,
  run: RedactionRun & {
    readonly window?: SearchWindow | undefined;
    readonly zones?: readonly Zone[] | undefined;
    readonly exact?: boolean;
  } = {},
): Promise<Analysis> {
  const found = await findPeople(input, findSettings(settings), { window: run.window, exact: run.exact }, passRun(run));
  return analysisFrom(found, settings, run.zones ?? []);
}

function analysisFrom(found: FoundPeople, { minScore }: RedactionSettings, zones: readonly Zone[]): Analysis {
  const { picture, times, tracks, searched, detector, damaged, complaints } = found;
  const { timeBase, length } = times;
  const spanS = length < 2 ? 0 : times.secondsOf(length - 1);
  const { name, sha256, width, height, framesLookedAt } = detector;
  return {
    version: analysisVersion,
    ...picture,
    timeBase: { num: timeBase.num, den: timeBase.den },
    pts: times.all(),
    fps: spanS <= 0 ? 0 : Math.round(((length - 1) / spanS) * 1000) / 1000,
    tracks,
    zones,
    searched,
    detector: { name, sha256, width, height, minScore, framesLookedAt },
    damaged,
    notes: damaged ? [`The source is damaged: ${complaints}`] : [],
  };
}

/** Microseconds since the first frame. */
const frameUs = (analysis: Analysis, frame: number): number =>
  Math.round(
    (((analysis.pts[frame] ?? 0) - (analysis.pts[0] ?? 0)) * analysis.timeBase.num * 1e6) / analysis.timeBase.den,
  );

/** The frames `[firstFrame, endFrame)` that lie in `span`. May be none. */
function framesIn(analysis: Analysis, { fromUs, endUs }: TimeSpan): FrameRange {
  const { length } = analysis.pts;
  let firstFrame = 0;
  while (firstFrame < length && frameUs(analysis, firstFrame) < fromUs) firstFrame += 1;
  let endFrame = firstFrame;
  while (endFrame < length && frameUs(analysis, endFrame) < endUs) endFrame += 1;
  return { firstFrame, endFrame };
}

export interface RenderCopy {
  readonly input: string;
  /** An .mp4; replaced if it is there. */
  readonly output: string;
  readonly analysis: Analysis;
  readonly decisions: MaskDecisions;
  /** Frames to render; all where left out. */
  readonly range?: FrameRange;
  readonly settings: Pick<RedactionSettings, 'style'>;
  /** Burnt in at the edge of the picture. */
  readonly label?: CopyLabel | undefined;
  /** Asked when the copy is proved, before it gets its name; where it throws there is no file. */
  readonly beforeNaming?: (() => Promise<void>) | undefined;
}

/**
 * Renders a masked copy of what was analysed before, and proves it: decoded again, every mask is fill, every frame and time is
 * there, nothing else is. No file is left on any doubt. Throws `input-invalid` for decisions that the recording cannot follow,
 * `conflict` while another run makes this output.
 */
export const renderCopy = (job: RenderCopy, run: RedactionRun = {}): Promise<{ frames: number; seconds: number }> =>
  withOutput(job.output, (claim) => renderClaimed(claim, job, run));

async function renderClaimed(
  claim: OutputClaim,
  job: Omit<RenderCopy, 'output'>,
  run: RedactionRun = {},
): Promise<{ frames: number; seconds: number }> {
  const { analysis, decisions, label, beforeNaming } = job;
  const plan = planOf(analysis, decisions);
  assertDecisions(decisions, plan);
  const range = job.range ?? { firstFrame: 0, endFrame: analysis.pts.length };
  if (range.endFrame <= range.firstFrame) throw nothingThere();
  assertSearched(analysis, range);
  const began = performance.now();
  const { frames } = await renderPlan(
    job.input,
    { plan, timeBase: analysis.timeBase, pts: analysis.pts },
    range,
    { claim, style: job.settings.style, label, beforeNaming },
    passRun(run, range.endFrame - range.firstFrame),
  );
  return { frames, seconds: (performance.now() - began) / 1000 };
}

const nothingThere = (): GatewayError =>
  new GatewayError('input-invalid', 'There is no frame in the range to render.', {
    remedy: 'Choose a range that the recording covers.',
  });

export interface RedactFile {
  readonly input: string;
  /** An .mp4. */
  readonly output: string;
  /** What is there under its name is replaced; it is not with `false`: then that is a `conflict`. */
  readonly replace?: boolean | undefined;
  readonly decisions: MaskDecisions;
  readonly settings: RedactionSettings;
  /** Always masked, whatever was decided. */
  readonly zones?: readonly Zone[] | undefined;
  readonly label?: CopyLabel | undefined;
  readonly run?: RedactionRun | undefined;
}

/** Only what lies in `range`, of a recording whose first frame is of `startUs`. */
export interface RecordingPart {
  readonly startUs: number;
  readonly range: TimeRange;
}

export interface RedactedFile {
  /** What was found, of the frames in the copy. */
  readonly analysis: Analysis;
  /** The frames of the recording that are in the copy. */
  readonly range: FrameRange;
  readonly frames: number;
  readonly seconds: number;
  /** Where a mask lies over somebody who is kept visible. */
  readonly overlaps: readonly Overlap[];
}

/**
 * Looks for people in a whole file and renders the masked copy, in one pass over the file; in two where frames are so large
 * that they cannot wait in memory for a look at what comes. Throws `conflict` at once while another run makes this output.
 */
export async function redactFile(job: RedactFile): Promise<RedactedFile> {
  const done = await redactPart(job, null);
  if (done === null) throw nothingThere();
  return done;
}

/** The same for a part of a recording: `null` where no frame lies in it; then there is no copy. */
export async function redactPart(job: RedactFile, part: RecordingPart | null): Promise<RedactedFile | null> {
  await assertTarget(job.output);
  return withOutput(job.output, async (claim) => {
    // Asked under the claim: a run that has just ended may have put it there.
    if (job.replace === false) await assertFree(job.output);
    return redactClaimed(claim, job, part);
  });
}

function redactClaimed(claim: OutputClaim, job: RedactFile, part: RecordingPart | null): Promise<RedactedFile | null> {
  return withSameSource(job.input, async (beforeNaming) => {
    const { input, settings, decisions, label, zones = [] } = job;
    const began = performance.now();
    const span = part === null ? undefined : spanOf(part);
    const window = part === null ? undefined : windowOf(part.startUs, part.range);
    const copy = { claim, decisions, zones, span, style: settings.style, label, beforeNaming };
    let [analysis, rendered]: [Analysis | null, boolean] = [null, true];
    try {
      const found = await findPeople(input, findSettings(settings), { window, copy }, passRun(job.run));
      analysis = analysisFrom(found, settings, zones);
    } catch (error) {
      if (!(error instanceof TooLongDelay)) throw error;
      analysis = await analyseFile(input, settings, { ...job.run, window, zones, exact: true });
      rendered = false;
    }
    const range = span === undefined ? { firstFrame: 0, endFrame: analysis.pts.length } : framesIn(analysis, span);
    if (range.endFrame <= range.firstFrame) return null;
    const shown = span === undefined ? analysis : analysisOf(analysis, range);
    if (!rendered) {
      await renderClaimed(claim, { input, analysis: shown, decisions, range, settings, label, beforeNaming }, job.run);
    }
    return {
      analysis: shown,
      range,
      frames: range.endFrame - range.firstFrame,
      seconds: (performance.now() - began) / 1000,
      overlaps: overlapsIn(planOf(shown, decisions), range),
    };
  });
}

const spanOf = ({ startUs, range }: RecordingPart): TimeSpan => ({
  fromUs: range.startUs - startUs,
  endUs: range.endUs - startUs,
});

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

async function assertFree(output: string): Promise<void> {
  const there = await lstat(output).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw toGatewayError(error, `looking for ${output}`);
  });
  if (there === null) return;
  throw new GatewayError('conflict', `${output} is there already.`, { remedy: 'Name another output.' });
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
  zones: analysis.zones,
  tracks: analysis.tracks.map((track) => ({
    id: track.id,
    kind: track.kind,
    uncertain: track.uncertain,
    boxes: [...pointsOf(track)],
  })),
});
