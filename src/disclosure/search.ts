/** Searching is looking too: who asked what there is of which cameras and when, is in the log. No picture is shown. */
import type { Actor } from '../domain/audit-event.js';
import type { TimeRange } from '../domain/segment.js';
import { GatewayError } from '../errors.js';
import { getCamera } from '../store/cameras.js';
import type { DisclosureContext } from './context.js';
import { coverageOf, type Coverage } from './coverage.js';

/** Longer ranges have millions of recordings, and nobody reads their coverage. */
const maxRangeUs = 7 * 24 * 3_600_000_000;
const maxCameras = 50;

/** As `coverageOf`, with an event. Throws `input-invalid` for a range that is none or longer than a week, `not-found`. */
export function searchFootage(
  ctx: Pick<DisclosureContext, 'store'>,
  actor: Actor,
  cameraIds: readonly string[],
  range: TimeRange,
): Coverage {
  for (const id of cameraIds) getCamera(ctx.store.db, id);
  if (!(range.startUs < range.endUs) || range.endUs - range.startUs > maxRangeUs || cameraIds.length > maxCameras) {
    throw new GatewayError('input-invalid', 'This range cannot be searched.', {
      remedy: `Give an end after the start, at most a week, and at most ${maxCameras} cameras.`,
    });
  }
  const coverage = coverageOf(ctx, cameraIds, range);
  ctx.store.act(actor, (note) => {
    const cameras = coverage.cameras.map((camera) => camera.cameraId);
    note('footage.searched', 'gateway', { cameras, startUs: range.startUs, endUs: range.endUs });
  });
  return coverage;
}
