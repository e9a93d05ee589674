/**
 * How old a file in a root is, by itself: its name first, its content where the name does not tell. The index is not asked: this
 * is what retention checks the index against. Names and bytes are a foreign program's, and hostile.
 */
import { join } from 'node:path';
import { localToUs, type Micros } from '../domain/time.js';
import { cameraIdOf, type NameTime } from './layouts/index.js';
import { probeFile } from './probe.js';
import { earliestUs, futureBoundUs, latestOf } from './start-time.js';
import type { RecordingRoot } from './context.js';

/**
 * none: no footage by its name. exact: the name gives the oldest frame. between: it gives the day alone, or an hour that a clock
 * runs through twice: the oldest frame is from `fromUs` at the earliest. unknown: footage, or it may be, of an age that the name
 * does not tell.
 */
export type NameAge =
  | { readonly kind: 'none' }
  | { readonly kind: 'exact'; readonly cameraId: string; readonly startUs: Micros }
  | { readonly kind: 'between'; readonly cameraId: string; readonly fromUs: Micros }
  | { readonly kind: 'unknown'; readonly cameraId: string | null };

/** A picture shows what a recording shows. No layout has a name for it, so its age is asked of its last write. */
const pictures = /\.(?:jpe?g|png|webp|gif|bmp|thumb)$/i;

/** What the name alone says. Never throws. */
export function ageByName(root: RecordingRoot, path: string, nowUs: Micros): NameAge {
  const found = root.layout.decode(path);
  if (found.kind === 'miss' && found.reason === 'ignored') {
    return pictures.test(path) ? { kind: 'unknown', cameraId: null } : { kind: 'none' };
  }
  const cameraId = found.camera === undefined ? null : cameraIdOf(found.camera);
  if (cameraId === null || found.start === undefined) return { kind: 'unknown', cameraId };
  const exactUs = exactly(found.start);
  const latestUs = latestOf(found.start);
  // A camera that lost its clock names its files after 1970 or after a year to come: their age is not in the name.
  if (latestUs < earliestUs || (exactUs ?? latestUs) > nowUs + futureBoundUs) return { kind: 'unknown', cameraId };
  if (exactUs !== null) return { kind: 'exact', cameraId, startUs: exactUs };
  return { kind: 'between', cameraId, fromUs: earliestOf(found.start) };
}

function exactly(name: NameTime): Micros | null {
  if (name.kind === 'utc') return name.us;
  if (name.kind === 'date') return null;
  const reading = localToUs(name.fields, name.timeZone);
  return reading.kind === 'exact' ? reading.us : null;
}

/** The earliest instant that a name can mean. */
function earliestOf(name: NameTime): Micros {
  if (name.kind === 'utc') return name.us;
  const reading = localToUs(name.fields, name.timeZone);
  if (reading.kind === 'exact') return reading.us;
  return Math.min(...(reading.kind === 'ambiguous' ? reading.candidatesUs : reading.readingsUs));
}

/** The clock inside the file at its first frame, where it has one that can be; else null. Reads header and index alone. */
export async function ageByContent(root: RecordingRoot, path: string, nowUs: Micros): Promise<Micros | null> {
  const found = root.layout.decode(path);
  const init = found.kind === 'match' && found.init !== undefined ? join(root.path, found.init) : undefined;
  const probe = await probeFile(join(root.path, path), undefined, init);
  if (!probe.ok) return null;
  const clocks = [probe.recorderClockUs, probe.creationTimeUs];
  return clocks.find((us): us is Micros => us !== null && us >= earliestUs && us <= nowUs + futureBoundUs) ?? null;
}
