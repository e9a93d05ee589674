/**
 * The index of an MP4 as a tree of boxes, and the two changes that are made to it: where chunks lie, and how long the last picture
 * is shown. The index was written by our own ffmpeg; what comes out is checked whole by mp4-shape.ts, which shares no code with
 * this.
 */
import { refuted } from './proof.js';

/** Either of other boxes or of bytes. */
interface Mp4Box {
  readonly type: string;
  readonly body: Buffer | readonly Mp4Box[];
}

/** The way down to what is changed. */
const containers = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl']);

/** Throws `verification-failed`, naming `path`, where boxes do not fill what they lie in. */
export function readMp4Boxes(bytes: Buffer, path: string): Mp4Box[] {
  const boxes: Mp4Box[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = at + 8 <= bytes.length ? bytes.readUInt32BE(at) : 0;
    if (size < 8 || at + size > bytes.length) throw refuted(path, 'its index is damaged');
    const [type, body] = [bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, at + size)];
    boxes.push({ type, body: containers.has(type) ? readMp4Boxes(body, path) : body });
    at += size;
  }
  return boxes;
}

/** Bytes that it takes when written. */
export const sizeOf = (boxes: readonly Mp4Box[]): number =>
  boxes.reduce((sum, { body }) => sum + 8 + (Buffer.isBuffer(body) ? body.length : sizeOf(body)), 0);

export function writeMp4Boxes(boxes: readonly Mp4Box[]): Buffer {
  return Buffer.concat(
    boxes.flatMap(({ type, body }) => {
      const bytes = Buffer.isBuffer(body) ? body : writeMp4Boxes(body);
      const head = Buffer.alloc(8);
      head.writeUInt32BE(bytes.length + 8);
      head.write(type, 4, 'latin1');
      return [head, bytes];
    }),
  );
}

/** The same tree, with what `change` makes of the bytes of each box that it does not leave alone. */
const changed = (boxes: readonly Mp4Box[], change: (type: string, body: Buffer) => Buffer): Mp4Box[] =>
  boxes.map(({ type, body }) => ({
    type,
    body: Buffer.isBuffer(body) ? change(type, body) : changed(body, change),
  }));

/** Adds to every chunk offset. */
export const withShiftedChunks = (index: readonly Mp4Box[], by: number, path: string): Mp4Box[] =>
  changed(index, (type, body) => {
    if (type !== 'stco' && type !== 'co64') return body;
    const width = type === 'stco' ? 4 : 8;
    const count = body.length >= 8 ? body.readUInt32BE(4) : 0;
    if (count * width !== body.length - 8) throw refuted(path, 'its table of chunks is damaged');
    const table = Buffer.from(body);
    for (let entry = 8; entry < table.length; entry += width) {
      if (width === 8) table.writeBigInt64BE(table.readBigInt64BE(entry) + BigInt(by), entry);
      else {
        const offset = table.readUInt32BE(entry) + by;
        // Only near 4 GiB, where the muxer still wrote the short table: then the index stays where it is needed least.
        if (offset < 0 || offset > 0xffffffff) throw refuted(path, 'its chunks do not fit behind its index');
        table.writeUInt32BE(offset, entry);
      }
    }
    return table;
  });

/** Sets how long the last picture is shown, and with it how long the track and the movie last. */
export function withDurationOfLast(index: readonly Mp4Box[], lastTicks: number, path: string): Mp4Box[] {
  const stts = find(index, ['moov', 'trak', 'mdia', 'minf', 'stbl', 'stts'], path);
  const media = timedBox('mdhd', find(index, ['moov', 'trak', 'mdia', 'mdhd'], path), path);
  const movie = timedBox('mvhd', find(index, ['moov', 'mvhd'], path), path);
  const times = timesWithLast(stts, lastTicks, path);
  // Upwards, as ffmpeg does it: a movie never ends before its track.
  const movieTicks = Math.ceil((times.totalTicks * movie.scale) / media.scale);
  return changed(index, (type, body) => {
    switch (type) {
      case 'stts':
        return times.table;
      case 'mdhd':
        return media.lasting(times.totalTicks);
      case 'mvhd':
        return movie.lasting(movieTicks);
      case 'tkhd':
        return timedBox('tkhd', body, path).lasting(movieTicks);
      default:
        return body;
    }
  });
}

function find(boxes: readonly Mp4Box[], way: readonly string[], path: string): Buffer {
  let among = boxes;
  for (const [depth, type] of way.entries()) {
    const found = among.find((box) => box.type === type);
    if (found === undefined) break;
    if (!Buffer.isBuffer(found.body)) among = found.body;
    else if (depth === way.length - 1) return found.body;
  }
  throw refuted(path, `its index has no ${way.at(-1) ?? ''}`);
}

/** Runs of pictures of one duration each; equal runs are one. */
function timesWithLast(stts: Buffer, lastTicks: number, path: string): { table: Buffer; totalTicks: number } {
  const count = stts.length >= 8 ? stts.readUInt32BE(4) : 0;
  if (count < 1 || stts.length !== 8 + 8 * count) throw refuted(path, 'its table of times is damaged');
  const runs = Array.from({ length: count }, (_unused, run) => ({
    pictures: stts.readUInt32BE(8 + 8 * run),
    ticks: stts.readUInt32BE(12 + 8 * run),
  }));
  const last = runs.at(-1);
  if (last === undefined || last.pictures < 1) throw refuted(path, 'its table of times is damaged');
  last.pictures -= 1;
  if (last.pictures === 0) runs.pop();
  const before = runs.at(-1);
  if (before?.ticks === lastTicks) before.pictures += 1;
  else runs.push({ pictures: 1, ticks: lastTicks });

  const table = Buffer.alloc(8 + 8 * runs.length);
  stts.copy(table, 0, 0, 4);
  table.writeUInt32BE(runs.length, 4);
  for (const [run, { pictures, ticks }] of runs.entries()) {
    table.writeUInt32BE(pictures, 8 + 8 * run);
    table.writeUInt32BE(ticks, 12 + 8 * run);
  }
  return { table, totalTicks: runs.reduce((sum, { pictures, ticks }) => sum + pictures * ticks, 0) };
}

/**
 * `mdhd`, `mvhd` and `tkhd` begin alike: version and flags, two times, then the time scale, or in `tkhd` the track's number and
 * four bytes more, then the duration. Times and duration are of 64 bits in version 1.
 */
function timedBox(
  type: 'mdhd' | 'mvhd' | 'tkhd',
  body: Buffer,
  path: string,
): { readonly scale: number; lasting(ticks: number): Buffer } {
  const width = body[0] === 1 ? 8 : 4;
  const betweenAt = 4 + 2 * width;
  const durationAt = betweenAt + (type === 'tkhd' ? 8 : 4);
  if (body.length < durationAt + width || (body[0] ?? 2) > 1) throw refuted(path, `its ${type} is damaged`);
  const scale = body.readUInt32BE(betweenAt);
  if (scale < 1) throw refuted(path, `its ${type} has no time scale`);
  return {
    scale,
    lasting(ticks) {
      // The last picture may be the one that takes it beyond 32 bits.
      const isLong = width === 8 || ticks > 0xffffffff;
      const flags = Buffer.from([isLong ? 1 : 0, ...body.subarray(1, 4)]);
      const number = (value: bigint): Buffer => {
        const bytes = Buffer.alloc(8);
        bytes.writeBigUInt64BE(value);
        return isLong ? bytes : bytes.subarray(4);
      };
      const times = [4, 4 + width].map((at) =>
        number(width === 8 ? body.readBigUInt64BE(at) : BigInt(body.readUInt32BE(at))),
      );
      const between = body.subarray(betweenAt, durationAt);
      return Buffer.concat([flags, ...times, between, number(BigInt(ticks)), body.subarray(durationAt + width)]);
    },
  };
}
