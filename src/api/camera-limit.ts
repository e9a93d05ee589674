/** How a camera's footage stands against its limit. */
import type { Hold } from '../domain/hold.js';
import { hourUs } from '../domain/retention-rules/index.js';
import { fateOf, legalLimitUs, limitFor, type SegmentFate } from '../domain/retention.js';
import type { Database } from '../store/database.js';
import type { CameraRow } from '../store/cameras.js';
import type { DeletionRow } from '../store/deletions.js';
import { segmentsBefore } from '../store/segments.js';
import { wallEndIn } from '../store/segments-shown.js';
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
  let held = false;
  for (const segment of segmentsBefore(db, camera.cameraId, nowUs - maxAgeUs)) {
    if (intent !== undefined && intent.startUs <= segment.startUs) break;
    const shown = holds.length === 0 ? segment : { ...segment, endUs: wallEndIn(db, segment).latestEndUs };
    const fate = fateOf(shown, camera, holds, nowUs, marginUs);
    if (fate.verdict === 'delete') return at(segment.startUs, stateOf(fate));
    if (fate.verdict === 'held') held = true;
  }
  if (intent !== undefined) {
    return at(intent.startUs, nowUs >= legalLimitUs(camera, intent.startUs) ? 'late' : 'due');
  }
  return at(oldestUs, held ? 'held' : 'ok');
}
