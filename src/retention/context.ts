/** What retention is given, and what it gives back. */
import type { Actor } from '../domain/audit-event.js';
import type { BrakeSettings, DueFootage } from '../domain/brake.js';
import type { Vote } from '../domain/two-persons.js';
import type { Log } from '../platform/log.js';
import type { unlinkManyBeneath } from '../platform/native.js';
import type { Reserve } from '../platform/reserve.js';
import type { Uptime } from '../platform/uptime.js';
import type { Store } from '../store/audit-log.js';

export interface RetentionContext {
  readonly store: Store;
  readonly log: Log;
  readonly dataDir: string;
  /** How long before the legal limit footage goes. */
  readonly marginUs: number;
  /** Where a root lies now; null where it is not configured any more: then it is looked for where it last was. */
  readonly rootPath: (rootId: string) => string | null;
  /** A witness beside the wall clock. Left out, a clock that was set forward cannot be told from time that passed. */
  readonly uptime?: () => Uptime | null;
  /** Whether a time service sets the clock, null where nobody can tell. Left out, nobody is asked. */
  readonly synchronised?: () => Promise<boolean | null>;
  /** Nothing is deleted by a clock that no time service sets. */
  readonly mustBeSynchronised?: boolean;
  /** What a sweep may delete without being asked. Left out, nothing waits: the gateway itself always has it. */
  readonly brake?: BrakeSettings;
  /** Room to write down deletions when the disk is full; `store.act` spends it too, so what is done in an act may begin anew. */
  readonly reserve?: Reserve;
  /** How long a disk may take for one batch; then the others go on without it. */
  readonly patienceMs?: number;
  /** Removes files; the native one unless a test makes it fail. */
  readonly unlink?: typeof unlinkManyBeneath;
}

/** Points of a deletion at which a test kills the process; each names what has just happened. */
export type DeletionStep =
  | 'sweep-begun'
  | 'intent-written'
  | 'intent-committed'
  | 'derived-unlinked'
  | 'derived-synced'
  | 'derived-written'
  | 'derived-forgotten'
  | 'files-unlinked'
  | 'end-written'
  | 'end-committed'
  | 'sweep-committed'
  | 'wal-truncated';

export interface RetentionRun {
  /** Looked at between batches: nothing half-done is left. */
  readonly signal?: AbortSignal;
  readonly actor?: Actor;
  /** A person at the console asked for it and looks on: he may do the first sweep of an archive, see `firstByHand`. */
  readonly byHand?: boolean;
  readonly onStep?: (step: DeletionStep) => void;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Segments in one batch: one audit event for each phase of it. */
  readonly batchSize?: number;
}

/** A segment that is due, as it is listed for a person. The audit log and the records hold no path. */
export interface DueSegment {
  readonly segmentId: number;
  readonly rootId: string;
  readonly path: string;
  readonly cameraId: string;
  readonly startUs: number;
  readonly endUs: number;
  readonly sizeBytes: number;
  readonly dueUs: number;
  readonly ruleId: string;
  /** The legal limit itself has passed. */
  readonly late: boolean;
}

/** What a sweep at `atUs` would do. */
export interface RetentionPlan {
  readonly atUs: number;
  /** Segments that are due and not held, those with an unfinished deletion among them. */
  readonly due: number;
  readonly dueBytes: number;
  /** Segments that would be due without a hold. */
  readonly held: number;
  /** Those of `due` whose legal limit has passed. */
  readonly late: number;
  /** Why nothing is done now, or null. */
  readonly refused: string | null;
  /** Roots in which nothing is done now. */
  readonly problems: readonly RootProblem[];
  /**
   * By root: files in quarantine whose content may be as old as footage may become. They are no segments and never deleted,
   * but they may hold footage: a person has to look.
   */
  readonly quarantineOverdue: readonly { readonly rootId: string; readonly files: number }[];
  /** For each camera: footage whose oldest frame is from this instant or before is due. */
  readonly cutoffs: readonly { readonly cameraId: string; readonly ruleId: string; readonly cutoffUs: number }[];
  /** What of each camera could go now: in roots that are believed, and without what was begun before. */
  readonly dueByCamera: readonly (DueFootage & { readonly cameraId: string })[];
  /** What of each camera would be due without a hold; cameras without any are left out. */
  readonly heldByCamera: readonly { readonly cameraId: string; readonly segments: number; readonly oldestUs: number }[];
  /** What the brake keeps until two persons have confirmed it, or null. Of these cameras nothing is deleted. */
  readonly waiting: Waiting | null;
  /** The first of the due segments, at most `maxListed`. */
  readonly segments: readonly DueSegment[];
  /** How many more there are. */
  readonly notListed: number;
}

/** A camera of which a sweep would delete far more than usual, or that waits along with those. */
export interface WaitingCamera extends DueFootage {
  readonly cameraId: string;
  readonly usualUs: number;
  /** More footage than this waits. */
  readonly limitUs: number;
  /** When the newest of it fell due, and when the law's own limit of the oldest is or was reached. */
  readonly newestDueUs: number;
  readonly legalUs: number;
}

export interface Waiting {
  /** What is confirmed; null until a sweep has met it and opened it. */
  readonly id: string | null;
  readonly openedUs: number | null;
  /** As it is confirmed: as shown when it was opened, or as it is now where it was not opened yet. */
  readonly cameras: readonly WaitingCamera[];
  /** From when to when nothing was swept, where that was long: what waits is to catch up. */
  readonly notSwept: { readonly fromUs: number; readonly toUs: number } | null;
  /** Who has said yes so far; users by their ids. */
  readonly votes: readonly Vote[];
  /** What waits and how to confirm it, for a person. */
  readonly detail: string;
}

export interface RootProblem {
  readonly rootId: string;
  readonly detail: string;
}

export interface RetentionResult extends RetentionPlan {
  /** Files that this run removed. */
  readonly deleted: number;
  /** Files that were not there any more when their turn came. */
  readonly absent: number;
  /** What could not be deleted; every one of them is tried again by the next sweep. */
  readonly failed: readonly { readonly path: string; readonly reason: string }[];
  /** Deletions that an earlier run had begun and this one finished; they are counted in `deleted` and `absent` too. */
  readonly recovered: number;
  /** Copies, plans and packages that went with the segments they show. */
  readonly derivedRemoved: number;
  /** Stopped by its signal before everything was done. */
  readonly interrupted: boolean;
}

export const maxListed = 1000;
/** A busy disk takes seconds for a batch. */
export const defaultPatienceMs = 300_000;
/** One sync for each folder and three for the records: more at once would keep the API waiting. */
export const defaultBatchSize = 200;
