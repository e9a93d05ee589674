import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalHash, canonicalJson, type Json } from '../../src/domain/canonical-json.js';

test('RFC 8785, section 3.2.2: its own example', () => {
  const value = {
    numbers: [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"\/',
    literals: [null, true, false],
  };
  expect(canonicalJson(value)).toBe(
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

test('RFC 8785, section 3.2.3: names are sorted by UTF-16 code units', () => {
  const value = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew',
    '1': 'One',
    '\ud83d\ude00': 'Smile',
    '\u0080': 'Control',
    '\u00f6': 'o',
  };
  expect(Object.keys(JSON.parse(canonicalJson(value)) as object)).toEqual([
    '1',
    '\r',
    '\u0080',
    '\u00f6',
    '\u20ac',
    '\ud83d\ude00',
    '\ufb33',
  ]);
});

test('one text for one value, whatever the order of its keys; and it says the same', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const json = value as Json;
      const turned = JSON.parse(JSON.stringify(json), (_key, part: unknown) =>
        part !== null && typeof part === 'object' && !Array.isArray(part)
          ? Object.fromEntries(Object.entries(part).reverse())
          : part,
      ) as Json;
      expect(canonicalJson(turned)).toBe(canonicalJson(json));
      expect(canonicalHash(turned)).toBe(canonicalHash(json));
      expect(JSON.parse(canonicalJson(json))).toEqual(JSON.parse(JSON.stringify(json)));
    }),
  );
});

test('what JSON cannot say is not hashed', () => {
  for (const bad of [undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => canonicalJson(bad as unknown as Json)).toThrow();
  }
});
