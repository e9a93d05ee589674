/** Table `substream`: streams that are another camera once more. Written as the configuration says, never guessed. */
import type { Database } from './database.js';
import { prepared } from './prepared.js';

export interface Substream {
  readonly streamId: string;
  readonly cameraId: string;
}

export const listSubstreams = (db: Database): Substream[] =>
  prepared(
    db,
    'SELECT stream_id AS streamId, camera_id AS cameraId FROM substream ORDER BY camera_id, stream_id',
  ).all() as Substream[];

export function putSubstream(db: Database, { streamId, cameraId }: Substream): void {
  prepared(
    db,
    'INSERT INTO substream (stream_id, camera_id) VALUES (?, ?) ON CONFLICT DO UPDATE SET camera_id = excluded.camera_id',
  ).run(streamId, cameraId);
}

export function removeSubstream(db: Database, streamId: string): void {
  prepared(db, 'DELETE FROM substream WHERE stream_id = ?').run(streamId);
}

/** The camera that a stream is, or null where it is a camera of its own. */
export const mainOf = (db: Database, streamId: string): string | null =>
  (
    prepared(db, 'SELECT camera_id AS cameraId FROM substream WHERE stream_id = ?').get(streamId) as
      { cameraId: string } | undefined
  )?.cameraId ?? null;

/** The camera itself and its sub-streams. */
export const streamsOf = (db: Database, cameraId: string): string[] => [
  cameraId,
  ...(
    prepared(db, 'SELECT stream_id AS streamId FROM substream WHERE camera_id = ? ORDER BY stream_id').all(
      cameraId,
    ) as Substream[]
  ).map(({ streamId }) => streamId),
];

/** Every stream of the cameras that these are or belong to: what is held of one is held of all, since every copy counts. */
export const allStreamsOf = (db: Database, ids: readonly string[]): string[] =>
  [...new Set(ids.flatMap((id) => streamsOf(db, mainOf(db, id) ?? id)))].sort();
