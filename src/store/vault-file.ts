/** The protected copy of a segment, for whoever wants to show it or hand it over: only what is still what it was. */
import { GatewayError } from '../errors.js';
import { joinBeneath } from '../platform/durable-file.js';
import { assertWhole } from '../platform/verified-file.js';
import type { Database } from './database.js';
import { noteDamage, wholeCopyOf, type WholeCopy } from './vault-copies.js';

export interface VaultFootage {
  readonly copy: WholeCopy;
  /** Absolute path of the footage. Beside it lies `init.mp4`, where it is a fragment. */
  readonly path: string;
}

/**
 * The copy, with its hash checked; null where there is none. Throws `verification-failed` or `footage-gone` where it is damaged:
 * that is written down, and the gateway's next look at the vault raises the alarm.
 */
export async function vaultFootageOf(
  { store: { db, clock }, dataDir }: VaultPlace,
  segmentId: number,
  signal?: AbortSignal,
): Promise<VaultFootage | null> {
  const copy = wholeCopyOf(db, segmentId);
  if (copy === null) return null;
  const path = joinBeneath(dataDir, `${copy.path}/${copy.fileName}`);
  try {
    await assertWhole(path, copy, signal);
  } catch (error) {
    const code = error instanceof GatewayError ? error.code : null;
    if (code === 'verification-failed' || code === 'footage-gone') noteDamage(db, copy.derivedId, clock.nowUs());
    throw error;
  }
  return { copy, path };
}

export interface VaultPlace {
  readonly store: { readonly db: Database; readonly clock: { nowUs(): number } };
  readonly dataDir: string;
}
