/** Whether a file is the one that is meant: by its inode and size, which the index keeps of each. */
import type { BigIntStats } from 'node:fs';

/** An inode as the index has it: Node reads the number as signed, and file systems count without a sign. */
export const inodeText = (ino: bigint): string => BigInt.asUintN(64, ino).toString();

/** A link, another inode or another size: somebody put something else in its place. `stat` is of the name itself (lstat). */
export const isIndexedFile = (
  stat: Pick<BigIntStats, 'isFile' | 'ino' | 'size'>,
  indexed: { readonly inode: string; readonly sizeBytes: number },
): boolean => stat.isFile() && inodeText(stat.ino) === indexed.inode && stat.size === BigInt(indexed.sizeBytes);
