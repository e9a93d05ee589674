/** The register of cameras: what the configuration says of them. What is found without it is in register-found.ts. */
import {
  assertPolicy,
  defaultPolicy,
  type CameraClass,
  type CameraFacts,
  type CameraPolicy,
} from '../domain/camera.js';
import { polcamTask, polcamTaskKind } from '../domain/polcam.js';
import { directionOf, type Period } from '../domain/retention-change.js';
import { listCameras, noDevice, putCamera, type CameraRow } from '../store/cameras.js';
import { extendHolds } from '../store/holds.js';
import {
  configuredCameras,
  configuredPeriod,
  forgetConfigured,
  rememberConfigured,
} from '../store/retention-changes.js';
import { listSubstreams, putSubstream, removeSubstream, type Substream } from '../store/substreams.js';
import { closeTask, openTask } from '../store/tasks.js';
import type { Note, Store } from '../store/audit-log.js';
import { usableMac, usableSerial } from './identity.js';
import { audioTaskKind } from './audio-basis.js';

/** A camera as the configuration names it. */
export interface ConfiguredCamera {
  readonly id: string;
  readonly label?: string | undefined;
  readonly class: CameraClass;
  readonly retentionDays: number;
  readonly retentionReason?: string | undefined;
  readonly purpose?: string | undefined;
  readonly audio: boolean;
  readonly audioBasis?: string | undefined;
  readonly area?: CameraFacts['area'] | undefined;
  readonly signs?: string | undefined;
  readonly polcam?: CameraFacts['polcam'] | undefined;
  /** What recorders call the same camera once more. Each is kept by the rule of the camera. */
  readonly substreams?: readonly string[] | undefined;
  readonly onvif?:
    | { readonly address?: string | undefined; readonly serial?: string | undefined; readonly mac?: string | undefined }
    | undefined;
}

const policyOf = (camera: CameraRow): Record<string, string | number | boolean | null> => ({
  class: camera.class,
  retentionDays: camera.retentionDays,
  audioAllowed: camera.audioAllowed,
});

/** What the file says otherwise than before: as it stands there, and what it asks for. */
interface ConfiguredPeriod {
  readonly configured: Period;
  readonly policy: CameraPolicy;
}

/**
 * Brings the register in line with the configuration. A camera that the configuration no longer names keeps its entry and
 * its limit: its footage still has to go. Throws before anything is changed where a policy is illegal.
 *
 * The period of a camera that is registered stays what it is: one that was changed in the file is given back in `periods`, to be
 * proposed. One that people changed since is not changed back by a file that says what it always did.
 */
export function applyConfiguredCameras(
  store: Store,
  cameras: readonly ConfiguredCamera[],
): { registered: number; changed: number; periods: ConfiguredPeriod[] } {
  const result = { registered: 0, changed: 0, periods: [] as ConfiguredPeriod[] };
  const known = new Map(listCameras(store.db).map((camera) => [camera.cameraId, camera]));
  const inFile = cameras.map((camera) => desired(camera, known.get(camera.id) ?? null, store.clock.nowUs()));
  inFile.forEach(assertPolicy);
  const named = inFile.map((camera) => {
    const before = known.get(camera.cameraId);
    if (before === undefined) {
      if (camera.class !== 'other-purpose') return camera;
      // A period of one's own is approved by legal. Until then the shortest limit of the law is its limit.
      const { class: name, retentionDays } = camera;
      result.periods.push({ configured: { class: name, retentionDays }, policy: camera });
      const days = Math.min(retentionDays, defaultPolicy.retentionDays);
      return { ...camera, class: defaultPolicy.class, retentionDays: days };
    }
    const said = configuredPeriod(store.db, camera.cameraId);
    // The same as ever: whatever is in force was decided elsewhere since.
    if (said?.class === camera.class && said.retentionDays === camera.retentionDays) return keepPeriod(camera, before);
    const policy = asConfigured(camera, before, said);
    const { class: name, retentionDays } = camera;
    result.periods.push({ configured: { class: name, retentionDays }, policy });
    const direction = directionOf(before, policy);
    if (direction === 'longer') return keepPeriod(camera, before);
    // The class counts at once where it can: what may not be handed over under it is not for another day.
    const now = { ...policy, retentionDays: before.retentionDays };
    return isLegal(now) ? { ...camera, ...now } : keepPeriod(camera, before);
  });
  // A sub-stream is its camera once more, and has the period that is in force for that.
  const streamsOf = cameras.flatMap((camera, index) => {
    const main = named[index];
    return (camera.substreams ?? []).flatMap((id) => {
      if (main === undefined) return [];
      const label = `${camera.label ?? camera.id} / ${id}`;
      const stream = desired({ ...camera, id, label, onvif: undefined }, known.get(id) ?? null, store.clock.nowUs());
      return [
        {
          ...stream,
          ...{ class: main.class, retentionDays: main.retentionDays, retentionReason: main.retentionReason },
          ...{ audioAllowed: main.audioAllowed, facts: main.facts },
        },
      ];
    });
  });
  const wanted = [...named, ...streamsOf];
  const stale = wanted.filter((camera) => JSON.stringify(camera) !== JSON.stringify(known.get(camera.cameraId)));
  const streams = streamChanges(store, cameras);
  const isStream = new Set(streamsOf.map(({ cameraId }) => cameraId));
  const inConfiguration = new Set(wanted.map(({ cameraId }) => cameraId));
  const removed = configuredCameras(store.db).filter((id) => !inConfiguration.has(id));
  const wasStream = new Set(listSubstreams(store.db).map(({ streamId }) => streamId));
  if ([stale, streams.put, streams.gone, removed].every(({ length }) => length === 0)) return result;
  store.act('gateway', (note) => {
    for (const camera of stale) {
      const before = known.get(camera.cameraId);
      releaseDevice(store, note, camera);
      putCamera(store.db, camera);
      closeTask(store.db, 'camera-needs-policy', `camera:${camera.cameraId}`, store.clock.nowUs());
      if (!isStream.has(camera.cameraId)) askForPeople(store, camera, before ?? null, cameras);
      if (before === undefined) {
        rememberConfigured(store.db, camera.cameraId, camera);
        result.registered += 1;
        note('camera.registered', `camera:${camera.cameraId}`, { origin: 'config', ...policyOf(camera) });
      } else {
        result.changed += 1;
        note('camera.changed', `camera:${camera.cameraId}`, { from: policyOf(before), to: policyOf(camera) });
      }
    }
    for (const cameraId of removed) {
      forgetConfigured(store.db, cameraId);
      const camera = known.get(cameraId);
      const task =
        camera === undefined || wasStream.has(cameraId) ? null : polcamTask(camera, 'removed', store.clock.nowUs());
      if (task !== null) openTask(store.db, task);
      note('camera.changed', `camera:${cameraId}`, { configured: null });
    }
    for (const { streamId } of streams.gone) {
      removeSubstream(store.db, streamId);
      note('camera.changed', `camera:${streamId}`, { substreamOf: null });
    }
    for (const stream of streams.put) {
      putSubstream(store.db, stream);
      // A hold that was placed before it was known keeps its footage too.
      const holds = extendHolds(store.db, stream.cameraId, stream.streamId, store.clock.nowUs());
      note('camera.changed', `camera:${stream.streamId}`, { substreamOf: stream.cameraId, holds });
    }
  });
  return result;
}

/** What legal and whoever speaks to the police have to do about an entry that is new or another one. */
function askForPeople(
  { db, clock }: Store,
  camera: CameraRow,
  before: CameraRow | null,
  inFile: readonly ConfiguredCamera[],
): void {
  const nowUs = clock.nowUs();
  const { cameraId, facts } = camera;
  const subject = `camera:${cameraId}`;
  const place = ({ label, facts: { area, signs } }: CameraRow): string => JSON.stringify([label, area, signs]);
  const isNew = before === null || !before.adopted;
  if (isNew || place(before) !== place(camera)) {
    const task = polcamTask(camera, isNew ? 'added' : 'moved', nowUs);
    if (task !== null) openTask(db, task);
  } else if (before.facts.polcam !== facts.polcam && facts.polcam !== 'unknown') {
    closeTask(db, polcamTaskKind, subject, nowUs);
  }
  const wantsAudio = inFile.find(({ id }) => id === cameraId)?.audio === true;
  if (!wantsAudio) closeTask(db, audioTaskKind, subject, nowUs);
  else if (!camera.audioAllowed && (isNew || before.facts.audioBasis !== facts.audioBasis)) {
    const detail = `The configuration asks for sound of camera "${cameraId}". It stays off until legal has approved the basis that is written there: tredive camera audio ${cameraId} --approve --user NAME`;
    openTask(db, { kind: audioTaskKind, subject, detail, createdUs: nowUs });
  }
}

const keepPeriod = (camera: CameraRow, { class: name, retentionDays, retentionReason }: CameraRow): CameraRow => ({
  ...camera,
  class: name,
  retentionDays,
  retentionReason: camera.retentionReason ?? retentionReason,
});

/** What the file asks for: its days only where they were changed in it, or those in force do not fit the class. */
function asConfigured(camera: CameraRow, before: CameraRow, said: Period | null): CameraPolicy {
  const { cameraId, class: name, retentionDays, retentionReason } = camera;
  const inFile = { cameraId, class: name, retentionDays, retentionReason };
  const inForce = { ...inFile, retentionDays: before.retentionDays };
  return said?.retentionDays === retentionDays && isLegal(inForce) ? inForce : inFile;
}

function isLegal(policy: CameraPolicy): boolean {
  try {
    assertPolicy(policy);
    return true;
  } catch {
    // What is wrong with it is of no interest: it is not taken.
    return false;
  }
}

/** What is said of sub-streams now and was not before, and what is not said any more: such a stream is a camera of its own again. */
function streamChanges(store: Store, cameras: readonly ConfiguredCamera[]): { put: Substream[]; gone: Substream[] } {
  const known = listSubstreams(store.db);
  const wanted = cameras.flatMap((camera) =>
    (camera.substreams ?? []).map((streamId): Substream => ({ streamId, cameraId: camera.id })),
  );
  const isIn = (list: readonly Substream[], one: Substream): boolean =>
    list.some((other) => other.streamId === one.streamId && other.cameraId === one.cameraId);
  return {
    put: wanted.filter((one) => !isIn(known, one)),
    gone: known.filter((one) => !wanted.some((other) => other.streamId === one.streamId)),
  };
}

function desired(camera: ConfiguredCamera, before: CameraRow | null, nowUs: number): CameraRow {
  const device = before?.device ?? noDevice;
  const audioBasis = camera.audio ? (camera.audioBasis ?? null) : null;
  // What legal approved is this very text.
  const audioStays = before?.audioAllowed === true && audioBasis !== null && before.facts.audioBasis === audioBasis;
  return {
    cameraId: camera.id,
    label: camera.label ?? camera.id,
    class: camera.class,
    retentionDays: camera.retentionDays,
    retentionReason: camera.retentionReason ?? null,
    purpose: camera.purpose ?? camera.class,
    audioAllowed: audioStays,
    origin: 'config',
    adopted: true,
    device: {
      ...device,
      serial: usableSerial(camera.onvif?.serial ?? null) ?? device.serial,
      mac: usableMac(camera.onvif?.mac ?? null) ?? device.mac,
      address: device.address ?? camera.onvif?.address ?? null,
    },
    clock: before?.clock ?? null,
    createdUs: before?.createdUs ?? nowUs,
    facts: {
      area: camera.area ?? 'unspecified',
      signs: camera.signs ?? null,
      polcam: camera.polcam ?? 'unknown',
      audioBasis,
      audioApprovedBy: audioStays ? before.facts.audioApprovedBy : null,
    },
  };
}

/**
 * A device that discovery had registered by itself, and that the configuration now gives to a camera, leaves its first
 * entry: one device is one camera. The entry itself stays, without a device, because records may point to it.
 */
function releaseDevice(store: Store, note: Note, camera: CameraRow): void {
  const { serial, mac } = camera.device;
  for (const other of listCameras(store.db)) {
    if (other.cameraId === camera.cameraId || other.origin !== 'discovery') continue;
    if ((serial !== null && other.device.serial === serial) || (mac !== null && other.device.mac === mac)) {
      putCamera(store.db, { ...other, device: noDevice });
      closeTask(store.db, 'camera-needs-policy', `camera:${other.cameraId}`, store.clock.nowUs());
      note('camera.changed', `camera:${other.cameraId}`, { deviceMovedTo: camera.cameraId });
    }
  }
}
