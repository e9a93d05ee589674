import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { registerFoundCamera } from '../../src/cameras/register-found.js';
import { silentLog } from '../../src/platform/log.js';
import type { RecordingsContext } from '../../src/recordings/context.js';
import { layoutFromConfig, type LayoutConfig } from '../../src/recordings/layouts/index.js';
import { putSeenRoots } from '../../src/recordings/roots.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { listCameras } from '../../src/store/cameras.js';
import { listQuarantine, overdueQuarantine } from '../../src/store/quarantine.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import { formatUtc } from '../../src/domain/time.js';
import { footagePath, withoutFootage } from '../helpers/footage.js';
import { makeClip } from '../helpers/clip.js';
import { makeTestStore, tempFolder, type TestStore } from '../helpers/site.js';

function contextFor(site: TestStore, path: string, layout: LayoutConfig, quietMs = 50): RecordingsContext {
  const ctx: RecordingsContext = {
    store: site.store,
    log: silentLog,
    roots: [{ id: 'nvr', path, layout: layoutFromConfig(layout, { siteTimezone: 'Europe/Copenhagen' }) }],
    quietMs,
    registerCamera: (note, cameraId, label) => {
      registerFoundCamera(site.store, note, cameraId, label);
    },
  };
  putSeenRoots(ctx);
  return ctx;
}

/** A root in Frigate's layout with one good clip at each given path. */
async function frigateRoot(paths: readonly string[]): Promise<string> {
  const root = join(tempFolder(), 'recordings');
  const clip = await makeClip(join(dirname(root), 'clip.mp4'), { seconds: 2 });
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    copyFileSync(clip, join(root, path));
  }
  return root;
}

const rows = (ctx: RecordingsContext): ReturnType<typeof segmentsOfRoot> extends Generator<infer T> ? T[] : never => [
  ...segmentsOfRoot(ctx.store.db, 'nvr'),
];

describe('scan', () => {
  it('indexes once, says what is unchanged, and gives every found camera a limit and a task', async () => {
    const root = await frigateRoot(['2026-05-31/22/lobby/10.00.mp4', '2026-05-31/22/yard/10.00.mp4']);
    const ctx = contextFor(makeTestStore(), root, 'frigate');
    const first = await scanRoots(ctx);
    expect(first).toMatchObject({ segments: 2, added: 2, unchanged: 0, missing: 0, quarantined: [], refused: [] });
    const [lobby] = rows(ctx);
    expect(formatUtc(lobby?.startUs ?? 0)).toBe('2026-05-31T22:10:00Z');
    expect((lobby?.endUs ?? 0) - (lobby?.startUs ?? 0)).toBe(2_000_000);
    expect(
      listCameras(ctx.store.db).map(({ cameraId, class: cameraClass, retentionDays, adopted }) => ({
        cameraId,
        cameraClass,
        retentionDays,
        adopted,
      })),
    ).toEqual([
      { cameraId: 'lobby', cameraClass: 'crime-prevention', retentionDays: 30, adopted: false },
      { cameraId: 'yard', cameraClass: 'crime-prevention', retentionDays: 30, adopted: false },
    ]);
    expect(
      openTasks(ctx.store.db)
        .map((task) => `${task.kind} ${task.subject}`)
        .sort(),
    ).toEqual(['camera-needs-policy camera:lobby', 'camera-needs-policy camera:yard']);
    expect(await scanRoots(ctx)).toMatchObject({ segments: 2, added: 0, unchanged: 2, changed: 0 });
  });

  it('leaves a file alone while it is being written, and indexes it once it is calm', async () => {
    const root = await frigateRoot(['2026-05-31/22/lobby/10.00.mp4']);
    const file = join(root, '2026-05-31/22/lobby/10.00.mp4');
    const site = makeTestStore(new Date().toISOString());
    const ctx = contextFor(site, root, 'frigate', 150);
    utimesSync(file, new Date(), new Date());
    const writing = setInterval(() => {
      appendFileSync(file, Buffer.alloc(8));
    }, 20);
    const during = await scanRoots(ctx);
    clearInterval(writing);
    expect(during).toMatchObject({
      segments: 0,
      added: 0,
      waiting: [{ root: 'nvr', path: '2026-05-31/22/lobby/10.00.mp4' }],
      quarantined: [],
    });
    expect(await scanRoots(ctx)).toMatchObject({ segments: 1, added: 1, waiting: [] });
  });

  it('quarantines what is broken, empty, misnamed, linked or foreign, with a reason, and touches none of it', async () => {
    const root = await frigateRoot(['2026-05-31/22/lobby/10.00.mp4']);
    const put = (path: string, bytes: string | Buffer): void => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), bytes);
    };
    put('2026-05-31/22/lobby/11.00.mp4', '');
    put('2026-05-31/22/lobby/12.00.mp4', Buffer.alloc(4096, 7));
    put('2026-05-31/22/lobby/99.00.mp4', 'x');
    put('2026-05-31/22/lobby/13.00.mp4.part', 'x');
    put('holiday.mp4', 'x');
    put('2026-05-31/22/lobby/notes.txt', 'a companion, not a recording');
    symlinkSync('/etc/passwd', join(root, '2026-05-31/22/lobby/14.00.mp4'));
    const ctx = contextFor(makeTestStore(), root, 'frigate');
    const result = await scanRoots(ctx);
    const reasons = Object.fromEntries(
      result.quarantined.map(({ path, reason }): [string, string] => [path.slice(path.lastIndexOf('/') + 1), reason]),
    );
    expect(reasons).toEqual({
      '11.00.mp4': 'empty',
      '12.00.mp4': 'unknown-format',
      '13.00.mp4.part': 'unfinished',
      '14.00.mp4': 'link',
      '99.00.mp4': 'misnamed',
      'holiday.mp4': 'foreign',
    });
    expect(result.segments).toBe(1);
    // A repaired file leaves the quarantine by itself.
    copyFileSync(join(root, '2026-05-31/22/lobby/10.00.mp4'), join(root, '2026-05-31/22/lobby/11.00.mp4'));
    const again = await scanRoots(ctx);
    expect(again.segments).toBe(2);
    expect(again.quarantined.map(({ path }) => path)).not.toContain('2026-05-31/22/lobby/11.00.mp4');
  });

  it('tells of files that vanished, keeps their rows, and takes them back when they return', async () => {
    const root = await frigateRoot(['2026-05-31/22/lobby/10.00.mp4', '2026-05-31/22/lobby/11.00.mp4']);
    const ctx = contextFor(makeTestStore(), root, 'frigate');
    await scanRoots(ctx);
    const file = join(root, '2026-05-31/22/lobby/11.00.mp4');
    renameSync(file, `${root}.aside`);
    expect(await scanRoots(ctx)).toMatchObject({ segments: 1, missing: 1, unchanged: 1 });
    expect(openTasks(ctx.store.db).map((task) => task.kind)).toContain('footage-missing');
    renameSync(`${root}.aside`, file);
    expect(await scanRoots(ctx)).toMatchObject({ segments: 2, missing: 0 });
  });

  it('changes nothing for a root that is missing, empty, or another folder', async () => {
    const root = await frigateRoot(['2026-05-31/22/lobby/10.00.mp4']);
    const ctx = contextFor(makeTestStore(), root, 'frigate');
    await scanRoots(ctx);
    const before = rows(ctx);
    const aside = `${root}.aside`;
    renameSync(root, aside);
    await expect(scanRoots(ctx)).rejects.toThrow(/cannot be read.*mounted/);
    mkdirSync(root);
    await expect(scanRoots(ctx)).rejects.toThrow(/not the folder that was indexed/);
    cpSync(aside, root, { recursive: true });
    await expect(scanRoots(ctx)).rejects.toThrow(/not the folder that was indexed/);
    rmSync(root, { recursive: true });
    renameSync(aside, root);
    rmSync(join(root, '2026-05-31'), { recursive: true });
    await expect(scanRoots(ctx)).rejects.toThrow(/is empty/);
    expect(rows(ctx)).toEqual(before);
  });

  it('counts the age of a rewritten or broken file from what it once held', async () => {
    const root = await frigateRoot(['2026-05-31/22/lobby/10.00.mp4']);
    const ctx = contextFor(makeTestStore(), root, 'frigate');
    await scanRoots(ctx);
    const [before] = rows(ctx);
    writeFileSync(join(root, '2026-05-31/22/lobby/10.00.mp4'), 'overwritten');
    expect(await scanRoots(ctx)).toMatchObject({ segments: 1, changed: 1, quarantined: [] });
    const [after] = rows(ctx);
    expect(after).toMatchObject({ id: before?.id, startUs: before?.startUs, truncated: true, sizeBytes: 11 });
  });

  it('goes on where a segment was emptied, or a link put in its place: said once, never taken for the footage', async () => {
    const [emptied, linked, fresh] = [10, 20, 30].map((minute) => `2026-05-31/22/lobby/${minute}.00.mp4`) as [
      string,
      string,
      string,
    ];
    const root = await frigateRoot([emptied, linked]);
    const ctx = contextFor(makeTestStore(), root, 'frigate');
    await scanRoots(ctx);
    const before = rows(ctx).map(({ path, inode, sizeBytes }) => ({ path, inode, sizeBytes }));
    copyFileSync(join(root, linked), join(root, fresh));
    truncateSync(join(root, emptied));
    rmSync(join(root, linked));
    symlinkSync(join(root, fresh), join(root, linked));
    expect(await scanRoots(ctx)).toMatchObject({ added: 1, changed: 2 });
    const after = rows(ctx).filter(({ path }) => path !== fresh);
    expect(after.map(({ path, inode, sizeBytes }) => ({ path, inode, sizeBytes }))).toEqual(before);
    expect(openTasks(ctx.store.db).filter(({ kind }) => kind === 'segment-changed')).toHaveLength(2);
    expect(await scanRoots(ctx)).toMatchObject({ added: 0, changed: 0 });
    copyFileSync(join(root, fresh), join(root, emptied));
    await scanRoots(ctx);
    expect(openTasks(ctx.store.db).filter(({ kind }) => kind === 'segment-changed')).toHaveLength(1);
  });

  it('names a file whose name is no UTF-8, and indexes what lies beside it', async () => {
    const root = await frigateRoot(['2026-05-31/22/lobby/10.00.mp4']);
    const folder = Buffer.from(join(root, '2026-05-31/22/lobby/'));
    writeFileSync(Buffer.concat([folder, Buffer.from([0xff, 0xfe]), Buffer.from('.mp4')]), 'x');
    const ctx = contextFor(makeTestStore(), root, 'frigate');
    const result = await scanRoots(ctx);
    expect(result.segments).toBe(1);
    expect(result.quarantined).toMatchObject([{ reason: 'name-not-utf8' }]);
  });

  it('indexes the rest where the disk gives no answer about one name', async () => {
    const root = await frigateRoot(['2026-05-31/22/lobby/10.00.mp4']);
    // A folder that can just be opened, with a file in it whose whole path is too long to be asked for.
    const here = process.cwd();
    const deep = 'd'.repeat(200);
    onTestFinished(() => {
      // Node cannot remove what it cannot name; rm goes down folder by folder.
      execFileSync('rm', ['-rf', root]);
    });
    try {
      process.chdir(root);
      for (let left = 4060 - root.length; left > 0; left -= 201) {
        const name = deep.slice(0, Math.min(200, left));
        mkdirSync(name);
        process.chdir(name);
      }
      writeFileSync(`${'f'.repeat(100)}.mp4`, 'x');
    } finally {
      process.chdir(here);
    }
    const ctx = contextFor(makeTestStore(), root, 'frigate');
    const result = await scanRoots(ctx);
    expect(result.segments).toBe(1);
    expect(result.unreadable).toHaveLength(1);
    expect(result.unreadable[0]?.reason).toContain('ENAMETOOLONG');
  });

  it('bounds the age of a crash file by its name in local time too', async () => {
    const root = join(tempFolder(), 'recordings');
    mkdirSync(join(root, 'yard'), { recursive: true });
    writeFileSync(join(root, 'yard/2026-04-01_12-00-00.mp4'), 'no media');
    const ctx = contextFor(makeTestStore(), root, { template: '%path/%Y-%m-%d_%H-%M-%S' });
    await scanRoots(ctx);
    const [row] = listQuarantine(ctx.store.db);
    expect(formatUtc(row?.boundUs ?? 0)).toBe('2026-04-01T10:00:00Z');
    expect(overdueQuarantine(ctx.store.db, ctx.store.clock.nowUs(), 0)).toEqual([{ rootId: 'nvr', files: 1 }]);
  });
});

describe.skipIf(withoutFootage('scan of real recordings', 'recordings-small'))('scan of real recordings', () => {
  it('indexes every case of recordings-small rightly', async () => {
    const ctx = contextFor(makeTestStore('2026-04-01T00:00:00Z'), footagePath('recordings-small'), [
      { template: '%path/%Y-%m-%d_%H-%M-%S-%f', timezone: 'UTC' },
      { template: '%path/%Y-%m-%d/%H/%M.%S', timezone: 'Europe/Berlin' },
      { template: '%path/%s' },
      { template: '%path/%Y-%m-%d_%H-%M-%S%*', timezone: 'UTC' },
    ]);
    const result = await scanRoots(ctx);
    expect(Object.fromEntries(result.quarantined.map(({ path, reason }) => [path, reason]))).toEqual({
      'edge/2026-03-29_01-03-00_truncated-no-moov.mp4': 'no-index',
      'edge/2026-03-29_01-06-00_zero-byte.mp4': 'empty',
      'edge/2026-03-29_01-18-00_init-only.mp4': 'no-media',
      'edge/2026-03-29_01-21-00_garbage.mp4': 'unknown-format',
      'edge/2026-03-29_01-24-00.mp4.part': 'unfinished',
    });
    const found = Object.fromEntries(
      rows(ctx).map((row) => [
        row.path,
        `${row.cameraId} ${formatUtc(row.startUs)} ${row.container} ${row.codec} ${((row.endUs - row.startUs) / 1e6).toFixed(0)} s${row.hasAudio ? ' sound' : ''}${row.truncated ? ' cut' : ''}`,
      ]),
    );
    expect(found).toMatchInlineSnapshot(`
      {
        "edge/2026-03-29_01-03-00_fmp4-cut-mid-fragment.mp4": "edge 2026-03-29T01:03:00Z fmp4 h264 36 s cut",
        "edge/2026-03-29_01-09-00 Eingang Süd – Tür №2.mp4": "edge 2026-03-29T01:09:00Z mp4 h264 60 s sound",
        "edge/2026-03-29_01-12-00_h264-aac.mkv": "edge 2026-03-29T01:12:00Z mkv h264 60 s sound",
        "edge/2026-03-29_01-12-00_matroska-named.mp4": "edge 2026-03-29T01:12:00Z mkv hevc 60 s",
        "edge/2026-03-29_01-15-00.ts": "edge 2026-03-29T01:15:00Z ts h264 60 s sound",
        "edge/Kamera Bücherei/2026-03-29_01-09-00 入口.mp4": "edge-kamera-bucherei~3794ef9aed 2026-03-29T01:09:00Z fmp4 h264 60 s",
        "lobby/2026-03-29/01/54.00.mp4": "lobby 2026-03-29T00:54:00Z mp4 h264 180 s sound",
        "lobby/2026-03-29/01/57.00.mp4": "lobby 2026-03-29T00:57:00Z mp4 h264 180 s sound",
        "lobby/2026-03-29/03/00.00.mp4": "lobby 2026-03-29T01:00:00Z mp4 h264 180 s sound",
        "parking/1774745640.mp4": "parking 2026-03-29T00:54:00Z mp4 hevc 180 s",
        "parking/1774745820.mp4": "parking 2026-03-29T00:57:00Z mp4 hevc 180 s",
        "parking/1774746000.mkv": "parking 2026-03-29T01:00:00Z mkv hevc 180 s",
        "yard/2026-03-29_00-54-00-000000.mp4": "yard 2026-03-29T00:54:00Z fmp4 h264 180 s",
        "yard/2026-03-29_00-57-00-000000.mp4": "yard 2026-03-29T00:57:00Z fmp4 h264 180 s",
        "yard/2026-03-29_01-00-00-000000.mp4": "yard 2026-03-29T01:00:00Z fmp4 h264 180 s",
      }
    `);
    expect(listQuarantine(ctx.store.db)).toHaveLength(5);
  });

  it('indexes what a real recorder wrote, and quarantines its two crash files', async () => {
    const ctx = contextFor(makeTestStore('2026-11-23T23:00:00Z'), footagePath('recordings-motion'), {
      template: '%path/%Y-%m-%d/%H-%M-%S-ev%i',
      timezone: 'UTC',
    });
    const result = await scanRoots(ctx);
    expect(
      result.quarantined.filter(({ reason }) => reason !== 'foreign').map(({ path, reason }) => `${path} ${reason}`),
    ).toEqual(['Lobby/2026-11-23/14-33-06-ev01.mp4 no-index', 'Yard/2026-11-23/14-33-08-ev01.mp4 no-index']);
    expect(
      rows(ctx).map(
        (row) => `${row.cameraId} ${formatUtc(row.startUs)} ${((row.endUs - row.startUs) / 1e6).toFixed(1)}`,
      ),
    ).toEqual(['Lobby 2026-11-23T14:27:06Z 179.8', 'Lobby 2026-11-23T14:30:06Z 182.0']);
  });
});
