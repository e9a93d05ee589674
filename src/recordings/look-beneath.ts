import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { inodeText } from '../platform/file-identity.js';
import type { FileStat } from './context.js';

/**
 * A file below a root, or null where none is. Unlike `statOf` it takes no link for a folder on the way either: behind one lies
 * what the walk does not enter and deletion refuses to touch. Throws the system's error where there is no answer.
 */
export async function lookBeneath(rootPath: string, path: string): Promise<FileStat | null> {
  const parts = path.split('/');
  try {
    for (let depth = 1; depth < parts.length; depth += 1) {
      if (!(await lstat(join(rootPath, ...parts.slice(0, depth)))).isDirectory()) return null;
    }
    const stat = await lstat(join(rootPath, path), { bigint: true });
    return {
      inode: inodeText(stat.ino),
      sizeBytes: Number(stat.size),
      mtimeUs: Number(stat.mtimeNs / 1000n),
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}
