/**
 * A database that was put back from a backup: it does not know what was deleted, held and released since. Noticed before anything
 * else is done with it, from what lies outside of it, and made good from the journal: holds first, then deletions.
 */
import type { KeyObject } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { openCheckpoint } from '../domain/checkpoint.js';
import { holdIsActive, isProvisional } from '../domain/hold.js';
import { GatewayError, toGatewayError } from '../errors.js';
import type { Log } from '../platform/log.js';
import { leafAt, readFrontier, type Note, type Store } from '../store/audit-log.js';
import { findCamera } from '../store/cameras.js';
import { finishIntent, hasRecord, insertIntent } from '../store/deletions.js';
import { derivedOfSegment } from '../store/derived-files.js';
import { findHold, insertHold, liftHold, setApproved, setReview } from '../store/holds.js';
import { listRequests } from '../store/requests.js';
import { removeSegment, segmentsIn, setSegmentState } from '../store/segments.js';
import { raiseIds } from '../store/sequences.js';
import { openTask } from '../store/tasks.js';
import type { Journal, JournalDeletion, JournalHold, JournalLine } from './journal-file.js';
import { journalsOf, type JournalPlaces } from './journal.js';
import { takeRetentionLock } from './recovery.js';
import { fileState, lookAtRoot } from './trust.js';

export interface RestoreContext {
  readonly store: Store;
  readonly log: Log;
  readonly places: JournalPlaces;
  /** Copies of checkpoints: the newest, in the data folder, and those that are kept elsewhere. */
  readonly checkpointFile: string;
  readonly anchors: readonly string[];
  readonly auditKey: KeyObject;
  readonly rootPath: (rootId: string) => string | null;
  /** Enters a camera that the old database does not know. */
  readonly registerCamera: (note: Note, cameraId: string, label: string) => void;
  /** A person says to go on although it cannot be known what was deleted and held since. */
  readonly acceptLoss: boolean;
}

export interface Restored {
  /** Entries of the log in the database that was put back, and how many there had been. */
  readonly entries: number;
  readonly entriesBefore: number;
  readonly holdsPlaced: number;
  readonly holdsLifted: number;
  /** Deletions whose record is back; their footage is not on disk. */
  readonly deletions: number;
  /** Segments that were on disk again, or where that cannot be seen now: deleted again before anything is served, or by the next sweep. */
  readonly deletedAgain: number;
  /** True where the journal may not know everything, and a person accepted that. */
  readonly lossAccepted: boolean;
}

const perAct = 500;
const subject = 'gateway:database';

/**
 * Null where the database is the one that was used last. Otherwise what was re-applied; it is in the log, and a task says it.
 * Throws `conflict`, with nothing changed, where something outside knows more of the log than the journal does: whether footage
 * was held since cannot be known then. A crash in the middle is made good by the next call: what is there already is passed by.
 */
export function restoreFromJournal(ctx: RestoreContext): Restored | null {
  const { db } = ctx.store;
  const { size } = readFrontier(db);
  const local = newestNote(ctx, ctx.checkpointFile);
  const elsewhere = ctx.anchors.map((anchor) => newestNote(ctx, anchor)).reduce(larger, noNote);
  const { journal, pending, outside } = newestJournal(ctx);
  const known = Math.max(local.size, elsewhere.size, (pending.at(-1)?.seq ?? -1) + 1);
  if (size === 0 && known === 0) return null;
  if (known <= size && pending.length === 0) return null;

  // Where the data folder itself is behind the copies outside of it, it was put back as a whole, and its journal with it.
  const complete = journal !== null && (outside || local.size >= elsewhere.size);
  if (!complete && !ctx.acceptLoss) {
    throw new GatewayError(
      'conflict',
      `The database was put back from a backup: its log has ${size} entries, and there were ${known}. What was deleted and held since is not in the journal.`,
      {
        remedy:
          'Put the newest journal folder back too and start again. If there is none, "tredive restore --accept-loss" goes on without: place the holds again by hand first thing.',
      },
    );
  }
  const release = takeRetentionLock(ctx.places);
  if (release === null) {
    throw new GatewayError('conflict', 'The database was put back from a backup, and another process works on it.', {
      remedy: 'Stop it, or wait until it has applied the deletions and holds again.',
    });
  }
  try {
    return apply(ctx, { journal, pending, complete, size, known, lastCheckpoint: larger(local, elsewhere).note });
  } finally {
    release();
  }
}

interface Found {
  readonly journal: Journal | null;
  readonly pending: readonly JournalLine[];
  readonly complete: boolean;
  readonly size: number;
  readonly known: number;
  /** The newest signed note on the log as it was; it goes into the log, since the copy in the data folder is about to be replaced. */
  readonly lastCheckpoint: string | null;
}

function apply(ctx: RestoreContext, { journal, pending, complete, size, known, lastCheckpoint }: Found): Restored {
  const { store, log } = ctx;
  const { db } = store;
  const holds = applyHolds(ctx, pending);
  const deletions = applyDeletions(ctx, pending);
  const restored: Restored = {
    entries: size,
    entriesBefore: known,
    ...holds,
    ...deletions,
    lossAccepted: !complete,
  };
  const nowUs = store.clock.nowUs();
  store.act('gateway', (note) => {
    openTask(db, {
      kind: 'database-restored',
      subject,
      detail: `The database was put back from a backup: its log had ${size} entries, and there were ${known}. ${said(restored)} Requests, users and settings of the time between are lost; look at them, and at the holds.`,
      createdUs: nowUs,
    });
    note('database.restored', subject, { ...restored, lastCheckpoint });
  });
  const end = readFrontier(db).size - 1;
  const through = pending.at(-1)?.n;
  if (journal !== null && through !== undefined) {
    const mark = { kind: 'restored', through, seq: end, leaf: leafAt(db, end) ?? '' } as const;
    for (const one of journalsOf(ctx.places)) one.journal.append([mark]);
  }
  log.warn({ ...restored }, `the database was put back from a backup. ${said(restored)}`);
  return restored;
}

export const said = (of: Restored): string =>
  `${of.holdsPlaced} holds were placed again and ${of.holdsLifted} lifted, the records of ${of.deletions} deletions entered again, ${of.deletedAgain} segments that were there again are deleted again.${of.lossAccepted ? ' What the journal does not know is lost.' : ''}`;

interface SignedNote {
  readonly size: number;
  readonly note: string | null;
}
const noNote: SignedNote = { size: 0, note: null };
const larger = (a: SignedNote, b: SignedNote): SignedNote => (b.size > a.size ? b : a);

/** The largest readable note in a file of one note, or of one JSON string a line. Reads no more than its end. */
function newestNote({ auditKey, log }: RestoreContext, file: string): SignedNote {
  let text: string;
  try {
    const fd = openSync(file, 'r');
    try {
      const { size } = fstatSync(fd);
      const buffer = Buffer.alloc(Math.min(size, 64 << 10));
      readSync(fd, buffer, 0, buffer.length, size - buffer.length);
      text = buffer.toString('utf8');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      log.warn({ err: toGatewayError(error) }, 'a copy of the audit checkpoints cannot be read');
    }
    return noNote;
  }
  const notes = text.startsWith('"') || text.includes('\n"') ? text.split('\n').map(fromJsonLine) : [text];
  return notes.reduce<SignedNote>((newest, note) => {
    try {
      return larger(newest, { size: openCheckpoint(note, auditKey).size, note });
    } catch {
      // The cut first line, or nothing of ours: "audit verify" names what is wrong with a copy.
      return newest;
    }
  }, noNote);
}

function fromJsonLine(line: string): string {
  try {
    return String(JSON.parse(line));
  } catch {
    return '';
  }
}

/** The journal that reaches furthest, and those of its lines that the database does not know. */
function newestJournal({ store, places, log }: RestoreContext): {
  journal: Journal | null;
  pending: JournalLine[];
  /** Whether it lies outside of the data folder, or one that does says the same. */
  outside: boolean;
} {
  const { db } = store;
  const isKnown = ({ seq, leaf }: JournalLine): boolean => seq < 0 || leafAt(db, seq) === leaf;
  let best: { journal: Journal; tail: JournalLine; at: number } | null = null;
  for (const [at, { folder, journal }] of journalsOf(places).entries()) {
    try {
      const tail = journal.tail();
      if (tail !== null && (best === null || tail.n >= best.tail.n)) best = { journal, tail, at };
    } catch (error) {
      log.error({ folder, err: toGatewayError(error) }, 'a journal of deletions and holds cannot be read');
    }
  }
  if (best === null) return { journal: null, pending: [], outside: false };
  const outside = best.at > 0;
  if (isKnown(best.tail)) return { journal: best.journal, pending: [], outside };
  let pending: JournalLine[] = [];
  for (const line of best.journal.lines()) {
    if (!isKnown(line)) pending.push(line);
    else if (line.kind === 'restored') pending = pending.filter(({ n }) => n > line.through);
  }
  const broken = best.journal.broken();
  if (broken !== null) {
    throw new GatewayError('conflict', `The journal of deletions and holds is broken: ${broken}.`, {
      remedy: 'Put a whole copy of it in its place, or move it away and go on with "tredive restore --accept-loss".',
    });
  }
  return { journal: best.journal, pending, outside };
}

function applyHolds(
  { store, registerCamera }: RestoreContext,
  pending: readonly JournalLine[],
): Pick<Restored, 'holdsPlaced' | 'holdsLifted'> {
  const { db } = store;
  const states = new Map<string, JournalHold>();
  for (const line of pending) if (line.kind === 'hold') states.set(line.hold.id, line.hold);
  const counts = { holdsPlaced: 0, holdsLifted: 0 };
  const nowUs = store.clock.nowUs();
  for (const hold of states.values()) {
    const row = findHold(db, hold.id);
    const { liftedUs } = hold;
    if (row !== null && liftedUs !== null && row.liftedUs === null) {
      store.act('gateway', (note) => {
        liftHold(db, hold.id, 'gateway', liftedUs);
        note('hold.lifted', `hold:${hold.id}`, { restored: true });
      });
      counts.holdsLifted += 1;
    }
    if (row !== null && liftedUs === null && row.liftedUs === null && hold.reviewUs !== row.reviewUs) {
      prolongAgain(store, hold, isProvisional(row));
    }
    if (row !== null || !holdIsActive(hold, nowUs)) continue;
    store.act('gateway', (note) => {
      for (const id of hold.cameraIds) if (findCamera(db, id) === null) registerCamera(note, id, id);
      // Its request is lost with the database: it keeps the footage until legal has said what it is for.
      const { requestId } = hold;
      const lost = requestId !== null && !listRequests(db).some(({ id }) => id === requestId);
      insertHold(db, {
        ...hold,
        ground: lost ? 'legal-duty' : hold.ground,
        requestId: lost ? null : requestId,
        placedAs: requestId !== null && !lost ? 'request' : 'restored',
        approvedUs: hold.approved?.atUs ?? null,
        approvedBy: hold.approved?.by ?? null,
        reference: 'restored from the journal',
        reason: lost ? `Of the disclosure request ${requestId}, which was lost.` : 'Its reference was lost.',
      });
      openTask(db, {
        kind: 'hold-restored',
        subject: `hold:${hold.id}`,
        detail: `The hold ${hold.id} (${hold.ground}) was placed again after the database was put back. Its reference and reason are lost: place it anew from your own papers, or lift it.`,
        createdUs: nowUs,
      });
      note('hold.placed', `hold:${hold.id}`, { restored: true, ground: hold.ground, cameras: hold.cameraIds });
    });
    counts.holdsPlaced += 1;
  }
  return counts;
}

/** It was approved or prolonged since: with the date of the backup it would end too early, and its footage with it. */
function prolongAgain(store: Store, { id, reviewUs, ...hold }: JournalHold, provisional: boolean): void {
  const setUs = hold.reviewSetUs ?? hold.placedUs;
  store.act('gateway', (note) => {
    const { approved } = hold;
    if (provisional && approved !== undefined) setApproved(store.db, id, { ...approved, reviewUs: approved.atUs + 1 });
    setReview(store.db, id, { reviewUs, setUs });
    note('hold.prolonged', `hold:${id}`, { restored: true, reviewUs });
  });
}

interface Lost {
  readonly cameraId: string;
  readonly deletion: JournalDeletion;
}

function applyDeletions(
  ctx: RestoreContext,
  pending: readonly JournalLine[],
): Pick<Restored, 'deletions' | 'deletedAgain'> {
  const { db } = ctx.store;
  const lost: Lost[] = [];
  for (const line of pending) {
    if (line.kind === 'deleted')
      for (const deletion of line.deletions) lost.push({ cameraId: line.cameraId, deletion });
  }
  if (lost.length === 0) return { deletions: 0, deletedAgain: 0 };
  const highest = (of: (one: JournalDeletion) => number): number =>
    lost.reduce((most, { deletion }) => Math.max(most, of(deletion)), 0);
  const ids = { segment: highest(({ segmentId }) => segmentId), deletion: highest(({ id }) => id) };
  const counts = { deletions: 0, deletedAgain: 0 };
  const roots = new Map<string, { path: string; problem: string | null }>();
  const rootOf = (rootId: string): { path: string; problem: string | null } => {
    const root = roots.get(rootId) ?? lookAtRoot(db, rootId, ctx.rootPath(rootId));
    roots.set(rootId, root);
    return root;
  };
  for (let at = 0; at < lost.length; at += perAct) {
    ctx.store.act('gateway', (note) => {
      // Ids that were given once are never given again: the old log, and whoever has an excerpt of it, names them.
      raiseIds(db, ids);
      for (const [cameraId, batch] of byCamera(lost.slice(at, at + perAct))) {
        const done = batch.flatMap((deletion) => applyOne(db, cameraId, deletion, rootOf, counts));
        if (done.length === 0) continue;
        note('deletion.intended', `camera:${cameraId}`, { restored: true, records: done.map(({ intent }) => intent) });
        const ended = done.flatMap(({ end }) => (end === null ? [] : [end]));
        if (ended.length > 0) note('deletion.done', `camera:${cameraId}`, { restored: true, records: ended });
      }
      note('database.restored', 'gateway', { batch: at / perAct, deletions: Math.min(perAct, lost.length - at) });
    });
  }
  return counts;
}

interface Applied {
  readonly intent: {
    readonly deletion: number;
    readonly segment: number;
    readonly startUs: number;
    readonly endUs: number;
    readonly sizeBytes: number;
    readonly rule: string;
    readonly dueUs: number;
  };
  readonly end: { readonly deletion: number; readonly result: string } | null;
}

/**
 * One deletion that the database does not know. Its segment may be in the index again: where the file is gone its row goes too,
 * with the record as it was; where the file is back, or nobody can see it now, it becomes an intent, which the recovery that
 * follows finishes as it does every other.
 */
function applyOne(
  db: Store['db'],
  cameraId: string,
  deletion: JournalDeletion,
  rootOf: (rootId: string) => { path: string; problem: string | null },
  counts: { deletions: number; deletedAgain: number },
): Applied[] {
  const { startUs, endUs, sizeBytes, inode, ruleId, dueUs, intendedUs, doneUs, result } = deletion;
  const row = segmentsIn(db, [cameraId], { startUs, endUs }).find(
    (one) => one.startUs === startUs && one.sizeBytes === sizeBytes && one.inode === inode,
  );
  // Begun before the backup was made: the recovery finishes it.
  if (row?.state === 'deleting') return [];
  if (row === undefined && hasRecord(db, { cameraId, startUs, inode, doneUs })) return [];
  const segmentId = row?.id ?? deletion.segmentId;
  const facts = { segmentId, cameraId, startUs, endUs, sizeBytes, inode, ruleId, dueUs, intendedUs };
  const id = insertIntent(db, facts);
  const intent = { deletion: id, segment: segmentId, startUs, endUs, sizeBytes, rule: ruleId, dueUs };
  if (row !== undefined) {
    const root = rootOf(row.rootId);
    // What was made from it has to be removed with it, which is the recovery's work too.
    if (root.problem !== null || derivedOfSegment(db, row.id).length > 0 || isThere(root.path, row)) {
      setSegmentState(db, row.id, 'deleting');
      counts.deletedAgain += 1;
      return [{ intent, end: null }];
    }
    removeSegment(db, row.id);
  }
  finishIntent(db, id, { state: 'done', result, doneUs });
  counts.deletions += 1;
  return [{ intent, end: { deletion: id, result } }];
}

function isThere(root: string, row: Parameters<typeof fileState>[1]): boolean {
  try {
    return fileState(root, row) === 'as-indexed';
  } catch {
    // No answer: it may be there, and the recovery asks again.
    return true;
  }
}

function byCamera(lost: readonly Lost[]): Map<string, JournalDeletion[]> {
  const groups = new Map<string, JournalDeletion[]>();
  for (const { cameraId, deletion } of lost) groups.set(cameraId, [...(groups.get(cameraId) ?? []), deletion]);
  return groups;
}
