import BetterSqlite3 from 'better-sqlite3';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GatewayError, toGatewayError } from '../errors.js';

export type Database = BetterSqlite3.Database;

const here = dirname(fileURLToPath(import.meta.url));
/** "trdv" in ASCII: tells our file from any other SQLite file before a byte of it is changed. */
const applicationId = 0x74726476;

/** How many bytes of a file tell whether it is a database of ours: SQLite's own words, and the id where its header has that. */
export const databaseHeader = 72;
export const isOurDatabase = (head: Buffer): boolean =>
  head.length >= databaseHeader &&
  head.toString('latin1', 0, 16) === 'SQLite format 3\0' &&
  head.readUInt32BE(68) === applicationId;

export const schemaSql = (): string => readFileSync(join(here, 'schema.sql'), 'utf8');

/** Migrations in order; the first makes version 1. */
export function migrations(): { version: number; name: string; sql: string }[] {
  return readdirSync(join(here, 'migrations'))
    .filter((name) => /^\d{4}-.+\.sql$/.test(name))
    .sort()
    .map((name, index) => {
      const version = Number(name.slice(0, 4));
      if (version !== index + 1) throw new GatewayError('internal', `Migration ${name} is out of order.`);
      return { version, name, sql: readFileSync(join(here, 'migrations', name), 'utf8') };
    });
}

const versionOf = (db: Database): number => db.pragma('user_version', { simple: true }) as number;

/**
 * Brings a database to the newest schema. A fresh file gets schema.sql at once; an older one each migration in a
 * transaction of its own, so that a crash leaves a whole version. A newer one than we know is refused, untouched.
 */
export function migrate(db: Database): void {
  const steps = migrations();
  const newest = steps.length;
  const tables = db.prepare(`SELECT count(*) FROM sqlite_master WHERE type = 'table'`).pluck().get() as number;
  const version = versionOf(db);
  if (tables === 0) {
    db.transaction(() => {
      db.exec(schemaSql());
      db.pragma(`application_id = ${applicationId}`);
      db.pragma(`user_version = ${newest}`);
    }).exclusive();
    return;
  }
  if ((db.pragma('application_id', { simple: true }) as number) !== applicationId) {
    throw new GatewayError('database-failed', `${db.name} is an SQLite database, but not one of tredive.`, {
      remedy: 'Point "data" in the configuration to another folder.',
    });
  }
  if (version > newest) {
    throw new GatewayError(
      'database-failed',
      `${db.name} has schema version ${version}; this program knows up to ${newest}.`,
      {
        remedy: 'Run the newer tredive that wrote it.',
      },
    );
  }
  for (const step of steps.slice(version)) {
    // A table may have to be rebuilt, which foreign keys would forbid; they are checked before the commit instead.
    db.pragma('foreign_keys = OFF');
    try {
      db.transaction(() => {
        db.exec(step.sql);
        const broken = db.pragma('foreign_key_check') as unknown[];
        if (broken.length > 0)
          throw new GatewayError('database-failed', `Migration ${step.name} breaks ${broken.length} references.`);
        db.pragma(`user_version = ${step.version}`);
      }).exclusive();
    } finally {
      db.pragma('foreign_keys = ON');
    }
  }
  if (version < newest) giveBack(db);
}

/** After a table was built anew, its old pages make half of the file and all of the WAL. */
function giveBack(db: Database): void {
  const [free, all] = ['freelist_count', 'page_count'].map((name) => db.pragma(name, { simple: true }) as number);
  try {
    if ((free ?? 0) * 4 > (all ?? 0)) db.exec('VACUUM');
    truncateWal(db);
  } catch {
    // No room to do it in, or somebody reads: the upgrade is done all the same, and the pages are used again.
  }
}

/** Opens (and where needed makes or upgrades) the database. Throws `database-failed` with what to do. */
export function openDatabase(path: string, options: { readonly?: boolean } = {}): Database {
  try {
    if (options.readonly !== true) mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    const db = new BetterSqlite3(path, { readonly: options.readonly ?? false, timeout: 10_000 });
    try {
      db.pragma('foreign_keys = ON');
      if (options.readonly !== true) {
        db.pragma('journal_mode = WAL');
        // FULL: an act that was reported as done survives a power cut. The audit log depends on it.
        db.pragma('synchronous = FULL');
        // Deleted text must not stay in free pages.
        db.pragma('secure_delete = ON');
        migrate(db);
      }
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const wrapped = toGatewayError(error, `opening the database ${path}`);
    throw new GatewayError(wrapped.code === 'internal' ? 'database-failed' : wrapped.code, wrapped.message, {
      remedy:
        'Check that the data folder exists and belongs to the user that tredive runs as; restore from backup if it is damaged.',
      cause: error,
    });
  }
}

/** How long a reader is waited for: the process answers nobody meanwhile. */
const readerMs = 250;
const notTruncated = new WeakSet<Database>();

/**
 * Writes the WAL back and empties it, so that purged text is in neither file. False where a reader was in the way: then
 * `retryTruncation` does it once that is gone.
 */
export function truncateWal(db: Database): boolean {
  const timeoutMs = db.pragma('busy_timeout', { simple: true }) as number;
  db.pragma(`busy_timeout = ${readerMs}`);
  try {
    const [row] = db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    const isDone = row?.busy === 0;
    if (isDone) notTruncated.delete(db);
    else notTruncated.add(db);
    return isDone;
  } finally {
    db.pragma(`busy_timeout = ${timeoutMs}`);
  }
}

/**
 * Writes the whole file anew. `secure_delete` overwrites what a DELETE frees, but not what stays in the gap of a page when its rows
 * were moved to a neighbour: once those are deleted over there, nothing but this removes the copy. Takes a second or two for each
 * 100 MB, in which nothing else is done and nobody else writes, and twice the room meanwhile, beside the database. Throws
 * `disk-full`, and `database-failed` where another process writes; the file is what it was then.
 */
export function rebuild(db: Database): void {
  // Not in /tmp: that is memory on many machines, and this is as large as the database. The file has no name there.
  process.env['SQLITE_TMPDIR'] ??= dirname(db.name);
  try {
    db.exec('VACUUM');
  } catch (error) {
    throw toGatewayError(error, 'writing the database anew');
  }
  truncateWal(db);
}

/** Tries again what a reader kept from being done. True where nothing is left to do. */
export const retryTruncation = (db: Database): boolean => !notTruncated.has(db) || truncateWal(db);
