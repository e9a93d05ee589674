/** What one person may not do alone. Pure: a vote is who said yes and when; whose account is disabled has none. */
import { GatewayError } from '../errors.js';
import type { User } from './user.js';

export interface Vote {
  readonly userId: string;
  readonly atUs: number;
  readonly admin: boolean;
}

/** What a time service may correct: a vote from further in the future than this was given by a clock that was wrong. */
const toleranceUs = 300_000_000;

/** The votes that still count at `nowUs`: a yes to what somebody saw yesterday is none to what is there today. */
export const liveVotes = (votes: readonly Vote[], nowUs: number, lifeUs: number): Vote[] =>
  votes.filter(({ atUs }) => atUs > nowUs - lifeUs && atUs <= nowUs + toleranceUs);

/** Two different persons, an administrator among them. */
export const isAgreed = (votes: readonly Vote[]): boolean =>
  new Set(votes.map(({ userId }) => userId)).size >= 2 && votes.some(({ admin }) => admin);

/** Throws `same-person` for a second yes of the same person, `forbidden` where both would not be administrators. */
export function assertMayVote(user: User, votes: readonly Vote[]): void {
  if (votes.some(({ userId }) => userId === user.id)) {
    throw new GatewayError('same-person', 'You have said yes already; the second yes is somebody else’s.', {
      remedy: 'Ask another person to look at it and confirm it with the own password.',
    });
  }
  if (votes.length > 0 && !user.roles.includes('admin') && !votes.some(({ admin }) => admin)) {
    throw new GatewayError('forbidden', 'One of the two has to be an administrator.', {
      remedy: 'Ask an administrator to look at it and confirm it.',
    });
  }
}
