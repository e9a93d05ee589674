/**
 * The monthly report on deletion: what it says, its form, and what has to agree within it. Canonical JSON, signed over its exact
 * bytes. Ids of cameras and grounds of holds, but no picture, no path, no name, and no reference to a case.
 */
import { cameraClasses } from './camera.js';
import { canonicalJson } from './canonical-json.js';
import {
  decimal,
  hash,
  listOf,
  matching,
  misformed,
  nullOr,
  oneOf,
  readForm,
  record,
  recordWith,
  text,
  whole,
  yesNo,
  type Formed,
} from './form.js';
import { holdGrounds, type HoldGround } from './hold.js';
import { formatLocal, localToUs } from './time.js';
import { assertInstants, instantForm as instant, rangeForm as range } from './written-instant.js';
import { GatewayError } from '../errors.js';

export const deletionReportFormat = 'tredive-deletion-report';

const grounds = Object.keys(holdGrounds) as HoldGround[];

/** What was deleted, how late, and what was missed. Seconds are rounded down, hours to a hundredth. */
const deletions = record({ segments: whole(), hours: decimal, unlinked: whole(), alreadyAbsent: whole() });
const lateness = record({ medianSeconds: nullOr(whole()), worstSeconds: nullOr(whole()) });
/** deletedLate: gone only after the limit. stillThere: past it at the end of the month, and held by nothing. */
const misses = record({ deletedLate: whole(), worstSeconds: nullOr(whole()), stillThere: whole() });

const camera = record({
  id: text(200, 1),
  class: oneOf(...cameraClasses),
  retentionDays: whole(1, 365),
  legalDays: whole(1, 365),
  oldest: record({
    /** Of the index, at the end of the month; null without footage. */
    byIndex: nullOr(instant),
    /** When that had to be gone by law. */
    limit: nullOr(instant),
    /** Of the disk itself, at the last look before the end of the month; null without one. */
    byDisk: nullOr(
      record({ lookedAt: instant, oldest: nullOr(instant), files: whole(), overLimit: whole(), notIndexed: whole() }),
    ),
  }),
  deletions,
  lateness,
  misses,
  holds: listOf(
    recordWith(
      { ground: oneOf(...grounds), range, placed: instant, review: instant, lifted: nullOr(instant) },
      {
        /** Of what security placed, at the end of the month; left out where legal is not asked, and in reports from before. */
        approval: oneOf('given', 'waiting', 'overdue', 'refused'),
        /** Of a dispute: by when the other party was to be told, and when it was. */
        notice: record({ due: instant, told: nullOr(instant), overdue: yesNo }),
      },
    ),
    10_000,
  ),
  exceptions: record({ refused: whole(), failedAttempts: whole() }),
});

const checkpoint = record({ size: whole(), note: text(4_000, 1), at: instant });

const report = record({
  format: oneOf(deletionReportFormat),
  version: oneOf(1),
  software: record({ name: oneOf('tredive'), version: text(40, 1) }),
  site: record({ name: text(300, 1), timezone: text(80, 1) }),
  month: matching(/^\d{4}-(?:0[1-9]|1[0-2])$/, 'a month like 2026-10'),
  range,
  marginHours: decimal,
  cameras: listOf(camera, 100_000),
  /** Sums over the cameras: a hold on two cameras counts twice. */
  totals: record({
    ...{ segments: whole(), hours: decimal, unlinked: whole(), alreadyAbsent: whole() },
    ...{ worstSeconds: nullOr(whole()), deletedLate: whole(), stillThere: whole(), holds: whole() },
  }),
  exceptions: record({
    sweeps: whole(),
    /** Longest time without a sweep, of those that the log has; null below two. */
    longestPauseHours: nullOr(decimal),
    refused: record({ clock: whole(), other: whole() }),
    clockAccepted: whole(),
    rootsInDoubt: listOf(record({ root: text(200, 1), sweeps: whole(1) }), 10_000),
    quarantineOverdue: whole(),
  }),
  audit: record({ origin: text(300, 1), keySha256: hash, first: nullOr(checkpoint), last: nullOr(checkpoint) }),
  reportKeySha256: hash,
});

export type DeletionReport = Formed<typeof report>;
export type CameraReport = DeletionReport['cameras'][number];
/** The bytes that are signed. */
export const encodeReport = (value: DeletionReport): string => canonicalJson(value);

/** A month of the site's own calendar, half-open. Throws `usage` for what is no month. */
export function monthRange(month: string, timezone: string): { readonly startUs: number; readonly endUs: number } {
  const [, year, number] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(month) ?? [];
  if (year === undefined || number === undefined || Number(year) < 2000 || Number(year) > 2190) {
    throw new GatewayError('usage', `"${month}" is not a month.`, { remedy: 'Write it like 2026-10.' });
  }
  const first = (y: number, m: number): number => {
    const fields = { year: y, month: m, day: 1, hour: 0, minute: 0, second: 0, microsecond: 0 };
    const reading = localToUs(fields, timezone);
    if (reading.kind === 'exact') return reading.us;
    // A zone that changes its clocks at this midnight: the month begins with the earlier reading, and ends there too.
    return Math.min(...(reading.kind === 'ambiguous' ? reading.candidatesUs : reading.readingsUs));
  };
  const [y, m] = [Number(year), Number(number)];
  return { startUs: first(y, m), endUs: m === 12 ? first(y + 1, 1) : first(y, m + 1) };
}

/** The last month that is over at `nowUs`. */
export const lastMonth = (nowUs: number, timezone: string): string =>
  monthBefore(formatLocal(nowUs, timezone).slice(0, 7));

export function monthBefore(month: string): string {
  const [year = 0, number = 0] = month.split('-').map(Number);
  return number === 1 ? `${year - 1}-12` : `${year}-${String(number - 1).padStart(2, '0')}`;
}

/** Reads a report from hostile bytes. Throws `verification-failed` with the first thing that is wrong. */
export function parseReport(json: string): DeletionReport {
  const value = readForm(json, report, 'report');
  if (encodeReport(value) !== json) throw misformed('report', 'canonical JSON');
  const { timezone } = value.site;
  assertInstants(value, 'report', timezone);
  const { startUs, endUs } = monthRange(value.month, timezone);
  if (value.range.start.us !== startUs || value.range.end.us !== endUs) {
    throw misformed('report.range', `the month ${value.month} in ${timezone}`);
  }
  if (canonicalJson(totalsOf(value.cameras)) !== canonicalJson(value.totals)) {
    throw misformed('report.totals', 'the sum of its cameras');
  }
  return value;
}

const hundredths = (value: number): number => Math.round(value * 100) / 100;

/** A length of time in hours, to a hundredth. */
export const inHours = (us: number): number => hundredths(us / 3_600_000_000);

export function totalsOf(cameras: readonly CameraReport[]): DeletionReport['totals'] {
  const sum = (of: (one: CameraReport) => number): number => cameras.reduce((total, one) => total + of(one), 0);
  const worst = cameras.flatMap((one) => one.lateness.worstSeconds ?? []);
  return {
    segments: sum((one) => one.deletions.segments),
    hours: hundredths(sum((one) => one.deletions.hours)),
    unlinked: sum((one) => one.deletions.unlinked),
    alreadyAbsent: sum((one) => one.deletions.alreadyAbsent),
    worstSeconds: worst.length === 0 ? null : Math.max(...worst),
    deletedLate: sum((one) => one.misses.deletedLate),
    stillThere: sum((one) => one.misses.stillThere),
    holds: sum((one) => one.holds.length),
  };
}
