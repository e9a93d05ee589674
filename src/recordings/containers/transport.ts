/**
 * MPEG-TS: when its video begins and ends, from the first and the last bytes alone. The library reads every packet of a
 * transport stream for that, and an hour of it is a gigabyte. What the tracks are is told by the library, from the first bytes.
 *
 * Only where both ends agree: anything else (packets of another size, a stream without times, an end before its beginning) is
 * left to the library, which reads all of it.
 */
import type { BoundedFile } from './bounded-file.js';
import { describeTracks, type Described, type Timing } from './library.js';
import { ProbeRefusal } from './summary.js';

const packetBytes = 188;
const sync = 0x47;
/** A few pictures of any camera; at the end, where one picture is larger than that, a second try with more. */
const headBytes = 1400 * packetBytes;
const tailBytes = [700 * packetBytes, 22_000 * packetBytes] as const;
/** Time stamps have 33 bits at 90 kHz, and begin anew every 26.5 hours. */
const wrap = 2 ** 33;
const ticksPerSecond = 90_000;
/** A difference beyond half of the circle is one backwards. */
const furthest = wrap / 2;
/** `stream_type` of what a camera sends: MPEG-1, MPEG-2, MPEG-4, H.264, HEVC, VVC. */
const videoTypes = new Set([0x01, 0x02, 0x10, 0x1b, 0x24, 0x33]);

/** A frame rate that is no camera's: the times are not of pictures that follow each other. */
const slowest = ticksPerSecond * 10;

export const looksLikeTransport = (head: Buffer): boolean => head[0] === sync;

/** Null where the two ends of the file do not tell everything. Throws only what reading throws. */
export async function readTransport(file: BoundedFile): Promise<(Described & Timing) | null> {
  const head = await file.read(0, headBytes);
  const streams = streamsOf(head);
  if (streams === null) return null;
  const timing = await readTiming(file, head, streams.videoPid);
  if (timing === null) return null;
  try {
    const described = await describeTracks(head);
    // Sound that the tables promise may begin behind what was read.
    if (described.container !== 'ts' || (streams.hasOthers && !described.hasAudio)) return null;
    return { ...described, ...timing };
  } catch (error) {
    // It begins with a picture that cannot be decoded alone, for one: the next that can may come later.
    if (error instanceof ProbeRefusal) return null;
    throw error;
  }
}

async function readTiming(file: BoundedFile, head: Buffer, pid: number): Promise<Timing | null> {
  const { sizeBytes } = file.facts;
  const first = timesOf(head, pid);
  const start = first[0];
  if (start === undefined || first.length < 3 || !isInStep(head)) return null;
  const ordered = first.map((time) => since(start, time)).sort((a, b) => a - b);
  const frameTicks = usualStep(ordered);
  if (frameTicks === null) return null;
  const earliest = ordered[0] ?? 0;
  for (const length of tailBytes) {
    const whole = sizeBytes <= head.length;
    // The packet that the file was cut in is none.
    const endAt = sizeBytes - (sizeBytes % packetBytes);
    const tailAt = whole ? 0 : Math.max(0, endAt - length);
    const tail = whole ? head : await file.read(tailAt, endAt - tailAt);
    if (tail.length < packetBytes || !isInStep(tail)) return null;
    const last = timesOf(tail, pid).map((time) => since(start, time));
    if (last.length === 0 && tailAt > 0) continue;
    const latest = Math.max(...last);
    // An end before the beginning, or ends of two recordings put together: both are told by reading all of it.
    if (last.length === 0 || latest <= earliest || latest < (ordered.at(-1) ?? 0)) return null;
    const durationTicks = latest - earliest + frameTicks;
    return {
      durationUs: Math.round((durationTicks / ticksPerSecond) * 1e6),
      frameRate: ticksPerSecond / frameTicks,
    };
  }
  return null;
}

/** From one time stamp to another, the short way round the circle. */
function since(start: number, time: number): number {
  const forward = (time - start + wrap) % wrap;
  return forward > furthest ? forward - wrap : forward;
}

/**
 * The mean step between pictures that follow each other, in order; null where it is none of a camera. Without the last few where
 * there are many: of pictures that are stored out of their order, some of those before the last are not among them.
 */
function usualStep(ordered: readonly number[]): number | null {
  const settled = ordered.length > 12 ? ordered.slice(0, -4) : ordered;
  const span = (settled.at(-1) ?? 0) - (settled[0] ?? 0);
  const step = span / (settled.length - 1);
  return step > 0 && step < slowest ? step : null;
}

interface Packet {
  readonly pid: number;
  /** Whether a section or a picture begins in it. */
  readonly begins: boolean;
  readonly payload: Buffer;
}

/** Whether every packet begins with the sync byte: where one does not, nobody knows what else is lost. */
function isInStep(bytes: Buffer): boolean {
  for (let at = 0; at + packetBytes <= bytes.length; at += packetBytes) if (bytes[at] !== sync) return false;
  return true;
}

/** Whole packets, as long as each begins with the sync byte. */
function* packetsIn(bytes: Buffer): Generator<Packet> {
  for (let at = 0; at + packetBytes <= bytes.length && bytes[at] === sync; at += packetBytes) {
    const flags = bytes[at + 3] ?? 0;
    if ((flags & 0x10) === 0) continue; // no payload
    const skipped = (flags & 0x20) === 0 ? 4 : 5 + (bytes[at + 4] ?? 0);
    if (skipped >= packetBytes) continue;
    const high = bytes[at + 1] ?? 0;
    // Marked by the receiver as broken on the way.
    if ((high & 0x80) !== 0) continue;
    yield {
      pid: ((high & 0x1f) << 8) | (bytes[at + 2] ?? 0),
      begins: (high & 0x40) !== 0,
      payload: bytes.subarray(at + skipped, at + packetBytes),
    };
  }
}

interface Streams {
  readonly videoPid: number;
  /** Sound, or anything else that is no video. */
  readonly hasOthers: boolean;
}

/** By the program tables; null without video, and for tables longer than a packet, which no camera writes. */
function streamsOf(head: Buffer): Streams | null {
  let programAt: number | null = null;
  for (const { pid, begins, payload } of packetsIn(head)) {
    if (!begins) continue;
    if (pid === 0 && programAt === null) programAt = programPid(sectionIn(payload, 0x00));
    else if (pid === programAt) return streamsIn(sectionIn(payload, 0x02));
  }
  return null;
}

/** The body of a table behind its header of 8 bytes, without the checksum; empty where it is none, or not all of it is here. */
function sectionIn(payload: Buffer, tableId: number): Buffer {
  const at = 1 + (payload[0] ?? 0);
  if (at + 3 > payload.length || payload[at] !== tableId) return Buffer.alloc(0);
  const length = (((payload[at + 1] ?? 0) & 0x0f) << 8) | (payload[at + 2] ?? 0);
  const end = at + 3 + length - 4;
  return end > payload.length || end < at + 8 ? Buffer.alloc(0) : payload.subarray(at + 8, end);
}

function programPid(table: Buffer): number | null {
  for (let at = 0; at + 4 <= table.length; at += 4) {
    // Program 0 is the network's own table.
    if (table.readUInt16BE(at) !== 0) return table.readUInt16BE(at + 2) & 0x1fff;
  }
  return null;
}

function streamsIn(table: Buffer): Streams | null {
  if (table.length < 4) return null;
  let videoPid: number | null = null;
  let hasOthers = false;
  for (let at = 4 + (table.readUInt16BE(2) & 0x0fff); at + 5 <= table.length;) {
    if (!videoTypes.has(table[at] ?? 0)) hasOthers = true;
    else videoPid ??= table.readUInt16BE(at + 1) & 0x1fff;
    at += 5 + (table.readUInt16BE(at + 3) & 0x0fff);
  }
  return videoPid === null ? null : { videoPid, hasOthers };
}

/** The presentation time of each picture that begins in these packets, in their order. */
function timesOf(bytes: Buffer, wanted: number): number[] {
  const times: number[] = [];
  for (const { pid, begins, payload } of packetsIn(bytes)) {
    if (pid !== wanted || !begins || payload.length < 14) continue;
    const isStart = payload.readUIntBE(0, 3) === 1 && (payload[3] ?? 0) >= 0xe0 && (payload[3] ?? 0) <= 0xef;
    if (!isStart || ((payload[7] ?? 0) & 0x80) === 0) continue;
    const high = ((payload[9] ?? 0) >> 1) & 0x07;
    times.push(high * 2 ** 30 + (payload.readUInt16BE(10) >> 1) * 2 ** 15 + (payload.readUInt16BE(12) >> 1));
  }
  return times;
}
