/**
 * What lies in the data folder and should not: copies of footage that no row knows, which no deletion would ever find; temporary
 * files of jobs that were killed; copies of the database, which name footage that is gone; and whatever else is nobody's.
 */
import { closeSync, constants, openSync, readSync, rmdirSync, rmSync, type Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dayUs } from '../domain/retention-rules/index.js';
import { toGatewayError } from '../errors.js';
import { growingSuffix, partialSuffix } from '../platform/durable-file.js';
import { databaseHeader, isOurDatabase, type Database } from '../store/database.js';
import { listDerived } from '../store/derived-files.js';
import { getRequest, type RequestRow } from '../store/requests.js';
import { closeTask, openTask } from '../store/tasks.js';
import type { RetentionContext } from './context.js';
import { refusalReason } from './trust.js';

/** A file that is there, or may be: a folder stands for everything below it. Relative to the data folder. */
interface KnownFile {
  readonly path: string;
  /** It is being written, and may be there under its temporary names. */
  readonly growing: boolean;
}

interface Place {
  /** The paths that the gateway gives here, below the data folder. What else lies here is somebody else's. */
  readonly files: RegExp;
  /** For copies of footage: what the rows know. A file that they do not know goes. Left out: not footage, and it stays. */
  readonly known?: (db: Database) => Iterable<KnownFile>;
}

/** Everything that the gateway keeps below its data folder. ADD A PLACE HERE, before the first file is written to it. */
const places: readonly Place[] = [
  { files: /^tredive\.db(?:-wal|-shm|-journal)?$/ },
  { files: /^(?:retention|journal|vault)\.lock(?:-journal)?$/ },
  { files: /^checkpoint\.txt$/ },
  { files: /^reserve$/ },
  { files: /^keys\/[^/]+$/ },
  { files: /^journal\/\d{12}\.jsonl$/ },
  { files: /^records\/r-[0-9a-f]{16}\.(?:manifest\.)?json$/ },
  { files: /^reports\/\d{4}-\d{2}\/[^/]+$/ },
  { files: /^models\/(?:[^/]+\/)?[^/]+$/ },
  { files: /^requests\/r-[0-9a-f]{16}\/.+$/, known: madeFor('requests/') },
  { files: /^packages\/r-[0-9a-f]{16}(?:\.zip)?(?:\.partial)*(?:\/.+)?$/, known: madeFor('packages/') },
  { files: /^stills\/[0-9a-f]{40}\.jpg(?:\.partial)?$/, known: madeFor('stills/') },
  { files: /^vault\/.+$/, known: madeFor('vault/') },
];

/** Requests whose files may be being written now. */
const isWorkedOn = ({ state }: RequestRow): boolean => state === 'preparing' || state === 'approved';

function madeFor(folder: string): (db: Database) => KnownFile[] {
  return (db) =>
    listDerived(db)
      .filter(({ path }) => path.startsWith(folder))
      .map((file) => ({
        path: file.path,
        growing: file.requestId === null ? file.sizeBytes === null : isWorkedOn(getRequest(db, file.requestId)),
      }));
}

export type Finding =
  /** In a place for copies of footage, and no row knows it. */
  | 'left-over'
  /** Of the gateway's own files, under a temporary name. */
  | 'temporary'
  | 'database-copy'
  | 'unknown';

export interface Found {
  /** Relative to the data folder. */
  readonly path: string;
  readonly finding: Finding;
  /** Lies where copies of footage lie. */
  readonly amongFootage: boolean;
  /** Last change of the file or its names: nobody sets that back, as a last write can be. */
  readonly changedUs: number;
}

/**
 * Looks at every name below the data folder, following no link, and gives those that should not be there. `exempt` are absolute
 * paths of what the configuration puts there: a root, an anchor, itself. Reads no footage and changes nothing.
 */
export async function strangersIn(db: Database, dataDir: string, exempt: readonly string[] = []): Promise<Found[]> {
  const seen: { path: string; stat: Stats }[] = [];
  const not = new Set(exempt);
  const look = async (folder: string): Promise<void> => {
    for (const entry of await entriesOf(join(dataDir, folder))) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (not.has(join(dataDir, path))) continue;
      if (entry.isDirectory()) await look(path);
      else {
        const stat = await lstat(join(dataDir, path)).catch(orGone);
        if (stat !== null) seen.push({ path, stat });
      }
    }
  };
  await look('');
  // The rows after the files: a row is there before its file.
  const isKnown = knownFiles(db);
  return seen.flatMap(({ path, stat }) => {
    const finding = judge(dataDir, path, stat, isKnown);
    const changedUs = Math.floor(stat.ctimeMs * 1000);
    return finding === null ? [] : [{ path, changedUs, finding, amongFootage: isAmongFootage(path) }];
  });
}

const entriesOf = (folder: string) =>
  readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw toGatewayError(error, `looking into ${folder}`);
  });

const orGone = (error: unknown): null => {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
  throw toGatewayError(error, 'looking into the data folder');
};

const footageFolders = ['requests/', 'packages/', 'stills/', 'vault/'];
const isAmongFootage = (path: string): boolean => footageFolders.some((folder) => path.startsWith(folder));

function judge(dataDir: string, path: string, stat: Stats, isKnown: (path: string) => boolean): Finding | null {
  if (isKnown(path)) return null;
  const place = places.find(({ files }) => files.test(path));
  if (place !== undefined) return place.known === undefined ? ownFinding(path) : 'left-over';
  // What a crash left of one of our own files, before it had its name.
  if (path.endsWith(partialSuffix) && places.some(({ files }) => files.test(path.slice(0, -partialSuffix.length))))
    return 'temporary';
  // One more name of a file is never opened: closing it would end the locks that SQLite has on the database itself.
  return stat.isFile() && stat.nlink === 1 && isOurDatabase(headOf(join(dataDir, path))) ? 'database-copy' : 'unknown';
}

const ownFinding = (path: string): Finding | null =>
  path.split('/').some((part) => part.endsWith(partialSuffix)) ? 'temporary' : null;

/** Whether the rows know a file: by its path, by a folder that it lies in, or by the name that it will have. */
function knownFiles(db: Database): (path: string) => boolean {
  const paths = new Set<string>();
  for (const { known } of places) {
    for (const file of known?.(db) ?? []) {
      paths.add(file.path);
      if (!file.growing) continue;
      paths.add(file.path + partialSuffix);
      paths.add(file.path + growingSuffix);
    }
  }
  return (path) => {
    for (let at = path; at !== '.'; at = dirname(at)) if (paths.has(at)) return true;
    return false;
  };
}

/** The first bytes of a file; none of what cannot be read. A link is not followed, and nothing is waited for. */
function headOf(path: string): Buffer {
  const head = Buffer.alloc(databaseHeader);
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return head.subarray(0, readSync(fd, head, 0, head.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    // Whatever it is, it is not ours: it is said as unknown.
    return Buffer.alloc(0);
  }
}

/** What no row knows was left by a crash, but may be a moment old: a row that is being forgotten goes after its file. */
const settledUs = 600_000_000;
/** Of our own files: no such write takes as long. */
const temporaryUs = dayUs;
/** As long as footage is kept at the most: all that a copy of the database names is gone by then. */
const databaseCopyUs = 30 * dayUs;

export interface Tidied {
  readonly removed: number;
  readonly unknown: number;
  readonly databaseCopies: number;
}

/**
 * Removes what crashed jobs left, and copies of the database that are older than footage may become; everything else that is
 * nobody's is a task for a person, and stays. At every start and now and then. Nothing that goes by age goes by a clock in doubt.
 */
export async function tidyDataFolder(ctx: RetentionContext, exempt: readonly string[] = []): Promise<Tidied> {
  const { store, log } = ctx;
  const { db } = store;
  // What lies in the vault may be held by a hold that a database from a backup does not know: only the vault judges that.
  const found = (await strangersIn(db, ctx.dataDir, exempt)).filter(({ path }) => !path.startsWith('vault/'));
  const nowUs = store.clock.nowUs();
  const believed = refusalReason(ctx, nowUs) === null;
  const isOver = ({ finding, changedUs }: Found): boolean => {
    const ageUs = nowUs - changedUs;
    if (finding === 'left-over') return ageUs > settledUs;
    if (finding === 'temporary') return ageUs > temporaryUs;
    return finding === 'database-copy' && believed && ageUs > databaseCopyUs - ctx.marginUs;
  };
  const goes = found.filter(isOver);
  const [unknown, copies] = (['unknown', 'database-copy'] as const).map(
    (finding) => found.filter((one) => one.finding === finding && !goes.includes(one)).length,
  ) as [number, number];
  const removed = goes.length === 0 ? 0 : remove(ctx, goes);
  const tasks = [
    [
      'data-folder-unknown',
      unknown,
      `${unknown} files in the data folder are nobody's: no row knows them, so nothing deletes them. "tredive check" names them. What shows or names footage must go when that goes; move the rest to another place.`,
    ],
    [
      'database-copies',
      copies,
      `${copies} copies of the database lie in the data folder. They name footage that is gone by now, and are removed 30 days after they were made. Keep backups elsewhere, where they expire within that time too.`,
    ],
  ] as const;
  for (const [kind, count, detail] of tasks) {
    if (count > 0) openTask(db, { kind, subject: 'gateway:data-folder', detail, createdUs: nowUs });
    else closeTask(db, kind, 'gateway:data-folder', nowUs);
  }
  if (removed > 0) log.warn({ removed }, 'files that nobody knows were removed from the data folder');
  return { removed, unknown, databaseCopies: copies };
}

/**
 * In one transaction, in which nobody can register a file: what is known by now stays. A crash in it leaves files that the next
 * look finds again, and no event for those that went.
 */
function remove({ store, dataDir }: RetentionContext, found: readonly Found[]): number {
  return store.act('gateway', (note) => {
    const isKnown = knownFiles(store.db);
    const gone = found.filter(({ path }) => !isKnown(path));
    for (const { path } of gone) {
      rmSync(join(dataDir, path), { force: true });
      for (let folder = dirname(path); folder.includes('/'); folder = dirname(folder)) {
        if (!removeEmpty(join(dataDir, folder))) break;
      }
    }
    note('derived.removed', 'gateway', {
      why: 'left-over',
      files: gone.length,
      databaseCopies: gone.filter(({ finding }) => finding === 'database-copy').length,
    });
    return gone.length;
  });
}

/** False where something is in it. */
function removeEmpty(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw toGatewayError(error, `removing ${folder}`);
  }
}
