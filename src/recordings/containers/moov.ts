/** The index of an MP4 (`moov`): tracks, their timing, and how much of what it lists is really in the file. */
import type { RecorderNumber } from '../../domain/recorder-numbers.js';
import type { Micros } from '../../domain/time.js';
import { assertRows, boxesIn, find, i32, u32, u64 } from './boxes.js';
import { ProbeRefusal } from './summary.js';

export interface FragmentDefaults {
  readonly duration: number;
  readonly sizeBytes: number;
}

export interface MoovTrack {
  readonly id: number;
  readonly kind: 'video' | 'audio' | 'other';
  readonly timescale: number;
  /** Samples listed in the index itself; 0 in the head of a fragmented file. */
  readonly sampleCount: number;
  /** Their length in `timescale`, without the leading empty edit. */
  readonly duration: number;
  /** A leading empty edit: time before the first sample. */
  readonly delayUs: number;
  readonly tables: Buffer | null;
}

export interface Moov {
  readonly creationTimeUs: Micros | null;
  readonly recorderClockUs: Micros | null;
  readonly recorderNumber: RecorderNumber | null;
  readonly fragmented: boolean;
  readonly tracks: readonly MoovTrack[];
  readonly fragmentDefaults: ReadonlyMap<number, FragmentDefaults>;
}

/** Seconds between 1904-01-01, from which MP4 counts, and 1970-01-01. */
const epochShift = 2_082_844_800;

export function readMoov(body: Buffer): Moov {
  const mvhd = find(body, 'mvhd');
  if (mvhd === null) throw new ProbeRefusal('damaged', 'the index has no movie header');
  const wide = mvhd[0] === 1;
  const created = wide ? u64(mvhd, 4) : u32(mvhd, 4);
  const movieTimescale = u32(mvhd, wide ? 20 : 12);
  const tracks: MoovTrack[] = [];
  const fragmentDefaults = new Map<number, FragmentDefaults>();
  let fragmented = false;
  for (const box of boxesIn(body)) {
    if (box.type === 'trak') tracks.push(readTrack(box.body, movieTimescale));
    if (box.type !== 'mvex') continue;
    fragmented = true;
    for (const inner of boxesIn(box.body)) {
      if (inner.type !== 'trex') continue;
      fragmentDefaults.set(u32(inner.body, 4), { duration: u32(inner.body, 12), sizeBytes: u32(inner.body, 16) });
    }
  }
  return {
    creationTimeUs: created > epochShift ? (created - epochShift) * 1_000_000 : null,
    ...readMtxi(body),
    fragmented,
    tracks,
    fragmentDefaults,
  };
}

/** MediaMTX since October 2025: stream id (16), segment number (8), DTS (8), wall clock at the start in ns (8). */
function readMtxi(body: Buffer): Pick<Moov, 'recorderClockUs' | 'recorderNumber'> {
  const mtxi = find(body, 'udta', 'mtxi');
  if (mtxi === null || mtxi.length < 44) return { recorderClockUs: null, recorderNumber: null };
  const us = Number(mtxi.readBigInt64BE(36) / 1000n);
  const stream = mtxi.toString('hex', 4, 20);
  const number = Number(mtxi.readBigUInt64BE(20));
  // All zeros is no name, and such a number was never counted to.
  const isNumber = Number.isSafeInteger(number) && !/^0+$/.test(stream);
  return { recorderClockUs: us > 0 ? us : null, recorderNumber: isNumber ? { stream, number } : null };
}

function readTrack(trak: Buffer, movieTimescale: number): MoovTrack {
  const tkhd = find(trak, 'tkhd');
  const mdhd = find(trak, 'mdia', 'mdhd');
  const hdlr = find(trak, 'mdia', 'hdlr');
  if (tkhd === null || mdhd === null || hdlr === null) throw new ProbeRefusal('damaged', 'a track has no header');
  const timescale = u32(mdhd, mdhd[0] === 1 ? 20 : 12);
  if (timescale === 0) throw new ProbeRefusal('damaged', 'a track has no time scale');
  const handler = hdlr.toString('latin1', 8, 12);
  const tables = find(trak, 'mdia', 'minf', 'stbl');
  const stts = tables === null ? null : find(tables, 'stts');
  let sampleCount = 0;
  let duration = 0;
  for (const run of stts === null ? [] : runsOf(stts)) {
    sampleCount += run.count;
    duration += run.count * run.delta;
  }
  return {
    id: u32(tkhd, tkhd[0] === 1 ? 20 : 12),
    kind: handler === 'vide' ? 'video' : handler === 'soun' ? 'audio' : 'other',
    timescale,
    sampleCount,
    duration,
    delayUs: leadingGapUs(trak, movieTimescale),
    tables,
  };
}

interface TimingRun {
  readonly count: number;
  readonly delta: number;
}

function* runsOf(stts: Buffer): Generator<TimingRun> {
  const entries = u32(stts, 4);
  assertRows(stts, 8, entries, 8);
  for (let at = 8; at < 8 + entries * 8; at += 8) yield { count: u32(stts, at), delta: u32(stts, at + 4) };
}

function leadingGapUs(trak: Buffer, movieTimescale: number): number {
  const elst = find(trak, 'edts', 'elst');
  if (elst === null || movieTimescale === 0 || u32(elst, 4) === 0) return 0;
  const wide = elst[0] === 1;
  const isEmpty = wide ? i32(elst, 16) === -1 && i32(elst, 20) === -1 : i32(elst, 12) === -1;
  return isEmpty ? ((wide ? u64(elst, 8) : u32(elst, 8)) / movieTimescale) * 1e6 : 0;
}

/**
 * How much of a track lies within the file: samples and their length in `timescale`, up to the first that does not.
 * For a file whose index stands in front and whose end is missing.
 */
export function presentPart(track: MoovTrack, fileBytes: number): { sampleCount: number; duration: number } {
  const whole = { sampleCount: track.sampleCount, duration: track.duration };
  const { tables } = track;
  const [stsz, stsc, stts] = tables === null ? [] : [find(tables, 'stsz'), find(tables, 'stsc'), find(tables, 'stts')];
  const stco = tables === null ? null : find(tables, 'stco');
  const offsets = stco ?? (tables === null ? null : find(tables, 'co64'));
  // The rare compact size table is not followed: the track counts as whole.
  if (!stsz || !stsc || !stts || offsets === null) return whole;
  const chunks = u32(offsets, 4);
  assertRows(offsets, 8, chunks, stco === null ? 8 : 4);
  const runs = u32(stsc, 4);
  assertRows(stsc, 8, runs, 12);
  const fixedBytes = u32(stsz, 4);
  const listed = u32(stsz, 8);
  // A fixed size has no row for each sample, so the count may be anything: it is bounded by the bytes there are.
  if (fixedBytes === 0) assertRows(stsz, 12, listed, 4);
  else if (listed * fixedBytes > fileBytes * 2) return { sampleCount: 0, duration: 0 };
  let sample = 0;
  let run = 0;
  for (let chunk = 0; chunk < chunks && sample < listed; chunk += 1) {
    while (run + 1 < runs && u32(stsc, 8 + (run + 1) * 12) <= chunk + 1) run += 1;
    const perChunk = runs === 0 ? 0 : Math.min(u32(stsc, 8 + run * 12 + 4), listed - sample);
    let end = stco === null ? u64(offsets, 8 + chunk * 8) : u32(offsets, 8 + chunk * 4);
    for (let taken = 0; taken < perChunk; taken += 1, sample += 1) {
      end += fixedBytes === 0 ? u32(stsz, 12 + sample * 4) : fixedBytes;
      if (end > fileBytes) return upTo(sample, stts);
    }
  }
  return whole;
}

function upTo(samples: number, stts: Buffer): { sampleCount: number; duration: number } {
  let left = samples;
  let duration = 0;
  for (const run of runsOf(stts)) {
    const taken = Math.min(left, run.count);
    duration += taken * run.delta;
    left -= taken;
    if (left === 0) break;
  }
  return { sampleCount: samples - left, duration };
}
