/** What is held and not yet protected. A query, not a list that is kept: nothing can be forgotten by a crash. */
import { isThere, type Segment } from '../../domain/segment.js';
import { activeHolds } from '../../store/holds.js';
import type { Store } from '../../store/audit-log.js';
import { segmentsIn } from '../../store/segments.js';
import { isCopyOf, wholeCopyOf } from '../../store/vault-copies.js';

/**
 * Segments under a hold in force that have no whole copy of what they are now, the oldest first: a recorder that deletes by itself
 * takes those first. Not those that are being deleted, nor those that are gone.
 */
export function unprotectedSegments({ db, clock }: Pick<Store, 'db' | 'clock'>): Segment[] {
  const found = new Map<number, Segment>();
  for (const hold of activeHolds(db, clock.nowUs())) {
    for (const segment of segmentsIn(db, hold.cameraIds, hold)) {
      if (!isThere(segment) || found.has(segment.id) || isProtected(db, segment)) continue;
      found.set(segment.id, segment);
    }
  }
  return [...found.values()].sort((a, b) => a.startUs - b.startUs || a.id - b.id);
}

/** A copy that is damaged protects nothing; while the original is there, it is made anew. */
function isProtected(db: Store['db'], segment: Segment): boolean {
  const copy = wholeCopyOf(db, segment.id);
  if (copy === null) return false;
  // What lies at its place now is not what was copied: there is nothing better to be had.
  if (segment.state === 'vaulted' || copy.original === 'changed' || copy.original === 'gone') return true;
  return isCopyOf(copy, segment) && copy.damagedUs === null;
}

export const sizeOf = (segments: readonly Segment[]): number =>
  segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
