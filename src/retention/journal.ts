/** Keeps the journal in step with the audit log: what the log says of deletions and holds is said there too, in the same order. */
import { join } from 'node:path';
import type { AuditEvent } from '../domain/audit-event.js';
import type { Hold } from '../domain/hold.js';
import { toGatewayError } from '../errors.js';
import type { Log } from '../platform/log.js';
import { readEntries, readFrontier } from '../store/audit-log.js';
import type { Database } from '../store/database.js';
import { findDeletion } from '../store/deletions.js';
import { activeHolds, findHold } from '../store/holds.js';
import { takeLock } from '../store/process-lock.js';
import {
  openJournal,
  type Journal,
  type JournalDeletion,
  type JournalHold,
  type JournalRecord,
} from './journal-file.js';

export const journalFolder = (dataDir: string): string => join(dataDir, 'journal');

export interface JournalPlaces {
  readonly dataDir: string;
  /** More folders that get the same lines, best on another disk: a data folder that is put back whole brings its journal along. */
  readonly copies: readonly string[];
}

export const journalsOf = ({
  dataDir,
  copies,
}: JournalPlaces): { readonly folder: string; readonly journal: Journal }[] =>
  [journalFolder(dataDir), ...copies].map((folder) => ({ folder, journal: openJournal(folder) }));

const lockTries = 40;
const lockWaitMs = 5;

/** Two processes must not write a line each after the same one. */
function withLock(dataDir: string, work: () => void): boolean {
  for (let tries = 0; tries < lockTries; tries += 1) {
    const release = takeLock(join(dataDir, 'journal.lock'));
    if (release === null) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lockWaitMs);
      continue;
    }
    try {
      work();
      return true;
    } finally {
      release();
    }
  }
  return false;
}

/**
 * Gives what is to be called after each commit, and at the start: it writes what the journals do not say yet, of every process.
 * A line comes after the commit that it repeats: a crash in between leaves a journal that is behind, and the next call writes it.
 * A journal that cannot be written is said and tried again with the next commit; deletion goes on, its record is in the database.
 */
export function makeJournalKeeper(db: Database, places: JournalPlaces, log: Log): () => void {
  const journals = journalsOf(places);
  /** Up to which entry everything was looked at, by journal. */
  const seen = journals.map(() => -1);
  return () => {
    const { size } = readFrontier(db);
    const from = Math.min(...seen) + 1;
    if (from > 0 && !hasWanted(db, from, size)) {
      seen.fill(size - 1);
      return;
    }
    try {
      const done = withLock(places.dataDir, () => {
        journals.forEach(({ journal }, at) => {
          const tail = journal.tail();
          const after = tail === null ? -1 : Math.max(tail.seq, seen[at] ?? -1);
          journal.append(tail === null ? beginning(db, size) : recordsSince(db, after + 1));
          seen[at] = size - 1;
        });
      });
      if (!done)
        log.warn('the journal of deletions is being written by another process; it is brought up to date later');
    } catch (error) {
      log.error({ err: toGatewayError(error) }, 'the journal of deletions and holds could not be written');
    }
  };
}

/** What changes until when footage is kept; a reminder does not. */
const wanted = /"type":"(?:deletion\.done|hold\.(?:placed|approved|refused|prolonged|expired|lifted))"/;
const ofRestore = /"restored":true/;

function hasWanted(db: Database, from: number, size: number): boolean {
  if (from >= size) return false;
  for (const { entry } of readEntries(db, from)) if (wanted.test(entry)) return true;
  return false;
}

/** The first line, and every hold that is in force: a backup of today may be put back tomorrow. */
function beginning(db: Database, size: number): JournalRecord[] {
  const [newest] = size === 0 ? [] : [...readEntries(db, size - 1)];
  const at = { seq: newest?.seq ?? -1, leaf: newest?.leafHash.toString('hex') ?? '' };
  const holds = activeHolds(db, 0).map((hold): JournalRecord => ({ kind: 'hold', hold: journalHold(hold), ...at }));
  return [{ kind: 'begun', ...at }, ...holds];
}

function recordsSince(db: Database, from: number): JournalRecord[] {
  const records: JournalRecord[] = [];
  for (const { seq, entry, leafHash } of readEntries(db, from)) {
    // What a restore wrote stands in the journal already: that is where it was taken from.
    if (!wanted.test(entry) || ofRestore.test(entry)) continue;
    const { type, subject, data } = JSON.parse(entry) as AuditEvent;
    const at = { seq, leaf: leafHash.toString('hex') };
    if (type === 'deletion.done') {
      const ids = (data['records'] as unknown as { readonly deletion: number }[]).map(({ deletion }) => deletion);
      const deletions = ids.flatMap((id): JournalDeletion[] => {
        const row = findDeletion(db, id);
        if (row === null || row.doneUs === null) return [];
        const { segmentId, startUs, endUs, sizeBytes, inode, ruleId, dueUs, intendedUs, doneUs } = row;
        const result = row.result === 'unlinked' ? 'unlinked' : 'already-absent';
        return [{ id, segmentId, startUs, endUs, sizeBytes, inode, ruleId, dueUs, intendedUs, doneUs, result }];
      });
      records.push({ kind: 'deleted', cameraId: subject.slice('camera:'.length), deletions, ...at });
    } else {
      const hold = findHold(db, subject.slice('hold:'.length));
      if (hold !== null) records.push({ kind: 'hold', hold: journalHold(hold), ...at });
    }
  }
  return records;
}

/** Whether the log has what a journal that ends with the repeat of entry `seq` should have too. */
export const isJournalBehind = (db: Database, seq: number): boolean => recordsSince(db, seq + 1).length > 0;

const journalHold = (hold: Hold): JournalHold => ({
  id: hold.id,
  ground: hold.ground,
  requestId: hold.requestId,
  cameraIds: hold.cameraIds,
  startUs: hold.startUs,
  endUs: hold.endUs,
  placedBy: hold.placedBy,
  placedUs: hold.placedUs,
  reviewUs: hold.reviewUs,
  reviewSetUs: hold.reviewSetUs,
  ...(hold.placedAs === 'security' &&
    hold.approvedUs !== null &&
    hold.approvedBy !== null && { approved: { by: hold.approvedBy, atUs: hold.approvedUs } }),
  liftedUs: hold.liftedUs,
});
