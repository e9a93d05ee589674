/** Everything below a folder, read in bulk on a thread of its own (native-bindings/tree_walker.h). */
import { getSystemErrorMap } from 'node:util';
import { fromNative, native } from './native.js';

declare module './native/addon.js' {
  interface Addon {
    openTreeWalk(root: Buffer, folder: Buffer): { next(): Promise<string | null>; close(): void };
  }
}

/** What a name was when its folder was read; of itself, not of what it links to. */
export interface TreeFacts {
  readonly isFile: boolean;
  readonly isLink: boolean;
  readonly sizeBytes: number;
  /** 64-bit inode number as text: larger than a double holds. */
  readonly inode: string;
  readonly mtimeUs: number;
}

export type TreeRecord =
  | { readonly kind: 'name'; readonly utf8: boolean; readonly facts: TreeFacts }
  | { readonly kind: 'folder'; readonly utf8: boolean }
  /** A folder or a name that the system gives no answer about: what is there is unknown, not gone. */
  | { readonly kind: 'unreadable'; readonly utf8: boolean; readonly reason: string };

/** The stamp of a regular file whose path is UTF-8, as a text that can be compared as a whole. */
export const fileStamp = (file: Pick<TreeFacts, 'inode' | 'sizeBytes' | 'mtimeUs'>): string =>
  `f ${file.inode} ${file.sizeBytes} ${file.mtimeUs}`;

/** A stamp taken apart. Its form is the addon's own, whatever the disk holds. */
export function readStamp(stamp: string): TreeRecord {
  // By hand, since this runs for every file that is new.
  const inodeAt = stamp.indexOf(' ') + 1;
  const letter = inodeAt === 0 ? stamp : stamp.slice(0, inodeAt - 1);
  const sizeAt = stamp.indexOf(' ', inodeAt) + 1;
  const timeAt = stamp.indexOf(' ', sizeAt) + 1;
  const kind = letter.toLowerCase();
  const utf8 = kind === letter;
  if (kind === 'd') return { kind: 'folder', utf8 };
  if (kind === 'x') return { kind: 'unreadable', utf8, reason: errnoText(Number(stamp.slice(inodeAt))) };
  return {
    kind: 'name',
    utf8,
    facts: {
      isFile: kind === 'f',
      isLink: kind === 'l',
      sizeBytes: Number(stamp.slice(sizeAt, timeAt - 1)),
      inode: stamp.slice(inodeAt, sizeAt - 1),
      mtimeUs: Number(stamp.slice(timeAt)),
    },
  };
}

const errnoText = (errno: number): string => (getSystemErrorMap().get(-errno) ?? [`errno ${errno}`]).join(': ');

/**
 * Batches of `[path, stamp, path, stamp, ...]`, in the byte order of whole paths in UTF-8; a folder comes as its own name before
 * what is in it, but stands in the order as its name with `/`. Paths are relative to `rootPath`, `/` between components. Where
 * one is not UTF-8 it is written out with `\xff` for each strange byte, its stamp says so, and it stands outside the order.
 *
 * @throws GatewayError `root-untrusted` where the root cannot be opened, `interrupted` after an abort of `signal`.
 */
export async function* walkTree(
  rootPath: string,
  folder = '',
  signal?: AbortSignal,
): AsyncGenerator<readonly string[], void, undefined> {
  const doing = `Reading ${rootPath}`;
  let walk: ReturnType<ReturnType<typeof native>['openTreeWalk']>;
  try {
    walk = native().openTreeWalk(Buffer.from(rootPath), Buffer.from(folder));
  } catch (error) {
    throw fromNative(error, doing);
  }
  const abort = (): void => {
    walk.close();
  };
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    for (let batch = await walk.next(); batch !== null; batch = await walk.next()) yield batch.split('\0');
  } catch (error) {
    throw fromNative(error, doing);
  } finally {
    signal?.removeEventListener('abort', abort);
    walk.close();
  }
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;

/**
 * Compares two paths as the index and the walk order them: by their bytes in UTF-8. JavaScript compares UTF-16 units, in which
 * what lies beyond U+FFFF comes before U+E000.
 */
export function comparePaths(a: string, b: string): number {
  if (a === b) return 0;
  const common = Math.min(a.length, b.length);
  for (let at = 0; at < common; at += 1) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left === right) continue;
    const [leftBeyond, rightBeyond] = [isSurrogate(left), isSurrogate(right)];
    // Half of a character beyond U+FFFF, which comes after every other.
    if (leftBeyond !== rightBeyond) return leftBeyond ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}
