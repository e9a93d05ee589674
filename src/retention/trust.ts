/** Doubts that stop a sweep: a clock that cannot be believed stops all of it, a root that is not what it was its own part. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Actor } from '../domain/audit-event.js';
import { formatUtc, usPerSecond } from '../domain/time.js';
import type { Segment } from '../domain/segment.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { judgeFolder } from '../platform/root-folder.js';
import { countEvents } from '../store/audit-log.js';
import type { Database } from '../store/database.js';
import { findRoot } from '../store/roots.js';
import { newestOfRoot } from '../store/segments.js';
import { highestClockUs, putSweepState, readSweepState } from '../store/sweep-state.js';
import { closeTask } from '../store/tasks.js';
import type { RetentionContext } from './context.js';

/** What a time service may correct without anybody being asked. */
export const clockToleranceUs = 300 * usPerSecond;

export const clockTask = { kind: 'clock-untrusted', subject: 'gateway:clock' } as const;

/**
 * Why the clock is not believed at `nowUs`, or null. Two witnesses:
 * - Since the last sweep the machine was not booted: then the wall clock must have gone as far as the uptime has. That alone
 *   decides, because it also tells a clock that was wrong and is right again from one that is wrong now.
 * - Otherwise the clock must not be before anything that was ever logged, nor before the last sweep. A clock that was set
 *   forward while the machine was off cannot be told from time that passed.
 */
export function refusalReason(ctx: RetentionContext, nowUs: number): string | null {
  const { db } = ctx.store;
  const state = readSweepState(db);
  const uptime = ctx.uptime?.() ?? null;
  if (uptime !== null && uptime.bootId === state.bootId && state.uptimeUs !== null && state.lastSweepUs !== null) {
    const stepUs = nowUs - state.lastSweepUs - (uptime.uptimeUs - state.uptimeUs);
    if (Math.abs(stepUs) <= clockToleranceUs) return null;
    return `the clock was set ${stepUs > 0 ? 'forward' : 'back'} by ${Math.round(Math.abs(stepUs) / usPerSecond)} s since the last sweep`;
  }
  const highestUs = Math.max(state.lastSweepUs ?? 0, highestClockUs(db, state.acceptedSize ?? 0) ?? 0);
  if (nowUs + clockToleranceUs >= highestUs) return null;
  return `the clock says ${formatUtc(nowUs)}, but the log already has something from ${formatUtc(highestUs)}`;
}

/**
 * A person vouches for the clock: what was logged and swept before proves nothing about it any more. For after a clock was
 * wrong for a while; without it retention would wait until the wrong time is reached.
 */
export function acceptClock(ctx: RetentionContext, actor: Actor): void {
  const { store } = ctx;
  const nowUs = store.clock.nowUs();
  store.act(actor, (note) => {
    putSweepState(store.db, {
      lastSweepUs: null,
      bootId: null,
      uptimeUs: null,
      acceptedSize: countEvents(store.db),
    });
    closeTask(store.db, clockTask.kind, clockTask.subject, nowUs);
    note('retention.clock-accepted', 'gateway', { atUs: nowUs });
  });
}

export type FileState = 'as-indexed' | 'other' | 'absent';

/**
 * A look at a segment's file from the outside. It spares pointless work; whether a file is really the indexed one is decided
 * by the native unlink, which follows no link on the way either. Throws `io-failed` where nothing can be said.
 */
export function fileState(rootPath: string, segment: Pick<Segment, 'path' | 'inode' | 'sizeBytes'>): FileState {
  try {
    const stat = lstatSync(join(rootPath, segment.path), { bigint: true });
    const same = stat.isFile() && stat.ino.toString() === segment.inode && stat.size === BigInt(segment.sizeBytes);
    return same ? 'as-indexed' : 'other';
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent';
    throw new GatewayError('io-failed', `The file cannot be looked at: ${message}`, { cause: error });
  }
}

/** How many of the newest files are looked for: enough that a few that went otherwise do not raise an alarm. */
const witnesses = 20;

/**
 * Where a root lies and, if nothing in it may be judged now, why: it is missing, not a folder, not the folder it was, read-only
 * since, empty although it should not be, or holds none of the newest files. The last tells two disks with the same root inode apart, as
 * most file systems give theirs the same number.
 */
export function lookAtRoot(
  db: Database,
  rootId: string,
  configured: string | null,
): { readonly path: string; readonly problem: string | null } {
  const root = findRoot(db, rootId);
  if (root === null) throw new GatewayError('internal', `Segments name a root "${rootId}" that is in no table.`);
  const path = configured ?? root.path;
  const problem = (detail: string): { path: string; problem: string } => ({ path, problem: detail });
  const newest = newestOfRoot(db, rootId, witnesses);
  const verdict = judgeFolder(path, rootId, root, { mayBeEmpty: newest.length === 0 });
  if (verdict.problem !== null || newest.length === 0) return { path, problem: verdict.problem };
  try {
    if (newest.every((segment) => fileState(path, segment) === 'absent')) {
      return problem(`${path} has none of the newest files of the index; is the right disk mounted? If so, scan it.`);
    }
    return { path, problem: null };
  } catch (error) {
    return problem(`${path}: ${toGatewayError(error).message}`);
  }
}
