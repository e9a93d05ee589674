/**
 * ffmpeg as a decoder and an encoder of raw frames. With ffmpeg-binary.ts the ONLY place that knows of ffmpeg, fluent-ffmpeg
 * and the embedded build, so that each can be replaced here.
 *
 * fluent-ffmpeg assembles the argument lists. The process is started and supervised by us, because raw frames go through
 * inherited pipes (file descriptor 3), which fluent-ffmpeg cannot pass on, and no frame may take the way through JavaScript.
 *
 * Input files are hostile. ffmpeg runs in a process of its own, niced, without our environment, with demuxers, decoders,
 * protocols, picture size and allocations limited; it opens no file but the named one and nothing on the network.
 */
import { closeSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import Ffmpeg from 'fluent-ffmpeg';
import { GatewayError, toGatewayError } from '../errors.js';
import { findFfmpeg, type FfmpegBinary } from './ffmpeg-binary.js';
import { colorOptions, describePicture, pictureFilters, type ColorTags, type PictureKind } from './ffmpeg-picture.js';
import { startProcess, tidy, type FfmpegProcess, type RunOptions } from './ffmpeg-process.js';
import { openFramePipe } from './native.js';

export { findFfmpeg } from './ffmpeg-binary.js';
export type { ColorTags } from './ffmpeg-picture.js';

/** Containers that recorders write. Not among them: playlists and scripts, which name other files. */
const demuxers = 'mov,matroska,avi,mpegts,mpeg,h264,hevc,m4v,mjpeg,asf,flv,ogg,ivf,dhav,mpegvideo,h261,h263';
/** Video of recorders, and sound that ffmpeg looks at while it probes (it is never decoded for us). */
const decoders = [
  'h264,hevc,mpeg4,mjpeg,mpeg1video,mpeg2video,h263,msmpeg4,msmpeg4v2,msmpegv2,wmv1,wmv2,wmv3,vc1,flv,vp8,vp9,av1',
  'libdav1d,libaom-av1,libvpx,libvpx-vp9,theora,rawvideo,aac,aac_latm,mp1,mp2,mp3,mp3float,mp2float,ac3,opus,vorbis,flac',
  'pcm_alaw,pcm_mulaw,pcm_s16le,pcm_s16be,pcm_u8,adpcm_ima_wav,adpcm_ms,g726,g726le,wmav1,wmav2,amrnb,nellymoser',
].join(',');

/** An absolute `file:` name, so that neither a colon nor a leading dash in it means anything. */
export const fileName = (path: string): string => `file:${resolve(path)}`;

/** The same thing has had different names through the years. */
const isAtLeast = (binary: FfmpegBinary, major: number): boolean =>
  binary.major === null ? binary.year >= 2025 : binary.major >= major;
/** Every frame once, at its own time: no frame doubled or dropped for a constant rate. */
const everyFrame = (binary: FfmpegBinary): string[] => [
  ...(isAtLeast(binary, 6) ? ['-fps_mode', 'passthrough'] : ['-vsync', '0']),
  ...['-enc_time_base', isAtLeast(binary, 7) ? 'demux' : '-1'],
];

const alwaysFirst = ['-hide_banner', '-nostdin', '-loglevel', 'error', '-max_alloc', String(1 << 29)];

/** The most that a hostile file may ask for; frames with errors in them are delivered. */
export const inputOptions: readonly string[] = [
  ...alwaysFirst,
  ...['-protocol_whitelist', 'file,pipe', '-format_whitelist', demuxers, '-codec_whitelist', decoders],
  ...['-max_pixels', String(1 << 26), '-flags', '+output_corrupt'],
];

/** What a source's pictures are like: their size, upright, and how their colours are meant. Throws as `startDecoder` does. */
export async function pictureOf(input: string, signal?: AbortSignal): Promise<Pick<PictureKind, 'size' | 'color'>> {
  assertPlainFile(input, `Looking at ${input}`);
  return describePicture(await findFfmpeg(), [...inputOptions, '-i', fileName(input)], input, signal);
}

export interface DecodeRequest extends RunOptions {
  readonly input: string;
  /** Size of the delivered frames, upright; left out: that of the source. A source that changes its size needs one. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
  /** Adds a black column or row at the right or bottom where a side is odd; coordinates do not change. */
  readonly padToEven?: boolean | undefined;
  /** Decoder threads; ffmpeg decides when left out. */
  readonly threads?: number | undefined;
  /** Seconds since the beginning of the file; roughly, and earlier rather than later. Time stamps then begin anew. */
  readonly fromS?: number | undefined;
}

export interface DecodeEnd {
  /** Something in the source could not be decoded or was cut off; what could be was delivered. */
  readonly damaged: boolean;
  /** What ffmpeg said about it, last lines; '' when nothing. */
  readonly complaints: string;
}

export interface Decoding {
  /** For `openFrameLine`, which owns it from then on: the pictures. */
  readonly readFd: number;
  /** Likewise: the time of every frame, as a stream of small pictures. */
  readonly timesFd: number;
  readonly pid: number | undefined;
  /**
   * Settles when ffmpeg has ended. Damage is told in two grades, because real recorders leave small damage behind (a first
   * frame that refers to what was never recorded, a file cut off by a power failure whose playable part is evidence): if
   * ffmpeg gives up or more than two thirds of the packets fail, it rejects with `media-unreadable`; otherwise every frame that
   * could be decoded came through, also those with errors in them, and `damaged` is true.
   */
  readonly done: Promise<DecodeEnd>;
  stop: () => void;
}

/**
 * Decodes the first video track, upright, to raw yuv420p frames on a pipe, and their time stamps on another. All passes over one
 * file that use the same binary deliver the same frames with the same stamps, whatever their size and pixel format.
 *
 * The frames are YUV4MPEG2, which knows no times: NUT does, but then ffmpeg copies every frame once more.
 */
export async function startDecoder(request: DecodeRequest): Promise<Decoding> {
  const binary = await findFfmpeg();
  const { size } = request;
  const doing = `Decoding ${request.input}`;
  assertPlainFile(request.input, doing);
  const inputArguments = [...inputOptions, '-i', fileName(request.input)];
  const kind = await describePicture(binary, inputArguments, request.input, request.signal);
  const pictures = [
    ...pictureFilters(kind, size),
    ...(request.padToEven === true ? ['pad=ceil(iw/2)*2:ceil(ih/2)*2'] : []),
    'format=yuv420p',
    'split',
  ];
  const command = Ffmpeg()
    .input(fileName(request.input))
    .inputOptions(...inputOptions, ...seekTo(request.fromS), ...threads(request.threads))
    .complexFilter([`[0:V:0]${pictures.join(',')}[all][frames]`, `[all]${corner}[times]`])
    // First of the two: a time is then always written before its picture, and whoever has the picture does not wait in vain.
    .output('pipe:4')
    .outputOptions('-map', '[times]', ...rawFrames(binary), '-flush_packets', '1')
    .output('pipe:3')
    .outputOptions('-map', '[frames]', ...plainFrames(binary));
  const { run, readFds } = startWithPipes(binary, command, 2, doing, request);
  const [readFd = -1, timesFd = -1] = readFds;
  return { readFd, timesFd, pid: run.pid, done: judged(run, doing), stop: run.stop };
}

/** Of a frame of which only the time is of interest; costs nothing. */
const corner = 'crop=min(iw\\,16):min(ih\\,16):0:0';
const threads = (count: number | undefined): string[] => (count === undefined ? [] : ['-threads', String(count)]);
/** To the last key frame before it, and decoded from there. */
const seekTo = (seconds: number | undefined): string[] =>
  seconds === undefined || seconds <= 0 ? [] : ['-ss', seconds.toFixed(3), '-noaccurate_seek'];
const nothingElse = ['-an', '-sn', '-dn', '-map_metadata', '-1'];
const rawFrames = (binary: FfmpegBinary): string[] => [
  ...nothingElse,
  ...everyFrame(binary),
  ...['-c:v', 'rawvideo', '-f', 'nut', '-write_index', '0'],
];
const plainFrames = (binary: FfmpegBinary): string[] => [...nothingElse, ...everyFrame(binary), '-f', 'yuv4mpegpipe'];

/**
 * Decodes only to look: a picture of `size` at most `perSecond` times a second, the first frame among them, and besides the
 * time of every frame as `startDecoder` gives it; both are NUT, since not every frame has a picture. Decoding leaves out the smoothing of block edges, which nobody misses in
 * a picture made small, and a frame that nobody looks at costs nothing but its decoding.
 */
export async function startSparseDecoder(
  request: RunOptions & {
    readonly input: string;
    readonly size: { readonly width: number; readonly height: number };
    readonly perSecond: number;
  },
): Promise<Decoding> {
  const binary = await findFfmpeg();
  const { input, size, perSecond, signal } = request;
  const doing = `Decoding ${input}`;
  assertPlainFile(input, doing);
  const kind = await describePicture(binary, [...inputOptions, '-i', fileName(input)], input, signal);
  const progressive = pictureFilters({ ...kind, fullRange: false }, undefined);
  // A tenth less than the interval: of frames that do not fit into it exactly, the one before counts. Time that jumps back
  // (a damaged file) begins anew.
  const apart = (0.9 / perSecond).toFixed(4);
  const due = `isnan(prev_selected_t)+gte(t-prev_selected_t\\,${apart})+lt(t\\,prev_selected_t)`;
  const command = Ffmpeg()
    .input(fileName(input))
    .inputOptions(...inputOptions, '-skip_loop_filter', 'all')
    .complexFilter([
      `[0:V:0]${[...progressive, 'split'].join(',')}[all][few]`,
      `[all]${corner},format=yuv420p[times]`,
      `[few]select=${due},${pictureFilters({ ...kind, interlaced: false }, size).join(',')},format=yuv420p[looks]`,
    ])
    .output('pipe:3')
    .outputOptions('-map', '[looks]', ...rawFrames(binary))
    .output('pipe:4')
    .outputOptions('-map', '[times]', ...rawFrames(binary));
  const { run, readFds } = startWithPipes(binary, command, 2, doing, request);
  const [readFd = -1, timesFd = -1] = readFds;
  return { readFd, timesFd, pid: run.pid, done: judged(run, doing), stop: run.stop };
}

/** The reading ends of the pipes that the process has as file descriptors 3 and on. */
function startWithPipes(
  binary: FfmpegBinary,
  command: Ffmpeg.FfmpegCommand,
  count: number,
  doing: string,
  options: RunOptions,
): { run: FfmpegProcess; readFds: readonly number[] } {
  const pipes = Array.from({ length: count }, openFramePipe);
  try {
    const writeFds = pipes.map((pipe) => pipe.writeFd);
    const run = startProcess(binary, command._getArguments().map(String), writeFds, doing, options);
    return { run, readFds: pipes.map((pipe) => pipe.readFd) };
  } catch (error) {
    for (const { readFd } of pipes) closeSync(readFd);
    throw error;
  }
}

/** How decoding a file ended: see `Decoding.done`. */
function judged(run: FfmpegProcess, doing: string): Promise<DecodeEnd> {
  const done = run.done.then(
    (complaints): DecodeEnd => {
      const damage = aboutPicture(complaints);
      return { damaged: damage.length > 0, complaints: damage.slice(-20).join('\n') };
    },
    (error: unknown) => {
      throw unreadable(doing, error);
    },
  );
  done.catch(() => undefined); // see startProcess()
  return done;
}

/**
 * Without what it says about tracks that are none of ours: a subtitle track that it may not decode is no damage. Were it the
 * picture's own codec, ffmpeg would have given up.
 */
function aboutPicture(complaints: string): string[] {
  const lines = tidy(complaints);
  const foreign = lines.map((line) => line.includes(' not on whitelist '));
  return lines.filter((line, at) => foreign[at] !== true && !(repeats(line) && foreign[at - 1] === true));
}

const repeats = (line: string): boolean => /^Last message repeated \d+ times$/.test(line);

/** ffmpeg would wait for a named pipe without end, and tell of a folder or a missing file in words of its own. */
export function assertPlainFile(path: string, doing: string): void {
  let isFile: boolean;
  try {
    isFile = statSync(path).isFile();
  } catch (error) {
    throw toGatewayError(error, doing);
  }
  if (!isFile) {
    throw new GatewayError('media-unreadable', `${doing}: it is not a file.`, { remedy: 'Name a video file.' });
  }
}

/** A decoder that gives up by itself is the fault of the file; one that was killed is not. */
function unreadable(doing: string, error: unknown): unknown {
  if (!(error instanceof GatewayError) || error.code !== 'ffmpeg-failed') return error;
  const { exitCode, stderr } = (error.details ?? {}) as { exitCode?: number | null; stderr?: string };
  if (typeof exitCode !== 'number') return error;
  if (/V:0'.* matches no streams/.test(stderr ?? '')) {
    return new GatewayError('media-unreadable', `${doing}: there is no video track in it.`, {
      remedy:
        'Sound, a still picture or subtitles alone cannot be masked; a recording without its index has none either.',
      ...(error.details === undefined ? {} : { details: error.details }),
      cause: error,
    });
  }
  const said = tidy(stderr ?? '')
    .slice(-3)
    .join('; ')
    // The list of what is allowed is long, and of no use to whoever reads this.
    .replaceAll(/ not on whitelist '[^']*'?/g, ' is not accepted');
  return new GatewayError('media-unreadable', `${doing}: ${said === '' ? `exit code ${exitCode}` : said}`, {
    remedy: 'Look whether the recorder itself plays this file; it may be damaged or not a video.',
    ...(error.details === undefined ? {} : { details: error.details }),
    cause: error,
  });
}

export interface EncodeRequest extends RunOptions {
  /** Written as it grows; the caller gives a temporary name and removes it when anything fails. */
  readonly output: string;
  /** Ticks per second of the track: the denominator of the frames' time base, so that every stamp stays exact. */
  readonly timescale: number;
  readonly color?: ColorTags | undefined;
  readonly threads?: number | undefined;
}

export interface Encoding {
  /** For `FrameLine.writeTo`, which owns it from then on. */
  readonly writeFd: number;
  readonly pid: number | undefined;
  /** Resolves when the file is complete (not yet fsynced), with its index at the end. */
  readonly done: Promise<void>;
  stop: () => void;
}

/**
 * What the speed and the size of a masked copy depend on. `superfast` encodes a sixth faster, but its copies are nearly twice
 * as large, and decoding those for the proof takes back what was won.
 */
export const encoderSettings: readonly string[] = [
  '-c:v',
  'libx264',
  '-preset',
  'veryfast',
  '-crf',
  '23',
  '-pix_fmt',
  'yuv420p',
  '-bf',
  '0',
];

/**
 * Encodes raw yuv420p frames (NUT) from a pipe to H.264 in MP4: one video track and nothing else - no sound, no tags, no
 * chapters, no encoder strings. Without B-frames, so that the first frame is at 0 and no edit list is needed.
 */
export async function startEncoder(request: EncodeRequest): Promise<Encoding> {
  const binary = await findFfmpeg();
  const command = Ffmpeg()
    .input('pipe:3')
    .inputOptions(
      ...alwaysFirst,
      // The header says everything there is to know; no frames are held back for guessing.
      ...['-protocol_whitelist', 'pipe', '-format_whitelist', 'nut', '-probesize', '32', '-analyzeduration', '0'],
      ...['-f', 'nut'],
    )
    .output(fileName(request.output))
    .outputOptions(
      ...['-y', '-map', '0:v:0', '-an', '-sn', '-dn', '-map_metadata', '-1', '-map_chapters', '-1'],
      ...['-fflags', '+bitexact', '-flags:v', '+bitexact'],
      // Newer builds name themselves in the track even so, unless something stands there already.
      ...['-metadata:s:v', 'encoder= '],
      ...everyFrame(binary),
      ...encoderSettings,
      ...(request.threads === undefined ? [] : ['-threads', String(request.threads)]),
      ...colorOptions(request.color ?? {}),
      // Type 6 is SEI: x264 writes its version and settings there. The parameter sets stand before each key frame as well, so
      // that the copy can be decoded, and proved, while it grows and has no index yet.
      ...['-bsf:v', 'filter_units=remove_types=6,dump_extra'],
      ...['-video_track_timescale', String(request.timescale)],
      // Old builds write one that ends with the last frame's beginning, and then that frame is not shown.
      ...['-use_editlist', '0', '-f', 'mp4'],
    );
  const pipe = openFramePipe();
  let run: FfmpegProcess;
  try {
    run = startProcess(
      binary,
      command._getArguments().map(String),
      [pipe.readFd],
      `Encoding ${request.output}`,
      request,
    );
  } catch (error) {
    closeSync(pipe.writeFd);
    throw error;
  }
  const done = run.done.then(() => undefined);
  done.catch(() => undefined); // see startProcess()
  return { writeFd: pipe.writeFd, pid: run.pid, done, stop: run.stop };
}

export interface BitstreamDecoding extends Omit<Decoding, 'timesFd'> {
  /** H.264 in Annex B goes in here; end it after the last byte. */
  readonly input: Writable;
}

/**
 * Decodes H.264 that comes in piece by piece to raw yuv420p frames (YUV4MPEG2) on a pipe, for `checkFrames`. They have no times:
 * neither has a bare bitstream.
 */
export async function startBitstreamDecoder(doing: string, options: RunOptions): Promise<BitstreamDecoding> {
  const binary = await findFfmpeg();
  const command = Ffmpeg()
    .input('pipe:0')
    .inputOptions(
      ...alwaysFirst.filter((option) => option !== '-nostdin'),
      ...['-protocol_whitelist', 'pipe', '-format_whitelist', 'h264', '-codec_whitelist', 'h264'],
      ...['-flags', '+output_corrupt'],
      // The parameter sets come first; else megabytes would be collected before the first picture is decoded.
      ...['-probesize', '32', '-analyzeduration', '0', '-f', 'h264'],
    )
    .output('pipe:3')
    .videoFilters(['setpts=N', 'format=yuv420p'])
    .outputOptions(...plainFrames(binary));
  const pipe = openFramePipe();
  let run: FfmpegProcess;
  try {
    run = startProcess(binary, command._getArguments().map(String), [pipe.writeFd], doing, options, 'pipe');
  } catch (error) {
    closeSync(pipe.readFd);
    throw error;
  }
  const done = run.done.then((complaints): DecodeEnd => ({
    damaged: complaints !== '',
    complaints: tidy(complaints).slice(-20).join('\n'),
  }));
  done.catch(() => undefined); // see startProcess()
  if (run.stdin === null) throw new GatewayError('internal', `${doing}: no standard input.`);
  return { readFd: pipe.readFd, pid: run.pid, done, input: run.stdin, stop: run.stop };
}
