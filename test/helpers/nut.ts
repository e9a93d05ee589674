/** NUT streams of raw yuv420p frames, written and read without the code under test. */
import { write } from 'node:fs';
import { promisify } from 'node:util';
import type { TimeBase } from '../../src/platform/native.js';

export interface RawFrame {
  readonly pts: number;
  readonly pixels: Uint8Array;
}

export interface RawVideo {
  readonly width: number;
  readonly height: number;
  readonly timeBase: TimeBase;
  readonly frames: readonly RawFrame[];
}

export const frameBytes = (width: number, height: number): number =>
  width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2);

/** Pixels that are the same in every run, and other ones for each `seed`. */
export function noise(count: number, seed: number): Uint8Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Uint8Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

const id = Buffer.from('nut/multimedia container\0', 'latin1');
const codes = { main: 0x4e4d7a561f5f04adn, stream: 0x4e5311405bf2f9dbn, sync: 0x4e4be4adeeca4569n };
const [frameCode, ptsShift] = [1, 7];

function crcOf(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  }
  return crc >>> 0;
}

function varint(value: number): number[] {
  const groups = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) groups.unshift(128 + (rest % 128));
  return groups;
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

function packet(code: bigint, ...numbers: (number | Buffer)[]): Buffer {
  const payload = Buffer.concat(numbers.map((each) => (typeof each === 'number' ? Buffer.from(varint(each)) : each)));
  const start = Buffer.alloc(8);
  start.writeBigUInt64BE(code);
  return Buffer.concat([start, Buffer.from(varint(payload.length + 4)), payload, u32(crcOf(payload))]);
}

/** One stream, one frame code, a syncpoint before each frame: the least that the format asks for. */
export function writeNut({ width, height, timeBase, frames }: RawVideo, tag = 'I420'): Buffer {
  const invalid = (count: number): number[] => [8192, 6, 0, 1, 0, 0, 0, count];
  const main = packet(
    codes.main,
    ...[3, 1, 65536, 1, timeBase.num, timeBase.den],
    ...[...invalid(1), 1 | 8 | 32 | 64, 6, 0, 1, 0, 0, 0, 1, ...invalid(253), 0],
  );
  const about = [0, ptsShift, 1 << 24, 0, 0, 0, width, height, 0, 0, 0];
  const stream = packet(codes.stream, 0, 0, 4, Buffer.from(tag, 'latin1'), ...about);
  return Buffer.concat([
    ...[id, main, stream],
    ...frames.flatMap(({ pts, pixels }) => {
      const head = Buffer.from([frameCode, ...varint(pts + (1 << ptsShift)), ...varint(pixels.length)]);
      return [packet(codes.sync, pts, 0), head, u32(crcOf(head)), pixels];
    }),
  ]);
}

/** Of what FrameLine writes, or `writeNut`; anything else is an error. */
export function readNut(bytes: Buffer): RawVideo {
  let at = id.length;
  if (!bytes.subarray(0, at).equals(id)) throw new Error('not NUT');
  const number = (): number => {
    let value = 0;
    for (;;) {
      const byte = bytes.readUInt8(at++);
      value = value * 128 + (byte & 127);
      if (byte < 128) return value;
    }
  };
  const seen = { width: 0, height: 0, timeBase: { num: 0, den: 0 } };
  const frames: RawFrame[] = [];
  while (at < bytes.length) {
    const from = at;
    if (bytes[at] === frameCode) {
      at += 1;
      const [pts, size] = [number() - (1 << ptsShift), number()];
      if (crcOf(bytes.subarray(from, at)) !== bytes.readUInt32BE(at)) throw new Error('a wrong checksum');
      at += 4;
      if (at + size > bytes.length) throw new Error('a cut frame');
      frames.push({ pts, pixels: bytes.subarray(at, at + size) });
      at += size;
      continue;
    }
    const code = bytes.readBigUInt64BE(at);
    at += 8;
    const end = number() + at;
    if (code === codes.main) {
      for (let i = 0; i < 4; i += 1) number();
      seen.timeBase = { num: number(), den: number() };
    } else if (code === codes.stream) {
      at += 7; // id, class, length of the tag, tag
      for (let i = 0; i < 6; i += 1) number();
      [seen.width, seen.height] = [number(), number()];
    } else if (code !== codes.sync) throw new Error('an unknown packet');
    at = end;
  }
  return { ...seen, frames };
}

const writeSome = promisify(write);

/** Writes all of it into a pipe, in pieces, at the pace of who reads; false where that one has gone. */
export async function writeAll(fd: number, bytes: Uint8Array, pieceBytes = 1 << 16): Promise<boolean> {
  try {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await writeSome(fd, bytes, at, Math.min(pieceBytes, bytes.length - at));
      at += bytesWritten;
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false;
    throw error;
  }
}
