/** What the library does not tell of a Matroska file: the date it was made, and whether its end is missing. */
import type { Micros } from '../../domain/time.js';
import type { BoundedFile } from './bounded-file.js';

const id = { head: 0x1a45dfa3, segment: 0x18538067, info: 0x1549a966, cluster: 0x1f43b675, date: 0x4461 } as const;
/** Matroska counts nanoseconds from 2001-01-01. */
const epochUs = 978_307_200_000_000;

interface Element {
  readonly id: number;
  readonly dataAt: number;
  /** Null where the writer did not know it: a live recording. */
  readonly sizeBytes: number | null;
}

export const looksLikeMatroska = (head: Buffer): boolean => head.length >= 4 && head.readUInt32BE(0) === id.head;

/** Throws only what reading throws; a file that contradicts itself gives what was found up to there. */
export async function readMatroskaFacts(
  file: BoundedFile,
): Promise<{ creationTimeUs: Micros | null; truncated: boolean }> {
  const nothing = { creationTimeUs: null, truncated: false };
  const head = await elementAt(file, 0);
  if (head === null || head.sizeBytes === null) return nothing;
  const segment = await elementAt(file, head.dataAt + head.sizeBytes);
  if (segment?.id !== id.segment) return nothing;
  const segmentEnd = segment.sizeBytes === null ? file.facts.sizeBytes : segment.dataAt + segment.sizeBytes;
  const truncated = segmentEnd > file.facts.sizeBytes;
  let at = segment.dataAt;
  // A muxer puts Info among the first elements; it is not worth a walk through the clusters.
  for (let count = 0; count < 8; count += 1) {
    const element = await elementAt(file, at);
    if (element === null || element.sizeBytes === null || element.id === id.cluster) break;
    if (element.id === id.info) return { creationTimeUs: await dateIn(file, element), truncated };
    at = element.dataAt + element.sizeBytes;
  }
  return { creationTimeUs: null, truncated };
}

async function dateIn(file: BoundedFile, info: Element): Promise<Micros | null> {
  let at = info.dataAt;
  const end = info.dataAt + (info.sizeBytes ?? 0);
  for (let count = 0; count < 32 && at < end; count += 1) {
    const element = await elementAt(file, at);
    if (element === null || element.sizeBytes === null) return null;
    if (element.id === id.date && element.sizeBytes === 8) {
      const bytes = await file.read(element.dataAt, 8);
      return bytes.length < 8 ? null : Number(bytes.readBigInt64BE(0) / 1000n) + epochUs;
    }
    at = element.dataAt + element.sizeBytes;
  }
  return null;
}

async function elementAt(file: BoundedFile, at: number): Promise<Element | null> {
  const bytes = await file.read(at, 12);
  const idBytes = widthOf(bytes[0]);
  if (idBytes === null || idBytes > 4 || bytes.length < idBytes + 1) return null;
  const sizeAt = idBytes;
  const sizeWidth = widthOf(bytes[sizeAt]);
  if (sizeWidth === null || bytes.length < sizeAt + sizeWidth) return null;
  let value = (bytes[sizeAt] ?? 0) & (0xff >> sizeWidth);
  let unknown = value === 0xff >> sizeWidth;
  for (let i = 1; i < sizeWidth; i += 1) {
    const byte = bytes[sizeAt + i] ?? 0;
    unknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return { id: bytes.readUIntBE(0, idBytes), dataAt: at + sizeAt + sizeWidth, sizeBytes: unknown ? null : value };
}

/** Bytes of an EBML number by its first byte's leading zeros; null for none. */
function widthOf(first: number | undefined): number | null {
  return first === undefined || first === 0 ? null : Math.clz32(first) - 23;
}
