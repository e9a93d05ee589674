/** What one file in a root is: a segment, something to quarantine, a file that is still being written, or nothing of ours. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Segment } from '../domain/segment.js';
import type { RecorderNumber } from '../domain/recorder-numbers.js';
import type { SegmentClocks } from '../domain/segment-clocks.js';
import type { FileStat, Probed, RecordingRoot, RecordingsContext } from './context.js';
import { localToUs, usPerSecond } from '../domain/time.js';
import { inodeText } from '../platform/file-identity.js';
import type { TreeFacts } from '../platform/tree-walk.js';
import { cameraIdOf, type LayoutMatch, type LayoutMiss, type NameTime } from './layouts/index.js';
import { probeFile } from './probe.js';
import { clocksToKeep, decideStart, earliestUs, futureBoundUs, latestOf, type StartClocks } from './start-time.js';

export type Examined =
  | {
      readonly kind: 'segment';
      readonly path: string;
      readonly cameraLabel: string;
      readonly segment: Omit<Segment, 'id' | 'state'>;
      /** What each clock said, where that has to be kept. */
      readonly clocks: SegmentClocks | null;
      /** What the recorder counts in its files; null where it counts nothing. */
      readonly number: RecorderNumber | null;
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
  | {
      readonly kind: 'open';
      readonly path: string;
      readonly stat: FileStat;
      /** Its very name says so: it waits for another name, not for rest. */
      readonly byName: boolean;
    }
  | { readonly kind: 'nothing'; readonly path: string };

/** Type, size, inode and last write of a name, its own and not that of what it links to. Null where it is gone. */
export async function statOf(
  root: RecordingRoot,
  path: string,
): Promise<(TreeFacts & { readonly names: number }) | null> {
  try {
    const stat = await lstat(join(root.path, path), { bigint: true });
    return {
      isFile: stat.isFile(),
      isLink: stat.isSymbolicLink(),
      names: Number(stat.nlink),
      sizeBytes: Number(stat.size),
      inode: inodeText(stat.ino),
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

const byName: ReadonlySet<string> = new Set(['foreign', 'misnamed', 'unfinished']);

/**
 * Whether a file in quarantine deserves another look although it did not change: its layout or time zone was corrected, the
 * future it claimed has come, or the initialisation segment that was missing may be there now. Reads nothing from disk, and
 * is false for what would only come to the same end: whole archives may lie in quarantine.
 */
export function deservesAnotherLook(
  root: RecordingRoot,
  held: { readonly path: string; readonly reason: string },
  nowUs: number,
): boolean {
  const match = root.layout.decode(held.path);
  if (match.kind === 'miss') return byName.has(held.reason) && match.reason !== held.reason;
  switch (held.reason) {
    case 'no-index':
      return match.init !== undefined;
    case 'impossible-time':
      return latestOf(match.start) >= earliestUs && latestOf(match.start) <= nowUs + futureBoundUs;
    case 'ambiguous-local-time':
      return kindOf(match.start) !== 'ambiguous';
    case 'nonexistent-local-time':
      return kindOf(match.start) !== 'nonexistent';
    case 'no-time-of-day':
      return kindOf(match.start) !== 'date';
    default:
      return byName.has(held.reason);
  }
}

const kindOf = (start: NameTime): string =>
  start.kind === 'local' ? localToUs(start.fields, start.timeZone).kind : start.kind;

/** By then a file that is still called unfinished was abandoned: no recorder is silent for so long under an open name. */
const abandonedAfterUs = 3600 * usPerSecond;

/** Whether the name says that somebody is writing, and the last write does not contradict it. */
function isOpen(match: LayoutMatch | LayoutMiss, mtimeUs: number, nowUs: number): boolean {
  const says = match.kind === 'match' ? match.open === true : match.reason === 'unfinished';
  const ageUs = nowUs - mtimeUs;
  return says && ageUs < abandonedAfterUs && ageUs >= -futureBoundUs;
}

/** Of a name that reached us garbled: the replacement character stands for bytes that are no UTF-8. */
const nothingKnown = { isFile: true, isLink: false, sizeBytes: 0, inode: '0', mtimeUs: 0 } as const;

/** Probes a file, behind its initialisation segment where it needs one, and looks at it once more behind that. */
async function probeAndLook(root: RecordingRoot, path: string, initPath: string | undefined): Promise<Probed> {
  const init = initPath === undefined ? undefined : join(root.path, initPath);
  const probe = await probeFile(join(root.path, path), undefined, init);
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
  const match = root.layout.decode(path);
  // Links too: ZoneMinder keeps a hidden one for each event.
  if (match.kind === 'miss' && match.reason === 'ignored') return { kind: 'nothing', path };
  if (stat.isLink) return quarantined('link', 'A link: what it points to is not touched through it.');
  if (!stat.isFile) return quarantined('not-a-file', 'Neither file nor folder.');
  const named = isOpen(match, stat.mtimeUs, nowUs);
  if (!calm || named) return { kind: 'open', path, stat, byName: named };

  if (match.kind === 'miss') {
    const cameraId = match.camera === undefined ? null : cameraIdOf(match.camera);
    return quarantined(match.reason, match.detail, cameraId, match.start === undefined ? nowUs : latestOf(match.start));
  }
  // Its closed name is another name of the same file, and the one that counts.
  if (match.open === true && ((await statOf(root, path))?.names ?? 1) > 1) return { kind: 'nothing', path };

  const cameraId = cameraIdOf(match.camera);
  const probed = ctx.probe === undefined ? probeAndLook(root, path, match.init) : ctx.probe(root, path, stat);
  const { probe, after } = await probed;
  if (after === null) return { kind: 'nothing', path };
  if (!probe.ok) return quarantined(probe.reason, probe.detail, cameraId, latestOf(match.start));
  const clocks: StartClocks = {
    name: match.start,
    durationUs: probe.durationUs,
    creationTimeUs: probe.creationTimeUs,
    recorderClockUs: probe.recorderClockUs,
    mtimeUs: stat.mtimeUs,
    nowUs,
  };
  const start = decideStart(clocks);
  // A name that claims the past, the year 1970 for one, makes its file overdue: that is reported, and never deletes it.
  if (!start.ok) return quarantined(start.reason, start.detail, cameraId, latestOf(match.start));
  // Written to while it was read: what was read is of no file that exists.
  if (!sameFile(stat, after)) return { kind: 'open', path, stat: after, byName: false };
  return {
    kind: 'segment',
    path,
    cameraLabel: match.camera,
    clocks: clocksToKeep(clocks, start),
    number: probe.recorderNumber,
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
