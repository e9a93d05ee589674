/** The decision of legal. It is bound to a hash of everything that would be handed over, and to whom. */
import { assertAnotherPerson, assertTransition, scopeHash, type DecisionTerms } from '../domain/disclosure.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { scopeItemOf } from '../evidence/manifest.js';
import { getCamera } from '../store/cameras.js';
import { getRequest, itemsOf, updateRequest, type RequestItem, type RequestRow } from '../store/requests.js';
import { discardRefused, liftHoldOf } from './close.js';
import { assertNoWorker, noApproval, requestSubject, type DisclosureContext } from './context.js';
import { contentOf } from './prepare.js';

export interface Decision {
  readonly approve: boolean;
  /** Why; a refusal is never without. */
  readonly reason: string;
  readonly terms: DecisionTerms;
}

/**
 * Approves or refuses. Throws `forbidden`, `same-person`, `conflict`; `input-invalid` for a refusal without a reason, and for
 * originals with sound without a reason for the sound; `approval-void` where the review was about something else. A refusal
 * lifts the request's hold and removes what was prepared.
 */
export function decideRequest(ctx: DisclosureContext, user: User, id: string, decision: Decision): RequestRow {
  assertRight(user, 'request.decide');
  const request = decision.approve ? approve(ctx, user, id, decision) : refuse(ctx, user, id, decision.reason.trim());
  return request;
}

const given = (reason: string | null): string | null =>
  reason === null || reason.trim() === '' ? null : reason.trim();

function approve(ctx: DisclosureContext, user: User, id: string, decision: Decision): RequestRow {
  const { db, clock } = ctx.store;
  const terms: DecisionTerms = {
    audioReason: given(decision.terms.audioReason),
    redactedOnlyReason: given(decision.terms.redactedOnlyReason),
  };
  return ctx.store.act(`user:${user.id}`, (note) => {
    const request = getRequest(db, id);
    assertAnotherPerson(request.requestedBy, user.id);
    assertNoWorker(request, clock.nowUs());
    assertTransition(id, request.state, 'approved');
    const items = itemsOf(db, id);
    const content = contentOf(items);
    if (content !== request.reviewHash) {
      throw new GatewayError('approval-void', `What was reviewed of request ${id} is not what is there now.`, {
        remedy: 'Prepare it again and review it again.',
      });
    }
    assertAudio(ctx, items, terms);
    const approvalHash = scopeHash(request, items.map(scopeItemOf), terms);
    updateRequest(db, id, 'approved', {
      decidedBy: user.id,
      decidedUs: clock.nowUs(),
      decisionReason: decision.reason.trim(),
      ...terms,
      approvalHash,
    });
    note('request.approved', requestSubject(id), {
      scopeHash: approvalHash,
      contentHash: content,
      items: items.length,
      withSound: terms.audioReason !== null,
      redactedOnly: terms.redactedOnlyReason !== null,
    });
    return getRequest(db, id);
  });
}

/** An original is bit-exact or it is none: its sound cannot be taken out of it. */
function assertAudio(ctx: DisclosureContext, items: readonly RequestItem[], terms: DecisionTerms): void {
  if (terms.audioReason !== null || terms.redactedOnlyReason !== null) return;
  const cameras = new Set(items.filter((item) => item.hasAudio).map((item) => item.cameraId));
  const barred = [...cameras].filter((cameraId) => !getCamera(ctx.store.db, cameraId).audioAllowed);
  if (barred.length === 0) return;
  throw new GatewayError('input-invalid', `Originals of ${barred.join(', ')} have sound, which is off by default.`, {
    remedy:
      'State why the sound goes along (audioReason), or keep the originals back and say why (redactedOnlyReason).',
    details: { cameras: barred },
  });
}

function refuse(ctx: DisclosureContext, user: User, id: string, reason: string): RequestRow {
  const { db, clock } = ctx.store;
  if (reason === '') {
    throw new GatewayError('input-invalid', 'A refusal needs its reason.', {
      remedy: 'Write the concrete assessment.',
    });
  }
  const actor = `user:${user.id}` as const;
  const request = ctx.store.act(actor, (note) => {
    const current = getRequest(db, id);
    assertAnotherPerson(current.requestedBy, user.id);
    assertNoWorker(current, clock.nowUs());
    assertTransition(id, current.state, 'refused');
    if (current.state === 'approved') note('request.approval-voided', requestSubject(id), { why: 'refused' });
    updateRequest(db, id, 'refused', {
      ...noApproval,
      failure: null,
      decidedBy: user.id,
      decidedUs: clock.nowUs(),
      decisionReason: reason,
    });
    note('request.refused', requestSubject(id), {});
    liftHoldOf(ctx, note, id, actor);
    return getRequest(db, id);
  });
  // A crash here leaves files of a refused request; they are registered, and cleanUpAfterCrash removes them.
  discardRefused(ctx, actor, id);
  return request;
}
