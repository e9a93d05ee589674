/** Gives a copy its masks, as soon as it is known what is covered in a frame. */
import { totalmem } from 'node:os';
import { coverOf, type FrameCover } from '../domain/mask-frames.js';
import type { MaskBatch } from '../platform/native.js';
import type { Copy, FinishedCopy } from './copy.js';
import type { Looker } from './looker.js';
import type { Source } from './source.js';

/** Frames of these times, in microseconds since the first one; half-open. */
export interface TimeSpan {
  readonly fromUs: number;
  readonly endUs: number;
}

/** The frames that wait need more memory than there is to spare: look first, and read the file again to cover it. */
export class TooLongDelay extends Error {}
const mostDelayBytes = Math.min(1 << 30, totalmem() / 8);

/** Gives the masks of what has become final to the copy, in order of frames; the others of the file are no part of it. */
export function releaser(
  { times, header }: Source,
  copy: Copy,
  looker: Looker,
  rules: Parameters<typeof coverOf>[0],
  textAt: ((us: number) => string) | null,
  span: TimeSpan = { fromUs: -Infinity, endUs: Infinity },
  mostBytes = mostDelayBytes,
): Release {
  const coverFrame = coverOf(rules);
  const frameBytes = header.width * header.height * 1.5;
  let [next, end] = [0, 0];
  const upTo = (finalFrames: number): void => {
    const batch = new Batch();
    let drop = 0;
    for (; next < times.length; next += 1) {
      const us = times.usOf(next);
      const wanted = us >= span.fromUs && us < span.endUs;
      if (wanted && next >= finalFrames) break;
      if (!wanted) {
        batch.giveTo(copy);
        drop += 1;
        continue;
      }
      if (drop > 0) copy.drop(drop);
      drop = 0;
      end = next + 1;
      batch.add(coverFrame(next, looker.tracker.boxesIn(next)), times.ptsOf(next), textAt?.(us));
    }
    batch.giveTo(copy);
    if (drop > 0) copy.drop(drop);
    if ((times.length - next) * frameBytes > mostBytes) throw new TooLongDelay();
  };
  return { upTo, end: () => end };
}

export interface Release {
  /** Covers what is final by now. */
  upTo(finalFrames: number): void;
  /** The frame behind the last one that was covered; 0 where none was. */
  end(): number;
}

/** Without a frame in the span there is no copy: a video of nothing would only be a riddle to who gets it. */
export async function endCopy(
  copy: Copy,
  { times }: Pick<Source, 'times'>,
  release: Release,
  beforeNaming: (() => Promise<void>) | undefined,
): Promise<FinishedCopy | null> {
  const end = release.end();
  if (end > 0) return copy.finish(end < times.length ? times.ptsOf(end) : null, beforeNaming);
  await copy.abandon(null);
  return null;
}

/** Masks of some frames in a row, as native code takes them. */
export class Batch {
  readonly #counts: number[] = [];
  readonly #rects: number[] = [];
  readonly #pts: number[] = [];
  readonly #texts: string[] = [];

  add({ rects }: Pick<FrameCover, 'rects'>, pts: number, text: string | undefined): void {
    this.#counts.push(rects.length);
    for (const { x, y, w, h } of rects) this.#rects.push(x, y, w, h);
    this.#pts.push(pts);
    if (text !== undefined) this.#texts.push(text);
  }

  giveTo(copy: Copy): void {
    if (this.#counts.length === 0) return;
    const batch: MaskBatch = {
      counts: Uint32Array.from(this.#counts),
      rects: Int32Array.from(this.#rects),
      ...(this.#texts.length > 0 && { texts: [...this.#texts] }),
    };
    copy.cover(batch, this.#pts);
    for (const list of [this.#counts, this.#rects, this.#pts, this.#texts]) list.length = 0;
  }
}
