/** Renders the masked copy of one original, and says what was done to it. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { modeOf } from '../domain/mask-decisions.js';
import { overlapsIn, type Overlap } from '../domain/mask-overlaps.js';
import type { MaskDecisions, MaskMode } from '../domain/redaction-plan.js';
import { sha256File, syncDirectory, syncFile } from '../platform/durable-file.js';
import { planOf, type Analysis } from '../redaction/analysis.js';
import type { CopyLabel } from '../redaction/label.js';
import { lastFrameDuration } from '../redaction/last-frame.js';
import type { RequestRow } from '../store/requests.js';
import { redactorOf, type DisclosureContext, type Run } from './context.js';

export interface RenderItem {
  /** Absolute path of the copied original. */
  readonly original: string;
  /** Relative to the data folder; registered before. */
  readonly output: string;
  readonly analysis: Analysis;
  readonly decisions: MaskDecisions;
  readonly frames: { readonly firstFrame: number; readonly endFrame: number };
  readonly request: RequestRow;
  readonly segment: { readonly cameraId: string; readonly startUs: number };
}

export interface RenderedItem {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Seconds that the copy plays. */
  readonly seconds: number;
  readonly operations: readonly string[];
  /** Where somebody's mask lies over somebody who is kept visible. */
  readonly overlaps: readonly Overlap[];
}

const covered: Readonly<Record<MaskMode, string>> = {
  'people-and-motion': 'people and what else moved',
  people: 'people',
  'whole-frame': 'the whole picture but those kept visible',
};

/** What is burnt in along the edge of a copy. */
export const labelOf = (
  ctx: DisclosureContext,
  { request, segment }: Pick<RenderItem, 'request' | 'segment'>,
): CopyLabel => ({
  case: request.journalNumber,
  camera: segment.cameraId,
  startUs: segment.startUs,
  timeZone: ctx.site.timezone,
});

/** Renders what was analysed before, with these decisions. A failed render leaves no file. */
export async function renderItem(
  ctx: DisclosureContext,
  item: RenderItem,
  run: Run & { readonly signal: AbortSignal },
): Promise<RenderedItem> {
  const { analysis, decisions, frames } = item;
  const redactor = redactorOf(ctx);
  const output = await folderFor(ctx, item.output);
  await redactor.renderCopy(
    {
      input: item.original,
      output,
      analysis,
      decisions,
      range: frames,
      settings: ctx.redaction,
      label: labelOf(ctx, item),
    },
    run,
  );
  return describeItem(ctx, item, run.signal);
}

/** Makes the folder of a derived file; returns its absolute path. */
export async function folderFor(ctx: DisclosureContext, path: string): Promise<string> {
  const full = join(ctx.dataDir, path);
  await mkdir(dirname(full), { recursive: true });
  return full;
}

/** Makes a finished copy durable, and says what it is. */
export async function describeItem(
  ctx: DisclosureContext,
  { output: path, analysis, decisions, frames }: Pick<RenderItem, 'output' | 'analysis' | 'decisions' | 'frames'>,
  signal: AbortSignal,
): Promise<RenderedItem> {
  const output = join(ctx.dataDir, path);
  await syncFile(output);
  await syncDirectory(dirname(output));
  const { padding, detectionsPerSecond, style } = ctx.redaction;
  const shown = frames.endFrame - frames.firstFrame;
  return {
    sha256: await sha256File(output, signal),
    sizeBytes: (await stat(output)).size,
    seconds: secondsOf(analysis, frames),
    overlaps: overlapsIn(planOf(analysis, decisions), frames),
    operations: [
      `trim: frames ${frames.firstFrame} to ${frames.endFrame} (${shown} shown)`,
      `detect: ${analysis.detector.name} at ${analysis.detector.width}x${analysis.detector.height}, score from ${analysis.detector.minScore}, in ${analysis.detector.framesLookedAt} frames, at most ${detectionsPerSecond} times a second; motion against the empty scene; tracked in between`,
      `mask: ${style}, ${covered[modeOf(decisions)]}, boxes padded by ${padding} of their size; ${decisions.keepVisible.length} stretches kept visible, ${decisions.drawn.length} boxes drawn, ${analysis.zones.length} fixed zones of the camera`,
      'label: "REDACTED COPY", journal number, camera and local time burnt in',
      'encode: every picture decoded and encoded anew, as H.264 of 8 bits; nothing of the source bitstream is kept',
      'remove: sound, subtitles, data tracks, metadata',
    ],
  };
}

function secondsOf(analysis: Analysis, frames: { readonly firstFrame: number; readonly endFrame: number }): number {
  const { pts, timeBase } = analysis;
  const { firstFrame, endFrame } = frames;
  const perSecond = timeBase.den / timeBase.num;
  const last = lastFrameDuration(pts.slice(firstFrame, endFrame), pts[endFrame] ?? null, perSecond);
  const span = (pts[endFrame - 1] ?? 0) - (pts[firstFrame] ?? 0);
  return Math.round(((span + last) / perSecond) * 1000) / 1000;
}
