import { z } from 'zod';
import { decideAudio } from '../../cameras/audio-basis.js';
import { classRules, gapsOfCamera } from '../../domain/camera.js';
import { lastMeasured, type Measured } from '../../retention/oldest-record.js';
import { getCamera, listCameras } from '../../store/cameras.js';
import { measurementsOf } from '../../store/clock-measurements.js';
import { openIntents } from '../../store/deletions.js';
import { activeHolds } from '../../store/holds.js';
import { quarantinedByCamera } from '../../store/quarantine.js';
import { openChanges } from '../../store/retention-changes.js';
import { footageByCamera } from '../../store/segments.js';
import { listSubstreams } from '../../store/substreams.js';
import { cameraLimit } from '../camera-limit.js';
import type { ProposedChange } from '../../retention/policy.js';
import { instant } from '../instants.js';
import { route, type Route } from '../route.js';
import type { CamerasView, OnDiskView } from '../views.js';

/** Given once or several times in a query. */
const cameraIds = z
  .union([z.string().min(1).max(200), z.array(z.string().min(1).max(200)).min(1).max(100)])
  .transform((value) => (typeof value === 'string' ? [value] : value));

const cameraParams = z.strictObject({ id: z.string().min(1).max(200) });

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
      const quarantined = quarantinedByCamera(db);
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
          facts: camera.facts,
          missing: gapsOfCamera(camera),
          device: camera.device,
          clock: camera.clock,
          footage: {
            segments: found?.segments ?? 0,
            sizeBytes: found?.sizeBytes ?? 0,
            oldestUs: found?.oldestUs ?? null,
            newestUs: found?.newestUs ?? null,
            missing: found?.missing ?? 0,
            quarantined: quarantined.get(cameraId) ?? 0,
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
  route({
    method: 'get',
    path: '/api/cameras/:id/retention-preview',
    right: 'camera.read',
    summary: 'What a shorter period would delete a day from now that the one in force keeps; null for a longer one',
    params: cameraParams,
    query: z.strictObject({ days: z.coerce.number() }),
    handler: ({ deps: { retention }, params: { id }, query: { days } }) => ({ preview: retention.preview(id, days) }),
  }),
  route({
    method: 'post',
    path: '/api/cameras/:id/retention',
    right: 'policy.propose',
    status: 201,
    summary:
      'Propose another period: a shorter one counts after a day, a longer one once a second person has confirmed it',
    params: cameraParams,
    body: z.strictObject({ days: z.number(), reason: z.string().trim().min(1).max(2000) }),
    handler: ({ deps: { retention }, user, params: { id }, body: { days, reason } }): ProposedChange =>
      retention.propose(user, { cameraId: id, retentionDays: days, reason }),
  }),
  route({
    method: 'get',
    path: '/api/cameras/:id/clocks',
    right: 'camera.read',
    summary: 'How far the clocks of a camera and of its recorder were from the gateway’s, newest first',
    params: cameraParams,
    handler: ({ deps: { store }, params: { id } }) => ({
      clocks: measurementsOf(store.db, getCamera(store.db, id).cameraId, 1000),
    }),
  }),
  route({
    method: 'post',
    path: '/api/cameras/:id/audio',
    right: 'camera.audio',
    summary: 'Approve the written legal basis for sound of a camera, or take that back',
    params: cameraParams,
    body: z.strictObject({ approve: z.boolean() }),
    handler: ({ deps, user, params: { id }, body: { approve } }) => {
      const { audioAllowed, facts } = decideAudio(deps, user, id, approve);
      return { cameraId: id, audioAllowed, facts };
    },
  }),
  route({
    method: 'get',
    path: '/api/retention-changes',
    right: 'camera.read',
    summary: 'Periods that were changed and do not count yet',
    handler: ({ deps: { store } }) => ({ changes: openChanges(store.db) }),
  }),
  route({
    method: 'post',
    path: '/api/retention-changes/:id/confirm',
    right: 'policy.confirm',
    summary: 'The second person’s yes to a longer period',
    params: cameraParams,
    handler: ({ deps: { retention }, user, params: { id } }) => retention.confirmChange(user, id),
  }),
  route({
    method: 'delete',
    path: '/api/retention-changes/:id',
    right: 'policy.confirm',
    summary: 'Withdraw a change of a period that does not count yet',
    params: cameraParams,
    handler: ({ deps: { retention }, user, params: { id } }) => ({ change: retention.cancelChange(user, id) }),
  }),
];
