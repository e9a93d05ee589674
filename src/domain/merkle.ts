/**
 * The Merkle tree of RFC 6962 (section 2.1) over the audit log: leaf = SHA-256(0x00 || entry), node = SHA-256(0x01 || left
 * || right). The domain bytes keep a leaf from being passed off as a node. Hashes are 32-byte Buffers.
 */
import { createHash } from 'node:crypto';
import { GatewayError } from '../errors.js';

export const emptyRoot: Buffer = createHash('sha256').digest();

export const leafHash = (entry: Uint8Array): Buffer =>
  createHash('sha256').update(Uint8Array.of(0)).update(entry).digest();

export const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer =>
  createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest();

/**
 * The right edge of a tree of `size` leaves: the roots of its perfect subtrees, largest first. All that is needed to append
 * in O(log n) without reading the log.
 */
export interface Frontier {
  readonly size: number;
  readonly peaks: readonly Buffer[];
}

export const emptyFrontier: Frontier = { size: 0, peaks: [] };

/** The frontier after one more leaf. Like a binary counter: each trailing one-bit of `size` is a peak to merge with. */
export function appendLeaf(frontier: Frontier, leaf: Buffer): Frontier {
  const peaks = [...frontier.peaks];
  let hash = leaf;
  for (let size = frontier.size; size % 2 === 1; size = Math.floor(size / 2)) {
    const left = peaks.pop();
    if (left === undefined) throw new GatewayError('internal', 'Audit frontier has fewer peaks than its size needs.');
    hash = nodeHash(left, hash);
  }
  peaks.push(hash);
  return { size: frontier.size + 1, peaks };
}

export function frontierRoot(frontier: Frontier): Buffer {
  const peaks = [...frontier.peaks];
  let hash = peaks.pop();
  if (hash === undefined) return emptyRoot;
  for (let left = peaks.pop(); left !== undefined; left = peaks.pop()) hash = nodeHash(left, hash);
  return hash;
}

/** 32 bytes a peak, largest first; the size is kept beside it. */
export const encodePeaks = (frontier: Frontier): Buffer => Buffer.concat(frontier.peaks);

export function decodeFrontier(size: number, peaks: Buffer): Frontier {
  let expected = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) expected += rest % 2;
  if (peaks.length !== expected * 32) {
    throw new GatewayError('verification-failed', `Audit frontier of size ${size} has ${peaks.length} bytes.`);
  }
  return {
    size,
    peaks: Array.from({ length: expected }, (_, index) => peaks.subarray(index * 32, index * 32 + 32)),
  };
}

/** The largest power of two strictly below `size` (size >= 2). */
function split(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** Root of leaves `[from, to)` of a list of leaf hashes. */
export function rootOf(leaves: readonly Buffer[], from = 0, to = leaves.length): Buffer {
  if (to <= from) return emptyRoot;
  if (to - from === 1) return leaves[from] as Buffer;
  const middle = from + split(to - from);
  return nodeHash(rootOf(leaves, from, middle), rootOf(leaves, middle, to));
}

/** RFC 6962 2.1.1: the path that proves leaf `index` in the tree of all `leaves`, lowest sibling first. */
export function inclusionProof(leaves: readonly Buffer[], index: number): Buffer[] {
  const path = (from: number, to: number): Buffer[] => {
    if (to - from === 1) return [];
    const middle = from + split(to - from);
    return index < middle
      ? [...path(from, middle), rootOf(leaves, middle, to)]
      : [...path(middle, to), rootOf(leaves, from, middle)];
  };
  if (index < 0 || index >= leaves.length) throw new GatewayError('internal', `No leaf ${index} to prove.`);
  return path(0, leaves.length);
}

/** RFC 9162 2.1.3.2, which is the same tree with the algorithm spelt out. False on anything that does not add up. */
export function verifyInclusion(
  leaf: Buffer,
  index: number,
  size: number,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  let node = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0 || sibling.length !== 32) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && hash.equals(root);
}
