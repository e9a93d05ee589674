/** Holds that people place by themselves, apart from those that a request brings along. */
import { randomUUID } from 'node:crypto';
import {
  approvalUs,
  assertGroundOfClass,
  assertReview,
  isFreeze,
  notifyWithinUs,
  provisionalUs,
  wideness,
  type Hold,
  type NewHold,
} from '../domain/hold.js';
import { readFacts, referenceOf, type HoldFacts } from '../domain/hold-facts.js';
import { isThere, type TimeRange } from '../domain/segment.js';
import { formatLocal, formatUtc } from '../domain/time.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { getCamera } from '../store/cameras.js';
import type { Database } from '../store/database.js';
import { deletionsIn } from '../store/deletions.js';
import { findHold, insertHold, listEnabledGrounds } from '../store/holds.js';
import { missingIn } from '../store/segments.js';
import { segmentsShowing } from '../store/segments-shown.js';
import { allStreamsOf, mainOf } from '../store/substreams.js';
import { openTask } from '../store/tasks.js';
import type { DisclosureContext } from './context.js';

export type HoldContext = Pick<DisclosureContext, 'store' | 'site'>;

export interface HoldInput extends TimeRange {
  readonly facts: HoldFacts;
  readonly reason: string;
  /** Why more than 60 minutes or 3 cameras are needed; null where they are not asked for. */
  readonly wideReason: string | null;
  readonly cameraIds: readonly string[];
  readonly reviewUs: number;
}

/** Footage of the range that is not held, because it is gone, or going. */
export interface GonePart extends TimeRange {
  readonly cameraId: string;
  /** missing: gone from the disk, and not by the gateway. */
  readonly what: 'deleted' | 'being-deleted' | 'missing';
  readonly segments: number;
}

export interface PlacedHold {
  readonly hold: Hold;
  /** Segments that it keeps. */
  readonly segments: number;
  /** From the oldest frame to the end of the last file that it keeps: whole files, and so more than was asked for. */
  readonly keeps: TimeRange;
  readonly gone: readonly GonePart[];
  readonly warnings: readonly string[];
}

export const holdSubject = (id: string): string => `hold:${id}`;
export const todayAt = ({ store, site }: HoldContext): string =>
  formatLocal(store.clock.nowUs(), site.timezone).slice(0, 10);

/** A reason that somebody else can follow. Throws `input-invalid` without one. */
export function readReason(reason: string, of: string): string {
  const text = reason.trim();
  if (text.length >= 3) return text;
  throw new GatewayError('input-invalid', `${of} needs a reason.`, { remedy: 'Write why.' });
}

/**
 * Places a hold, in one transaction with the look at what is still there: a sweep sees it whole or not at all. It is in force at
 * once. Placed by security it is provisional until another person, of legal, has approved it; what legal places needs no second
 * one. Throws `footage-gone` where nothing is left, so that nobody is told of a hold on footage that is gone; `input-invalid` for
 * facts that are missing, and for more than 60 minutes or 3 cameras without a reason; `forbidden` for a ground that the class of
 * a camera does not have.
 */
export function placeHold(ctx: HoldContext, user: User, input: HoldInput): PlacedHold {
  assertRight(user, 'hold.place');
  const { db, clock } = ctx.store;
  const by = `user:${user.id}` as const;
  return ctx.store.act(by, (note) => {
    const nowUs = clock.nowUs();
    const facts = readFacts(input.facts, todayAt(ctx));
    const reason = readReason(input.reason, 'A hold');
    const enabled = listEnabledGrounds(db).map(({ ground }) => ground);
    for (const id of input.cameraIds) assertGroundOfClass(id, getCamera(db, id).class, facts.ground, enabled);
    const wideReason = readWideReason(db, input);
    assertReview(input.reviewUs, nowUs);
    // Every stream of a camera, and of each every copy: a copy that goes is a loss too.
    const cameraIds = allStreamsOf(db, input.cameraIds);
    const kept = segmentsShowing(db, cameraIds, input).filter(isThere);
    const gone = goneIn(db, cameraIds, input);
    const [first] = kept;
    if (first === undefined) throw nothingLeft(gone);
    const keeps = kept.reduce<TimeRange>(
      ({ startUs, endUs }, one) => ({ startUs: Math.min(startUs, one.startUs), endUs: Math.max(endUs, one.endUs) }),
      first,
    );
    // Who has both roles acts as security: the two control each other.
    const byLegal = user.roles.includes('legal') && !user.roles.includes('security');
    const hold: NewHold = {
      id: `h-${randomUUID()}`,
      ground: facts.ground,
      facts,
      reference: referenceOf(facts),
      reason,
      wideReason,
      requestId: null,
      startUs: input.startUs,
      endUs: input.endUs,
      cameraIds,
      placedAs: byLegal ? 'legal' : 'security',
      placedBy: by,
      placedUs: nowUs,
      reviewUs: byLegal ? input.reviewUs : Math.min(input.reviewUs, nowUs + provisionalUs),
      wantedReviewUs: byLegal ? null : input.reviewUs,
      approveByUs: byLegal ? null : nowUs + approvalUs,
      approvedUs: byLegal ? nowUs : null,
      approvedBy: byLegal ? by : null,
      notifyByUs: facts.ground === 'dispute' ? keeps.startUs + notifyWithinUs : null,
    };
    insertHold(db, hold);
    note('hold.placed', holdSubject(hold.id), {
      ground: hold.ground,
      as: hold.placedAs,
      cameras: [...cameraIds],
      startUs: hold.startUs,
      endUs: hold.endUs,
      reviewUs: hold.reviewUs,
      segments: kept.length,
      gone: gone.reduce((sum, { segments }) => sum + segments, 0),
      wide: wideReason !== null,
    });
    openTasksOf(db, hold, nowUs);
    const placed = findHold(db, hold.id);
    if (placed === null) throw new GatewayError('internal', 'A hold that was placed is not there.');
    return { hold: placed, segments: kept.length, keeps, gone, warnings: warningsOf(placed, gone) };
  });
}

function readWideReason(db: Database, input: HoldInput): string | null {
  const wide = wideness(input, new Set(input.cameraIds.map((id) => mainOf(db, id) ?? id)).size);
  if (wide.length === 0) return null;
  const reason = input.wideReason?.trim() ?? '';
  if (reason.length >= 10) return reason;
  throw new GatewayError('input-invalid', `${wide.join(' ')} A hold is no wider than the case needs.`, {
    remedy: 'Hold less, or confirm it with the reason why all of it is needed, in ten characters or more (wideReason).',
    details: { needs: 'wideReason' },
  });
}

/** What of the range is gone, by camera, with neighbours as one part. */
function goneIn(db: Database, cameraIds: readonly string[], range: TimeRange): GonePart[] {
  const single: GonePart[] = [
    ...deletionsIn(db, cameraIds, range).map(({ cameraId, startUs, endUs, doneUs }): GonePart => {
      return { cameraId, startUs, endUs, what: doneUs === null ? 'being-deleted' : 'deleted', segments: 1 };
    }),
    ...missingIn(db, cameraIds, range).map(({ cameraId, startUs, endUs }): GonePart => {
      return { cameraId, startUs, endUs, what: 'missing', segments: 1 };
    }),
  ].sort((a, b) => (a.cameraId === b.cameraId ? a.startUs - b.startUs : a.cameraId < b.cameraId ? -1 : 1));
  const parts: GonePart[] = [];
  for (const one of single) {
    const last = parts.at(-1);
    if (last?.cameraId === one.cameraId && last.what === one.what && one.startUs - last.endUs <= 2_000_000) {
      parts.pop();
      parts.push({ ...last, endUs: Math.max(last.endUs, one.endUs), segments: last.segments + one.segments });
    } else parts.push(one);
  }
  return parts;
}

const inWords = { deleted: 'was deleted', 'being-deleted': 'is being deleted', missing: 'is missing from the disk' };

/** The first parts in words, for a person. */
function describe(gone: readonly GonePart[]): string {
  const parts = gone
    .slice(0, 5)
    .map((one) => `${one.cameraId} ${formatUtc(one.startUs)} to ${formatUtc(one.endUs)} ${inWords[one.what]}`);
  return `${parts.join('; ')}${gone.length > 5 ? `; and ${gone.length - 5} more parts` : ''}`;
}

function nothingLeft(gone: readonly GonePart[]): GatewayError {
  return new GatewayError('footage-gone', 'There is no footage of these cameras in this range: nothing is held.', {
    remedy: gone.length > 0 ? `Gone: ${describe(gone)}.` : 'Nothing is recorded there; check cameras and times.',
    details: { gone: gone.slice(0, 100) },
  });
}

/** What people have to do about a hold, from its first minute on. */
function openTasksOf(db: Database, hold: NewHold, nowUs: number): void {
  const open = (kind: string, detail: string): void => {
    openTask(db, { kind, subject: holdSubject(hold.id), detail, createdUs: nowUs });
  };
  if (typeof hold.approveByUs === 'number') {
    const otherwise = isFreeze(hold)
      ? 'Until then, and after it, the footage is frozen.'
      : `It is in force meanwhile; without a decision it ends on ${formatUtc(hold.reviewUs)}.`;
    open(
      'approve-hold',
      `Security has placed hold ${hold.id} (${hold.ground}) on footage of ${hold.cameraIds.join(', ')}. Another person, of legal, approves or refuses it before ${formatUtc(hold.approveByUs)}: tredive hold approve ${hold.id}, or tredive hold refuse ${hold.id}. ${otherwise}`,
    );
  }
  if (typeof hold.notifyByUs === 'number') {
    // CCTV Act § 4 c(5): the other party is told within the 30 days of the oldest frame that is kept for it.
    open(
      'tell-the-other-party',
      `Tell the other party of the dispute before ${formatUtc(hold.notifyByUs)} that footage is kept, and hand over a copy on request. Enter when, how and by which document: tredive hold notified ${hold.id}`,
    );
  }
}

function warningsOf(hold: Hold, gone: readonly GonePart[]): string[] {
  const warnings: string[] = [];
  if (hold.wideReason !== null) warnings.push('This hold is wide; its reason is kept with it.');
  if (gone.length > 0) {
    warnings.push(`Not all of this range is held, because a part of it is gone: ${describe(gone)}.`);
  }
  if (hold.approveByUs !== null) {
    warnings.push(`Legal has to approve it before ${formatUtc(hold.approveByUs)}; it is in force meanwhile.`);
  }
  if (hold.notifyByUs !== null) {
    warnings.push(`The other party has to be told before ${formatUtc(hold.notifyByUs)}.`);
  }
  return warnings;
}
