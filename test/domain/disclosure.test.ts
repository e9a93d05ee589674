import { describe, expect, test } from 'vitest';
import {
  cameraClasses,
  classRules,
  defaultPolicy,
  recipientKinds,
  type CameraPolicy,
} from '../../src/domain/camera.js';
import {
  assertAnotherPerson,
  assertScope,
  assertTransition,
  contentHash,
  disclosureGrounds,
  maxRequestRangeUs,
  requestStates,
  scopeHash,
  type DisclosureGround,
  type RequestScope,
  type RequestState,
} from '../../src/domain/disclosure.js';
import { GatewayError } from '../../src/errors.js';
import { june } from '../helpers/store.js';

const scope = (change: Partial<RequestScope> = {}): RequestScope => ({
  ground: 'police',
  legalBasis: null,
  recipient: { kind: 'police', name: 'Station', contact: 'called back' },
  journalNumber: 'J-1',
  purpose: 'burglary',
  cameraIds: ['lobby'],
  startUs: june - 7_200_000_000,
  endUs: june - 3_600_000_000,
  ...change,
});
const policies = (change: Partial<CameraPolicy> = {}): Map<string, CameraPolicy> =>
  new Map([['lobby', { cameraId: 'lobby', ...defaultPolicy, ...change }]]);
const codeOf = (work: () => void): string | null => {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
};

describe('rule 4, A6 Disclosure only with explicit consent, where law says so, or to the police for solving crime', () => {
  // The whole table: who may get footage of which class on which ground.
  const allowed: Readonly<Record<DisclosureGround, readonly string[]>> = {
    police: ['police'],
    consent: ['authority', 'person'],
    law: ['police', 'authority', 'person'],
  };
  const cases = (Object.keys(allowed) as DisclosureGround[]).flatMap((ground) =>
    recipientKinds.flatMap((kind) => cameraClasses.map((name) => [ground, kind, name] as const)),
  );
  test.each(cases)('ground %s, recipient %s, camera of class %s', (ground, kind, name) => {
    const request = scope({ ground, legalBasis: 'basis', recipient: { kind, name: 'n', contact: 'c' } });
    const ofClass: Record<string, readonly string[]> = { permit: ['police'], 'live-only': [] };
    const may = allowed[ground].includes(kind) && (ofClass[name] ?? recipientKinds).includes(kind);
    expect(
      codeOf(() => {
        assertScope(request, policies({ class: name }), june);
      }),
    ).toBe(may ? null : 'forbidden');
  });

  test.each(['shop', '', 'constructor', 'toString'])('there is no fourth ground: "%s"', (ground) => {
    expect(
      codeOf(() => {
        assertScope(scope({ ground: ground as DisclosureGround }), policies(), june);
      }),
    ).toBe('input-invalid');
  });

  test('consent and law need their basis; the police need none', () => {
    expect(disclosureGrounds.police.needsBasis).toBe(false);
    for (const ground of ['consent', 'law'] as const) {
      for (const legalBasis of [null, '', '  ']) {
        const request = scope({ ground, legalBasis, recipient: { kind: 'person', name: 'n', contact: 'c' } });
        expect(
          codeOf(() => {
            assertScope(request, policies(), june);
          }),
        ).toBe('input-invalid');
      }
    }
  });

  test('rule 5, A6 the classes say who may get anything', () => {
    expect(classRules['live-only'].mayRecord).toBe(false);
    expect(classRules.permit.recipients).toEqual(['police']);
  });
});

test.each<[string, Partial<RequestScope>, string]>([
  ['no journal number', { journalNumber: ' ' }, 'input-invalid'],
  ['no purpose', { purpose: '' }, 'input-invalid'],
  ['no name', { recipient: { kind: 'police', name: '', contact: 'c' } }, 'input-invalid'],
  [
    'no contact: an unchecked mail is how a false request begins',
    { recipient: { kind: 'police', name: 'n', contact: ' ' } },
    'input-invalid',
  ],
  ['no camera', { cameraIds: [] }, 'input-invalid'],
  ['a camera that does not exist', { cameraIds: ['lobby', 'nowhere'] }, 'not-found'],
  ['an empty range', { startUs: 5, endUs: 5 }, 'input-invalid'],
  ['a range backwards', { startUs: 6, endUs: 5 }, 'input-invalid'],
  ['no range at all', { startUs: Number.NaN }, 'input-invalid'],
  ['more than a day', { startUs: june - maxRequestRangeUs - 1, endUs: june }, 'input-invalid'],
  ['the future', { startUs: june + 1, endUs: june + 2 }, 'input-invalid'],
])('a request with %s is refused', (_name, change, code) => {
  expect(
    codeOf(() => {
      assertScope(scope(change), policies(), june);
    }),
  ).toBe(code);
});

test('exactly a day is allowed', () => {
  expect(
    codeOf(() => {
      assertScope(scope({ startUs: june - maxRequestRangeUs, endUs: june }), policies(), june);
    }),
  ).toBeNull();
});

describe('states', () => {
  const successors: Readonly<Record<RequestState, readonly RequestState[]>> = {
    requested: ['preparing', 'refused', 'closed'],
    preparing: ['prepared', 'preparation-failed', 'requested'],
    'preparation-failed': ['preparing', 'refused', 'closed'],
    prepared: ['reviewed', 'preparing', 'refused', 'closed'],
    reviewed: ['preparing', 'approved', 'refused', 'closed'],
    approved: ['packaged', 'prepared', 'preparing', 'refused', 'closed'],
    refused: ['closed'],
    packaged: ['closed'],
    closed: [],
  };
  test.each(requestStates.flatMap((from) => requestStates.map((to) => [from, to] as const)))('%s to %s', (from, to) => {
    expect(
      codeOf(() => {
        assertTransition('r', from, to);
      }),
    ).toBe(successors[from].includes(to) ? null : 'conflict');
  });
});

test('a review is bound to what was looked at, and to nothing else', () => {
  const item = {
    cameraId: 'lobby',
    startUs: 1,
    endUs: 2,
    sha256: 'a',
    planSha256: 'b',
    redactedSha256: 'c',
    decisions: { keepVisible: [], drawn: [] },
  };
  const reviewed = contentHash([item]);
  expect(contentHash([structuredClone(item)])).toBe(reviewed);
  expect(contentHash([{ ...item, redactedSha256: 'x' }])).not.toBe(reviewed);
  expect(contentHash([{ ...item, decisions: { keepVisible: [{ trackId: 1 }], drawn: [] } }])).not.toBe(reviewed);
  expect(contentHash([item, item])).not.toBe(reviewed);
});

describe('an approval', () => {
  const item = {
    cameraId: 'lobby',
    startUs: 1,
    endUs: 2,
    sha256: 'a',
    planSha256: 'b',
    redactedSha256: 'c',
    decisions: {
      keepVisible: [{ trackId: 1 }],
      drawn: [{ fromFrame: 0, toFrame: 5, box: { x: 1, y: 2, w: 3, h: 4 } }],
    },
  };
  const terms = { audioReason: null, redactedOnlyReason: null };
  const approved = scopeHash(scope(), [item], terms);

  test.each([
    ['the range', () => scopeHash(scope({ endUs: june }), [item], terms)],
    ['a camera', () => scopeHash(scope({ cameraIds: ['lobby', 'yard'] }), [item], terms)],
    ['the recipient', () => scopeHash(scope({ recipient: { ...scope().recipient, name: 'x' } }), [item], terms)],
    ['the ground', () => scopeHash(scope({ ground: 'law' }), [item], terms)],
    ['the basis', () => scopeHash(scope({ legalBasis: 'x' }), [item], terms)],
    ['the journal number', () => scopeHash(scope({ journalNumber: 'x' }), [item], terms)],
    ['an original', () => scopeHash(scope(), [{ ...item, sha256: 'x' }], terms)],
    ['what was detected', () => scopeHash(scope(), [{ ...item, planSha256: 'x' }], terms)],
    ['the masked copy', () => scopeHash(scope(), [{ ...item, redactedSha256: 'x' }], terms)],
    [
      'who stays visible',
      () => scopeHash(scope(), [{ ...item, decisions: { ...item.decisions, keepVisible: [] } }], terms),
    ],
    [
      'for how long',
      () =>
        scopeHash(
          scope(),
          [{ ...item, decisions: { ...item.decisions, keepVisible: [{ trackId: 1, toFrame: 9 }] } }],
          terms,
        ),
    ],
    ['a drawn mask', () => scopeHash(scope(), [{ ...item, decisions: { ...item.decisions, drawn: [] } }], terms)],
    ['one more item', () => scopeHash(scope(), [item, item], terms)],
    ['sound', () => scopeHash(scope(), [item], { ...terms, audioReason: 'x' })],
    ['the originals left out', () => scopeHash(scope(), [item], { ...terms, redactedOnlyReason: 'x' })],
  ])('is void when %s changes', (_name, changed) => {
    expect(changed()).not.toBe(approved);
  });

  test('is the same for the same content in another order of cameras', () => {
    const two = (cameraIds: string[]): string => scopeHash(scope({ cameraIds }), [item], terms);
    expect(two(['a', 'b'])).toBe(two(['b', 'a']));
    expect(scopeHash(scope(), [structuredClone(item)], terms)).toBe(approved);
  });

  test('needs another person', () => {
    expect(
      codeOf(() => {
        assertAnotherPerson('u1', 'u1');
      }),
    ).toBe('same-person');
    expect(
      codeOf(() => {
        assertAnotherPerson('u1', 'u2');
      }),
    ).toBeNull();
  });
});
