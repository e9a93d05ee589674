import { describe, expect, test } from 'vitest';
import { usualUs, weigh, type BrakeSettings, type ShownFootage, type WeighedCamera } from '../../src/domain/brake.js';
import { assertMayVote, isAgreed, liveVotes, type Vote } from '../../src/domain/two-persons.js';
import type { Role, User } from '../../src/domain/user.js';

const hour = 3_600_000_000;
const settings: BrakeSettings = { floorUs: 3 * hour, factor: 2, voteUs: 4 * hour };
const nobody = { confirmed: false, first: false };

const camera = (
  cameraId: string,
  hours: number,
  history: readonly number[] = [],
  more: { segments?: number; shown?: ShownFootage } = {},
): WeighedCamera => ({
  cameraId,
  due: { segments: more.segments ?? 12 * Math.ceil(hours), footageUs: hours * hour, oldestUs: 0, newestUs: 1 },
  history: history.map((one) => one * hour),
  shown: more.shown ?? null,
});
const waits = (cameras: readonly WeighedCamera[], allowed = nobody): string[] =>
  weigh(cameras, settings, allowed)
    .filter((one) => one.waits)
    .map((one) => one.cameraId);

describe('what is usual', () => {
  test.each<[string, number[], number]>([
    ['nothing, without sweeps', [], 0],
    ['nothing, after two sweeps', [24, 24], 0],
    ['the one in the middle', [1, 9, 2], 2],
    ['the lower of the two in the middle', [4, 1, 3, 2], 2],
    ['not a catch-up', [0.25, 0.25, 120, 0.25, 0.25], 0.25],
  ])('%s', (_name, history, usual) => {
    expect(usualUs(history)).toBe(usual);
  });
});

describe('a camera waits', () => {
  const daily = [20, 24, 24];
  test.each<[string, WeighedCamera, boolean]>([
    ['not at three hours', camera('a', 3), false],
    ['above three hours', camera('a', 3.01), true],
    ['not at twice the usual', camera('a', 48, daily), false],
    ['above twice the usual', camera('a', 48.01, daily), true],
    ['not at twice a small usual, under three hours', camera('a', 2.9, [0.25, 0.25, 0.25]), false],
    ['not for one long file alone', camera('a', 24, [], { segments: 1 }), false],
    ['for two of them', camera('a', 24, [], { segments: 2 }), true],
  ])('%s', (_name, one, expected) => {
    // Beside enough others that it decides for itself.
    expect(waits([one, camera('x', 1), camera('y', 1)])).toEqual(expected ? ['a'] : []);
  });

  test('with the others where half of them would: a wrong clock takes all there is of a camera with little', () => {
    expect(waits([camera('busy', 700), camera('quiet', 2)])).toEqual(['busy', 'quiet']);
    expect(waits([camera('busy', 700), camera('quiet', 2), camera('calm', 2)])).toEqual(['busy']);
  });

  test('not when it is the first sweep of it and that is allowed; one with a history is not the first', () => {
    const allowed = { confirmed: false, first: true };
    expect(waits([camera('a', 700), camera('b', 2)], allowed)).toEqual([]);
    expect(waits([camera('a', 700, [0.25])], allowed)).toEqual(['a']);
  });
});

describe('what was confirmed', () => {
  const allowed = { confirmed: true, first: false };
  const shown = (within: [number, number], beyond: number): ShownFootage => ({
    shown: { segments: 100, footageUs: 120 * hour },
    within: { segments: within[0], footageUs: within[1] * hour },
    beyondUs: beyond * hour,
  });
  test.each<[string, ShownFootage, boolean]>([
    ['goes', shown([100, 120], 0), true],
    ['goes with what fell due since, as an ordinary sweep', shown([100, 120], 3), true],
    ['goes where some of it is gone already', shown([1, 1], 0), true],
    ['waits anew where much more fell due', shown([100, 120], 3.01), false],
    ['waits anew where a segment was added among it', shown([101, 119], 0), false],
    ['waits anew where one of them became longer', shown([100, 120.5], 0), false],
  ])('%s', (_name, one, goes) => {
    expect(waits([camera('a', 121, [], { shown: one })], allowed)).toEqual(goes ? [] : ['a']);
    expect(waits([camera('a', 121, [], { shown: one })])).toEqual(['a']);
  });

  test('does not speak for a camera that was not shown, nor make one wait that is as usual', () => {
    const cameras = [camera('a', 120, [], { shown: shown([100, 120], 0) }), camera('new', 50), camera('small', 1)];
    expect(waits(cameras, allowed)).toEqual(['new', 'small']);
    expect(waits([cameras[0] ?? camera('a', 0), camera('small', 1)], allowed)).toEqual([]);
  });
});

describe('two persons', () => {
  const vote = (userId: string, admin = false, atUs = 0): Vote => ({ userId, atUs, admin });
  const user = (id: string, ...roles: Role[]): User => ({ id, name: id, roles, disabledUs: null });

  test('are two different ones, an administrator among them', () => {
    expect(isAgreed([])).toBe(false);
    expect(isAgreed([vote('a', true)])).toBe(false);
    expect(isAgreed([vote('a', true), vote('a', true)])).toBe(false);
    expect(isAgreed([vote('a'), vote('b')])).toBe(false);
    expect(isAgreed([vote('a'), vote('b', true)])).toBe(true);
  });

  test('the same one twice, and a second who is no administrator either, are refused', () => {
    expect(() => {
      assertMayVote(user('a', 'admin'), [vote('a', true)]);
    }).toThrow(expect.objectContaining({ code: 'same-person' }) as Error);
    expect(() => {
      assertMayVote(user('b', 'legal'), [vote('a')]);
    }).toThrow(expect.objectContaining({ code: 'forbidden' }) as Error);
    assertMayVote(user('b', 'admin'), [vote('a')]);
    assertMayVote(user('b', 'legal'), [vote('a', true)]);
    assertMayVote(user('b', 'legal'), []);
  });

  test('their yes counts for some hours, and not from the future', () => {
    const votes = [vote('a', true, 10 * hour)];
    expect(liveVotes(votes, 14 * hour - 1, 4 * hour)).toEqual(votes);
    expect(liveVotes(votes, 14 * hour, 4 * hour)).toEqual([]);
    expect(liveVotes(votes, 9 * hour, 4 * hour)).toEqual([]);
  });
});
