/** The file of a segment, as long as it is the one that was indexed; else its protected copy, where it is held. */
import { lstatSync } from 'node:fs';
import type { Segment } from '../domain/segment.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { joinBeneath } from '../platform/durable-file.js';
import { isIndexedFile } from '../platform/file-identity.js';
import { wholeCopyOf, type WholeCopy } from '../store/vault-copies.js';
import { vaultFootageOf, type VaultPlace } from '../store/vault-file.js';

export interface FilePlaces extends VaultPlace {
  /** Absolute path of a root; throws `root-untrusted` for one that is not configured. */
  rootPath(rootId: string): string;
}

/**
 * Absolute path of a segment's file, or of its protected copy where the recorder's own is not what was copied any more: its hash is
 * checked. Throws `footage-gone` where neither is there, `segment-changed` where the file is another one, `verification-failed`
 * where the copy is damaged.
 */
export async function fileOf(places: FilePlaces, segment: Segment): Promise<string> {
  const copy = wholeCopyOf(places.store.db, segment.id);
  try {
    return recorderFileOf(places, segment, copy);
  } catch (error) {
    if (copy === null) throw error;
    // Whatever is wrong with the recorder's file or its disk: this is what the copy is for.
    const footage = await vaultFootageOf(places, segment.id);
    if (footage === null) throw error;
    return footage.path;
  }
}

function recorderFileOf(places: FilePlaces, segment: Segment, copy: WholeCopy | null): string {
  const path = joinBeneath(places.rootPath(segment.rootId), segment.path);
  let same: boolean;
  try {
    const found = lstatSync(path, { bigint: true });
    same = isIndexedFile(found, segment) && (copy === null || isAsCopied(copy, Number(found.mtimeNs / 1000n)));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw new GatewayError('footage-gone', `The recording is not on disk: ${segment.path}.`, {
        remedy: 'Check that the disk is mounted, then scan.',
        cause: error,
      });
    }
    throw toGatewayError(error, `looking at ${segment.path}`);
  }
  if (same) return path;
  throw new GatewayError('segment-changed', `${segment.path} is not the file that was indexed.`, {
    remedy: 'Scan again, and look at what was put in its place.',
  });
}

/** Not written to since it was last compared with the copy: bytes can be replaced in place, inode and size staying the same. */
const isAsCopied = (copy: WholeCopy, mtimeUs: number): boolean =>
  copy.original !== 'changed' && copy.source.mtimeUs === mtimeUs;
