/**
 * Table `key_frames`: what was read from a file when it was first asked for. It says nothing that the file does not, so writing
 * it is no act; it goes with its segment.
 */
import type { Segment } from '../domain/segment.js';
import type { Database } from './database.js';
import { prepared } from './prepared.js';

export interface KeyFrames {
  /** After the segment's start, ascending. */
  readonly offsetsUs: readonly number[];
  /** False where the recording has more of them, in between: then not all are listed. */
  readonly complete: boolean;
}

/** Null where they were not read yet, or of another file than the one that is indexed now. */
export function findKeyFrames(db: Database, segment: Pick<Segment, 'id' | 'sizeBytes' | 'mtimeUs'>): KeyFrames | null {
  const row = prepared(
    db,
    'SELECT complete, offsets FROM key_frames WHERE segment_id = @id AND size_bytes = @sizeBytes AND mtime_us = @mtimeUs',
  ).get({ id: segment.id, sizeBytes: segment.sizeBytes, mtimeUs: segment.mtimeUs }) as
    { complete: number; offsets: Buffer } | undefined;
  return row === undefined ? null : { offsetsUs: unpack(row.offsets), complete: row.complete === 1 };
}

/** Keeps them, unless the segment is gone or another one by now. */
export function putKeyFrames(
  db: Database,
  segment: Pick<Segment, 'id' | 'sizeBytes' | 'mtimeUs'>,
  { offsetsUs, complete }: KeyFrames,
): void {
  prepared(
    db,
    `INSERT INTO key_frames (segment_id, size_bytes, mtime_us, complete, offsets)
       SELECT id, size_bytes, mtime_us, @complete, @offsets FROM segment
       WHERE id = @id AND size_bytes = @sizeBytes AND mtime_us = @mtimeUs
     ON CONFLICT (segment_id) DO UPDATE SET size_bytes = excluded.size_bytes, mtime_us = excluded.mtime_us,
       complete = excluded.complete, offsets = excluded.offsets`,
  ).run({
    id: segment.id,
    sizeBytes: segment.sizeBytes,
    mtimeUs: segment.mtimeUs,
    complete: complete ? 1 : 0,
    offsets: pack(offsetsUs),
  });
}

/** Differences, seven bits to a byte, lowest first: three bytes for a key frame a second. */
function pack(offsetsUs: readonly number[]): Buffer {
  const bytes: number[] = [];
  let last = 0;
  for (const offset of offsetsUs) {
    let rest = offset - last;
    last = offset;
    // Division, not shifts: a gap may be longer than 2^31 microseconds.
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
    bytes.push(rest);
  }
  return Buffer.from(bytes);
}

function unpack(bytes: Buffer): number[] {
  const offsets: number[] = [];
  let [value, scale, last] = [0, 1, 0];
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    scale *= 128;
    if (byte >= 128) continue;
    last += value;
    offsets.push(last);
    [value, scale] = [0, 1];
  }
  return offsets;
}
