/**
 * Whether the recorder still has what is held, and the vault what was copied. A recorder that deletes or rewrites held footage is
 * an alarm, and its copy stands for it; a copy that is not what it was is one too.
 */
import { lstat } from 'node:fs/promises';
import type { Segment } from '../../domain/segment.js';
import { GatewayError, toGatewayError } from '../../errors.js';
import { joinBeneath } from '../../platform/durable-file.js';
import { inodeText } from '../../platform/file-identity.js';
import { findById } from '../../store/segments.js';
import { openTask, openTasks } from '../../store/tasks.js';
import {
  noteDamage,
  noteOriginal,
  renewStamp,
  wholeCopies,
  type FileStampOf,
  type OriginalState,
  type WholeCopy,
} from '../../store/vault-copies.js';
import { lookAtRoot } from '../trust.js';
import type { VaultContext, VaultResult, VaultRun } from './context.js';
import type { Copier } from './copy-thread.js';

const lostKind = 'held-original-lost';
const damagedKind = 'vault-copy-damaged';

const sameStamp = (a: FileStampOf, b: FileStampOf): boolean =>
  a.inode === b.inode && a.sizeBytes === b.sizeBytes && a.mtimeUs === b.mtimeUs;

/** Null where there is no file of this name. Throws `io-failed` where nothing can be said. */
async function stampAt(path: string): Promise<FileStampOf | 'other' | null> {
  try {
    const stat = await lstat(path, { bigint: true });
    if (!stat.isFile()) return 'other';
    return { inode: inodeText(stat.ino), sizeBytes: Number(stat.size), mtimeUs: Number(stat.mtimeNs / 1000n) };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw toGatewayError(error, 'looking at a held recording');
  }
}

/** Looks at every copy and its original. Reads a file only where something about it changed. */
export async function watchOriginals(
  ctx: VaultContext,
  run: VaultRun,
  copier: Copier,
): Promise<Pick<VaultResult, 'originalsLost' | 'damaged'>> {
  const { db } = ctx.store;
  const roots = new Map<string, { path: string; problem: string | null }>();
  const lost: { segment: Segment; original: OriginalState }[] = [];
  for (const copy of wholeCopies(db)) {
    if (run.signal?.aborted === true) break;
    const segment = findById(db, copy.segmentId);
    if (segment === null) continue;
    try {
      await lookAtCopy(ctx, copy, copier);
      const root = roots.get(segment.rootId) ?? lookAtRoot(db, segment.rootId, ctx.rootPath(segment.rootId));
      roots.set(segment.rootId, root);
      // A disk that is not there says nothing about what is on it.
      if (root.problem !== null) continue;
      const judged = await judge(copy, root.path, segment.path, copier);
      if (judged === null || judged.original === copy.original) {
        if (judged !== null) noteOriginal(db, copy.derivedId, { ...judged, atUs: ctx.store.clock.nowUs() });
        continue;
      }
      const isLoss = judged.original === 'gone' || judged.original === 'changed';
      const atUs = judged.original === 'there' ? null : ctx.store.clock.nowUs();
      if (isLoss) lost.push({ segment, original: judged.original });
      noteOriginal(db, copy.derivedId, { ...judged, atUs });
    } catch (error) {
      const failure = toGatewayError(error);
      if (failure.code === 'interrupted') break;
      ctx.log.warn({ segment: segment.id, err: failure }, 'a held recording gives no answer; it is asked again');
    }
  }
  if (lost.length > 0) tellLost(ctx, lost);
  const copies = wholeCopies(db);
  const damaged = copies.filter(({ damagedUs }) => damagedUs !== null);
  if (damaged.length > 0) tellDamaged(ctx, damaged);
  return {
    originalsLost: copies.filter(({ original }) => original === 'gone' || original === 'changed').length,
    damaged: damaged.length,
  };
}

/** The copy itself: by its inode, size and last write; its bytes are read where one of them is another. */
async function lookAtCopy(ctx: VaultContext, copy: WholeCopy, copier: Copier): Promise<void> {
  const { db, clock } = ctx.store;
  const folder = joinBeneath(ctx.dataDir, copy.path);
  const stamp = await stampAt(joinBeneath(folder, copy.fileName));
  if (stamp !== null && stamp !== 'other' && sameStamp(stamp, copy)) return;
  const isWhole =
    stamp !== null &&
    stamp !== 'other' &&
    stamp.sizeBytes === copy.sizeBytes &&
    (await copier.hash({ what: 'hash', root: folder, path: copy.fileName })).sha256 === copy.sha256;
  // Put back from a backup of the data folder, for one: another file, and the same bytes.
  if (isWhole) renewStamp(db, copy.derivedId, stamp);
  else noteDamage(db, copy.derivedId, clock.nowUs());
}

/** What became of the recorder's file; null where all is as it was when last compared. */
async function judge(
  copy: WholeCopy,
  root: string,
  path: string,
  copier: Copier,
): Promise<{ readonly original: OriginalState; readonly stamp: FileStampOf | null } | null> {
  const found = await stampAt(joinBeneath(root, path));
  if (found === null) return copy.original === 'gone' ? null : { original: 'gone', stamp: null };
  if (found === 'other') return copy.original === 'changed' ? null : { original: 'changed', stamp: null };
  if (sameStamp(found, copy.source) && copy.original !== 'gone') return null;
  if (found.sizeBytes < copy.sizeBytes) return { original: 'changed', stamp: found };
  try {
    const { sha256, stamp } = await copier.hash({ what: 'hash', root, path, endBytes: copy.sizeBytes });
    if (sha256 !== copy.sha256) return { original: 'changed', stamp };
    return { original: stamp.sizeBytes === copy.sizeBytes ? 'there' : 'grown', stamp };
  } catch (error) {
    // Being written to, or removed this moment: looked at again by the next run.
    if (error instanceof GatewayError && ['segment-changed', 'footage-gone'].includes(error.code)) return null;
    throw error;
  }
}

function byCamera<T>(all: readonly T[], cameraOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(cameraOf(one), [...(groups.get(cameraOf(one)) ?? []), one]);
  return groups;
}

function tellLost(ctx: VaultContext, lost: readonly { segment: Segment; original: OriginalState }[]): void {
  const { store, log } = ctx;
  store.act('gateway', (note) => {
    for (const [cameraId, of] of byCamera(lost, ({ segment }) => segment.cameraId)) {
      log.error(
        { camera: cameraId, segments: of.length },
        'held footage was deleted or changed, and not by the gateway',
      );
      openTask(store.db, {
        kind: lostKind,
        subject: `camera:${cameraId}`,
        detail: `${of.length} held recordings of camera "${cameraId}" were deleted or changed on the recorder's disk, and not by the gateway. Their protected copies stand for them: nothing is lost. Find out who did it; set the recorder so that it keeps what is held, and longer than the gateway does.`,
        createdUs: store.clock.nowUs(),
      });
      note('vault.original-lost', `camera:${cameraId}`, {
        segments: of.map(({ segment, original }) => ({ segment: segment.id, original })),
      });
    }
  });
}

/** As long as a copy is damaged there is a task for it. */
function tellDamaged(ctx: VaultContext, damaged: readonly WholeCopy[]): void {
  const { store, log } = ctx;
  const { db } = store;
  const open = new Set(openTasks(db).flatMap(({ kind, subject }) => (kind === damagedKind ? [subject] : [])));
  const news = [...byCamera(damaged, ({ segmentId }) => findById(db, segmentId)?.cameraId ?? '')].filter(
    ([cameraId]) => !open.has(`camera:${cameraId}`),
  );
  if (news.length === 0) return;
  store.act('gateway', (note) => {
    for (const [cameraId, copies] of news) {
      log.error({ camera: cameraId, copies: copies.length }, 'a protected copy is not what it was');
      openTask(db, {
        kind: damagedKind,
        subject: `camera:${cameraId}`,
        detail: `${copies.length} protected copies of held recordings of camera "${cameraId}" are gone or not what they were when they were made. Where the recorder still has the recording it is copied again. Check the disk of the data folder, and find out who wrote there.`,
        createdUs: store.clock.nowUs(),
      });
      note('vault.damaged', `camera:${cameraId}`, {
        copies: copies.map(({ derivedId, segmentId, method }) => ({ copy: derivedId, segment: segmentId, method })),
      });
    }
  });
}
