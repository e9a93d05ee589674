/**
 * Key frames of Matroska and WebM: from the table at the end (Cues) where there is one, else from the head of every block. Sizes
 * are hostile: each step leads forward, and the file's limits end what takes too many.
 */
import type { BoundedFile } from '../containers/bounded-file.js';
import { ProbeRefusal } from '../containers/summary.js';
import type { Collector } from './collect.js';
import { windowOf, type FileWindow } from './window.js';

const id = {
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  seek: 0x4dbb,
  seekId: 0x53ab,
  seekPosition: 0x53ac,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackType: 0x83,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
  blockGroup: 0xa0,
  block: 0xa1,
  referenceBlock: 0xfb,
  cues: 0x1c53bb6b,
  cuePoint: 0xbb,
  cueTime: 0xb3,
  cuePositions: 0xb7,
  cueTrack: 0xf7,
} as const;

const pieceBytes = 16_384;
/** A table of a day, and every header in front of the first cluster. */
const maxTableBytes = 8 * 2 ** 20;
const maxHeaderBytes = 2 ** 20;

interface Element {
  readonly id: number;
  readonly dataAt: number;
  /** Null where the writer did not know it: a live recording. */
  readonly sizeBytes: number | null;
}

interface Head {
  readonly scaleNs: number;
  readonly track: number;
  readonly cuesAt: number | null;
  readonly clustersAt: number;
}

/** Throws ProbeRefusal, LimitReached or the system's error. Gives whether every key frame was seen. */
export async function matroskaKeyFrames(file: BoundedFile, collect: Collector): Promise<boolean> {
  const window = windowOf(file, pieceBytes);
  const head = await readHead(window);
  const first = await firstTime(window, head);
  if (first === null) return true;
  const usOf = (time: number): number => ((time - first) * head.scaleNs) / 1000;
  const cues = head.cuesAt === null ? [] : await cuesOf(window, head);
  // A table need not have them all: cutting at those it has is right, if wider than it must be.
  for (const time of cues) collect.add(usOf(time));
  if (cues.length > 0) return false;
  for await (const block of blocksOf(window, head)) if (block.isKey) collect.add(usOf(block.time));
  return true;
}

async function readHead(window: FileWindow): Promise<Head> {
  const opening = await elementAt(window, 0);
  const { dataAt = 0, sizeBytes = null } = opening ?? {};
  const segment = sizeBytes === null ? null : await elementAt(window, dataAt + sizeBytes);
  if (segment?.id !== id.segment) throw new ProbeRefusal('damaged', 'no segment');
  let scaleNs = 1_000_000;
  let track: number | null = null;
  let cuesAt: number | null = null;
  for (let at = segment.dataAt; ;) {
    const element = await elementAt(window, at);
    if (element === null) throw new ProbeRefusal('no-media', 'no cluster');
    if (element.id === id.cluster) {
      if (track === null) throw new ProbeRefusal('no-video', 'no video track');
      return { scaleNs, track, cuesAt, clustersAt: at };
    }
    if (element.sizeBytes === null) throw new ProbeRefusal('damaged', 'a header without a size');
    if (element.id === id.info || element.id === id.tracks || element.id === id.seekHead) {
      const body = await bodyOf(window, element, maxHeaderBytes);
      if (element.id === id.info) scaleNs = numberIn(body, id.timestampScale) ?? scaleNs;
      if (element.id === id.tracks) track ??= videoTrack(body);
      if (element.id === id.seekHead) {
        const position = cuesPosition(body);
        cuesAt ??= position === null ? null : segment.dataAt + position;
      }
    }
    at = element.dataAt + element.sizeBytes;
  }
}

function videoTrack(tracks: Buffer): number | null {
  for (const { id: kind, body } of childrenOf(tracks)) {
    if (kind === id.trackEntry && numberIn(body, id.trackType) === 1) return numberIn(body, id.trackNumber);
  }
  return null;
}

function cuesPosition(seekHead: Buffer): number | null {
  for (const { id: kind, body } of childrenOf(seekHead)) {
    if (kind === id.seek && numberIn(body, id.seekId) === id.cues) return numberIn(body, id.seekPosition);
  }
  return null;
}

async function cuesOf(window: FileWindow, { cuesAt, track }: Head): Promise<number[]> {
  const element = cuesAt === null ? null : await elementAt(window, cuesAt);
  if (element?.id !== id.cues || element.sizeBytes === null || element.sizeBytes > maxTableBytes) return [];
  const times: number[] = [];
  for (const { id: kind, body } of childrenOf(await bodyOf(window, element, maxTableBytes))) {
    if (kind !== id.cuePoint) continue;
    const time = numberIn(body, id.cueTime);
    const isOurs = [...childrenOf(body)].some(
      (child) => child.id === id.cuePositions && numberIn(child.body, id.cueTrack) === track,
    );
    if (time !== null && isOurs) times.push(time);
  }
  return times;
}

async function firstTime(window: FileWindow, head: Head): Promise<number | null> {
  for await (const { time } of blocksOf(window, head)) return time;
  return null;
}

interface BlockHead {
  readonly time: number;
  readonly isKey: boolean;
}

/** The blocks of the video track. Clusters are entered, not leapt over: their own size may be unknown. */
async function* blocksOf(window: FileWindow, { clustersAt, track }: Head): AsyncGenerator<BlockHead> {
  let clusterTime = 0;
  for (let at = clustersAt; ;) {
    const element = await elementAt(window, at);
    if (element === null) return;
    if (element.id === id.cluster) {
      clusterTime = 0;
      at = element.dataAt;
      continue;
    }
    if (element.sizeBytes === null) return;
    const end = element.dataAt + element.sizeBytes;
    if (element.id === id.timestamp)
      clusterTime = unsigned(await window.bytes(element.dataAt, Math.min(8, element.sizeBytes)));
    if (element.id === id.simpleBlock) {
      const block = blockHead(await window.bytes(element.dataAt, 12));
      if (block?.track === track) yield { time: clusterTime + block.time, isKey: (block.flags & 0x80) !== 0 };
    }
    if (element.id === id.blockGroup) {
      const block = await groupHead(window, element.dataAt, end);
      if (block?.track === track) yield { time: clusterTime + block.time, isKey: !block.refers };
    }
    at = end;
  }
}

async function groupHead(
  window: FileWindow,
  from: number,
  end: number,
): Promise<{ track: number; time: number; refers: boolean } | null> {
  let block: { track: number; time: number } | null = null;
  let refers = false;
  for (let at = from; at < end;) {
    const child = await elementAt(window, at);
    if (child === null || child.sizeBytes === null) break;
    if (child.id === id.block) block = blockHead(await window.bytes(child.dataAt, 12));
    refers ||= child.id === id.referenceBlock;
    at = child.dataAt + child.sizeBytes;
  }
  return block === null ? null : { ...block, refers };
}

function blockHead(bytes: Buffer): { track: number; time: number; flags: number } | null {
  const number = variable(bytes, 0);
  if (number === null || number.value === null || bytes.length < number.end + 3) return null;
  return { track: number.value, time: bytes.readInt16BE(number.end), flags: bytes[number.end + 2] ?? 0 };
}

async function elementAt(window: FileWindow, at: number): Promise<Element | null> {
  const found = element(await window.bytes(at, 12), 0);
  return found === null ? null : { ...found, dataAt: at + found.dataAt };
}

async function bodyOf(window: FileWindow, { dataAt, sizeBytes }: Element, limit: number): Promise<Buffer> {
  if (sizeBytes === null || sizeBytes > limit)
    throw new ProbeRefusal('damaged', 'a header larger than any recorder writes');
  // A copy: what the window gives is only valid until its next use.
  return Buffer.from(await window.bytes(dataAt, sizeBytes));
}

function element(bytes: Buffer, at: number): Element | null {
  const idBytes = widthOf(bytes[at]);
  if (idBytes === null || idBytes > 4 || at + idBytes > bytes.length) return null;
  const size = variable(bytes, at + idBytes);
  return size === null ? null : { id: bytes.readUIntBE(at, idBytes), dataAt: size.end, sizeBytes: size.value };
}

function* childrenOf(body: Buffer): Generator<{ readonly id: number; readonly body: Buffer }> {
  for (let at = 0; at < body.length;) {
    const child = element(body, at);
    if (child === null || child.sizeBytes === null) return;
    const end = child.dataAt + child.sizeBytes;
    yield { id: child.id, body: body.subarray(child.dataAt, end) };
    at = end;
  }
}

function numberIn(body: Buffer, wanted: number): number | null {
  for (const child of childrenOf(body)) if (child.id === wanted) return unsigned(child.body);
  return null;
}

const unsigned = (bytes: Buffer): number => bytes.subarray(0, 8).reduce((value, byte) => value * 256 + byte, 0);

/** A number whose width stands in front of it; null as its value where all of its bits are set, which means unknown. */
function variable(bytes: Buffer, at: number): { readonly value: number | null; readonly end: number } | null {
  const width = widthOf(bytes[at]);
  if (width === null || at + width > bytes.length) return null;
  let value = (bytes[at] ?? 0) & (0xff >> width);
  let unknown = value === 0xff >> width;
  for (let index = 1; index < width; index += 1) {
    const byte = bytes[at + index] ?? 0;
    unknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return { value: unknown ? null : value, end: at + width };
}

const widthOf = (first: number | undefined): number | null =>
  first === undefined || first === 0 ? null : Math.clz32(first) - 23;
