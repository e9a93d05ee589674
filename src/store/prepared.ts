/** Statements are compiled once for a database, not for each row: compiling costs more than running most of them. */
import type { Statement } from 'better-sqlite3';
import type { Database } from './database.js';

const byDatabase = new WeakMap<Database, Map<string, Statement>>();

/** The statement of this text. Shared: do not change its mode (`pluck`, `raw`) unless every user of the text does so alike. */
export function prepared(db: Database, sql: string): Statement {
  let statements = byDatabase.get(db);
  if (statements === undefined) byDatabase.set(db, (statements = new Map<string, Statement>()));
  let statement = statements.get(sql);
  if (statement === undefined) statements.set(sql, (statement = db.prepare(sql)));
  return statement;
}
