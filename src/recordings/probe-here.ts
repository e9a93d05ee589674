/**
 * What a file on disk really is: container, length, codec and size of the picture, read from header and index alone. The
 * name is not looked at, since a Matroska file may well be called `.mp4`. Files are hostile: recorders crash, disks lie, and
 * anyone who can write into the store can put anything there.
 */
import {
  behindInit,
  defaultLimits,
  LimitReached,
  openBounded,
  type BoundedFile,
  type FileFacts,
  type ReadLimits,
} from './containers/bounded-file.js';
import { looksLikeAvi, readAvi } from './containers/avi.js';
import { looksLikeIsobmff, readIsobmff } from './containers/isobmff.js';
import { readWithLibrary } from './containers/library.js';
import { looksLikeMatroska, readMatroskaFacts } from './containers/matroska.js';
import { looksLikeTransport, readTransport } from './containers/transport.js';
import { ProbeRefusal, type MediaSummary, type ProbeReason } from './containers/summary.js';

export type { MediaSummary, ProbeReason } from './containers/summary.js';
export type { FileFacts, ReadLimits } from './containers/bounded-file.js';

export interface ProbeResult extends MediaSummary {
  readonly ok: true;
  /** The file that was read, by its open handle. */
  readonly file: FileFacts;
}

export interface ProbeFailure {
  readonly ok: false;
  readonly reason: ProbeReason;
  /** One line for a person; may quote bytes of the file's index, never of its pictures. */
  readonly detail: string;
  /** Null where it could not even be opened. */
  readonly file: FileFacts | null;
}

/** Nothing that is kept for thirty days holds more than that in one file; a longer one has a broken index. */
const maxDurationUs = 31 * 86_400 * 1e6;

/**
 * Probes one file in this thread. Never throws: every file, and every lack of one, is a result or a failure with a closed
 * reason. Bounded in bytes and reads, and in time between reads; but not where a read hangs on a dead network share or the library
 * runs in a circle, which is why `probeFile` does this in a thread of its own. `init` is the path of the initialisation segment
 * that a fragment cannot be read without.
 */
export async function probeHere(
  path: string,
  limits: ReadLimits = defaultLimits,
  init?: string,
): Promise<ProbeResult | ProbeFailure> {
  let file: BoundedFile;
  try {
    file = openBounded(path, limits);
  } catch (error) {
    return { ok: false, reason: 'unreadable', detail: messageOf(error), file: null };
  }
  const { facts } = file;
  try {
    const summary = await (init === undefined ? summarise(file) : summariseFragment(file, init, limits));
    const broken = contradiction(summary);
    if (broken !== null) return { ok: false, reason: 'damaged', detail: broken, file: facts };
    return { ok: true, ...summary, file: facts };
  } catch (error) {
    return { ok: false, ...refusalOf(error), file: facts };
  } finally {
    file.close();
  }
}

const noRecorder = { recorderClockUs: null, recorderNumber: null };

async function summarise(file: BoundedFile): Promise<MediaSummary> {
  const { sizeBytes } = file.facts;
  if (sizeBytes === 0) throw new ProbeRefusal('empty', '0 bytes');
  const head = await file.read(0, 64);
  if (head.length < 12) throw new ProbeRefusal('unknown-format', 'too short to be a container');
  if (looksLikeIsobmff(head)) return await readIsobmff(file);
  if (looksLikeAvi(head)) return await readAvi(file);
  if (head.every((byte) => byte === 0)) {
    throw new ProbeRefusal('unknown-format', 'begins with zeros: reserved on disk but never written');
  }
  if (looksLikeMatroska(head)) {
    const facts = await readMatroskaFacts(file);
    return { ...(await readWithLibrary(file)), hasVideo: true, ...noRecorder, ...facts };
  }
  const summary = (looksLikeTransport(head) ? await readTransport(file) : null) ?? (await readWithLibrary(file));
  // Transport packets have 188 bytes: a part of one at the end was cut off.
  const truncated = summary.container === 'ts' && looksLikeTransport(head) && sizeBytes % 188 !== 0;
  return { ...summary, hasVideo: true, creationTimeUs: null, ...noRecorder, truncated };
}

/** Of a fragment, whose initialisation segment is shared: the clocks in that are of another recording. */
async function summariseFragment(file: BoundedFile, init: string, limits: ReadLimits): Promise<MediaSummary> {
  if (file.facts.sizeBytes === 0) return await summarise(file);
  const summary = await summarise(await behindInit(file, init, limits));
  return { ...summary, creationTimeUs: null, ...noRecorder };
}

function contradiction(summary: MediaSummary): string | null {
  const { durationUs, width, height } = summary;
  if (!Number.isSafeInteger(durationUs) || durationUs <= 0) return 'its index gives it no length';
  if (durationUs > maxDurationUs) return `its index says it lasts ${Math.round(durationUs / 86_400e6)} days`;
  if (width > 32_768 || height > 32_768) return `its index says its picture has ${width}x${height} pixels`;
  return null;
}

function refusalOf(error: unknown): { reason: ProbeReason; detail: string } {
  if (error instanceof ProbeRefusal) return { reason: error.reason, detail: error.message };
  if (error instanceof LimitReached) return { reason: 'damaged', detail: error.message };
  // A system error has an errno; everything else was thrown over bytes that make no sense.
  const isSystem = error instanceof Error && 'errno' in error;
  return { reason: isSystem ? 'unreadable' : 'damaged', detail: messageOf(error) };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);
