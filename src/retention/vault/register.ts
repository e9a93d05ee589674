/** A copy that is whole on the disk becomes the one that stands for its segment. */
import type { Segment } from '../../domain/segment.js';
import { GatewayError } from '../../errors.js';
import { holdsCovering } from '../../store/holds.js';
import { findById } from '../../store/segments.js';
import { finishCopy, wholeCopyOf } from '../../store/vault-copies.js';
import type { VaultContext } from './context.js';
import type { CopyMade } from './copy-here.js';
import { intendRemoval } from './release.js';

/**
 * One transaction. Gives whether an older copy of the segment has to go now. Throws `conflict` where the copy is of nothing that
 * is held: it was deleted, released or changed while it was made; the caller removes it.
 */
export function registerCopy(
  ctx: VaultContext,
  segment: Pick<Segment, 'id'>,
  derivedId: number,
  made: CopyMade,
  type: 'vault.copied' | 'vault.adopted' = 'vault.copied',
): boolean {
  const { store } = ctx;
  const { db, clock } = store;
  const notWanted = new GatewayError('conflict', 'The recording is not held any more, or changed while it was copied.');
  return store.act('gateway', (note) => {
    const now = findById(db, segment.id);
    const isWanted =
      now !== null &&
      now.state !== 'deleting' &&
      now.sizeBytes === made.sizeBytes &&
      holdsCovering(db, now.cameraId, now, clock.nowUs()).length > 0;
    if (!isWanted) throw notWanted;
    const older = wholeCopyOf(db, segment.id);
    if (older !== null) intendRemoval(ctx, note, [{ copy: older, segment: now, why: 'replaced' }]);
    if (!finishCopy(db, derivedId, { ...made, copiedUs: clock.nowUs() })) throw notWanted;
    note(type, `camera:${now.cameraId}`, {
      copy: derivedId,
      segment: segment.id,
      method: made.method,
      sizeBytes: made.sizeBytes,
      sha256: made.sha256,
    });
    return older !== null;
  });
}
