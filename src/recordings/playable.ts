/** A segment's file as a decoder can read it: a fragment behind the initialisation segment that lies beside it now. */
import { lstatSync, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { initOf, maxInitBytes } from '../domain/fragment.js';
import type { Segment } from '../domain/segment.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { withJoined } from '../platform/joined-file.js';
import { fileOf, type FilePlaces } from './segment-file.js';

/**
 * Absolute path of the initialisation segment that the file of a segment, at `path`, cannot be read without: it lies beside a
 * fragment, and beside its protected copy under the same name. Undefined for a whole file.
 */
export function initBeside(segment: Pick<Segment, 'path'>, path: string): string | undefined {
  const init = initOf(segment.path);
  return init === null ? undefined : join(dirname(path), basename(init));
}

/**
 * Gives `work` the path of a whole file: the segment's own, or for a fragment one without a name that lies in `folder` for as long
 * as `work` takes. Throws as `fileOf`, `media-unreadable` where the initialisation segment is missing, a link or too large to be
 * one, and what `work` throws.
 */
export async function withPlayable<T>(
  places: FilePlaces,
  segment: Segment,
  folder: string,
  work: (path: string) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const path = await fileOf(places, segment);
  const init = initBeside(segment, path);
  if (init === undefined) return work(path);
  assertInit(init, segment.path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw toGatewayError(error, `making ${folder}`);
  }
  return withJoined([init, path], folder, work, signal);
}

function assertInit(init: string, of: string): void {
  const refusal = (why: string, cause?: unknown): GatewayError =>
    new GatewayError('media-unreadable', `${of} is a fragment, and its initialisation segment ${why}.`, {
      remedy: 'Put back the one that the recorder wrote.',
      cause,
    });
  let stat;
  try {
    stat = lstatSync(init);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw refusal('is not there', error);
    throw toGatewayError(error, `looking at ${init}`);
  }
  if (!stat.isFile()) throw refusal('is not a file');
  if (stat.size === 0 || stat.size > maxInitBytes) throw refusal(`has ${stat.size} bytes`);
}
