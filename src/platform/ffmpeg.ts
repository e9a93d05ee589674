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
import Ffmpeg from 'fluent-ffmpeg';
import { GatewayError, toGatewayError } from '../errors.js';
import { findFfmpeg, type FfmpegBinary } from './ffmpeg-binary.js';
import { startProcess, tidy, type FfmpegProcess, type RunOptions } from './ffmpeg-process.js';
import { openFramePipe } from './native.js';

export { findFfmpeg } from './ffmpeg-binary.js';

/** Containers that recorders write. Not among them: playlists and scripts, which name other files. */
const demuxers = 'mov,matroska,avi,mpegts,mpeg,h264,hevc,m4v,mjpeg,asf,flv,ogg,ivf,dhav,mpegvideo,h261,h263';
/** Video of recorders, and sound that ffmpeg looks at while it probes (it is never decoded for us). */
const decoders = [
  'h264,hevc,mpeg4,mjpeg,mpeg1video,mpeg2video,h263,msmpeg4,msmpeg4v2,msmpegv2,wmv1,wmv2,wmv3,vc1,flv,vp8,vp9,av1',
  'libdav1d,libaom-av1,libvpx,libvpx-vp9,theora,rawvideo,aac,aac_latm,mp1,mp2,mp3,mp3float,mp2float,ac3,opus,vorbis,flac',
  'pcm_alaw,pcm_mulaw,pcm_s16le,pcm_s16be,pcm_u8,adpcm_ima_wav,adpcm_ms,g726,g726le,wmav1,wmav2,amrnb,nellymoser',
].join(',');

/** An absolute `file:` name, so that neither a colon nor a leading dash in it means anything. */
const fileName = (path: string): string => `file:${resolve(path)}`;

/** The same thing has had different names through the years. */
const isAtLeast = (binary: FfmpegBinary, major: number): boolean =>
  binary.major === null ? binary.year >= 2025 : binary.major >= major;
/** Every frame once, at its own time: no frame doubled or dropped for a constant rate. */
const everyFrame = (binary: FfmpegBinary): string[] => [
  ...(isAtLeast(binary, 6) ? ['-fps_mode', 'passthrough'] : ['-vsync', '0']),
  ...['-enc_time_base', isAtLeast(binary, 7) ? 'demux' : '-1'],
];

const alwaysFirst = ['-hide_banner', '-nostdin', '-loglevel', 'error', '-max_alloc', String(1 << 29)];

export interface DecodeRequest extends RunOptions {
  readonly input: string;
  readonly pixelFormat: 'rgb24' | 'gbrp' | 'yuv420p';
  /** Size of the delivered frames, upright; left out: that of the source. A source that changes its size needs one. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
  /** Adds a black column or row at the right or bottom where a side is odd; coordinates do not change. */
  readonly padToEven?: boolean | undefined;
  /** Decoder threads; ffmpeg decides when left out. */
  readonly threads?: number | undefined;
}

export interface DecodeEnd {
  /** Something in the source could not be decoded or was cut off; what could be was delivered. */
  readonly damaged: boolean;
  /** What ffmpeg said about it, last lines; '' when nothing. */
  readonly complaints: string;
}

export interface Decoding {
  /** For `openFrameReader`, `pumpFrames` or `checkFrames`, which own it from then on. */
  readonly readFd: number;
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
 * Decodes the first video track, upright, to raw frames with their time stamps (NUT) on a pipe. All passes over one file that
 * use the same binary deliver the same frames with the same stamps, whatever their size and pixel format.
 */
export async function startDecoder(request: DecodeRequest): Promise<Decoding> {
  const binary = await findFfmpeg();
  const { size } = request;
  const doing = `Decoding ${request.input}`;
  assertPlainFile(request.input, doing);
  const command = Ffmpeg()
    .input(fileName(request.input))
    .inputOptions(
      ...alwaysFirst,
      ...['-protocol_whitelist', 'file,pipe', '-format_whitelist', demuxers, '-codec_whitelist', decoders],
      ...['-max_pixels', String(1 << 26), '-flags', '+output_corrupt'],
      ...(request.threads === undefined ? [] : ['-threads', String(request.threads)]),
    )
    .output('pipe:3')
    .videoFilters([
      ...(size === undefined ? [] : [`scale=${size.width}:${size.height}:flags=bilinear`]),
      ...(request.padToEven === true ? ['pad=ceil(iw/2)*2:ceil(ih/2)*2'] : []),
      `format=${request.pixelFormat}`,
    ])
    .outputOptions(
      ...['-map', '0:V:0', '-an', '-sn', '-dn', '-map_metadata', '-1'],
      ...everyFrame(binary),
      ...['-c:v', 'rawvideo', '-f', 'nut', '-write_index', '0'],
    );
  const pipe = openFramePipe();
  let run: FfmpegProcess;
  try {
    run = startProcess(binary, command._getArguments().map(String), [pipe.writeFd], doing, request);
  } catch (error) {
    closeSync(pipe.readFd);
    throw error;
  }
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
  return { readFd: pipe.readFd, pid: run.pid, done, stop: run.stop };
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
function assertPlainFile(path: string, doing: string): void {
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
  if (/Stream map '0:V:0' matches no streams/.test(stderr ?? '')) {
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

/** How colours were meant, where the source says so (names as in WebCodecs). */
export interface ColorTags {
  readonly primaries?: string | undefined;
  readonly transfer?: string | undefined;
  readonly matrix?: string | undefined;
}

const colorNames: Record<string, string> = { pq: 'smpte2084', hlg: 'arib-std-b67', 'bt2020-ncl': 'bt2020nc' };
const knownColors = new Set(
  'bt709 bt470bg smpte170m bt2020 smpte432 iec61966-2-1 linear smpte2084 arib-std-b67 bt2020nc'.split(' '),
);
const colorOption = (option: string, value: string | undefined): string[] => {
  const name = value === undefined ? '' : (colorNames[value] ?? value);
  return knownColors.has(name) ? [option, name] : [];
};

export interface EncodeRequest extends RunOptions {
  /** Written as it grows; the caller gives a temporary name and removes it when anything fails. */
  readonly output: string;
  /** Ticks per second of the track: the denominator of the frames' time base, so that every stamp stays exact. */
  readonly timescale: number;
  readonly color?: ColorTags | undefined;
  readonly threads?: number | undefined;
}

export interface Encoding {
  /** For `pumpFrames`, which owns it from then on. */
  readonly writeFd: number;
  readonly pid: number | undefined;
  /** Resolves when the file is complete (not yet fsynced). */
  readonly done: Promise<void>;
  stop: () => void;
}

/** What the speed and the size of a masked copy depend on. */
export const encoderSettings: readonly string[] = [
  '-c:v',
  'libx264',
  '-preset',
  'superfast',
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
      ...colorOption('-color_primaries', request.color?.primaries),
      ...colorOption('-color_trc', request.color?.transfer),
      ...colorOption('-colorspace', request.color?.matrix),
      // Type 6 is SEI: x264 writes its version and settings there.
      ...['-bsf:v', 'filter_units=remove_types=6'],
      ...['-video_track_timescale', String(request.timescale), '-movflags', '+faststart'],
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
