/** Renders the masked copy of one original, and says what was done to it. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { MaskDecisions } from '../domain/redaction-plan.js';
import { sha256File, syncDirectory, syncFile } from '../platform/durable-file.js';
import type { Analysis } from '../redaction/redact.js';
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
}

/** A failed render leaves no file. */
export async function renderItem(
  ctx: DisclosureContext,
  item: RenderItem,
  run: Run & { readonly signal: AbortSignal },
): Promise<RenderedItem> {
  const { analysis, decisions, frames, request, segment } = item;
  const redactor = await redactorOf(ctx);
  const output = join(ctx.dataDir, item.output);
  await mkdir(dirname(output), { recursive: true });
  await redactor.renderCopy(
    {
      input: item.original,
      output,
      analysis,
      decisions,
      range: frames,
      settings: ctx.redaction,
      label: {
        case: request.journalNumber,
        camera: segment.cameraId,
        startUs: segment.startUs,
        timeZone: ctx.site.timezone,
      },
    },
    run,
  );
  await syncFile(output);
  await syncDirectory(dirname(output));
  const { padding, detectionsPerSecond, style } = ctx.redaction;
  const shown = frames.endFrame - frames.firstFrame;
  return {
    sha256: await sha256File(output, run.signal),
    sizeBytes: (await stat(output)).size,
    seconds: secondsOf(analysis, frames),
    operations: [
      `trim: frames ${frames.firstFrame} to ${frames.endFrame} of ${analysis.pts.length} (${shown} shown)`,
      `detect: ${analysis.detector.name} at ${analysis.detector.width}x${analysis.detector.height}, score from ${analysis.detector.minScore}, ${detectionsPerSecond} times a second, tracked in between`,
      `mask: ${style}, boxes padded by ${padding} of their size; ${decisions.keepVisible.length} stretches kept visible, ${decisions.drawn.length} boxes drawn`,
      'label: "REDACTED COPY", journal number, camera and local time burnt in',
      'encode: every picture decoded and encoded anew; nothing of the source bitstream is kept',
      'remove: sound, subtitles, data tracks, metadata',
    ],
  };
}

function secondsOf(analysis: Analysis, frames: { readonly firstFrame: number; readonly endFrame: number }): number {
  const { pts, timeBase, fps } = analysis;
  const span = (pts[frames.endFrame - 1] ?? 0) - (pts[frames.firstFrame] ?? 0);
  // The last frame is shown for as long as one lasts.
  return Math.round(((span * timeBase.num) / timeBase.den + (fps > 0 ? 1 / fps : 0)) * 1000) / 1000;
}
