/**
 * Writing the audit log. `act` is the only way to change the store: what is done and the event that says so are one
 * transaction, so there is no act without its event and no event without its act.
 */
import type { KeyObject } from 'node:crypto';
import { encodeEvent, eventLeaf, type Actor, type AuditEvent, type AuditEventType } from '../domain/audit-event.js';
import type { Json } from '../domain/canonical-json.js';
import { signCheckpoint } from '../domain/checkpoint.js';
import {
  appendLeaf,
  decodeFrontier,
  emptyFrontier,
  encodePeaks,
  frontierRoot,
  type Frontier,
} from '../domain/merkle.js';
import { GatewayError, toGatewayError } from '../errors.js';
import type { Clock } from '../platform/clock.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';

export interface AuditSigner {
  readonly origin: string;
  readonly privateKey: KeyObject;
}

/** Handed to the work inside a transaction: notes an event, written before the commit. */
export type Note = (type: AuditEventType, subject: string, data: { readonly [key: string]: Json }) => void;

/** What a stage needs to change anything. */
export interface Store {
  readonly db: Database;
  readonly clock: Clock;
  /**
   * Runs `work` and its events in one immediate transaction. Nothing is awaited inside. Throws what `work` throws, with
   * nothing changed; `audit-unwritable` where the events could not be written; `internal` where `work` noted none.
   */
  act<T>(actor: Actor, work: (note: Note) => T): T;
  /** Called after each commit with the newest signed checkpoint: for copies outside this database. */
  onCheckpoint(listener: (note: string) => void): void;
}

export function readFrontier(db: Database): Frontier {
  const row = prepared(db, 'SELECT size, peaks FROM audit_frontier').get() as
    { size: number; peaks: Buffer } | undefined;
  return row === undefined ? emptyFrontier : decodeFrontier(row.size, row.peaks);
}

export function makeStore(db: Database, clock: Clock, signer: AuditSigner): Store {
  const insertEvent = db.prepare('INSERT INTO audit_event (seq, entry, leaf_hash, subject) VALUES (?, ?, ?, ?)');
  const putFrontier = db.prepare(
    'INSERT INTO audit_frontier (only, size, peaks) VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET size = excluded.size, peaks = excluded.peaks',
  );
  const insertCheckpoint = db.prepare('INSERT INTO audit_checkpoint (size, note, at_us) VALUES (?, ?, ?)');
  const listeners: ((note: string) => void)[] = [];

  function append(events: Omit<AuditEvent, 'seq'>[]): string {
    try {
      let frontier = readFrontier(db);
      for (const event of events) {
        const entry = encodeEvent({ seq: frontier.size, ...event });
        const leaf = eventLeaf(entry);
        insertEvent.run(frontier.size, entry, leaf, event.subject);
        frontier = appendLeaf(frontier, leaf);
      }
      const root = frontierRoot(frontier);
      const note = signCheckpoint({ origin: signer.origin, size: frontier.size, root }, signer.privateKey);
      putFrontier.run(frontier.size, encodePeaks(frontier));
      insertCheckpoint.run(frontier.size, note, clock.nowUs());
      return note;
    } catch (error) {
      throw new GatewayError(
        'audit-unwritable',
        `The audit event could not be written: ${toGatewayError(error).message}`,
        {
          remedy: 'Nothing was done. Run "tredive audit verify" and "tredive doctor".',
          cause: error,
        },
      );
    }
  }

  const transaction = db.transaction((actor: Actor, work: (note: Note) => unknown) => {
    const events: Omit<AuditEvent, 'seq'>[] = [];
    const result = work((type, subject, data) => {
      events.push({ atUs: clock.nowUs(), type, actor, subject, data });
    });
    if (events.length === 0) throw new GatewayError('internal', 'An act without an audit event.');
    return { result, checkpoint: append(events) };
  });

  return {
    db,
    clock,
    act<T>(actor: Actor, work: (note: Note) => T): T {
      const { result, checkpoint } = transaction.immediate(actor, work);
      for (const listener of listeners) listener(checkpoint);
      return result as T;
    },
    onCheckpoint(listener) {
      listeners.push(listener);
    },
  };
}

export const countEvents = (db: Database): number =>
  db.prepare('SELECT count(*) FROM audit_event').pluck().get() as number;

export interface StoredEntry {
  readonly seq: number;
  readonly entry: string;
  readonly leafHash: Buffer;
  /** Copy of the entry's own, to find entries by. */
  readonly subject: string;
}

/** The entries from `fromSeq` on, in order: for verification and for reading. */
export function* readEntries(db: Database, fromSeq = 0): Generator<StoredEntry> {
  const rows = db
    .prepare('SELECT seq, entry, leaf_hash AS leafHash, subject FROM audit_event WHERE seq >= ? ORDER BY seq')
    .iterate(fromSeq);
  for (const row of rows) yield row as StoredEntry;
}

export const eventsOf = (db: Database, subject: string): AuditEvent[] =>
  (db.prepare('SELECT entry FROM audit_event WHERE subject = ? ORDER BY seq').pluck().all(subject) as string[]).map(
    (entry) => JSON.parse(entry) as AuditEvent,
  );

/** The newest event of a subject that `fits`, read from the end. */
export function lastEventOf(db: Database, subject: string, fits: (event: AuditEvent) => boolean): AuditEvent | null {
  const entries = db
    .prepare('SELECT entry FROM audit_event WHERE subject = ? ORDER BY seq DESC')
    .pluck()
    .iterate(subject);
  for (const entry of entries) {
    const event = JSON.parse(entry as string) as AuditEvent;
    if (fits(event)) return event;
  }
  return null;
}

export const readCheckpoints = (db: Database): { size: number; note: string }[] =>
  db.prepare('SELECT size, note FROM audit_checkpoint ORDER BY size').all() as { size: number; note: string }[];

/** Leaf hash of one entry in lower-case hex; null where the log is shorter. */
export const leafAt = (db: Database, seq: number): string | null =>
  (db.prepare('SELECT lower(hex(leaf_hash)) FROM audit_event WHERE seq = ?').pluck().get(seq) as string | undefined) ??
  null;

export interface DatedCheckpoint {
  readonly size: number;
  readonly note: string;
  readonly atUs: number;
}

/**
 * The last checkpoint before the first one that was signed at an instant or later; null where the log is younger. By the order of
 * the log: a clock that was set back later does not move it.
 */
export const checkpointUntil = (db: Database, fromUs: number): DatedCheckpoint | null =>
  (db
    .prepare(
      `SELECT size, note, at_us AS atUs FROM audit_checkpoint
       WHERE size < coalesce((SELECT min(size) FROM audit_checkpoint WHERE at_us >= ?), 9007199254740991)
       ORDER BY size DESC LIMIT 1`,
    )
    .get(fromUs) as DatedCheckpoint | undefined) ?? null;

/** The largest checkpoint that was signed before an instant, by the wall clock of then; null where the log is younger. */
export const checkpointBefore = (db: Database, beforeUs: number): DatedCheckpoint | null =>
  (db
    .prepare('SELECT size, note, at_us AS atUs FROM audit_checkpoint WHERE at_us < ? ORDER BY size DESC LIMIT 1')
    .get(beforeUs) as DatedCheckpoint | undefined) ?? null;

export const readLeaves = (db: Database, size: number): Buffer[] =>
  db.prepare('SELECT leaf_hash FROM audit_event WHERE seq < ? ORDER BY seq').pluck().all(size) as Buffer[];
