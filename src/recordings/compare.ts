/**
 * A root and its part of the index, side by side in the order of their paths: what is alike passes by untouched. Neither side
 * is held in memory: the disk comes in batches from its own thread, the index in pages.
 */
import type { TreeFacts } from '../platform/tree-walk.js';
import { comparePaths, readStamp, walkTree } from '../platform/tree-walk.js';
import type { Database } from '../store/database.js';
import { quarantineStamps, unnameableStamps, type QuarantineStamp } from '../store/quarantine.js';
import { segmentStamps } from '../store/segments.js';
import type { RecordingRoot } from './context.js';
import { makePace } from './pace.js';

/** A name that the index does not know as it is. */
export interface Candidate {
  readonly path: string;
  readonly facts: TreeFacts;
  /** False where `path` is only a way of writing a name that is no UTF-8. */
  readonly utf8: boolean;
  /** Whether the index has a segment of this path, but another file. */
  readonly known: boolean;
  /** Whether a file of this path is in quarantine. */
  readonly held: boolean;
}

export interface Comparison {
  /** Names met that are no folder. */
  names: number;
  /** Rows of the index met, in any state. */
  rows: number;
  unchanged: number;
  /** Segments that were indexed and whose file was not met, by id. Whether they are gone has to be asked: the disk goes on. */
  readonly notMet: number[];
  /** Segments that were missing and lie where they were, by id. */
  readonly returned: number[];
  readonly leftQuarantine: string[];
  readonly unreadable: { readonly path: string; readonly reason: string }[];
}

export interface CompareRun {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((names: number) => void) | undefined;
  /** Of a file in quarantine that did not change: whether it is found all the same. */
  readonly looksAgain: (held: { readonly path: string; readonly reason: string }) => boolean;
  /** What was found, in the order of the walk; the walk waits for it. */
  readonly onCandidates: (candidates: readonly Candidate[]) => Promise<void>;
}

/** Rows of one page; about half a millisecond. */
const pageSize = 250;
/** A Linux path has 4096 bytes with the NUL at its end. The walk goes deeper, but nobody can open what lies there by its name. */
const longestPath = 4095;

/** Steps through a table by path. `now` is null at its end. */
interface Cursor<Row> {
  now: Row | null;
  advance(): void;
}

function cursor<Row extends { readonly path: string }>(page: (after: string) => Row[]): Cursor<Row> {
  let rows: Row[] = [];
  let at = 0;
  const self: Cursor<Row> = {
    now: null,
    advance() {
      at += 1;
      if (at >= rows.length && (rows.length === pageSize || self.now === null)) {
        rows = page(self.now?.path ?? '');
        at = 0;
      }
      self.now = rows[at] ?? null;
    },
  };
  self.advance();
  return self;
}

/**
 * Compares everything. Changes nothing. Throws `root-untrusted` where the root cannot be opened, `interrupted` on abort, and what
 * `onCandidates` throws.
 */
export async function compareWithIndex(db: Database, root: RecordingRoot, run: CompareRun): Promise<Comparison> {
  const result: Comparison = {
    names: 0,
    rows: 0,
    unchanged: 0,
    notMet: [],
    returned: [],
    leftQuarantine: [],
    unreadable: [],
  };
  const segments = cursor((after) => segmentStamps(db, root.id, after, pageSize));
  const quarantine = cursor((after) => quarantineStamps(db, root.id, after, pageSize));
  const unnameable = new Map(unnameableStamps(db, root.id).map(({ path, stamp }) => [path, stamp]));
  const pace = makePace(run.signal);
  const lengthLeft = longestPath - Buffer.byteLength(root.path) - 1;

  /** Rows before `path` were not met; null means behind the last. Gives way when a slice is used up. */
  const passBefore = async (path: string | null): Promise<void> => {
    for (let row = segments.now; row !== null; row = segments.now) {
      if (path !== null && comparePaths(row.path, path) >= 0) break;
      if (row.stamp.startsWith('f ')) result.notMet.push(row.id);
      result.rows += 1;
      segments.advance();
      if (result.rows % 256 === 0 && pace.spent()) await pace.rest();
    }
    for (let row = quarantine.now; row !== null; row = quarantine.now) {
      if (path !== null && comparePaths(row.path, path) >= 0) break;
      result.leftQuarantine.push(row.path);
      quarantine.advance();
    }
  };

  const staysHeld = (held: QuarantineStamp | null, place: string): boolean =>
    held?.stamp === place && !run.looksAgain(held);

  /** A name that is not simply a known, unchanged segment. `path` is where both cursors stand, or before them. */
  const judge = (path: string, stamp: string, found: Candidate[]): void => {
    const record = readStamp(stamp);
    if (record.kind === 'folder') return;
    if (record.kind === 'unreadable') {
      result.unreadable.push({ path, reason: record.reason });
      return;
    }
    result.names += 1;
    const { facts, utf8 } = record;
    const place = stamp.slice(2);
    const row = utf8 && segments.now?.path === path ? segments.now : null;
    const held = utf8 && quarantine.now?.path === path ? quarantine.now : null;
    if (row !== null) {
      segments.advance();
      result.rows += 1;
    }
    if (held !== null) quarantine.advance();
    if (!utf8) {
      const known = unnameable.get(path);
      unnameable.delete(path);
      if (known !== place) found.push({ path, facts, utf8, known: false, held: known !== undefined });
    } else if (row?.stamp === `missing ${stamp}`) {
      result.returned.push(row.id);
      // One that is being deleted: its own recovery finishes that.
    } else if (row?.stamp.startsWith('deleting ') !== true && (row !== null || !staysHeld(held, place))) {
      if (path.length * 3 > lengthLeft && Buffer.byteLength(path) > lengthLeft) {
        result.unreadable.push({ path, reason: 'ENAMETOOLONG: its whole path is too long to be opened' });
      } else {
        found.push({ path, facts, utf8, known: row !== null, held: held !== null });
      }
    }
  };

  for await (const batch of walkTree(root.path, '', run.signal)) {
    const found: Candidate[] = [];
    for (let at = 0; at + 1 < batch.length; at += 2) {
      const path = batch[at] ?? '';
      const stamp = batch[at + 1] ?? '';
      if (at % 256 === 0 && pace.spent()) await pace.rest();
      // Nearly always, of an archive that did not change.
      if (segments.now?.path === path && segments.now.stamp === stamp && quarantine.now === null) {
        segments.advance();
        result.rows += 1;
        result.names += 1;
        result.unchanged += 1;
        continue;
      }
      const letter = stamp.charAt(0);
      // Folders, and what is not UTF-8, stand outside the order.
      const inOrder = letter === 'f' || letter === 'l' || letter === 'o';
      if (inOrder && (segments.now !== null || quarantine.now !== null)) await passBefore(path);
      if (segments.now?.path === path && segments.now.stamp === stamp) {
        segments.advance();
        result.rows += 1;
        result.names += 1;
        result.unchanged += 1;
      } else {
        judge(path, stamp, found);
      }
    }
    run.onProgress?.(result.names);
    if (found.length > 0) {
      await run.onCandidates(found);
      if (pace.spent()) await pace.rest();
    }
  }
  run.signal?.throwIfAborted();
  await passBefore(null);
  result.leftQuarantine.push(...unnameable.keys());
  return result;
}

/** Whether something lies in, or is, what could not be read: then that it was not met says nothing. */
export function unknownIn(unreadable: readonly { readonly path: string }[]): (path: string) => boolean {
  const paths = new Set(unreadable.map(({ path }) => path));
  if (paths.size === 0) return () => false;
  return (path) => {
    if (paths.has('') || paths.has(path)) return true;
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
      if (paths.has(path.slice(0, at))) return true;
    }
    return false;
  };
}
