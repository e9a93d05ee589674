/**
 * Reads the boxes of an MP4 field by field. The bytes are hostile: every read is checked against the end of its box, nothing
 * is skipped by chance (`end` insists that all was read), and a list is only as long as the bytes that it lies in.
 */

/** What does not fit. The caller turns it into an error of its own, with the name of the file. */
export class Misfit extends Error {}

export interface BoxReader {
  /** Where it is, e.g. `moov/trak/mdia`. */
  readonly name: string;
  left(): number;
  u8(): number;
  u16(): number;
  u32(): number;
  /** Throws beyond 2^53. */
  u64(): number;
  bytes(count: number): Buffer;
  /** The next bytes must be these. */
  exactly(what: string, hex: string): void;
  zeros(what: string, count: number): void;
  /** Nothing may be left. */
  end(): void;
  /** A list of 32-bit numbers that takes up all the rest. */
  u32s(count: number): Uint32Array;
}

export function readerOf(name: string, bytes: Buffer): BoxReader {
  let at = 0;
  const take = (count: number): number => {
    if (!Number.isSafeInteger(count) || count < 0 || count > bytes.length - at)
      throw new Misfit(`${name} is too short`);
    at += count;
    return at - count;
  };
  const reader: BoxReader = {
    name,
    left: () => bytes.length - at,
    u8: () => bytes.readUInt8(take(1)),
    u16: () => bytes.readUInt16BE(take(2)),
    u32: () => bytes.readUInt32BE(take(4)),
    u64: () => {
      const value = bytes.readBigUInt64BE(take(8));
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Misfit(`${name} has a number beyond all sense`);
      return Number(value);
    },
    bytes: (count) => {
      const from = take(count);
      return bytes.subarray(from, from + count);
    },
    exactly: (what, hex) => {
      const found = reader.bytes(hex.length / 2).toString('hex');
      if (found !== hex) throw new Misfit(`${name}: ${what} is ${found}, not ${hex}`);
    },
    zeros: (what, count) => {
      if (reader.bytes(count).some((byte) => byte !== 0)) throw new Misfit(`${name}: ${what} is not zero`);
    },
    end: () => {
      if (at !== bytes.length) throw new Misfit(`${name} has ${bytes.length - at} bytes too many`);
    },
    u32s: (count) => {
      if (bytes.length - at !== 4 * count) throw new Misfit(`${name} is not as long as its ${count} entries`);
      const from = take(4 * count);
      return Uint32Array.from({ length: count }, (_unused, i) => bytes.readUInt32BE(from + 4 * i));
    },
  };
  return reader;
}

/**
 * The boxes that fill the rest of `parent`, each of them at most once: all of `required`, some of `optional`, no other one and
 * no byte between or after them.
 */
export function childrenOf<R extends string, O extends string = never>(
  parent: BoxReader,
  required: readonly R[],
  optional: readonly O[] = [],
): Record<R, BoxReader> & Partial<Record<O, BoxReader>> {
  const found = new Map<string, BoxReader>();
  while (parent.left() > 0) {
    const sizeBytes = parent.u32();
    const type = parent.bytes(4).toString('latin1');
    const name = `${parent.name}/${type.replaceAll(/[^ -~]/g, '?')}`;
    if (!([...required, ...optional] as string[]).includes(type)) throw new Misfit(`${name} has no place there`);
    if (found.has(type)) throw new Misfit(`${name} is there twice`);
    if (sizeBytes < 8) throw new Misfit(`${name} has no size`);
    found.set(type, readerOf(name, parent.bytes(sizeBytes - 8)));
  }
  const missing = required.find((type) => !found.has(type));
  if (missing !== undefined) throw new Misfit(`${parent.name}/${missing} is missing`);
  return Object.fromEntries(found) as Record<R, BoxReader> & Partial<Record<O, BoxReader>>;
}
