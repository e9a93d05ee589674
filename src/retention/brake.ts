/** The brake of a sweep: what waits, how it was shown, and who has confirmed it. The rule itself is domain/brake.ts. */
import { randomUUID } from 'node:crypto';
import type { Json } from '../domain/canonical-json.js';
import {
  isCovered,
  weigh,
  type BrakeSettings,
  type DueFootage,
  type ShownFootage,
  type WeighedCamera,
} from '../domain/brake.js';
import type { CameraPolicy } from '../domain/camera.js';
import { legalLimitUs, limitFor } from '../domain/retention.js';
import { dayUs, hourUs } from '../domain/retention-rules/index.js';
import { formatUtc } from '../domain/time.js';
import { isAgreed, liveVotes } from '../domain/two-persons.js';
import type { Note } from '../store/audit-log.js';
import type { Database } from '../store/database.js';
import { endProposal, openProposal, putProposal, votesOf, type Proposal } from '../store/proposals.js';
import { nextFootageUs } from '../store/segments.js';
import { footageSwept, lastSweptUs } from '../store/sweep-history.js';
import { readSweepState } from '../store/sweep-state.js';
import { closeTask, openTask } from '../store/tasks.js';
import type { RetentionContext, Waiting, WaitingCamera } from './context.js';

const kind = 'mass-deletion';
const task = { kind: 'mass-deletion-waits', subject: 'gateway:retention' } as const;

/** The longest interval between two sweeps that can be configured: longer than this, the gateway was away. */
const longestIntervalUs = 2 * hourUs;
/** A recorder may rest over a weekend; an archive that has nothing for longer may be one that a clock has jumped over. */
const longestRestUs = 3 * dayUs;

/** What is due of a camera, and how much of that lies behind what was shown to somebody. */
export interface DueTally extends DueFootage {
  readonly cameraId: string;
  readonly beyond: { readonly segments: number; readonly footageUs: number };
}

interface Shown {
  readonly cameras: readonly WaitingCamera[];
  readonly notSwept: Waiting['notSwept'];
}

// Written by this file, whole, in one transaction.
const shownIn = (proposal: Proposal): Shown => proposal.shown as unknown as Shown;

/** For each camera of what waits: up to which start it was shown. */
export function shownUntil(db: Database): ReadonlyMap<string, number> {
  const open = openProposal(db, kind);
  return new Map(open === null ? [] : shownIn(open).cameras.map(({ cameraId, newestUs }) => [cameraId, newestUs]));
}

export interface Braked {
  readonly waiting: Waiting | null;
  /** Nothing of any camera goes. */
  readonly everything: boolean;
  /** How much footage of a camera this sweep may delete; one that is not named here has no limit. */
  readonly allowanceUs: ReadonlyMap<string, number>;
  /** Cameras whose archive is swept for the first time, by a person at the console. */
  readonly first: readonly string[];
  /** What two persons confirmed and this sweep carries out. */
  readonly confirmedId: string | null;
}

/** Without a brake. */
export const nothingBraked: Braked = {
  waiting: null,
  everything: false,
  allowanceUs: new Map(),
  first: [],
  confirmedId: null,
};

function shownOf(open: Proposal | null, { cameraId, segments, footageUs, beyond }: DueTally): ShownFootage | null {
  const shown = open === null ? undefined : shownIn(open).cameras.find((one) => one.cameraId === cameraId);
  if (shown === undefined) return null;
  const within = { segments: segments - beyond.segments, footageUs: footageUs - beyond.footageUs };
  return { shown, within, beyondUs: beyond.footageUs };
}

/** Weighs what is due now. Changes nothing: see `noteBrake`. */
export function brake(
  ctx: RetentionContext,
  nowUs: number,
  due: readonly DueTally[],
  policies: ReadonlyMap<string, CameraPolicy>,
  byHand: boolean,
): Braked {
  const settings = ctx.brake;
  if (settings === undefined) return nothingBraked;
  const { db } = ctx.store;
  const open = openProposal(db, kind);
  const votes = open === null ? [] : liveVotes(votesOf(db, open.id), nowUs, settings.voteUs);
  const cameras: WeighedCamera[] = due.map((tally) => ({
    cameraId: tally.cameraId,
    due: tally,
    history: footageSwept(db, tally.cameraId),
    shown: shownOf(open, tally),
  }));
  const confirmed = isAgreed(votes);
  const first = byHand && firstByHand(db, cameras, nowUs);
  const weights = weigh(cameras, settings, { confirmed, first });
  const byId = new Map(due.map((tally) => [tally.cameraId, tally]));
  const allowanceUs = new Map<string, number>();
  const waits: WaitingCamera[] = [];
  for (const { cameraId, usualUs, limitUs, waits: held } of weights) {
    const tally = byId.get(cameraId);
    const policy = policies.get(cameraId);
    if (tally === undefined || policy === undefined) continue;
    allowanceUs.set(cameraId, held ? 0 : Math.max(limitUs, tally.footageUs));
    if (!held) continue;
    const { segments, footageUs, oldestUs, newestUs } = tally;
    const newestDueUs = newestUs + limitFor(policy, ctx.marginUs).maxAgeUs;
    const legalUs = legalLimitUs(policy, oldestUs);
    waits.push({ cameraId, segments, footageUs, oldestUs, newestUs, usualUs, limitUs, newestDueUs, legalUs });
  }
  return {
    waiting: waits.length === 0 ? null : waitingOf(db, settings, nowUs, waits, open, cameras, votes),
    everything: waits.length > 0 && waits.length === weights.length,
    allowanceUs,
    first: weights.filter(({ because }) => because === 'first').map(({ cameraId }) => cameraId),
    confirmedId: confirmed && weights.some(({ because }) => because === 'confirmed') ? (open?.id ?? null) : null,
  };
}

/**
 * Whether the archive itself bears the clock out. The first sweep of an archive that is older than the gateway is what everybody
 * begins with; asking for two persons then would teach them to say yes to everything. One person at the console may do it,
 * if from what is due until now no camera's footage leaves out more than a weekend: a clock that was set forward shows as
 * just such a hole, or as an archive that ends long ago.
 */
function firstByHand(db: Database, cameras: readonly WeighedCamera[], nowUs: number): boolean {
  const fresh = cameras.filter(({ history }) => history.length === 0);
  if (fresh.length === 0) return false;
  let atUs = Math.min(...fresh.map(({ due }) => due.newestUs));
  while (nowUs - atUs > longestRestUs) {
    const nextUs = nextFootageUs(db, atUs, atUs + longestRestUs);
    if (nextUs === null) return false;
    atUs = nextUs;
  }
  return true;
}

function waitingOf(
  db: Database,
  { voteUs }: BrakeSettings,
  nowUs: number,
  waits: readonly WaitingCamera[],
  open: Proposal | null,
  cameras: readonly WeighedCamera[],
  votes: Waiting['votes'],
): Waiting {
  const limits = new Map(waits.map(({ cameraId, limitUs }) => [cameraId, limitUs]));
  // Kept as it was shown while it still is what waits, so that both look at the same.
  const kept =
    open !== null &&
    cameras.every(({ cameraId, shown }) => {
      const limitUs = limits.get(cameraId);
      return limitUs === undefined || (shown !== null && isCovered(shown, limitUs));
    });
  const { cameras: listed, notSwept } = kept
    ? shownIn(open)
    : { cameras: waits, notSwept: (open === null ? null : shownIn(open).notSwept) ?? notSweptAt(db, nowUs) };
  const id = kept ? open.id : null;
  return {
    id,
    openedUs: kept ? open.openedUs : null,
    cameras: listed,
    notSwept,
    votes: kept ? votes : [],
    detail: describe(id, listed, notSwept, voteUs),
  };
}

function notSweptAt(db: Database, nowUs: number): Waiting['notSwept'] {
  const fromUs = readSweepState(db).lastSweepUs ?? lastSweptUs(db);
  return fromUs !== null && nowUs - fromUs > longestIntervalUs ? { fromUs, toUs: nowUs } : null;
}

const hours = (us: number): string => `${(us / hourUs).toFixed(1)} h`;

function describe(
  id: string | null,
  cameras: readonly WaitingCamera[],
  notSwept: Waiting['notSwept'],
  voteUs: number,
): string {
  const listed = cameras.map(
    (one) =>
      `"${one.cameraId}" ${one.segments} segments, ${hours(one.footageUs)} (usual ${hours(one.usualUs)}, limit ${hours(one.limitUs)}; recorded ${formatUtc(one.oldestUs)} to ${formatUtc(one.newestUs)}, the law's limit for the oldest is ${formatUtc(one.legalUs)})`,
  );
  const why =
    notSwept === null
      ? 'More would be deleted at once than usual. Is the clock right, and is every period what it should be?'
      : `Nothing was swept from ${formatUtc(notSwept.fromUs)} to ${formatUtc(notSwept.toUs)}: this is to catch up. Is the clock right?`;
  const how =
    id === null
      ? 'The next sweep, or "tredive retain --apply", opens it for confirmation.'
      : `If this footage is to go, two persons, one of them an administrator, confirm it within ${hours(voteUs)} of one another, each with the own password: tredive retain --confirm ${id} --user NAME`;
  return `${why} Waiting: ${listed.join('; ')}. ${how}`;
}

const asJson = ({ cameras, notSwept }: Waiting): Json => JSON.parse(JSON.stringify({ cameras, notSwept })) as Json;

/**
 * Part of the transaction that ends a sweep: opens what waits, replaces what was shown and is so no more (which voids what was
 * said to it), and ends what was carried out. Gives what waits, with its id.
 */
export function noteBrake(
  ctx: RetentionContext,
  note: Note,
  { waiting, confirmedId }: Braked,
  { nowUs, unfinished }: { readonly nowUs: number; readonly unfinished: boolean },
): Waiting | null {
  const { db } = ctx.store;
  const open = openProposal(db, kind);
  if (waiting === null || ctx.brake === undefined) {
    // Cut off, or kept from it by the disk, it goes on with the next sweep: what was confirmed still is.
    if (open !== null && !(unfinished && confirmedId !== null)) {
      endProposal(db, open.id, confirmedId === null ? 'not-needed' : 'carried-out', nowUs);
      closeTask(db, task.kind, task.subject, nowUs);
    }
    return null;
  }
  if (waiting.id !== null) {
    // Also where somebody closed it: it still waits.
    openTask(db, { ...task, detail: waiting.detail, createdUs: nowUs });
    return waiting;
  }
  const id = `b-${randomUUID()}`;
  const opened: Waiting = {
    ...waiting,
    id,
    openedUs: nowUs,
    detail: describe(id, waiting.cameras, waiting.notSwept, ctx.brake.voteUs),
  };
  if (open !== null && confirmedId !== null) endProposal(db, open.id, 'carried-out', nowUs);
  putProposal(db, { id, kind, openedUs: nowUs, shown: asJson(opened) });
  closeTask(db, task.kind, task.subject, nowUs);
  openTask(db, { ...task, detail: opened.detail, createdUs: nowUs });
  note('retention.braked', `proposal:${id}`, { shown: asJson(opened) });
  return opened;
}
