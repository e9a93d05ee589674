/**
 * Makes of what the encoder left the MP4 that is handed over: its index in front, as a player on the net needs it, and a
 * last picture that is shown. Only headers change; the media data is copied and hashed on the way.
 */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { GatewayError, toGatewayError } from '../errors.js';
import { readMp4Boxes, sizeOf, withDurationOfLast, withShiftedChunks, writeMp4Boxes } from './mp4-index.js';
import { refuted } from './proof.js';

interface Extent {
  readonly type: string;
  readonly at: number;
  readonly end: number;
}

const pieceBytes = 1 << 20;
const mostIndexBytes = 1 << 28;

export interface PutIndexFirst {
  /** A file that ffmpeg just wrote, with its index at the end. */
  readonly from: string;
  /** Written over from its beginning, and fsynced. */
  readonly to: { readonly path: string; readonly file: FileHandle };
  /** How long the last picture is shown, in ticks of its track: ffmpeg notes 0 or 1, and then players pass it over. */
  readonly lastTicks: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes the boxes ftyp, moov, mdat of `from` in this order, and returns the SHA-256 of what is in mdat. Throws
 * `verification-failed` where `from` is no such file, `disk-full`, `io-failed`, `interrupted`.
 */
export async function putIndexFirst({
  from,
  to,
  lastTicks,
  signal,
}: PutIndexFirst): Promise<{ readonly mediaSha256: string; readonly mediaBytes: number }> {
  const source = await open(from, 'r').catch((error: unknown) => {
    throw toGatewayError(error, `reading ${from}`);
  });
  try {
    const boxes = await topLevel(source, from);
    const [ftyp, mdat, moov] = ['ftyp', 'mdat', 'moov'].map((type) => boxes.find((box) => box.type === type));
    if (ftyp === undefined || mdat === undefined || moov === undefined || moov.at < mdat.at) {
      throw refuted(from, 'it has no media data with an index behind it');
    }
    if (moov.end - moov.at > mostIndexBytes) throw refuted(from, 'its index is too large');
    const [type, written, head] = [await read(source, ftyp, from), await read(source, moov, from), Buffer.alloc(16)];
    await source.read(head, 0, 16, mdat.at);
    const mediaAt = mdat.at + (head.readUInt32BE(0) === 1 ? 16 : 8);
    const index = withDurationOfLast(readMp4Boxes(written, from), lastTicks, from);
    const moved = writeMp4Boxes(withShiftedChunks(index, type.length + sizeOf(index) - mdat.at, from));

    const target = to.file;
    await target.truncate(0);
    let writtenBytes = 0;
    const write = async (bytes: Buffer): Promise<void> => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await target.write(bytes, done, bytes.length - done, writtenBytes);
        done += bytesWritten;
        writtenBytes += bytesWritten;
      }
    };
    await write(Buffer.concat([type, moved, head.subarray(0, mediaAt - mdat.at)]));
    const hash = createHash('sha256');
    const piece = Buffer.allocUnsafe(pieceBytes);
    for (let at = mediaAt; at < mdat.end;) {
      if (signal?.aborted === true) throw new GatewayError('interrupted', `Writing ${to.path}: stopped`);
      const { bytesRead } = await source.read(piece, 0, Math.min(piece.length, mdat.end - at), at);
      if (bytesRead === 0) throw refuted(from, 'its media data ends too early');
      const bytes = piece.subarray(0, bytesRead);
      hash.update(bytes);
      await write(bytes);
      at += bytesRead;
    }
    await target.sync();
    return { mediaSha256: hash.digest('hex'), mediaBytes: mdat.end - mediaAt };
  } catch (error) {
    throw toGatewayError(error, `writing ${to.path}`);
  } finally {
    await source.close();
  }
}

async function read(file: FileHandle, { at, end }: Extent, path: string): Promise<Buffer> {
  const bytes = Buffer.alloc(end - at);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
  if (bytesRead < bytes.length) throw refuted(path, 'it ends too early');
  return bytes;
}

async function topLevel(file: FileHandle, path: string): Promise<Extent[]> {
  const { size: fileBytes } = await file.stat();
  const boxes: Extent[] = [];
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
