/**
 * Preparing a request: originals copied out and hashed, people found, masked copies rendered with everybody masked.
 *
 * 1. One act: state "preparing" with a lease, and every file that will be written is registered.
 * 2. Files are written, each under a temporary name first. A crash here leaves registered files or temporary ones, state
 *    "preparing" and a lease that runs out: cleanUpAfterCrash removes the files, and preparing starts from the beginning.
 * 3. One act: the items, state "prepared". A crash before it is as in 2, after it nothing is left to do.
 */
import { join } from 'node:path';
import type { Actor } from '../domain/audit-event.js';
import { assertTransition, contentHash } from '../domain/disclosure.js';
import { modeOf } from '../domain/mask-decisions.js';
import { maskEveryone } from '../domain/redaction-plan.js';
import type { TimeRange } from '../domain/segment.js';
import { rangeInVideo, type WallSegment } from '../domain/wall-clock.js';
import type { User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { scopeItemOf } from '../evidence/manifest.js';
import { sha256File, writeDurably } from '../platform/durable-file.js';
import type { Analysis } from '../redaction/redact.js';
import { derivedOfRequest, filesWithSources, forgetDerived, registerDerived } from '../store/derived-files.js';
import {
  getRequest,
  itemsOf,
  replaceItems,
  updateRequest,
  type RequestItem,
  type RequestRow,
} from '../store/requests.js';
import { clocksOf } from '../store/segment-clocks.js';
import { numberOf } from '../store/segment-numbers.js';
import { findById } from '../store/segments.js';
import {
  actorOf,
  assertNoWorker,
  noApproval,
  redactorOf,
  requestSubject,
  underLease,
  type DisclosureContext,
  type Run,
} from './context.js';
import { copyOut } from './copy-out.js';
import { primarySegments } from './coverage.js';
import {
  discardAll,
  itemPaths,
  packageArchive,
  packageFolder,
  removeFiles,
  requestFolder,
  type ItemPaths,
} from './files.js';
import { copyInit, filesOfItem, initCopyPath, withPlayable } from './fragment.js';
import { describeItem, folderFor, labelOf } from './render-item.js';

interface Work {
  /** As it is prepared: of the camera that was asked for. */
  readonly segment: WallSegment;
  /** Which stream of the camera it is, where that is not the main one. */
  readonly streamId: string | null;
  readonly paths: ItemPaths;
}

/**
 * Prepares a request, or prepares it anew, which voids review and approval. Throws `conflict` while another worker does it,
 * `footage-gone` where nothing is left, `segment-changed` where a file is not the indexed one, and what copying, detecting
 * and rendering throw; the request is then "preparation-failed" with the reason, or "requested" again after `interrupted`,
 * and nothing half-made is left.
 */
export async function prepareRequest(
  ctx: DisclosureContext,
  who: User | Actor,
  id: string,
  run: Run = {},
): Promise<RequestRow> {
  const actor = actorOf(who, 'request.prepare');
  let work: readonly Work[] = [];
  await underLease(ctx, id, run, {
    begin: (untilUs) => {
      work = begin(ctx, actor, id, untilUs);
    },
    work: async (signal, assertMine) => {
      // What an earlier preparation left: from here on only what is written now counts.
      removeFiles(ctx.dataDir, [requestFolder(id), packageFolder(id), packageArchive(id)]);
      const request = getRequest(ctx.store.db, id);
      const items: RequestItem[] = [];
      const queue = [...work];
      const empty = new Set<number>();
      for (let one = queue[0], next = 1; one !== undefined; one = queue[next++]) {
        assertMine();
        const item = await prepareItem(ctx, request, one, items.length, { ...run, signal });
        if (item !== null) items.push(item);
        else queue.push(...standIns(ctx, actor, request, queue, empty.add(one.segment.id)));
      }
      signal.throwIfAborted();
      assertMine();
      finish(ctx, actor, id, items);
    },
    onFailure: (error) => {
      fail(ctx, actor, id, error);
    },
  });
  return getRequest(ctx.store.db, id);
}

function begin(ctx: DisclosureContext, actor: Actor, id: string, untilUs: number): Work[] {
  const { db, clock } = ctx.store;
  return ctx.store.act(actor, (note) => {
    const request = getRequest(db, id);
    assertNoWorker(request, clock.nowUs());
    // "preparing" without a living worker is what a crash leaves: it is taken up again.
    if (request.state !== 'preparing') assertTransition(id, request.state, 'preparing');
    const found = request.cameraIds.map((cameraId) => ({ cameraId, ...primarySegments(db, cameraId, request) }));
    const segments = found.flatMap(({ cameraId, segments: own }) => own.map((segment) => ({ cameraId, segment })));
    if (segments.length === 0) {
      throw new GatewayError('footage-gone', `Nothing of what request ${id} asks for is there any more.`, {
        remedy: 'The deletion records and the coverage of the request say why. Refuse or close it.',
      });
    }
    const work = register(ctx, id, segments, 0);
    if (request.state === 'approved') note('request.approval-voided', requestSubject(id), { why: 'prepared-anew' });
    replaceItems(db, id, []);
    updateRequest(db, id, 'preparing', { ...noApproval, failure: null, workerLeaseUs: untilUs });
    note('request.preparation-started', requestSubject(id), {
      what: 'all',
      segments: segments.length,
      // Recordings that show what these show: held, and not prepared a second time.
      leftOut: found.reduce((sum, one) => sum + one.leftOut, 0),
    });
    return work;
  });
}

/** The segments with their places, and every file that will be made of them registered. Within an act. */
function register(
  ctx: DisclosureContext,
  id: string,
  segments: readonly { readonly cameraId: string; readonly segment: WallSegment }[],
  firstIndex: number,
): Work[] {
  const { db, clock } = ctx.store;
  return segments.map(({ cameraId, segment: indexed }, index): Work => {
    const segment = { ...indexed, cameraId };
    const paths = itemPaths(id, firstIndex + index, segment, ctx.site.timezone);
    for (const [kind, path] of [
      ['original-copy', paths.original],
      ['original-copy', initCopyPath(segment, paths.original)],
      ['plan', paths.plan],
      ['masked-copy', paths.redacted],
    ] as const) {
      if (path === null) continue;
      registerDerived(db, { path, kind, requestId: id, segmentIds: [segment.id], createdUs: clock.nowUs() });
    }
    return { segment, streamId: indexed.cameraId === cameraId ? null : indexed.cameraId, paths };
  });
}

/** What was left out for recordings that have no frame of the range after all: their moments are shown by nobody then. */
function standIns(
  ctx: DisclosureContext,
  actor: Actor,
  request: RequestRow,
  known: readonly Work[],
  empty: ReadonlySet<number>,
): Work[] {
  const { db } = ctx.store;
  const knownIds = new Set(known.map((one) => one.segment.id));
  const more = request.cameraIds.flatMap((cameraId) =>
    primarySegments(db, cameraId, request, empty)
      .segments.filter((segment) => !knownIds.has(segment.id))
      .map((segment) => ({ cameraId, segment })),
  );
  if (more.length === 0) return [];
  return ctx.store.act(actor, (note) => {
    note('request.preparation-started', requestSubject(request.id), { what: 'stand-ins', segments: more.length });
    return register(ctx, request.id, more, known.length);
  });
}

/** One original with its plan and masked copy; null where no frame of it lies in the range, and then nothing is kept of it. */
async function prepareItem(
  ctx: DisclosureContext,
  request: RequestRow,
  { segment, streamId, paths }: Work,
  position: number,
  run: Run & { readonly signal: AbortSignal },
): Promise<RequestItem | null> {
  const redactor = redactorOf(ctx);
  const { sha256, sizeBytes, vault } = await copyOut(ctx, segment, join(ctx.dataDir, paths.original), run.signal);
  const initialisation = await copyInit(ctx, segment, paths.original, vault, run.signal);
  const output = await folderFor(ctx, paths.redacted);
  const found = await withPlayable(
    ctx.dataDir,
    { path: paths.original, initialisation },
    (input) =>
      redactor.redactPart(
        {
          input,
          output,
          decisions: maskEveryone,
          settings: ctx.redaction,
          zones: ctx.zonesOf(segment.cameraId),
          label: labelOf(ctx, { request, segment }),
          run,
        },
        { startUs: segment.startUs, range: rangeInVideo(request, segment) },
      ),
    run.signal,
  );
  if (found === null) {
    removeFiles(ctx.dataDir, [paths.original, ...(initialisation === null ? [] : [initialisation.path])]);
    return null;
  }
  const { analysis, range: frames } = found;
  await writeDurably(join(ctx.dataDir, paths.plan), JSON.stringify(analysis));
  const copy = { output: paths.redacted, analysis, decisions: maskEveryone, frames };
  const rendered = await describeItem(ctx, copy, run.signal);
  const clocks = clocksOf(ctx.store.db, segment.id);
  const counted = numberOf(ctx.store.db, segment.id);
  return {
    requestId: request.id,
    position,
    segmentId: segment.id,
    cameraId: segment.cameraId,
    startUs: segment.startUs,
    endUs: segment.coveredUntilUs,
    sourceName: segment.path.slice(segment.path.lastIndexOf('/') + 1),
    sizeBytes,
    container: segment.container,
    codec: segment.codec,
    hasAudio: segment.hasAudio,
    sha256,
    originalPath: paths.original,
    planPath: paths.plan,
    planSha256: await sha256File(join(ctx.dataDir, paths.plan), run.signal),
    redactedPath: paths.redacted,
    redactedSha256: rendered.sha256,
    decisions: maskEveryone,
    summary: {
      frames: frames.endFrame - frames.firstFrame,
      seconds: rendered.seconds,
      width: analysis.width,
      height: analysis.height,
      tracks: analysis.tracks.length,
      tracksByKind: countByKind(analysis.tracks),
      uncertainSpans: analysis.tracks.reduce((sum, track) => sum + track.uncertain.length, 0),
      detector: analysis.detector.name,
      damaged: analysis.damaged,
      detectorSha256: analysis.detector.sha256,
      minScore: analysis.detector.minScore,
      ...frames,
      redactedSizeBytes: rendered.sizeBytes,
      operations: rendered.operations,
      overlaps: rendered.overlaps,
      breaks: breaksIn(analysis, segment.startUs),
      ...(streamId !== null && { streamId }),
      timeSource: segment.timeSource,
      timeQuality: segment.timeQuality,
      timeDisagreementMs: segment.timeDisagreementMs,
      truncated: segment.truncated,
      ...(segment.coveredUntilUs > segment.endUs && { mediaEndUs: segment.endUs, latestEndUs: segment.latestEndUs }),
      ...(clocks === null ? {} : { clocks }),
      ...(counted === null ? {} : { counted }),
      ...(initialisation === null ? {} : { initialisation }),
      ...(vault === null ? {} : { protectedCopy: { method: vault.copy.method, copiedUs: vault.copy.copiedUs } }),
    },
  };
}

function countByKind(tracks: Analysis['tracks']): NonNullable<RequestItem['summary']['tracksByKind']> {
  const counts = { person: 0, vehicle: 0, motion: 0 };
  for (const { kind } of tracks) counts[kind] += 1;
  return counts;
}

const shortestBreakUs = 2_000_000;

/** Stretches without a frame: longer than 2 s, and than three frames of a slow camera. */
function breaksIn(analysis: Analysis, startUs: number): TimeRange[] {
  const { pts, timeBase, fps } = analysis;
  const limitUs = Math.max(shortestBreakUs, fps > 0 ? 3_000_000 / fps : 0);
  const breaks: TimeRange[] = [];
  const usOf = (frame: number): number =>
    startUs + Math.round((((pts[frame] ?? 0) - (pts[0] ?? 0)) * timeBase.num * 1e6) / timeBase.den);
  for (let frame = 1; frame < pts.length; frame += 1) {
    if (usOf(frame) - usOf(frame - 1) > limitUs) breaks.push({ startUs: usOf(frame - 1), endUs: usOf(frame) });
  }
  return breaks;
}

function finish(ctx: DisclosureContext, actor: Actor, id: string, items: readonly RequestItem[]): void {
  const { db } = ctx.store;
  if (items.length === 0) {
    throw new GatewayError('footage-gone', `No recording has a frame in the range of request ${id}.`, {
      remedy: 'Check the times; recordings that span the range may hold no picture in it.',
    });
  }
  ctx.store.act(actor, (note) => {
    assertTransition(id, getRequest(db, id).state, 'prepared');
    replaceItems(db, id, items);
    const used = new Set(items.flatMap(filesOfItem));
    // Of an earlier preparation, or of a recording without a frame in the range: those files are gone.
    for (const file of derivedOfRequest(db, id)) if (!used.has(file.path)) forgetDerived(db, file.id);
    updateRequest(db, id, 'prepared', { failure: null });
    for (const item of items) noteRendered(note, item);
    note('request.prepared', requestSubject(id), { items: items.length, contentHash: contentOf(items) });
  });
}

type Note = Parameters<Parameters<DisclosureContext['store']['act']>[1]>[0];

export const contentOf = (items: readonly RequestItem[]): string => contentHash(items.map(scopeItemOf));

export function noteRendered(note: Note, item: RequestItem): void {
  note('redaction.rendered', requestSubject(item.requestId), {
    position: item.position,
    segment: item.segmentId,
    sha256: item.sha256,
    planSha256: item.planSha256,
    redactedSha256: item.redactedSha256,
    tracks: item.summary.tracks,
    mode: modeOf(item.decisions),
    keptVisible: item.decisions.keepVisible.length,
    drawn: item.decisions.drawn.length,
    overlaps: item.summary.overlaps?.length ?? 0,
  });
}

/** Nothing half-made stays: files first, then their rows with the event that says so. */
export function fail(ctx: DisclosureContext, actor: Actor, id: string, error: GatewayError): void {
  const { db } = ctx.store;
  const reason = withoutNames(ctx, id, reasonOf(error));
  const discarded = discardAll(ctx, id);
  ctx.store.act(actor, (note) => {
    const to = error.code === 'interrupted' ? 'requested' : 'preparation-failed';
    assertTransition(id, getRequest(db, id).state, to);
    if (itemsOf(db, id).length > 0) replaceItems(db, id, []);
    discarded.forget();
    updateRequest(db, id, to, { failure: to === 'requested' ? null : reason });
    note('request.preparation-failed', requestSubject(id), { code: error.code, state: to });
  });
}

/**
 * The text without the names of the request's recordings and of what was made from them: it outlives the files. Before their
 * rows are forgotten.
 */
export function withoutNames(ctx: Pick<DisclosureContext, 'store'>, id: string, text: string): string {
  const { db } = ctx.store;
  const names = new Map<string, string>();
  for (const { path, segmentId } of filesWithSources(db, id)) {
    const said = `segment ${segmentId}`;
    const recorded = findById(db, segmentId)?.path;
    for (const name of [path, recorded]) {
      if (name === undefined) continue;
      names.set(name, said);
      names.set(name.slice(name.lastIndexOf('/') + 1), said);
    }
  }
  // The longest first: a name stands in its path too.
  return [...names]
    .sort(([a], [b]) => b.length - a.length)
    .reduce((left, [name, said]) => left.replaceAll(name, said), text);
}

/** For a person: what happened and what to do. */
export const reasonOf = (error: GatewayError): string =>
  error.remedy === undefined ? error.message : `${error.message} ${error.remedy}`;
