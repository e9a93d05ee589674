/** Single frames of files, for a person to look at. The files are as hostile as for any other use of ffmpeg, and treated alike. */
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import type { Readable } from 'node:stream';
import { GatewayError } from '../errors.js';
import { assertPlainFile, fileName, inputOptions } from './ffmpeg.js';
import { childEnvironment, findFfmpeg } from './ffmpeg-binary.js';
import { tidy } from './ffmpeg-process.js';
import type { RgbPicture } from './rgb-picture.js';

export interface FrameRequest {
  readonly input: string;
  /** Seconds since the beginning of the file. */
  readonly atS: number;
  /** True takes the key frame at or before that, which alone is decoded; false the first frame at or after it. */
  readonly keyFrame: boolean;
  /** The picture is made smaller to fit, never larger. */
  readonly maxWidth: number;
  readonly maxHeight: number;
  readonly signal?: AbortSignal | undefined;
}

export interface GrabbedFrame extends RgbPicture {
  /** When it is shown, in seconds since the beginning of the file. */
  readonly atS: number;
}

const timeLimitMs = 20_000;
const niceness = 10;

/**
 * Gives the frame upright, with square pixels and without combs; null where the file has none there. Throws `media-unreadable`
 * for a file that ffmpeg gives up on or that takes longer than 20 s, `interrupted` on abort, `ffmpeg-failed` where there is none.
 */
export async function grabFrame(request: FrameRequest): Promise<GrabbedFrame | null> {
  const [frame] = await grabFrames([request], request.signal);
  return frame ?? null;
}

/**
 * The same of several files, or of several moments of one, by one process: starting one costs more than most frames. Each has a
 * decoder of its own, so that the frames are those that each request would get by itself. One file that ffmpeg gives up on is the
 * end of all of them, and so are 20 s for all together: whoever cares which it was asks for each.
 */
export async function grabFrames(
  requests: readonly FrameRequest[],
  signal?: AbortSignal,
): Promise<(GrabbedFrame | null)[]> {
  const doing = `Taking a picture from ${[...new Set(requests.map(({ input }) => input))].join(', ')}`;
  for (const { input } of requests) assertPlainFile(input, doing);
  const binary = await findFfmpeg();
  const seeks = requests.map(seekOf);
  const args = [
    ...requests.flatMap(({ input, keyFrame }, index) => [
      ...inputOptions,
      // The last level named counts; at this one the filter says which frame it was.
      ...['-loglevel', 'info', '-nostats', '-threads', '1', '-ss', (seeks[index] ?? 0).toFixed(3)],
      ...[...(keyFrame ? ['-noaccurate_seek'] : []), '-i', fileName(input)],
    ]),
    ...requests.flatMap((request, index) => [
      ...['-map', `${index}:V:0`, '-an', '-sn', '-dn', '-frames:v', '1', '-vf', filtersFor(request, index)],
      ...['-pix_fmt', 'rgb24', '-c:v', 'ppm', '-f', 'image2pipe', `pipe:${firstPipe + index}`],
    ]),
  ];
  const limits = requests.map(({ maxWidth, maxHeight }) => maxWidth * maxHeight * 3 + 1024);
  const { pictures, said } = await run(binary.path, args, limits, doing, signal);
  return pictures.map((bytes, index) => {
    const picture = readPpm(bytes);
    if (picture === null) return null;
    const shown = new RegExp(`showinfo@p${index} @ [^\\]]*\\] n: *0 .*? pts_time:(-?[\\d.]+)`).exec(said)?.[1];
    return { ...picture, atS: Math.max(0, (seeks[index] ?? 0) + Number(shown ?? 0)) };
  });
}

/** Three digits, rounded down: a position that was rounded up would miss its own frame. */
const seekOf = ({ atS }: FrameRequest): number => Math.max(0, Math.floor(atS * 1000) / 1000);

function filtersFor({ maxWidth, maxHeight }: FrameRequest, index: number): string {
  // `sar` is the shape of a pixel; a hostile one makes a side of nearly nothing, not a picture of any size.
  const share = `min(1,min(${maxWidth}/(iw*sar),${maxHeight}/ih))`;
  return [
    'yadif=mode=send_frame:parity=auto:deint=interlaced',
    `scale=w='max(2,trunc(iw*sar*${share}/2)*2)':h='max(2,trunc(ih*${share}/2)*2)'`,
    'setsar=1',
    `showinfo@p${index}=checksum=0`,
    // The key frame is from before the position that was asked for: with its own time it would be dropped as too early, and a later
    // one written in its place.
    'setpts=N',
  ].join(',');
}

/** Behind the three that every process has. */
const firstPipe = 3;
/** What is kept of what it says: a line or two for each frame that was decoded. */
const keptSaidBytes = 1 << 20;

function run(
  path: string,
  args: readonly string[],
  limits: readonly number[],
  doing: string,
  signal: AbortSignal | undefined,
): Promise<{ pictures: Buffer[]; said: string }> {
  return new Promise((settle, fail) => {
    const child = spawn(path, args, {
      stdio: ['ignore', 'ignore', 'pipe', ...limits.map(() => 'pipe' as const)],
      env: childEnvironment(),
      cwd: '/',
      timeout: timeLimitMs,
      killSignal: 'SIGKILL' as const,
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      if (child.pid !== undefined) setPriority(child.pid, niceness);
    } catch {
      // It has ended already, or it may not be niced: neither matters for the result.
    }
    let failure: Error | null = null;
    let said = '';
    child.stderr?.setEncoding('utf8');
    child.stderr?.on('data', (text: string) => {
      if (said.length < keptSaidBytes) said += text;
    });
    const chunks: Buffer[][] = limits.map(() => []);
    limits.forEach((limit, index) => {
      let taken = 0;
      const pipe = child.stdio[firstPipe + index] as Readable | null;
      // Its end is seen when the process ends.
      pipe?.on('error', () => undefined);
      pipe?.on('data', (chunk: Buffer) => {
        taken += chunk.length;
        if (taken <= limit) chunks[index]?.push(chunk);
        else {
          failure ??= new Error('a picture is larger than asked for');
          child.kill('SIGKILL');
        }
      });
    });
    child.on('error', (error) => {
      failure ??= error;
    });
    child.on('close', (code, killedBy) => {
      if (signal?.aborted === true) fail(new GatewayError('interrupted', `${doing}: stopped`));
      else if (failure !== null) fail(unreadable(doing, failure, said));
      else if (killedBy !== null) fail(unreadable(doing, new Error('it takes too long'), ''));
      else if (code !== 0) fail(unreadable(doing, new Error(`exit code ${String(code)}`), said));
      else settle({ pictures: chunks.map((parts) => Buffer.concat(parts)), said });
    });
  });
}

function unreadable(doing: string, error: Error, said: string): GatewayError {
  const why = tidy(said).at(-1) ?? error.message;
  return new GatewayError(
    'media-unreadable',
    `${doing}: ${why.replaceAll(/ not on whitelist '[^']*'?/g, ' is not accepted')}`,
    {
      remedy: 'Look whether the recorder itself plays this file; it may be damaged or not a video.',
      cause: error,
    },
  );
}

/** `P6 <width> <height> 255`, and then three bytes a pixel. */
function readPpm(bytes: Buffer): RgbPicture | null {
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(bytes.toString('latin1', 0, 64));
  if (head === null) return null;
  const [width, height] = [Number(head[1]), Number(head[2])];
  const rgb = bytes.subarray(head[0].length, head[0].length + width * height * 3);
  return rgb.length === width * height * 3 && rgb.length > 0 ? { width, height, rgb } : null;
}
