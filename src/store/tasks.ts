/** Table `task`: what a person has to do. */
import type { Database } from './database.js';

export interface TaskRow {
  readonly id: number;
  readonly kind: string;
  readonly subject: string;
  readonly detail: string;
  readonly createdUs: number;
}

/** Opens a task, or leaves the one that is open for the same kind and subject. */
export function openTask(db: Database, task: Omit<TaskRow, 'id'>): void {
  db.prepare(
    `INSERT INTO task (kind, subject, detail, created_us) VALUES (@kind, @subject, @detail, @createdUs)
     ON CONFLICT (kind, subject) WHERE done_us IS NULL DO NOTHING`,
  ).run(task);
}

/** Closes it where it is open. What it said goes: it may name a file of footage, and whoever had to know it has done it. */
export function closeTask(db: Database, kind: string, subject: string, atUs: number): void {
  db.prepare(`UPDATE task SET done_us = ?, detail = '' WHERE kind = ? AND subject = ? AND done_us IS NULL`).run(
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
