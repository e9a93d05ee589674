/** One picture of a camera at one moment. It shows people as they are: never part of a package, only for those who may look. */
import { formatLocal } from '../../domain/time.js';
import type { Segment } from '../../domain/segment.js';
import { GatewayError } from '../../errors.js';
import { grabFrame, type GrabbedFrame } from '../../platform/ffmpeg-frame.js';
import { toJpeg } from '../../platform/pictures.js';
import { keyFramesOf } from '../key-frames/index.js';
import { fileOf } from '../segment-file.js';
import { pictureOf, type Picture } from './cache.js';
import type { Look, PictureContext } from './context.js';
import { lookable } from './find.js';

export const maxStillWidth = 3840;
const quality = 90;
const pictureLimits = { bytes: 2 ** 28, reads: 50_000, ms: 3_000 };

/**
 * The frame that the camera's best recording shows at `atUs`: the first one from then on, or the last key frame where the
 * recording ends before another. Throws `not-found`, `footage-gone` where nothing is there or it is due for deletion,
 * `media-unreadable`, `segment-changed`, `root-untrusted`.
 */
export async function stillAt(
  ctx: PictureContext,
  look: Look,
  ask: { readonly cameraId: string; readonly atUs: number; readonly maxWidth: number },
): Promise<Picture & { readonly segmentId: number }> {
  const { cameraId, atUs, maxWidth } = ask;
  const range = { startUs: atUs, endUs: atUs + 1 };
  const found = lookable(ctx, cameraId, range);
  const segment = found.shows[0]?.segment;
  if (segment === undefined) throw nothingThere(cameraId, formatLocal(atUs, ctx.timezone), found.due);
  const picture = await pictureOf(
    ctx,
    look,
    { kind: 'still', cameraId, range, of: { maxWidth }, segments: [segment] },
    async () => {
      const size = { maxWidth, maxHeight: maxWidth };
      const frame = await frameAt(ctx, segment, atUs - segment.startUs, { ...size, signal: look.signal });
      if (frame === null) {
        throw new GatewayError('media-unreadable', `${segment.path} has no picture that can be decoded there.`, {
          remedy: 'Try another moment; look whether the recorder itself plays it.',
        });
      }
      return toJpeg(frame, quality);
    },
  );
  return { ...picture, segmentId: segment.id };
}

export function nothingThere(cameraId: string, when: string, due: number): GatewayError {
  return new GatewayError('footage-gone', `Camera "${cameraId}" has no footage of ${when} that may be looked at.`, {
    remedy: due > 0 ? 'It is due for deletion.' : 'See its coverage: gaps and deletion records say why.',
  });
}

interface Size {
  readonly maxWidth: number;
  readonly maxHeight: number;
  readonly signal: AbortSignal | undefined;
}

/** The first frame from `offsetUs` after the segment's start on; else the last key frame before. Null where there is none. */
async function frameAt(
  ctx: PictureContext,
  segment: Segment,
  offsetUs: number,
  size: Size,
): Promise<GrabbedFrame | null> {
  const input = await fileOf(ctx, segment);
  const exact = await grabFrame({ input, atS: offsetUs / 1e6, keyFrame: false, ...size });
  if (exact !== null) return exact;
  const keys = await keyFramesOf(ctx, segment, pictureLimits).catch(() => null);
  const before = keys?.offsetsUs.findLast((key) => key <= offsetUs) ?? 0;
  return grabFrame({ input, atS: before / 1e6, keyFrame: true, ...size });
}

/**
 * A frame near `offsetUs` and within the given stretch, a key frame where there is one in it: that alone has to be decoded. Null
 * where there is none.
 */
export async function frameNear(
  ctx: PictureContext,
  segment: Segment,
  offsetUs: number,
  within: { readonly fromUs: number; readonly toUs: number },
  size: Size,
): Promise<GrabbedFrame | null> {
  const input = await fileOf(ctx, segment);
  // Where a recording can be cut is a convenience here: what it cannot tell is found by decoding.
  const keys = await keyFramesOf(ctx, segment, pictureLimits).catch(() => null);
  const near = (keys?.offsetsUs ?? [])
    .filter((key) => key >= within.fromUs && key < within.toUs)
    .sort((a, b) => Math.abs(a - offsetUs) - Math.abs(b - offsetUs))[0];
  if (near === undefined) return frameAt(ctx, segment, offsetUs, size);
  // A little later: the clock of the decoder may begin with a sound before the picture, and lead to the key frame before.
  const next = keys?.offsetsUs.find((key) => key > near) ?? near + 1_000_000;
  const aimUs = near + Math.min(250_000, (next - near) / 2);
  return grabFrame({ input, atS: aimUs / 1e6, keyFrame: true, ...size });
}
