import { readStamp, walkTree } from '../platform/tree-walk.js';

/** Every name below a folder of a root that is no folder, and every folder below it; neither in any order to rely on. */
export interface Below {
  readonly names: readonly string[];
  readonly folders: readonly string[];
}

/**
 * What lies below `folder` now, relative to the root, in batches. Links are not followed. Names that are no UTF-8 and folders that
 * cannot be read are left to the scan, which tells of them. Throws where the root itself cannot be opened, or on abort.
 */
export async function* namesBelow(rootPath: string, folder: string, signal: AbortSignal): AsyncGenerator<Below> {
  for await (const batch of walkTree(rootPath, folder, signal)) {
    const names: string[] = [];
    const folders: string[] = [];
    for (let at = 0; at + 1 < batch.length; at += 2) {
      const path = batch[at] ?? '';
      const record = readStamp(batch[at + 1] ?? '');
      if (!record.utf8) continue;
      if (record.kind === 'name') names.push(path);
      else if (record.kind === 'folder' && path !== folder) folders.push(path);
    }
    yield { names, folders };
  }
}
