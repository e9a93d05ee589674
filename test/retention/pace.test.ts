/** A sweep gives way to recorders, and not near to the limit. */
import { describe, expect, test } from 'vitest';
import { unlinkManyBeneath } from '../../src/platform/native.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { longestPauseMs, makePace } from '../../src/retention/pace.js';
import { addCamera, addRoot, addSegment, day, hour, june, makeTestStore } from '../helpers/store.js';

describe('how long a sweep pauses after a batch', () => {
  const quick = { files: 200, tookMs: 100, urgent: false };

  test('not at all while the disk is as quick as it was', () => {
    const pace = makePace();
    expect([quick, { ...quick, tookMs: 390 }, quick].map((batch) => pace.pauseMs(batch))).toEqual([0, 0, 0]);
  });

  test('as long as the batch took, up to a bound, where it took far longer than the quickest', () => {
    const pace = makePace();
    pace.pauseMs(quick);
    expect(pace.pauseMs({ ...quick, tookMs: 900 })).toBe(900);
    expect(pace.pauseMs({ ...quick, tookMs: 60_000 })).toBe(longestPauseMs);
    // The same time for each file in a smaller batch.
    expect(pace.pauseMs({ files: 100, tookMs: 450, urgent: false })).toBe(450);
  });

  test('never near to the limit, nor for a few files', () => {
    const pace = makePace();
    pace.pauseMs(quick);
    expect(pace.pauseMs({ ...quick, tookMs: 60_000, urgent: true })).toBe(0);
    expect(pace.pauseMs({ files: 3, tookMs: 900, urgent: false })).toBe(0);
    // And what was not waited for does not become the measure.
    expect(pace.pauseMs({ ...quick, tookMs: 900 })).toBe(900);
  });
});

test('the I/O priority is low, until half of the margin is used up', async () => {
  const made = makeTestStore();
  for (const id of ['early', 'near']) addCamera(made, id);
  addRoot(made, 'nvr');
  // A margin of twelve hours: one fell due just now, the other is six hours from its limit.
  addSegment(made, { camera: 'early', path: 'early/a.mp4', startUs: june - 29.5 * day });
  addSegment(made, { camera: 'near', path: 'near/a.mp4', startUs: june - 29.5 * day - 6 * hour });
  addSegment(made, { camera: 'near', path: 'near/young.mp4', startUs: june - day });
  const yields = new Map<string, boolean | undefined>();
  const unlink: typeof unlinkManyBeneath = (root, files, how) => {
    for (const { relativePath } of files) yields.set(String(relativePath), how?.yields);
    return unlinkManyBeneath(root, files, how);
  };
  expect(await applyDeletions({ ...made.retention, unlink })).toMatchObject({ deleted: 2, failed: [] });
  expect([...yields].sort()).toEqual([
    ['early/a.mp4', true],
    ['near/a.mp4', false],
  ]);
});
