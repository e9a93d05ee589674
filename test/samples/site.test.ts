import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALL_FORMATS, FilePathSource, Input } from 'mediabunny';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cutOff, stampCreation } from '../../samples/mp4.js';
import { makeSite, type Site } from '../../samples/site.js';
import { loadConfig } from '../../src/config.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';

const hourUs = 3_600_000_000;
/** Counted back by whole hours and days from here, a segment would lie in the repeated hour of 25 October. */
const now = new Date('2026-11-22T07:37:11Z');
let site: Site;
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tredive-site-'));
  site = await makeSite(folder, { now, settings: { api: { port: 0 } } });
}, 240_000);
afterAll(() => rm(site.folder, { recursive: true }));

describe('a sample site', () => {
  it('has a configuration that the gateway accepts', () => {
    const config = loadConfig(site.configFile);
    expect(config.roots.map((root) => root.id)).toEqual(['frigate', 'mediamtx']);
    expect(config.cameras.map((camera) => camera.id)).toEqual(site.cameras.map((camera) => camera.id));
    expect(config.api.port).toBe(0);
    expect(site.cameras.length).toBeGreaterThanOrEqual(3);
    expect(new Set(site.cameras.map((camera) => camera.place)).size).toBe(3);
  });

  it('has exactly the files that it describes', async () => {
    const described = [...site.segments, ...site.bad].map(({ root, path }) => join(root, path)).sort();
    const entries = await readdir(site.folder, { recursive: true, withFileTypes: true });
    const found = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const below = found.map((file) => file.slice(site.folder.length + 1)).filter((file) => file !== 'gateway.yaml');
    expect(below.sort()).toEqual(described);
    expect(new Set(described).size).toBe(described.length);
  });

  it("names every segment as the gateway's own layouts would", () => {
    const config = loadConfig(site.configFile);
    const layouts = new Map(
      config.roots.map((root) => [
        root.id,
        layoutFromConfig(root.layout, { siteTimezone: root.timezone ?? config.site.timezone }),
      ]),
    );
    for (const { root, path, camera, startUs } of site.segments) {
      expect(layouts.get(root)?.decode(path)).toMatchObject({ kind: 'match', camera });
      expect(layouts.get(root)?.encode(camera, startUs as never)).toBe(path);
    }
  });

  it('names none by a local time that happened twice', () => {
    const local = site.segments.filter(({ root }) => root === 'mediamtx').map(({ path }) => path.split('/')[1] ?? '');
    expect(local.some((name) => name.startsWith('2026-10-25_'))).toBe(true);
    expect(local.filter((name) => name.startsWith('2026-10-25_02'))).toEqual([]);
  });

  it('spreads segments over 31 days, some of them due and none near the limit', () => {
    const ages = site.segments.map(({ startUs }) => (site.nowUs - startUs) / hourUs);
    expect(Math.min(...ages)).toBeLessThan(3);
    expect(Math.max(...ages)).toBeGreaterThan(30 * 24);
    expect(Math.max(...ages)).toBeLessThan(31 * 24);
    for (const { startUs, expect: verdict } of site.segments) {
      const age = (site.nowUs - startUs) / hourUs;
      expect(verdict).toBe(age >= 29.5 * 24 ? 'due' : 'keep');
      expect(Math.abs(age - 29.5 * 24)).toBeGreaterThan(1);
    }
    const due = site.segments.filter((segment) => segment.expect === 'due');
    expect(due.length).toBeGreaterThan(20);
    expect(due.length).toBeLessThan(site.segments.length / 4);
  });

  it('records its stretches without a pause, but for the gap', () => {
    expect(site.stretches.map(({ name }) => name)).toEqual(['due', 'gap', 'yesterday', 'today']);
    for (const { name, cameras, startUs, endUs, missing } of site.stretches) {
      for (const camera of cameras) {
        const parts = site.segments
          .filter((segment) => segment.stretch === name && segment.camera === camera)
          .sort((a, b) => a.startUs - b.startUs);
        expect(parts.at(0)?.startUs).toBe(startUs);
        expect(parts.at(-1)?.endUs).toBe(endUs);
        const pauses = parts.slice(1).filter((part, i) => part.startUs !== parts[i]?.endUs);
        expect(pauses).toHaveLength(missing.length === 0 ? 0 : 1);
      }
    }
    expect(site.stretches.find(({ name }) => name === 'due')?.startUs).toBeLessThan(site.nowUs - 29.5 * 24 * hourUs);
  });

  it('has clips whose container tells the same start, and mtimes of a file that was closed then', async () => {
    for (const { camera } of new Map(site.segments.map((segment) => [segment.camera, segment])).values()) {
      const segment = site.segments.find((one) => one.camera === camera && one.stretch === 'yesterday');
      if (segment === undefined) throw new Error(`no segment of ${camera}`);
      const file = join(site.folder, segment.root, segment.path);
      const status = await stat(file);
      expect(status.size).toBe(segment.sizeBytes);
      expect(status.mtimeMs).toBeCloseTo(segment.endUs / 1000, 0);
      using input = new Input({ formats: ALL_FORMATS, source: new FilePathSource(file) });
      expect(await input.computeDuration()).toBe(20);
      expect((await input.getPrimaryAudioTrack()) !== null).toBe(segment.audio);
      const bytes = await readFile(file);
      const mvhd = bytes.indexOf('mvhd');
      expect(bytes.readUInt32BE(mvhd + 8) - 2_082_844_800).toBe(Math.floor(segment.startUs / 1e6));
    }
    expect(site.segments.some((segment) => segment.audio)).toBe(true);
  });

  it('has every kind of bad file', async () => {
    const kinds = site.bad.map(({ why }) => why).sort();
    expect(kinds).toEqual(['companion', 'cut', 'empty', 'foreign', 'garbage', 'misnamed', 'unfinished']);
    for (const { root, path, why } of site.bad) {
      const { size } = await stat(join(site.folder, root, path));
      expect(size === 0).toBe(why === 'empty');
    }
    const cut = site.bad.find(({ why }) => why === 'cut');
    using input = new Input({
      formats: ALL_FORMATS,
      source: new FilePathSource(join(site.folder, cut?.root ?? '', cut?.path ?? '')),
    });
    expect(await input.getPrimaryVideoTrack()).toBeNull();
  });
});

describe('the MP4 patcher', () => {
  it('refuses what is no MP4', () => {
    expect(() => stampCreation(Buffer.from('this is not a clip at all'), 0)).toThrow(/wrong size/);
    expect(() => cutOff(Buffer.alloc(64))).toThrow(/wrong size/);
  });
});
