/**
 * Statements are compiled once for a database, not for each row: compiling costs more than running most of them. SQLite looks at
 * the value of a bound LIMIT when it compiles, and therefore compiles again for each run; it does not look into `LIMIT ? + 0`.
 */
import type { Statement } from 'better-sqlite3';
import type { Database } from './database.js';

type Cache = WeakMap<Database, Map<string, Statement>>;
const objects: Cache = new WeakMap();
const arrays: Cache = new WeakMap();

function from(cache: Cache, db: Database, sql: string): Statement {
  let statements = cache.get(db);
  if (statements === undefined) cache.set(db, (statements = new Map<string, Statement>()));
  let statement = statements.get(sql);
  if (statement === undefined) statements.set(sql, (statement = db.prepare(sql)));
  return statement;
}

/** The statement of this text. Shared: do not change its mode (`pluck`, `raw`) unless every user of the text does so alike. */
export const prepared = (db: Database, sql: string): Statement => from(objects, db, sql);

/** The same, but each row is an array of its columns. For many rows: an object that SQLite's binding makes costs several times that. */
export const preparedRaw = (db: Database, sql: string): Statement => from(arrays, db, sql).raw();
