import { describe, expect, test } from 'vitest';
import { decideStart, latestOf, type StartClocks } from '../../src/recordings/start-time.js';
import type { NameTime } from '../../src/recordings/layouts/index.js';

const utc = (iso: string): number => Date.parse(iso) * 1000;
const minute = 60e6;

const local = (iso: string): NameTime => {
  const [year = 0, month = 0, day = 0, hour = 0, min = 0, second = 0] = iso.split(/[-T:]/).map(Number);
  const fields = { year, month, day, hour, minute: min, second, microsecond: 0 };
  return { kind: 'local', fields, timeZone: 'Europe/Copenhagen' };
};

const clocks = (name: NameTime, more: Partial<StartClocks> = {}): StartClocks => ({
  name,
  durationUs: 3 * minute,
  creationTimeUs: null,
  recorderClockUs: null,
  // As after a copy to another disk: late, and no witness.
  mtimeUs: utc('2026-11-20T12:00:00Z'),
  nowUs: utc('2026-11-23T12:00:00Z'),
  ...more,
});

describe('one clock speaks', () => {
  test('a name in UTC', () => {
    const us = utc('2026-10-25T00:30:00Z');
    expect(decideStart(clocks({ kind: 'utc', us }))).toEqual({
      ok: true,
      startUs: us,
      source: 'name-utc',
      quality: 'single',
      disagreementMs: null,
    });
  });

  test('a local name that is clear', () => {
    expect(decideStart(clocks(local('2026-07-01T12:00:00')))).toMatchObject({
      startUs: utc('2026-07-01T10:00:00Z'),
      source: 'name-local',
      quality: 'single',
    });
  });
});

describe('other clocks', () => {
  const us = utc('2026-07-01T10:00:00Z');
  const name: NameTime = { kind: 'utc', us };

  test.each([
    ['creation time at the start', { creationTimeUs: us + 1e6 }, 'agreed', 1000],
    ['creation time at the end', { creationTimeUs: us + 3 * minute }, 'agreed', 0],
    ['creation time two hours off', { creationTimeUs: us - 120 * minute }, 'disagreeing', -7_200_000],
    ['last write at the end', { mtimeUs: us + 3 * minute + 2e6 }, 'agreed', 2000],
    ['last write a day before', { mtimeUs: us - 1440 * minute }, 'disagreeing', -86_400_000 - 180_000],
    ['last write days later', { mtimeUs: us + 5000 * minute }, 'single', null],
  ])('%s', (_, more, quality, disagreementMs) => {
    expect(decideStart(clocks(name, more))).toMatchObject({ ok: true, startUs: us, quality, disagreementMs });
  });

  test("the recorder's own clock in the container is finer than the name and free of time zones", () => {
    const exact = utc('2026-10-25T01:30:00Z') + 123_456;
    expect(decideStart(clocks(local('2026-10-25T02:30:00'), { recorderClockUs: exact }))).toEqual({
      ok: true,
      startUs: exact,
      source: 'container',
      quality: 'agreed',
      disagreementMs: -123,
    });
    expect(decideStart(clocks(name, { recorderClockUs: us + 60 * minute }))).toMatchObject({
      source: 'container',
      quality: 'disagreeing',
      disagreementMs: -3_600_000,
    });
    expect(decideStart(clocks(name, { recorderClockUs: utc('1970-01-02T00:00:00Z') }))).toMatchObject({
      startUs: us,
      source: 'name-utc',
    });
  });
});

describe('the repeated hour', () => {
  const name = local('2026-10-25T02:30:00');
  const first = utc('2026-10-25T00:30:00Z');
  const second = utc('2026-10-25T01:30:00Z');

  test.each([
    ['creation time', { creationTimeUs: first + 2e6 }, first, 'name-by-container'],
    ['creation time', { creationTimeUs: second - 2e6 }, second, 'name-by-container'],
    ['last write', { mtimeUs: first + 3 * minute + 1e6 }, first, 'name-by-mtime'],
    ['last write', { mtimeUs: second + 3 * minute }, second, 'name-by-mtime'],
    ['both', { creationTimeUs: second, mtimeUs: second + 3 * minute }, second, 'name-by-container'],
    [
      'last write, creation time far off',
      { creationTimeUs: utc('2020-01-01T00:00:00Z'), mtimeUs: second + 3 * minute },
      second,
      'name-by-mtime',
    ],
  ])('decided by %s', (_, more, startUs, source) => {
    expect(decideStart(clocks(name, more))).toMatchObject({ ok: true, startUs, source });
  });

  test.each([
    ['no other clock', {}],
    ['two clocks for two readings', { creationTimeUs: first, mtimeUs: second + 3 * minute }],
    ['half an hour from both', { creationTimeUs: first + 30 * minute }],
    ['just out of bounds', { mtimeUs: first + 3 * minute + 5 * minute + 1 }],
  ])('left open: %s', (_, more) => {
    const decision = decideStart(clocks(name, more));
    expect(decision).toMatchObject({ ok: false, reason: 'ambiguous-local-time' });
    expect(JSON.stringify(decision)).toContain('2026-10-25T02:30:00+01:00');
  });
});

describe('times that cannot be', () => {
  test('the hour that is leapt over', () => {
    const decision = decideStart(clocks(local('2026-03-29T02:30:00'), { creationTimeUs: utc('2026-03-29T01:30:00Z') }));
    expect(decision).toMatchObject({ ok: false, reason: 'nonexistent-local-time' });
  });

  test.each([
    ['1999-12-31T23:59:59Z', false],
    ['2000-01-01T00:00:00Z', true],
    ['2026-11-23T12:05:00Z', true],
    ['2026-11-23T12:05:01Z', false],
  ])('%s', (iso, ok) => {
    const decision = decideStart(clocks({ kind: 'utc', us: utc(iso) }));
    expect(decision.ok).toBe(ok);
    if (!decision.ok) expect(decision.reason).toBe('impossible-time');
  });
});

describe('a name with the day alone', () => {
  const fields = { year: 2026, month: 3, day: 29, hour: 0, minute: 0, second: 0, microsecond: 0 };
  const name: NameTime = { kind: 'date', fields, timeZone: 'Europe/Copenhagen' };
  // 23 hours: Copenhagen's clock is set forward on this day.
  const from = utc('2026-03-28T23:00:00Z');
  const until = utc('2026-03-29T22:00:00Z');

  test.each([
    ['the container', { creationTimeUs: from + minute }, from + minute, 'date-by-container', 'single'],
    [
      'the container, and the last write agrees',
      { creationTimeUs: from, mtimeUs: from + 3 * minute },
      from,
      'date-by-container',
      'agreed',
    ],
    [
      'the container, set at the end',
      { creationTimeUs: until, mtimeUs: until + 1e6 },
      until - 3 * minute,
      'date-by-container',
      'agreed',
    ],
    ['the last write', { mtimeUs: from + 3 * minute }, from, 'date-by-mtime', 'single'],
    [
      'the last write, for a container of another day',
      { creationTimeUs: until + minute, mtimeUs: from + 30 * minute },
      from + 27 * minute,
      'date-by-mtime',
      'disagreeing',
    ],
    ["the recorder's own clock", { recorderClockUs: from + minute }, from + minute, 'container', 'agreed'],
    [
      "the recorder's own clock, of another day",
      { recorderClockUs: until + 60 * minute },
      until + 60 * minute,
      'container',
      'disagreeing',
    ],
  ])('its time of day by %s', (_, more, startUs, source, quality) => {
    expect(decideStart(clocks(name, more))).toMatchObject({ ok: true, startUs, source, quality });
  });

  test.each([
    ['no other clock', {}],
    ['a container of the day after', { creationTimeUs: until }],
    ['a start a moment before the day', { mtimeUs: from + 3 * minute - 1 }],
  ])('left open: %s', (_, more) => {
    expect(decideStart(clocks(name, more))).toMatchObject({ ok: false, reason: 'no-time-of-day' });
  });

  test('bounds the age of its file by the end of the day', () => {
    expect(latestOf(name)).toBe(until);
    expect(latestOf(local('2026-10-25T02:30:00'))).toBe(utc('2026-10-25T01:30:00Z'));
  });
});
