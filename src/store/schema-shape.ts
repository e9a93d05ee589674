/** The structure of a database as SQLite itself keeps it, in a form in which two ways to the same structure compare equal. */
import BetterSqlite3 from 'better-sqlite3';
import { schemaSql, type Database } from './database.js';

/**
 * `type name` -> the statement that makes it, without comments, quotes and spaces that mean nothing. Whole statements: they hold
 * every column, CHECK, foreign key, collation and STRICT, more than any pragma tells.
 */
export function schemaShape(db: Database): Map<string, string> {
  const rows = db
    .prepare(
      `SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name`,
    )
    .all() as { type: string; name: string; sql: string }[];
  return new Map(rows.map(({ type, name, sql }) => [`${type} ${name}`, normalise(sql)]));
}

/** Outside of string literals: no comments, single spaces, none beside punctuation, no quotes around plain names. */
export function normalise(sql: string): string {
  const tokens = sql.match(/'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\/|"[a-z_]+"|[A-Za-z0-9_.]+|[^\sA-Za-z0-9_.]/g) ?? [];
  return tokens
    .filter((token) => !token.startsWith('--') && !token.startsWith('/*'))
    .map((token) => (/^"[a-z_]+"$/.test(token) ? token.slice(1, -1) : token))
    .join(' ');
}

/** How a database differs from the schema of this program: a trigger that was dropped makes the log editable. */
export function missingFromSchema(db: Database): string[] {
  const fresh = new BetterSqlite3(':memory:');
  try {
    fresh.exec(schemaSql());
    const is = schemaShape(db);
    return [...schemaShape(fresh)]
      .filter(([name, sql]) => is.get(name) !== sql)
      .map(([name]) => `${name} is ${is.has(name) ? 'not as it should be' : 'missing'}`);
  } finally {
    fresh.close();
  }
}
