/** Doubts that stop a sweep: a clock that cannot be believed stops all of it, a root that is not what it was its own part. */
import { randomUUID } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '../domain/canonical-json.js';
import { formatUtc, usPerSecond } from '../domain/time.js';
import type { Segment } from '../domain/segment.js';
import { assertMayVote, isAgreed, liveVotes, type Vote } from '../domain/two-persons.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { isIndexedFile } from '../platform/file-identity.js';
import { judgeFolder } from '../platform/root-folder.js';
import { countEvents } from '../store/audit-log.js';
import type { Database } from '../store/database.js';
import { endProposal, openProposal, putProposal, putVote, votesOf } from '../store/proposals.js';
import { findRoot } from '../store/roots.js';
import { newestOfRoot } from '../store/segments.js';
import { highestClockUs, putSweepState, readSweepState, type SweepState } from '../store/sweep-state.js';
import { closeTask } from '../store/tasks.js';
import type { RetentionContext } from './context.js';

/** What a time service may correct without anybody being asked. */
export const clockToleranceUs = 300 * usPerSecond;

/** How long a yes counts where no brake says it. */
const defaultVoteUs = 4 * 3600 * usPerSecond;

export const unsynchronisedTask = { kind: 'clock-unsynchronised', subject: 'gateway:clock' } as const;
export const clockTask = { kind: 'clock-untrusted', subject: 'gateway:clock' } as const;

/**
 * How far all steps of a clock since the first sweep of this boot may go together: what is corrected at once, and what a virtual
 * machine loses by being paused for its backups day by day. Without a bound on the sum, a clock set forward a little before each
 * sweep would go as far as anybody likes.
 */
const stepsAllowedUs = (uptimeUs: number): number => clockToleranceUs + uptimeUs / 8640;

/** set: by how far, forward where positive, since the first sweep of this boot. before-log: something was logged later than now. */
export type ClockDoubt =
  { readonly kind: 'set'; readonly stepUs: number } | { readonly kind: 'before-log'; readonly highestUs: number };

/**
 * Why the clock is not believed at `nowUs`, or null. Two witnesses:
 * - Since the last sweep the machine was not booted: then the wall clock must have gone as far as the uptime has since the first
 *   sweep of this boot (`sweepStateAt`). That alone decides, because it also tells a clock that was wrong and is right again from
 *   one that is wrong now. A process that was suspended changes nothing: both go on.
 * - Otherwise the clock must not be before anything that was ever logged, nor before the last sweep. A clock that was set
 *   forward while the machine was off cannot be told from time that passed: that is what the brake is for.
 */
export function clockDoubt(ctx: RetentionContext, nowUs: number): ClockDoubt | null {
  const { db } = ctx.store;
  const state = readSweepState(db);
  const uptime = ctx.uptime?.() ?? null;
  if (uptime !== null && uptime.bootId === state.bootId && state.uptimeUs !== null && state.lastSweepUs !== null) {
    const stepUs = nowUs - state.lastSweepUs - (uptime.uptimeUs - state.uptimeUs);
    return Math.abs(stepUs) <= stepsAllowedUs(uptime.uptimeUs) ? null : { kind: 'set', stepUs };
  }
  const highestUs = Math.max(state.lastSweepUs ?? 0, highestClockUs(db, state.acceptedSize ?? 0) ?? 0);
  return nowUs + clockToleranceUs >= highestUs ? null : { kind: 'before-log', highestUs };
}

/** The doubt of `clockDoubt` in words, or null. */
export function refusalReason(ctx: RetentionContext, nowUs: number): string | null {
  const doubt = clockDoubt(ctx, nowUs);
  if (doubt === null) return null;
  if (doubt.kind === 'before-log') {
    return `the clock says ${formatUtc(nowUs)}, but the log already has something from ${formatUtc(doubt.highestUs)}`;
  }
  const { stepUs } = doubt;
  return `the clock was set ${stepUs > 0 ? 'forward' : 'back'} by ${Math.round(Math.abs(stepUs) / usPerSecond)} s since the first sweep after the machine was started`;
}

/**
 * What is remembered of a sweep that ends at `nowUs`. The uptime is written as the clock of the first sweep of this boot would
 * count it: so later ones are held against that first one, and small steps add up instead of being forgotten one by one.
 */
export function sweepStateAt(ctx: RetentionContext, nowUs: number): SweepState {
  const before = readSweepState(ctx.store.db);
  const uptime = ctx.uptime?.() ?? null;
  const sameBoot = uptime !== null && uptime.bootId === before.bootId;
  const anchoredUs =
    sameBoot && before.uptimeUs !== null && before.lastSweepUs !== null
      ? nowUs - (before.lastSweepUs - before.uptimeUs)
      : null;
  return {
    lastSweepUs: nowUs,
    bootId: uptime?.bootId ?? null,
    uptimeUs: anchoredUs ?? uptime?.uptimeUs ?? null,
    acceptedSize: before.acceptedSize,
  };
}

const noTimeService = 'no time service sets the clock, and the configuration asks for one';
const timeServiceUnknown =
  'it cannot be told whether a time service sets the clock, and the configuration asks for one';

/** The doubt of a site that wants a time service and has none, or whose system cannot tell; else null. */
export const unsynchronisedReason = (ctx: RetentionContext, synchronised: boolean | null): string | null =>
  ctx.mustBeSynchronised !== true || synchronised === true
    ? null
    : synchronised === false
      ? noTimeService
      : timeServiceUnknown;

/** Whether a sweep was refused for want of a time service, which nobody can vouch for in its place. */
export const isWantOfTimeService = (reason: string): boolean =>
  reason === noTimeService || reason === timeServiceUnknown;

const acceptKind = 'accept-clock';

export interface AcceptedClock {
  /** Both have said yes: the clock is believed from now on. */
  readonly complete: boolean;
  readonly votes: readonly Vote[];
}

/**
 * A person says that the clock is right now; the second one, of both an administrator, makes it so: what was logged and swept
 * before proves nothing about it any more. For after a clock was wrong for a while; without it retention would wait until the
 * wrong time is reached. Both say yes to the same clock: where it was set in between, the first yes is void.
 *
 * Throws `forbidden`, `same-person`, and `conflict` where the clock is believed anyway.
 */
export function acceptClock(ctx: RetentionContext, user: User): AcceptedClock {
  assertRight(user, 'retention.confirm');
  const { store } = ctx;
  const { db } = store;
  const voteUs = ctx.brake?.voteUs ?? defaultVoteUs;
  return store.act(`user:${user.id}`, (note) => {
    const nowUs = store.clock.nowUs();
    const doubt = refusalReason(ctx, nowUs);
    if (doubt === null) {
      throw new GatewayError('conflict', 'The clock is believed as it is.', { remedy: 'Nothing is left to do.' });
    }
    const shown = { doubt, ...runOf(ctx, nowUs) };
    const open = openProposal(db, acceptKind);
    const id = open !== null && isSameClock(open.shown, shown) ? open.id : `k-${randomUUID()}`;
    if (id !== open?.id) putProposal(db, { id, kind: acceptKind, openedUs: nowUs, shown });
    assertMayVote(user, liveVotes(votesOf(db, id), nowUs, voteUs));
    putVote(db, id, user.id, nowUs);
    const votes = liveVotes(votesOf(db, id), nowUs, voteUs);
    const complete = isAgreed(votes);
    note('retention.clock-accepted', `proposal:${id}`, { atUs: nowUs, doubt, complete });
    if (complete) {
      putSweepState(db, { lastSweepUs: null, bootId: null, uptimeUs: null, acceptedSize: countEvents(db) });
      endProposal(db, id, 'carried-out', nowUs);
      closeTask(db, clockTask.kind, clockTask.subject, nowUs);
    }
    return { complete, votes };
  });
}

/** Who has said so far that the clock is right as it is now; none once it was set again. */
export function clockVotes(ctx: RetentionContext, nowUs: number): readonly Vote[] {
  const { db } = ctx.store;
  const open = openProposal(db, acceptKind);
  if (open === null || !isSameClock(open.shown, runOf(ctx, nowUs))) return [];
  return liveVotes(votesOf(db, open.id), nowUs, ctx.brake?.voteUs ?? defaultVoteUs);
}

/** Which run of the machine this is, and when it began by the clock of now. */
function runOf(
  ctx: RetentionContext,
  nowUs: number,
): { readonly bootId: string | null; readonly startedUs: number | null } {
  const uptime = ctx.uptime?.() ?? null;
  return { bootId: uptime?.bootId ?? null, startedUs: uptime === null ? null : nowUs - uptime.uptimeUs };
}

/** Without an uptime nobody can tell whether the clock was set between the two; the hours that a yes counts are the bound. */
function isSameClock(
  before: Json,
  now: { readonly bootId: string | null; readonly startedUs: number | null },
): boolean {
  const { bootId, startedUs } = before as { bootId: string | null; startedUs: number | null };
  if (startedUs === null || now.startedUs === null) return startedUs === now.startedUs;
  return bootId === now.bootId && Math.abs(startedUs - now.startedUs) <= clockToleranceUs;
}

export type FileState = 'as-indexed' | 'other' | 'absent';

/**
 * A look at a segment's file from the outside. It spares pointless work; whether a file is really the indexed one is decided
 * by the native unlink, which follows no link on the way either. Throws `io-failed` where nothing can be said.
 */
export function fileState(rootPath: string, segment: Pick<Segment, 'path' | 'inode' | 'sizeBytes'>): FileState {
  try {
    return isIndexedFile(lstatSync(join(rootPath, segment.path), { bigint: true }), segment) ? 'as-indexed' : 'other';
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
