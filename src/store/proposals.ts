/** Tables `proposal` and `proposal_vote`: what waits for two persons, exactly as it was shown to them. */
import type { Json } from '../domain/canonical-json.js';
import type { Vote } from '../domain/two-persons.js';
import type { Role } from '../domain/user.js';
import type { Database } from './database.js';

export type ProposalKind = 'mass-deletion' | 'accept-clock';
export type ProposalOutcome = 'carried-out' | 'replaced' | 'not-needed';

export interface Proposal {
  readonly id: string;
  readonly kind: ProposalKind;
  readonly openedUs: number;
  /** What was shown; never changed: something else is another proposal. */
  readonly shown: Json;
}

interface Raw extends Omit<Proposal, 'shown'> {
  shown: string;
}

/** The one that waits, of this kind; null where none does. */
export function openProposal(db: Database, kind: ProposalKind): Proposal | null {
  const raw = db
    .prepare('SELECT id, kind, opened_us AS openedUs, shown FROM proposal WHERE kind = ? AND ended_us IS NULL')
    .get(kind) as Raw | undefined;
  return raw === undefined ? null : { ...raw, shown: JSON.parse(raw.shown) as Json };
}

/** Opens a proposal in the place of the one that was open. */
export function putProposal(db: Database, proposal: Proposal): void {
  const open = openProposal(db, proposal.kind);
  if (open !== null) endProposal(db, open.id, 'replaced', proposal.openedUs);
  db.prepare('INSERT INTO proposal (id, kind, opened_us, shown) VALUES (@id, @kind, @openedUs, @shown)').run({
    ...proposal,
    shown: JSON.stringify(proposal.shown),
  });
}

export function endProposal(db: Database, id: string, outcome: ProposalOutcome, atUs: number): void {
  db.prepare('UPDATE proposal SET ended_us = ?, outcome = ? WHERE id = ? AND ended_us IS NULL').run(atUs, outcome, id);
}

export function putVote(db: Database, proposalId: string, userId: string, atUs: number): void {
  db.prepare(
    `INSERT INTO proposal_vote (proposal_id, user_id, at_us) VALUES (?, ?, ?)
     ON CONFLICT (proposal_id, user_id) DO UPDATE SET at_us = excluded.at_us`,
  ).run(proposalId, userId, atUs);
}

/** Who said yes, oldest first, with the roles of now: whose account was disabled since has said nothing. */
export const votesOf = (db: Database, proposalId: string): Vote[] =>
  (
    db
      .prepare(
        `SELECT user_id AS userId, at_us AS atUs, roles FROM proposal_vote JOIN user ON user.id = user_id
         WHERE proposal_id = ? AND disabled_us IS NULL ORDER BY at_us, user_id`,
      )
      .all(proposalId) as { userId: string; atUs: number; roles: string }[]
  ).map(({ roles, ...vote }) => ({ ...vote, admin: (JSON.parse(roles) as Role[]).includes('admin') }));
