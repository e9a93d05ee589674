/** How the pictures of a file are meant - interlaced, full range, colours - and what makes plain progressive ones of them. */
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { GatewayError } from '../errors.js';
import { childEnvironment, type FfmpegBinary } from './ffmpeg-binary.js';

/** Names as in WebCodecs or as ffmpeg writes them. */
export interface ColorTags {
  readonly primaries?: string | undefined;
  readonly transfer?: string | undefined;
  readonly matrix?: string | undefined;
}

export interface PictureKind {
  /** One of the first frames is flagged as two fields of different times. */
  readonly interlaced: boolean;
  /** 0..255 instead of 16..235. */
  readonly fullRange: boolean;
  /** Of what a decoder of ours delivers; empty where nobody says. */
  readonly color: ColorTags;
  /** Upright, of the first frame; null where none could be decoded. */
  readonly size: { readonly width: number; readonly height: number } | null;
}

const plain: PictureKind = { interlaced: false, fullRange: false, color: {}, size: null };
/** Interlacing is a property of the recorder, so few frames tell; a broken first one often says nothing. */
const framesLookedAt = 8;
const timeLimitMs = 30_000;
const rememberedFiles = 32;

/**
 * Reads what ffmpeg tells of the first frames: the only source that is the same for all containers and codecs, and that knows
 * of flags that stand in the pictures themselves. The text is partly the file's own; a file that lies about itself gets wrong
 * colours, or fields left as they are, and no more.
 *
 * @returns `plain` where nothing can be learnt: the decoder judges the file.
 * @throws GatewayError `interrupted` on abort; `ffmpeg-failed` where it was killed, since a second pass would then see another picture.
 */
export async function describePicture(
  binary: FfmpegBinary,
  inputArguments: readonly string[],
  input: string,
  signal?: AbortSignal,
): Promise<PictureKind> {
  const { dev, ino, size, mtimeMs } = statSync(input);
  const key = [binary.path, dev, ino, size, mtimeMs].join(':');
  const before = remembered.get(key);
  if (before !== undefined) return before;
  const said = await lookAt(binary, inputArguments, input, signal);
  const kind = said === null ? plain : kindOf(said);
  if (remembered.size >= rememberedFiles) remembered.delete(remembered.keys().next().value ?? '');
  remembered.set(key, kind);
  return kind;
}

/** All passes over a file ask, and all have to get the same answer. */
const remembered = new Map<string, PictureKind>();

/** What it wrote, or null where it gave up by itself. */
function lookAt(
  binary: FfmpegBinary,
  inputArguments: readonly string[],
  input: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const at = inputArguments.indexOf('-i');
  const command = [
    ...inputArguments.slice(0, at),
    // The last level named counts; at this one the streams and frames are described. One thread, since more would decode
    // ahead what nobody asks for.
    ...['-loglevel', 'info', '-threads', '1'],
    ...inputArguments.slice(at),
    ...['-map', '0:V:0', '-frames:v', String(framesLookedAt), '-vf', 'showinfo=checksum=0', '-f', 'null', '-'],
  ];
  return new Promise((settle, fail) => {
    const options = {
      env: childEnvironment(),
      cwd: '/',
      timeout: timeLimitMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: 1 << 20,
      ...(signal === undefined ? {} : { signal }),
    };
    execFile(binary.path, command, options, (error, _out, complaints) => {
      if (error === null) settle(complaints);
      else if (signal?.aborted === true) fail(new GatewayError('interrupted', `Looking at ${input}: stopped`));
      else if (error.killed !== true && typeof error.signal === 'string') {
        fail(
          new GatewayError('ffmpeg-failed', `Looking at ${input}: ffmpeg ended with killed by ${error.signal}`, {
            remedy: 'Somebody or the system ended it: look whether memory ran out, then try again.',
          }),
        );
      }
      // It gave up, or we gave up since it took too long or said too much: the decoder judges the file.
      else settle(null);
    });
  });
}

function kindOf(said: string): PictureKind {
  const frames = [
    ...said.matchAll(/^.*\[Parsed_showinfo_0 @ [^\]]*\] n: *\d+ .*? fmt:(\S+) .*? s:(\d+)x(\d+) i:([PTB?]) /gm),
  ];
  // The first track that is not a cover picture, before anything is said of the output.
  const about = (said.split(/^Output #0/m)[0] ?? '')
    .split('\n')
    .find((line) => /^ *Stream #0:\d+.*: Video: /.test(line) && !line.includes('(attached pic)'));
  const pixelFormat = frames[0]?.[1] ?? '';
  const words = new RegExp(`, ${pixelFormat}\\(([^)]*)\\)`).exec(about ?? '')?.[1]?.split(', ') ?? [];
  return {
    interlaced: frames.some(([, , , , fields]) => fields === 'T' || fields === 'B'),
    fullRange: words.includes('pc') || pixelFormat.startsWith('yuvj'),
    color: colorsOf(pixelFormat, words),
    size: frames[0] === undefined ? null : { width: Number(frames[0][2]), height: Number(frames[0][3]) },
  };
}

/** `bt709`, or `bt470bg/unknown/unknown`: matrix, primaries, transfer. */
function colorsOf(pixelFormat: string, words: readonly string[]): ColorTags {
  const word = words.find((each) => each.includes('/') || [...matrixNames, ...primariesNames].includes(each));
  const [matrix, primaries = matrix, transfer = matrix] = word?.split('/') ?? [];
  // ffmpeg makes YUV of RGB as this one, whatever the source says of itself.
  const isRgb = /^(0?rgb|0?bgr|gbr|a?rgb|a?bgr|pal8)/.test(pixelFormat);
  return { primaries, transfer, matrix: isRgb ? 'smpte170m' : matrix };
}

/**
 * The filters between decoder and raw frames. Interlaced frames become progressive ones, as many as before (elsewhere combs
 * would hide people from the detector, and be baked into the copy); full range becomes limited; the size is fitted.
 */
export function pictureFilters(
  kind: Pick<PictureKind, 'interlaced' | 'fullRange'>,
  size: { readonly width: number; readonly height: number } | undefined,
): string[] {
  const scale = [
    ...(size === undefined ? [] : [`${size.width}:${size.height}`, 'flags=bilinear']),
    ...(kind.fullRange ? ['in_range=pc', 'out_range=tv'] : []),
  ];
  return [
    ...(kind.interlaced ? ['yadif=mode=send_frame:parity=auto:deint=interlaced'] : []),
    ...(scale.length === 0 ? [] : [`scale=${scale.join(':')}`]),
  ];
}

const primariesNames = 'bt709 bt470m bt470bg smpte170m smpte240m film bt2020 smpte428 smpte431 smpte432'.split(' ');
const transferNames = [
  'bt709 gamma22 gamma28 smpte170m smpte240m linear iec61966-2-1 iec61966-2-4 bt2020-10 bt2020-12 smpte2084',
  'arib-std-b67',
].flatMap((names) => names.split(' '));
const matrixNames = 'bt709 fcc bt470bg smpte170m smpte240m bt2020nc bt2020c'.split(' ');
const transferSynonyms: Record<string, string> = {
  ...{ pq: 'smpte2084', hlg: 'arib-std-b67', bt470m: 'gamma22', bt470bg: 'gamma28' },
};
const matrixSynonyms: Record<string, string> = { 'bt2020-ncl': 'bt2020nc' };

/** For the encoder: limited range, and the colours as far as their names are known to every build. */
export function colorOptions({ primaries = '', transfer = '', matrix = '' }: ColorTags): string[] {
  const option = (name: string, value: string, known: readonly string[]): string[] =>
    known.includes(value) ? [name, value] : [];
  return [
    ...['-color_range', 'tv'],
    ...option('-color_primaries', primaries, primariesNames),
    ...option('-color_trc', transferSynonyms[transfer] ?? transfer, transferNames),
    ...option('-colorspace', matrixSynonyms[matrix] ?? matrix, matrixNames),
  ];
}
