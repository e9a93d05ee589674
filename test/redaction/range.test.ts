import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { knotsOf, maskEveryone, pathOf, type Track } from '../../src/domain/redaction-plan.js';
import { analysisOf, windowOf } from '../../src/redaction/range.js';
import { defaultRedaction, redactFile, renderCopy, type Analysis } from '../../src/redaction/redact.js';

const track = (id: number, firstFrame: number, endFrame: number): Track => ({
  id,
  kind: 'person',
  path: pathOf(
    Array.from({ length: endFrame - firstFrame }, (_, at) => ({
      frame: firstFrame + at,
      box: { x: 10, y: 10, w: 20, h: 40 },
      score: 0.5,
      source: 'detected',
    })),
  ),
  uncertain: [
    { fromFrame: firstFrame, toFrame: firstFrame + 5, reason: 'edge' },
    { fromFrame: endFrame - 5, toFrame: endFrame, reason: 'overlap' },
  ],
});

const analysis: Analysis = {
  version: 2,
  width: 160,
  height: 120,
  timeBase: { num: 1, den: 1000 },
  pts: Array.from({ length: 100 }, (_, frame) => frame * 100),
  fps: 10,
  zones: [],
  tracks: [track(1, 0, 30), track(2, 28, 60), track(3, 70, 100)],
  searched: { firstFrame: 10, endFrame: 90 },
  detector: { name: 'stand-in', sha256: 'ab'.repeat(32), width: 160, height: 120, minScore: 0.2, framesLookedAt: 60 },
  damaged: false,
  notes: [],
};

it('the window reaches beyond the range on both sides', () => {
  const { fromS, toS } = windowOf(1_000_000_000, { startUs: 1_060_000_000, endUs: 1_090_000_000 });
  expect(fromS).toBeLessThanOrEqual(58);
  expect(toS).toBeGreaterThanOrEqual(92);
});

it('a part of an analysis has only what concerns it, under the same numbers', () => {
  const part = analysisOf(analysis, { firstFrame: 27, endFrame: 58 });
  expect(part.tracks.map(({ id }) => id)).toEqual([1, 2]);
  expect(
    part.tracks
      .slice(0, 1)
      .flatMap(knotsOf)
      .map(({ frame }) => frame),
  ).toEqual([27, 28, 29]);
  expect(part.tracks[0]?.uncertain).toEqual([{ fromFrame: 27, toFrame: 30, reason: 'overlap' }]);
  expect(part.tracks[1]?.uncertain).toEqual([
    { fromFrame: 28, toFrame: 33, reason: 'edge' },
    { fromFrame: 55, toFrame: 58, reason: 'overlap' },
  ]);
  expect(part.pts).toHaveLength(100);
  expect(part.searched).toEqual({ firstFrame: 27, endFrame: 58 });
});

it('frames in which nobody looked for people are neither planned nor rendered', async () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'tredive-range-'));
  const output = path.join(dir, 'out.mp4');
  const render = (range: { firstFrame: number; endFrame: number } | undefined): Promise<unknown> =>
    renderCopy({
      input: 'never read',
      output,
      analysis,
      decisions: maskEveryone,
      settings: defaultRedaction,
      ...(range && { range }),
    });
  try {
    for (const range of [{ firstFrame: 9, endFrame: 20 }, { firstFrame: 80, endFrame: 91 }, undefined]) {
      await expect(render(range)).rejects.toMatchObject({ code: 'internal' });
      if (range !== undefined) expect(() => analysisOf(analysis, range)).toThrow(/people were looked for only/);
    }
    expect(readdirSync(dir)).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

it('a target that cannot be written is told before anything is analysed', async () => {
  for (const output of ['/nowhere/at/all/out.mp4', os.tmpdir(), '/dev/null']) {
    const job = { input: 'never read', output, decisions: maskEveryone, settings: defaultRedaction };
    await expect(redactFile(job)).rejects.toMatchObject({ code: 'io-failed' });
  }
});
