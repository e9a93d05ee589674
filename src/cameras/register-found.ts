/** Cameras that nobody configured, and what devices say of themselves, in the register. */
import { defaultPolicy } from '../domain/camera.js';
import { toGatewayError } from '../errors.js';
import type { Note, Store } from '../store/audit-log.js';
import { listCameras, noDevice, putCamera, type CameraDevice, type CameraRow } from '../store/cameras.js';
import { openTask } from '../store/tasks.js';
import type { Problem } from './discovery.js';
import { identifyDevices, usableMac, usableSerial } from './identity.js';
import type { FoundCamera } from './index.js';
import { keepMeasurement } from './measure-clocks.js';

/** A camera that nobody configured, found in a root: registered with the default limit, and a task for an administrator. */
export function registerFoundCamera(store: Store, note: Note, cameraId: string, label: string): void {
  const nowUs = store.clock.nowUs();
  putCamera(store.db, {
    cameraId,
    label,
    ...defaultPolicy,
    purpose: defaultPolicy.class,
    audioAllowed: false,
    origin: 'found-recording',
    adopted: false,
    device: noDevice,
    clock: null,
    createdUs: nowUs,
  });
  askForPolicy(
    store,
    cameraId,
    `Recordings of camera "${cameraId}" were found, but the configuration does not name it.`,
    nowUs,
  );
  note('camera.registered', `camera:${cameraId}`, {
    origin: 'found-recording',
    class: defaultPolicy.class,
    retentionDays: defaultPolicy.retentionDays,
  });
}

function askForPolicy(store: Store, cameraId: string, what: string, nowUs: number): void {
  openTask(store.db, {
    kind: 'camera-needs-policy',
    subject: `camera:${cameraId}`,
    detail: `${what} It has class ${defaultPolicy.class} and ${defaultPolicy.retentionDays} days until "cameras" says otherwise.`,
    createdUs: nowUs,
  });
}

/**
 * Enters what discovery found. A known device keeps its camera and policy at whatever address; a new one becomes a camera
 * with the default limit and a task; a contradiction changes nothing and is a problem for a person.
 */
export function registerDiscovered(
  store: Store,
  found: readonly FoundCamera[],
): { registered: string[]; problems: Problem[] } {
  const cameras = listCameras(store.db);
  const problems: Problem[] = [];
  const registered: string[] = [];
  const decisions = identifyDevices(
    cameras.map((camera) => ({ cameraId: camera.cameraId, ...camera.device })),
    found.map((device) => ({ ...device, macs: device.macs })),
  );
  for (const [index, decision] of decisions.entries()) {
    const device = found[index];
    if (device === undefined) continue;
    try {
      if (decision.outcome === 'conflict' || decision.outcome === 'unidentified') {
        problems.push({ address: device.address, what: decision.what, remedy: decision.remedy });
      } else if (decision.outcome === 'new') {
        registered.push(registerNew(store, device));
      } else {
        const camera = cameras.find((one) => one.cameraId === decision.cameraId);
        if (camera !== undefined) renew(store, camera, device);
      }
    } catch (thrown) {
      const error = toGatewayError(thrown);
      problems.push({
        address: device.address,
        what: error.message,
        remedy: error.remedy ?? 'Look at the register of cameras.',
      });
    }
  }
  return { registered, problems };
}

const deviceFacts = (device: FoundCamera, before: CameraDevice): CameraDevice => ({
  manufacturer: device.manufacturer ?? before.manufacturer,
  model: device.model ?? before.model,
  firmware: device.firmware ?? before.firmware,
  serial: usableSerial(device.serial) ?? before.serial,
  mac: usableMac(device.mac) ?? before.mac,
  urn: device.urn ?? before.urn,
  address: device.address,
});

const clockFacts = (device: FoundCamera, nowUs: number): CameraRow['clock'] =>
  device.clock === null
    ? null
    : {
        offsetMs: Math.round(device.clock.offsetMs),
        uncertaintyMs: Math.round(device.clock.uncertaintyMs),
        measuredUs: nowUs,
      };

function renew(store: Store, camera: CameraRow, device: FoundCamera): void {
  const nowUs = store.clock.nowUs();
  const facts = deviceFacts(device, camera.device);
  const changed = Object.keys(facts).filter(
    (key) => facts[key as keyof CameraDevice] !== camera.device[key as keyof CameraDevice],
  );
  store.act('gateway', (note) => {
    const measured = clockFacts(device, nowUs);
    putCamera(store.db, { ...camera, device: facts, clock: measured ?? camera.clock });
    if (measured !== null) keepMeasurement(store, { cameraId: camera.cameraId, clock: 'camera', ...measured });
    note('camera.discovered', `camera:${camera.cameraId}`, { changed, clockOffsetMs: device.clockOffsetMs });
  });
}

function registerNew(store: Store, device: FoundCamera): string {
  const taken = new Set(listCameras(store.db).map((camera) => camera.cameraId));
  const base =
    (device.name ?? device.model ?? 'camera')
      .normalize('NFKC')
      .replace(/[^\p{L}\p{N}._-]+/gu, '-')
      .replace(/^[-._]+|[-._]+$/g, '')
      .slice(0, 60) || 'camera';
  let cameraId = base;
  for (let number = 2; taken.has(cameraId); number += 1) cameraId = `${base}-${number}`;
  const nowUs = store.clock.nowUs();
  const measured = clockFacts(device, nowUs);
  store.act('gateway', (note) => {
    putCamera(store.db, {
      cameraId,
      label: device.name ?? cameraId,
      ...defaultPolicy,
      purpose: defaultPolicy.class,
      audioAllowed: false,
      origin: 'discovery',
      adopted: false,
      device: deviceFacts(device, noDevice),
      clock: measured,
      createdUs: nowUs,
    });
    if (measured !== null) keepMeasurement(store, { cameraId, clock: 'camera', ...measured });
    askForPolicy(
      store,
      cameraId,
      `An ONVIF camera at ${device.address} was found, but the configuration does not name it.`,
      nowUs,
    );
    note('camera.registered', `camera:${cameraId}`, {
      origin: 'discovery',
      class: defaultPolicy.class,
      retentionDays: defaultPolicy.retentionDays,
    });
  });
  return cameraId;
}
