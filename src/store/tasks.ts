/** Table `task`: what a person has to do. */
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import type { Store } from './audit-log.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';

export interface TaskRow {
  readonly id: number;
  readonly kind: string;
  readonly subject: string;
  readonly detail: string;
  readonly createdUs: number;
}

/** Opens a task, or leaves the one that is open for the same kind and subject. */
export function openTask(db: Database, task: Omit<TaskRow, 'id'>): void {
  prepared(
    db,
    `INSERT INTO task (kind, subject, detail, created_us) VALUES (@kind, @subject, @detail, @createdUs)
     ON CONFLICT (kind, subject) WHERE done_us IS NULL DO NOTHING`,
  ).run(task);
}

/** Closes it where it is open. What it said goes: it may name a file of footage, and whoever had to know it has done it. */
export function closeTask(db: Database, kind: string, subject: string, atUs: number): void {
  prepared(db, `UPDATE task SET done_us = ?, detail = '' WHERE kind = ? AND subject = ? AND done_us IS NULL`).run(
    atUs,
    kind,
    subject,
  );
}

export const hasClosedDetails = (db: Database): boolean =>
  db.prepare(`SELECT 1 FROM task WHERE done_us IS NOT NULL AND detail <> '' LIMIT 1`).get() !== undefined;

/** What tasks said that an earlier release closed and kept the words of. Gives how many. */
export const forgetClosedDetails = (db: Database): number =>
  db.prepare(`UPDATE task SET detail = '' WHERE done_us IS NOT NULL AND detail <> ''`).run().changes;

export const openTasks = (db: Database): TaskRow[] =>
  db
    .prepare(
      'SELECT id, kind, subject, detail, created_us AS createdUs FROM task WHERE done_us IS NULL ORDER BY created_us, id',
    )
    .all() as TaskRow[];

/** What only an act ends that leaves its proof, with the command for it. */
const byProof: Readonly<Partial<Record<string, string>>> = {
  'tell-the-other-party': 'hold notified',
  'hold-notice-overdue': 'hold notified',
  'hand-copy': 'hold notified --copy-handed',
  'approve-hold': 'hold approve" or "tredive hold refuse',
  'hold-approval-overdue': 'hold approve" or "tredive hold refuse',
};

/**
 * A person has seen to a task. Where its cause goes on, whoever finds that opens it again. Throws `forbidden` without the right,
 * `not-found` where it is not open, `conflict` where it is done by an act that is entered.
 */
export function finishTask(store: Store, user: User, id: string): TaskRow {
  assertRight(user, 'task.close');
  return store.act(`user:${user.id}`, (note) => {
    const found = openTasks(store.db).find((one) => String(one.id) === id);
    if (found === undefined) {
      throw new GatewayError('not-found', `There is no open task "${id}".`, { remedy: 'See "tredive task list".' });
    }
    const act = byProof[found.kind];
    if (act !== undefined) {
      throw new GatewayError('conflict', `Task ${id} (${found.kind}) is not closed by saying so.`, {
        remedy: `Enter what was done: "tredive ${act}", or on the page.`,
      });
    }
    closeTask(store.db, found.kind, found.subject, store.clock.nowUs());
    note('task.closed', found.subject, { kind: found.kind });
    return found;
  });
}
