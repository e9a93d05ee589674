/** The oldest frame on disk, found without the index: real roots and layouts, and what the index says wrongly or not at all. */
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ageByContent, ageByName } from '../../src/recordings/age.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { latenessSince } from '../../src/retention/lateness.js';
import { findOldest, type DiskRoot, type OldestOnDisk } from '../../src/retention/oldest.js';
import { keepOldest, lastMeasured } from '../../src/retention/oldest-record.js';
import { checkStore } from '../../src/store/check.js';
import { liftHold } from '../../src/store/holds.js';
import { openTasks } from '../../src/store/tasks.js';
import { makeClip } from '../helpers/clip.js';
import {
  addCamera,
  addHold,
  addRoot,
  addSegment,
  day,
  hour,
  june,
  makeTestStore,
  type TestStore,
} from '../helpers/store.js';

const layout = layoutFromConfig({ template: '%path/%Y-%m-%d_%H-%M-%S', timezone: 'UTC' }, { siteTimezone: 'UTC' });
const nameOf = (camera: string, startUs: number): string => layout.encode(camera, startUs);

function diskRoot(made: TestStore, id = 'nvr', of = layout): DiskRoot {
  const root = { id, path: made.rootPath(id), layout: of };
  return {
    id,
    path: root.path,
    ageByName: (path, nowUs) => ageByName(root, path, nowUs),
    ageByContent: (path, nowUs) => ageByContent(root, path, nowUs),
  };
}

const look = (made: TestStore, roots = [diskRoot(made)]): Promise<OldestOnDisk> =>
  findOldest({ db: made.db, roots, marginUs: 12 * hour, nowUs: made.nowUs });

function site(): TestStore & { root: string } {
  const made = makeTestStore();
  addCamera(made, 'lobby');
  const root = addRoot(made, 'nvr');
  addSegment(made, { camera: 'lobby', path: nameOf('lobby', june - day), startUs: june - day });
  return Object.assign(made, { root });
}

const cameraOf = (seen: OldestOnDisk, id: string | null): OldestOnDisk['cameras'][number] => {
  const camera = seen.cameras.find(({ cameraId }) => cameraId === id);
  if (camera === undefined) throw new Error(`no camera ${String(id)}`);
  return camera;
};

/** A file that nobody indexed, written long ago. */
function stray(made: TestStore, path: string, ageUs = 10 * day): void {
  const full = join(made.rootPath('nvr'), path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, 'stray');
  const atS = (made.nowUs - ageUs) / 1e6;
  utimesSync(full, atS, atS);
}

const tasks = (made: TestStore): string[] => openTasks(made.db).map(({ kind, subject }) => `${kind} ${subject}`);

describe('C5 the oldest frame on disk', () => {
  test('is told by camera with its limit and the time that is left', async () => {
    const made = site();
    addCamera(made, 'gate', { retentionDays: 3 });
    addSegment(made, { camera: 'gate', path: nameOf('gate', june - 2 * day), startUs: june - 2 * day });
    const startUs = june - 29 * day;
    addSegment(made, { camera: 'lobby', path: nameOf('lobby', startUs), startUs });
    const seen = await look(made);
    expect(seen).toMatchObject({ ok: true, findings: [], problems: [] });
    expect(cameraOf(seen, 'lobby')).toMatchObject({
      files: 2,
      oldest: { startUs, source: 'name', legalUs: startUs + 30 * day, dueUs: startUs + 29.5 * day, leftUs: day },
      overLimit: 0,
      due: 0,
    });
    expect(cameraOf(seen, 'gate').oldest).toMatchObject({ dueUs: june + day, legalUs: june + 28 * day });
  });

  test('a file that the index holds to be young is found by its name', async () => {
    const made = site();
    const path = nameOf('lobby', june - 31 * day);
    addSegment(made, { camera: 'lobby', path, startUs: june - day });
    const seen = await look(made);
    expect(seen.ok).toBe(false);
    expect(seen.findings).toMatchObject([{ what: 'over-limit', path, cameraId: 'lobby', leftUs: -day }]);
    await keepOldest(made.store, 12 * hour, seen);
    expect(tasks(made)).toEqual(['footage-over-limit camera:lobby']);
    expect(openTasks(made.db)[0]?.detail).not.toContain(path);
  });

  test('a file that no table knows is found, whatever its age; one that was just written is left to the next scan', async () => {
    const made = site();
    stray(made, nameOf('lobby', june - 10 * day));
    stray(made, nameOf('nobody', june - 10 * day));
    stray(made, nameOf('lobby', june - hour), hour);
    const seen = await look(made);
    expect(seen.findings.map(({ what, cameraId }) => `${what} ${String(cameraId)}`).sort()).toEqual([
      'not-indexed lobby',
      'not-indexed nobody',
    ]);
    await keepOldest(made.store, 12 * hour, seen);
    expect(tasks(made)).toEqual(['footage-not-indexed camera:lobby', 'footage-not-indexed camera:nobody']);
  });

  test('a camera that nobody registered has the limit of the law all the same', async () => {
    const made = site();
    stray(made, nameOf('ghost', june - 30 * day), 30 * day);
    expect(cameraOf(await look(made), 'ghost')).toMatchObject({ overLimit: 1, notIndexed: 1 });
  });

  test('pictures, and recordings whose name tells nothing, count by their last write at the latest', async () => {
    const made = site();
    stray(made, 'lobby/still.jpg', 31 * day);
    stray(made, 'lobby/export.mp4', 3 * day);
    stray(made, 'lobby/notes.txt', 400 * day);
    const unknown = cameraOf(await look(made), null);
    expect(unknown).toMatchObject({ files: 2, overLimit: 1, notIndexed: 2 });
    expect(unknown.oldest).toMatchObject({ path: 'lobby/still.jpg', source: 'last-write' });
  });

  test('a recording without a time in its name is asked for its own clock, though it was copied today', async () => {
    const made = site();
    const path = join(made.root, 'lobby/export.mp4');
    await makeClip(path, { seconds: 1, args: ['-metadata', 'creation_time=2026-05-01T00:00:00Z'] });
    const unknown = cameraOf(await look(made), null);
    expect(unknown.oldest).toMatchObject({
      path: 'lobby/export.mp4',
      source: 'content',
      startUs: Date.UTC(2026, 4, 1) * 1000,
    });
    expect(unknown.overLimit).toBe(1);
  });

  test('of names with the day alone, the last write within that day tells the hour, and no other', async () => {
    const made = makeTestStore();
    addCamera(made, '1');
    addRoot(made, 'nvr');
    const zoneminder = layoutFromConfig('zoneminder', { siteTimezone: 'UTC' });
    // 2026-05-16 is 30 days and 12 hours before: over the limit at midnight, not yet at 13:00.
    const within = '1/2026-05-16/100/100-video.mp4';
    stray(made, within, 30 * day - hour);
    const seen = await look(made, [diskRoot(made, 'nvr', zoneminder)]);
    expect(cameraOf(seen, '1')).toMatchObject({ overLimit: 0, oldest: { source: 'last-write', leftUs: hour } });
    // Copied today: the whole day counts as from its first instant.
    const [atS] = [made.nowUs / 1e6];
    utimesSync(join(made.rootPath('nvr'), within), atS, atS);
    const later = await look(made, [diskRoot(made, 'nvr', zoneminder)]);
    expect(cameraOf(later, '1')).toMatchObject({ overLimit: 1, oldest: { source: 'name-day', leftUs: -12 * hour } });
  });

  test('what a hold keeps is told apart and is no alarm; lifted, it is one', async () => {
    const made = site();
    const startUs = june - 40 * day;
    addSegment(made, { camera: 'lobby', path: nameOf('lobby', startUs), startUs });
    addHold(made, { id: 'h1', cameras: ['lobby'], startUs: startUs + hour / 60, endUs: startUs + hour });
    const seen = await look(made);
    expect(cameraOf(seen, 'lobby')).toMatchObject({
      held: 1,
      overLimit: 0,
      oldestHeld: { startUs },
      oldest: { startUs: june - day },
    });
    expect(seen.ok).toBe(true);
    made.store.act('user:legal', (note) => {
      liftHold(made.db, 'h1', 'user:legal', made.nowUs);
      note('hold.lifted', 'hold:h1', {});
    });
    expect(cameraOf(await look(made), 'lobby')).toMatchObject({ held: 0, overLimit: 1 });
  });

  test('a hold beside a stray file does not excuse it', async () => {
    const made = site();
    const startUs = june - 40 * day;
    stray(made, nameOf('lobby', startUs), 40 * day);
    addHold(made, { id: 'h1', cameras: ['lobby'], startUs: startUs + hour / 60, endUs: startUs + hour });
    expect(cameraOf(await look(made), 'lobby')).toMatchObject({ held: 0, overLimit: 1 });
  });

  test('links are not followed, and the marker of the root is none of it', async () => {
    const made = site();
    const outside = join(made.dir, 'outside.mp4');
    writeFileSync(outside, 'x');
    symlinkSync(outside, join(made.root, nameOf('lobby', june - 50 * day)));
    writeFileSync(join(made.root, '.tredive-root'), 'x');
    expect(await look(made)).toMatchObject({ ok: true });
  });

  test('a disk that is not mounted is not an empty archive', async () => {
    const made = site();
    renameSync(made.root, `${made.root}-away`);
    mkdirSync(made.root);
    const seen = await look(made);
    expect(seen.ok).toBe(false);
    expect(seen.problems).toMatchObject([{ rootId: 'nvr' }]);
    await keepOldest(made.store, 12 * hour, seen);
    expect(tasks(made)).toEqual(['oldest-unknown root:nvr']);
    rmSync(made.root, { recursive: true });
    expect((await look(made)).problems).toHaveLength(1);
    renameSync(`${made.root}-away`, made.root);
    await keepOldest(made.store, 12 * hour, await look(made));
    expect(tasks(made)).toEqual([]);
  });

  test('is kept in the log without a path, and the newest is found again, also as of an earlier day', async () => {
    const made = site();
    expect(lastMeasured(made.db)).toBeNull();
    const first = await keepOldest(made.store, 12 * hour, await look(made));
    made.nowUs += day;
    const second = await keepOldest(made.store, 12 * hour, await look(made));
    expect(lastMeasured(made.db)).toEqual(second);
    expect(lastMeasured(made.db, june + 1)).toEqual(first);
    expect(JSON.stringify(second)).not.toContain('.mp4');
    expect(checkStore(made.db)).toEqual([]);
  });
});

describe('lateness', () => {
  const measure = (made: TestStore) => latenessSince(made.db, 0, 12 * hour);

  test('is measured against due on each record: median, worst, and what passed the law', async () => {
    const made = site();
    for (const lateUs of [0, hour, 3 * hour, 13 * hour]) {
      const startUs = june - 29.5 * day - lateUs;
      addSegment(made, { camera: 'lobby', path: nameOf('lobby', startUs), startUs, minutes: 60 });
    }
    expect(await applyDeletions(made.retention)).toMatchObject({ deleted: 4 });
    expect((await measure(made)).get('lobby')).toEqual({
      unlinked: 4,
      absent: 0,
      footageUs: 4 * hour,
      medianUs: hour,
      worstUs: 13 * hour,
      misses: 1,
      worstMissUs: hour,
    });
  });

  test('of footage that was held counts from the end of the hold', async () => {
    const made = site();
    const startUs = june - 40 * day;
    addSegment(made, { camera: 'lobby', path: nameOf('lobby', startUs), startUs });
    made.nowUs = startUs + 29 * day;
    addHold(made, { id: 'h1', cameras: ['lobby'], startUs, endUs: startUs + hour, reviewUs: june - hour });
    made.nowUs = june;
    await applyDeletions(made.retention);
    expect((await measure(made)).get('lobby')).toMatchObject({ medianUs: hour, misses: 0 });
  });

  test('a hold that came after the limit excuses nothing', async () => {
    const made = site();
    const startUs = june - 40 * day;
    addSegment(made, { camera: 'lobby', path: nameOf('lobby', startUs), startUs });
    made.nowUs = june - 2 * day;
    addHold(made, { id: 'h1', cameras: ['lobby'], startUs, endUs: startUs + hour, reviewUs: june - hour });
    made.nowUs = june;
    await applyDeletions(made.retention);
    expect((await measure(made)).get('lobby')).toMatchObject({ misses: 1, worstMissUs: 10 * day });
  });
});
