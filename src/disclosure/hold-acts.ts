/** What becomes of a hold: approved or refused, prolonged, ended. All of it by legal, with a reason, in the log. */
import { assertReview, holdIsActive, isFreeze, isProvisional, type Hold } from '../domain/hold.js';
import { assertDay } from '../domain/hold-facts.js';
import { formatUtc } from '../domain/time.js';
import { assertRight, type Right, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import type { Note } from '../store/audit-log.js';
import { findHold, insertHoldStep, liftHold, setApproved, setReview } from '../store/holds.js';
import { closeTask, openTask } from '../store/tasks.js';
import { holdSubject, readReason, todayAt, type HoldContext } from './hold.js';

/** Tasks that are about a hold which is in force; they are settled when it is not any more. */
const tasksWhileHeld = [
  'approve-hold',
  'hold-approval-overdue',
  'hold-ends',
  'hold-ends-soon',
  'hold-review-overdue',
  'hold-restored',
] as const;

/** A hold that is in force. Throws `not-found`, and `conflict` for one that is over. */
function openHold({ store }: HoldContext, id: string): Hold {
  const hold = findHold(store.db, id);
  if (hold === null)
    throw new GatewayError('not-found', `There is no hold "${id}".`, { remedy: 'See the list of holds.' });
  if (holdIsActive(hold, store.clock.nowUs())) return hold;
  const { outcome } = hold;
  const how = outcome === null || outcome === 'expired' ? 'has run out' : `was ${outcome} before`;
  throw new GatewayError('conflict', `Hold ${id} ${how}.`, {
    remedy: 'If its footage is still there and still needed, place another one.',
  });
}

function actOn(
  ctx: HoldContext,
  user: User,
  id: string,
  right: Right,
  act: (hold: Hold, more: { readonly note: Note; readonly nowUs: number; readonly by: `user:${string}` }) => void,
): Hold {
  assertRight(user, right);
  const { store } = ctx;
  const by = `user:${user.id}` as const;
  return store.act(by, (note) => {
    act(openHold(ctx, id), { note, nowUs: store.clock.nowUs(), by });
    return findHold(store.db, id) as Hold;
  });
}

function assertMayDecide(hold: Hold, by: string): void {
  if (!isProvisional(hold)) {
    throw new GatewayError('conflict', `Hold ${hold.id} does not wait for an approval.`, {
      remedy: 'To end it, lift it; to keep it longer, prolong it.',
    });
  }
  if (hold.placedBy === by) {
    throw new GatewayError('same-person', 'Who placed a hold may not decide on it.', {
      remedy: 'Another person with the role "legal" has to decide.',
    });
  }
}

function closeTasks({ store }: HoldContext, id: string, kinds: readonly string[], nowUs: number): void {
  for (const kind of kinds) closeTask(store.db, kind, holdSubject(id), nowUs);
}

/**
 * Approves what security has placed. It runs until the date that was asked for, or `reviewUs` where legal wants another, no more
 * than 90 days from now. Throws `same-person`, `conflict`.
 */
export const approveHold = (
  ctx: HoldContext,
  user: User,
  id: string,
  { reviewUs: chosenUs }: { readonly reviewUs: number | null },
): Hold =>
  actOn(ctx, user, id, 'hold.approve', (hold, { note, nowUs, by }) => {
    assertMayDecide(hold, by);
    const reviewUs = chosenUs ?? laterOf(hold, nowUs);
    assertReview(reviewUs, nowUs);
    setApproved(ctx.store.db, id, { by, atUs: nowUs, reviewUs });
    insertHoldStep(ctx.store.db, { holdId: id, kind: 'approved', by, atUs: nowUs, facts: { reviewUs } });
    closeTasks(ctx, id, ['approve-hold', 'hold-approval-overdue', 'hold-ends', 'hold-ends-soon'], nowUs);
    note('hold.approved', holdSubject(id), { reviewUs });
  });

/** The date that was asked for; of a freeze it may have passed while it waited, and then the shortest that leaves time to look. */
const laterOf = (hold: Hold, nowUs: number): number => {
  const wantedUs = hold.wantedReviewUs ?? hold.reviewUs;
  return wantedUs > nowUs ? wantedUs : nowUs + 14 * 24 * 3_600_000_000;
};

/** Refuses it, with the reason, which is told to who placed it: its footage goes at the next sweep, as far as it is due. */
export const refuseHold = (
  ctx: HoldContext,
  user: User,
  id: string,
  { reason: given }: { readonly reason: string },
): Hold =>
  actOn(ctx, user, id, 'hold.approve', (hold, { note, nowUs, by }) => {
    assertMayDecide(hold, by);
    const reason = readReason(given, 'A refusal');
    const { db } = ctx.store;
    end(ctx, hold, { by, nowUs, outcome: 'refused', facts: { reason } });
    openTask(db, {
      kind: 'hold-refused',
      subject: holdSubject(id),
      detail: `Legal has refused hold ${id} (${hold.ground}): its footage goes at the next sweep after ${formatUtc(nowUs)}, as far as it is due. The reason is with the hold.`,
      createdUs: nowUs,
    });
    note('hold.refused', holdSubject(id), {});
  });

/** A later review date, no more than 90 days from now, with a reason. Throws `conflict` for a hold that waits for its approval. */
export const prolongHold = (
  ctx: HoldContext,
  user: User,
  id: string,
  { reviewUs, reason: given }: { readonly reviewUs: number; readonly reason: string },
): Hold =>
  actOn(ctx, user, id, 'hold.prolong', (hold, { note, nowUs, by }) => {
    if (isProvisional(hold)) {
      throw new GatewayError('conflict', `Hold ${id} waits for its approval.`, { remedy: 'Approve it first.' });
    }
    const reason = readReason(given, 'Prolonging a hold');
    assertReview(reviewUs, nowUs);
    if (reviewUs <= hold.reviewUs) {
      throw new GatewayError('input-invalid', `Hold ${id} runs until ${formatUtc(hold.reviewUs)} already.`, {
        remedy: 'Give a later date, or lift it.',
      });
    }
    const { db } = ctx.store;
    setReview(db, id, { reviewUs, setUs: nowUs });
    const facts = { fromUs: hold.reviewUs, reviewUs, reason };
    insertHoldStep(db, { holdId: id, kind: 'prolonged', by, atUs: nowUs, facts });
    closeTasks(ctx, id, ['hold-ends', 'hold-ends-soon', 'hold-review-overdue'], nowUs);
    note('hold.prolonged', holdSubject(id), { fromUs: hold.reviewUs, reviewUs });
  });

export interface Lifting {
  readonly reason: string;
  /** For a freeze: the days on which the request or complaint was answered, and on which the time to appeal ended. */
  readonly answeredOn?: string | null;
  readonly appealEndedOn?: string | null;
}

/**
 * Ends a hold before its date. A request's own hold ends with the request. What froze footage for an access request or a complaint
 * is ended by saying when it was answered and when the time to appeal was over; nobody, of whatever role, ends it without.
 */
export const lift = (ctx: HoldContext, user: User, id: string, lifting: Lifting): Hold =>
  actOn(ctx, user, id, 'hold.lift', (hold, { note, nowUs, by }) => {
    if (hold.requestId !== null) {
      throw new GatewayError('conflict', `Hold ${id} belongs to request ${hold.requestId}.`, {
        remedy: 'Refuse or close the request.',
      });
    }
    const reason = readReason(lifting.reason, 'Lifting a hold');
    const answered = isFreeze(hold) ? readAnswer(ctx, hold, lifting) : {};
    end(ctx, hold, { by, nowUs, outcome: 'lifted', facts: { reason, ...answered } });
    note('hold.lifted', holdSubject(id), answered);
  });

function readAnswer(
  ctx: HoldContext,
  hold: Hold,
  { answeredOn, appealEndedOn }: Lifting,
): { readonly answeredOn: string; readonly appealEndedOn: string } {
  if (typeof answeredOn !== 'string' || typeof appealEndedOn !== 'string') {
    throw new GatewayError('input-invalid', `Hold ${hold.id} is a freeze: it ends once answered and not appealed.`, {
      remedy: 'Say when it was answered (answeredOn) and when the time to appeal ended (appealEndedOn).',
    });
  }
  const today = todayAt(ctx);
  assertDay(answeredOn, 'the day of the answer', today);
  assertDay(appealEndedOn, 'the day on which the time to appeal ended', today);
  const receivedOn = hold.facts !== null && 'receivedOn' in hold.facts ? hold.facts.receivedOn : answeredOn;
  if (receivedOn <= answeredOn && answeredOn <= appealEndedOn) return { answeredOn, appealEndedOn };
  throw new GatewayError('input-invalid', 'It is received, then answered, and then the time to appeal ends.', {
    remedy: `Correct the days: received ${receivedOn}, answered ${answeredOn}, appeal over ${appealEndedOn}.`,
  });
}

function end(
  ctx: HoldContext,
  hold: Hold,
  {
    by,
    nowUs,
    outcome,
    facts,
  }: {
    readonly by: `user:${string}`;
    readonly nowUs: number;
    readonly outcome: 'lifted' | 'refused';
    readonly facts: Readonly<Record<string, string>>;
  },
): void {
  const { db } = ctx.store;
  liftHold(db, hold.id, by, nowUs, { outcome });
  insertHoldStep(db, { holdId: hold.id, kind: outcome, by, atUs: nowUs, facts });
  closeTasks(ctx, hold.id, tasksWhileHeld, nowUs);
}
