/**
 * Instants as signed files have them: microseconds, UTC, and local time of the site with its offset, so that a reader can see
 * them and a program need not trust what he sees. One value, one writing: what stands beside the microseconds has to follow.
 */
import { misformed, record, text, whole, type Formed } from './form.js';
import type { TimeRange } from './segment.js';
import { assertTimeZone, formatLocal, formatUtc } from './time.js';

/** Until the year 2200: what the time functions know. */
const maxUs = 7_258_118_400_000_000;

export const instantForm = record({ us: whole(0, maxUs), utc: text(40), local: text(40) });
export const rangeForm = record({ start: instantForm, end: instantForm });

export type WrittenInstant = Formed<typeof instantForm>;
export type WrittenRange = Formed<typeof rangeForm>;

export const instantIn = (us: number, timeZone: string): WrittenInstant => ({
  us,
  utc: formatUtc(us),
  local: formatLocal(us, timeZone),
});

export const rangeIn = (of: TimeRange, timeZone: string): WrittenRange => ({
  start: instantIn(of.startUs, timeZone),
  end: instantIn(of.endUs, timeZone),
});

/**
 * Checks every instant and every range in `value`, wherever it stands: none can be forgotten. Throws `verification-failed` for the
 * first that does not say what its microseconds say in `timeZone`, or ends before it starts, and for a zone that is none.
 * `at` is what `value` is called.
 */
export function assertInstants(value: unknown, at: string, timeZone: string): void {
  try {
    assertTimeZone(timeZone);
  } catch {
    // Said as what it is here: a file that is wrong, not a configuration.
    throw misformed(`${at}.site.timezone`, 'a time zone of the IANA database');
  }
  walk(value, at, timeZone);
}

function walk(value: unknown, at: string, timeZone: string): void {
  if (typeof value !== 'object' || value === null) return;
  if (isInstant(value)) {
    const right = instantIn(value.us, timeZone);
    if (value.utc === right.utc && value.local === right.local) return;
    throw misformed(at, `${right.utc} and ${right.local}, as its microseconds say`);
  }
  if (Array.isArray(value)) {
    for (const [index, inner] of value.entries()) walk(inner, `${at}[${index}]`, timeZone);
    return;
  }
  for (const [key, inner] of Object.entries(value)) walk(inner, `${at}.${key}`, timeZone);
  const { start, end } = value as { start?: unknown; end?: unknown };
  if (isInstant(start) && isInstant(end) && start.us >= end.us)
    throw misformed(at, 'a range that ends after it starts');
}

const isInstant = (value: unknown): value is WrittenInstant =>
  typeof value === 'object' && value !== null && 'us' in value && 'utc' in value && 'local' in value;
