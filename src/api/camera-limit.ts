/** How a camera's footage stands against its limit. */
import type { Hold } from '../domain/hold.js';
import { hourUs } from '../domain/retention-rules/index.js';
import { fateOf, legalLimitUs, limitFor, type SegmentFate } from '../domain/retention.js';
import type { Database } from '../store/database.js';
import type { CameraRow } from '../store/cameras.js';
import type { DeletionRow } from '../store/deletions.js';
import { oldestNotHeld } from '../retention/next-deletion.js';
import type { CameraLimit } from './views.js';

interface Situation {
  readonly db: Database;
  readonly nowUs: number;
  readonly marginUs: number;
  readonly holds: readonly Hold[];
  /** Deletions that are begun and not done. */
  readonly intents: readonly DeletionRow[];
}

/**
 * The state of the worst segment: the oldest one that is due and not held decides before one that is held, and a deletion
 * that was begun and failed stays due until the file is gone. `oldestUs` is the start of the camera's oldest segment.
 */
export function cameraLimit(camera: CameraRow, oldestUs: number | null, situation: Situation): CameraLimit {
  const { db, nowUs, marginUs, holds, intents } = situation;
  const { ruleId, maxAgeUs } = limitFor(camera, marginUs);
  if (oldestUs === null) {
    return { ruleId, maxAgeUs, dueUs: null, legalUs: null, hoursLeft: null, state: 'empty' };
  }
  const at = (startUs: number, state: CameraLimit['state']): CameraLimit => ({
    ruleId,
    maxAgeUs,
    dueUs: startUs + maxAgeUs,
    legalUs: legalLimitUs(camera, startUs),
    hoursLeft: Math.floor(((startUs + maxAgeUs - nowUs) / hourUs) * 10) / 10,
    state,
  });
  const stateOf = (fate: SegmentFate): CameraLimit['state'] => (fate.late ? 'late' : 'due');

  const intent = intents.find((one) => one.cameraId === camera.cameraId);
  const cutoffUs = nowUs - maxAgeUs;
  const next = oldestNotHeld(db, camera.cameraId, holds, nowUs);
  if (next !== null && next.startUs <= cutoffUs && (intent === undefined || next.startUs < intent.startUs)) {
    return at(next.startUs, stateOf(fateOf(next, camera, [], nowUs, marginUs)));
  }
  if (intent !== undefined) {
    return at(intent.startUs, nowUs >= legalLimitUs(camera, intent.startUs) ? 'late' : 'due');
  }
  return at(oldestUs, oldestUs <= cutoffUs ? 'held' : 'ok');
}
