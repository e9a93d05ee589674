/**
 * Originals that are fragments. Both files are handed over as the recorder wrote them, each with its hash; what is decoded is one
 * behind the other, joined anew from these two each time.
 */
import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { initOf, maxInitBytes } from '../domain/fragment.js';
import type { Segment } from '../domain/segment.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { copyVerified, joinBeneath } from '../platform/durable-file.js';
import { withJoined } from '../platform/joined-file.js';
import type { Initialisation, RequestItem } from '../store/requests.js';
import type { VaultFootage } from '../store/vault-file.js';
import type { DisclosureContext } from './context.js';

/** Where the copy of a fragment's initialisation segment lies, beside the copy of the fragment; null for a whole file. */
export const initCopyPath = (segment: Pick<Segment, 'path'>, originalPath: string): string | null =>
  initOf(segment.path) === null ? null : `${originalPath}.init.mp4`;

/**
 * Copies the initialisation segment that lies beside a fragment now, or beside its protected copy; null for a whole file. Throws `media-unreadable` where it is
 * missing, a link, or too large to be one, and what copying throws.
 */
export async function copyInit(
  ctx: Pick<DisclosureContext, 'dataDir' | 'rootPath'>,
  segment: Segment,
  originalPath: string,
  vault: VaultFootage | null,
  signal: AbortSignal,
): Promise<Initialisation | null> {
  const init = initOf(segment.path);
  const path = initCopyPath(segment, originalPath);
  if (init === null || path === null) return null;
  const source =
    vault === null ? joinBeneath(ctx.rootPath(segment.rootId), init) : join(dirname(vault.path), 'init.mp4');
  const refusal = (why: string): GatewayError =>
    new GatewayError(
      'media-unreadable',
      `${segment.path} is a fragment, and its initialisation segment ${init} ${why}.`,
      {
        remedy: 'Put back the one that the recorder wrote, then prepare the request again.',
      },
    );
  const found = await lstat(source).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw refusal('is not there');
    throw toGatewayError(error, `reading ${init}`);
  });
  if (!found.isFile()) throw refusal('is not a file');
  if (found.size === 0 || found.size > maxInitBytes) throw refusal(`has ${found.size} bytes`);
  const copy = await copyVerified(source, join(ctx.dataDir, path), signal);
  if (vault !== null && copy.sha256 !== vault.copy.initSha256)
    throw refusal('is not the one that was protected with it');
  return { path, recorderName: init.slice(init.lastIndexOf('/') + 1), ...copy };
}

/** Gives `work` the path of a whole file: the copied original itself, or a fragment behind its initialisation segment. */
export async function withPlayable<T>(
  dataDir: string,
  original: { readonly path: string; readonly initialisation: Initialisation | null },
  work: (path: string) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const path = join(dataDir, original.path);
  if (original.initialisation === null) return work(path);
  return withJoined([join(dataDir, original.initialisation.path), path], dirname(path), work, signal);
}

/** Every file that was made for an item, relative to the data folder. */
export const filesOfItem = (item: RequestItem): string[] => [
  item.originalPath,
  item.planPath,
  item.redactedPath,
  ...(item.summary.initialisation === undefined ? [] : [item.summary.initialisation.path]),
];
