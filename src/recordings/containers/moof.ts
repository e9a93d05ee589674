/** Fragments of an MP4 (`moof`): their timing, and for a cut one how many of its samples are still in the file. */
import { assertRows, boxesIn, find, i32, readHeader, u32, u64 } from './boxes.js';
import type { Moov } from './moov.js';
import { ProbeRefusal } from './summary.js';

/** What the fragments of one track amount to, in the track's time scale. */
export interface FragmentSum {
  readonly startsAt: number;
  endsAt: number;
  /** Samples that were read, and their length: less than the whole where fragments in between were leapt over. */
  sampleCount: number;
  sampleTime: number;
}

const mark = { baseDataOffset: 0x01, defaultDuration: 0x08, defaultSize: 0x10 } as const;
const runMark = {
  dataOffset: 0x01,
  firstFlags: 0x04,
  duration: 0x100,
  size: 0x200,
  flags: 0x400,
  shift: 0x800,
} as const;

/**
 * Adds one fragment to the sums by track id. `moofAt` is its place in the file; samples that end beyond `fileBytes` are not
 * there and not counted. Returns whether all of them were there.
 */
export function addFragment(
  moof: Buffer,
  moofAt: number,
  fileBytes: number,
  moov: Moov,
  sums: Map<number, FragmentSum>,
): boolean {
  let complete = true;
  for (const box of boxesIn(moof)) {
    if (box.type === 'traf' && !addTrack(box.body, moofAt, fileBytes, moov, sums)) complete = false;
  }
  return complete;
}

function addTrack(
  traf: Buffer,
  moofAt: number,
  fileBytes: number,
  moov: Moov,
  sums: Map<number, FragmentSum>,
): boolean {
  const tfhd = find(traf, 'tfhd');
  if (tfhd === null) throw new ProbeRefusal('damaged', 'a fragment has no track header');
  const flags = u32(tfhd, 0) & 0xffffff;
  const trackId = u32(tfhd, 4);
  const defaults = moov.fragmentDefaults.get(trackId);
  let at = 8;
  let baseAt = moofAt;
  if ((flags & mark.baseDataOffset) !== 0) {
    baseAt = u64(tfhd, at);
    at += 8;
  }
  if ((flags & 0x02) !== 0) at += 4;
  let duration = defaults?.duration ?? 0;
  if ((flags & mark.defaultDuration) !== 0) {
    duration = u32(tfhd, at);
    at += 4;
  }
  let sizeBytes = defaults?.sizeBytes ?? 0;
  if ((flags & mark.defaultSize) !== 0) sizeBytes = u32(tfhd, at);

  const tfdt = find(traf, 'tfdt');
  const known = sums.get(trackId);
  const startsAt = tfdt === null ? (known?.endsAt ?? 0) : tfdt[0] === 1 ? u64(tfdt, 4) : u32(tfdt, 4);
  const sum = known ?? { startsAt, endsAt: startsAt, sampleCount: 0, sampleTime: 0 };
  sums.set(trackId, sum);

  let time = startsAt;
  let dataAt = baseAt;
  for (const box of boxesIn(traf)) {
    if (box.type !== 'trun') continue;
    const run = readRun(box.body, { dataAt, baseAt, duration, sizeBytes, fileBytes });
    time += run.duration;
    dataAt = run.dataEnd;
    sum.sampleCount += run.present;
    sum.sampleTime += run.duration;
    sum.endsAt = Math.max(sum.endsAt, time);
    if (!run.complete) return false;
  }
  return true;
}

interface RunContext {
  readonly dataAt: number;
  readonly baseAt: number;
  readonly duration: number;
  readonly sizeBytes: number;
  readonly fileBytes: number;
}

function readRun(
  trun: Buffer,
  context: RunContext,
): { duration: number; dataEnd: number; present: number; complete: boolean } {
  const flags = u32(trun, 0) & 0xffffff;
  const count = u32(trun, 4);
  let at = 8;
  let { dataAt } = context;
  if ((flags & runMark.dataOffset) !== 0) {
    dataAt = context.baseAt + i32(trun, at);
    at += 4;
  }
  if ((flags & runMark.firstFlags) !== 0) at += 4;
  const has = { duration: (flags & runMark.duration) !== 0, size: (flags & runMark.size) !== 0 };
  const fields = [has.duration, has.size, (flags & runMark.flags) !== 0, (flags & runMark.shift) !== 0];
  const rowBytes = 4 * fields.filter(Boolean).length;
  if (!has.duration && !has.size) {
    // No loop: with defaults only, the count may be any number without a byte behind it.
    const room = context.sizeBytes === 0 ? 0 : Math.floor((context.fileBytes - dataAt) / context.sizeBytes);
    const present = Math.min(count, Math.max(0, room));
    const duration = present * context.duration;
    return { duration, dataEnd: dataAt + count * context.sizeBytes, present, complete: present === count };
  }
  assertRows(trun, at, count, rowBytes);
  let duration = 0;
  for (let sample = 0; sample < count; sample += 1, at += rowBytes) {
    dataAt += has.size ? u32(trun, at + (has.duration ? 4 : 0)) : context.sizeBytes;
    if (dataAt > context.fileBytes) return { duration, dataEnd: dataAt, present: sample, complete: false };
    duration += has.duration ? u32(trun, at) : context.duration;
  }
  return { duration, dataEnd: dataAt, present: count, complete: true };
}

/** Whether every track of this fragment says when it begins, so that it can be read without those before it. */
export function standsAlone(moof: Buffer): boolean {
  const tracks = [...boxesIn(moof)].filter((box) => box.type === 'traf');
  return tracks.length > 0 && tracks.every((track) => find(track.body, 'tfdt') !== null);
}

/** What follows one another at the top level of a fragmented file. */
const links = new Set(['moof', 'mdat', 'mfra', 'free', 'skip', 'sidx', 'styp', 'emsg', 'prft', 'uuid']);

/**
 * Where in the last bytes of a file a chain of boxes begins with a fragment and leads to the end or beyond it; null where
 * none does. A `moof` in the midst of a picture has no such chain.
 */
export function chainToEnd(tail: Buffer): number | null {
  for (let mark = tail.indexOf('moof', 4, 'latin1'); mark !== -1; mark = tail.indexOf('moof', mark + 1, 'latin1')) {
    let at = mark - 4;
    while (at + 8 <= tail.length) {
      const header = readHeader(tail.subarray(at, at + 16));
      if (header === null || !links.has(header.type)) break;
      at = header.sizeBytes === 0 ? tail.length : at + header.sizeBytes;
    }
    if (at + 8 > tail.length) return mark - 4;
  }
  return null;
}
