/** Table `camera`: the register. */
import { assertPolicy, noFacts, type CameraClass, type CameraFacts, type CameraPolicy } from '../domain/camera.js';
import { GatewayError } from '../errors.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';

export interface CameraRow extends CameraPolicy {
  readonly label: string;
  readonly purpose: string;
  readonly audioAllowed: boolean;
  readonly origin: 'config' | 'found-recording' | 'discovery';
  readonly adopted: boolean;
  readonly device: CameraDevice;
  readonly clock: { readonly offsetMs: number; readonly uncertaintyMs: number; readonly measuredUs: number } | null;
  readonly createdUs: number;
  readonly facts: CameraFacts;
}

/** What a device says of itself. Null where it does not say. */
export interface CameraDevice {
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly firmware: string | null;
  readonly serial: string | null;
  readonly mac: string | null;
  readonly urn: string | null;
  readonly address: string | null;
}

export const noDevice: CameraDevice = {
  manufacturer: null,
  model: null,
  firmware: null,
  serial: null,
  mac: null,
  urn: null,
  address: null,
};

interface Raw {
  id: string;
  label: string;
  class: CameraClass;
  retention_days: number;
  retention_reason: string | null;
  purpose: string;
  audio_allowed: number;
  origin: CameraRow['origin'];
  adopted: number;
  manufacturer: string | null;
  model: string | null;
  firmware: string | null;
  serial: string | null;
  mac: string | null;
  urn: string | null;
  address: string | null;
  clock_offset_ms: number | null;
  clock_uncertainty_ms: number | null;
  clock_measured_us: number | null;
  created_us: number;
  area: CameraFacts['area'];
  signs: string | null;
  polcam: CameraFacts['polcam'];
  audio_basis: string | null;
  audio_approved_by: string | null;
}

const fromRaw = (raw: Raw): CameraRow => ({
  cameraId: raw.id,
  label: raw.label,
  class: raw.class,
  retentionDays: raw.retention_days,
  retentionReason: raw.retention_reason,
  purpose: raw.purpose,
  audioAllowed: raw.audio_allowed === 1,
  origin: raw.origin,
  adopted: raw.adopted === 1,
  device: {
    manufacturer: raw.manufacturer,
    model: raw.model,
    firmware: raw.firmware,
    serial: raw.serial,
    mac: raw.mac,
    urn: raw.urn,
    address: raw.address,
  },
  clock:
    raw.clock_offset_ms === null || raw.clock_uncertainty_ms === null || raw.clock_measured_us === null
      ? null
      : { offsetMs: raw.clock_offset_ms, uncertaintyMs: raw.clock_uncertainty_ms, measuredUs: raw.clock_measured_us },
  createdUs: raw.created_us,
  facts: {
    area: raw.area,
    signs: raw.signs,
    polcam: raw.polcam,
    audioBasis: raw.audio_basis,
    audioApprovedBy: raw.audio_approved_by,
  },
});

export const listCameras = (db: Database): CameraRow[] =>
  (db.prepare('SELECT * FROM camera ORDER BY id').all() as Raw[]).map(fromRaw);

export function findCamera(db: Database, id: string): CameraRow | null {
  const raw = prepared(db, 'SELECT * FROM camera WHERE id = ?').get(id) as Raw | undefined;
  return raw === undefined ? null : fromRaw(raw);
}

export function getCamera(db: Database, id: string): CameraRow {
  const camera = findCamera(db, id);
  if (camera === null)
    throw new GatewayError('not-found', `There is no camera "${id}".`, { remedy: 'See the list of cameras.' });
  return camera;
}

/**
 * Adds or replaces a camera's register entry; without `facts` nothing of them is known. Throws `retention-illegal` before the
 * database's own CHECK would.
 */
export function putCamera(
  db: Database,
  { facts = noFacts, ...camera }: Omit<CameraRow, 'facts'> & { readonly facts?: CameraFacts },
): void {
  assertPolicy(camera);
  db.prepare(
    `INSERT INTO camera (id, label, class, retention_days, retention_reason, purpose, audio_allowed, origin, adopted,
       manufacturer, model, firmware, serial, mac, urn, address, clock_offset_ms, clock_uncertainty_ms,
       clock_measured_us, created_us, area, signs, polcam, audio_basis, audio_approved_by)
     VALUES (@cameraId, @label, @class, @retentionDays, @retentionReason, @purpose, @audioAllowed, @origin, @adopted,
       @manufacturer, @model, @firmware, @serial, @mac, @urn, @address, @offsetMs, @uncertaintyMs, @measuredUs, @createdUs,
       @area, @signs, @polcam, @audioBasis, @audioApprovedBy)
     ON CONFLICT (id) DO UPDATE SET label = excluded.label, class = excluded.class,
       retention_days = excluded.retention_days, retention_reason = excluded.retention_reason,
       purpose = excluded.purpose, audio_allowed = excluded.audio_allowed, origin = excluded.origin,
       adopted = excluded.adopted, manufacturer = excluded.manufacturer, model = excluded.model,
       firmware = excluded.firmware, serial = excluded.serial, mac = excluded.mac, urn = excluded.urn,
       address = excluded.address, clock_offset_ms = excluded.clock_offset_ms,
       clock_uncertainty_ms = excluded.clock_uncertainty_ms, clock_measured_us = excluded.clock_measured_us,
       area = excluded.area, signs = excluded.signs, polcam = excluded.polcam, audio_basis = excluded.audio_basis,
       audio_approved_by = excluded.audio_approved_by`,
  ).run({
    cameraId: camera.cameraId,
    label: camera.label,
    class: camera.class,
    retentionDays: camera.retentionDays,
    retentionReason: camera.retentionReason,
    purpose: camera.purpose,
    audioAllowed: camera.audioAllowed ? 1 : 0,
    origin: camera.origin,
    adopted: camera.adopted ? 1 : 0,
    ...camera.device,
    offsetMs: camera.clock?.offsetMs ?? null,
    uncertaintyMs: camera.clock?.uncertaintyMs ?? null,
    measuredUs: camera.clock?.measuredUs ?? null,
    createdUs: camera.createdUs,
    ...facts,
  });
}

/** Cameras that may not record, and of which recordings are on disk. */
export const recordingLiveOnly = (db: Database): { cameraId: string; label: string }[] =>
  db
    .prepare(
      `SELECT id AS cameraId, label FROM camera JOIN camera_footage ON camera_id = id
       WHERE class = 'live-only' AND segments > 0 ORDER BY id`,
    )
    .all() as { cameraId: string; label: string }[];
