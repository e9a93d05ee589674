/** Asking for footage. The request and the hold on what it asks for are one transaction: nothing can go in between. */
import { randomBytes } from 'node:crypto';
import { assertScope, type RequestScope } from '../domain/disclosure.js';
import { maxHoldUs } from '../domain/hold.js';
import { dayUs } from '../domain/retention-rules/rule.js';
import { isThere } from '../domain/segment.js';
import { formatLocal } from '../domain/time.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { findCamera } from '../store/cameras.js';
import { insertHold } from '../store/holds.js';
import { getRequest, insertRequest, type RequestRow } from '../store/requests.js';
import { allStreamsOf, mainOf } from '../store/substreams.js';
import { requestSubject, type DisclosureContext } from './context.js';
import { coverageOf, type Coverage } from './coverage.js';
import { warningsFor } from './warnings.js';

export interface CreatedRequest {
  readonly request: RequestRow;
  readonly coverage: Coverage;
  readonly warnings: readonly string[];
}

const defaultHoldDays = 30;

/**
 * Makes a request and holds its footage for `holdDays` (default 30, never over 90). Throws `forbidden`, `input-invalid` or
 * `not-found` where the law or the register does not know it, `footage-gone` where nothing is left to hand over: then there
 * is neither request nor hold, and the message says what the deletion records know.
 */
export function createRequest(
  ctx: DisclosureContext,
  user: User,
  scope: RequestScope,
  options: { readonly holdDays?: number } = {},
): CreatedRequest {
  assertRight(user, 'request.create');
  const { db, clock } = ctx.store;
  const actor = `user:${user.id}` as const;
  const id = `r-${randomBytes(8).toString('hex')}`;
  const holdId = `h-${randomBytes(8).toString('hex')}`;
  return ctx.store.act(actor, (note) => {
    const nowUs = clock.nowUs();
    const cameraIds = [...new Set(scope.cameraIds)].sort();
    const policies = new Map(
      cameraIds.flatMap((cameraId) => {
        const camera = findCamera(db, cameraId);
        return camera === null ? [] : [[cameraId, camera] as const];
      }),
    );
    assertScope(scope, policies, nowUs);
    for (const cameraId of cameraIds) assertMainStream(cameraId, mainOf(db, cameraId));
    const coverage = coverageOf(ctx, cameraIds, scope);
    const held = coverage.cameras.flatMap(({ segments }) => segments.filter(isThere));
    if (held.length === 0) throw gone(ctx, coverage);
    const heldIds = allStreamsOf(db, cameraIds);
    const reviewUs = nowUs + Math.min((options.holdDays ?? defaultHoldDays) * dayUs, maxHoldUs);
    insertRequest(db, { ...scope, cameraIds, id, requestedBy: user.id, requestedUs: nowUs });
    insertHold(db, {
      id: holdId,
      ground: 'disclosure-request',
      reference: scope.journalNumber,
      reason: scope.purpose,
      requestId: id,
      placedAs: 'request',
      // Every stream, and of each every copy: losing one is a loss, whatever is handed over.
      cameraIds: heldIds,
      startUs: scope.startUs,
      endUs: scope.endUs,
      placedBy: actor,
      placedUs: nowUs,
      reviewUs,
    });
    const range = { startUs: scope.startUs, endUs: scope.endUs };
    note('request.created', requestSubject(id), {
      ground: scope.ground,
      recipient: scope.recipient.kind,
      cameras: cameraIds,
      ...range,
      segments: held.length,
      hold: holdId,
    });
    note('hold.placed', `hold:${holdId}`, {
      ground: 'disclosure-request',
      cameras: heldIds,
      ...range,
      reviewUs,
      segments: held.length,
      request: id,
    });
    return { request: getRequest(db, id), coverage, warnings: warningsFor(coverage, scope, ctx.site.timezone) };
  });
}

function assertMainStream(streamId: string, mainId: string | null): void {
  if (mainId === null) return;
  throw new GatewayError('input-invalid', `"${streamId}" is a sub-stream of camera "${mainId}".`, {
    remedy: `Ask for "${mainId}": its sub-stream is taken where the main one shows nothing.`,
  });
}

function gone(ctx: DisclosureContext, coverage: Coverage): GatewayError {
  const local = (us: number): string => formatLocal(us, ctx.site.timezone);
  const records = coverage.cameras.flatMap(({ cameraId, deleted }) =>
    deleted.map(({ startUs, endUs, ruleId, doneUs }) => {
      const when = doneUs === null ? 'is being deleted now' : `deleted ${local(doneUs)}`;
      return `${cameraId} ${local(startUs)} to ${local(endUs)}: ${when} (${ruleId})`;
    }),
  );
  const some = records.slice(0, 5).join('; ') + (records.length > 5 ? `; and ${records.length - 5} more` : '');
  return new GatewayError('footage-gone', 'There is no footage of these cameras in this range: nothing is held.', {
    remedy: records.length > 0 ? `Deletion records: ${some}.` : 'Nothing was recorded then; check cameras and times.',
    details: { deleted: records.length },
  });
}
