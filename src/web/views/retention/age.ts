/** How old the oldest footage of a camera is against its limit, by the disk and by the index. */
import type { CamerasView, CameraView, RetentionOverview } from '../../../api/views.js';

const dayUs = 86_400_000_000;

export interface Age {
  readonly camera: CameraView;
  readonly ageUs: number;
  readonly limitUs: number;
  readonly state: 'ok' | 'due' | 'late';
}

export const toneOfAge = { ok: 'ok', due: 'warn', late: 'bad' } as const;

function judge(camera: CameraView, ageUs: number, { sweepEveryUs }: RetentionOverview): Age {
  const { retentionDays, maxRetentionDays } = camera.policy;
  // What fell due since the last sweep, and what that took, is in order.
  const dueUs = camera.limit.maxAgeUs + 2 * sweepEveryUs;
  const state = ageUs >= maxRetentionDays * dayUs ? 'late' : ageUs >= dueUs ? 'due' : 'ok';
  return { camera, ageUs, limitUs: retentionDays * dayUs, state };
}

/** As the last walk of the disk found it, at the instant of that walk: what was deleted since does not count against it. */
export function ageOnDisk(camera: CameraView, overview: RetentionOverview): Age | null {
  const { onDisk } = camera;
  return onDisk === null || onDisk.oldestUs === null ? null : judge(camera, onDisk.atUs - onDisk.oldestUs, overview);
}

/** As the index says, now; what a hold keeps is not counted. */
export function ageByIndex(camera: CameraView, overview: RetentionOverview): Age | null {
  const next = overview.cameras.find(({ cameraId }) => cameraId === camera.cameraId)?.nextDueUs ?? null;
  return next === null ? null : judge(camera, overview.nowUs - (next - camera.limit.maxAgeUs), overview);
}

/** The one that is nearest to its limit, or furthest beyond it. */
export function worst(
  { cameras }: CamerasView,
  overview: RetentionOverview,
  of: (camera: CameraView, overview: RetentionOverview) => Age | null,
): Age | null {
  const ages = cameras.flatMap((camera) => of(camera, overview) ?? []);
  return ages.reduce<Age | null>(
    (most, one) => (most === null || one.ageUs / one.limitUs > most.ageUs / most.limitUs ? one : most),
    null,
  );
}
