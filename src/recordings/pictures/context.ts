import type { Actor } from '../../domain/audit-event.js';
import type { Log } from '../../platform/log.js';
import type { Store } from '../../store/audit-log.js';

/** What it needs to show pictures of recordings to a person. */
export interface PictureContext {
  readonly store: Store;
  readonly log: Log;
  readonly dataDir: string;
  readonly timezone: string;
  /** How long before the legal limit footage goes: what a sweep would delete now is not shown any more. */
  readonly marginUs: number;
  /** Absolute path of a root; throws `root-untrusted` for one that is not configured. */
  rootPath(rootId: string): string;
  /** Pictures that were made are kept for this long, and take at most this much room. */
  readonly keepUs: number;
  readonly maxBytes: number;
}

/** Every look has somebody who looks, and why. */
export interface Look {
  readonly actor: Actor;
  /** One of the known purposes by its code; words of somebody's own may name a person and stay out of the log. */
  readonly purpose: string;
  readonly signal?: AbortSignal | undefined;
}
