/**
 * Measures on a schedule how far the clocks of cameras and recorders are from ours, keeps each measurement, and says so where one is
 * off. The times of footage are never corrected by it: whoever gets the footage is told.
 */
import { formatUtc } from '../domain/time.js';
import { toGatewayError } from '../errors.js';
import type { Clock } from '../platform/clock.js';
import type { Store } from '../store/audit-log.js';
import { getCamera, listCameras, putCamera } from '../store/cameras.js';
import { newestReceived, putMeasurement, type ClockMeasurement } from '../store/clock-measurements.js';
import { closeTask, openTask } from '../store/tasks.js';
import type { Problem } from './discovery.js';
import { readCameraClock } from './onvif.js';

/** A clock that is further off than this by more than can be explained by the measurement is an alarm. */
const alarmMs = 2000;

const taskKinds = { camera: 'camera-clock-off', recorder: 'recorder-clock-off' } as const;

/** Keeps a measurement and opens or closes its task. To be called within an act. */
export function keepMeasurement({ db, clock }: Store, one: ClockMeasurement): void {
  putMeasurement(db, one);
  const kind = taskKinds[one.clock];
  const subject = `camera:${one.cameraId}`;
  const surelyOffMs = Math.abs(one.offsetMs) - one.uncertaintyMs;
  if (surelyOffMs <= alarmMs) {
    closeTask(db, kind, subject, clock.nowUs());
    return;
  }
  const whose = one.clock === 'camera' ? 'The clock of' : 'The clock of the recorder of';
  const way = one.offsetMs > 0 ? 'ahead of' : 'behind';
  openTask(db, {
    kind,
    subject,
    detail: `${whose} camera "${one.cameraId}" was at least ${(surelyOffMs / 1000).toFixed(1)} s ${way} the gateway's at ${formatUtc(one.measuredUs)}. Let camera, recorder and gateway take their time from the same NTP server. Footage keeps the times that it has; packages say how far they are off.`,
    createdUs: clock.nowUs(),
  });
}

export interface ClockTarget {
  readonly address: string;
  readonly tlsFingerprint?: string | undefined;
}

export interface MeasureOptions {
  /** How a camera of the register is reached; null for one that is not asked. */
  readonly targetOf: (cameraId: string, address: string | null) => ClockTarget | null;
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

const atOnce = 8;

/** Asks every camera that has an address, and looks at what recorders wrote last. A camera that gives no answer is a problem, not an error. */
export async function measureClocks(
  store: Store,
  options: MeasureOptions,
): Promise<{ readonly measured: readonly ClockMeasurement[]; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = [];
  const measured: ClockMeasurement[] = [];
  const cameras = listCameras(store.db);
  const queue = cameras.flatMap(({ cameraId, device }) => {
    const target = options.targetOf(cameraId, device.address);
    return target === null ? [] : [{ cameraId, ...target }];
  });
  const work = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined && options.signal?.aborted !== true; one = queue.shift()) {
      const { cameraId, address, tlsFingerprint } = one;
      try {
        const { timeoutMs, clock } = options;
        const answer = await readCameraClock(address, { tlsFingerprint, timeoutMs, clock });
        problems.push(...answer.problems);
        if (answer.clock === null) continue;
        const { offsetMs, uncertaintyMs } = answer.clock;
        const rounded = { offsetMs: Math.round(offsetMs), uncertaintyMs: Math.ceil(uncertaintyMs) };
        measured.push({ cameraId, clock: 'camera', measuredUs: store.clock.nowUs(), ...rounded });
      } catch (thrown) {
        const error = toGatewayError(thrown);
        problems.push({ address, what: error.message, remedy: error.remedy ?? 'Correct onvif.address of the camera.' });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  measured.push(...cameras.flatMap(({ cameraId }) => recorderOf(store, cameraId) ?? []));
  if (measured.length > 0) {
    store.act('gateway', (note) => {
      for (const one of measured) {
        keepMeasurement(store, one);
        const { measuredUs, offsetMs, uncertaintyMs } = one;
        if (one.clock === 'camera') {
          putCamera(store.db, {
            ...getCamera(store.db, one.cameraId),
            clock: { measuredUs, offsetMs, uncertaintyMs },
          });
        }
      }
      note('camera.clocks-measured', 'gateway', {
        clocks: measured.map(({ cameraId, clock, offsetMs, uncertaintyMs }) => ({
          cameraId,
          clock,
          offsetMs,
          uncertaintyMs,
        })),
      });
    });
  }
  return { measured, problems };
}

/** How long after its last frame a recorder has a file closed and moved to its place, at most. */
const closingMs = 60_000;
const recentUs = 2 * 3_600_000_000;
const arrivalUs = 300_000_000;

/**
 * The recorder's clock, by the newest files that arrived while somebody watched. A frame cannot be written before it was taken, so
 * the recorder is at least as far ahead as the end of the footage lies after the last write; and by `closingMs` more at most.
 * Null where nothing new came: an old file that was copied today tells nothing.
 */
function recorderOf(store: Store, cameraId: string): ClockMeasurement | null {
  const nowUs = store.clock.nowUs();
  const fresh = newestReceived(store.db, cameraId, nowUs - recentUs).filter(
    ({ firstSeenUs, mtimeUs }) => Math.abs(firstSeenUs - mtimeUs) <= arrivalUs,
  );
  if (fresh.length === 0) return null;
  const leastMs = Math.max(...fresh.map(({ endUs, mtimeUs }) => (endUs - mtimeUs) / 1000));
  return {
    cameraId,
    clock: 'recorder',
    measuredUs: nowUs,
    offsetMs: Math.round(leastMs + closingMs / 2),
    uncertaintyMs: closingMs / 2,
  };
}
