/** The yes of a person to what the brake keeps. Two of them, an administrator among them, let the next sweep carry it out. */
import { assertMayVote, isAgreed, liveVotes } from '../domain/two-persons.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { openProposal, putVote, votesOf } from '../store/proposals.js';
import type { RetentionContext, Waiting } from './context.js';
import { planSweep } from './plan.js';
import { refusalReason } from './trust.js';

export interface Confirmed {
  readonly id: string;
  /** Both have said yes: the next sweep deletes it. */
  readonly complete: boolean;
  readonly votes: Waiting['votes'];
}

/**
 * Adds the user's yes to exactly what `id` shows. Throws `forbidden` without the right, or where none of the two would be an
 * administrator; `same-person` for a second yes of the first; `approval-void` where something else is due by now or has been
 * opened in its place; `not-found` where nothing waits; `clock-untrusted` while the clock is in doubt: then what is shown is.
 */
export function confirmDeletion(ctx: RetentionContext, user: User, id: string): Confirmed {
  assertRight(user, 'retention.confirm');
  const { store, brake } = ctx;
  const { db, clock } = store;
  const doubt = refusalReason(ctx, clock.nowUs());
  if (doubt !== null) {
    throw new GatewayError('clock-untrusted', `What is due cannot be told: ${doubt}.`, {
      remedy: 'Set the clock right first, or have it confirmed by two persons.',
    });
  }
  const { plan, braked } = planSweep(ctx, clock.nowUs());
  return store.act(`user:${user.id}`, (note) => {
    const open = openProposal(db, 'mass-deletion');
    if (brake === undefined || open === null) {
      throw new GatewayError('not-found', 'No deletion waits to be confirmed.', { remedy: 'See "tredive retain".' });
    }
    const votes = liveVotes(votesOf(db, open.id), clock.nowUs(), brake.voteUs);
    const stillSo = plan.waiting?.id === open.id || braked.confirmedId === open.id;
    if (open.id !== id || !stillSo) {
      throw new GatewayError('approval-void', 'This is no longer what would be deleted.', {
        remedy:
          'Look at it anew on the page or with "tredive retain"; the next sweep, or "tredive retain --apply", opens it.',
      });
    }
    assertMayVote(user, votes);
    const atUs = clock.nowUs();
    putVote(db, id, user.id, atUs);
    const all = liveVotes(votesOf(db, id), atUs, brake.voteUs);
    note('retention.confirmed', `proposal:${id}`, { complete: isAgreed(all), votes: all.length });
    return { id, complete: isAgreed(all), votes: all };
  });
}
