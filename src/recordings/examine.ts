/** What one file in a root is: a segment, something to quarantine, a file that is still being written, or nothing of ours. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Segment } from '../domain/segment.js';
import type { FileStat, Probed, RecordingRoot, RecordingsContext } from './context.js';
import { localToUs } from '../domain/time.js';
import type { TreeFacts } from '../platform/tree-walk.js';
import { cameraIdOf, type NameTime } from './layouts/index.js';
import { probeFile } from './probe.js';
import { decideStart } from './start-time.js';

export type Examined =
  | {
      readonly kind: 'segment';
      readonly path: string;
      readonly cameraLabel: string;
      readonly segment: Omit<Segment, 'id' | 'state'>;
    }
  | {
      readonly kind: 'quarantined';
      readonly path: string;
      readonly reason: string;
      readonly detail: string;
      /** Where the name tells whose it is. */
      readonly cameraId: string | null;
      /** The latest instant that its content can be from. */
      readonly boundUs: number;
      readonly stat: FileStat;
    }
  | { readonly kind: 'open'; readonly path: string; readonly stat: FileStat }
  | { readonly kind: 'nothing'; readonly path: string };

/** Type, size, inode and last write of a name, its own and not that of what it links to. Null where it is gone. */
export async function statOf(root: RecordingRoot, path: string): Promise<TreeFacts | null> {
  try {
    const stat = await lstat(join(root.path, path), { bigint: true });
    return {
      isFile: stat.isFile(),
      isLink: stat.isSymbolicLink(),
      sizeBytes: Number(stat.size),
      // Node reads the number as signed.
      inode: BigInt.asUintN(64, stat.ino).toString(),
      mtimeUs: Number(stat.mtimeNs / 1000n),
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ENOTDIR: a folder on the way was replaced by a file.
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

export const sameFile = (a: FileStat, b: FileStat): boolean =>
  a.sizeBytes === b.sizeBytes && a.inode === b.inode && a.mtimeUs === b.mtimeUs;

/** The latest instant that a name can mean; a local one may mean two. */
function latestOf(start: NameTime): number {
  if (start.kind === 'utc') return start.us;
  const reading = localToUs(start.fields, start.timeZone);
  if (reading.kind === 'exact') return reading.us;
  return Math.max(...(reading.kind === 'ambiguous' ? reading.candidatesUs : reading.readingsUs));
}

/** Of a name that reached us garbled: the replacement character stands for bytes that are no UTF-8. */
const nothingKnown = { isFile: true, isLink: false, sizeBytes: 0, inode: '0', mtimeUs: 0 } as const;

/** Probes a file, and looks at it once more behind that. */
async function probeAndLook(root: RecordingRoot, path: string): Promise<Probed> {
  const probe = await probeFile(join(root.path, path));
  return { probe, after: await statOf(root, path) };
}

/** What is known of a name already, from reading its folder. */
export interface Met {
  readonly facts: TreeFacts;
  /** False where `path` is only a way of writing a name that is no UTF-8. */
  readonly utf8: boolean;
}

/**
 * Examines one name below a root. `calm` is true once size and last write have not changed for the quiet time; before that a
 * recording is `open`. Only reads; never throws for what the file holds.
 */
export async function examine(
  ctx: RecordingsContext,
  root: RecordingRoot,
  path: string,
  calm: boolean,
  met?: Met,
): Promise<Examined> {
  const nowUs = ctx.store.clock.nowUs();
  const found = met === undefined ? await statOf(root, path) : met.facts;
  const unnameable = met === undefined ? found === null && path.includes('\uFFFD') : !met.utf8;
  const stat = found ?? (unnameable ? nothingKnown : null);
  if (stat === null) return { kind: 'nothing', path };
  const quarantined = (reason: string, detail: string, cameraId: string | null = null, boundUs = nowUs): Examined => ({
    kind: 'quarantined',
    path,
    reason,
    detail,
    cameraId,
    // A name that claims the future must not make its file live longer.
    boundUs: Math.min(boundUs, nowUs),
    stat,
  });
  if (unnameable) return quarantined('name-not-utf8', 'The name is not valid UTF-8, so it cannot be opened by name.');
  if (stat.isLink) return quarantined('link', 'A link: what it points to is not touched through it.');
  if (!stat.isFile) return quarantined('not-a-file', 'Neither file nor folder.');

  const match = root.layout.decode(path);
  if (match.kind === 'miss' && match.reason === 'ignored') return { kind: 'nothing', path };
  if (!calm) return { kind: 'open', path, stat };
  if (match.kind === 'miss') return quarantined(match.reason, match.detail);

  const cameraId = cameraIdOf(match.camera);
  const nameUs = latestOf(match.start);
  const { probe, after } = await (ctx.probe ?? probeAndLook)(root, path, stat);
  if (after === null) return { kind: 'nothing', path };
  if (!probe.ok) return quarantined(probe.reason, probe.detail, cameraId, nameUs);
  const start = decideStart({
    name: match.start,
    durationUs: probe.durationUs,
    creationTimeUs: probe.creationTimeUs,
    recorderClockUs: probe.recorderClockUs,
    mtimeUs: stat.mtimeUs,
    nowUs,
  });
  // A name that claims the past, the year 1970 for one, makes its file overdue: that is reported, and never deletes it.
  if (!start.ok) return quarantined(start.reason, start.detail, cameraId, nameUs);
  // Written to while it was read: what was read is of no file that exists.
  if (!sameFile(stat, after)) return { kind: 'open', path, stat: after };
  return {
    kind: 'segment',
    path,
    cameraLabel: match.camera,
    segment: {
      rootId: root.id,
      path,
      cameraId,
      startUs: start.startUs,
      endUs: start.startUs + Math.max(1, Math.round(probe.durationUs)),
      timeSource: start.source,
      timeQuality: start.quality,
      timeDisagreementMs: start.disagreementMs,
      sizeBytes: stat.sizeBytes,
      inode: stat.inode,
      mtimeUs: stat.mtimeUs,
      container: probe.container,
      codec: probe.codec,
      width: probe.width,
      height: probe.height,
      frameRate: probe.frameRate,
      hasAudio: probe.hasAudio,
      truncated: probe.truncated,
      firstSeenUs: nowUs,
    },
  };
}
