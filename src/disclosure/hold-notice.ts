/** The other party of a dispute: told that footage is kept, and given a copy on request. What is entered is the proof of it. */
import type { Hold } from '../domain/hold.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { findHold, insertHoldStep, setNotified } from '../store/holds.js';
import { closeTask, openTask } from '../store/tasks.js';
import { holdSubject, type HoldContext } from './hold.js';

export const noticeKinds = ['notified', 'copy-requested', 'copy-handed'] as const;
type NoticeKind = (typeof noticeKinds)[number];

export interface HoldNotice {
  readonly kind: NoticeKind;
  /** When it happened; who entered it, and when, is added. */
  readonly atUs: number;
  /** By letter, by e-mail, in person. */
  readonly how: string;
  /** Where the proof of it lies: number of a letter, of a case, of a file. */
  readonly document: string;
}

/**
 * Enters it, also for a hold that is over: that somebody was told stays true. Throws `conflict` for a hold that is no dispute,
 * `input-invalid` for what lies in the future or has no proof.
 */
export function noteNotice(ctx: HoldContext, user: User, id: string, notice: HoldNotice): Hold {
  assertRight(user, 'hold.notify');
  const { db, clock } = ctx.store;
  const by = `user:${user.id}` as const;
  return ctx.store.act(by, (note) => {
    const hold = findHold(db, id);
    if (hold === null)
      throw new GatewayError('not-found', `There is no hold "${id}".`, { remedy: 'See the list of holds.' });
    if (hold.ground !== 'dispute') {
      throw new GatewayError('conflict', `Hold ${id} is about no dispute: there is no other party to tell.`, {
        remedy: 'Nothing is left to do.',
      });
    }
    const nowUs = clock.nowUs();
    const [how, document] = [notice.how.trim(), notice.document.trim()];
    if (how === '' || document === '') {
      throw new GatewayError('input-invalid', 'That somebody was told needs its proof.', {
        remedy: 'Say how it was done, and which document shows it.',
      });
    }
    if (notice.atUs > nowUs) {
      throw new GatewayError('input-invalid', 'That lies in the future.', {
        remedy: 'Give the time when it was done.',
      });
    }
    const subject = holdSubject(id);
    // The first time counts: telling somebody again does not make the first one late.
    if (notice.kind === 'notified' && (hold.notifiedUs === null || notice.atUs < hold.notifiedUs)) {
      setNotified(db, id, notice.atUs);
    }
    if (notice.kind === 'notified') {
      for (const kind of ['tell-the-other-party', 'hold-notice-overdue']) closeTask(db, kind, subject, nowUs);
    } else if (notice.kind === 'copy-requested') {
      openTask(db, {
        kind: 'hand-copy',
        subject,
        detail: `The other party of hold ${id} asks for a copy of the footage. Hand it over, masked as a disclosure, and enter it: tredive hold notified ${id} --copy-handed`,
        createdUs: nowUs,
      });
    } else closeTask(db, 'hand-copy', subject, nowUs);
    const facts = { atUs: notice.atUs, how, document };
    insertHoldStep(db, { holdId: id, kind: notice.kind, by, atUs: nowUs, facts });
    note(`hold.${notice.kind}`, subject, { atUs: notice.atUs, late: isLate(hold, notice) });
    return findHold(db, id) ?? hold;
  });
}

const isLate = (hold: Hold, { kind, atUs }: HoldNotice): boolean =>
  kind === 'notified' && hold.notifyByUs !== null && atUs >= hold.notifyByUs;
