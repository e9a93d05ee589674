/**
 * AVI, which the library does not know: header (`avih`, `strh`, `strf`), and for a file without a finished header or end a
 * walk over the chunks that are there.
 */
import type { BoundedFile } from './bounded-file.js';
import { ProbeRefusal, type MediaSummary } from './summary.js';

const codecNames: Readonly<Record<string, string>> = {
  h264: 'h264',
  avc1: 'h264',
  x264: 'h264',
  hevc: 'hevc',
  h265: 'hevc',
  mjpg: 'mjpeg',
  mp4v: 'mpeg4',
  xvid: 'mpeg4',
  divx: 'mpeg4',
  fmp4: 'mpeg4',
  mp43: 'msmpeg4v3',
  div3: 'msmpeg4v3',
  mp42: 'msmpeg4v2',
};

/** The header list with all of its streams; far more than any writer needs. */
const maxHeaderBytes = 2 ** 20;

interface Stream {
  readonly number: number;
  readonly type: string;
  readonly codec: string;
  readonly framesPerSecond: number;
  readonly frames: number;
  readonly width: number;
  readonly height: number;
}

export const looksLikeAvi = (head: Buffer): boolean =>
  head.toString('latin1', 0, 4) === 'RIFF' && /^AVI[ X\x19]$/.test(head.toString('latin1', 8, 12));

/** Throws ProbeRefusal, LimitReached or the system's error. */
export async function readAvi(file: BoundedFile): Promise<MediaSummary> {
  const { sizeBytes } = file.facts;
  const riff = await file.read(0, 12);
  let truncated = 8 + riff.readUInt32LE(4) > sizeBytes;
  let streams: Stream[] = [];
  let extendedFrames = 0;
  let mediaAt: number | null = null;
  for (let at = 12; at < sizeBytes && mediaAt === null;) {
    const head = await file.read(at, 12);
    if (head.length < 12) break;
    const length = head.readUInt32LE(4);
    if (isList(head, 'hdrl')) {
      if (length > maxHeaderBytes) throw new ProbeRefusal('damaged', 'a header larger than any recorder writes');
      const body = await file.read(at + 12, length - 4);
      streams = streamsIn(body);
      extendedFrames = extendedFramesIn(body);
    }
    if (isList(head, 'movi')) mediaAt = at;
    at += 8 + length + (length % 2);
  }
  if (streams.length === 0) throw new ProbeRefusal('no-index', 'no stream headers');
  const video = streams.find((stream) => stream.type === 'vids');
  if (video === undefined) throw new ProbeRefusal('no-video', 'no video stream');
  let frames = Math.max(video.frames, extendedFrames);
  // A recorder that was killed leaves 0 in the header; a file that was cut has fewer frames than it says.
  if (mediaAt !== null && (frames === 0 || truncated)) {
    const counted = await countFrames(file, mediaAt, video.number);
    truncated ||= counted.truncated || frames === 0;
    frames = counted.frames;
  }
  if (mediaAt === null || frames === 0) throw new ProbeRefusal('no-media', 'no frame');
  if (!(video.framesPerSecond > 0)) throw new ProbeRefusal('damaged', 'no frame rate');
  if (video.width <= 0 || video.height <= 0) throw new ProbeRefusal('damaged', 'a picture without a size');
  return {
    container: 'avi',
    durationUs: Math.round((frames / video.framesPerSecond) * 1e6),
    hasVideo: true,
    hasAudio: streams.some((stream) => stream.type === 'auds'),
    codec: video.codec,
    width: video.width,
    height: video.height,
    frameRate: video.framesPerSecond,
    creationTimeUs: null,
    recorderClockUs: null,
    recorderNumber: null,
    truncated,
  };
}

const isList = (head: Buffer, type: string): boolean =>
  head.toString('latin1', 0, 4) === 'LIST' && head.toString('latin1', 8, 12) === type;

interface Chunk {
  readonly type: string;
  readonly body: Buffer;
}

/** Chunks in memory; one that reaches beyond its list is cut there. */
function* chunksIn(body: Buffer): Generator<Chunk> {
  for (let at = 0; at + 8 <= body.length;) {
    const length = body.readUInt32LE(at + 4);
    yield { type: body.toString('latin1', at, at + 4), body: body.subarray(at + 8, at + 8 + length) };
    at += 8 + length + (length % 2);
  }
}

const listOf = (chunk: Chunk, type: string): Buffer | null =>
  chunk.type === 'LIST' && chunk.body.toString('latin1', 0, 4) === type ? chunk.body.subarray(4) : null;

function streamsIn(header: Buffer): Stream[] {
  const streams: Stream[] = [];
  for (const chunk of chunksIn(header)) {
    const list = listOf(chunk, 'strl');
    if (list === null) continue;
    const parts = new Map([...chunksIn(list)].map((part) => [part.type, part.body]));
    const strh = parts.get('strh');
    const strf = parts.get('strf');
    if (strh === undefined || strh.length < 36) throw new ProbeRefusal('damaged', 'a stream header is too short');
    const isVideo = strh.toString('latin1', 0, 4) === 'vids' && strf !== undefined && strf.length >= 20;
    const scale = strh.readUInt32LE(20);
    const fourCc = isVideo ? strf.toString('latin1', 16, 20) : strh.toString('latin1', 4, 8);
    streams.push({
      number: streams.length,
      type: strh.toString('latin1', 0, 4),
      codec: codecNames[fourCc.toLowerCase()] ?? (/^[ -~]{4}$/.test(fourCc) ? fourCc.trim() : 'unknown'),
      framesPerSecond: scale === 0 ? 0 : strh.readUInt32LE(24) / scale,
      frames: strh.readUInt32LE(32),
      width: isVideo ? strf.readInt32LE(4) : 0,
      // Negative where the rows run from top to bottom.
      height: isVideo ? Math.abs(strf.readInt32LE(8)) : 0,
    });
  }
  return streams;
}

/** Frames of an OpenDML file over all of its parts; the plain header counts the first part only. */
function extendedFramesIn(header: Buffer): number {
  for (const chunk of chunksIn(header)) {
    const list = listOf(chunk, 'odml');
    if (list === null) continue;
    for (const part of chunksIn(list))
      if (part.type === 'dmlh' && part.body.length >= 4) return part.body.readUInt32LE(0);
  }
  return 0;
}

async function countFrames(
  file: BoundedFile,
  mediaAt: number,
  stream: number,
): Promise<{ frames: number; truncated: boolean }> {
  const { sizeBytes } = file.facts;
  const mark = String(stream).padStart(2, '0');
  let frames = 0;
  for (let at = mediaAt + 12; at + 8 <= sizeBytes;) {
    const head = await file.read(at, 12);
    const type = head.toString('latin1', 0, 4);
    const length = head.readUInt32LE(4);
    if (type === 'LIST' && head.toString('latin1', 8, 12) === 'rec ') {
      at += 12;
      continue;
    }
    if (!/^(?:\d\d[a-z]{2}|ix\d\d|JUNK)$/.test(type)) break;
    if (at + 8 + length > sizeBytes) return { frames, truncated: true };
    if (type === `${mark}dc` || type === `${mark}db`) frames += 1;
    at += 8 + length + (length % 2);
  }
  return { frames, truncated: false };
}
