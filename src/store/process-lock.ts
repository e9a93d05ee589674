/**
 * A lock between processes that ends with its process, however that ends: SQLite takes an exclusive lock on a file of its own,
 * and the kernel lets go of it on SIGKILL too. A file with a process id in it would survive a kill and name a stranger later.
 */
import BetterSqlite3 from 'better-sqlite3';
import { toGatewayError } from '../errors.js';

/** Takes the lock, or gives null where another process, or another part of this one, has it. Call the result to let go. */
export function takeLock(path: string): (() => void) | null {
  try {
    const db = new BetterSqlite3(path, { timeout: 0 });
    try {
      // Nothing is ever written through this handle: no journal, no WAL beside it.
      db.pragma('journal_mode = OFF');
      db.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      db.close();
      throw error;
    }
    return () => {
      db.close();
    };
  } catch (error) {
    if (error instanceof BetterSqlite3.SqliteError && error.code.startsWith('SQLITE_BUSY')) return null;
    throw toGatewayError(error, `taking the lock ${path}`);
  }
}
