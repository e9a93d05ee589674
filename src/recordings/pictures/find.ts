/** Which recording shows a moment of a camera, among those that may still be looked at. */
import { coverRange, type Shown } from '../../domain/coverage.js';
import { gapToleranceUs } from '../../domain/manifest.js';
import { fateOf } from '../../domain/retention.js';
import { isThere, type TimeRange } from '../../domain/segment.js';
import type { WallSegment } from '../../domain/wall-clock.js';
import { getCamera } from '../../store/cameras.js';
import { activeHolds } from '../../store/holds.js';
import { segmentsShowing } from '../../store/segments-shown.js';
import { streamsOf } from '../../store/substreams.js';
import type { PictureContext } from './context.js';

export interface Lookable {
  readonly shows: readonly (Shown & { readonly segment: WallSegment })[];
  /** Recordings of the range that are due for deletion, and so not shown. */
  readonly due: number;
}

/** Throws `not-found` for an unknown camera. */
export function lookable(
  ctx: Pick<PictureContext, 'store' | 'marginUs'>,
  cameraId: string,
  range: TimeRange,
): Lookable {
  const { db, clock } = ctx.store;
  const nowUs = clock.nowUs();
  const holds = activeHolds(db, nowUs);
  getCamera(db, cameraId);
  const policies = new Map(streamsOf(db, cameraId).map((id) => [id, getCamera(db, id)]));
  let due = 0;
  const there = segmentsShowing(db, [...policies.keys()], range).filter((segment) => {
    const policy = policies.get(segment.cameraId);
    if (!isThere(segment) || policy === undefined) return false;
    const shown = { ...segment, endUs: segment.latestEndUs };
    const isDue = fateOf(shown, policy, holds, nowUs, ctx.marginUs).verdict === 'delete';
    if (isDue) due += 1;
    return !isDue;
  });
  const byId = new Map(there.map((segment) => [segment.id, segment]));
  const recordings = there.map((segment) => ({
    ...segment,
    endUs: segment.coveredUntilUs,
    streamId: segment.cameraId,
  }));
  const shows = coverRange(range, recordings, gapToleranceUs).shows.flatMap((shown) => {
    const segment = byId.get(shown.segmentId);
    return segment === undefined ? [] : [{ ...shown, segment }];
  });
  return { shows, due };
}
