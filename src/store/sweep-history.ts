/** Table `sweep_history`: what the last sweeps deleted of each camera, by which the next one is judged. */
import { sweepsRemembered } from '../domain/brake.js';
import type { Database } from './database.js';

/** Footage that each remembered sweep deleted of a camera, newest first. */
export const footageSwept = (db: Database, cameraId: string): number[] =>
  db
    .prepare('SELECT footage_us FROM sweep_history WHERE camera_id = ? ORDER BY id DESC')
    .pluck()
    .all(cameraId) as number[];

/** The last instant at which any sweep deleted anything; null before the first. */
export const lastSweptUs = (db: Database): number | null =>
  db.prepare('SELECT max(swept_us) FROM sweep_history').pluck().get() as number | null;

export function rememberSweep(
  db: Database,
  swept: { readonly cameraId: string; readonly sweptUs: number; readonly segments: number; readonly footageUs: number },
): void {
  db.prepare(
    `INSERT INTO sweep_history (camera_id, swept_us, segments, footage_us)
     VALUES (@cameraId, @sweptUs, @segments, @footageUs)`,
  ).run(swept);
  db.prepare(
    `DELETE FROM sweep_history WHERE camera_id = @cameraId AND id NOT IN
       (SELECT id FROM sweep_history WHERE camera_id = @cameraId ORDER BY id DESC LIMIT ${sweepsRemembered})`,
  ).run({ cameraId: swept.cameraId });
}
