/**
 * Time in this project: instants are whole UTC microseconds since 1970 as a safe integer, ranges are half-open, and a local
 * time is never turned into an instant without saying which time zone and which of its readings. Pure: reads no clock.
 */
import { Temporal } from 'temporal-polyfill';
import { GatewayError } from '../errors.js';

/** UTC microseconds since 1970-01-01T00:00:00Z. Safe as a double until the year 2255. */
export type Micros = number;

export const usPerMs = 1_000;
export const usPerSecond = 1_000_000;

/** A wall clock's reading, as a recorder writes it into a name. Months and days count from 1. */
export interface LocalFields {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly microsecond: number;
}

/**
 * What a local time means. Ambiguous: the hour that a clock set back runs through twice, earlier reading first.
 * Nonexistent: the hour that a clock set forward leaps over; the readings are what it would be by the offset after and by
 * the offset before the leap, earlier instant first, and neither of them is shown by any clock.
 */
export type LocalReading =
  | { readonly kind: 'exact'; readonly us: Micros }
  | { readonly kind: 'ambiguous'; readonly candidatesUs: readonly [Micros, Micros] }
  | { readonly kind: 'nonexistent'; readonly readingsUs: readonly [Micros, Micros] };

const daysInMonth = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

/** Whether there is such a date and time in any calendar at all: 31 February and 24:00 are not. No leap seconds. */
export function fieldsAreReal(fields: LocalFields): boolean {
  const { year, month, day, hour, minute, second, microsecond } = fields;
  const within = (value: number, low: number, high: number): boolean =>
    Number.isInteger(value) && value >= low && value <= high;
  return (
    within(year, 1970, 2200) &&
    within(month, 1, 12) &&
    within(day, 1, daysInMonth(year, month)) &&
    within(hour, 0, 23) &&
    within(minute, 0, 59) &&
    within(second, 0, 59) &&
    within(microsecond, 0, 999_999)
  );
}

/** Real fields read as UTC. Throws `input-invalid` for fields that are no date. */
export function utcToUs(fields: LocalFields): Micros {
  assertReal(fields);
  const { year, month, day, hour, minute, second, microsecond } = fields;
  return Date.UTC(year, month - 1, day, hour, minute, second) * usPerMs + microsecond;
}

/** A stretch of a time zone's clock without a change: as long as it is in force, one offset tells the instant. */
interface Steady {
  readonly fromUs: Micros;
  readonly untilUs: Micros;
  readonly offsetUs: number;
}
/** The stretch that was asked for last, by zone. Names come in their order, so it is nearly always the one. */
const lastSteady = new Map<string, Steady>();
/** No two clocks of a zone are further apart than a day: a reading so far from both ends of a stretch is in no other. */
const changeReachUs = 26 * 3600 * usPerSecond;

/** The instant of a wall clock's reading far from any change of the clock; null near one. */
function steadyUs(fields: LocalFields, timeZone: string): Micros | null {
  const known = lastSteady.get(timeZone);
  const asUtcUs = utcToUs(fields);
  const within = ({ fromUs, untilUs, offsetUs }: Steady): boolean =>
    asUtcUs - offsetUs >= fromUs + changeReachUs && asUtcUs - offsetUs < untilUs - changeReachUs;
  if (known !== undefined && within(known)) return asUtcUs - known.offsetUs;
  const ms = Math.floor(asUtcUs / usPerMs);
  const there = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timeZone);
  const before = there.add({ nanoseconds: 1 }).getTimeZoneTransition('previous');
  const after = there.getTimeZoneTransition('next');
  const found: Steady = {
    fromUs: before === null ? -Infinity : before.epochMilliseconds * usPerMs,
    untilUs: after === null ? Infinity : after.epochMilliseconds * usPerMs,
    offsetUs: Math.round(there.offsetNanoseconds / 1000),
  };
  lastSteady.set(timeZone, found);
  return within(found) ? asUtcUs - found.offsetUs : null;
}

/**
 * A wall clock's reading in a time zone as an instant, or as the two it may be. Throws `input-invalid` for fields that are
 * no date, `config-invalid` for an unknown time zone.
 */
export function localToUs(fields: LocalFields, timeZone: string): LocalReading {
  assertReal(fields);
  if (timeZone === 'UTC') return { kind: 'exact', us: utcToUs(fields) };
  assertTimeZone(timeZone);
  const steady = steadyUs(fields, timeZone);
  if (steady !== null) return { kind: 'exact', us: steady };
  const { year, month, day, hour, minute, second, microsecond } = fields;
  const wall = new Temporal.PlainDateTime(year, month, day, hour, minute, second, 0, 0, 0);
  const earlier = wall.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  const later = wall.toZonedDateTime(timeZone, { disambiguation: 'later' });
  const earlierUs = earlier.epochMilliseconds * usPerMs + microsecond;
  const laterUs = later.epochMilliseconds * usPerMs + microsecond;
  if (earlierUs === laterUs) return { kind: 'exact', us: earlierUs };
  // In a leap forward neither reading shows the wall clock's fields again; when set back, both do.
  return earlier.toPlainDateTime().equals(wall)
    ? { kind: 'ambiguous', candidatesUs: [earlierUs, laterUs] }
    : { kind: 'nonexistent', readingsUs: [earlierUs, laterUs] };
}

/** The wall clock's reading of an instant, and its offset from UTC. Throws `config-invalid` for an unknown time zone. */
export function usToLocal(us: Micros, timeZone: string): { fields: LocalFields; offsetMinutes: number } {
  assertTimeZone(timeZone);
  const microsecond = ((us % usPerSecond) + usPerSecond) % usPerSecond;
  const zoned = Temporal.Instant.fromEpochMilliseconds((us - microsecond) / usPerMs).toZonedDateTimeISO(timeZone);
  const { year, month, day, hour, minute, second } = zoned;
  return {
    fields: { year, month, day, hour, minute, second, microsecond },
    offsetMinutes: Math.round(zoned.offsetNanoseconds / 60_000_000_000),
  };
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `+02:00`; with an empty separator `+0200`. */
export function formatOffset(offsetMinutes: number, separator = ':'): string {
  const size = Math.abs(offsetMinutes);
  return `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${separator}${two(size % 60)}`;
}

/** `2026-10-25T02:30:00+02:00`, with a fraction only where there is one: never a local time without its offset. */
export function formatLocal(us: Micros, timeZone: string): string {
  const { fields, offsetMinutes } = usToLocal(us, timeZone);
  const fraction = fields.microsecond === 0 ? '' : `.${String(fields.microsecond).padStart(6, '0').replace(/0+$/, '')}`;
  const date = `${String(fields.year).padStart(4, '0')}-${two(fields.month)}-${two(fields.day)}`;
  return `${date}T${two(fields.hour)}:${two(fields.minute)}:${two(fields.second)}${fraction}${formatOffset(offsetMinutes)}`;
}

/** `2026-10-25T00:30:00Z`, with a fraction only where there is one. */
export const formatUtc = (us: Micros): string => formatLocal(us, 'UTC').replace('+00:00', 'Z');

const dateTime = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)?(Z|[+-]\d{2}:\d{2})?$/;

function parseFields(text: string): { fields: LocalFields; offset: string | undefined } | null {
  const match = dateTime.exec(text.trim());
  if (match === null) return null;
  const part = (index: number): number => Number(match[index] ?? '0');
  const fields: LocalFields = {
    year: part(1),
    month: part(2),
    day: part(3),
    hour: part(4),
    minute: part(5),
    second: part(6),
    microsecond: Number((match[7] ?? '').padEnd(6, '0')),
  };
  return fieldsAreReal(fields) ? { fields, offset: match[8] } : null;
}

function offsetUs(offset: string): number | null {
  if (offset === 'Z') return 0;
  const hours = Number(offset.slice(1, 3));
  const minutes = Number(offset.slice(4, 6));
  if (hours > 18 || minutes > 59) return null;
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60 * usPerSecond;
}

/**
 * An instant as a program writes it: ISO 8601 with `Z` or an explicit offset. Throws `input-invalid` for everything else,
 * above all for a time without a zone.
 */
export function parseInstant(text: string): Micros {
  const parsed = parseFields(text);
  if (parsed?.offset === undefined) {
    throw new GatewayError(
      'input-invalid',
      parsed === null ? `"${text}" is not an instant.` : `"${text}" is a local time without its offset from UTC.`,
      { remedy: 'Write it like 2026-10-25T02:30:00+02:00 or 2026-10-25T00:30:00Z.' },
    );
  }
  const shiftUs = offsetUs(parsed.offset);
  if (shiftUs === null) {
    throw new GatewayError('input-invalid', `"${text}" has an offset that no place on earth has.`, {
      remedy: 'Write it like 2026-10-25T02:30:00+02:00 or 2026-10-25T00:30:00Z.',
    });
  }
  return utcToUs(parsed.fields) - shiftUs;
}

/**
 * A time as a person types it: an instant, or a local time in `timeZone`. Throws `input-invalid` for a local time that
 * happens twice or never; the message lists both readings, so that one of them can be copied.
 */
export function parseLocalOrInstant(text: string, timeZone: string): Micros {
  const parsed = parseFields(text);
  if (parsed === null) {
    throw new GatewayError('input-invalid', `"${text}" is not a date and time.`, {
      remedy: `Write it like 2026-10-25 02:30 (local time in ${timeZone}) or 2026-10-25T02:30:00+02:00.`,
    });
  }
  if (parsed.offset !== undefined) return parseInstant(text);
  const reading = localToUs(parsed.fields, timeZone);
  if (reading.kind === 'exact') return reading.us;
  const [firstUs, secondUs] = reading.kind === 'ambiguous' ? reading.candidatesUs : reading.readingsUs;
  const both = `${formatLocal(firstUs, timeZone)} or ${formatLocal(secondUs, timeZone)}`;
  throw new GatewayError(
    'input-invalid',
    reading.kind === 'ambiguous'
      ? `"${text}" happens twice in ${timeZone}, because the clock is set back: ${both}.`
      : `"${text}" never happens in ${timeZone}, because the clock is set forward over it: ${both}.`,
    { remedy: `Write the one that is meant with its offset: ${both}.`, details: { readingsUs: [firstUs, secondUs] } },
  );
}

const knownZones = new Set<string>(['UTC']);

/** Throws `config-invalid` unless this is an IANA time zone, or `UTC`. Fixed offsets are refused: they know no summer time. */
export function assertTimeZone(timeZone: string): void {
  if (knownZones.has(timeZone)) return;
  const wrong = (cause?: unknown): GatewayError =>
    new GatewayError('config-invalid', `"${timeZone}" is not a known time zone.`, {
      remedy: 'Give a name of the IANA database like Europe/Copenhagen, or UTC.',
      cause,
    });
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(timeZone)) throw wrong();
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(timeZone);
  } catch (cause) {
    throw wrong(cause);
  }
  knownZones.add(timeZone);
}

function assertReal(fields: LocalFields): void {
  if (fieldsAreReal(fields)) return;
  throw new GatewayError('input-invalid', `There is no such date and time: ${JSON.stringify(fields)}.`, {
    remedy: 'Check day, month and time of day.',
  });
}
