/** Small pictures of a camera over a range, each with its local time: to find the moment without playing hours. */
import type { TimeRange } from '../../domain/segment.js';
import { formatLocal } from '../../domain/time.js';
import { videoOffsetUs, wallOffsetUs } from '../../domain/wall-clock.js';
import { GatewayError, toGatewayError } from '../../errors.js';
import { contactSheet, type SheetCell } from '../../platform/pictures.js';
import { pictureOf, type Picture } from './cache.js';
import type { Look, PictureContext } from './context.js';
import { lookable, type Lookable } from './find.js';
import { frameNear, nothingThere } from './still.js';

export const maxPictures = 60;
const cellWidth = 320;
/** Decoders at once. */
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
      const cells = await inTurns(picks, (pick, index) =>
        cellOf(ctx, look, pick, partsOf(range, count)[index] ?? range, cellHeight),
      );
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

async function cellOf(
  ctx: PictureContext,
  look: Look,
  pick: Pick | null,
  part: TimeRange,
  cellHeight: number,
): Promise<SheetCell> {
  const caption = (us: number): string =>
    formatLocal(Math.floor(us / 1e6) * 1_000_000, ctx.timezone)
      .replace('T', ' ')
      .replace(/[+-]\d\d:\d\d$/, ' $&');
  if (pick === null) return { picture: null, caption: caption(part.startUs) };
  const { segment, startUs, endUs } = pick.shown;
  const within = {
    fromUs: videoOffsetUs(segment, Math.max(startUs, part.startUs) - segment.startUs),
    toUs: videoOffsetUs(segment, Math.min(endUs, part.endUs) - segment.startUs),
  };
  const size = { maxWidth: cellWidth, maxHeight: cellHeight, signal: look.signal };
  try {
    const frame = await frameNear(ctx, segment, videoOffsetUs(segment, pick.atUs - segment.startUs), within, size);
    const atUs = frame === null ? pick.atUs : segment.startUs + wallOffsetUs(segment, frame.atS * 1e6);
    return { picture: frame, caption: caption(atUs) };
  } catch (error) {
    const failure = toGatewayError(error);
    if (failure.code !== 'media-unreadable') throw failure;
    ctx.log.warn({ segment: segment.id, err: failure }, 'a picture of a contact sheet could not be made');
    return { picture: null, caption: caption(pick.atUs) };
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
