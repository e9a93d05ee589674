/** A root in a layout, with clips that a test puts there at a last write of its choice. */
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { registerFoundCamera } from '../../src/cameras/register-found.js';
import { formatUtc } from '../../src/domain/time.js';
import { silentLog } from '../../src/platform/log.js';
import type { RecordingsContext } from '../../src/recordings/context.js';
import { layoutFromConfig, type LayoutConfig } from '../../src/recordings/layouts/index.js';
import { putSeenRoots } from '../../src/recordings/roots.js';
import { listQuarantine } from '../../src/store/quarantine.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { makeTestStore, tempFolder, type MovableClock } from '../helpers/site.js';
import { make } from './make-media.js';

/** The present of these tests: the night on which Copenhagen's clock was set back is a week ago. */
export const now = '2026-11-01T12:00:00Z';
/** Length of the clips. */
export const seconds = 6;

export interface Site {
  readonly ctx: RecordingsContext;
  readonly clock: MovableClock;
  /** Writes the clip under this name; `lastWrite` is its mtime. */
  readonly put: (path: string, lastWrite: string, bytes?: Buffer) => void;
  readonly full: (path: string) => string;
  readonly segments: () => string[];
  readonly quarantine: () => string[];
}

/** A root with this layout, and a clip of 6 s to fill it with. */
export function makeSite(layout: LayoutConfig, clip: Buffer, instant = now): Site {
  const root = join(tempFolder(), 'recordings');
  mkdirSync(root);
  const { store, clock } = makeTestStore(instant);
  const ctx: RecordingsContext = {
    store,
    log: silentLog,
    roots: [{ id: 'nvr', path: root, layout: layoutFromConfig(layout, { siteTimezone: 'Europe/Copenhagen' }) }],
    quietMs: 50,
    registerCamera: (note, cameraId, label) => {
      registerFoundCamera(store, note, cameraId, label);
    },
  };
  putSeenRoots(ctx);
  const full = (path: string): string => join(root, path);
  return {
    ctx,
    clock,
    full,
    put: (path, lastWrite, bytes = clip) => {
      mkdirSync(dirname(full(path)), { recursive: true });
      writeFileSync(full(path), bytes);
      utimesSync(full(path), new Date(lastWrite), new Date(lastWrite));
    },
    segments: () =>
      [...segmentsOfRoot(store.db, 'nvr')].map(
        ({ path, cameraId, startUs, timeSource, timeQuality }) =>
          `${path.slice(path.lastIndexOf('/') + 1)} ${cameraId} ${formatUtc(startUs)} ${timeSource} ${timeQuality}`,
      ),
    quarantine: () =>
      listQuarantine(store.db).map(
        ({ path, reason, boundUs }) => `${path.slice(path.lastIndexOf('/') + 1)} ${reason} ${formatUtc(boundUs)}`,
      ),
  };
}

const made = new Map<string, Buffer>();
/** MP4 without any clock in it, fragmented or whole. */
export function clipOf(kind: 'sound.mp4' | 'fragments-sound.mp4'): Buffer {
  const known = made.get(kind) ?? readFileSync(make(tempFolder(), kind));
  made.set(kind, known);
  return known;
}
