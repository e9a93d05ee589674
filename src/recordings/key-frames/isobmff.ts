/**
 * Key frames of MP4 and MOV, whole or in fragments. Every number is hostile: tables are read as far as their boxes reach, and
 * samples counted as far as there are bytes for them.
 */
import type { BoundedFile } from '../containers/bounded-file.js';
import { assertRows, boxesIn, find, i32, readHeader, u32, u64 } from '../containers/boxes.js';
import { presentPart, readMoov, type MoovTrack } from '../containers/moov.js';
import { ProbeRefusal } from '../containers/summary.js';
import type { Collector } from './collect.js';
import { windowOf } from './window.js';

/** As for probing: an index of a day, and the largest fragment of any recorder. */
const maxIndexBytes = 64 * 2 ** 20;
const maxFragmentBytes = 8 * 2 ** 20;
const gulpBytes = 4096;

interface Track extends MoovTrack {
  readonly defaults: Defaults;
}
interface Defaults {
  readonly duration: number;
  readonly sizeBytes: number;
  readonly flags: number;
}

/** Throws ProbeRefusal, LimitReached or the system's error. */
export async function isobmffKeyFrames(file: BoundedFile, collect: Collector): Promise<void> {
  const window = windowOf(file, gulpBytes);
  const { sizeBytes } = window;
  let track: Track | null = null;
  let timeline: Timeline | null = null;
  for (let at = 0; at < sizeBytes;) {
    const header = readHeader(await window.bytes(at, 16));
    if (header === null) break;
    const end = header.sizeBytes === 0 ? sizeBytes : at + header.sizeBytes;
    if (end > sizeBytes) break;
    const limit = header.type === 'moov' ? maxIndexBytes : maxFragmentBytes;
    if ((header.type === 'moov' && track === null) || header.type === 'moof') {
      if (end - at > limit)
        throw new ProbeRefusal('damaged', `box "${header.type}" is larger than any recorder writes`);
      const body = (await window.bytes(at, end - at)).subarray(header.headerBytes);
      if (header.type === 'moov') {
        track = videoTrack(body);
        listed(track, sizeBytes, collect);
        timeline = { nextTime: 0, firstTime: null };
      } else if (track !== null && timeline !== null) {
        fragment(body, track, timeline, sizeBytes - at, collect);
      }
    }
    at = end;
  }
  if (track === null) throw new ProbeRefusal('no-index', 'no index that is whole');
}

function videoTrack(moov: Buffer): Track {
  const tracks = readMoov(moov).tracks.filter((track) => track.kind === 'video');
  const [first] = tracks.sort((a, b) => b.sampleCount - a.sampleCount);
  if (first === undefined) throw new ProbeRefusal('no-video', 'no video track');
  let defaults: Defaults = { duration: 0, sizeBytes: 0, flags: 0 };
  for (const box of boxesIn(find(moov, 'mvex') ?? Buffer.alloc(0))) {
    if (box.type !== 'trex' || u32(box.body, 4) !== first.id) continue;
    defaults = { duration: u32(box.body, 12), sizeBytes: u32(box.body, 16), flags: u32(box.body, 20) };
  }
  return { ...first, defaults };
}

/** Those that the index lists. Without a table of them every sample is one. */
function listed(track: Track, fileBytes: number, collect: Collector): void {
  const { tables, timescale, delayUs } = track;
  const stts = tables === null ? null : find(tables, 'stts');
  if (tables === null || stts === null) return;
  const there = Math.min(presentPart(track, fileBytes).sampleCount, fileBytes);
  const stss = find(tables, 'stss');
  const ctts = find(tables, 'ctts');
  const usOf = (time: number): number => delayUs + (time / timescale) * 1e6;
  if (stss === null) {
    let [sample, time] = [0, 0];
    for (const { count, value } of runsOf(stts)) {
      const taken = Math.min(count, there - sample);
      collect.addRun(usOf(time), (value / timescale) * 1e6, taken);
      sample += taken;
      time += taken * value;
      if (sample >= there) break;
    }
    return;
  }
  const decodedAt = sumUpTo(stts);
  const shift = ctts === null ? () => 0 : valueAt(ctts);
  const firstShift = ctts === null ? 0 : valueAt(ctts)(0);
  const entries = u32(stss, 4);
  assertRows(stss, 8, entries, 4);
  let last = -1;
  for (let entry = 0; entry < entries; entry += 1) {
    const sample = u32(stss, 8 + entry * 4) - 1;
    // Ascending by the standard; whatever else it says could only lead back through the tables.
    if (sample <= last || sample >= there) break;
    last = sample;
    collect.add(usOf(decodedAt(sample) + shift(sample) - firstShift));
  }
}

interface Run {
  readonly count: number;
  /** Signed: the standard's older version means no negative shift, but writers put one there. */
  readonly value: number;
}

function* runsOf(table: Buffer): Generator<Run> {
  const entries = u32(table, 4);
  assertRows(table, 8, entries, 8);
  for (let at = 8; at < 8 + entries * 8; at += 8) yield { count: u32(table, at), value: i32(table, at + 4) };
}

/** Time before a sample; to be asked for ascending samples. */
function sumUpTo(stts: Buffer): (sample: number) => number {
  const runs = runsOf(stts);
  let [from, time] = [0, 0];
  let run: Run = { count: 0, value: 0 };
  return (sample) => {
    while (from + run.count <= sample) {
      from += run.count;
      time += run.count * run.value;
      const next = runs.next();
      if (next.done === true) return time;
      run = next.value;
    }
    return time + (sample - from) * run.value;
  };
}

/** The value of a sample; to be asked for ascending samples. */
function valueAt(ctts: Buffer): (sample: number) => number {
  const runs = runsOf(ctts);
  let from = 0;
  let run: Run = { count: 0, value: 0 };
  return (sample) => {
    while (from + run.count <= sample) {
      from += run.count;
      const next = runs.next();
      if (next.done === true) return 0;
      run = next.value;
    }
    return run.value;
  };
}

interface Timeline {
  /** Where the next fragment goes on that does not say it. */
  nextTime: number;
  /** When the first sample is shown. */
  firstTime: number | null;
}

const notSync = 0x10000;

function fragment(moof: Buffer, track: Track, timeline: Timeline, roomBytes: number, collect: Collector): void {
  for (const { type, body: traf } of boxesIn(moof)) {
    if (type !== 'traf') continue;
    const tfhd = find(traf, 'tfhd');
    if (tfhd === null || u32(tfhd, 4) !== track.id) continue;
    const defaults = defaultsOf(tfhd, track.defaults);
    const tfdt = find(traf, 'tfdt');
    let time = tfdt === null ? timeline.nextTime : tfdt[0] === 1 ? u64(tfdt, 4) : u32(tfdt, 4);
    for (const box of boxesIn(traf)) {
      if (box.type === 'trun') time = run(box.body, time, { defaults, track, timeline, roomBytes, collect });
    }
    timeline.nextTime = time;
  }
}

function defaultsOf(tfhd: Buffer, of: Defaults): Defaults {
  const has = u32(tfhd, 0);
  let at = 8 + ((has & 0x01) === 0 ? 0 : 8) + ((has & 0x02) === 0 ? 0 : 4);
  const next = (mask: number, otherwise: number): number => {
    if ((has & mask) === 0) return otherwise;
    at += 4;
    return u32(tfhd, at - 4);
  };
  return { duration: next(0x08, of.duration), sizeBytes: next(0x10, of.sizeBytes), flags: next(0x20, of.flags) };
}

interface RunContext {
  readonly defaults: Defaults;
  readonly track: Track;
  readonly timeline: Timeline;
  readonly roomBytes: number;
  readonly collect: Collector;
}

/** Gives the time after it. */
function run(trun: Buffer, startTime: number, { defaults, track, timeline, roomBytes, collect }: RunContext): number {
  const has = u32(trun, 0);
  let count = u32(trun, 4);
  let at = 8 + ((has & 0x01) === 0 ? 0 : 4);
  const firstFlags = (has & 0x04) === 0 ? null : u32(trun, at);
  if (firstFlags !== null) at += 4;
  const [hasDuration, hasSize, hasFlags, hasShift] = [0x100, 0x200, 0x400, 0x800].map((mask) => (has & mask) !== 0);
  const rowBytes = 4 * [hasDuration, hasSize, hasFlags, hasShift].filter(Boolean).length;
  const usOf = (shownAt: number): number => {
    timeline.firstTime ??= shownAt;
    return ((shownAt - timeline.firstTime) / track.timescale) * 1e6;
  };
  if (rowBytes === 0) {
    // The count may be any number without a byte behind it: as many as there is room for.
    count = Math.min(count, defaults.sizeBytes === 0 ? 0 : Math.floor(roomBytes / defaults.sizeBytes));
    const firstUs = usOf(startTime);
    const isSync = (defaults.flags & notSync) === 0;
    if (count > 0 && ((firstFlags ?? defaults.flags) & notSync) === 0) collect.add(firstUs);
    const stepUs = (defaults.duration / track.timescale) * 1e6;
    if (isSync) collect.addRun(firstUs + stepUs, stepUs, Math.max(0, count - 1));
    return startTime + count * defaults.duration;
  }
  assertRows(trun, at, count, rowBytes);
  let time = startTime;
  for (let sample = 0; sample < count; sample += 1) {
    let field = at + sample * rowBytes;
    const next = (): number => u32(trun, (field += 4) - 4);
    const duration = hasDuration === true ? next() : defaults.duration;
    if (hasSize === true) field += 4;
    const own = hasFlags === true ? next() : defaults.flags;
    const flags = sample === 0 && firstFlags !== null ? firstFlags : own;
    const shift = hasShift === true ? i32(trun, field) : 0;
    const us = usOf(time + shift);
    if ((flags & notSync) === 0) collect.add(us);
    time += duration;
  }
  return time;
}
