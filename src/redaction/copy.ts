/**
 * A masked copy while it is made: frame line -> pipe -> encoder -> growing file -> proof, all at the same time. Nothing of the
 * source is taken over but the pixels outside the masks and the times of the frames.
 */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHash } from 'node:crypto';
import { GatewayError } from '../errors.js';
import { startEncoder, type ColorTags, type Decoding } from '../platform/ffmpeg.js';
import type { FrameHeader, FrameLine, MaskBatch, MaskOptions } from '../platform/native.js';
import { putIndexFirst } from './index-first.js';
import { lastFrameDuration } from './last-frame.js';
import { readCopyShape } from './mp4-shape.js';
import type { OutputClaim } from './output-claim.js';
import { refuted, startProof, type Proof } from './proof.js';
import { isBrokenPipe } from './source.js';

export interface CopyRequest extends MaskOptions {
  /** Of an .mp4. */
  readonly claim: OutputClaim;
  readonly line: FrameLine;
  readonly decoder: Decoding;
  readonly header: FrameHeader;
  readonly color: ColorTags;
  readonly signal?: AbortSignal | undefined;
  readonly niceness?: number | undefined;
}

export interface FinishedCopy {
  readonly frames: number;
  /** Covered rectangles that were found covered in the finished copy. */
  readonly rectanglesProved: number;
}

export interface Copy {
  /** What is covered in the next frames, and when each is, in units of the source's time base. */
  cover(batch: MaskBatch, pts: readonly number[]): void;
  /** The next frames are not part of the copy. */
  drop(count: number): void;
  /**
   * After the last frame: encoded, proved, and only then given its name, unless `beforeNaming` throws. `nextPts` is the time of
   * the frame that follows in the source, null where there is none: until then the last one is shown.
   */
  finish(nextPts: number | null, beforeNaming?: () => Promise<void>): Promise<FinishedCopy>;
  /** Settles when it has failed before its end: nobody needs to go on. */
  readonly failed: Promise<void>;
  /** Ends what runs. Tells which of all that failed was the cause. The files go with the claim. */
  abandon(error: unknown): Promise<unknown>;
}

/** `finish` throws `ffmpeg-failed`, `disk-full`, `verification-failed`, `interrupted`, `io-failed`, `conflict`. */
export async function startCopy(request: CopyRequest): Promise<Copy> {
  const { claim, line, header, signal, niceness, style, label } = request;
  const { growing, partial } = claim;
  // What a crash left, or a link that somebody else put there: ffmpeg would write through it.
  await rm(growing, { force: true });
  const encoder = await startEncoder({
    output: growing,
    timescale: header.timeBase.den,
    color: request.color,
    signal,
    niceness,
  });
  line.writeTo(encoder.writeFd);
  let proof: Proof;
  try {
    proof = await startProof({ path: growing, style, label, signal, niceness });
  } catch (error) {
    encoder.stop();
    await encoder.done.catch(() => undefined);
    throw error;
  }
  const times = new TickList(header.timeBase.num);
  const children = [request.decoder, encoder, proof];
  // In the order in which they fail: the first one is the cause, unless it only met what another one did.
  const failures: unknown[] = [];
  for (const { done } of children) done.catch((failure: unknown) => failures.push(failure));

  return {
    cover(batch, pts) {
      for (const one of pts) times.push(one);
      line.release(batch);
      proof.expect(batch);
    },
    drop(count) {
      line.release({ counts: new Uint32Array(count), rects: new Int32Array(0), drop: true });
    },
    async finish(nextPts, beforeNaming) {
      await line.finish();
      await encoder.done;
      const proved = await proof.finish();
      const lastTicks = times.lastTicks(nextPts, header.timeBase.den);
      await putIndexFirst({ from: growing, to: partial, lastTicks, signal });
      await rm(growing);
      await assertShape(
        partial.path,
        { mediaSha256: proved.mediaSha256, times: times.values, lastTicks },
        header,
        signal,
      );
      await beforeNaming?.();
      signal?.throwIfAborted();
      await claim.name();
      return { frames: proved.frames, rectanglesProved: proved.rectangles };
    },
    failed: Promise.race([rejection(proof.done), rejection(encoder.done)]),
    abandon: (error) => firstCause(error, children, failures),
  };
}

/** Settles only when the promise rejects. */
const rejection = (promise: Promise<unknown>): Promise<void> =>
  new Promise((settle) => {
    promise.catch(() => {
      settle();
    });
  });

/** Times of the copy's frames in ticks of its track, counted from its first frame; 8 bytes each. */
class TickList {
  #ticks = new Float64Array(1024);
  #length = 0;
  #first: number | null = null;
  readonly #perUnit: number;
  constructor(perUnit: number) {
    this.#perUnit = perUnit;
  }
  push(pts: number): void {
    this.#first ??= pts;
    if (this.#length === this.#ticks.length) {
      const larger = new Float64Array(2 * this.#length);
      larger.set(this.#ticks);
      this.#ticks = larger;
    }
    this.#ticks[this.#length++] = this.#tickOf(pts);
  }
  #tickOf(pts: number): number {
    return (pts - (this.#first ?? pts)) * this.#perUnit;
  }
  /** How long the last one is shown. */
  lastTicks(nextPts: number | null, timescale: number): number {
    const next = nextPts === null ? null : this.#tickOf(nextPts);
    return Math.max(1, Math.round(lastFrameDuration(this.values, next, timescale)));
  }
  get values(): Float64Array {
    return this.#ticks.subarray(0, this.#length);
  }
}

/** One track with exactly these pictures at these times, all of them shown, and exactly the bytes that were decoded and compared. */
async function assertShape(
  path: string,
  expected: { readonly mediaSha256: string; readonly times: Float64Array; readonly lastTicks: number },
  { width, height, timeBase }: FrameHeader,
  signal?: AbortSignal,
): Promise<void> {
  const hash = createHash('sha256');
  const shape = await readCopyShape(path, {
    signal,
    onSample: (sample) => {
      hash.update(sample);
    },
  });
  if (hash.digest('hex') !== expected.mediaSha256)
    throw refuted(path, 'its pictures are not the ones that were proved');
  if (shape.width !== width || shape.height !== height) {
    throw refuted(path, `the picture is ${shape.width}x${shape.height}, not ${width}x${height}`);
  }
  if (shape.timescale !== timeBase.den) throw refuted(path, `it counts ${shape.timescale} ticks a second`);
  const { times, lastTicks } = expected;
  if (shape.times.length !== times.length) {
    throw refuted(path, `it has ${shape.times.length} frames, not ${times.length}`);
  }
  if (shape.lastDuration !== lastTicks) {
    throw refuted(path, `its last frame is shown for ${shape.lastDuration} ticks, not ${lastTicks}`);
  }
  for (const [frame, tick] of times.entries()) {
    if (Number(shape.times[frame]) !== tick) {
      throw refuted(path, `frame ${frame} is at tick ${String(shape.times[frame])}, not ${tick}`);
    }
  }
}

interface Child {
  readonly done: Promise<unknown>;
  stop(): void;
}

/** Ends all of them. When one fails, the others and the line between them fail after it: which one was it? */
async function firstCause(error: unknown, children: readonly Child[], failures: readonly unknown[]): Promise<unknown> {
  const ends = Promise.allSettled(children.map(({ done }) => done));
  // A process that has failed by itself is gone within this time; one that waits for us never is.
  await Promise.race([ends, sleep(500)]);
  const before = [...failures];
  for (const child of children) child.stop();
  await ends;
  // What the line says of a side that is gone, or what it says since it was closed, is an effect.
  const isOurs = !(error instanceof GatewayError) || !effects.has(error.code);
  return isOurs ? error : (before.find(isCause) ?? error);
}

const effects = new Set(['ffmpeg-failed', 'interrupted', 'verification-failed']);

/** Not what a process meets when we stopped reading from it or writing to it. */
const isCause = (failure: unknown): boolean =>
  failure instanceof GatewayError &&
  failure.code !== 'interrupted' &&
  !isBrokenPipe(failure) &&
  !failure.message.includes('pipe:3: Invalid data');
