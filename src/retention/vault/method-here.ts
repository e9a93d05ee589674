/** Which way a protected copy of a root's footage would be made, by trying it on the root's own marker file. */
import { constants, copyFileSync, existsSync, linkSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { markerName } from '../../platform/root-folder.js';
import type { VaultMethod } from '../../store/vault-copies.js';

/**
 * Null where it cannot be tried yet: before the first scan there is no marker, and no data folder perhaps. Leaves nothing behind.
 * A way that fails here for whatever reason is one that a copy would not take either.
 */
export function methodHere(root: string, dataDir: string, neverRewritten: boolean): VaultMethod | null {
  const marker = join(root, markerName);
  if (!existsSync(marker) || !existsSync(dataDir)) return null;
  const folder = mkdtempSync(join(dataDir, 'trial-'));
  try {
    const works = (way: (target: string) => void, name: string): boolean => {
      try {
        way(join(folder, name));
        return true;
      } catch {
        return false;
      }
    };
    const clone = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE;
    if (
      works((target) => {
        copyFileSync(marker, target, clone);
      }, 'reflink')
    )
      return 'reflink';
    if (
      neverRewritten &&
      works((target) => {
        linkSync(marker, target);
      }, 'link')
    )
      return 'hard-link';
    return 'copy';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
