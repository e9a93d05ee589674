/** The file of a segment, as long as it is the one that was indexed. */
import { lstatSync } from 'node:fs';
import type { Segment } from '../domain/segment.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { joinBeneath } from '../platform/durable-file.js';
import { isIndexedFile } from '../platform/file-identity.js';

export interface RootPaths {
  /** Absolute path of a root; throws `root-untrusted` for one that is not configured. */
  rootPath(rootId: string): string;
}

/** Absolute path of a segment's file. Throws `footage-gone` where it is not there, `segment-changed` where it is another one. */
export function fileOf(roots: RootPaths, segment: Segment): string {
  const path = joinBeneath(roots.rootPath(segment.rootId), segment.path);
  let same: boolean;
  try {
    same = isIndexedFile(lstatSync(path, { bigint: true }), segment);
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
