/** Moves the index of a finished MP4 to its front, as a player on the net needs it, and hashes the media data on the way. */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { GatewayError, toGatewayError } from '../errors.js';
import { refuted } from './proof.js';

interface Box {
  readonly type: string;
  readonly at: number;
  readonly end: number;
}

const pieceBytes = 1 << 20;
const mostIndexBytes = 1 << 28;
/** The way down to the tables of chunk offsets. */
const containers = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl']);

/**
 * Writes `to` as `from` with the boxes ftyp, moov, mdat in this order, and returns the SHA-256 of what is in mdat. `from` is
 * a file that ffmpeg just wrote with its index at the end; `to` is new, and fsynced. Throws `verification-failed` where
 * `from` is no such file, `disk-full`, `io-failed`, `interrupted`.
 */
export async function putIndexFirst(
  from: string,
  to: string,
  signal?: AbortSignal,
): Promise<{ readonly mediaSha256: string; readonly mediaBytes: number }> {
  const source = await open(from, 'r').catch((error: unknown) => {
    throw toGatewayError(error, `reading ${from}`);
  });
  let target: FileHandle | undefined;
  try {
    const boxes = await topLevel(source, from);
    const [ftyp, mdat, moov] = ['ftyp', 'mdat', 'moov'].map((type) => boxes.find((box) => box.type === type));
    if (ftyp === undefined || mdat === undefined || moov === undefined || moov.at < mdat.at) {
      throw refuted(from, 'it has no media data with an index behind it');
    }
    if (moov.end - moov.at > mostIndexBytes) throw refuted(from, 'its index is too large');
    const [type, index, head] = [await read(source, ftyp, from), await read(source, moov, from), Buffer.alloc(16)];
    await source.read(head, 0, 16, mdat.at);
    const mediaAt = mdat.at + (head.readUInt32BE(0) === 1 ? 16 : 8);
    shiftOffsets(index, type.length + index.length - mdat.at, from);
    target = await open(to, 'wx', 0o600);
    await target.writeFile(Buffer.concat([type, index, head.subarray(0, mediaAt - mdat.at)]));
    const hash = createHash('sha256');
    const piece = Buffer.allocUnsafe(pieceBytes);
    for (let at = mediaAt; at < mdat.end;) {
      if (signal?.aborted === true) throw new GatewayError('interrupted', `Writing ${to}: stopped`);
      const { bytesRead } = await source.read(piece, 0, Math.min(piece.length, mdat.end - at), at);
      if (bytesRead === 0) throw refuted(from, 'its media data ends too early');
      const bytes = piece.subarray(0, bytesRead);
      hash.update(bytes);
      await target.writeFile(bytes);
      at += bytesRead;
    }
    await target.sync();
    return { mediaSha256: hash.digest('hex'), mediaBytes: mdat.end - mediaAt };
  } catch (error) {
    throw toGatewayError(error, `writing ${to}`);
  } finally {
    await source.close();
    await target?.close();
  }
}

async function read(file: FileHandle, { at, end }: Box, path: string): Promise<Buffer> {
  const bytes = Buffer.alloc(end - at);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
  if (bytesRead < bytes.length) throw refuted(path, 'it ends too early');
  return bytes;
}

async function topLevel(file: FileHandle, path: string): Promise<Box[]> {
  const { size: fileBytes } = await file.stat();
  const boxes: Box[] = [];
  const head = Buffer.alloc(16);
  for (let at = 0; at < fileBytes;) {
    const { bytesRead } = await file.read(head, 0, 16, at);
    const small = head.readUInt32BE(0);
    const size = small === 1 && bytesRead === 16 ? Number(head.readBigUInt64BE(8)) : small;
    if (bytesRead < 8 || size < 8 || at + size > fileBytes) throw refuted(path, `a box at ${at} leaves the file`);
    boxes.push({ type: head.toString('latin1', 4, 8), at, end: at + size });
    at += size;
  }
  return boxes;
}

/** Adds to every chunk offset in the index. The index was written by our own ffmpeg; what comes out is checked whole later. */
function shiftOffsets(index: Buffer, by: number, path: string): void {
  const walk = (from: number, to: number): void => {
    for (let at = from; at + 8 <= to;) {
      const [size, type] = [index.readUInt32BE(at), index.toString('latin1', at + 4, at + 8)];
      if (size < 8 || at + size > to) throw refuted(path, 'its index is damaged');
      if (containers.has(type)) walk(at + 8, at + size);
      if (type === 'stco' || type === 'co64') {
        const width = type === 'stco' ? 4 : 8;
        const count = size >= 16 ? index.readUInt32BE(at + 12) : 0;
        if (count * width !== size - 16) throw refuted(path, 'its table of chunks is damaged');
        for (let entry = at + 16; entry < at + size; entry += width) {
          if (width === 8) index.writeBigInt64BE(index.readBigInt64BE(entry) + BigInt(by), entry);
          else {
            const offset = index.readUInt32BE(entry) + by;
            // Only near 4 GiB, where the muxer still wrote the short table: then the index stays where it is needed least.
            if (offset < 0 || offset > 0xffffffff) throw refuted(path, 'its chunks do not fit behind its index');
            index.writeUInt32BE(offset, entry);
          }
        }
      }
      at += size;
    }
  };
  walk(0, index.length);
}
