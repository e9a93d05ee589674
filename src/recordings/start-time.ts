/**
 * When a segment starts: its name's time, held against the container's and the file system's clocks. A name that may mean
 * two instants is decided by another clock or not at all; nothing is guessed, because 30 days count from this instant.
 */
import {
  formatLocal,
  formatUtc,
  localToUs,
  usPerMs,
  usPerSecond,
  usToLocal,
  utcToUs,
  type LocalReading,
  type Micros,
} from '../domain/time.js';
import type { TimeQuality } from '../domain/segment.js';
import type { SegmentClocks } from '../domain/segment-clocks.js';
import type { NameTime } from './layouts/layout.js';

/**
 * Which clock gave the start. name-utc, name-local: the name alone. name-by-container, name-by-mtime: the name in the
 * repeated hour, decided by that clock. container: the recorder wrote its wall clock into the file (MediaMTX), which is the
 * same clock as the name's and finer. date-by-container, date-by-mtime: the name has the day alone, and that clock the time
 * of day. first-seen: the file was there before the time that its name claims.
 */
export type TimeSource =
  | 'name-utc'
  | 'name-local'
  | 'name-by-container'
  | 'name-by-mtime'
  | 'container'
  | 'date-by-container'
  | 'date-by-mtime'
  | 'first-seen';

export type StartFailure = 'ambiguous-local-time' | 'nonexistent-local-time' | 'impossible-time' | 'no-time-of-day';

export interface StartClocks {
  readonly name: NameTime;
  readonly durationUs: number;
  /** `creation_time` of the container, in whole seconds; null where there is none. */
  readonly creationTimeUs: Micros | null;
  /** The recorder's own wall clock at the first frame, where the container holds it; null where it does not. */
  readonly recorderClockUs: Micros | null;
  /** Last write to the file, near its end while it lies where it was recorded; much later once it was copied. */
  readonly mtimeUs: Micros;
  readonly nowUs: Micros;
}

export type StartDecision =
  | {
      readonly ok: true;
      readonly startUs: Micros;
      readonly source: TimeSource;
      readonly quality: TimeQuality;
      /** The other clock minus the start (container) or minus the end (mtime), of the clock that speaks best; or null. */
      readonly disagreementMs: number | null;
    }
  | { readonly ok: false; readonly reason: StartFailure; readonly detail: string };

/** How near another clock must be to decide the repeated hour: far below its length, far above a recorder's delays. */
export const decidingBoundUs = 5 * 60 * usPerSecond;
/** Clocks further apart than this disagree. */
export const agreeingBoundUs = 60 * usPerSecond;
/** A recorder's clock may run ahead of ours by this much. */
export const futureBoundUs = 5 * 60 * usPerSecond;
/** 2000-01-01: what is older is a camera that lost its clock. */
export const earliestUs = 946_684_800 * usPerSecond;

const near = (a: Micros, b: Micros, boundUs: number): boolean => Math.abs(a - b) <= boundUs;
const fail = (reason: StartFailure, detail: string): StartDecision => ({ ok: false, reason, detail });

/** Decides the start of one segment. Pure; never throws for clocks that are numbers and a time zone that is known. */
export function decideStart(clocks: StartClocks): StartDecision {
  const chosen = choose(clocks);
  if ('reason' in chosen) return fail(chosen.reason, chosen.detail);
  const { startUs, source } = chosen;
  if (startUs < earliestUs) return fail('impossible-time', `${formatUtc(startUs)} is before the year 2000`);
  if (startUs > clocks.nowUs + futureBoundUs) {
    return fail('impossible-time', `${formatUtc(startUs)} is in the future; it is ${formatUtc(clocks.nowUs)} now`);
  }
  return { ok: true, startUs, source, ...compare(clocks, startUs, source) };
}

type Choice =
  | { readonly startUs: Micros; readonly source: TimeSource }
  | { readonly reason: StartFailure; readonly detail: string };

function choose(clocks: StartClocks): Choice {
  const { name, recorderClockUs } = clocks;
  if (recorderClockUs !== null && recorderClockUs >= earliestUs && recorderClockUs <= clocks.nowUs + futureBoundUs) {
    return { startUs: recorderClockUs, source: 'container' };
  }
  if (name.kind === 'utc') return { startUs: name.us, source: 'name-utc' };
  if (name.kind === 'date') return chooseWithin(name, clocks);
  const reading = localToUs(name.fields, name.timeZone);
  switch (reading.kind) {
    case 'exact':
      return { startUs: reading.us, source: 'name-local' };
    case 'nonexistent': {
      const [before, after] = reading.readingsUs.map((us) => formatLocal(us, name.timeZone));
      return {
        reason: 'nonexistent-local-time',
        detail: `${name.timeZone} leaps over this time: ${before ?? ''} or ${after ?? ''}`,
      };
    }
    case 'ambiguous':
      return chooseOne(reading.candidatesUs, clocks, name.timeZone);
  }
}

const readingsOf = (reading: LocalReading): readonly Micros[] =>
  reading.kind === 'exact' ? [reading.us] : reading.kind === 'ambiguous' ? reading.candidatesUs : reading.readingsUs;

/** The local day that a name gives: from its first to before its last instant, 23, 24 or 25 hours. */
function dayOf({ fields, timeZone }: NameTime & { kind: 'date' }): { fromUs: Micros; untilUs: Micros } {
  const tomorrow = usToLocal(utcToUs(fields) + 24 * 3600 * usPerSecond, 'UTC').fields;
  return {
    fromUs: Math.min(...readingsOf(localToUs(fields, timeZone))),
    untilUs: Math.max(...readingsOf(localToUs(tomorrow, timeZone))),
  };
}

/** The instants that a name can mean: one, both of the repeated hour, or any of a day. */
function meaningOf(name: NameTime): { readonly fromUs: Micros; readonly untilUs: Micros } {
  if (name.kind === 'utc') return { fromUs: name.us, untilUs: name.us };
  if (name.kind === 'date') return dayOf(name);
  const readings = readingsOf(localToUs(name.fields, name.timeZone));
  return { fromUs: Math.min(...readings), untilUs: Math.max(...readings) };
}

/** The latest instant that a name can mean: what bounds the age of a file of which nothing else is known. */
export const latestOf = (name: NameTime): Micros => (name.kind === 'utc' ? name.us : meaningOf(name).untilUs);

/** What each clock said, to be kept where they disagree or the name has two meanings; else null, as the decision tells it all. */
export function clocksToKeep(clocks: StartClocks, decision: StartDecision & { ok: true }): SegmentClocks | null {
  const { source, quality } = decision;
  if (quality !== 'disagreeing' && source !== 'name-by-container' && source !== 'name-by-mtime') return null;
  const { fromUs, untilUs } = meaningOf(clocks.name);
  return {
    nameFromUs: fromUs,
    nameUntilUs: untilUs,
    containerUs: clocks.creationTimeUs,
    recorderUs: clocks.recorderClockUs,
    writtenUs: clocks.mtimeUs,
  };
}

/**
 * The start within the day of the name, by the container's clock or else the last write. A clock that points elsewhere (a
 * copy's last write) says nothing. Some recorders set the container's clock when they close the file: then it is its end.
 */
function chooseWithin(name: NameTime & { kind: 'date' }, clocks: StartClocks): Choice {
  const { creationTimeUs, mtimeUs, durationUs } = clocks;
  const { fromUs, untilUs } = dayOf(name);
  const within = (us: Micros): boolean => us >= fromUs && us < untilUs;
  if (creationTimeUs !== null) {
    const isEnd = durationUs > 2 * agreeingBoundUs && near(creationTimeUs, mtimeUs, agreeingBoundUs);
    const startUs = isEnd ? creationTimeUs - durationUs : creationTimeUs;
    if (within(startUs)) return { startUs, source: 'date-by-container' };
  }
  const startUs = mtimeUs - durationUs;
  if (within(startUs)) return { startUs, source: 'date-by-mtime' };
  return {
    reason: 'no-time-of-day',
    detail: `its name has the day alone (${formatLocal(fromUs, name.timeZone).slice(0, 10)}), and no other clock points into it`,
  };
}

/** The one candidate that every other clock that speaks at all points to. Two clocks for two candidates decide nothing. */
function chooseOne(candidates: readonly [Micros, Micros], clocks: StartClocks, timeZone: string): Choice {
  const { creationTimeUs, mtimeUs, durationUs } = clocks;
  const byContainer = candidates.filter((us) => creationTimeUs !== null && near(creationTimeUs, us, decidingBoundUs));
  const byMtime = candidates.filter((us) => near(mtimeUs, us + durationUs, decidingBoundUs));
  const [container, mtime] = [byContainer[0], byMtime[0]];
  const clear = byContainer.length <= 1 && byMtime.length <= 1;
  if (clear && container !== undefined && (mtime === undefined || mtime === container)) {
    return { startUs: container, source: 'name-by-container' };
  }
  if (clear && container === undefined && mtime !== undefined) return { startUs: mtime, source: 'name-by-mtime' };
  const both = candidates.map((us) => formatLocal(us, timeZone)).join(' or ');
  const said =
    creationTimeUs === null ? 'the container tells no time' : `the container says ${formatUtc(creationTimeUs)}`;
  return {
    reason: 'ambiguous-local-time',
    detail: `${both}; no other clock decides it: ${said}, the last write was ${formatUtc(mtimeUs)}`,
  };
}

/**
 * The container's clock speaks best, since it travels with the file. The mtime of a copied file is only late, which says
 * nothing; but a last write before the first frame is a disagreement.
 */
function compare(
  clocks: StartClocks,
  startUs: Micros,
  source: TimeSource,
): { quality: TimeQuality; disagreementMs: number | null } {
  const verdict = (differenceUs: number): { quality: TimeQuality; disagreementMs: number } => ({
    quality: Math.abs(differenceUs) <= agreeingBoundUs ? 'agreed' : 'disagreeing',
    disagreementMs: Math.round(differenceUs / usPerMs),
  });
  if (source === 'container') {
    const candidates = nameCandidates(clocks.name, startUs);
    const nearest = candidates.sort((a, b) => Math.abs(a - startUs) - Math.abs(b - startUs))[0];
    if (nearest !== undefined) return verdict(nearest - startUs);
  } else if (source !== 'date-by-container' && clocks.creationTimeUs !== null && clocks.creationTimeUs >= earliestUs) {
    // Some recorders set it when they open the file, some when they close it.
    const fromStart = clocks.creationTimeUs - startUs;
    const fromEnd = fromStart - clocks.durationUs;
    return verdict(Math.abs(fromStart) <= Math.abs(fromEnd) ? fromStart : fromEnd);
  }
  // A clock that gave the start agrees with itself, which says nothing.
  if (source === 'date-by-mtime') return { quality: 'single', disagreementMs: null };
  const lateUs = clocks.mtimeUs - (startUs + clocks.durationUs);
  if (near(lateUs, 0, agreeingBoundUs) || clocks.mtimeUs < startUs - agreeingBoundUs) return verdict(lateUs);
  return { quality: 'single', disagreementMs: null };
}

function nameCandidates(name: NameTime, startUs: Micros): Micros[] {
  if (name.kind === 'utc') return [name.us];
  if (name.kind === 'local') return [...readingsOf(localToUs(name.fields, name.timeZone))];
  const { fromUs, untilUs } = dayOf(name);
  // Anywhere in its day, the name agrees.
  return [Math.min(Math.max(startUs, fromUs), untilUs)];
}
