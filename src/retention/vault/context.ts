/** What the vault is given, and what it gives back. */
import type { RetentionContext } from '../context.js';
import type { Copier } from './copy-thread.js';
import type { CopyStep } from './copy-here.js';

/** Below the data folder; for the gateway's user alone. */
export const vaultFolder = 'vault';

export interface VaultContext extends RetentionContext {
  /** What stays free on the disk of the data folder after a copy. */
  readonly reserveBytes: number;
  /** Whether the recorder of a root never writes to, cuts or replaces a file that it has closed: only then may one be linked. */
  readonly neverRewritten: (rootId: string) => boolean;
  /** Copies and hashes; a thread of its own unless a test makes it fail. */
  readonly makeCopier?: (signal: AbortSignal | undefined, onBytes: (bytes: number) => void) => Copier;
}

/** Points at which a test kills the process; each names what has just happened. */
export type VaultStep =
  | CopyStep
  | 'copies-begun'
  | 'copy-made'
  | 'copy-registered'
  | 'removal-intended'
  | 'copy-unlinked'
  | 'removal-synced'
  | 'removal-done';

export interface VaultRun {
  /** Stops between two files, and in the middle of a large one: nothing half-done is left. */
  readonly signal?: AbortSignal;
  readonly onStep?: (step: VaultStep) => void;
  readonly onProgress?: (progress: VaultProgress) => void;
}

/** Of the copies that have to be made now. A byte is counted when it is read: once or twice for each of a file. */
export interface VaultProgress {
  readonly copied: number;
  readonly waiting: number;
  readonly readBytes: number;
}

export interface VaultResult {
  /** Segments that were protected by this run. */
  readonly copied: number;
  /** Held segments without a protected copy, after this run, and what they need. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** What could not be protected; tried again by the next run. */
  readonly failed: readonly { readonly segmentId: number; readonly path: string; readonly reason: string }[];
  /** Copies that went because no hold covers them, or a newer one does. */
  readonly removed: number;
  /** Held segments whose recording on the recorder's disk is gone or changed: their copy stands for them. */
  readonly originalsLost: number;
  /** Copies that are not what they were. */
  readonly damaged: number;
  /** Why nothing was done, or null. */
  readonly refused: string | null;
}
