/** What is kept of each clock, and that no wrong one makes footage live longer than it may. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatUtc } from '../../src/domain/time.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { clocksOf } from '../../src/store/segment-clocks.js';
import { removeSegment, segmentsOfRoot } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import { tempFolder } from '../helpers/site.js';
import { clipOf, makeSite, type Site } from './layout-site.js';
import { ffmpeg, withRecorderClock } from './make-media.js';

const us = (iso: string): number => Date.parse(iso) * 1000;
const day = 86_400e6;
const rows = (site: Site) => [...segmentsOfRoot(site.ctx.store.db, 'nvr')];
const clocksOfFirst = (site: Site) => clocksOf(site.ctx.store.db, rows(site)[0]?.id ?? 0);

/** Six seconds with this creation time in the container. */
function dated(iso: string): Buffer {
  const path = join(tempFolder(), 'dated.mp4');
  const source = ['-f', 'lavfi', '-i', 'testsrc2=size=96x64:rate=10:duration=6', '-c:v', 'libx264'];
  ffmpeg(...source, '-pix_fmt', 'yuv420p', '-metadata', `creation_time=${iso}`, path);
  return readFileSync(path);
}

describe('what is kept of each clock', () => {
  it('all of them where they disagree, with the one that won and how far the best other one is from it', async () => {
    // A camera whose container says local time and calls it UTC.
    const site = makeSite('frigate', dated('2026-07-01T12:00:00Z'));
    site.put('2026-07-01/10/lobby/00.00.mp4', '2026-07-01T10:00:06Z');
    await scanRoots(site.ctx);
    expect(rows(site)).toMatchObject([
      {
        startUs: us('2026-07-01T10:00:00Z'),
        timeSource: 'name-utc',
        timeQuality: 'disagreeing',
        timeDisagreementMs: 7_194_000,
        mtimeUs: us('2026-07-01T10:00:06Z'),
      },
    ]);
    expect(clocksOfFirst(site)).toEqual({
      nameFromUs: us('2026-07-01T10:00:00Z'),
      nameUntilUs: us('2026-07-01T10:00:00Z'),
      containerUs: us('2026-07-01T12:00:00Z'),
      recorderUs: null,
      writtenUs: us('2026-07-01T10:00:06Z'),
    });
  });

  it("the recorder's own clock beside a name that contradicts it", async () => {
    const start = us('2026-07-01T10:00:00.5Z');
    const site = makeSite('mediamtx', withRecorderClock(clipOf('fragments-sound.mp4'), start));
    site.put('yard/2026-07-01_10-00-00-500000.mp4', '2026-07-01T10:00:06Z');
    await scanRoots(site.ctx);
    expect(rows(site)).toMatchObject([{ startUs: start, timeSource: 'container', timeQuality: 'disagreeing' }]);
    expect(clocksOfFirst(site)).toMatchObject({ nameFromUs: us('2026-07-01T08:00:00.5Z'), recorderUs: start });
  });

  it('both meanings of a name in the repeated hour, though another clock decided it', async () => {
    const site = makeSite('mediamtx', clipOf('sound.mp4'));
    site.put('yard/2026-10-25_02-30-00-000000.mp4', '2026-10-25T01:30:06Z');
    await scanRoots(site.ctx);
    expect(rows(site)).toMatchObject([{ timeSource: 'name-by-mtime', timeQuality: 'agreed' }]);
    expect(clocksOfFirst(site)).toEqual({
      nameFromUs: us('2026-10-25T00:30:00Z'),
      nameUntilUs: us('2026-10-25T01:30:00Z'),
      containerUs: null,
      recorderUs: null,
      writtenUs: us('2026-10-25T01:30:06Z'),
    });
  });

  it('nothing more than row and path where they agree; and it goes when the segment goes, or when they agree at last', async () => {
    const site = makeSite('frigate', dated('2026-07-01T12:00:00Z'));
    site.put('2026-07-01/12/lobby/00.00.mp4', '2026-07-01T12:00:06Z');
    await scanRoots(site.ctx);
    expect(rows(site)).toMatchObject([{ timeQuality: 'agreed', timeDisagreementMs: 0 }]);
    expect(clocksOfFirst(site)).toBeNull();

    const { db } = site.ctx.store;
    const path = '2026-07-01/10/lobby/00.00.mp4';
    site.put(path, '2026-07-01T10:00:06Z');
    await scanRoots(site.ctx);
    const id = rows(site).find((row) => row.path === path)?.id ?? 0;
    expect(clocksOf(db, id)).not.toBeNull();
    site.put(path, '2026-07-01T10:00:07Z', dated('2026-07-01T10:00:00Z'));
    await scanRoots(site.ctx);
    expect(clocksOf(db, id)).toBeNull();
    site.put(path, '2026-07-01T10:00:08Z', dated('2026-07-01T12:00:00Z'));
    await scanRoots(site.ctx);
    expect(clocksOf(db, id)).not.toBeNull();
    removeSegment(db, id);
    expect(clocksOf(db, id)).toBeNull();
  });
});

it('media duration is not wall time: a camera that makes six seconds of video in seven is told by its last write', async () => {
  const site = makeSite('frigate', clipOf('sound.mp4'));
  site.put('2026-07-01/10/lobby/00.00.mp4', '2026-07-01T10:00:07.200Z');
  site.put('2026-07-01/10/lobby/00.07.mp4', '2026-07-01T10:00:14.400Z');
  await scanRoots(site.ctx);
  for (const { startUs, endUs, mtimeUs, timeQuality, timeDisagreementMs } of rows(site)) {
    // The end is that of the media; by how much the wall clock went on longer is beside it.
    expect(Math.abs(endUs - startUs - 6e6)).toBeLessThan(150_000);
    expect(timeQuality).toBe('agreed');
    expect(timeDisagreementMs).toBe(Math.round((mtimeUs - endUs) / 1000));
    expect(timeDisagreementMs).toBeGreaterThan(1000);
  }
});

describe('B7 times that cannot be', () => {
  const received = us('2026-11-01T12:00:00Z');
  const sweep = (site: Site, atUs: number) => {
    site.clock.us = atUs;
    const { store, log, roots } = site.ctx;
    const rootPath = (): string => roots[0]?.path ?? '';
    return applyDeletions({ store, log, dataDir: tempFolder(), marginUs: 12 * 3600e6, rootPath });
  };
  const overdue = (site: Site): boolean =>
    openTasks(site.ctx.store.db).some(({ kind }) => kind === 'quarantine-overdue');

  it('1970 is in quarantine, and overdue at once', async () => {
    const site = makeSite({ template: '%path/%s' }, clipOf('sound.mp4'));
    site.put('yard/86400.mp4', '2026-11-01T11:59:00Z');
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 0, quarantined: [{ reason: 'impossible-time' }] });
    await sweep(site, received);
    expect(overdue(site)).toBe(true);
  });

  it('the far future is in quarantine, and overdue by when it was received', async () => {
    const site = makeSite({ template: '%path/%s' }, clipOf('sound.mp4'));
    site.put(`yard/${us('2031-01-01T00:00:00Z') / 1e6}.mp4`, '2026-11-01T11:59:00Z');
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 0, quarantined: [{ reason: 'impossible-time' }] });
    expect(site.quarantine()[0]).toMatch(/ 2026-11-01T12:00:00Z$/);
    await sweep(site, received + 29 * day);
    expect(overdue(site)).toBe(false);
    await scanRoots(site.ctx);
    await sweep(site, received + 30 * day);
    expect(overdue(site)).toBe(true);
  });

  it('the near future, once it has come, is footage of when it was received, and goes thirty days after that', async () => {
    const site = makeSite({ template: '%path/%s' }, clipOf('sound.mp4'));
    site.put(`yard/${us('2026-11-11T12:00:00Z') / 1e6}.mp4`, '2026-11-01T11:59:00Z');
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 0 });
    site.clock.us = received + 11 * day;
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 1, quarantined: [] });
    const [row] = rows(site);
    expect(formatUtc(row?.startUs ?? 0)).toBe('2026-11-01T12:00:00Z');
    expect(row).toMatchObject({
      timeSource: 'first-seen',
      timeQuality: 'disagreeing',
      timeDisagreementMs: (10 * day) / 1000,
    });
    expect(clocksOfFirst(site)).toMatchObject({ nameFromUs: us('2026-11-11T12:00:00Z') });
    await sweep(site, received + 29 * day);
    expect(rows(site)).toHaveLength(1);
    await sweep(site, received + 30 * day);
    expect(rows(site)).toHaveLength(0);
  });

  it('a zone that was configured wrongly does not count as a wrong clock once it is corrected', async () => {
    const site = makeSite({ name: 'mediamtx', timezone: 'UTC' }, clipOf('sound.mp4'));
    // Copenhagen's time, taken for UTC: an hour ahead.
    site.put('yard/2026-11-01_12-58-00-000000.mp4', '2026-11-01T11:58:06Z');
    expect(await scanRoots(site.ctx)).toMatchObject({ quarantined: [{ reason: 'impossible-time' }] });
    const layout = layoutFromConfig('mediamtx', { siteTimezone: 'Europe/Copenhagen' });
    const ctx = { ...site.ctx, roots: site.ctx.roots.map((root) => ({ ...root, layout })) };
    expect(await scanRoots(ctx)).toMatchObject({ added: 1, quarantined: [] });
    expect(site.segments()).toEqual(['2026-11-01_12-58-00-000000.mp4 yard 2026-11-01T11:58:00Z name-local agreed']);
  });
});
