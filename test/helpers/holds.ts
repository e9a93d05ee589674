/** Rows of holds, for tests that are not about how they are placed. */
import type { Hold, NewHold } from '../../src/domain/hold.js';
import { formatUtc } from '../../src/domain/time.js';

const dayUs = 86_400_000_000;

/** A hold that legal has placed on a reported offence, with what a test says otherwise. */
export const holdRow = (
  row: Partial<NewHold> & Pick<NewHold, 'id' | 'cameraIds' | 'startUs' | 'endUs' | 'placedUs'>,
): NewHold => ({
  ground: 'reported-offence',
  facts: { ground: 'reported-offence', journalNumber: 'J-1', reportedOn: formatUtc(row.placedUs - dayUs).slice(0, 10) },
  reference: 'J-1',
  reason: 'burglary',
  wideReason: 'the whole night is about the break-in',
  requestId: null,
  placedAs: 'legal',
  placedBy: 'user:legal',
  reviewUs: row.placedUs + 30 * dayUs,
  approvedUs: row.placedUs,
  approvedBy: 'user:legal',
  ...row,
});

/** The same as it is read from the database. */
export const heldRow = (row: Partial<Hold> & Parameters<typeof holdRow>[0]): Hold => ({
  facts: null,
  wideReason: null,
  reviewSetUs: row.placedUs,
  wantedReviewUs: null,
  approveByUs: null,
  approvedUs: null,
  approvedBy: null,
  notifyByUs: null,
  notifiedUs: null,
  announcedUs: null,
  remindedUs: null,
  liftedUs: null,
  outcome: null,
  orderly: false,
  ...holdRow(row),
  ...row,
});
