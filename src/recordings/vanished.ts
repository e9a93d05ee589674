/**
 * The other way round: what the index knows and the walk did not meet. A disk that is only half there looks like a recorder that
 * deletes, so where most of a camera is gone nobody but a person can tell which it is.
 */
import { GatewayError } from '../errors.js';
import type { Segment } from '../domain/segment.js';
import type { Note } from '../store/audit-log.js';
import { findRoot } from '../store/roots.js';
import {
  countIndexed,
  findById,
  isReferred,
  markMissing,
  moveSegment,
  removeSegment,
  twinsSince,
} from '../store/segments.js';
import { closeTask, openTask } from '../store/tasks.js';
import type { RecordingRoot, RecordingsContext } from './context.js';
import { lookBeneath } from './look-beneath.js';
import { makePace } from './pace.js';
import { rootProblem } from './roots.js';

/** A camera of which more than half vanished from a root since the last scan. */
export interface Vanished {
  readonly cameraId: string;
  readonly gone: number;
  readonly of: number;
}

export interface VanishedRun {
  /** Names below, or of, something that could not be read. */
  readonly unknown: (path: string) => boolean;
  /** Cameras of which a person said that their files are gone for good. */
  readonly acceptVanished: ReadonlySet<string>;
  readonly signal?: AbortSignal | undefined;
}

export interface VanishedResult {
  /** Marked missing now. */
  missing: number;
  /** Found at another place, copied there perhaps: the row went there. */
  moved: number;
  /** Where this is not empty, nothing was marked missing. */
  readonly asked: Vanished[];
}

/** Rows in one transaction. */
const batchSize = 500;
export const vanishedTask = 'footage-vanished';

/**
 * Marks segments as missing whose files are gone, and raises an alarm by camera; or marks none and asks, where more than half of
 * a camera is gone from this root. Throws `root-untrusted`, with nothing changed, where the root is not what it was by now.
 */
export async function judgeNotMet(
  ctx: RecordingsContext,
  root: RecordingRoot,
  ids: readonly number[],
  run: VanishedRun,
): Promise<VanishedResult> {
  const { db } = ctx.store;
  const result: VanishedResult = { missing: 0, moved: 0, asked: [] };
  if (ids.length === 0) return result;
  const gone = await reallyGone(ctx, root, ids, run);
  // Unmounted while it was read: every file is gone then, and none is.
  const problem = rootProblem(db, root.id, root.path);
  if (problem !== null) throw new GatewayError('root-untrusted', problem);
  const lost = await followTwins(ctx, root, gone, run, result);

  for (const [cameraId, list] of lost) {
    const half = countIndexed(db, root.id, cameraId, list.length * 2);
    if (half >= list.length * 2 || run.acceptVanished.has(cameraId)) continue;
    result.asked.push({ cameraId, gone: list.length, of: half });
  }
  if (result.asked.length > 0) {
    ask(ctx, root, result.asked);
    return result;
  }
  const pace = makePace(run.signal);
  for (const [cameraId, list] of lost) {
    for (let at = 0; at < list.length; at += batchSize) {
      result.missing += markLost(ctx, root, cameraId, list.slice(at, at + batchSize), list.length, run);
      await pace.rest();
    }
  }
  return result;
}

/** Those whose row still says so and whose file is not there: while the disk was walked, it and the index went on. By camera. */
async function reallyGone(
  ctx: RecordingsContext,
  root: RecordingRoot,
  ids: readonly number[],
  run: VanishedRun,
): Promise<Map<string, number[]>> {
  const pace = makePace(run.signal);
  const gone = new Map<string, number[]>();
  for (const id of ids) {
    if (pace.spent()) await pace.rest();
    const row = findById(ctx.store.db, id);
    if (row?.state !== 'indexed' || row.rootId !== root.id || run.unknown(row.path)) continue;
    try {
      if ((await lookBeneath(root.path, row.path)) !== null) continue;
    } catch (error) {
      // No answer is no loss.
      ctx.log.warn({ root: root.id, segment: id, err: error }, 'a file gives no answer; the next scan asks again');
      continue;
    }
    const list = gone.get(row.cameraId);
    if (list === undefined) gone.set(row.cameraId, [id]);
    else list.push(id);
  }
  return gone;
}

/** Rows whose very footage was met elsewhere since the last scan go there, and the new row ends: it is one segment. Gives the rest. */
async function followTwins(
  ctx: RecordingsContext,
  root: RecordingRoot,
  gone: ReadonlyMap<string, readonly number[]>,
  run: VanishedRun,
  result: VanishedResult,
): Promise<Map<string, number[]>> {
  const { db } = ctx.store;
  const pace = makePace(run.signal);
  // What was there already when all of this was on disk is a copy, and stays one.
  const sinceUs = findRoot(db, root.id)?.lastScanUs ?? 0;
  const pairs: { row: Segment; twin: Segment }[] = [];
  const lost = new Map<string, number[]>();
  for (const [cameraId, list] of gone) {
    const rest: number[] = [];
    for (const id of list) {
      if (pace.spent()) await pace.rest();
      const row = findById(db, id);
      if (row?.state !== 'indexed') continue;
      const [twin, another] = twinsSince(db, row, sinceUs);
      if (twin === undefined || another !== undefined) rest.push(id);
      else pairs.push({ row, twin });
    }
    if (rest.length > 0) lost.set(cameraId, rest);
  }
  for (let at = 0; at < pairs.length; at += batchSize) {
    ctx.store.act('gateway', (note) => {
      let moved = 0;
      for (const { row, twin } of pairs.slice(at, at + batchSize)) {
        // Looked at again inside: nothing may have been made from it, and no deletion of it begun, since.
        if (findById(db, twin.id)?.state !== 'indexed' || findById(db, row.id)?.state !== 'indexed') continue;
        if (isReferred(db, twin.id)) continue;
        removeSegment(db, twin.id);
        moveSegment(db, row.id, twin);
        moved += 1;
      }
      note('recordings.changed', `root:${root.id}`, { moved });
      result.moved += moved;
    });
    await pace.rest();
  }
  return lost;
}

/** Tells a person, once; each scan that finds it so is in the log. */
function ask(ctx: RecordingsContext, root: RecordingRoot, asked: readonly Vanished[]): void {
  ctx.log.error({ root: root.id, asked }, 'most of a camera vanished: nothing was marked as missing');
  ctx.store.act('gateway', (note) => {
    for (const { cameraId, gone, of } of asked) {
      openTask(ctx.store.db, {
        kind: vanishedTask,
        subject: `camera:${cameraId}`,
        detail: `${gone} of ${of} segments of camera "${cameraId}" are not in root "${root.id}" any more. Nothing was changed. If a disk or a mount is missing, bring it back. If they are really gone, say so with "tredive scan --accept-vanished ${cameraId}".`,
        createdUs: ctx.store.clock.nowUs(),
      });
    }
    note('recordings.missing', `root:${root.id}`, {
      asked: asked.map(({ cameraId, gone, of }) => ({ camera: cameraId, gone, of })),
    });
  });
}

function markLost(
  ctx: RecordingsContext,
  root: RecordingRoot,
  cameraId: string,
  ids: readonly number[],
  ofAll: number,
  run: VanishedRun,
): number {
  const { db, clock } = ctx.store;
  const accepted = run.acceptVanished.has(cameraId);
  return ctx.store.act(accepted ? 'operator' : 'gateway', (note: Note) => {
    const segments = ids.filter((id) => markMissing(db, id, clock.nowUs())).length;
    openTask(db, {
      kind: 'footage-missing',
      subject: `camera:${cameraId}`,
      detail: `${ofAll} segments of camera "${cameraId}" are gone, and not by the gateway. Find out who deleted them, and whether the recorder keeps footage long enough.`,
      createdUs: clock.nowUs(),
    });
    if (accepted) closeTask(db, vanishedTask, `camera:${cameraId}`, clock.nowUs());
    note('recordings.missing', `root:${root.id}`, { cameras: { [cameraId]: segments }, accepted });
    return segments;
  });
}
