/** I22: the journal, which says outside of the database what was deleted and held, against the log that it repeats. Reads only. */
import { readEntries, readFrontier } from '../store/audit-log.js';
import type { Problem } from '../store/check.js';
import type { Database } from '../store/database.js';
import { findDeletion } from '../store/deletions.js';
import { openJournal, type JournalDeletion, type JournalLine } from './journal-file.js';
import { isJournalBehind, journalFolder } from './journal.js';

/** Nothing is said of a journal that there is not: the next commit begins it. */
export function checkJournal(db: Database, dataDir: string): Problem[] {
  const problem = (detail: string): Problem[] => [{ invariant: 'I22', detail: `the journal ${detail}` }];
  try {
    const journal = openJournal(journalFolder(dataDir));
    const { size } = readFrontier(db);
    let last = -1;
    let lines = 0;
    let wrong: string | null = null;
    for (const line of journal.lines()) {
      lines += 1;
      if (line.kind === 'restored') {
        // What stands before it repeats a log that was lost with its database.
        wrong = null;
        last = -1;
      }
      last = Math.max(last, line.seq);
      wrong ??= contradiction(db, line, size);
    }
    if (wrong !== null) return problem(wrong);
    const broken = journal.broken();
    if (broken !== null) return problem(`is broken: ${broken}`);
    if (lines > 0 && isJournalBehind(db, last)) return problem('is behind the log: deletions or holds are not in it');
    return [];
  } catch (error) {
    return problem(`cannot be read: ${(error as Error).message}`);
  }
}

function contradiction(db: Database, line: JournalLine, size: number): string | null {
  const { n, seq, leaf } = line;
  if (seq >= size) return `knows entry ${seq} of the log, which has ${size}: the database was put back`;
  const [entry] = seq < 0 ? [] : readEntries(db, seq);
  if (seq >= 0 && entry?.leafHash.toString('hex') !== leaf)
    return `line ${n} repeats another entry ${seq} than the log has`;
  // The chain says nothing of the last line: nothing follows from it yet.
  const other = line.kind === 'deleted' ? line.deletions.find((one) => !isRecorded(db, one)) : undefined;
  return other === undefined ? null : `line ${n} says something else of deletion ${other.id} than its record`;
}

/** Or its record has expired. */
function isRecorded(db: Database, said: JournalDeletion): boolean {
  const row = findDeletion(db, said.id);
  if (row === null) return true;
  const names = ['segmentId', 'startUs', 'endUs', 'sizeBytes', 'inode', 'ruleId', 'dueUs', 'doneUs', 'result'] as const;
  return names.every((name) => row[name] === said[name]);
}
