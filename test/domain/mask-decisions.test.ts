import { describe, expect, test } from 'vitest';
import { contentHash } from '../../src/domain/disclosure.js';
import {
  assertDecisions,
  maxDecisions,
  plainDecisions,
  recordedDecisions,
  zoneProblem,
} from '../../src/domain/mask-decisions.js';
import type { DrawnMask, KeepVisible, MaskDecisions } from '../../src/domain/redaction-plan.js';

const recording = { frameCount: 20, width: 160, height: 120, tracks: [{ id: 1 }, { id: 4 }] };
const box = { x: 10, y: 10, w: 20, h: 20 };
const keep = (more: Partial<KeepVisible>): MaskDecisions => ({ keepVisible: [{ trackId: 1, ...more }], drawn: [] });
const draw = (more: Partial<DrawnMask>): MaskDecisions => ({
  keepVisible: [],
  drawn: [{ fromFrame: 0, toFrame: 20, box, ...more }],
});
const refused = (decisions: MaskDecisions): { code: string; message: string; remedy: string } => {
  try {
    assertDecisions(decisions, recording);
  } catch (error) {
    return error as { code: string; message: string; remedy: string };
  }
  throw new Error('was not refused');
};

describe('decisions that a recording can follow', () => {
  test.each<[string, MaskDecisions]>([
    ['none', { keepVisible: [], drawn: [] }],
    ['each mode', { mode: 'whole-frame', keepVisible: [{ trackId: 4 }], drawn: [] }],
    ['to the last frame', keep({ fromFrame: 19, toFrame: 20 })],
    ['a box that reaches out of the picture', draw({ box: { x: -5, y: -5, w: 500, h: 500 } })],
    ['a box that moves', draw({ toBox: { x: 150, y: 110, w: 20, h: 20 } })],
  ])('%s', (_what, decisions) => {
    expect(() => {
      assertDecisions(decisions, recording);
    }).not.toThrow();
  });
});

describe('decisions are refused with what is wrong and what there is', () => {
  test.each<[string, MaskDecisions, RegExp, RegExp]>([
    ['an unknown track', keep({ trackId: 9 }), /no track 9/, /Tracks: 1, 4/],
    ['a track that is no number', keep({ trackId: Number.NaN }), /no track NaN/, /Tracks/],
    ['frames reversed', keep({ fromFrame: 9, toFrame: 3 }), /Frames 9 to 3/, /20 frames/],
    ['no frames', keep({ fromFrame: 5, toFrame: 5 }), /Frames 5 to 5/, /20 frames/],
    ['a negative frame', keep({ fromFrame: -1 }), /Frames -1 to 20/, /20 frames/],
    ['a frame that is no number', keep({ toFrame: Number.NaN }), /NaN/, /20 frames/],
    ['half a frame', keep({ fromFrame: 0.5 }), /0\.5/, /20 frames/],
    ['a frame beyond the end', keep({ toFrame: 21 }), /Frames 0 to 21/, /20 frames/],
    ['all of time', keep({ toFrame: Infinity }), /Infinity/, /20 frames/],
    ['drawn in frames reversed', draw({ fromFrame: 5, toFrame: 2 }), /Frames 5 to 2/, /20 frames/],
    ['drawn beyond the end', draw({ toFrame: 1e9 }), /1000000000/, /20 frames/],
    ['a box beside the picture', draw({ box: { ...box, x: 160 } }), /outside the picture/, /160 by 120/],
    ['a box above the picture', draw({ box: { ...box, y: -20 } }), /outside the picture/, /160 by 120/],
    ['a box that moves out', draw({ toBox: { ...box, x: 400 } }), /outside the picture/, /160 by 120/],
    ['a box of no size', draw({ box: { ...box, w: 0 } }), /no size/, /160 by 120/],
    ['a box of negative size', draw({ box: { ...box, h: -3 } }), /no size/, /160 by 120/],
    ['a box that is no number', draw({ box: { ...box, x: Number.NaN } }), /NaN/, /160 by 120/],
    ['a box without end', draw({ box: { ...box, w: Infinity } }), /Infinity/, /160 by 120/],
    ['an unknown mode', { ...keep({}), mode: 'nobody' as never }, /no mode "nobody"/, /whole-frame/],
    [
      'a milliard of entries',
      { keepVisible: new Array<KeepVisible>(1_000_000_000), drawn: [] },
      /1000000000 stretches/,
      /At most 10000/,
    ],
    [
      'one drawn box too many',
      { keepVisible: [], drawn: Array.from({ length: maxDecisions + 1 }, () => ({ fromFrame: 0, toFrame: 1, box })) },
      /10001 drawn boxes/,
      /At most 10000/,
    ],
  ])('%s', (_what, decisions, message, remedy) => {
    const error = refused(decisions);
    expect(error.code).toBe('input-invalid');
    expect(error.message).toMatch(message);
    expect(error.remedy).toMatch(remedy);
  });

  test('of many tracks only some are named', () => {
    const tracks = Array.from({ length: 9000 }, (_, id) => ({ id }));
    expect(() => {
      assertDecisions(keep({ trackId: 9999 }), { ...recording, tracks });
    }).toThrow(expect.objectContaining({ remedy: expect.stringMatching(/^Tracks: 0, .*49, …\.$/) as string }));
  });
});

describe('one form', () => {
  test('leaves out the default, open limits, and whatever is no decision', () => {
    const given = {
      mode: 'people-and-motion' as const,
      keepVisible: [{ toFrame: undefined, trackId: 3, fromFrame: 2, colour: 'red' }],
      drawn: [{ box: { ...box, name: 'x' }, toFrame: 2, fromFrame: 1, toBox: undefined }],
      seen: true,
    };
    expect(JSON.stringify(plainDecisions(given))).toBe(
      '{"keepVisible":[{"trackId":3,"fromFrame":2}],"drawn":[{"fromFrame":1,"toFrame":2,"box":{"x":10,"y":10,"w":20,"h":20}}]}',
    );
    expect(plainDecisions({ ...given, mode: 'people' })).toMatchObject({ mode: 'people' });
  });

  const item = {
    cameraId: 'lobby',
    startUs: 1,
    endUs: 2,
    sha256: 'a',
    planSha256: 'b',
    redactedSha256: 'c',
  };
  const hash = (decisions: MaskDecisions): string => contentHash([{ ...item, decisions }]);

  test('is hashed as it was before there were modes', () => {
    const decisions = {
      keepVisible: [{ trackId: 1 }, { trackId: 2, fromFrame: 3, toFrame: 9 }],
      drawn: [{ fromFrame: 0, toFrame: 5, box: { x: 1, y: 2, w: 3, h: 4 } }],
    };
    // Computed by the release before.
    expect(hash(decisions)).toBe('e160da4180ffb95064008595a55d838f62f862bcfe18e7b5ab6bcc3a782f9f59');
    expect(hash({ ...decisions, mode: 'people-and-motion' })).toBe(hash(decisions));
    expect(hash({ ...decisions, mode: undefined })).toBe(hash(decisions));
  });

  test('every mode and every movement is another hash', () => {
    const hashes = [
      keep({}),
      { ...keep({}), mode: 'people' as const },
      { ...keep({}), mode: 'whole-frame' as const },
      draw({}),
      draw({ toBox: box }),
      draw({ toBox: { ...box, x: 11 } }),
    ].map(hash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test('is recorded with open limits said, and never says the default', () => {
    expect(
      recordedDecisions({ ...draw({ toBox: box }), mode: 'people-and-motion', keepVisible: [{ trackId: 1 }] }),
    ).toEqual({
      keepVisible: [{ trackId: 1, fromFrame: null, toFrame: null }],
      drawn: [{ fromFrame: 0, toFrame: 20, box, toBox: box }],
    });
    expect(recordedDecisions({ ...keep({}), mode: 'whole-frame' })).toMatchObject({ mode: 'whole-frame' });
  });
});

test.each([
  [{ x: 0, y: 0, w: 1, h: 1 }, true],
  [{ x: 0.7, y: 0.9, w: 0.3, h: 0.1 }, true],
  [{ x: 0.7, y: 0.9, w: 0.31, h: 0.1 }, false],
  [{ x: -0.1, y: 0, w: 0.5, h: 0.5 }, false],
  [{ x: 0, y: 0, w: 0, h: 0.5 }, false],
  [{ x: 0, y: 0, w: 0.5, h: Number.NaN }, false],
  [{ x: 0, y: 0, w: 640, h: 480 }, false],
])('a zone of %j lies in the picture: %s', (zone, inside) => {
  expect(zoneProblem(zone) === null).toBe(inside);
});
