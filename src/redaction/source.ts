/** A recording that is being read: its decoder, the line of its frames, and their times. */
import { GatewayError } from '../errors.js';
import {
  pictureOf,
  startDecoder,
  startSparseDecoder,
  type ColorTags,
  type DecodeEnd,
  type Decoding,
} from '../platform/ffmpeg.js';
import {
  openFrameLine,
  type Frame,
  type FrameHeader,
  type FrameLine,
  type MaskOptions,
  type TimeBase,
} from '../platform/native.js';

export interface Source {
  /** Upright, in pixels; the frames may have a black column or row more, for even sides. */
  readonly picture: { readonly width: number; readonly height: number };
  readonly header: FrameHeader;
  readonly color: ColorTags;
  readonly times: FrameTimes;
  readonly line: FrameLine;
  readonly decoder: Decoding;
  /** Takes the next frame in hand and notes its time. Where ffmpeg gave up, it is told why. */
  next(): Promise<Frame | null>;
  /** Whether there is a picture of the frame in hand: of every one, unless the source was opened only to look at some. */
  hasPicture(): boolean;
  /** Has the last frame of the file in hand, for a source that had no picture of it. */
  last(): Promise<FrameLine>;
  /** After the last frame: whether all of it could be decoded. */
  end(): Promise<DecodeEnd>;
  close(): void;
}

interface SourceOptions extends MaskOptions {
  /** The size of the plan, for a file that was analysed before: its boxes are right even where the source changes its size. */
  readonly picture?: { readonly width: number; readonly height: number } | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly niceness?: number | undefined;
}

/** Throws `media-unreadable`, `ffmpeg-failed`, `interrupted`. Whoever opens a source closes it. */
export async function openSource(input: string, options: SourceOptions): Promise<Source> {
  const { signal, niceness, style, label } = options;
  const { color, size } = await pictureOf(input, signal);
  const picture = options.picture ?? size ?? (await uprightSize(input, signal));
  const decoder = await startDecoder({ input, size: picture, padToEven: true, signal, niceness });
  const line = openFrameLine({ ...framesOf(decoder), style, label }, signal);
  const close = (): void => {
    line.close();
    decoder.stop();
  };
  try {
    const header = await firstOf(line.header(), decoder);
    const times = new FrameTimes(header.timeBase);
    return {
      ...{ picture, header, color, times, line, decoder, close },
      async next() {
        const frame = await firstOf(line.next(), decoder);
        if (frame !== null) times.push(frame.pts);
        return frame;
      },
      hasPicture: () => true,
      last: () => Promise.resolve(line),
      end: () => endOf(input, decoder, times),
    };
  } catch (error) {
    close();
    await decoder.done.catch(() => undefined);
    throw error;
  }
}

/** Pictures with their times; of a decoder that makes a picture of every frame. */
const framesOf = ({ readFd, timesFd }: Decoding): { readFd: number; timesFd: number } => ({ readFd, timesFd });

async function endOf(input: string, decoder: Decoding, times: FrameTimes): Promise<DecodeEnd> {
  const end = await decoder.done;
  if (times.length > 0) return end;
  throw new GatewayError('media-unreadable', `${input} has no picture in it.`, { remedy: 'Play it to see.' });
}

interface LookOptions {
  /** In which its pictures are delivered. */
  readonly sizeFor: (picture: Source['picture']) => { readonly width: number; readonly height: number };
  readonly perSecond: number;
  readonly signal?: AbortSignal | undefined;
  readonly niceness?: number | undefined;
}

/** Opens a recording only to look at it now and then: much cheaper, as frames that nobody looks at are only counted. */
export async function openLookSource(input: string, options: LookOptions): Promise<Source> {
  const { signal, niceness, perSecond } = options;
  const { color, size } = await pictureOf(input, signal);
  const picture = size ?? (await uprightSize(input, signal));
  const decoder = await startSparseDecoder({ input, size: options.sizeFor(picture), perSecond, signal, niceness });
  const looks = openFrameLine({ readFd: decoder.readFd, style: 'solid' }, signal);
  const line = openFrameLine({ readFd: decoder.timesFd, style: 'solid' }, signal);
  let tail: { close(): void } | null = null;
  const close = (): void => {
    for (const one of [looks, line, tail]) one?.close();
    decoder.stop();
  };
  try {
    const header = await firstOf(line.header(), decoder);
    const times = new FrameTimes(header.timeBase);
    let [pictured, inHand] = [await firstOf(looks.next(), decoder), false];
    return {
      ...{ picture, header, color, times, line: looks, decoder, close },
      async next() {
        if (inHand) pictured = await firstOf(looks.next(), decoder);
        const frame = await firstOf(line.next(), decoder);
        // Not only at the same time: where time does not grow, each stream is put right by itself, and a look that is never
        // taken would leave all the later ones unseen.
        inHand = frame !== null && pictured !== null && pictured.pts <= frame.pts;
        if (frame !== null) times.push(frame.pts);
        return frame;
      },
      hasPicture: () => inHand,
      async last() {
        const fromS = times.secondsOf(times.length - 1) - tailS;
        const found = await lastFrame(input, picture, { fromS, signal, niceness });
        tail = found;
        return found;
      },
      end: () => endOf(input, decoder, times),
    };
  } catch (error) {
    close();
    await decoder.done.catch(() => undefined);
    throw error;
  }
}

/** The last frame is looked for from so far before it. */
const tailS = 2;

/** A line that has the last frame of a file in hand. From the beginning where nothing comes after the point to begin from. */
async function lastFrame(
  input: string,
  size: Source['picture'],
  options: {
    readonly fromS: number;
    readonly signal?: AbortSignal | undefined;
    readonly niceness?: number | undefined;
  },
): Promise<FrameLine> {
  for (const fromS of [options.fromS, 0]) {
    const decoder = await startDecoder({ ...options, input, size, padToEven: true, fromS });
    const line = openFrameLine({ ...framesOf(decoder), style: 'solid' }, options.signal);
    try {
      let frames = 0;
      while ((await line.next()) !== null) frames += 1;
      if (frames > 0) return line;
    } catch (error) {
      if (fromS === 0 || options.signal?.aborted === true) throw error;
      // It cannot begin there: some containers have no index.
    }
    line.close();
    decoder.stop();
  }
  throw new GatewayError('media-unreadable', `The last picture of ${input} cannot be decoded.`, {
    remedy: 'Play it to see.',
  });
}

/** As the frames will be seen, from the first that can be decoded at all; or why none can. */
async function uprightSize(input: string, signal?: AbortSignal): Promise<{ width: number; height: number }> {
  const decoder = await startDecoder({ input, signal });
  const line = openFrameLine({ ...framesOf(decoder), style: 'solid' }, signal);
  try {
    const { width, height } = await firstOf(line.header(), decoder);
    return { width, height };
  } finally {
    line.close();
    decoder.stop();
    await decoder.done.catch(() => undefined);
  }
}

/** What was read; or, where ffmpeg gave up, why: "the stream ended" alone would not tell what is wrong with the file. */
async function firstOf<T>(reading: Promise<T>, decoder: Decoding): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof GatewayError && ['ffmpeg-failed', 'media-unreadable'].includes(error.code)) {
      await decoder.done.catch((why: unknown) => {
        if (!isBrokenPipe(why)) throw why;
      });
    }
    throw error;
  }
}

/** What a process meets when nobody reads from it any more: an effect of what failed, not the cause. */
export const isBrokenPipe = (failure: unknown): boolean =>
  failure instanceof GatewayError && JSON.stringify(failure.details ?? {}).includes('Broken pipe');

/** Time stamps of frames, as they were decoded; 8 bytes each. */
export class FrameTimes {
  readonly timeBase: TimeBase;
  #pts = new Float64Array(4096);
  #length = 0;
  constructor(timeBase: TimeBase) {
    this.timeBase = timeBase;
  }
  get length(): number {
    return this.#length;
  }
  push(pts: number): void {
    if (this.#length === this.#pts.length) {
      const larger = new Float64Array(2 * this.#length);
      larger.set(this.#pts);
      this.#pts = larger;
    }
    this.#pts[this.#length++] = pts;
  }
  ptsOf(frame: number): number {
    return this.#pts[frame] ?? 0;
  }
  /** Microseconds since the first frame. */
  usOf(frame: number): number {
    return Math.round(((this.ptsOf(frame) - this.ptsOf(0)) * this.timeBase.num * 1e6) / this.timeBase.den);
  }
  /** Seconds since the first frame. */
  secondsOf(frame: number): number {
    return ((this.ptsOf(frame) - this.ptsOf(0)) * this.timeBase.num) / this.timeBase.den;
  }
  all(): number[] {
    return Array.from(this.#pts.subarray(0, this.#length));
  }
}
