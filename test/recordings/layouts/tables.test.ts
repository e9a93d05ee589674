import { describe, expect, test } from 'vitest';
import { formatUtc, localToUs } from '../../../src/domain/time.js';
import {
  layoutFromConfig,
  layoutNames,
  readTemplateFile,
  templateNames,
  type LayoutMatch,
  type LayoutMiss,
  type NameTime,
} from '../../../src/recordings/layouts/index.js';
import { tables } from './tables.js';

const site = { siteTimezone: 'Europe/Copenhagen' };

function timeOf(start: NameTime): string {
  if (start.kind === 'utc') return formatUtc(start.us);
  const { year, month, day } = start.fields;
  if (start.kind === 'date') return `day ${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
  const reading = localToUs(start.fields, start.timeZone);
  return reading.kind === 'exact' ? formatUtc(reading.us) : reading.kind === 'ambiguous' ? 'twice' : 'never';
}

function verdictOf(result: LayoutMatch | LayoutMiss): string {
  const { camera, start } = result;
  const whose = [camera, start === undefined ? undefined : `@ ${timeOf(start)}`];
  const first = result.kind === 'match' ? (result.open === true ? 'open' : undefined) : result.reason;
  return [first, ...whose].filter((part) => part !== undefined).join(' ');
}

describe.each(tables)('$layout $config', ({ layout: name, config, rows, clock }) => {
  const layout = layoutFromConfig(config ?? name, site);

  test.each(rows.map(([path, verdict, why = '']) => [path, verdict, why] as const))(
    '%s is %s',
    (path, verdict, why) => {
      const result = layout.decode(path);
      expect(verdictOf(result)).toBe(verdict);
      if (result.kind === 'miss') {
        expect(result.detail).toContain(why);
        expect(result.detail).not.toBe('');
      }
    },
  );

  test('a recording, and what is none, are in its table; both hours of a clock change where its names are local', () => {
    const verdicts = rows.map(([, verdict]) => verdict);
    expect(verdicts.some((verdict) => / @ .*\d$|Z$/.test(verdict))).toBe(true);
    expect(verdicts.some((verdict) => /^(?:foreign|misnamed)/.test(verdict)) || config !== undefined).toBe(true);
    for (const hour of clock === 'local' ? ['@ twice', '@ never'] : []) {
      expect(verdicts.filter((verdict) => verdict.endsWith(hour)).length, hour).toBeGreaterThan(0);
    }
  });

  test('what it writes, it reads: any camera, now and in both hours of a clock change', () => {
    for (const us of [1_782_900_330e6, 1_792_888_200e6, 1_792_891_800e6, 1_774_749_600e6]) {
      const camera = layout.decode(layout.encode('000007', us)).camera ?? '';
      const path = layout.encode(camera, us);
      const found = layout.decode(path);
      if (found.kind === 'miss') throw new Error(`${path}: ${found.detail}`);
      if (found.start.kind === 'utc') expect(found.start.us).toBe(us);
      else expect(verdictOf(found)).toMatch(/@ (?:day 2026-\d\d-\d\d|2026-\S+Z|twice)$/);
    }
  });
});

test('every layout has a table, and every template file the examples that it gives', () => {
  expect(new Set(tables.map(({ layout }) => layout))).toEqual(new Set([...layoutNames(), 'template']));
  for (const name of templateNames()) {
    for (const { path, camera, start } of readTemplateFile(name).examples) {
      const wanted = `${camera} @ ${formatUtc(Date.parse(start) * 1000)}`;
      expect(verdictOf(layoutFromConfig(name, site).decode(path)), path).toBe(wanted);
    }
  }
});

test('a fragment names the initialisation segment in its folder, and no other file does', () => {
  const viseron = layoutFromConfig('viseron', site);
  expect(viseron.decode('segments/lobby/1782900330.m4s')).toMatchObject({ init: 'segments/lobby/init.mp4' });
  const free = layoutFromConfig({ template: '%camera/%s' }, site);
  expect(free.decode('lobby/1782900330.m4s')).toMatchObject({ init: 'lobby/init.mp4' });
  expect(free.decode('lobby/1782900330.mp4')).not.toHaveProperty('init');
});
