/**
 * MP4 and MOV, whole, fragmented, or cut. Timing is read here and not by the library, for three reasons: a file that was cut
 * is to be indexed up to the cut, a hostile sample count must not be unrolled into memory, and an hour is to take about as
 * long as a minute. What the tracks are is told by the library, from the index alone.
 */
import type { BoundedFile } from './bounded-file.js';
import { readHeader } from './boxes.js';
import { addFragment, chainToEnd, standsAlone, type FragmentSum } from './moof.js';
import { presentPart, readMoov, type Moov, type MoovTrack } from './moov.js';
import { describeTracks } from './library.js';
import { ProbeRefusal, type MediaSummary } from './summary.js';

/** Boxes that may open a file of this family. */
const openers = new Set([
  'ftyp',
  'styp',
  'moov',
  'moof',
  'mdat',
  'free',
  'skip',
  'wide',
  'pnot',
  'sidx',
  'uuid',
  'prft',
]);

/** One read at a box: its header, and mostly the whole of a fragment's. */
const gulpBytes = 4096;
/** An index of a day at 30 frames a second has about 30 MB. */
const maxIndexBytes = 64 * 2 ** 20;
const maxFragmentBytes = 8 * 2 ** 20;
/** Enough for the last fragment of a second or two; the second try for long ones. */
const tailBytes = [2 ** 18, 2 ** 22] as const;

export const looksLikeIsobmff = (head: Buffer): boolean => openers.has(readHeader(head)?.type ?? '');

interface Walked {
  readonly head: Buffer;
  readonly indexBytes: Buffer | null;
  readonly index: Moov | null;
  readonly sums: ReadonlyMap<number, FragmentSum>;
  readonly hasMedia: boolean;
  readonly truncated: boolean;
}

/** Throws ProbeRefusal, LimitReached or the system's error. */
export async function readIsobmff(file: BoundedFile): Promise<MediaSummary> {
  const walked = await walk(file);
  const { index, indexBytes } = walked;
  if (index === null || indexBytes === null) {
    throw walked.hasMedia || walked.truncated
      ? new ProbeRefusal('no-index', 'media without an index: the recorder was stopped before it wrote one')
      : new ProbeRefusal('no-media', 'neither an index nor media');
  }
  const video = index.tracks.filter((track) => track.kind === 'video');
  if (video.length === 0) throw new ProbeRefusal('no-video', 'no video track');
  const timed = video.map((track) => timeOf(track, walked, file.facts.sizeBytes));
  const best = timed.sort((a, b) => b.durationUs - a.durationUs)[0];
  if (best === undefined || best.sampleCount === 0) {
    throw walked.truncated || walked.hasMedia
      ? new ProbeRefusal('damaged', 'no frame that the index lists is in the file')
      : new ProbeRefusal('no-media', 'an index that lists no frame');
  }
  const described = await describeTracks(Buffer.concat([walked.head, indexBytes]));
  return {
    container: walked.sums.size > 0 ? 'fmp4' : described.container,
    durationUs: best.durationUs,
    hasVideo: true,
    hasAudio: described.hasAudio,
    codec: described.codec,
    width: described.width,
    height: described.height,
    frameRate: best.sampleTime > 0 ? (best.sampleCount / best.sampleTime) * best.timescale : null,
    creationTimeUs: index.creationTimeUs,
    recorderClockUs: index.recorderClockUs,
    recorderNumber: index.recorderNumber,
    truncated: walked.truncated || best.short,
  };
}

/**
 * Goes from box to box at the top level: reads index and fragments, leaps over media. After the first fragment it goes on
 * with the last ones, where these say themselves when they begin: an hour of one-second fragments is 3,600 reads otherwise.
 */
async function walk(file: BoundedFile): Promise<Walked> {
  const { sizeBytes } = file.facts;
  const sums = new Map<number, FragmentSum>();
  let head: Buffer = Buffer.alloc(0);
  let indexBytes: Buffer | null = null;
  let index: Moov | null = null;
  let hasMedia = false;
  let truncated = false;
  let leapt = false;
  let windowAt = 0;
  let window = await file.read(0, gulpBytes);
  let at = 0;
  while (at < sizeBytes) {
    const inWindow = at - windowAt;
    if (inWindow + 16 > window.length && windowAt + window.length < sizeBytes) {
      window = await file.read(at, gulpBytes);
      windowAt = at;
    }
    const bytes = window.subarray(at - windowAt);
    const header = readHeader(bytes);
    if (header === null) {
      // Bytes that are no box: the file was cut inside a header, or something was written behind its end.
      truncated = true;
      break;
    }
    let end = header.sizeBytes === 0 ? sizeBytes : at + header.sizeBytes;
    const whole = async (limit: number): Promise<Buffer | null> => {
      if (end > sizeBytes) return null;
      if (end - at > limit)
        throw new ProbeRefusal('damaged', `box "${header.type}" is larger than any recorder writes`);
      return end - at <= bytes.length ? bytes.subarray(0, end - at) : await file.read(at, end - at);
    };
    if (header.type === 'ftyp' && head.length === 0) head = (await whole(gulpBytes)) ?? head;
    if (header.type === 'mdat') hasMedia ||= end - at > header.headerBytes;
    if (header.type === 'moov' && index === null) {
      indexBytes = await whole(maxIndexBytes);
      if (indexBytes !== null) index = readMoov(indexBytes.subarray(header.headerBytes));
    }
    if (header.type === 'moof' && index === null) {
      throw new ProbeRefusal('no-index', 'a fragment without the initialisation segment it belongs to');
    }
    if (header.type === 'moof' && index !== null) {
      const fragment = await whole(maxFragmentBytes);
      if (fragment !== null) {
        const complete = addFragment(fragment.subarray(header.headerBytes), at, sizeBytes, index, sums);
        truncated ||= !complete;
        if (!leapt && standsAlone(fragment.subarray(header.headerBytes))) {
          leapt = true;
          end = (await lastFragments(file, end)) ?? end;
        }
      }
    }
    truncated ||= end > sizeBytes;
    at = end;
  }
  return { head, indexBytes, index, sums, hasMedia, truncated };
}

/** Where the last fragments begin, or null where they are not found or not worth the leap. */
async function lastFragments(file: BoundedFile, from: number): Promise<number | null> {
  const { sizeBytes } = file.facts;
  for (const length of tailBytes) {
    const tailAt = sizeBytes - length;
    if (tailAt <= from) return null;
    const chain = chainToEnd(await file.read(tailAt, length));
    if (chain === null) continue;
    const header = readHeader(await file.read(tailAt + chain, 16));
    if (header === null || header.sizeBytes > maxFragmentBytes) return null;
    const moof = await file.read(tailAt + chain + header.headerBytes, header.sizeBytes - header.headerBytes);
    return standsAlone(moof) ? tailAt + chain : null;
  }
  return null;
}

interface Timed {
  readonly sampleCount: number;
  readonly sampleTime: number;
  readonly timescale: number;
  readonly durationUs: number;
  readonly short: boolean;
}

function timeOf(track: MoovTrack, walked: Walked, fileBytes: number): Timed {
  const sum = walked.sums.get(track.id);
  const inIndex = presentPart(track, fileBytes);
  const fragments = sum === undefined ? 0 : sum.endsAt - sum.startsAt;
  const delayUs = sum === undefined ? track.delayUs : 0;
  return {
    sampleCount: inIndex.sampleCount + (sum?.sampleCount ?? 0),
    sampleTime: inIndex.duration + (sum?.sampleTime ?? 0),
    timescale: track.timescale,
    durationUs: Math.round(((inIndex.duration + fragments) / track.timescale) * 1e6 + delayUs),
    short: inIndex.sampleCount < track.sampleCount,
  };
}
