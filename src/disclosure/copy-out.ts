/** Originals copied out: from the recorder's folder, or from the vault where they are held. */
import { lstat } from 'node:fs/promises';
import type { Segment } from '../domain/segment.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { copyVerified, joinBeneath, sha256File } from '../platform/durable-file.js';
import { isIndexedFile } from '../platform/file-identity.js';
import { wholeCopyOf } from '../store/vault-copies.js';
import { vaultFootageOf, type VaultFootage } from '../store/vault-file.js';
import type { DisclosureContext } from './context.js';

/**
 * Copies a segment out of the vault, where its hash was kept since it was protected; else out of its root, and makes sure before and
 * after that it is the file that was indexed.
 */
export async function copyOut(
  ctx: DisclosureContext,
  segment: Segment,
  target: string,
  signal: AbortSignal,
): Promise<{ sha256: string; sizeBytes: number; vault: VaultFootage | null }> {
  const vault = await intactCopy(ctx, segment, signal);
  if (vault === null) return { ...(await copyFromRoot(ctx, segment, target, signal)), vault };
  const copy = await copyVerified(vault.path, target, signal);
  if (copy.sha256 === vault.copy.sha256) return { ...copy, vault };
  throw new GatewayError('verification-failed', `The protected copy of ${segment.path} changed while it was copied.`, {
    remedy: 'Find out who writes to the data folder, and check the disk.',
  });
}

/** Null where there is none. A damaged one is an alarm of its own; while the recorder still has the recording, that is taken. */
async function intactCopy(ctx: DisclosureContext, segment: Segment, signal: AbortSignal): Promise<VaultFootage | null> {
  const copy = wholeCopyOf(ctx.store.db, segment.id);
  try {
    return await vaultFootageOf(ctx, segment.id, signal);
  } catch (error) {
    if (copy === null || signal.aborted || segment.state === 'vaulted' || copy.original !== 'there') throw error;
    const source = joinBeneath(ctx.rootPath(segment.rootId), segment.path);
    if ((await sha256File(source, signal).catch(() => null)) !== copy.sha256) throw error;
    ctx.log.error({ segment: segment.id, err: toGatewayError(error) }, 'the recorder has what its protected copy lost');
    return null;
  }
}

/** Copies a segment out of its root, and makes sure before and after that it is the file that was indexed. */
async function copyFromRoot(
  ctx: DisclosureContext,
  segment: Segment,
  target: string,
  signal: AbortSignal,
): Promise<{ sha256: string; sizeBytes: number }> {
  const source = joinBeneath(ctx.rootPath(segment.rootId), segment.path);
  const assertIndexed = async (): Promise<void> => {
    const found = await lstat(source, { bigint: true }).catch((error: unknown) => {
      throw toGatewayError(error, `reading ${segment.path}`);
    });
    if (isIndexedFile(found, segment)) return;
    throw new GatewayError('segment-changed', `${segment.path} is not the file that was indexed.`, {
      remedy: 'Scan again, look at what was put in its place, then prepare the request again.',
    });
  };
  await assertIndexed();
  const copy = await copyVerified(source, target, signal);
  await assertIndexed();
  if (copy.sizeBytes === segment.sizeBytes) return copy;
  throw new GatewayError('segment-changed', `${segment.path} changed while it was copied.`, {
    remedy: 'Scan again, then prepare the request again.',
  });
}
