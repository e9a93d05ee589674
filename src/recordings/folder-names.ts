/** What is new in a folder since it was read last, at four bytes for each name that is in it. */
import { opendir } from 'node:fs/promises';
import { makePace } from './pace.js';

/** Hashes of names, in order. */
export type KnownNames = Uint32Array;
export const noNames: KnownNames = new Uint32Array();

export interface FolderNews {
  readonly known: KnownNames;
  /** Names that are not folders, and those that are. */
  readonly names: string[];
  readonly folders: string[];
}

/**
 * FNV-1a. Two names can have one hash: in a folder of a hundred thousand names, one new name in forty thousand is taken for an old
 * one, and found by the next scan.
 */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

function holds(sorted: KnownNames, value: number): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === value;
}

const keepLast = (names: string[], most: number): void => {
  names.sort().splice(0, Math.max(0, names.length - most));
};

/**
 * Reads a folder, giving way every few milliseconds. Gives at most `most` names that are no folders, the last by their order.
 * Asks nothing about the files. Throws the system's error where it cannot be read.
 */
export async function readNews(path: string, before: KnownNames, most: number): Promise<FolderNews> {
  const pace = makePace();
  const hashes: number[] = [];
  const names: string[] = [];
  const folders: string[] = [];
  for await (const entry of await opendir(path, { bufferSize: 1024 })) {
    const hash = hashOf(entry.name);
    hashes.push(hash);
    if (hashes.length % 256 === 0 && pace.spent()) await pace.rest();
    if (holds(before, hash)) continue;
    (entry.isDirectory() ? folders : names).push(entry.name);
    if (names.length >= 4 * most) keepLast(names, most);
  }
  keepLast(names, most);
  return { known: Uint32Array.from(hashes).sort(), names, folders };
}
