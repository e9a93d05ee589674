/** One frame of a file, for a person to look at. The file is as hostile as for any other use of ffmpeg, and treated alike. */
import { execFile } from 'node:child_process';
import { setPriority } from 'node:os';
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
  const { input, keyFrame, maxWidth, maxHeight, signal } = request;
  const doing = `Taking a picture from ${input}`;
  assertPlainFile(input, doing);
  const binary = await findFfmpeg();
  // Three digits, rounded down: a position that was rounded up would miss its own frame.
  const seekS = Math.max(0, Math.floor(request.atS * 1000) / 1000);
  // `sar` is the shape of a pixel; a hostile one makes a side of nearly nothing, not a picture of any size.
  const share = `min(1,min(${maxWidth}/(iw*sar),${maxHeight}/ih))`;
  const filters = [
    'yadif=mode=send_frame:parity=auto:deint=interlaced',
    `scale=w='max(2,trunc(iw*sar*${share}/2)*2)':h='max(2,trunc(ih*${share}/2)*2)'`,
    'setsar=1',
    'showinfo=checksum=0',
  ];
  const args = [
    ...inputOptions,
    // The last level named counts; at this one the filter says which frame it was.
    ...['-loglevel', 'info', '-threads', '1', '-ss', seekS.toFixed(3), ...(keyFrame ? ['-noaccurate_seek'] : [])],
    ...['-i', fileName(input), '-map', '0:V:0', '-an', '-sn', '-dn', '-frames:v', '1', '-vf', filters.join(',')],
    ...['-pix_fmt', 'rgb24', '-c:v', 'ppm', '-f', 'image2pipe', 'pipe:1'],
  ];
  const { out, said } = await run(binary.path, args, maxWidth * maxHeight * 3 + 1024, doing, signal);
  const picture = readPpm(out);
  if (picture === null) return null;
  const shown = /^.*\[Parsed_showinfo_\d+ @ [^\]]*\] n: *0 .*? pts_time:(-?[\d.]+)/m.exec(said)?.[1];
  return { ...picture, atS: Math.max(0, seekS + Number(shown ?? 0)) };
}

function run(
  path: string,
  args: readonly string[],
  maxBuffer: number,
  doing: string,
  signal: AbortSignal | undefined,
): Promise<{ out: Buffer; said: string }> {
  return new Promise((settle, fail) => {
    const options = {
      encoding: 'buffer' as const,
      env: childEnvironment(),
      cwd: '/',
      timeout: timeLimitMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: Math.max(maxBuffer, 1 << 20),
      ...(signal === undefined ? {} : { signal }),
    };
    const child = execFile(path, args, options, (error, out, complaints) => {
      const said = complaints.toString('utf8');
      if (error === null) settle({ out, said });
      else if (signal?.aborted === true) fail(new GatewayError('interrupted', `${doing}: stopped`));
      else fail(unreadable(doing, error, said));
    });
    try {
      if (child.pid !== undefined) setPriority(child.pid, niceness);
    } catch {
      // It has ended already, or it may not be niced: neither matters for the result.
    }
  });
}

function unreadable(doing: string, error: Error & { killed?: boolean }, said: string): GatewayError {
  const why = error.killed === true ? 'it takes too long' : (tidy(said).at(-1) ?? error.message);
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
