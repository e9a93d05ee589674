/** POLCAM, the police's register of cameras: what is told to it, and by when. */
import type { CameraFacts } from './camera.js';
import { dayUs } from './retention-rules/index.js';
import { formatUtc } from './time.js';

/** To be confirmed by counsel. */
const noticeUs = 14 * dayUs;

export const polcamTaskKind = 'polcam-notice';

const changes = {
  added: 'is new',
  moved: 'was moved or described anew',
  removed: 'is not in the configuration any more',
  retention: 'keeps its footage for another time',
};

/**
 * The task to tell POLCAM of a change at `nowUs`; null for a camera that need not be registered, and for a new one that the
 * configuration says is registered already.
 */
export function polcamTask(
  camera: { readonly cameraId: string; readonly facts: Pick<CameraFacts, 'polcam'> },
  change: keyof typeof changes,
  nowUs: number,
): { kind: string; subject: string; detail: string; createdUs: number } | null {
  const { polcam } = camera.facts;
  if (polcam === 'not-required' || (change === 'added' && polcam === 'registered')) return null;
  return {
    kind: polcamTaskKind,
    subject: `camera:${camera.cameraId}`,
    detail: `Camera "${camera.cameraId}" ${changes[change]}. Tell POLCAM before ${formatUtc(nowUs + noticeUs)} and close this task, or set "polcam: not-required" for the camera where it watches no place that has to be registered.`,
    createdUs: nowUs,
  };
}
