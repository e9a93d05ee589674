/** Holds that legal places by itself, apart from those that a request brings along. */
import { randomUUID } from 'node:crypto';
import { assertGroundOfClass, type Hold, type HoldGround } from '../domain/hold.js';
import { legalLimitUs } from '../domain/retention.js';
import { isThere, type TimeRange } from '../domain/segment.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import type { Store } from '../store/audit-log.js';
import { getCamera } from '../store/cameras.js';
import { deletionsIn } from '../store/deletions.js';
import { findHold, insertHold, liftHold } from '../store/holds.js';
import { segmentsIn } from '../store/segments.js';
import { allStreamsOf } from '../store/substreams.js';
import { openTask } from '../store/tasks.js';
import { formatUtc } from '../domain/time.js';

export interface HoldInput extends TimeRange {
  readonly ground: HoldGround;
  readonly reference: string;
  readonly reason: string;
  readonly cameraIds: readonly string[];
  readonly reviewUs: number;
}

export interface PlacedHold {
  readonly hold: Hold;
  /** Segments that it keeps. */
  readonly segments: number;
  readonly warnings: readonly string[];
}

/**
 * Places a hold, in one transaction with the look at what is still there: a sweep sees it whole or not at all. Throws
 * `footage-gone` where nothing is left, so that nobody is told of a hold on footage that is gone.
 */
export function placeHold({ store }: { readonly store: Store }, user: User, input: HoldInput): PlacedHold {
  assertRight(user, 'hold.place');
  if (input.ground === 'disclosure-request') {
    throw new GatewayError('input-invalid', 'A hold for a disclosure comes with its request.', {
      remedy: 'Make a request.',
    });
  }
  const { db, clock } = store;
  return store.act(`user:${user.id}`, (note) => {
    for (const id of input.cameraIds) {
      assertGroundOfClass(id, getCamera(db, id).class, input.ground);
    }
    // Every stream of a camera, and of each every copy: a copy that goes is a loss too.
    const cameraIds = allStreamsOf(db, input.cameraIds);
    const found = segmentsIn(db, cameraIds, input);
    const kept = found.filter(isThere);
    const gone = deletionsIn(db, cameraIds, input).length;
    if (kept.length === 0) {
      throw new GatewayError('footage-gone', 'There is no footage of these cameras in this range.', {
        remedy:
          gone > 0
            ? `${gone} segments of it were deleted or are being deleted; the deletion records say when.`
            : 'Check cameras and times.',
      });
    }
    const hold: Hold = {
      ...input,
      cameraIds,
      id: `h-${randomUUID()}`,
      requestId: null,
      placedBy: `user:${user.id}`,
      placedUs: clock.nowUs(),
      liftedUs: null,
    };
    insertHold(db, hold);
    note('hold.placed', `hold:${hold.id}`, {
      ground: hold.ground,
      cameras: [...hold.cameraIds],
      startUs: hold.startUs,
      endUs: hold.endUs,
      reviewUs: hold.reviewUs,
      segments: kept.length,
    });
    if (hold.ground === 'dispute') {
      // CCTV Act § 4 c(5): the other party is told within the 30 days of the oldest frame that is kept for it.
      const deadlineUs = Math.min(
        ...kept.map((segment) => legalLimitUs(getCamera(db, segment.cameraId), segment.startUs)),
      );
      openTask(db, {
        kind: 'tell-the-other-party',
        subject: `hold:${hold.id}`,
        detail: `Tell the other party of the dispute before ${formatUtc(deadlineUs)} that footage is kept, and hand over a copy on request.`,
        createdUs: clock.nowUs(),
      });
    }
    const warnings = [
      ...(hold.endUs - hold.startUs > 3_600_000_000
        ? ['The range is longer than 60 minutes: hold no more than is needed.']
        : []),
      ...(new Set(input.cameraIds).size > 3 ? ['More than 3 cameras: hold no more than is needed.'] : []),
      ...(gone > 0
        ? [`${gone} segments of this range were deleted before, or are being deleted: they are not held.`]
        : []),
    ];
    return { hold, segments: kept.length, warnings };
  });
}

/** Ends a hold. A request's own hold ends with the request. */
export function lift({ store }: { readonly store: Store }, user: User, id: string): Hold {
  assertRight(user, 'hold.lift');
  return store.act(`user:${user.id}`, (note) => {
    const hold = findHold(store.db, id);
    if (hold === null)
      throw new GatewayError('not-found', `There is no hold "${id}".`, { remedy: 'See the list of holds.' });
    if (hold.requestId !== null) {
      throw new GatewayError('conflict', `Hold ${id} belongs to request ${hold.requestId}.`, {
        remedy: 'Refuse or close the request.',
      });
    }
    if (!liftHold(store.db, id, `user:${user.id}`, store.clock.nowUs())) {
      throw new GatewayError('conflict', `Hold ${id} was lifted before.`, { remedy: 'Nothing is left to do.' });
    }
    note('hold.lifted', `hold:${id}`, {});
    return findHold(store.db, id) ?? hold;
  });
}
