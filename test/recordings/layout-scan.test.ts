/** What the layouts say, end to end: open files, companions, shared initialisation segments, and which clock tells the start. */
import { linkSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { watchRoots } from '../../src/recordings/watch.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { clipOf, makeSite, now, seconds } from './layout-site.js';
import { splitFragments, withRecorderClock } from './make-media.js';

describe('files under a name that says they are being written', () => {
  it('Kerberos: waits until it is renamed, and takes what an agent left behind that was killed', async () => {
    const site = makeSite('kerberos', clipOf('sound.mp4'));
    const open = '1793534300_1-0_lobby_0-0-0-0_0_0_.mp4';
    site.put(open, '2026-11-01T11:59:00Z');
    site.put('1793440000_3-250_lobby_0-0-0-0_0_0_.mp4', '2026-10-31T09:46:46Z');
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 1, waiting: [{ path: open }], quarantined: [] });
    expect(site.segments()).toEqual([
      '1793440000_3-250_lobby_0-0-0-0_0_0_.mp4 lobby 2026-10-31T09:46:40.25Z name-utc agreed',
    ]);
    renameSync(site.full(open), site.full('1793534300_1-0_lobby_0-0-0-0_-1_6000.mp4'));
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 1, waiting: [], missing: 0, quarantined: [] });
  });

  it('Kerberos, watched: nothing under the open name, the segment under the next', async () => {
    const site = makeSite('kerberos', clipOf('sound.mp4'), new Date().toISOString());
    const start = Math.floor(Date.now() / 1000) - seconds;
    const open = `${start}_1-0_lobby_0-0-0-0_0_0_.mp4`;
    const stop = new AbortController();
    const watcher = await watchRoots(site.ctx, { signal: stop.signal });
    try {
      writeFileSync(site.full(open), clipOf('sound.mp4'));
      await sleep(800);
      expect([site.segments(), site.quarantine()]).toEqual([[], []]);
      renameSync(site.full(open), site.full(`${start}_1-0_lobby_0-0-0-0_-1_6000.mp4`));
      for (let waited = 0; waited < 80 && site.segments().length === 0; waited += 1) await sleep(100);
      expect(site.segments()).toHaveLength(1);
      expect(site.segments()[0]).toMatch(/_-1_6000\.mp4 lobby .* name-utc agreed$/);
    } finally {
      stop.abort();
      await watcher.close();
    }
  });

  it('ZoneMinder: incomplete.mp4 waits, also while it has both names; no link to an event is followed or reported', async () => {
    const site = makeSite('zoneminder', clipOf('sound.mp4'));
    site.put('1/26/11/01/12/50/00/incomplete.mp4', '2026-11-01T11:59:00Z');
    site.put('1/26/10/31/12/50/00/17-video.mp4', '2026-10-31T11:50:06Z');
    linkSync(site.full('1/26/10/31/12/50/00/17-video.mp4'), site.full('1/26/10/31/12/50/00/incomplete.mp4'));
    symlinkSync('12/50/00', site.full('1/26/10/31/.17'));
    symlinkSync('1', site.full('Front'));
    const result = await scanRoots(site.ctx);
    expect(result.waiting.map(({ path }) => path)).toEqual(['1/26/11/01/12/50/00/incomplete.mp4']);
    expect(site.segments()).toEqual(['17-video.mp4 1 2026-10-31T11:50:00Z name-local agreed']);
    expect(site.quarantine()).toEqual([`Front link ${now}`]);
  });

  it('a copy that was broken off is bounded by the time in its name', async () => {
    const site = makeSite('mediamtx', clipOf('sound.mp4'));
    site.put('yard/2026-10-01_12-00-00-000000.mp4.part', '2026-10-02T00:00:00Z');
    site.put('yard/.2026-10-02_12-00-00-000000.mp4.Ab12Cd', '2026-11-01T11:59:59Z');
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 0, waiting: [{}] });
    expect(site.quarantine()).toEqual(['2026-10-01_12-00-00-000000.mp4.part unfinished 2026-10-01T10:00:00Z']);
  });
});

describe('ZoneMinder Medium: the day alone is in the name', () => {
  it('takes the time of day from the last write, where that lies in the day, and else says that nothing tells it', async () => {
    const site = makeSite('zoneminder', clipOf('sound.mp4'));
    site.put('1/2026-10-25/17/17-video.h264.mp4', '2026-10-25T01:30:06Z');
    site.put('1/2026-10-25/18/18-video.h264.mp4', '2026-10-31T20:00:00Z');
    // Midnight to midnight by Copenhagen's clock: 22:00 UTC of the day before, and 25 hours later.
    site.put('1/2026-10-25/19/19-video.h264.mp4', '2026-10-24T22:00:06Z');
    site.put('1/2026-10-25/20/20-video.h264.mp4', '2026-10-24T22:00:05Z');
    site.put('1/2026-10-25/21/21-video.h264.mp4', '2026-10-25T23:00:06Z');
    await scanRoots(site.ctx);
    expect(site.segments()).toEqual([
      '17-video.h264.mp4 1 2026-10-25T01:30:00Z date-by-mtime single',
      '19-video.h264.mp4 1 2026-10-24T22:00:00Z date-by-mtime single',
    ]);
    expect(site.quarantine()).toEqual(
      [18, 20, 21].map((event) => `${event}-video.h264.mp4 no-time-of-day 2026-10-25T23:00:00Z`),
    );
  });
});

describe('Viseron: fragments that share an initialisation segment', () => {
  it('reads them through it, waits in quarantine where it is missing, and looks again once it is there', async () => {
    const { init, fragments } = splitFragments(clipOf('fragments-sound.mp4'));
    const site = makeSite('viseron', fragments);
    site.put('segments/lobby/1793440000.m4s', '2026-10-31T09:46:46Z');
    site.put('segments/lobby/1793440006.m4s', '2026-10-31T09:46:52Z', fragments.subarray(0, fragments.length / 2));
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 0 });
    expect(site.quarantine()).toEqual([
      '1793440000.m4s no-index 2026-10-31T09:46:40Z',
      '1793440006.m4s no-index 2026-10-31T09:46:46Z',
    ]);
    site.put('segments/lobby/init.mp4', '2026-10-31T09:46:46Z', init);
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 2, quarantined: [] });
    const rows = [...segmentsOfRoot(site.ctx.store.db, 'nvr')];
    expect(rows.map(({ truncated, container, sizeBytes }) => ({ truncated, container, sizeBytes }))).toEqual([
      { truncated: false, container: 'fmp4', sizeBytes: fragments.length },
      { truncated: true, container: 'fmp4', sizeBytes: Math.floor(fragments.length / 2) },
    ]);
    expect(Math.abs((rows[0]?.endUs ?? 0) - (rows[0]?.startUs ?? 0) - seconds * 1e6)).toBeLessThan(300_000);
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 0, changed: 0, unchanged: 2 });
  });
});

describe('Copenhagen 2026: the hour that comes twice and the hour that does not come', () => {
  const copied = '2026-10-31T20:00:00Z';

  it.each([
    ['mediamtx', 'yard/2026-10-25_02-30-00-000000.mp4'],
    ['shinobi', 'g/m/2026-10-25T02-30-00.mp4'],
    ['frigate-0.11', '2026-10/25/02/lobby/30.00.mp4'],
    ['bluecherry', '2026/10/25/000001/02-30-00.mp4'],
    ['lightnvr', 'lobby/recording_20261025_023000.mp4'],
    ['motion', 'lobby/01-20261025023000.mp4'],
    ['motioneye', 'Camera1/2026-10-25/02-30-00.mp4'],
    ['blue-iris', 'New/Gate.20261025_023000.mp4'],
    ['zoneminder', '1/26/10/25/02/30/00/17-video.mp4'],
  ])('%s: told by the last write of a file where it was recorded, left open for a copy', async (layout, path) => {
    const site = makeSite(layout, clipOf('sound.mp4'));
    for (const [lastWrite, start] of [
      ['2026-10-25T00:30:07Z', '2026-10-25T00:30:00Z'],
      ['2026-10-25T01:30:07Z', '2026-10-25T01:30:00Z'],
    ] as const) {
      const again = makeSite(layout, clipOf('sound.mp4'));
      again.put(path, lastWrite);
      await scanRoots(again.ctx);
      expect(again.segments()[0]).toMatch(` ${start} name-by-mtime agreed`);
    }
    site.put(path, copied);
    expect(await scanRoots(site.ctx)).toMatchObject({ added: 0 });
    // Bounded by the later of the two.
    expect(site.quarantine()[0]).toMatch(/ ambiguous-local-time 2026-10-25T01:30:00Z$/);
  });

  it("MediaMTX's own clock tells it even in a copy, and one in UTC has no such hours", async () => {
    const site = makeSite('mediamtx', clipOf('fragments-sound.mp4'));
    const start = Date.parse('2026-10-25T01:30:00.250Z') * 1000;
    site.put('yard/2026-10-25_02-30-00-250000.mp4', copied, withRecorderClock(clipOf('fragments-sound.mp4'), start));
    await scanRoots(site.ctx);
    expect(site.segments()).toEqual(['2026-10-25_02-30-00-250000.mp4 yard 2026-10-25T01:30:00.25Z container agreed']);
    const utc = makeSite({ name: 'mediamtx', timezone: 'UTC' }, clipOf('sound.mp4'));
    utc.put('yard/2026-10-25_02-30-00-000000.mp4', copied);
    await scanRoots(utc.ctx);
    expect(utc.segments()[0]).toMatch(/ 2026-10-25T02:30:00Z name-utc single$/);
  });

  it('the missing hour is refused, whatever the last write says, and looked at again when the layout is corrected', async () => {
    const site = makeSite('mediamtx', clipOf('sound.mp4'));
    site.put('yard/2026-03-29_02-30-00-000000.mp4', '2026-03-29T02:30:06Z');
    site.put('yard/2026-03-29_01-59-00-000000.mp4', '2026-03-29T00:59:06Z');
    await scanRoots(site.ctx);
    expect(site.segments()).toEqual(['2026-03-29_01-59-00-000000.mp4 yard 2026-03-29T00:59:00Z name-local agreed']);
    expect(site.quarantine()).toEqual(['2026-03-29_02-30-00-000000.mp4 nonexistent-local-time 2026-03-29T01:30:00Z']);
    const corrected = layoutFromConfig({ name: 'mediamtx', timezone: 'UTC' }, { siteTimezone: 'Europe/Copenhagen' });
    const ctx = { ...site.ctx, roots: site.ctx.roots.map((root) => ({ ...root, layout: corrected })) };
    expect(await scanRoots(ctx)).toMatchObject({ added: 1, quarantined: [] });
    expect(site.segments()[1]).toBe('2026-03-29_02-30-00-000000.mp4 yard 2026-03-29T02:30:00Z name-utc agreed');
  });
});

it('a file that one layout finds foreign is indexed once its root has the right one', async () => {
  const site = makeSite('frigate', clipOf('sound.mp4'));
  site.put('Camera1/2026-10-31/12-05-30.mp4', '2026-10-31T11:05:36Z');
  site.put('Camera1/2026-10-31/12-05-30.mp4.thumb', '2026-10-31T11:05:36Z');
  expect(await scanRoots(site.ctx)).toMatchObject({ added: 0, quarantined: [{ reason: 'foreign' }] });
  const right = layoutFromConfig('motioneye', { siteTimezone: 'Europe/Copenhagen' });
  const ctx = { ...site.ctx, roots: site.ctx.roots.map((root) => ({ ...root, layout: right })) };
  expect(await scanRoots(ctx)).toMatchObject({ added: 1, quarantined: [] });
});

it('a file from the future is indexed when that has come', async () => {
  const site = makeSite('frigate', clipOf('sound.mp4'));
  site.put('2026-11-01/13/lobby/00.00.mp4', '2026-11-01T11:00:00Z');
  expect(await scanRoots(site.ctx)).toMatchObject({ added: 0, quarantined: [{ reason: 'impossible-time' }] });
  site.clock.us += 3600e6;
  expect(await scanRoots(site.ctx)).toMatchObject({ added: 1, quarantined: [] });
});

it("Blue Iris's own format is listed by the time in its name, though it cannot be read", async () => {
  const site = makeSite('blue-iris', Buffer.from('BLUE proprietary bytes, no container that is known here'));
  site.put('Stored/Gate.20261001_120530.bvr', '2026-10-01T10:30:00Z');
  await scanRoots(site.ctx);
  expect(site.quarantine()).toEqual(['Gate.20261001_120530.bvr unknown-format 2026-10-01T10:05:30Z']);
});
