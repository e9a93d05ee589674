/** Key frames of MPEG-TS: it has no table, so all of it is read, packet by packet. */
import type { BoundedFile } from '../containers/bounded-file.js';
import { ProbeRefusal } from '../containers/summary.js';
import type { Collector } from './collect.js';
import { isKeyFrame } from './units.js';

const sync = 0x47;
const packetBytes = 188;
const piecePackets = 5_000;
/** Kinds of stream that are pictures. */
const codecs: Readonly<Record<number, string>> = {
  0x01: 'mpeg2video',
  0x02: 'mpeg2video',
  0x10: 'mpeg4',
  0x1b: 'h264',
  0x24: 'hevc',
};
/** The clock has 33 bits at 90 kHz: it begins anew each 26 hours. */
const clockTurn = 2 ** 33;

interface State {
  pmtPid: number | null;
  video: { readonly pid: number; readonly codec: string } | null;
  /** Of the last frame, counted on past the turn of the clock. */
  lastTicks: number | null;
  firstTicks: number | null;
}

/** Throws ProbeRefusal, LimitReached or the system's error. */
export async function mpegtsKeyFrames(file: BoundedFile, collect: Collector): Promise<void> {
  const head = await file.read(0, 400);
  // Of Blu-ray's kind, each packet has four bytes in front.
  const lead = head[0] !== sync && head[4] === sync && head[4 + packetBytes + 4] === sync ? 4 : 0;
  const stride = packetBytes + lead;
  const state: State = { pmtPid: null, video: null, lastTicks: null, firstTicks: null };
  for (let at = lead; at + packetBytes <= file.facts.sizeBytes;) {
    const piece = await file.read(at, stride * piecePackets);
    let used = 0;
    while (used + packetBytes <= piece.length) {
      // Lost: a byte at a time until a packet begins again.
      if (piece[used] !== sync) used += 1;
      else {
        packet(piece.subarray(used, used + packetBytes), state, collect);
        used += stride;
      }
    }
    if (used === 0) break;
    at += used;
  }
  if (state.video === null) throw new ProbeRefusal('no-video', 'no video stream');
}

function packet(bytes: Buffer, state: State, collect: Collector): void {
  const pid = bytes.readUInt16BE(1) & 0x1fff;
  const begins = ((bytes[1] ?? 0) & 0x40) !== 0;
  if (!begins || (pid !== 0 && pid !== state.pmtPid && pid !== state.video?.pid)) return;
  const control = ((bytes[3] ?? 0) >> 4) & 3;
  let at = 4;
  let isRandomAccess = false;
  if ((control & 2) !== 0) {
    const length = bytes[4] ?? 0;
    isRandomAccess = length > 0 && ((bytes[5] ?? 0) & 0x40) !== 0;
    at += 1 + length;
  }
  if ((control & 1) === 0 || at >= bytes.length) return;
  const payload = bytes.subarray(at);
  if (pid === state.video?.pid) frame(payload, isRandomAccess, state, collect);
  else table(payload.subarray(1 + (payload[0] ?? 0)), pid === 0, state);
}

/** The first packet of a table has all of it that matters, with the few streams of a recorder. */
function table(section: Buffer, isProgramList: boolean, state: State): void {
  if (section.length < 12) return;
  const end = Math.min(section.length, 3 + (section.readUInt16BE(1) & 0x0fff) - 4);
  if (isProgramList) {
    for (let at = 8; at + 4 <= end; at += 4) {
      if (section.readUInt16BE(at) !== 0) state.pmtPid ??= section.readUInt16BE(at + 2) & 0x1fff;
    }
    return;
  }
  for (
    let at = 12 + (section.readUInt16BE(10) & 0x0fff);
    at + 5 <= end;
    at += 5 + (section.readUInt16BE(at + 3) & 0x0fff)
  ) {
    const codec = codecs[section[at] ?? 0];
    if (codec !== undefined) state.video ??= { pid: section.readUInt16BE(at + 1) & 0x1fff, codec };
  }
}

function frame(payload: Buffer, isRandomAccess: boolean, state: State, collect: Collector): void {
  if (payload.length < 14 || payload.readUIntBE(0, 3) !== 1 || ((payload[7] ?? 0) & 0x80) === 0) return;
  const ticks = onward(clockOf(payload), state.lastTicks);
  state.lastTicks = ticks;
  state.firstTicks ??= ticks;
  const body = payload.subarray(9 + (payload[8] ?? 0));
  if (isRandomAccess || isKeyFrame(state.video?.codec ?? '', body) === true) {
    collect.add(((ticks - state.firstTicks) / 90_000) * 1e6);
  }
}

const clockOf = (pes: Buffer): number =>
  ((pes[9] ?? 0) & 0x0e) * 2 ** 29 + (pes.readUInt16BE(10) >> 1) * 2 ** 15 + (pes.readUInt16BE(12) >> 1);

function onward(ticks: number, last: number | null): number {
  if (last === null) return ticks;
  const step = (((ticks - last) % clockTurn) + clockTurn) % clockTurn;
  // Frames are shown in another order than they come: half a turn ahead is a little back.
  return last + (step > clockTurn / 2 ? step - clockTurn : step);
}
