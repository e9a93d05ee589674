/**
 * Files that were renamed or moved: the same inode, size and last write at another path, and nothing at the old one. Their rows
 * stay, with all that hangs on them: times, camera, holds, requests. A row keeps its camera even where the new path names
 * another one: it was recorded by the old one, and a hold or a limit of that must not slip off by renaming a folder.
 */
import type { Segment } from '../domain/segment.js';
import type { TreeFacts } from '../platform/tree-walk.js';
import { removeQuarantine } from '../store/quarantine.js';
import { findByPath, moveSegment, segmentsOfFile } from '../store/segments.js';
import { openTask } from '../store/tasks.js';
import type { RecordingRoot, RecordingsContext } from './context.js';
import { cameraIdOf } from './layouts/index.js';
import { lookBeneath } from './look-beneath.js';

export interface Move {
  readonly segment: Segment;
  readonly path: string;
  readonly facts: TreeFacts;
}

/**
 * The segment that a file with a new path was before, or null. A file with several names is none: which of them is the segment
 * cannot be told. Throws the system's error where the old place gives no answer.
 */
export async function findMoved(
  { store }: RecordingsContext,
  root: RecordingRoot,
  path: string,
  facts: TreeFacts,
): Promise<Move | null> {
  const [segment, another] = segmentsOfFile(store.db, root.id, facts);
  if (segment === undefined || another !== undefined || segment.path === path) return null;
  const atOldPlace = await lookBeneath(root.path, segment.path);
  return atOldPlace === null || atOldPlace.inode !== facts.inode ? { segment, path, facts } : null;
}

/** Enters moves in one transaction. Gives how many: one whose path was taken, or whose deletion began, is left to the next scan. */
export function applyMoves(ctx: RecordingsContext, root: RecordingRoot, moves: readonly Move[]): number {
  if (moves.length === 0) return 0;
  const { db, clock } = ctx.store;
  return ctx.store.act('gateway', (note) => {
    const cameras: Record<string, number> = {};
    let moved = 0;
    for (const { segment, path, facts } of moves) {
      if (findByPath(db, root.id, path) !== null) continue;
      const to = { rootId: root.id, path, inode: facts.inode, mtimeUs: facts.mtimeUs };
      if (!moveSegment(db, segment.id, to)) continue;
      removeQuarantine(db, root.id, path);
      moved += 1;
      cameras[segment.cameraId] = (cameras[segment.cameraId] ?? 0) + 1;
      const match = root.layout.decode(path);
      const named = match.kind === 'match' ? cameraIdOf(match.camera) : segment.cameraId;
      if (named === segment.cameraId) continue;
      openTask(db, {
        kind: 'camera-renamed',
        subject: `camera:${segment.cameraId}`,
        detail: `Footage of camera "${segment.cameraId}" was moved to where "${named}" records. It stays footage of "${segment.cameraId}", with its limit and holds; what is recorded from now on is of "${named}". If that is the same camera, place holds and requests on both.`,
        createdUs: clock.nowUs(),
      });
    }
    note('recordings.changed', `root:${root.id}`, { moved, cameras });
    return moved;
  });
}
