/** What of a camera goes next: its oldest segment that no hold keeps. */
import { holdCovers, type Hold } from '../domain/hold.js';
import type { Segment } from '../domain/segment.js';
import type { Database } from '../store/database.js';
import { segmentsDue, type SegmentCursor } from '../store/segments.js';
import { wallEndIn } from '../store/segments-shown.js';

/** Of rows that are missing there may be many, one after the other; without any the first row decides. */
const pageSize = 50;

/**
 * The oldest indexed segment of a camera that none of these holds covers at `nowUs`, due or not; null without any. What lies in a
 * hold is passed over as a whole: it may be weeks of footage.
 */
export function oldestNotHeld(db: Database, cameraId: string, holds: readonly Hold[], nowUs: number): Segment | null {
  let after: SegmentCursor | null = null;
  let limit = 1;
  for (;;) {
    const page: Segment[] = segmentsDue(db, cameraId, Number.MAX_SAFE_INTEGER, after, limit);
    const segment = page.find(({ state }) => state === 'indexed');
    if (segment === undefined) {
      if (page.length < limit) return null;
      after = page.at(-1) ?? null;
      limit = pageSize;
      continue;
    }
    const shown = holds.length === 0 ? segment : { ...segment, endUs: wallEndIn(db, segment).latestEndUs };
    const hold = holds.find((one) => holdCovers(one, shown, nowUs));
    if (hold === undefined) return segment;
    // What begins within the hold is held too; what begins before it may end before it.
    const { startUs, id } = segment;
    after = startUs < hold.startUs ? { startUs, id } : { startUs: hold.endUs, id: 0 };
  }
}
