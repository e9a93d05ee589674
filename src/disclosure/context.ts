/** What the acts of a disclosure need, and the few rules that they share. */
import type { KeyObject } from 'node:crypto';
import type { Actor } from '../domain/audit-event.js';
import type { Zone } from '../domain/redaction-plan.js';
import { assertRight, type Right, type User } from '../domain/user.js';
import { GatewayError, toGatewayError } from '../errors.js';
import type { Log } from '../platform/log.js';
import { redactPart, renderCopy } from '../redaction/apart.js';
import type { RedactionSettings } from '../redaction/redact.js';
import type { Store } from '../store/audit-log.js';
import { claimLease, renewLease, type RequestChange, type RequestRow } from '../store/requests.js';

/** The part of redaction/apart.ts that is used here; a test gives one that fails. */
export interface Redactor {
  readonly redactPart: typeof redactPart;
  readonly renderCopy: typeof renderCopy;
}

export interface DisclosureContext {
  readonly store: Store;
  readonly log: Log;
  /** Everything derived lies below it: requests/, packages/ and records/. */
  readonly dataDir: string;
  readonly site: { readonly name: string; readonly timezone: string };
  /** Absolute path of a root; throws `root-untrusted` for one that is not configured. */
  rootPath(rootId: string): string;
  /** What a camera never shows, whatever is decided. */
  zonesOf(cameraId: string): readonly Zone[];
  readonly redaction: RedactionSettings;
  /** Days that the gateway keeps its copy of a package. */
  readonly packageDays: number;
  /** Whether a time service sets the gateway's clock, by which all others are measured; null where nobody can tell. */
  readonly synchronised?: () => Promise<boolean | null>;
  /** Ed25519, signs manifests. */
  readonly packageKey: KeyObject;
  readonly audit: { readonly origin: string; readonly privateKey: KeyObject };
  readonly version: string;
  /** Left out: the real one. */
  readonly redactor?: Redactor;
}

export interface Progress {
  readonly framesDone: number;
  readonly framesTotal: number | null;
}

export interface Run {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export const redactorOf = (ctx: DisclosureContext): Redactor => ctx.redactor ?? { redactPart, renderCopy };

/** Who acts: a person, whose right is checked, or an actor whose right the caller has checked. */
export function actorOf(who: User | Actor, right: Right): Actor {
  if (typeof who === 'string') return who;
  assertRight(who, right);
  return `user:${who.id}`;
}

/** Kind of the task that asks a person to look at what a crash left. */
export const cleanUpTask = 'disclosure-clean-up';

export const requestSubject = (id: string): string => `request:${id}`;

/** What is set back when what was reviewed or approved is not what is there any more. */
export const noApproval = {
  reviewedBy: null,
  reviewedUs: null,
  reviewHash: null,
  decidedBy: null,
  decidedUs: null,
  decisionReason: null,
  audioReason: null,
  redactedOnlyReason: null,
  approvalHash: null,
} as const satisfies RequestChange;

/** How long a worker is believed alive without a sign of life, and how often it gives one. */
const leaseUs = 30_000_000;
const heartbeatMs = 7_000;

export const leaseIsLive = (request: RequestRow, nowUs: number): boolean =>
  request.workerLeaseUs !== null && request.workerLeaseUs > nowUs;

/** Throws `conflict` while somebody works on the request. */
export function assertNoWorker(request: RequestRow, nowUs: number): void {
  if (leaseIsLive(request, nowUs)) throw beingWorkedOn(request.id);
}

const beingWorkedOn = (id: string): GatewayError =>
  new GatewayError('conflict', `Request ${id} is being worked on.`, {
    remedy: 'Wait until that is done; after a crash, half a minute.',
  });

export interface LeasedWork<T> {
  /** One transaction that sets the lease to the instant it is given: an act, or a claim alone. */
  begin(untilUs: number): void;
  /** `assertMine` renews the lease, or throws where it was lost: to be called before what is done cannot be undone. */
  work(signal: AbortSignal, assertMine: () => void): Promise<T>;
  /** Leaves things as they should be found after a failure. Still under the lease; not called where that was lost. */
  onFailure?(error: GatewayError): void;
}

/**
 * Runs long work under the request's lease and renews it meanwhile. The signal that `work` gets also fires when the lease
 * was lost, so that two processes never write the same files. A crash leaves the lease to run out. Throws what the work
 * throws, `interrupted` where it was stopped, `conflict` where somebody else has taken over.
 */
export async function underLease<T>(ctx: DisclosureContext, id: string, run: Run, leased: LeasedWork<T>): Promise<T> {
  const { db, clock } = ctx.store;
  let heldUs = clock.nowUs() + leaseUs;
  leased.begin(heldUs);
  const lost = new AbortController();
  const renew = (): boolean => {
    // At least one more than before: two renewals within one tick of the clock must not be the same token.
    const untilUs = Math.max(clock.nowUs() + leaseUs, heldUs + 1);
    if (!lost.signal.aborted && renewLease(db, id, heldUs, untilUs)) heldUs = untilUs;
    else lost.abort();
    return !lost.signal.aborted;
  };
  const assertMine = (): void => {
    if (!renew()) throw takenOver(id);
  };
  const timer = setInterval(() => {
    try {
      renew();
    } catch (error) {
      // A busy database now is no reason to stop: the lease outlives three more tries, and then the token differs.
      ctx.log.warn({ err: toGatewayError(error), request: id }, 'the lease of a request was not renewed');
    }
  }, heartbeatMs);
  timer.unref();
  const signal = run.signal === undefined ? lost.signal : AbortSignal.any([run.signal, lost.signal]);
  try {
    signal.throwIfAborted();
    return await leased.work(signal, assertMine);
  } catch (error) {
    // A process that slept through its lease does not know yet: what another worker does now is not to be undone.
    if (!renew()) throw takenOver(id, error);
    const failure = signal.aborted
      ? new GatewayError('interrupted', `The work on request ${id} was interrupted.`, {
          remedy: 'Start it again.',
          cause: error,
        })
      : toGatewayError(error);
    leased.onFailure?.(failure);
    throw failure;
  } finally {
    clearInterval(timer);
    renewLease(db, id, heldUs, null);
  }
}

const takenOver = (id: string, cause?: unknown): GatewayError =>
  new GatewayError('conflict', `Another worker has taken over request ${id}.`, {
    remedy: 'Look at the request: the other one is at work on it.',
    cause,
  });

/** Claims the lease alone, where no act begins the work. Throws `conflict`. */
export function claim(ctx: DisclosureContext, id: string, untilUs: number): void {
  if (!claimLease(ctx.store.db, id, ctx.store.clock.nowUs(), untilUs)) throw beingWorkedOn(id);
}
