import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { GatewayError } from '../../../src/errors.js';
import { localToUs, parseInstant, type Micros } from '../../../src/domain/time.js';
import {
  layoutConfig,
  layoutFromConfig,
  layoutNames,
  mediaExtensions,
  type LayoutConfig,
  type LayoutMatch,
  type NameTime,
} from '../../../src/recordings/layouts/index.js';

const site = { siteTimezone: 'Europe/Copenhagen' };

const instantOf = (start: NameTime): Micros => {
  if (start.kind === 'utc') return start.us;
  const reading = localToUs(start.fields, start.timeZone);
  if (reading.kind !== 'exact') throw new Error(`${reading.kind}: not for this table`);
  return reading.us;
};

const match = (config: LayoutConfig, path: string): LayoutMatch => {
  const result = layoutFromConfig(config, site).decode(path);
  if (result.kind === 'miss') throw new Error(`${path}: ${result.reason} (${result.detail})`);
  return result;
};

const refusal = (config: LayoutConfig): GatewayError => {
  try {
    layoutFromConfig(config, site);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('was not refused');
};

const mediamtxUtc = { template: '%path/%Y-%m-%d_%H-%M-%S-%f', timezone: 'UTC' };

/** Read and written: the same path both ways. */
const bothWays: [config: LayoutConfig, path: string, camera: string, instant: string][] = [
  ['frigate', '2026-03-29/00/lobby/54.00.mp4', 'lobby', '2026-03-29T00:54:00Z'],
  ['frigate', '2026-10-25/01/back_yard/59.59.mp4', 'back_yard', '2026-10-25T01:59:59Z'],
  ['mediamtx', 'yard/2026-07-01_12-00-00-000000.mp4', 'yard', '2026-07-01T10:00:00Z'],
  ['mediamtx', 'yard/2026-01-01_00-30-00-123456.mp4', 'yard', '2025-12-31T23:30:00.123456Z'],
  [{ name: 'mediamtx', timezone: 'UTC' }, 'a/b/c/2026-03-29_02-30-00-000000.mp4', 'a/b/c', '2026-03-29T02:30:00Z'],
  [mediamtxUtc, 'yard/2026-10-25_02-30-00-000000.mp4', 'yard', '2026-10-25T02:30:00Z'],
  [{ template: '%path/%s' }, 'parking/1774745640.mp4', 'parking', '2026-03-29T00:54:00Z'],
  [{ template: '%path/%s-%f' }, 'p/1774745640-500000.mp4', 'p', '2026-03-29T00:54:00.5Z'],
  [{ template: '%path_%Y%m%dT%H%M%S%z' }, 'gate_20261025T023000+0200.mp4', 'gate', '2026-10-25T00:30:00Z'],
  [{ template: '%path_%Y%m%dT%H%M%S%z' }, 'gate_20261025T023000+0100.mp4', 'gate', '2026-10-25T01:30:00Z'],
  [{ template: '%path_%Y%m%dT%H%M%S%z', timezone: 'UTC' }, 'g_20261025T003000Z.mp4', 'g', '2026-10-25T00:30:00Z'],
  [
    { template: '%Y/%m/%d/%camera/%H-%M-%S', timezone: 'UTC' },
    '2026/02/28/c1/23-59-59.mp4',
    'c1',
    '2026-02-28T23:59:59Z',
  ],
  [
    { template: '%camera/%Y%m%d/%Y%m%d%H%M', timezone: 'UTC' },
    'c/20260228/202602282359.mp4',
    'c',
    '2026-02-28T23:59:00Z',
  ],
  [{ template: '100%%/%camera.%s.mkv' }, '100%/c.1774745640.mkv', 'c', '2026-03-29T00:54:00Z'],
  [{ template: './%path/(x) [%s]+' }, 'p/(x) [1774745640]+.mp4', 'p', '2026-03-29T00:54:00Z'],
  [{ template: '%s', camera: 'only' }, '1774745640.mp4', 'only', '2026-03-29T00:54:00Z'],
];

/** Read only: the name has something in it that an encoder would not make up. */
const oneWay: [config: LayoutConfig, path: string, camera: string, instant: string][] = [
  ['frigate', 'recordings/2026-03-29/00/lobby/54.00.mp4', 'lobby', '2026-03-29T00:54:00Z'],
  ['frigate', 'exports/back_yard_20260701_120000-20260701_121500_ab12.mp4', 'back_yard', '2026-07-01T10:00:00Z'],
  [
    { template: '%path/%Y-%m-%d/%H-%M-%S-ev%i', timezone: 'UTC' },
    'Lobby/2026-11-23/14-27-06-ev01.mp4',
    'Lobby',
    '2026-11-23T14:27:06Z',
  ],
  [
    { template: '%camera/%*/%Y%m%d%H%M%S%*', timezone: 'UTC' },
    'c/any/20260228235959-note.ts',
    'c',
    '2026-02-28T23:59:59Z',
  ],
  [{ template: '%path/%s.%f' }, 'p/1774745640.5.mp4', 'p', '2026-03-29T00:54:00.5Z'],
  ['synology', 'Gate/20260701PM/Gate-20260701-084321-1782888201.mp4', 'Gate', '2026-07-01T06:43:21Z'],
];

describe('paths that are recordings', () => {
  test.each([...bothWays, ...oneWay])('%j reads %s', (config, path, camera, instant) => {
    const result = match(config, path);
    expect(result.camera).toBe(camera);
    expect(instantOf(result.start)).toBe(parseInstant(instant));
  });

  test.each(bothWays)('%j writes %s', (config, path, camera, instant) => {
    const layout = layoutFromConfig(config, site);
    expect(layout.encode(camera, parseInstant(instant), path.slice(path.lastIndexOf('.') + 1))).toBe(path);
  });

  test('names are kept byte for byte, composed or decomposed', () => {
    for (const form of ['NFC', 'NFD'] as const) {
      const folder = `edge/Kamera Bücherei`.normalize(form);
      expect(match(mediamtxUtc, `${folder}/2026-03-29_01-09-00-000000.mp4`).camera).toBe(folder);
    }
  });

  test.each(mediaExtensions)('.%s, in any case', (extension) => {
    for (const written of [extension, extension.toUpperCase()]) {
      expect(match(mediamtxUtc, `yard/2026-03-29_01-09-00-000000.${written}`).camera).toBe('yard');
    }
  });

  test('a local name stays local: its reading is decided where other clocks are known', () => {
    expect(match('mediamtx', 'yard/2026-10-25_02-30-00-000000.mp4').start).toEqual({
      kind: 'local',
      fields: { year: 2026, month: 10, day: 25, hour: 2, minute: 30, second: 0, microsecond: 0 },
      timeZone: 'Europe/Copenhagen',
    });
  });
});

describe('paths that are none', () => {
  test.each([
    ['misnamed', '2026-02-30_00-00-00-000000.mp4'],
    ['misnamed', '2026-13-01_00-00-00-000000.mp4'],
    ['misnamed', '2026-03-29_24-00-00-000000.mp4'],
    ['misnamed', '2026-03-29_00-60-00-000000.mp4'],
    ['misnamed', '0000-00-00_00-00-00-000000.mp4'],
    ['unfinished', '2026-03-29_01-24-00-000000.mp4.part'],
    ['unfinished', '2026-03-29_01-24-00-000000.mp4.tmp'],
    ['unfinished', '2026-03-29_01-24-00-000000.part.mp4'],
    ['unfinished', 'incomplete.mp4'],
    ['unfinished', '.2026-03-29_01-24-00-000000.mp4.Ab12Cd'],
    ['ignored', '2026-03-29_01-24-00-000000.jpg'],
    ['ignored', '2026-03-29_01-24-00-000000.mp4.json'],
    ['ignored', 'index.m3u8'],
    ['ignored', 'recorder.db-wal'],
    ['ignored', '.DS_Store'],
    ['ignored', '@eaDir/2026-03-29_01-24-00-000000.mp4'],
    ['foreign', 'holiday.mp4'],
    ['foreign', '2026-3-29_1-24-0-0.mp4'],
    ['foreign', '2026-03-29_01-24-00-000000.exe'],
    ['foreign', '2026-03-29_01-24-00-000000'],
    ['foreign', '../2026-03-29_01-24-00-000000.mp4'],
  ])('%s: yard/%s', (reason, name) => {
    expect(layoutFromConfig(mediamtxUtc, site).decode(`yard/${name}`)).toMatchObject({ kind: 'miss', reason });
  });

  test.each([
    '',
    '/',
    'mp4',
    '.mp4',
    '2026-03-29_01-24-00-000000.mp4',
    'a//2026-03-29_01-24-00-000000.mp4',
    'a\0b.mp4',
  ])('foreign: %j', (path) => {
    expect(layoutFromConfig(mediamtxUtc, site).decode(path).kind).toBe('miss');
  });

  test('an epoch in milliseconds and an offset of 99 hours are misnamed', () => {
    const bySecond = layoutFromConfig({ template: '%path/%s' }, site);
    expect(bySecond.decode('p/1774745640000.mp4')).toMatchObject({ reason: 'misnamed' });
    const byOffset = layoutFromConfig({ template: '%path/%Y%m%d%H%M%z' }, site);
    expect(byOffset.decode('p/202603290124+9900.mp4')).toMatchObject({ reason: 'misnamed' });
  });

  test('a folder that contradicts the name is foreign', () => {
    const layout = layoutFromConfig({ template: '%camera/%Y%m%d/%Y%m%d%H%M' }, site);
    expect(layout.decode('c/20260228/202602272359.mp4')).toMatchObject({ reason: 'foreign' });
  });

  test('every string gets an answer, and soon', () => {
    const layouts = [...layoutNames(), mediamtxUtc, { template: '%path/%*x%*y%*%s' }].map((config) =>
      layoutFromConfig(config, site),
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.stringMatching(/^[0-9xy/._%-]{0,200}\.mp4$/),
    );
    fc.assert(
      fc.property(text, (path) => {
        for (const layout of layouts) expect(['match', 'miss']).toContain(layout.decode(path).kind);
      }),
      { numRuns: 200 },
    );
    const hard = `${'xy1'.repeat(1300)}.mp4`;
    const before = performance.now();
    for (const layout of layouts) layout.decode(`p/${hard}`);
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

describe('configuration', () => {
  test('a list: the first match wins, else the most telling miss', () => {
    const config: LayoutConfig = [
      mediamtxUtc,
      { template: '%path/%Y-%m-%d/%H/%M.%S', timezone: 'Europe/Berlin' },
      { template: '%path/%s' },
      { template: '%path/%Y-%m-%d_%H-%M-%S%*', timezone: 'UTC' },
    ];
    expect(layoutConfig.parse(config)).toEqual(config);
    const cameraAndTime = (path: string): [string, string] => {
      const result = match(config, path);
      return [result.camera, new Date(instantOf(result.start) / 1000).toISOString()];
    };
    expect(cameraAndTime('yard/2026-03-29_00-54-00-000000.mp4')).toEqual(['yard', '2026-03-29T00:54:00.000Z']);
    expect(cameraAndTime('lobby/2026-03-29/01/57.00.mp4')).toEqual(['lobby', '2026-03-29T00:57:00.000Z']);
    expect(cameraAndTime('lobby/2026-03-29/03/00.00.mp4')).toEqual(['lobby', '2026-03-29T01:00:00.000Z']);
    expect(cameraAndTime('parking/1774746000.mkv')).toEqual(['parking', '2026-03-29T01:00:00.000Z']);
    expect(cameraAndTime('edge/2026-03-29_01-15-00.ts')).toEqual(['edge', '2026-03-29T01:15:00.000Z']);
    expect(cameraAndTime('edge/Kamera/2026-03-29_01-09-00 入口.mp4')[0]).toBe('edge/Kamera');
    const layout = layoutFromConfig(config, site);
    expect(layout.decode('edge/2026-03-29_25-09-00.mp4')).toMatchObject({ reason: 'misnamed' });
    expect(layout.decode('edge/2026-03-29_01-24-00.mp4.part')).toMatchObject({ reason: 'unfinished' });
    expect(layout.decode('edge/holiday.mp4')).toMatchObject({ reason: 'foreign' });
  });

  test.each([
    ['not a token', { template: '%path/%Q' }],
    ['when a segment starts', { template: '%path/name' }],
    ['when a segment starts', { template: '%path/%Y-%m-%d' }],
    ['which camera', { template: '%Y-%m-%d_%H-%M-%S' }],
    ['camera twice', { template: '%path/%camera/%s' }],
    ['below the root', { template: '/var/%path/%s' }],
    ['below the root', { template: '%path/../%s' }],
    ['three "%*"', { template: '%path/%*a%*b%*c%*%s' }],
    ['time zone', { template: '%path/%Y-%m-%d_%H-%M-%S', timezone: 'Europe/Kopenhagen' }],
    ['no layout "frigatte"', 'frigatte'],
    ['no layout "../gateway"', '../gateway'],
    ['no layout "constructor"', 'constructor'],
    ['only proposes', 'auto'],
    ['when a segment starts', { template: '%path/%y-%m' }],
  ])('refused, with a remedy: %s', (what, config) => {
    const error = refusal(config);
    expect(error.code).toBe('config-invalid');
    expect(error.message).toContain(what);
    expect(error.remedy).toBeTruthy();
  });

  test('unknown keys are refused', () => {
    expect(layoutConfig.safeParse({ template: '%path/%s', zone: 'UTC' }).success).toBe(false);
    expect(layoutConfig.safeParse([]).success).toBe(false);
  });
});
