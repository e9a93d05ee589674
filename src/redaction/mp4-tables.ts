/** The tables of one track's samples. Hostile: every count is checked against the bytes that are there. */
import { Misfit, type BoxReader } from './box-reader.js';

/** Three days of 60 pictures a second. Where all samples have one size, the count is not backed by bytes. */
const mostSamples = 1 << 24;

export interface Chunks {
  readonly samplesOf: (chunk: number) => number;
  readonly offsets: readonly number[];
}

/** Bytes of each sample. */
export function readSizes(stsz: BoxReader): Uint32Array {
  stsz.zeros('version or flags', 4);
  const [same, count] = [stsz.u32(), stsz.u32()];
  if (count < 1 || count > mostSamples) throw new Misfit(`stsz has ${count} samples`);
  if (same === 0) return stsz.u32s(count);
  stsz.end();
  return new Uint32Array(count).fill(same);
}

/** When each sample begins, and how long the last one lasts. None may last no time: nobody would see it. */
export function readTimes(stts: BoxReader, count: number): { times: BigInt64Array; lastDuration: number } {
  stts.zeros('version or flags', 4);
  const runs = stts.u32();
  const entries = stts.u32s(2 * runs);
  const times = new BigInt64Array(count);
  let [sample, at, lastDuration] = [0, 0, 0];
  for (let run = 0; run < runs; run += 1) {
    const [samples = 0, ticks = 0] = [entries[2 * run], entries[2 * run + 1]];
    if (samples < 1 || samples > count - sample) throw new Misfit('stts has times for other samples than there are');
    for (const end = sample + samples; sample < end; sample += 1) {
      if (ticks === 0) throw new Misfit(`picture ${sample} is shown for no time`);
      times[sample] = BigInt(at);
      at += ticks;
      lastDuration = ticks;
    }
  }
  if (sample !== count) throw new Misfit('stts has times for other samples than there are');
  if (!Number.isSafeInteger(at)) throw new Misfit('it lasts beyond all sense');
  return { times, lastDuration };
}

/** Samples that can be decoded by themselves, from 0. */
export function readKeys(stss: BoxReader, count: number): Set<number> {
  stss.zeros('version or flags', 4);
  const keys = stss.u32s(stss.u32());
  let before = 0;
  for (const key of keys) {
    if (key <= before || key > count) throw new Misfit('stss is out of order');
    before = key;
  }
  return new Set(Array.from(keys, (key) => key - 1));
}

/** Which samples lie together, and where. */
export function readChunks({
  stsc,
  stco,
  co64,
}: Record<'stsc', BoxReader> & Partial<Record<'stco' | 'co64', BoxReader>>): Chunks {
  const list = stco ?? co64;
  if (list === undefined || (stco !== undefined && co64 !== undefined))
    throw new Misfit('it has not one list of chunks');
  list.zeros('version or flags', 4);
  const count = list.u32();
  const entryBytes = stco === undefined ? 8 : 4;
  if (list.left() !== entryBytes * count) throw new Misfit(`${list.name} is not as long as its ${count} entries`);
  const offsets = Array.from({ length: count }, () => (entryBytes === 4 ? list.u32() : list.u64()));

  stsc.zeros('version or flags', 4);
  const runs = stsc.u32s(3 * stsc.u32());
  const perChunk = new Uint32Array(count);
  for (let run = 0; run < runs.length; run += 3) {
    const [first = 0, samples = 0, entry] = runs.subarray(run, run + 3);
    const next = runs[run + 3] ?? count + 1;
    if ((run === 0 && first !== 1) || first >= next || next > count + 1 || samples < 1 || entry !== 1)
      throw new Misfit('stsc is out of order');
    perChunk.fill(samples, first - 1, next - 1);
  }
  return { samplesOf: (chunk) => perChunk[chunk] ?? 0, offsets };
}
