/**
 * A strict reader of a finished masked copy. It trusts nothing: not that we wrote the file, nor that it is an MP4. What is not
 * on the list of what ffmpeg's muxer writes for one H.264 track is refused, so that no second track, edit list, tag, private
 * box, supplemental message, skipped sample or stray byte can be in a copy, whichever build made it.
 *
 * Sources: ISO/IEC 14496-12 and -15; libavformat/movenc.c of the builds of 2018 and of the releases 4 to 7.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { GatewayError, toGatewayError } from '../errors.js';
import { childrenOf, Misfit, readerOf, type BoxReader } from './box-reader.js';
import { checkPps, checkSample, readSps, type ParameterSets } from './h264-units.js';
import { readChunks, readKeys, readSizes, readTimes, type Chunks } from './mp4-tables.js';

export interface CopyShape {
  /** Pixels, as coded, shown and declared: all three are the same. */
  readonly width: number;
  readonly height: number;
  /** Ticks per second of `times`. */
  readonly timescale: number;
  readonly samples: { readonly count: number; readonly keys: number };
  /** When each picture begins, in ticks; the first at 0, strictly growing. */
  readonly times: BigInt64Array;
  /** Of the last picture, in ticks; at least 1. What ffmpeg notes by itself is less than players show: see index-first.ts. */
  readonly lastDuration: number;
  /** Bytes of each sample; they lie one after the other and fill `mdat`. */
  readonly sampleSizes: Uint32Array;
  /** Where the samples begin in the file, and how many bytes they are. */
  readonly mdat: { readonly offset: number; readonly size: number };
  readonly parameterSets: ParameterSets;
}

export interface ReadShapeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Gets each sample in order, e.g. to hash it; the bytes are overwritten afterwards. */
  readonly onSample?: ((sample: Buffer, index: number) => void) | undefined;
}

const mostIndexBytes = 1 << 28;
const mostSampleBytes = 1 << 26;
const windowBytes = 1 << 22;
const identity = '00010000' + '00'.repeat(12) + '00010000' + '00'.repeat(12) + '40000000';
/** With an empty list of tags; ffmpeg writes it whenever it writes tags, also where there are none. */
const emptyUserData =
  '000000356d657461000000000000002168646c7200000000000000006d6469726170706c00000000000000000000000008696c7374';

/**
 * Walks the whole file once: every box, every table, every unit of every sample. Memory: the tables and 4 MiB.
 *
 * @throws GatewayError `verification-failed` saying where it is not what it must be; `interrupted` on abort; `io-failed`.
 */
export async function readCopyShape(path: string, options: ReadShapeOptions = {}): Promise<CopyShape> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size: sizeBytes } = await file.stat();
    const { moov, mdat } = await topLevel(file, sizeBytes);
    const index = readIndex(moov);
    const offsets = sampleOffsets(index, mdat);
    const keys = await walkSamples(file, index, offsets, options);
    const { width, height, timescale, times, lastDuration, sampleSizes, parameterSets } = index;
    const samples = { count: sampleSizes.length, keys };
    return { width, height, timescale, samples, times, lastDuration, sampleSizes, mdat, parameterSets };
  } catch (error) {
    if (error instanceof Misfit) {
      throw new GatewayError('verification-failed', `${path} is not what was to be rendered: ${error.message}`, {
        remedy: 'The copy is not used. Try again; if it happens again, report it with this message.',
      });
    }
    throw toGatewayError(error, `Reading ${path}`);
  } finally {
    await file?.close();
  }
}

async function readAt(file: FileHandle, offset: number, into: Buffer): Promise<void> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await file.read(into, done, into.length - done, offset + done);
    if (bytesRead === 0) throw new Misfit('it ends too early');
    done += bytesRead;
  }
}

interface Extent {
  readonly offset: number;
  readonly size: number;
}

/** `ftyp` first, then `moov` and `mdat` in any order, with at most two small empty `free` between; they fill the file. */
async function topLevel(file: FileHandle, sizeBytes: number): Promise<{ moov: BoxReader; mdat: Extent }> {
  const seen = new Map<string, Extent>();
  let frees = 0;
  for (let at = 0; at < sizeBytes;) {
    const head = Buffer.alloc(Math.min(16, sizeBytes - at));
    await readAt(file, at, head);
    const fields = readerOf('the file', head);
    const [small, type] = [fields.u32(), fields.bytes(4).toString('latin1')];
    // Only the picture data may be so large that its size takes 64 bits.
    const headBytes = type === 'mdat' && small === 1 ? 16 : 8;
    const boxBytes = headBytes === 16 ? fields.u64() : small;
    const extent = { offset: at + headBytes, size: boxBytes - headBytes };
    if (extent.size < 0 || extent.size > sizeBytes - extent.offset) throw new Misfit(`a box at ${at} leaves the file`);
    if (type === 'free') {
      frees += 1;
      if (frees > 2 || extent.size > 8) throw new Misfit('it has free space that could hold something');
      const space = Buffer.alloc(extent.size);
      await readAt(file, extent.offset, space);
      readerOf('free', space).zeros('the space', extent.size);
    } else if (!['ftyp', 'moov', 'mdat'].includes(type) || seen.has(type)) {
      throw new Misfit(`it has ${seen.has(type) ? 'a second' : 'a'} ${type.replaceAll(/[^ -~]/g, '?')} box`);
    } else if ((type === 'ftyp') !== (at === 0)) throw new Misfit('it does not begin with its type');
    else seen.set(type, extent);
    at += boxBytes;
  }
  const [ftyp, moov, mdat] = ['ftyp', 'moov', 'mdat'].map((type) => seen.get(type));
  if (ftyp === undefined || moov === undefined || mdat === undefined) throw new Misfit('it has no index or no picture');
  if (ftyp.size > 64 || moov.size > mostIndexBytes) throw new Misfit('its type or its index is too large');
  const brands = Buffer.alloc(ftyp.size);
  await readAt(file, ftyp.offset, brands);
  const brand = readerOf('ftyp', brands);
  brand.exactly('the brand', '69736f6d00000200');
  while (brand.left() > 0) {
    const other = brand.bytes(Math.min(4, brand.left())).toString('latin1');
    if (!['isom', 'iso2', 'iso4', 'iso5', 'iso6', 'avc1', 'mp41'].includes(other))
      throw new Misfit('ftyp: another brand');
  }
  const bytes = Buffer.alloc(moov.size);
  await readAt(file, moov.offset, bytes);
  return { moov: readerOf('moov', bytes), mdat };
}

interface Index {
  readonly width: number;
  readonly height: number;
  readonly timescale: number;
  readonly times: BigInt64Array;
  readonly lastDuration: number;
  readonly sampleSizes: Uint32Array;
  readonly parameterSets: ParameterSets;
  /** From 0; null where every sample is one. */
  readonly keySamples: ReadonlySet<number> | null;
  readonly chunks: Chunks;
}

/** `mvhd`, `tkhd` and `mdhd` begin alike: version, flags, two times, which have to be 0, and what is between them and the duration. */
function timed(
  box: BoxReader,
  flags: string,
  between: (box: BoxReader) => number,
): { value: number; duration: number } {
  const version = box.u8();
  if (version > 1) throw new Misfit(`${box.name} has version ${version}`);
  box.exactly('the flags', flags);
  box.zeros('the time of making', version === 1 ? 16 : 8);
  const value = between(box);
  return { value, duration: version === 1 ? box.u64() : box.u32() };
}

function readIndex(moov: BoxReader): Index {
  const { mvhd, trak, udta } = childrenOf(moov, ['mvhd', 'trak'], ['udta']);
  udta?.exactly('what it holds', emptyUserData);
  udta?.end();
  const movie = timed(mvhd, '000000', (box) => box.u32());
  mvhd.exactly('rate and volume', '000100000100');
  mvhd.zeros('what is reserved', 10);
  mvhd.exactly('the matrix', identity);
  mvhd.zeros('what is not defined', 24);
  mvhd.exactly('the next track', '00000002');
  mvhd.end();

  const { tkhd, mdia } = childrenOf(trak, ['tkhd', 'mdia']);
  const track = timed(tkhd, '000003', (box) => {
    const id = box.u32();
    box.zeros('what is reserved', 4);
    return id;
  });
  if (track.value !== 1) throw new Misfit(`its track has the number ${track.value}`);
  tkhd.zeros('layer, group or volume', 16);
  tkhd.exactly('the matrix', identity);
  const [shownWidth, shownHeight] = [tkhd.u32() / 65536, tkhd.u32() / 65536];
  tkhd.end();

  const { mdhd, hdlr, minf } = childrenOf(mdia, ['mdhd', 'hdlr', 'minf']);
  const media = timed(mdhd, '000000', (box) => box.u32());
  mdhd.exactly('the language', '55c40000');
  mdhd.end();
  hdlr.exactly('what it says', '0000000000000000' + hex('vide') + '00'.repeat(12) + hex('VideoHandler') + '00');
  hdlr.end();
  const { vmhd, dinf, stbl } = childrenOf(minf, ['vmhd', 'dinf', 'stbl']);
  vmhd.exactly('what it says', '000000010000000000000000');
  vmhd.end();
  // One entry, with the flag that says "in this file".
  const { dref } = childrenOf(dinf, ['dref']);
  dref.exactly('what it says', '00000000' + '00000001' + '0000000c' + hex('url ') + '00000001');
  dref.end();

  const tables = childrenOf(stbl, ['stsd', 'stts', 'stsc', 'stsz'], ['stss', 'stco', 'co64']);
  const { width, height, pixelAspect, parameterSets } = readEntry(tables.stsd);
  if (shownHeight !== height || Math.abs(shownWidth - width * pixelAspect) >= 1 / 65536)
    throw new Misfit(`it is to be shown as ${shownWidth}x${shownHeight}, and is ${width}x${height}`);
  const sampleSizes = readSizes(tables.stsz);
  const { times, lastDuration } = readTimes(tables.stts, sampleSizes.length);
  const end = Number(times.at(-1) ?? 0n) + lastDuration;
  const [timescale, movieScale] = [media.value, movie.value];
  if (timescale < 1 || movieScale < 1) throw new Misfit('it has no time scale');
  if (media.duration !== end) throw new Misfit(`mdhd says that it lasts ${media.duration}, and it lasts ${end}`);
  const movieEnd = Math.ceil((end * movieScale) / timescale);
  for (const { duration } of [movie, track]) {
    if (duration !== movieEnd)
      throw new Misfit(`mvhd or tkhd says that it lasts ${duration}, and it lasts ${movieEnd}`);
  }
  const { stss } = tables;
  return {
    ...{ width, height, timescale, times, lastDuration, sampleSizes, parameterSets },
    keySamples: stss === undefined ? null : readKeys(stss, sampleSizes.length),
    chunks: readChunks(tables),
  };
}

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

/** The one sample entry: `avc1` with its parameter sets, and how pixels and colours are meant. */
function readEntry(stsd: BoxReader): {
  width: number;
  height: number;
  pixelAspect: number;
  parameterSets: ParameterSets;
} {
  stsd.exactly('the number of entries', '0000000000000001');
  const { avc1 } = childrenOf(stsd, ['avc1']);
  avc1.exactly('the reference', '0000000000000001');
  avc1.zeros('what is reserved', 16);
  const [width, height] = [avc1.u16(), avc1.u16()];
  avc1.exactly('resolution and frame count', '0048000000480000' + '00000000' + '0001');
  // The name of the compressor: none, or the one blank that we give so that newer builds do not put theirs.
  const name = avc1.bytes(2).toString('hex');
  if (name !== '0000' && name !== '0120') throw new Misfit('avc1 names a compressor');
  avc1.zeros('the name of the compressor', 30);
  avc1.exactly('depth and palette', '0018ffff');
  const { avcC, pasp, colr, btrt } = childrenOf(avc1, ['avcC'], ['pasp', 'colr', 'btrt']);
  const parameterSets = readConfiguration(avcC);
  const { width: codedWidth, height: codedHeight } = readSps(parameterSets.sps);
  if (codedWidth !== width || codedHeight !== height)
    throw new Misfit(`it says ${width}x${height}, and its pictures are ${codedWidth}x${codedHeight}`);
  checkPps(parameterSets.pps);
  const [across, down] = pasp === undefined ? [1, 1] : [pasp.u32(), pasp.u32()];
  pasp?.end();
  if (across < 1 || down < 1) throw new Misfit('its pixels have no shape');
  if (colr !== undefined) {
    colr.exactly('the kind', hex('nclx'));
    if ([colr.u16(), colr.u16(), colr.u16()].some((code) => code > 22) || ![0, 0x80].includes(colr.u8()))
      throw new Misfit('colr names colours that there are not');
    colr.end();
  }
  btrt?.bytes(12);
  btrt?.end();
  return { width, height, pixelAspect: across / down, parameterSets };
}

function readConfiguration(avcC: BoxReader): ParameterSets {
  avcC.exactly('the version', '01');
  const profile = avcC.bytes(3);
  avcC.exactly('lengths of 4 bytes and one parameter set', 'ffe1');
  const sps = avcC.bytes(avcC.u16());
  if (!sps.subarray(1, 4).equals(profile)) throw new Misfit('avcC has another profile than its parameter set');
  avcC.exactly('the number of picture parameter sets', '01');
  const pps = avcC.bytes(avcC.u16());
  // 4:2:0, 8 bits, nothing more: newer builds write it for the High profile.
  if (avcC.left() > 0) avcC.exactly('the chroma format', 'fdf8f800');
  avcC.end();
  return { sps, pps };
}

/** Chunks follow one another without a gap and fill `mdat`: no byte in it is no picture's, no picture lies elsewhere. */
function sampleOffsets({ chunks, sampleSizes }: Index, mdat: Extent): Float64Array {
  const offsets = new Float64Array(sampleSizes.length);
  let [sample, at] = [0, mdat.offset];
  for (const [chunk, offset] of chunks.offsets.entries()) {
    if (offset !== at) throw new Misfit(`chunk ${chunk} begins at ${offset}, not at ${at}`);
    const samples = chunks.samplesOf(chunk);
    if (samples < 1 || samples > sampleSizes.length - sample)
      throw new Misfit('chunks hold other samples than there are');
    for (const end = sample + samples; sample < end; sample += 1) {
      const size = sampleSizes[sample] ?? 0;
      if (size < 1 || size > mostSampleBytes) throw new Misfit(`picture ${sample} has ${size} bytes`);
      offsets[sample] = at;
      at += size;
    }
  }
  if (sample !== sampleSizes.length) throw new Misfit('chunks hold other samples than there are');
  if (at !== mdat.offset + mdat.size)
    throw new Misfit(`mdat has ${mdat.offset + mdat.size - at} bytes beside its pictures`);
  return offsets;
}

/** Reads a few MiB at a time, whole samples each. @returns how many samples are key pictures. */
async function walkSamples(
  file: FileHandle,
  { sampleSizes, keySamples, parameterSets }: Index,
  offsets: Float64Array,
  { onSample, signal }: ReadShapeOptions,
): Promise<number> {
  const count = sampleSizes.length;
  let window = Buffer.alloc(windowBytes);
  let keys = 0;
  for (let first = 0; first < count;) {
    if (signal?.aborted === true) throw new GatewayError('interrupted', 'Reading the copy: stopped');
    const start = offsets[first] ?? 0;
    const endOf = (sample: number): number => (offsets[sample] ?? 0) + (sampleSizes[sample] ?? 0);
    let end = first + 1;
    while (end < count && endOf(end) - start <= windowBytes) end += 1;
    const sizeBytes = endOf(end - 1) - start;
    if (sizeBytes > window.length) window = Buffer.alloc(sizeBytes);
    await readAt(file, start, window.subarray(0, sizeBytes));
    for (; first < end; first += 1) {
      const at = (offsets[first] ?? 0) - start;
      const sample = window.subarray(at, at + (sampleSizes[first] ?? 0));
      const { isKey } = checkSample(`picture ${first}`, sample, parameterSets);
      if (isKey !== (keySamples?.has(first) ?? true) || (first === 0 && !isKey))
        throw new Misfit(`picture ${first} is ${isKey ? 'a' : 'no'} key picture, and stss says otherwise`);
      if (isKey) keys += 1;
      onSample?.(sample, first);
    }
  }
  return keys;
}
