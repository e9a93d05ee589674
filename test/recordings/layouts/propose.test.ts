import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config.js';
import { GatewayError } from '../../../src/errors.js';
import { layoutFromConfig, layoutNames, type LayoutConfig } from '../../../src/recordings/layouts/index.js';
import { proposeLayout, type LayoutProposal } from '../../../src/recordings/layouts/propose.js';
import { sampleNames } from '../../../src/recordings/layouts/sample.js';
import { footagePath, withoutFootage } from '../../helpers/footage.js';
import { tempFolder } from '../../helpers/site.js';

const siteTimezone = 'Europe/Copenhagen';
const nowUs = Date.parse('2026-07-10T00:00:00Z') * 1000;
const firstUs = Date.parse('2026-07-01T10:00:00Z') * 1000;
const minuteUs = 60e6;

const propose = (root: string): LayoutProposal => proposeLayout(root, { siteTimezone, nowUs });

function put(root: string, path: string, lastWriteUs = firstUs): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), '');
  utimesSync(join(root, path), lastWriteUs / 1e6, lastWriteUs / 1e6);
}

/** An archive as this layout would write it: cameras 1 to 3, ten files each over half a day, of 40 minutes. */
function archive(config: LayoutConfig, root = tempFolder()): string {
  const layout = layoutFromConfig(config, { siteTimezone });
  for (const camera of ['1', '2', '3']) {
    for (let index = 0; index < 10; index += 1) {
      const startUs = firstUs + index * 70 * minuteUs;
      put(root, layout.encode(camera, startUs), startUs + 40 * minuteUs);
    }
  }
  return root;
}

describe('what is proposed', () => {
  it.each(layoutNames())('%s, for what it would write itself', (name) => {
    const proposal = propose(archive(name));
    expect(proposal).toMatchObject({ layout: name, line: `layout: ${name}`, recordings: 30, unread: 0 });
    expect(proposal.candidates[0]).toMatchObject({ name, matched: 30, cameras: 3 });
    expect(proposal.why.join('\n')).toMatch(
      new RegExp(`${name} reads 30 of 3 cameras, such as .* camera "\\d+", .*Z\\.`),
    );
    expect(proposal.sample.complete).toBe(true);
  });

  it('nothing where no layout reads half of the recordings; companions and links are none', () => {
    const root = archive('motioneye');
    put(root, '1/2026-07-01/12-05-30.mp4.thumb');
    put(root, 'strange.mp4');
    put(root, 'readme.txt');
    symlinkSync('/', join(root, 'everything'));
    archive('bluecherry', join(root, 'old'));
    const proposal = propose(root);
    expect(proposal).toMatchObject({ layout: null, recordings: 61 });
    expect(proposal.why.join('\n')).toContain('No layout reads half of them');
    expect(proposal.candidates[0]).toMatchObject({ name: 'motioneye', matched: 30 });
  });

  it('what the proposal leaves over is counted and shown', () => {
    const root = archive('motioneye');
    put(root, 'strange.mp4');
    put(root, '1/2026-07-01/25-00-00.mp4');
    const proposal = propose(root);
    expect(proposal).toMatchObject({ layout: 'motioneye', recordings: 32, unread: 2 });
    expect(proposal.candidates).toMatchObject([{ name: 'motioneye', matched: 30, misnamed: 1 }]);
    expect(proposal.why.at(-1)).toMatch(/^2 would lie in quarantine, such as .*strange\.mp4/);
  });

  it('both layouts of a Frigate that was upgraded', () => {
    const proposal = propose(archive('frigate-0.11', archive('frigate')));
    expect(proposal.layout).toEqual(['frigate', 'frigate-0.11']);
    expect(proposal.line).toBe('layout: [frigate, frigate-0.11]');
  });

  it('UTC for a recorder whose last writes say so, local time where they say that, and doubt where they are a copy’s', () => {
    const inUtc = propose(archive({ name: 'mediamtx', timezone: 'UTC' }));
    expect(inUtc.layout).toEqual({ name: 'mediamtx', timezone: 'UTC' });
    expect(inUtc.line).toBe('layout: { name: mediamtx, timezone: UTC }');
    expect(inUtc.why.join('\n')).toContain(
      'of 30 last writes 0 fit names in the time of Europe/Copenhagen, 30 names in UTC',
    );
    const root = archive('mediamtx');
    expect(propose(root).why.join('\n')).toMatch(/30 fit names in the time of Europe\/Copenhagen, 0 names in UTC\./);
    const layout = layoutFromConfig('mediamtx', { siteTimezone });
    for (let index = 0; index < 10; index += 1) {
      for (const camera of ['1', '2', '3']) put(root, layout.encode(camera, firstUs + index * 70 * minuteUs), nowUs);
    }
    const copied = propose(root);
    expect(copied.layout).toBe('mediamtx');
    expect(copied.why.join('\n')).toContain('That does not tell: compare a name with a clock in its picture');
  });

  it('a template made from the names where no layout reads them, in UTC where the last writes say so', () => {
    const template = '%path/%Y%m%d/clip-%H%M%S';
    const root = archive({ template, timezone: 'UTC' });
    const proposal = propose(root);
    expect(proposal).toMatchObject({ layout: { template, timezone: 'UTC' }, unread: 0, candidates: [] });
    expect(proposal.why.join('\n')).toContain('It was made from the names');
    const text = `site: { name: Test }\nroots:\n  - { id: nvr, path: ${root}, ${proposal.line ?? ''} }\n`;
    expect(parseConfig(text, join(root, '../g.yaml')).roots[0]?.layout).toEqual(proposal.layout);
  });

  it('nothing where every file would be a camera of its own', () => {
    const root = tempFolder();
    for (let event = 1; event <= 30; event += 1)
      put(root, `${event}-01-202607011205${String(event).padStart(2, '0')}.mkv`);
    const proposal = propose(root);
    expect(proposal.layout).toBeNull();
    expect(proposal.why.join('\n')).toMatch(/cameras for \d+ files are not likely/);
  });

  it.each([
    ['an empty root', []],
    ['companions alone', ['index.m3u8', 'a/b.jpg', 'motion.log']],
    ['names of no layout', ['a/1.mp4', 'a/2.mp4', 'b/c/d.mkv']],
    ['times that cannot be', ['yard/2026-02-30_12-00-00-000000.mp4', 'yard/2199-01-01_12-00-00-000000.mp4']],
  ])('nothing for %s', (_what, paths) => {
    const root = tempFolder();
    for (const path of paths) put(root, path);
    expect(propose(root)).toMatchObject({ layout: null, line: null });
  });

  it('nothing for a root that is not there', () => {
    const proposal = propose(join(tempFolder(), 'nowhere'));
    expect(proposal).toMatchObject({ layout: null, sample: { unreadable: [''] } });
    expect(proposal.why.join('\n')).toContain('could not be read');
  });

  it('a hostile name begins no line of its own', () => {
    const root = archive('frigate');
    put(root, 'x\nlayout: { name: mediamtx }\u001b[2J.mp4');
    const proposal = propose(root);
    expect(proposal.layout).toBe('frigate');
    expect(proposal.why.every((line) => !/\p{Cc}/u.test(line))).toBe(true);
  });
});

describe('the work is bounded', () => {
  it('in one folder of many files', () => {
    const root = tempFolder();
    mkdirSync(join(root, 'segments/1'), { recursive: true });
    for (let index = 0; index < 3000; index += 1)
      writeFileSync(join(root, `segments/1/${1_782_900_000 + index * 10}.m4s`), '');
    expect(sampleNames(root)).toMatchObject({ complete: false, folders: 3 });
    expect(sampleNames(root).files).toHaveLength(256);
    expect(propose(root)).toMatchObject({ layout: 'viseron', sample: { complete: false } });
  });

  it('in many folders, and it comes down to the files in each part of the tree all the same', () => {
    const root = tempFolder();
    for (let camera = 1; camera <= 6; camera += 1) {
      for (let index = 0; index < 40; index += 1) {
        const two = (value: number): string => String(value).padStart(2, '0');
        put(root, `${camera}/26/07/${two(1 + (index % 9))}/${two(index % 24)}/${two(index)}/00/${index}-video.mp4`);
      }
    }
    const sample = sampleNames(root, { folders: 120, namesPerFolder: 20, files: 1000 });
    expect(sample.complete).toBe(false);
    expect(sample.folders).toBeLessThanOrEqual(120);
    expect(new Set(sample.files.map((path) => path.split('/')[0])).size).toBe(6);
    expect(propose(root)).toMatchObject({ layout: 'zoneminder' });
  });

  it('in a chain of folders deeper than any recorder makes', () => {
    const root = tempFolder();
    mkdirSync(join(root, 'd/'.repeat(900)), { recursive: true });
    expect(sampleNames(root)).toMatchObject({ folders: 600, complete: false, files: [] });
  });
});

describe('layout: auto', () => {
  const fault = (root: string): string => {
    try {
      parseConfig(
        `site: { name: Test }\nroots:\n  - { id: nvr, path: ${root}, layout: auto }\n`,
        join(root, '../g.yaml'),
      );
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'config-invalid') return error.message;
      throw error;
    }
    throw new Error('was taken');
  };

  it('starts nothing: it says what to write, and why', () => {
    const root = join(tempFolder(), 'r');
    archive('shinobi', root);
    expect(fault(root)).toMatch(
      /g\.yaml:3: "auto" only proposes: if this is right, write "layout: shinobi"\.\n {2}Looked at 30/,
    );
    const empty = join(tempFolder(), 'r');
    mkdirSync(empty);
    expect(fault(empty)).toMatch(/no layout is proposed\.\n {2}Looked at 0 files/);
  });

  it('takes a layout by name with a time zone or a camera, and refuses auto among others', () => {
    const root = join(tempFolder(), 'r');
    mkdirSync(root);
    const parse = (layout: string): unknown =>
      parseConfig(
        `site: { name: Test }\nroots:\n  - { id: nvr, path: ${root}, layout: ${layout} }\n`,
        join(root, '../g.yaml'),
      ).roots[0]?.layout;
    expect(parse('{ name: mediamtx, timezone: UTC }')).toEqual({ name: 'mediamtx', timezone: 'UTC' });
    expect(parse('[frigate, { name: motion, camera: gate }]')).toEqual(['frigate', { name: 'motion', camera: 'gate' }]);
    expect(() => parse('[frigate, auto]')).toThrow(/only proposes/);
    expect(() => parse('{ name: mediamtx, timezone: Europe/Kopenhagen }')).toThrow(/time zone/);
  });
});

describe.skipIf(withoutFootage('proposals for real recordings', 'recordings-motion'))('real recordings', () => {
  it('proposes nothing for a mixture of layouts, and a template for file names of one’s own', () => {
    const november = { siteTimezone, nowUs: Date.parse('2026-11-30T00:00:00Z') * 1000 };
    expect(proposeLayout(footagePath('recordings-small'), november)).toMatchObject({ layout: null, recordings: 20 });
    const motion = proposeLayout(footagePath('recordings-motion'), november);
    expect(motion).toMatchObject({ layout: { template: '%path/%Y-%m-%d/%H-%M-%S-ev%i' }, recordings: 4, unread: 0 });
    expect(motion.line).toBe('layout: { template: "%path/%Y-%m-%d/%H-%M-%S-ev%i" }');
  });
});
