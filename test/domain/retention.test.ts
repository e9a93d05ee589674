/** The rows of "The rules it enforces" in the design that retention and holds are about, each by its name. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertPolicy, cameraClasses, classRules, defaultPolicy, type CameraPolicy } from '../../src/domain/camera.js';
import { assertHold, holdCovers, holdGrounds, holdIsActive, maxHoldUs, type Hold } from '../../src/domain/hold.js';
import { dayUs, hourUs, retentionRules } from '../../src/domain/retention-rules/index.js';
import {
  assertMargin,
  defaultMarginUs,
  fateOf,
  legalLimitUs,
  limitFor,
  minMarginUs,
} from '../../src/domain/retention.js';
import { gapsIn, overlaps } from '../../src/domain/segment.js';
import { localToUs, parseInstant } from '../../src/domain/time.js';
import { heldRow } from '../helpers/holds.js';

const policy = (change: Partial<CameraPolicy> = {}): CameraPolicy => ({
  cameraId: 'lobby',
  ...defaultPolicy,
  ...change,
});
const startUs = parseInstant('2026-05-16T12:00:00Z');
const segment = { cameraId: 'lobby', startUs, endUs: startUs + 5 * 60_000_000 };
const hold = (change: Partial<Hold> = {}): Hold =>
  heldRow({
    ...{
      id: 'h',
      cameraIds: ['lobby'],
      startUs,
      endUs: startUs + 1,
      placedUs: startUs,
      reviewUs: startUs + 60 * dayUs,
    },
    ...change,
  });

describe('rule 1, C1 Crime-prevention recordings go at the latest 30 days after they were made', () => {
  test('30 x 24 h from the oldest frame, less the margin; due at that very microsecond', () => {
    const dueUs = startUs + 30 * dayUs - defaultMarginUs;
    expect(fateOf(segment, policy(), [], dueUs - 1, defaultMarginUs)).toEqual({
      verdict: 'keep',
      ruleId: 'class-limit/1',
      dueUs,
      late: false,
      holdIds: [],
    });
    expect(fateOf(segment, policy(), [], dueUs, defaultMarginUs)).toMatchObject({ verdict: 'delete', late: false });
  });

  test('late from the limit itself on, not from the margin', () => {
    const limitUs = legalLimitUs(policy(), startUs);
    expect(limitUs).toBe(startUs + 30 * dayUs);
    expect(fateOf(segment, policy(), [], limitUs - 1, defaultMarginUs).late).toBe(false);
    expect(fateOf(segment, policy(), [], limitUs, defaultMarginUs).late).toBe(true);
  });

  test('C2 the start counts, not the end: a long file goes as a whole when its first frame is due', () => {
    const long = { ...segment, endUs: startUs + 25 * hourUs };
    expect(fateOf(long, policy(), [], startUs + 30 * dayUs - defaultMarginUs, defaultMarginUs).verdict).toBe('delete');
  });

  test.each([
    ['clocks set forward (23 h day)', '2026-03-28T12:00:00+01:00', '2026-04-27T13:00:00+02:00'],
    ['clocks set back (25 h day)', '2026-10-24T12:00:00+02:00', '2026-11-23T11:00:00+01:00'],
    ['across the turn of the year', '2026-12-15T23:30:00+01:00', '2027-01-14T23:30:00+01:00'],
  ])('elapsed hours, not calendar days: %s', (_name, made, limit) => {
    const madeUs = parseInstant(made);
    expect(legalLimitUs(policy(), madeUs)).toBe(parseInstant(limit));
    const fate = fateOf({ ...segment, startUs: madeUs, endUs: madeUs + 1 }, policy(), [], 0, defaultMarginUs);
    expect(fate.dueUs).toBe(parseInstant(limit) - defaultMarginUs);
  });

  test('the two passes through the hour that happens twice are an hour apart in what is due', () => {
    const fields = { year: 2026, month: 10, day: 25, hour: 2, minute: 30, second: 0, microsecond: 0 };
    const reading = localToUs(fields, 'Europe/Copenhagen');
    if (reading.kind !== 'ambiguous') throw new Error('not ambiguous');
    const due = reading.candidatesUs.map(
      (us) => fateOf({ ...segment, startUs: us, endUs: us + 1 }, policy(), [], 0, defaultMarginUs).dueUs,
    );
    expect((due[1] ?? 0) - (due[0] ?? 0)).toBe(hourUs);
  });

  test('the margin is 12 h by default and never under 2 h', () => {
    expect(defaultMarginUs).toBe(12 * hourUs);
    expect(minMarginUs).toBe(2 * hourUs);
    expect(() => {
      assertMargin(minMarginUs);
    }).not.toThrow();
    for (const bad of [minMarginUs - 1, 0, -1, Number.NaN, Number.POSITIVE_INFINITY, 30 * dayUs, 2.5]) {
      expect(() => {
        assertMargin(bad);
      }, String(bad)).toThrow('margin');
    }
  });

  test('a maximum, not a target: the shorter period of a camera wins, without a margin', () => {
    expect(limitFor(policy({ retentionDays: 3 }), defaultMarginUs)).toEqual({
      ruleId: 'camera-retention/1',
      maxAgeUs: 3 * dayUs,
    });
    expect(limitFor(policy({ retentionDays: 29 }), defaultMarginUs).ruleId).toBe('camera-retention/1');
    expect(limitFor(policy({ retentionDays: 30 }), defaultMarginUs)).toEqual({
      ruleId: 'class-limit/1',
      maxAgeUs: 30 * dayUs - defaultMarginUs,
    });
  });

  test('a rule can only shorten: no policy and margin keeps anything as long as its class allows', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...cameraClasses),
        fc.integer({ min: 1, max: 365 }),
        fc.integer({ min: minMarginUs, max: 15 * dayUs }),
        (name, days, margin) => {
          const rule = classRules[name];
          const retentionDays = Math.min(days, rule.maxRetentionDays);
          const limit = limitFor(policy({ class: name, retentionDays }), margin);
          return (
            limit.maxAgeUs > 0 &&
            limit.maxAgeUs <= retentionDays * dayUs &&
            limit.maxAgeUs < rule.maxRetentionDays * dayUs
          );
        },
      ),
    );
  });

  test('whatever is due stays due: time never makes a deletion undone', () => {
    const span = fc.integer({ min: 0, max: 400 * dayUs });
    fc.assert(
      fc.property(span, span, (age, later) => {
        const before = fateOf(segment, policy(), [], startUs + age, defaultMarginUs).verdict;
        const after = fateOf(segment, policy(), [], startUs + age + later, defaultMarginUs).verdict;
        return before !== 'delete' || after === 'delete';
      }),
    );
  });

  test('every rule names itself with a version and where it comes from', () => {
    for (const rule of retentionRules) {
      expect(rule.id).toMatch(/^[a-z-]+\/\d+$/);
      expect(rule.source.length).toBeGreaterThan(10);
    }
    expect(new Set(retentionRules.map((rule) => rule.id)).size).toBe(retentionRules.length);
  });
});

describe('rule 6, A2, A3 Retention above the class maximum, 0, null, "unlimited" is refused', () => {
  test.each([
    0,
    -1,
    31,
    365,
    29.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.MAX_SAFE_INTEGER,
    null,
    undefined,
    '30',
    'unlimited',
  ])('%s days', (days) => {
    expect(() => {
      assertPolicy(policy({ retentionDays: days as number }));
    }).toThrow(expect.objectContaining({ code: 'retention-illegal' }) as Error);
  });

  test.each(['crime-prevention', 'municipal', 'permit', 'live-only'] as const)(
    '30 is the maximum of %s, 31 fails',
    (name) => {
      expect(classRules[name].maxRetentionDays).toBe(30);
      expect(() => {
        assertPolicy(policy({ class: name, retentionDays: 30 }));
      }).not.toThrow();
      expect(() => {
        assertPolicy(policy({ class: name, retentionDays: 31 }));
      }).toThrow();
    },
  );

  test('A4 another purpose needs a written reason, and has a maximum of its own', () => {
    const other =
      (retentionDays: number, retentionReason: string | null): (() => void) =>
      () => {
        assertPolicy(policy({ class: 'other-purpose', retentionDays, retentionReason }));
      };
    expect(other(365, 'safety of the process line')).not.toThrow();
    expect(other(366, 'safety of the process line')).toThrow();
    expect(other(10, null)).toThrow('written reason');
    expect(other(10, '  short  ')).toThrow('written reason');
  });

  test('A1 what nobody configured has a limit all the same', () => {
    expect(defaultPolicy).toEqual({ class: 'crime-prevention', retentionDays: 30, retentionReason: null });
  });
});

describe('rule 2 Longer only for a reported offence, a concrete dispute, or another ground the law names', () => {
  const dueUs = startUs + 30 * dayUs;
  test('a hold that covers any part of a segment wins over every rule', () => {
    const fate = fateOf(
      segment,
      policy(),
      [hold({ startUs: segment.endUs - 1, endUs: segment.endUs + 1 })],
      dueUs,
      defaultMarginUs,
    );
    expect(fate).toMatchObject({ verdict: 'held', holdIds: ['h'], late: false });
  });

  test.each([
    ['another camera', { cameraIds: ['yard'] }],
    ['just before', { startUs: startUs - 10, endUs: startUs }],
    ['just after', { startUs: segment.endUs, endUs: segment.endUs + 10 }],
    ['lifted', { liftedUs: startUs + 1 }],
    ['past its review date', { reviewUs: dueUs }],
  ])('not one that is %s', (_name, change) => {
    expect(fateOf(segment, policy(), [hold(change)], dueUs, defaultMarginUs).verdict).toBe('delete');
  });

  test('it does not keep what is not due, and names every hold', () => {
    expect(fateOf(segment, policy(), [hold()], startUs, defaultMarginUs)).toMatchObject({
      verdict: 'keep',
      holdIds: [],
    });
    const two = [hold({ id: 'a' }), hold({ id: 'b' })];
    expect(fateOf(segment, policy(), two, dueUs, defaultMarginUs).holdIds).toEqual(['a', 'b']);
  });

  test('it ends at its review date, and no endless one can be made', () => {
    expect(holdIsActive(hold({ reviewUs: 10 }), 9)).toBe(true);
    expect(holdIsActive(hold({ reviewUs: 10 }), 10)).toBe(false);
    expect(maxHoldUs).toBe(90 * dayUs);
    expect(() => {
      assertHold(hold({ reviewUs: startUs + maxHoldUs }));
    }).not.toThrow();
    for (const reviewUs of [startUs, startUs - 1, startUs + maxHoldUs + 1, Number.MAX_SAFE_INTEGER]) {
      expect(() => {
        assertHold(hold({ reviewUs }));
      }).toThrow('review date');
    }
  });

  test('typed grounds only, with a reference: free text alone is refused', () => {
    expect(Object.keys(holdGrounds)).toEqual([
      'disclosure-request',
      'reported-offence',
      'dispute',
      'access-request',
      'complaint',
      'legal-duty',
    ]);
    for (const ground of ['because', '', 'constructor', '__proto__']) {
      expect(() => {
        assertHold(hold({ ground: ground as Hold['ground'] }));
      }).toThrow('no ground');
    }
    expect(() => {
      assertHold(hold({ reference: ' ', reason: 'a long story' }));
    }).toThrow('free text alone');
  });

  test('it has a range and a camera', () => {
    expect(() => {
      assertHold(hold({ endUs: startUs }));
    }).toThrow('range');
    expect(() => {
      assertHold(hold({ cameraIds: [] }));
    }).toThrow('camera');
  });

  test('covering is the overlap of half-open ranges', () => {
    const instant = fc.integer({ min: 0, max: 100 });
    const range = fc
      .tuple(instant, fc.integer({ min: 1, max: 20 }))
      .map(([from, length]) => ({ startUs: from, endUs: from + length }));
    fc.assert(
      fc.property(range, range, (a, b) => {
        const shared = Array.from({ length: 130 }, (_, us) => us).some(
          (us) => us >= a.startUs && us < a.endUs && us >= b.startUs && us < b.endUs,
        );
        return overlaps(a, b) === shared && holdCovers(hold(a), { cameraId: 'lobby', ...b }, startUs) === shared;
      }),
    );
  });
});

describe('rule 7 An open access request or complaint freezes the footage it is about', () => {
  test.each(['access-request', 'complaint'] as const)('%s', (ground) => {
    expect(fateOf(segment, policy(), [hold({ ground })], startUs + 31 * dayUs, defaultMarginUs).verdict).toBe('held');
  });
});

describe('gaps', () => {
  const range = { startUs: 0, endUs: 100 };
  test('what no segment covers, without cracks below the tolerance', () => {
    const segments = [
      { startUs: 60, endUs: 80 },
      { startUs: -10, endUs: 20 },
      { startUs: 22, endUs: 50 },
      { startUs: 30, endUs: 40 },
    ];
    expect(gapsIn(range, segments, 5)).toEqual([
      { startUs: 50, endUs: 60 },
      { startUs: 80, endUs: 100 },
    ]);
    expect(gapsIn(range, segments, 1)).toHaveLength(3);
    expect(gapsIn(range, [], 5)).toEqual([range]);
    expect(gapsIn(range, [{ startUs: -5, endUs: 200 }], 0)).toEqual([]);
  });

  test('every instant is in a segment or in a gap, never in both', () => {
    const one = fc
      .tuple(fc.integer({ min: -20, max: 120 }), fc.integer({ min: 1, max: 30 }))
      .map(([from, length]) => ({ startUs: from, endUs: from + length }));
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), (segments) => {
        const gaps = gapsIn(range, segments, 0);
        for (let us = 0; us < 100; us += 1) {
          const at = { startUs: us, endUs: us + 1 };
          if (segments.some((s) => overlaps(s, at)) === gaps.some((g) => overlaps(g, at))) return false;
        }
        return true;
      }),
    );
  });
});
