import type { Uptime } from '../platform/uptime.js';
import type { Log } from '../platform/log.js';
import type { Note, Store } from '../store/audit-log.js';
import type { TreeFacts } from '../platform/tree-walk.js';
import type { Layout } from './layouts/layout.js';
import type { ProbeFailure, ProbeResult } from './probe-here.js';

/** What indexing needs. */
export interface RecordingsContext {
  readonly store: Store;
  readonly log: Log;
  readonly roots: readonly RecordingRoot[];
  /** A file that was written to within this time is still open, and waits. */
  readonly quietMs: number;
  /** In place of probing the file, and looking at it once more: for measuring and testing everything else. */
  readonly probe?: (root: RecordingRoot, path: string, met: FileStat) => Promise<Probed>;
  /** Time since the boot, beside the wall clock by which footage is received; left out where a test moves the clock. */
  readonly uptime?: () => Uptime | null;
  /** Enters a camera that nobody configured, in the transaction of its first segment. */
  readonly registerCamera: (note: Note, cameraId: string, label: string) => void;
}

/** By what a file is known to be the same and unchanged. */
export type FileStat = Pick<TreeFacts, 'sizeBytes' | 'inode' | 'mtimeUs'>;

/** What is in a file, and how it lay there after it was read. */
export interface Probed {
  readonly probe: ProbeResult | ProbeFailure;
  /** Null where it is gone. */
  readonly after: FileStat | null;
}

export interface RecordingRoot {
  readonly id: string;
  /** Absolute. */
  readonly path: string;
  readonly layout: Layout;
  /** Whether changes are asked for instead of waiting to be told; auto, where it is left out: on network mounts. */
  readonly poll?: 'auto' | 'always' | 'never';
  /** The path of this folder for the recorder, where that is another one. */
  readonly seenAs?: string;
}
