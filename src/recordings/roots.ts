/** Is a root the folder that it was? Nothing in a root is judged, marked or deleted while that is in doubt. */
import { lstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayError, toGatewayError } from '../errors.js';
import { inodeOf, judgeFolder, markFolder } from '../platform/root-folder.js';
import type { Database } from '../store/database.js';
import { findRoot, putRoot, putRootMark, type RootMark } from '../store/roots.js';
import { hasSegments, newestOfRoot } from '../store/segments.js';
import { closeTask, openTask } from '../store/tasks.js';
import type { RecordingRoot, RecordingsContext } from './context.js';

/** How many of the newest files are looked for where the folder alone does not tell: one that is there is enough. */
const witnesses = 20;

/**
 * Why a root cannot be trusted now, or null. Missing, not a folder, another folder or disk than the one that was indexed,
 * read-only since, or empty although footage was indexed in it: an unmounted disk looks like each of these.
 */
export function rootProblem(db: Database, rootId: string, path: string): string | null {
  const known = findRoot(db, rootId);
  if (known === null || !hasSegments(db, rootId)) {
    try {
      return statSync(path).isDirectory() ? null : `${path} is not a folder`;
    } catch (error) {
      return `${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)}); is it mounted?`;
    }
  }
  const { problem, certain } = judgeFolder(path, rootId, known);
  if (problem !== null || certain) return problem;
  const newest = newestOfRoot(db, rootId, witnesses);
  if (newest.length === 0 || newest.some((segment) => isThere(join(path, segment.path)))) return null;
  return `${path} has lost what it was known by, and has none of the newest files of the index; is the right disk mounted?`;
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch {
    // No answer is no witness.
    return false;
  }
}

/** A root in doubt is a task for a person, once, and an event each time somebody wanted to work on it. */
export function raiseRootAlarm(ctx: RecordingsContext, root: RecordingRoot, problem: string): void {
  ctx.log.error({ root: root.id, problem }, 'a root was not scanned');
  ctx.store.act('gateway', (note) => {
    openTask(ctx.store.db, {
      kind: 'root-untrusted',
      subject: `root:${root.id}`,
      detail: problem,
      createdUs: ctx.store.clock.nowUs(),
    });
    note('recordings.missing', `root:${root.id}`, { refused: true });
  });
}

/**
 * Enters new roots. A known root keeps the identity that its footage was indexed under; one without footage takes the
 * identity of the folder that is there now. Each root that is trusted gets its marker, where it takes one.
 */
export function putSeenRoots({ store, roots }: Pick<RecordingsContext, 'store' | 'roots'>): void {
  const { db, clock } = store;
  for (const root of roots) {
    const known = findRoot(db, root.id);
    const keeps = known !== null && hasSegments(db, root.id);
    if (!keeps || known.path !== root.path) {
      const identity = keeps ? known.identity : inodeOf(root.path);
      if (known?.path !== root.path || known.identity !== identity) {
        store.act('gateway', (note) => {
          putRoot(db, { id: root.id, path: root.path, identity, firstSeenUs: known?.firstSeenUs ?? clock.nowUs() });
          // Of a folder that took the place of an empty one nothing is known yet.
          if (!keeps) putRootMark(db, root.id, { marker: null, filesystem: null, readOnly: null });
          note('config.applied', `root:${root.id}`, { new: known === null, layout: root.layout.name });
        });
      }
    }
    markIfTrusted({ store }, root);
  }
}

/**
 * A person vouches for the folder that is there now: an archive was copied to another disk, say. It is the root from here on, and
 * what lies in it is compared with the index as ever: same paths keep their segments, and where most is gone a person is asked.
 * Throws `root-untrusted` where there is no folder.
 */
export function acceptRoot({ store }: Pick<RecordingsContext, 'store'>, root: RecordingRoot): void {
  const { db, clock } = store;
  let identity: string;
  let mark: RootMark;
  try {
    identity = inodeOf(root.path);
    mark = markFolder(root.path, null);
  } catch (error) {
    throw new GatewayError('root-untrusted', toGatewayError(error, `looking at root "${root.id}"`).message, {
      remedy: 'Mount it, or correct its path.',
      cause: error,
    });
  }
  const firstSeenUs = findRoot(db, root.id)?.firstSeenUs ?? clock.nowUs();
  store.act('operator', (note) => {
    putRoot(db, { id: root.id, path: root.path, identity, firstSeenUs });
    putRootMark(db, root.id, mark);
    closeTask(db, 'root-untrusted', `root:${root.id}`, clock.nowUs());
    note('config.applied', `root:${root.id}`, { accepted: true, marked: mark.marker !== null });
  });
}

/** What a trusted root is known by, brought up to date; a root in doubt keeps what it was known by. */
function markIfTrusted({ store }: Pick<RecordingsContext, 'store'>, root: RecordingRoot): void {
  const { db } = store;
  if (rootProblem(db, root.id, root.path) !== null) return;
  const known = findRoot(db, root.id);
  if (known === null) return;
  const mark = markFolder(root.path, known.marker);
  if (known.marker === mark.marker && known.filesystem === mark.filesystem && known.readOnly === mark.readOnly) return;
  store.act('gateway', (note) => {
    putRootMark(db, root.id, mark);
    note('config.applied', `root:${root.id}`, { marked: mark.marker !== null, readOnly: mark.readOnly });
  });
}
