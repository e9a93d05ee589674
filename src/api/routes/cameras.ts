import { z } from 'zod';
import { classRules } from '../../domain/camera.js';
import { lastMeasured, type Measured } from '../../retention/oldest-record.js';
import { listCameras } from '../../store/cameras.js';
import { openIntents } from '../../store/deletions.js';
import { activeHolds } from '../../store/holds.js';
import { listQuarantine } from '../../store/quarantine.js';
import { footageByCamera } from '../../store/segments.js';
import { listSubstreams } from '../../store/substreams.js';
import { cameraLimit } from '../camera-limit.js';
import { instant } from '../instants.js';
import { route, type Route } from '../route.js';
import type { CamerasView, OnDiskView } from '../views.js';

/** Given once or several times in a query. */
const cameraIds = z
  .union([z.string().min(1).max(200), z.array(z.string().min(1).max(200)).min(1).max(100)])
  .transform((value) => (typeof value === 'string' ? [value] : value));

function onDiskOf(measured: Measured | null, cameraId: string): OnDiskView | null {
  const found = measured?.cameras.find((one) => one.cameraId === cameraId);
  if (measured === null || found === undefined) return null;
  return { atUs: measured.atUs, ...found };
}

export const cameraRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/api/cameras',
    right: 'camera.read',
    summary: 'Every camera: its policy, its device, what is on disk, and how that stands against the limit',
    handler: ({ deps: { store, retention } }): CamerasView => {
      const { db } = store;
      const nowUs = store.clock.nowUs();
      const footage = new Map(footageByCamera(db).map((one) => [one.cameraId, one]));
      const quarantined = listQuarantine(db).map((one) => one.cameraId);
      const holds = activeHolds(db, nowUs);
      const mains = new Map(listSubstreams(db).map((stream) => [stream.streamId, stream.cameraId]));
      const situation = { db, nowUs, marginUs: retention.marginUs, holds, intents: openIntents(db) };
      const measured = lastMeasured(db);
      const cameras = listCameras(db).map((camera) => {
        const { cameraId } = camera;
        const rule = classRules[camera.class];
        const found = footage.get(cameraId);
        return {
          cameraId,
          label: camera.label,
          purpose: camera.purpose,
          origin: camera.origin,
          adopted: camera.adopted,
          policy: {
            class: camera.class,
            retentionDays: camera.retentionDays,
            retentionReason: camera.retentionReason,
            maxRetentionDays: rule.maxRetentionDays,
            recipients: rule.recipients,
            mayRecord: rule.mayRecord,
            audioAllowed: camera.audioAllowed,
            source: rule.source,
          },
          device: camera.device,
          clock: camera.clock,
          footage: {
            segments: found?.segments ?? 0,
            sizeBytes: found?.sizeBytes ?? 0,
            oldestUs: found?.oldestUs ?? null,
            newestUs: found?.newestUs ?? null,
            missing: found?.missing ?? 0,
            quarantined: quarantined.filter((id) => id === cameraId).length,
          },
          substreamOf: mains.get(cameraId) ?? null,
          limit: cameraLimit(camera, found?.oldestUs ?? null, situation),
          onDisk: onDiskOf(measured, cameraId),
        };
      });
      return { nowUs, cameras };
    },
  }),
  route({
    method: 'get',
    path: '/api/coverage',
    right: 'footage.read',
    summary: 'What there is of some cameras in a range, and what is missing. The search is logged',
    query: z.strictObject({ camera: cameraIds, from: instant, to: instant }),
    handler: ({ deps, user, query }) =>
      deps.footage.search(user, query.camera, { startUs: query.from, endUs: query.to }),
  }),
];
