/** Real recordings, by layout and by probe. They are not part of the project: TREDIVE_FOOTAGE says where they lie. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { localToUs } from '../../src/domain/time.js';
import { layoutFromConfig, type LayoutConfig } from '../../src/recordings/layouts/index.js';
import { probeHere } from '../../src/recordings/probe-here.js';

const footage = process.env['TREDIVE_FOOTAGE'] ?? '';
const present = footage !== '' && existsSync(join(footage, 'recordings-small'));
if (!present) console.warn('SKIPPED: real recordings. Set TREDIVE_FOOTAGE to the folder that has recordings-small.');

const small: LayoutConfig = [
  { template: '%path/%Y-%m-%d_%H-%M-%S-%f', timezone: 'UTC' },
  { template: '%path/%Y-%m-%d/%H/%M.%S', timezone: 'Europe/Berlin' },
  { template: '%path/%s' },
  { template: '%path/%Y-%m-%d_%H-%M-%S%*', timezone: 'UTC' },
];
const motion: LayoutConfig = { template: '%path/%Y-%m-%d/%H-%M-%S-ev%i', timezone: 'UTC' };
const site = { siteTimezone: 'Europe/Copenhagen' };

/** A playable file: path, camera, start, seconds, and `container codec WxH`, `+` with sound, `!` truncated. */
type Playable = readonly [path: string, camera: string, start: string, seconds: number, media: string];

const yard = 'fmp4 h264 768x576';
const lobby = 'mp4 h264 768x432+';
const buecherei = 'edge/Kamera Bücherei'.normalize('NFD');
const playableSmall: Playable[] = [
  ['yard/2026-03-29_00-54-00-000000.mp4', 'yard', '00:54:00', 180, yard],
  ['yard/2026-03-29_00-57-00-000000.mp4', 'yard', '00:57:00', 180, yard],
  ['yard/2026-03-29_01-00-00-000000.mp4', 'yard', '01:00:00', 180, yard],
  ['lobby/2026-03-29/01/54.00.mp4', 'lobby', '00:54:00', 180.1, lobby],
  ['lobby/2026-03-29/01/57.00.mp4', 'lobby', '00:57:00', 180, lobby],
  ['lobby/2026-03-29/03/00.00.mp4', 'lobby', '01:00:00', 180, lobby],
  ['parking/1774745640.mp4', 'parking', '00:54:00', 179.7, 'mp4 hevc 768x432'],
  ['parking/1774745820.mp4', 'parking', '00:57:00', 179.7, 'mp4 hevc 768x432'],
  ['parking/1774746000.mkv', 'parking', '01:00:00', 180, 'mkv hevc 768x432'],
  // 18 whole fragments of 2 s; of the 19th not even the first frame is whole.
  ['edge/2026-03-29_01-03-00_fmp4-cut-mid-fragment.mp4', 'edge', '01:03:00', 36, 'fmp4 h264 768x576!'],
  ['edge/2026-03-29_01-09-00 Eingang Süd – Tür №2.mp4', 'edge', '01:09:00', 60.3, lobby],
  [`${buecherei}/2026-03-29_01-09-00 入口.mp4`, buecherei, '01:09:00', 60.2, yard],
  ['edge/2026-03-29_01-12-00_h264-aac.mkv', 'edge', '01:12:00', 60.4, 'mkv h264 768x432+'],
  ['edge/2026-03-29_01-12-00_matroska-named.mp4', 'edge', '01:12:00', 60.5, 'mkv hevc 768x432'],
  // From its first picture at 1.6 s to the end of its last at 61.9 s.
  ['edge/2026-03-29_01-15-00.ts', 'edge', '01:15:00', 60.4, 'ts h264 768x432+'],
];
const brokenSmall: Readonly<Record<string, string>> = {
  'edge/2026-03-29_01-03-00_truncated-no-moov.mp4': 'no-index',
  'edge/2026-03-29_01-06-00_zero-byte.mp4': 'empty',
  'edge/2026-03-29_01-18-00_init-only.mp4': 'no-media',
  'edge/2026-03-29_01-21-00_garbage.mp4': 'unknown-format',
};
const missedSmall: Readonly<Record<string, string>> = { 'edge/2026-03-29_01-24-00.mp4.part': 'unfinished' };

const filesBelow = (root: string): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));

async function checkPlayable(root: string, config: LayoutConfig, day: string, row: Playable): Promise<void> {
  const [path, camera, start, seconds, media] = row;
  const match = layoutFromConfig(config, site).decode(path);
  if (match.kind === 'miss') throw new Error(`${path}: ${match.reason}`);
  expect(match.camera).toBe(camera);
  const reading =
    match.start.kind === 'utc' ? { us: match.start.us } : localToUs(match.start.fields, match.start.timeZone);
  expect(reading).toMatchObject({ us: Date.parse(`${day}T${start}Z`) * 1000 });
  const probe = await probeHere(join(root, path));
  if (!probe.ok) throw new Error(`${path}: ${probe.reason}`);
  const { container, codec, width, height, hasAudio, truncated } = probe;
  expect(`${container} ${codec} ${width}x${height}${hasAudio ? '+' : ''}${truncated ? '!' : ''}`).toBe(media);
  expect(Math.abs(probe.durationUs / 1e6 - seconds), `${path}: ${probe.durationUs} us`).toBeLessThan(0.35);
}

describe.skipIf(!present)('recordings-small as one root', () => {
  const root = join(footage, 'recordings-small');

  test.each(playableSmall)('%s', async (...row) => {
    await checkPlayable(root, small, '2026-03-29', row);
  });

  test.each(Object.entries(brokenSmall))('%s is %s', async (path, reason) => {
    expect(layoutFromConfig(small, site).decode(path).kind).toBe('match');
    expect(await probeHere(join(root, path))).toMatchObject({ ok: false, reason });
  });

  test('three cameras go on without a gap where the clocks of one of them leap from 02:00 to 03:00', () => {
    const startOf = (path: string): number => {
      const match = layoutFromConfig(small, site).decode(path);
      if (match.kind === 'miss') throw new Error(path);
      const { start } = match;
      const reading = start.kind === 'utc' ? { kind: 'exact', us: start.us } : localToUs(start.fields, start.timeZone);
      expect(reading.kind).toBe('exact');
      return 'us' in reading ? reading.us : NaN;
    };
    for (const camera of ['yard', 'lobby', 'parking']) {
      const starts = playableSmall
        .map(([path]) => path)
        .filter((path) => path.startsWith(`${camera}/`))
        .map(startOf);
      expect(starts.map((us) => (us - (starts[0] ?? 0)) / 1e6)).toEqual([0, 180, 360]);
    }
  });

  test('the bytes decide what a file is: the same film under another name, Matroska under .mp4', async () => {
    const probeOf = (path: string) => probeHere(join(root, path));
    const [part, folder] = await Promise.all([
      probeOf('edge/2026-03-29_01-24-00.mp4.part'),
      probeOf(`${buecherei}/2026-03-29_01-09-00 入口.mp4`),
    ]);
    // What is unfinished by its name alone is whole: it is the name that has to change before it is taken.
    expect({ ...part, file: null }).toEqual({ ...folder, file: null });
    expect(part).toMatchObject({ ok: true, container: 'fmp4', truncated: false });
  });

  test('no file is left out, and the unfinished one waits', () => {
    const known = [...playableSmall.map(([path]) => path), ...Object.keys(brokenSmall), ...Object.keys(missedSmall)];
    expect(filesBelow(root).sort()).toEqual(known.sort());
    for (const [path, reason] of Object.entries(missedSmall)) {
      expect(layoutFromConfig(small, site).decode(path)).toMatchObject({ kind: 'miss', reason });
    }
  });
});

describe.skipIf(!present)('recordings-motion, written by a real recorder that was killed', () => {
  const root = join(footage, 'recordings-motion');
  const media = 'mp4 h264 768x432';

  test.each<Playable>([
    ['Lobby/2026-11-23/14-27-06-ev01.mp4', 'Lobby', '14:27:06', 179.9, media],
    ['Lobby/2026-11-23/14-30-06-ev01.mp4', 'Lobby', '14:30:06', 182, media],
  ])('%s', async (...row) => {
    await checkPlayable(root, motion, '2026-11-23', row);
  });

  test.each(['Lobby/2026-11-23/14-33-06-ev01.mp4', 'Yard/2026-11-23/14-33-08-ev01.mp4'])('%s', async (path) => {
    expect(layoutFromConfig(motion, site).decode(path).kind).toBe('match');
    expect(await probeHere(join(root, path))).toMatchObject({ ok: false, reason: 'no-index' });
  });

  test('the second file reaches into the third, and neither is of a round length or a constant rate', async () => {
    const [first, second] = await Promise.all(
      ['14-27-06', '14-30-06'].map((time) => probeHere(join(root, `Lobby/2026-11-23/${time}-ev01.mp4`))),
    );
    if (first?.ok !== true || second?.ok !== true) throw new Error('not playable');
    // By their names the third begins 180 s after the second.
    expect(first.durationUs).not.toBe(180e6);
    expect(Math.abs(first.durationUs - 180e6)).toBeLessThan(1e6);
    expect(second.durationUs).toBeGreaterThan(181e6);
    expect(first.frameRate).not.toBe(10);
  });

  test.each(['cam1.conf', 'cam2.conf', 'motion.conf', 'movie_end.log'])('%s is a companion', (path) => {
    expect(layoutFromConfig(motion, site).decode(path)).toMatchObject({ kind: 'miss', reason: 'ignored' });
  });
});
