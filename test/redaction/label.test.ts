import { describe, expect, test } from 'vitest';
import { labelTexts, toLabelText } from '../../src/redaction/label.js';

const zone = { timeZone: 'Europe/Copenhagen' };
const startUs = Date.parse('2026-05-31T10:00:00.250Z') * 1000;

describe('letters of the built-in font', () => {
  test.each([
    ['Gård 7 – æøå', 'GAARD 7 - AEOEAA'],
    ['Büro Straße', 'BUERO STRASSE'],
    // The same letters, written as a base and an accent.
    ['Ga\u030ard', 'GAARD'],
    ['Café Ñandú', 'CAFE NANDU'],
    ['入口 2', '2'],
    ['  J-0100/26 #4  ', 'J-0100/26 #4'],
    ['line\nbreak\tand\u0000more\u202e', 'LINEBREAKANDMORE'],
  ])('%j is %j', (text, expected) => {
    expect(toLabelText(text)).toBe(expected);
  });
});

test('says what it is, of which case and camera, and the local time with its offset', () => {
  const { textAt, options } = labelTexts({ ...zone, case: 'J-0100/26', camera: 'Gård', startUs });
  expect(textAt(0)).toBe('REDACTED COPY  J-0100/26  GAARD  2026-05-31T12:00:00+02:00');
  expect(textAt(749_999)).toBe(textAt(0));
  expect(textAt(750_000)).toContain('12:00:01');
  expect(options).toEqual({ edge: 'top', longest: textAt(0).length });
});

test('the hour that comes twice is told apart by its offset, and every text is as long as the first', () => {
  const beforeUs = Date.parse('2026-10-25T00:59:59Z') * 1000;
  const { textAt, options } = labelTexts({ ...zone, startUs: beforeUs });
  expect(textAt(0)).toContain('02:59:59+02:00');
  expect(textAt(1_000_000)).toContain('02:00:00+01:00');
  for (const us of [0, 1e6, 86_400e6]) expect(textAt(us)).toHaveLength(options.longest);
});

test('without a time of day the time since the first frame is told; what is not known is left out', () => {
  const { textAt } = labelTexts({ ...zone, case: '', camera: undefined });
  expect(textAt(0)).toBe('REDACTED COPY  +00:00:00');
  expect(textAt(59_999_999)).toBe('REDACTED COPY  +00:00:59');
  expect(textAt(3_661_000_000)).toBe('REDACTED COPY  +01:01:01');
});
