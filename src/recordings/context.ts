import type { Log } from '../platform/log.js';
import type { Note, Store } from '../store/audit-log.js';
import type { Layout } from './layouts/layout.js';

/** What indexing needs. */
export interface RecordingsContext {
  readonly store: Store;
  readonly log: Log;
  readonly roots: readonly RecordingRoot[];
  /** A file that was written to within this time is still open, and waits. */
  readonly quietMs: number;
  /** Ask the disk instead of waiting to be told: network mounts announce nothing. */
  readonly poll: boolean;
  /** Enters a camera that nobody configured, in the transaction of its first segment. */
  readonly registerCamera: (note: Note, cameraId: string, label: string) => void;
}

export interface RecordingRoot {
  readonly id: string;
  /** Absolute. */
  readonly path: string;
  readonly layout: Layout;
}
