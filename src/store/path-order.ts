/**
 * Rows of a root in the byte order of whole paths, though folders and names are stored apart. What lies in a folder stands between
 * the names beside that folder: `a.mp4`, `a/x.mp4`, `b.mp4`. So folders are opened as they come, one in another, and the deepest
 * open one is read until a folder in it, or the next one behind it, is due.
 */
import { comparePaths } from '../platform/tree-walk.js';
import type { Database } from './database.js';
import { preparedRaw } from './prepared.js';

interface Folder {
  readonly id: number;
  readonly path: string;
}

type RawFolder = readonly [id: number, path: string];
const toFolder = (raw: RawFolder): Folder => ({ id: raw[0], path: raw[1] });

/** A folder that is being read. */
interface Open<Row> {
  readonly path: string;
  /** As many as the page still needed when it was opened: these are never used up before the page is full. */
  readonly rows: readonly Row[];
  at: number;
}

/**
 * Up to `limit` rows whose path is behind `afterPath`. `namesSql` asks for the names of one folder: it is given the folder's path,
 * its id, the name behind which to begin, and how many; what `toRow` makes of its columns has a `path` that is the first and the
 * name together. Rows come in the order of names.
 */
export function pageByPath<Row extends { readonly path: string }>(
  db: Database,
  rootId: string,
  afterPath: string,
  limit: number,
  namesSql: string,
  toRow: (raw: never) => Row,
): Row[] {
  const names = preparedRaw(db, namesSql);
  const page: Row[] = [];
  const read = ({ id, path }: Folder, afterName: string): Open<Row> => ({
    path,
    rows: (names.all(path, id, afterName, limit - page.length) as never[]).map(toRow),
    at: 0,
  });
  const open = foldersAround(db, rootId, afterPath).map((folder) => read(folder, afterPath.slice(folder.path.length)));
  const folders = foldersBehind(db, rootId, afterPath);
  while (page.length < limit) {
    const deepest = open.at(-1);
    const next = folders.now;
    const row = deepest?.rows[deepest.at];
    if (deepest !== undefined && row === undefined) {
      open.pop();
    } else if (deepest === undefined || row === undefined) {
      if (next === null) break;
      open.push(read(next, ''));
      folders.advance();
    } else if (next?.path.startsWith(deepest.path) !== true) {
      // No folder is due before the end of this one.
      const rest = deepest.rows.slice(deepest.at, deepest.at + limit - page.length);
      page.push(...rest);
      deepest.at += rest.length;
    } else if (comparePaths(next.path, row.path) < 0) {
      open.push(read(next, ''));
      folders.advance();
    } else {
      page.push(row);
      deepest.at += 1;
    }
  }
  return page;
}

/** Folders that `path` lies in and that have segments, the outermost first: asked at once, though most of them have none. */
function foldersAround(db: Database, rootId: string, path: string): Folder[] {
  const paths = [''];
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    paths.push(path.slice(0, slash + 1));
  }
  const places = paths.map(() => '?').join(', ');
  const sql = `SELECT id, path FROM folder WHERE root_id = ? AND path IN (${places}) ORDER BY path`;
  return (preparedRaw(db, sql).all(rootId, ...paths) as RawFolder[]).map(toFolder);
}

/** Folders behind `path`, a few at first: a page seldom needs many, but where each folder has one file it needs them all. */
function foldersBehind(db: Database, rootId: string, path: string): { now: Folder | null; advance(): void } {
  const find = preparedRaw(db, 'SELECT id, path FROM folder WHERE root_id = ? AND path > ? ORDER BY path LIMIT ? + 0');
  let size = 4;
  let rows: Folder[] = [];
  let at = 0;
  const self = {
    now: null as Folder | null,
    advance(): void {
      const last = self.now;
      at += 1;
      if (at >= rows.length && (last === null || rows.length === size)) {
        if (last !== null) size = Math.min(size * 4, 256);
        rows = (find.all(rootId, last?.path ?? path, size) as RawFolder[]).map(toFolder);
        at = 0;
      }
      self.now = rows[at] ?? null;
    },
  };
  self.advance();
  return self;
}
