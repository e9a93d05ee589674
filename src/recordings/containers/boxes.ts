/** ISO base media boxes (MP4, MOV) in memory. Sizes are hostile: a box never reaches beyond what holds it. */
import { ProbeRefusal } from './summary.js';

export interface Box {
  readonly type: string;
  /** The content, without the header. */
  readonly body: Buffer;
}

/** One box header, or null where the bytes are none. `sizeBytes` 0 means up to the end of the file. */
export function readHeader(bytes: Buffer): { type: string; headerBytes: number; sizeBytes: number } | null {
  if (bytes.length < 8) return null;
  const type = bytes.toString('latin1', 4, 8);
  if (!/^[ -~\xa9]{4}$/.test(type)) return null;
  const short = bytes.readUInt32BE(0);
  if (short !== 1) return short === 0 || short >= 8 ? { type, headerBytes: 8, sizeBytes: short } : null;
  if (bytes.length < 16) return null;
  const long = Number(bytes.readBigUInt64BE(8));
  return long >= 16 ? { type, headerBytes: 16, sizeBytes: long } : null;
}

/** The boxes inside a box. Stops at bytes that are no box; throws `damaged` for one that reaches beyond its parent. */
export function* boxesIn(body: Buffer): Generator<Box> {
  let at = 0;
  while (at + 8 <= body.length) {
    const header = readHeader(body.subarray(at, at + 16));
    if (header === null) return;
    const end = header.sizeBytes === 0 ? body.length : at + header.sizeBytes;
    if (end > body.length) throw new ProbeRefusal('damaged', `box "${header.type}" is larger than what holds it`);
    yield { type: header.type, body: body.subarray(at + header.headerBytes, end) };
    at = end;
  }
}

/** The first box of this path, e.g. `find(trak, 'mdia', 'hdlr')`. */
export function find(body: Buffer, ...path: readonly string[]): Buffer | null {
  let here = body;
  for (const type of path) {
    let next: Buffer | null = null;
    for (const box of boxesIn(here)) {
      if (box.type !== type) continue;
      next = box.body;
      break;
    }
    if (next === null) return null;
    here = next;
  }
  return here;
}

/** A field of a box; throws `damaged` where the box is too short for it. */
export function u32(body: Buffer, at: number): number {
  if (at < 0 || at + 4 > body.length) throw new ProbeRefusal('damaged', 'a box is too short');
  return body.readUInt32BE(at);
}

export const i32 = (body: Buffer, at: number): number => u32(body, at) | 0;

export function u64(body: Buffer, at: number): number {
  return u32(body, at) * 2 ** 32 + u32(body, at + 4);
}

/** `entries` rows of `rowBytes` from `at`: throws `damaged` where the table claims more rows than its box has room for. */
export function assertRows(body: Buffer, at: number, entries: number, rowBytes: number): void {
  if (at + entries * rowBytes > body.length) throw new ProbeRefusal('damaged', 'a table is larger than its box');
}
