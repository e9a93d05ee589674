/** Sound of a camera is off until legal has approved the legal basis that the configuration gives for it. */
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import type { Store } from '../store/audit-log.js';
import { getCamera, putCamera, type CameraRow } from '../store/cameras.js';
import { listSubstreams } from '../store/substreams.js';
import { closeTask } from '../store/tasks.js';

export const audioTaskKind = 'audio-basis';

/**
 * Approves the basis that stands in the register, or takes that back; for the camera and its sub-streams. Throws `forbidden`
 * without the role legal, `not-found`, `conflict` where no basis is written.
 */
export function decideAudio(
  { store }: { readonly store: Store },
  user: User,
  cameraId: string,
  approve: boolean,
): CameraRow {
  assertRight(user, 'camera.audio');
  const { db, clock } = store;
  return store.act(`user:${user.id}`, (note) => {
    const camera = getCamera(db, cameraId);
    const main = listSubstreams(db).find(({ streamId }) => streamId === cameraId);
    if (main !== undefined) {
      throw new GatewayError('conflict', `"${cameraId}" is camera "${main.cameraId}" once more.`, {
        remedy: 'Its sound is that of the camera: decide for that.',
      });
    }
    if (approve && (camera.facts.audioBasis ?? '').trim() === '') {
      throw new GatewayError('conflict', `No legal basis is written for sound of camera "${cameraId}".`, {
        remedy: 'Set audio: true and audioBasis for it in the configuration, and start the gateway anew.',
      });
    }
    const streams = listSubstreams(db).flatMap((one) => (one.cameraId === cameraId ? [one.streamId] : []));
    for (const id of [cameraId, ...streams]) {
      const before = getCamera(db, id);
      const facts = { ...before.facts, audioApprovedBy: approve ? `user:${user.id}` : null };
      putCamera(db, { ...before, audioAllowed: approve, facts });
    }
    closeTask(db, audioTaskKind, `camera:${cameraId}`, clock.nowUs());
    note('camera.changed', `camera:${cameraId}`, { audioAllowed: approve, streams });
    return getCamera(db, cameraId);
  });
}
