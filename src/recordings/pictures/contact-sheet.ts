/** Small pictures of a camera over a range, each with its local time: to find the moment without playing hours. */
import { initOf } from '../../domain/fragment.js';
import type { TimeRange } from '../../domain/segment.js';
import { formatLocal } from '../../domain/time.js';
import { videoOffsetUs, wallOffsetUs } from '../../domain/wall-clock.js';
import { GatewayError, toGatewayError } from '../../errors.js';
import { grabFrames, type GrabbedFrame } from '../../platform/ffmpeg-frame.js';
import { contactSheet, type SheetCell } from '../../platform/pictures.js';
import { fileOf } from '../segment-file.js';
import { pictureOf, type Picture } from './cache.js';
import type { Look, PictureContext } from './context.js';
import { lookable, type Lookable } from './find.js';
import { aimNear, frameAt, nothingThere, type Aim } from './still.js';

export const maxPictures = 60;
const cellWidth = 320;
/** Processes at once. */
const atOnce = 2;

export interface ContactSheet extends Picture {
  /** For each place the moment that was chosen; null where nothing is there. The picture has the key frame near to it. */
  readonly timesUs: readonly (number | null)[];
}

/**
 * `count` pictures over the range, one for each equal part of it; a part without footage is crossed out. Throws as `stillAt`,
 * but a recording that cannot be decoded is crossed out as well.
 */
export async function contactSheetOf(
  ctx: PictureContext,
  look: Look,
  ask: { readonly cameraId: string; readonly range: TimeRange; readonly count: number },
): Promise<ContactSheet> {
  const { cameraId, range, count } = ask;
  const found = lookable(ctx, cameraId, range);
  const picks = partsOf(range, count).map((part) => pickIn(part, found.shows));
  const there = picks.filter((pick) => pick !== null);
  const first = there[0];
  if (first === undefined) {
    const when = `${formatLocal(range.startUs, ctx.timezone)} to ${formatLocal(range.endUs, ctx.timezone)}`;
    throw nothingThere(cameraId, when, found.due);
  }
  const { width, height } = first.shown.segment;
  const cellHeight = Math.round(cellWidth * Math.min(2, Math.max(0.25, height / width)));
  const timesUs = picks.map((pick) => pick?.atUs ?? null);
  const picture = await pictureOf(
    ctx,
    look,
    {
      kind: 'contact-sheet',
      cameraId,
      range,
      of: { count, timesUs, timezone: ctx.timezone },
      segments: there.map((pick) => pick.shown.segment),
    },
    async () => {
      const aims = await inTurns(picks, (pick, index) => aimOf(ctx, pick, partsOf(range, count)[index] ?? range));
      const frames = await framesOf(ctx, look, aims, cellHeight);
      const cells = await inTurns(aims, (aimed, index) => {
        const part = partsOf(range, count)[index] ?? range;
        return cellOf(ctx, look, { aimed, part, cellHeight, frame: aimed === null ? null : frames.get(aimed) });
      });
      if (cells.every((cell) => cell.picture === null)) {
        throw new GatewayError('media-unreadable', 'None of these recordings can be decoded.', {
          remedy: 'Look whether the recorder itself plays them.',
        });
      }
      return contactSheet(cells, { columns: Math.min(4, Math.ceil(Math.sqrt(count))), cellWidth, cellHeight });
    },
  );
  return { ...picture, timesUs };
}

const partsOf = ({ startUs, endUs }: TimeRange, count: number): TimeRange[] =>
  Array.from({ length: count }, (_, index) => ({
    startUs: startUs + Math.floor(((endUs - startUs) * index) / count),
    endUs: startUs + Math.floor(((endUs - startUs) * (index + 1)) / count),
  }));

interface Pick {
  readonly atUs: number;
  readonly shown: Lookable['shows'][number];
}

/** The moment of a part that is nearest to its middle and that something shows. */
function pickIn(part: TimeRange, shows: Lookable['shows']): Pick | null {
  const middleUs = Math.floor((part.startUs + part.endUs) / 2);
  let best: Pick | null = null;
  for (const shown of shows) {
    const [fromUs, toUs] = [Math.max(part.startUs, shown.startUs), Math.min(part.endUs, shown.endUs)];
    if (fromUs >= toUs) continue;
    const atUs = Math.min(Math.max(middleUs, fromUs), toUs - 1);
    if (best === null || Math.abs(atUs - middleUs) < Math.abs(best.atUs - middleUs)) best = { atUs, shown };
  }
  return best;
}

interface Aimed extends Pick {
  readonly aim: Aim;
}

async function aimOf(ctx: PictureContext, pick: Pick | null, part: TimeRange): Promise<Aimed | null> {
  if (pick === null) return null;
  const { segment, startUs, endUs } = pick.shown;
  const offsetOf = (us: number): number => videoOffsetUs(segment, us - segment.startUs);
  const within = {
    fromUs: offsetOf(Math.max(startUs, part.startUs)),
    toUs: offsetOf(Math.min(endUs, part.endUs)),
  };
  return { ...pick, aim: await aimNear(ctx, segment, offsetOf(pick.atUs), within) };
}

/** Decoders of one process, and how many pixels their pictures have together: each keeps some of them. */
const maxDecoders = 6;
const maxPixels = maxDecoders * 1920 * 1080;

/**
 * The frames of most places, by few processes. Where one of a process has no frame, or none of them has, its places are left to be
 * asked for one by one; fragments always are, since each has to be joined first.
 */
async function framesOf(
  ctx: PictureContext,
  look: Look,
  aims: readonly (Aimed | null)[],
  cellHeight: number,
): Promise<Map<Aimed, GrabbedFrame>> {
  const frames = new Map<Aimed, GrabbedFrame>();
  const { signal } = look;
  await inTurns(batchesOf(aims), async (batch) => {
    const requests = await Promise.all(
      batch.map(async ({ shown: { segment }, aim }) => ({
        ...{ input: await fileOf(ctx, segment), atS: aim.offsetUs / 1e6, keyFrame: aim.keyFrame },
        ...{ maxWidth: cellWidth, maxHeight: cellHeight, signal },
      })),
    );
    const grabbed = await grabFrames(requests, signal).catch((error: unknown) => {
      if (toGatewayError(error).code === 'media-unreadable') return [];
      throw error;
    });
    grabbed.forEach((frame, index) => {
      const aimed = batch[index];
      if (frame !== null && aimed !== undefined) frames.set(aimed, frame);
    });
  });
  return frames;
}

function batchesOf(aims: readonly (Aimed | null)[]): Aimed[][] {
  const batches: Aimed[][] = [];
  let pixels = 0;
  for (const aimed of aims) {
    if (aimed === null || initOf(aimed.shown.segment.path) !== null) continue;
    const own = aimed.shown.segment.width * aimed.shown.segment.height;
    const last = batches.at(-1);
    if (last !== undefined && last.length < maxDecoders && pixels + own <= maxPixels) {
      last.push(aimed);
      pixels += own;
    } else {
      batches.push([aimed]);
      pixels = own;
    }
  }
  return batches;
}

async function cellOf(
  ctx: PictureContext,
  look: Look,
  cell: {
    readonly aimed: Aimed | null;
    readonly part: TimeRange;
    readonly cellHeight: number;
    /** Where it was taken with others. */
    readonly frame: GrabbedFrame | null | undefined;
  },
): Promise<SheetCell> {
  const { aimed, part, cellHeight } = cell;
  const caption = (us: number): string =>
    formatLocal(Math.floor(us / 1e6) * 1_000_000, ctx.timezone)
      .replace('T', ' ')
      .replace(/[+-]\d\d:\d\d$/, ' $&');
  if (aimed === null) return { picture: null, caption: caption(part.startUs) };
  const { segment } = aimed.shown;
  const size = { maxWidth: cellWidth, maxHeight: cellHeight, signal: look.signal };
  try {
    const frame = cell.frame ?? (await frameAt(ctx, segment, aimed.aim, size));
    const atUs = frame === null ? aimed.atUs : segment.startUs + wallOffsetUs(segment, frame.atS * 1e6);
    return { picture: frame, caption: caption(atUs) };
  } catch (error) {
    const failure = toGatewayError(error);
    if (failure.code !== 'media-unreadable') throw failure;
    ctx.log.warn({ segment: segment.id, err: failure }, 'a picture of a contact sheet could not be made');
    return { picture: null, caption: caption(aimed.atUs) };
  }
}

/** Some at once, in order. */
async function inTurns<T, R>(items: readonly T[], work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next;
      next += 1;
      const item = items[index];
      if (item !== undefined) results[index] = await work(item, index);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
