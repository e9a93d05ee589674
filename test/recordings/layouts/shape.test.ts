import { expect, test } from 'vitest';
import { formatUtc } from '../../../src/domain/time.js';
import { layoutFromConfig } from '../../../src/recordings/layouts/index.js';
import { commonTemplate, templateOf } from '../../../src/recordings/layouts/shape.js';

const site = { siteTimezone: 'UTC' };

test.each([
  ['Lobby/2026-11-23/14-27-06-ev01.mp4', '%path/%Y-%m-%d/%H-%M-%S-ev%i', 'Lobby 2026-11-23T14:27:06Z'],
  ['lobby/2026-03-29/01/54.00.mp4', '%path/%Y-%m-%d/%H/%M.%S', 'lobby 2026-03-29T01:54:00Z'],
  ['2026-03-29/01/lobby/54.00.mp4', '%Y-%m-%d/%H/%camera/%M.%S', 'lobby 2026-03-29T01:54:00Z'],
  ['a/b/20260701120530.mkv', '%path/%Y%m%d%H%M%S', 'a/b 2026-07-01T12:05:30Z'],
  ['a/2026/07/01/clip 12.05.30.mkv', '%path/%Y/%m/%d/clip %H.%M.%S', 'a 2026-07-01T12:05:30Z'],
  ['2026/07/01/gate/120530.mkv', '%Y/%m/%d/%camera/%H%M%S', 'gate 2026-07-01T12:05:30Z'],
  ['gate/20260701/gate_20260701_120530.mp4', '%path/%Y%m%d/gate_%Y%m%d_%H%M%S', 'gate 2026-07-01T12:05:30Z'],
  ['gate/2026-07-01_12-05-30-250000.mp4', '%path/%Y-%m-%d_%H-%M-%S-%f', 'gate 2026-07-01T12:05:30.25Z'],
  ['gate/1782900330.mp4', '%path/%s', 'gate 2026-07-01T10:05:30Z'],
  ['gate/17-1782900330-x.mp4', '%path/%i-%s-x', 'gate 2026-07-01T10:05:30Z'],
  ['cam2_20260701_120530.mp4', '%camera_%Y%m%d_%H%M%S', 'cam2 2026-07-01T12:05:30Z'],
  ['100%/2026-07-01 12-05-30.mp4', '%path/%Y-%m-%d %H-%M-%S', '100% 2026-07-01T12:05:30Z'],
])('%s is of %s', (path, template, verdict) => {
  expect(templateOf(path)).toBe(template);
  const found = layoutFromConfig({ template }, site).decode(path);
  if (found.kind === 'miss' || found.start.kind !== 'utc') throw new Error(JSON.stringify(found));
  expect(`${found.camera} ${formatUtc(found.start.us)}`).toBe(verdict);
});

test.each([
  '1.mp4',
  'gate/1.mp4',
  'gate/2026-07-01.mp4',
  '20260701_120530.mp4',
  'gate/120530.mp4',
  'gate/2026-07-01_12-05-30.jpg',
  'gate/2026-07-01_12-05-30"\nlayout: x.mp4',
  "gate/2026-07-01_12-05-30'.mp4",
])('%j shows none', (path) => {
  expect(templateOf(path)).toBeNull();
});

test('the most common one, whatever comes first', () => {
  expect(commonTemplate(['x/1782900330.mp4', 'a/20260701120530.mp4', 'b/20260701120531.mp4', 'y.mp4'])).toBe(
    '%path/%Y%m%d%H%M%S',
  );
  expect(commonTemplate(['y.mp4'])).toBeNull();
});
