/** Is a root the folder that it was? Nothing in a root is judged, marked or deleted while that is in doubt. */
import { readdirSync, statSync } from 'node:fs';
import { findRoot, putRoot } from '../store/roots.js';
import { countSegments } from '../store/segments.js';
import type { Database } from '../store/database.js';
import type { RecordingsContext } from './context.js';

/** What tells one folder from another that is mounted in its place: its inode. Device numbers change with every mount. */
export const identityOf = (path: string): string => statSync(path, { bigint: true }).ino.toString();

/**
 * Why a root cannot be trusted now, or null. Missing, not a folder, another folder than the one that was indexed, or empty
 * although footage was indexed in it: an unmounted disk looks like each of these.
 */
export function rootProblem(db: Database, rootId: string, path: string): string | null {
  let identity: string;
  try {
    if (!statSync(path).isDirectory()) return `${path} is not a folder`;
    identity = identityOf(path);
  } catch (error) {
    return `${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}); is it mounted?`;
  }
  const known = findRoot(db, rootId);
  if (known === null) return null;
  if (countSegments(db, rootId) === 0) return null;
  if (known.identity !== identity) {
    return `${path} is not the folder that was indexed as "${rootId}" (inode ${identity} instead of ${known.identity}); is the right disk mounted?`;
  }
  if (readdirSync(path).length === 0) return `${path} is empty, but footage was indexed in it; is it mounted?`;
  return null;
}

/**
 * Enters new roots. A known root keeps the identity that its footage was indexed under; one without footage takes the
 * identity of the folder that is there now.
 */
export function putSeenRoots({ store, roots }: Pick<RecordingsContext, 'store' | 'roots'>): void {
  const { db, clock } = store;
  for (const root of roots) {
    const known = findRoot(db, root.id);
    const keeps = known !== null && countSegments(db, root.id) > 0;
    if (keeps && known.path === root.path) continue;
    const identity = keeps ? known.identity : identityOf(root.path);
    if (known?.path === root.path && known.identity === identity) continue;
    store.act('gateway', (note) => {
      putRoot(db, { id: root.id, path: root.path, identity, firstSeenUs: known?.firstSeenUs ?? clock.nowUs() });
      note('config.applied', `root:${root.id}`, { new: known === null, layout: root.layout.name });
    });
  }
}
