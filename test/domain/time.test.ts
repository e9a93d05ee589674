import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { GatewayError } from '../../src/errors.js';
import {
  assertTimeZone,
  fieldsAreReal,
  formatLocal,
  formatUtc,
  localToUs,
  parseInstant,
  parseLocalOrInstant,
  usToLocal,
  type LocalFields,
} from '../../src/domain/time.js';

const cph = 'Europe/Copenhagen';
const utc = (iso: string): number => Date.parse(iso) * 1000;

const fieldsOf = (iso: string): LocalFields => {
  const at = new Date(`${iso}Z`);
  return {
    year: at.getUTCFullYear(),
    month: at.getUTCMonth() + 1,
    day: at.getUTCDate(),
    hour: at.getUTCHours(),
    minute: at.getUTCMinutes(),
    second: at.getUTCSeconds(),
    microsecond: at.getUTCMilliseconds() * 1000,
  };
};

const refusal = (act: () => unknown): GatewayError => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError);
    return error as GatewayError;
  }
  throw new Error('was not refused');
};

describe('B1, B2 local time to instants', () => {
  test.each([
    ['summer', '2026-07-01T12:00:00', '2026-07-01T10:00:00Z'],
    ['winter', '2026-01-01T00:00:00', '2025-12-31T23:00:00Z'],
    ['last second before the leap forward', '2026-03-29T01:59:59', '2026-03-29T00:59:59Z'],
    ['first second after it', '2026-03-29T03:00:00', '2026-03-29T01:00:00Z'],
    ['last second before the repeated hour', '2026-10-25T01:59:59', '2026-10-24T23:59:59Z'],
    ['first second after it', '2026-10-25T03:00:00', '2026-10-25T02:00:00Z'],
    ['leap day', '2028-02-29T12:00:00', '2028-02-29T11:00:00Z'],
  ])('%s: %s', (_, local, instant) => {
    expect(localToUs(fieldsOf(local), cph)).toEqual({ kind: 'exact', us: utc(instant) });
  });

  test.each(['2026-03-29T02:00:00', '2026-03-29T02:30:00', '2026-03-29T02:59:59.999'])('%s does not exist', (local) => {
    const hours = utc(`${local}Z`);
    expect(localToUs(fieldsOf(local), cph)).toEqual({
      kind: 'nonexistent',
      readingsUs: [hours - 7200e6, hours - 3600e6],
    });
  });

  test.each(['2026-10-25T02:00:00', '2026-10-25T02:30:00', '2026-10-25T02:59:59.999'])('%s happens twice', (local) => {
    const hours = utc(`${local}Z`);
    expect(localToUs(fieldsOf(local), cph)).toEqual({
      kind: 'ambiguous',
      candidatesUs: [hours - 7200e6, hours - 3600e6],
    });
  });

  test('a shift of half an hour, and a place without summer time', () => {
    expect(localToUs(fieldsOf('2026-04-05T01:45:00'), 'Australia/Lord_Howe')).toEqual({
      kind: 'ambiguous',
      candidatesUs: [utc('2026-04-04T14:45:00Z'), utc('2026-04-04T15:15:00Z')],
    });
    expect(localToUs(fieldsOf('2026-03-29T02:30:00'), 'UTC')).toEqual({
      kind: 'exact',
      us: utc('2026-03-29T02:30:00Z'),
    });
  });

  test.each(['Europe/Nowhere', '', '+02:00', 'Copenhagen; DROP'])('time zone "%s" is refused', (zone) => {
    expect(refusal(() => localToUs(fieldsOf('2026-01-01T00:00:00'), zone)).code).toBe('config-invalid');
  });

  test('fields that are no date are refused, not rolled over', () => {
    const base = fieldsOf('2026-02-28T12:00:00');
    const wrong = [{ day: 29 }, { month: 13 }, { month: 0 }, { hour: 24 }, { minute: 60 }, { second: 60 }, { day: 0 }];
    for (const change of wrong) {
      expect(fieldsAreReal({ ...base, ...change })).toBe(false);
      expect(refusal(() => localToUs({ ...base, ...change }, cph)).code).toBe('input-invalid');
    }
  });

  test('every instant is found again from its local reading', () => {
    const zone = fc.constantFrom(cph, 'UTC', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kathmandu');
    const anyUs = fc.integer({ min: utc('2001-01-01T00:00:00Z'), max: utc('2099-01-01T00:00:00Z') });
    fc.assert(
      fc.property(anyUs, zone, (us, timeZone) => {
        const reading = localToUs(usToLocal(us, timeZone).fields, timeZone);
        if (reading.kind === 'exact') expect(reading.us).toBe(us);
        else if (reading.kind === 'ambiguous') expect(reading.candidatesUs).toContain(us);
        else expect.unreachable('a clock never shows a nonexistent time');
        expect(parseInstant(formatLocal(us, timeZone))).toBe(us);
      }),
      { numRuns: 300 },
    );
  });
});

describe('writing', () => {
  test.each([
    ['2026-10-25T00:30:00Z', '2026-10-25T02:30:00+02:00'],
    ['2026-10-25T01:30:00Z', '2026-10-25T02:30:00+01:00'],
    ['2026-03-29T00:59:59.5Z', '2026-03-29T01:59:59.5+01:00'],
    ['2026-03-29T01:00:00Z', '2026-03-29T03:00:00+02:00'],
  ])('%s is %s', (instant, local) => {
    expect(formatLocal(utc(instant), cph)).toBe(local);
  });

  test('microseconds survive, before 1970 too', () => {
    expect(formatUtc(utc('2026-01-01T00:00:00Z') + 1)).toBe('2026-01-01T00:00:00.000001Z');
    expect(formatUtc(-1)).toBe('1969-12-31T23:59:59.999999Z');
    expect(formatLocal(utc('2026-01-01T00:00:00Z'), 'America/St_Johns')).toBe('2025-12-31T20:30:00-03:30');
  });
});

describe('reading', () => {
  test.each([
    ['2026-10-25T02:30:00+02:00', '2026-10-25T00:30:00Z'],
    ['2026-10-25T02:30:00+01:00', '2026-10-25T01:30:00Z'],
    ['2026-10-25T00:30Z', '2026-10-25T00:30:00Z'],
    ['2026-10-25T00:30:00.25Z', '2026-10-25T00:30:00.250Z'],
  ])('%s', (text, instant) => {
    expect(parseInstant(text)).toBe(utc(instant));
  });

  test('an instant needs its offset', () => {
    const error = refusal(() => parseInstant('2026-10-25T02:30:00'));
    expect(error.code).toBe('input-invalid');
    expect(error.message).toContain('without its offset');
    expect(error.remedy).toContain('Z');
  });

  test.each(['', 'yesterday', '2026-02-30T00:00:00Z', '2026-1-1T00:00:00Z', '2026-01-01T00:00:00+99:00', '1761352200'])(
    '"%s" is refused',
    (text) => {
      expect(refusal(() => parseInstant(text)).code).toBe('input-invalid');
    },
  );

  test('a person may leave the offset out where the time is clear', () => {
    expect(parseLocalOrInstant('2026-07-01 12:00', cph)).toBe(utc('2026-07-01T10:00:00Z'));
    expect(parseLocalOrInstant('2026-07-01T12:00:00Z', cph)).toBe(utc('2026-07-01T12:00:00Z'));
  });

  test.each([
    ['2026-10-25 02:30', 'twice', ['2026-10-25T02:30:00+02:00', '2026-10-25T02:30:00+01:00']],
    ['2026-03-29 02:30', 'never', ['2026-03-29T01:30:00+01:00', '2026-03-29T03:30:00+02:00']],
  ])('%s happens %s: both readings are named, and each of them is accepted', (text, word, readings) => {
    const error = refusal(() => parseLocalOrInstant(text, cph));
    expect(error.code).toBe('input-invalid');
    expect(error.message).toContain(word);
    for (const reading of readings) {
      expect(error.message).toContain(reading);
      expect(formatLocal(parseLocalOrInstant(reading, cph), cph)).toBe(reading);
    }
  });

  test('time zones are names, not offsets', () => {
    expect(() => {
      assertTimeZone(cph);
    }).not.toThrow();
    expect(
      refusal(() => {
        assertTimeZone('GMT+2 ');
      }).code,
    ).toBe('config-invalid');
  });
});

describe('a local time is told by the stretch it lies in as by the time zone itself', () => {
  /** As the library says it, without anything that was kept from before. */
  const plainly = (fields: LocalFields, zone: string): number[] => {
    const { year, month, day, hour, minute, second, microsecond } = fields;
    const wall = new Temporal.PlainDateTime(year, month, day, hour, minute, second);
    return (['earlier', 'later'] as const).map(
      (disambiguation) => wall.toZonedDateTime(zone, { disambiguation }).epochMilliseconds * 1000 + microsecond,
    );
  };

  // Half an hour of summer, a day that was left out, a summer that is interrupted, seconds in old offsets, none at all.
  test.each([
    cph,
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'Africa/Casablanca',
    'America/St_Johns',
    'Asia/Kolkata',
    'Africa/Monrovia',
  ])('%s', (zone) => {
    const near = fc.constantFrom(
      '2026-03-29T01:00:00Z',
      '2026-10-25T01:00:00Z',
      '2011-12-30T10:00:00Z',
      '2026-02-15T02:00:00Z',
    );
    const instant = fc.oneof(
      fc.integer({ min: 0, max: 4_000_000_000 }),
      fc.tuple(near, fc.integer({ min: -200_000, max: 200_000 })).map(([iso, s]) => Date.parse(iso) / 1000 + s),
    );
    fc.assert(
      fc.property(fc.array(instant, { minLength: 1, maxLength: 8 }), (instants) => {
        for (const seconds of instants) {
          const fields = {
            ...fieldsOf(new Date(seconds * 1000).toISOString().slice(0, 19)),
            microsecond: seconds % 1_000_000,
          };
          const reading = localToUs(fields, zone);
          const [earlier, later] = plainly(fields, zone);
          if (earlier === later) expect(reading).toEqual({ kind: 'exact', us: earlier });
          else
            expect(
              reading.kind === 'ambiguous'
                ? reading.candidatesUs
                : reading.kind === 'nonexistent'
                  ? reading.readingsUs
                  : [],
            ).toEqual([earlier, later]);
        }
      }),
      { numRuns: 300 },
    );
  });
});
