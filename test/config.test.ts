import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, parseConfig, type Config } from '../src/config.js';
import { GatewayError } from '../src/errors.js';
import { tempFolder } from './helpers/site.js';

const reference = readFileSync(new URL('../config/gateway.yaml', import.meta.url), 'utf8');

/** Parses `text` in a folder with `./recordings`. */
function read(text: string): Config {
  const folder = tempFolder();
  mkdirSync(join(folder, 'recordings'));
  return parseConfig(text, join(folder, 'gateway.yaml'));
}

function faultOf(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'config-invalid')
      return error.message.replaceAll(/\S*gateway\.yaml/g, 'gateway.yaml');
    throw error;
  }
  throw new Error('was accepted');
}

const smallest = `site: { name: Main office, timezone: Europe/Copenhagen }
data: ./data
roots:
  - id: nvr1
    path: ./recordings
    layout: frigate
`;

/** The reference with what is commented out brought to life. */
const uncommented = reference.replaceAll(/^(\s*)# ( *(?:- )?[A-Za-z]+:(?: .*)?)$/gm, '$1$2');

describe('config/gateway.yaml is the reference', () => {
  it('is itself a valid configuration', () => {
    expect(read(reference).roots).toHaveLength(1);
  });

  it('states every key there is, with its default', () => {
    const stated = parse(uncommented) as Record<string, Record<string, unknown>>;
    const defaults = read(smallest) as unknown as Record<string, Record<string, unknown>>;
    for (const section of ['recordings', 'retention', 'redaction', 'disclosure', 'discovery', 'clocks', 'api', 'log']) {
      expect({ [section]: stated[section] }).toEqual({ [section]: defaults[section] });
    }
    expect(Object.keys(stated).sort()).toEqual(
      Object.keys(defaults)
        .filter((key) => key !== 'file')
        .sort(),
    );
    const known = read(`${smallest}cameras: [{ id: a }]`).cameras[0];
    const [camera] = stated['cameras'] as unknown as [Record<string, unknown>];
    for (const [key, value] of Object.entries(known ?? {})) {
      if (key !== 'id') expect({ [key]: camera[key] }).toEqual({ [key]: value });
    }
    for (const key of ['label', 'retentionReason', 'purpose', 'signs', 'audioBasis', 'onvif'])
      expect(uncommented).toContain(`${key}:`);
  });

  it('shows a zone as it is written', () => {
    const [, example = ''] = /^ *# *(\[\{ name: .*\}\])/m.exec(reference) ?? [];
    expect(read(`${smallest}cameras: [{ id: a, zones: ${example} }]`).cameras[0]?.zones).toEqual([
      { name: 'window', x: 0.7, y: 0.1, w: 0.3, h: 0.25, kind: 'always-mask' },
    ]);
  });
});

describe('the detector', () => {
  it('is a name, or the path of a manifest relative to the file; vehicles are masked when told so', () => {
    expect(read(smallest).redaction).toMatchObject({ detector: 'active', vehicles: false });
    expect(read(`${smallest}redaction: { detector: centernet }`).redaction.detector).toBe('centernet');
    const { redaction, file } = read(`${smallest}redaction: { detector: models/own.json, vehicles: true }`);
    expect(redaction).toMatchObject({ detector: join(file, '../models/own.json'), vehicles: true });
  });
});

describe('a fault stops the start, with file, line and what to do', () => {
  it.each([
    [
      'an unknown key',
      `${smallest}retenton: {}`,
      'gateway.yaml:7: unknown key "retenton". Did you mean "retention"? Remove or correct it.',
    ],
    [
      'an unknown key inside',
      smallest.replace('layout', 'layuot'),
      /gateway.yaml:6: unknown key "roots\[0\]\.layuot"\. Did you mean "layout"\?/,
    ],
    ['a wrong type', `${smallest}api: { port: many }`, /gateway.yaml:7: "api.port": .*number/],
    [
      'a root that does not exist',
      smallest.replace('./recordings', './nothing-here'),
      /gateway.yaml:5: root "nvr1": .*does not exist\. Correct the path, or mount it/,
    ],
    [
      '31 days',
      `${smallest}cameras:\n  - id: a\n    retentionDays: 31`,
      /gateway.yaml:9: Camera "a": retention of 31 days is not allowed.*1 to 30/,
    ],
    ['0 days', `${smallest}cameras: [{ id: a, retentionDays: 0 }]`, /gateway.yaml:7: .*1 to 30/],
    ['-1 days', `${smallest}cameras: [{ id: a, retentionDays: -1 }]`, /gateway.yaml:7: .*1 to 30/],
    [
      'no limit by null',
      `${smallest}cameras: [{ id: a, retentionDays: null }]`,
      /gateway.yaml:7: "cameras\[0\]\.retentionDays"/,
    ],
    [
      'no limit by word',
      `${smallest}cameras: [{ id: a, retentionDays: unlimited }]`,
      /gateway.yaml:7: "cameras\[0\]\.retentionDays"/,
    ],
    ['an overflow', `${smallest}cameras: [{ id: a, retentionDays: 1e300 }]`, /1 to 30/],
    ['half a day', `${smallest}cameras: [{ id: a, retentionDays: 1.5 }]`, /whole number/],
    [
      'another purpose without a reason',
      `${smallest}cameras: [{ id: a, class: other-purpose, retentionDays: 60 }]`,
      /needs a written reason/,
    ],
    ['a margin below two hours', `${smallest}retention: { marginHours: 1 }`, /gateway.yaml:7: "retention.marginHours"/],
    [
      'a zone beyond the picture',
      `${smallest}cameras:\n  - id: a\n    zones:\n      - { name: window, x: 0.8, y: 0, w: 0.3, h: 1 }`,
      /gateway.yaml:10: "cameras\[0\]\.zones\[0\]": must lie in the picture/,
    ],
    [
      'a zone in pixels',
      `${smallest}cameras: [{ id: a, zones: [{ name: window, x: 100, y: 0, w: 40, h: 40 }] }]`,
      /gateway.yaml:7: "cameras\[0\]\.zones\[0\]\.x"/,
    ],
    [
      'a zone that hides nothing',
      `${smallest}cameras: [{ id: a, zones: [{ name: window, x: 0, y: 0, w: 0, h: 1 }] }]`,
      /"cameras\[0\]\.zones\[0\]": must lie in the picture/,
    ],
    [
      'a zone without a name',
      `${smallest}cameras: [{ id: a, zones: [{ x: 0, y: 0, w: 1, h: 1 }] }]`,
      /zones\[0\]\.name/,
    ],
    ['a camera twice', `${smallest}cameras: [{ id: a }, { id: a }]`, /used twice/],
    [
      'a sub-stream that is a camera too',
      `${smallest}cameras: [{ id: a, substreams: [b] }, { id: b }]`,
      /gateway.yaml:7: sub-stream "b" is a camera of its own too/,
    ],
    ['a camera as its own sub-stream', `${smallest}cameras: [{ id: a, substreams: [a] }]`, /of its own too/],
    [
      'a sub-stream of two cameras',
      `${smallest}cameras: [{ id: a, substreams: [c] }, { id: b, substreams: [c] }]`,
      /gateway.yaml:7: sub-stream "c" is named twice/,
    ],
    ['pictures that are kept for days', `${smallest}stills: { keepHours: 48 }`, /gateway.yaml:7: "stills.keepHours"/],
    ['a key twice', `${smallest}data: ./other`, /gateway.yaml:7: .*unique/],
    [
      'a time zone that there is not',
      smallest.replace('Europe/Copenhagen', 'Europe/Atlantis'),
      /gateway.yaml:1: "site.timezone"/,
    ],
    ['no YAML', 'site: [', /gateway.yaml:\d+: /],
    ['an empty file', '', /gateway.yaml:1: "site"/],
    ['an alias bomb', 'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b]\n', /gateway.yaml/],
  ])('%s', (_what, text, message) => {
    if (typeof message === 'string') expect(faultOf(text)).toBe(message);
    else expect(faultOf(text)).toMatch(message);
  });

  it('names every fault at once', () => {
    expect(faultOf(`${smallest}one: 1\ntwo: 2`).split('\n')).toHaveLength(2);
  });

  it('a root inside another root, also by a link', () => {
    const folder = tempFolder();
    mkdirSync(join(folder, 'recordings', 'inner'), { recursive: true });
    symlinkSync(join(folder, 'recordings', 'inner'), join(folder, 'elsewhere'));
    const file = join(folder, 'gateway.yaml');
    writeFileSync(file, `${smallest}  - { id: nvr2, path: ./elsewhere, layout: frigate }\n`);
    expect(() => loadConfig(file)).toThrow(/lie in one another/);
  });

  it('a file that is not there', () => {
    expect(() => loadConfig('/nowhere/gateway.yaml')).toThrow(/reading the configuration \/nowhere\/gateway\.yaml/);
  });
});

describe('what would be noticed too late', () => {
  it('names the line of a layout that does not exist or cannot work', () => {
    expect(faultOf(smallest.replace('frigate', 'frigat'))).toMatch(
      /^gateway\.yaml:6: There is no layout "frigat"\. Use /,
    );
    expect(faultOf(smallest.replace('frigate', '{ template: "%q" }'))).toMatch(
      /^gateway\.yaml:6: .*"%q" is not a token/,
    );
  });

  it('refuses a data folder inside a root, through a link too', () => {
    expect(faultOf(smallest.replace('./data', './recordings/data'))).toMatch(
      /^gateway\.yaml:2: the data folder .* lies in root "nvr1"/,
    );
    expect(faultOf(smallest.replace('./data', './recordings'))).toContain('lies in root');
    const folder = tempFolder();
    mkdirSync(join(folder, 'recordings'));
    symlinkSync(join(folder, 'recordings'), join(folder, 'elsewhere'));
    expect(() => parseConfig(smallest.replace('./data', './elsewhere/data'), join(folder, 'gateway.yaml'))).toThrow(
      /lies in root/,
    );
  });
});
