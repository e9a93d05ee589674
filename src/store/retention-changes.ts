/** Tables `retention_change` and `configured_period`: periods that do not count yet, and what the configuration last said. */
import type { CameraClass } from '../domain/camera.js';
import type { Period, RetentionChange } from '../domain/retention-change.js';
import type { Database } from './database.js';

interface Raw {
  id: string;
  camera_id: string;
  from_class: CameraClass;
  from_days: number;
  from_reason: string | null;
  to_class: CameraClass;
  to_days: number;
  to_reason: string | null;
  reason: string;
  proposed_by: string;
  proposed_us: number;
  effective_us: number | null;
}

const fromRaw = (raw: Raw): RetentionChange => ({
  id: raw.id,
  cameraId: raw.camera_id,
  from: { class: raw.from_class, retentionDays: raw.from_days, retentionReason: raw.from_reason },
  to: { class: raw.to_class, retentionDays: raw.to_days, retentionReason: raw.to_reason },
  reason: raw.reason,
  proposedBy: raw.proposed_by,
  proposedUs: raw.proposed_us,
  effectiveUs: raw.effective_us,
});

/** Changes that wait, oldest first. */
export const openChanges = (db: Database): RetentionChange[] =>
  (db.prepare('SELECT * FROM retention_change WHERE ended_us IS NULL ORDER BY proposed_us, id').all() as Raw[]).map(
    fromRaw,
  );

export const openChangeOf = (db: Database, cameraId: string): RetentionChange | null =>
  openChanges(db).find((change) => change.cameraId === cameraId) ?? null;

export function insertChange(db: Database, change: RetentionChange): void {
  db.prepare(
    `INSERT INTO retention_change (id, camera_id, from_class, from_days, from_reason, to_class, to_days, to_reason, reason,
       proposed_by, proposed_us, effective_us)
     VALUES (@id, @cameraId, @fromClass, @fromDays, @fromReason, @toClass, @toDays, @toReason, @reason, @proposedBy,
       @proposedUs, @effectiveUs)`,
  ).run({
    id: change.id,
    cameraId: change.cameraId,
    fromClass: change.from.class,
    fromDays: change.from.retentionDays,
    fromReason: change.from.retentionReason,
    toClass: change.to.class,
    toDays: change.to.retentionDays,
    toReason: change.to.retentionReason,
    reason: change.reason,
    proposedBy: change.proposedBy,
    proposedUs: change.proposedUs,
    effectiveUs: change.effectiveUs,
  });
}

/** A person stands for what the configuration file proposed. */
export function adoptChange(db: Database, id: string, by: string): void {
  db.prepare('UPDATE retention_change SET proposed_by = ? WHERE id = ? AND ended_us IS NULL').run(by, id);
}

export function endChange(
  db: Database,
  id: string,
  end: { readonly outcome: 'applied' | 'cancelled' | 'replaced'; readonly by: string; readonly atUs: number },
): void {
  db.prepare(
    'UPDATE retention_change SET outcome = @outcome, ended_by = @by, ended_us = @atUs WHERE id = @id AND ended_us IS NULL',
  ).run({ id, ...end });
}

/** Class and days that the configuration gave a camera when it was last read; null before it ever did. */
export const configuredPeriod = (db: Database, cameraId: string): Period | null =>
  (db.prepare('SELECT class, days AS retentionDays FROM configured_period WHERE camera_id = ?').get(cameraId) as
    Period | undefined) ?? null;

export function rememberConfigured(db: Database, cameraId: string, { class: name, retentionDays }: Period): void {
  db.prepare(
    `INSERT INTO configured_period (camera_id, class, days) VALUES (?, ?, ?)
     ON CONFLICT (camera_id) DO UPDATE SET class = excluded.class, days = excluded.days`,
  ).run(cameraId, name, retentionDays);
}

/** Cameras that the configuration named when it was last read. */
export const configuredCameras = (db: Database): string[] =>
  db.prepare('SELECT camera_id FROM configured_period ORDER BY camera_id').pluck().all() as string[];

export const forgetConfigured = (db: Database, cameraId: string): void =>
  void db.prepare('DELETE FROM configured_period WHERE camera_id = ?').run(cameraId);
