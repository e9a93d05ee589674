import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { registerFoundCamera } from '../../src/cameras/register-found.js';
import { silentLog } from '../../src/platform/log.js';
import { markerName } from '../../src/platform/root-folder.js';
import type { RecordingsContext } from '../../src/recordings/context.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { putSeenRoots } from '../../src/recordings/roots.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { lookAtRoot } from '../../src/retention/trust.js';
import type { Segment } from '../../src/domain/segment.js';
import { listQuarantine } from '../../src/store/quarantine.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import { makeTestStore, tempFolder, type TestStore } from '../helpers/site.js';

/** Whatever the file holds, it is ten seconds of video: these tests are about files, not about what is in them. */
const probe: NonNullable<RecordingsContext['probe']> = async (root, path) => {
  const stat = await lstat(join(root.path, path), { bigint: true });
  const file = { sizeBytes: Number(stat.size), inode: stat.ino.toString(), mtimeUs: Number(stat.mtimeNs / 1000n) };
  return {
    probe: {
      ok: true,
      container: 'mp4',
      durationUs: 10_000_000,
      hasVideo: true,
      hasAudio: false,
      codec: 'h264',
      width: 640,
      height: 360,
      frameRate: 10,
      creationTimeUs: null,
      recorderClockUs: null,
      recorderNumber: null,
      truncated: false,
      file,
    },
    after: file,
  };
};

function contextFor(site: TestStore, ...paths: string[]): RecordingsContext {
  const layout = layoutFromConfig({ template: '%path/%s' }, { siteTimezone: 'UTC' });
  const ctx: RecordingsContext = {
    store: site.store,
    log: silentLog,
    roots: paths.map((path, at) => ({ id: at === 0 ? 'nvr' : `nvr${at + 1}`, path, layout })),
    quietMs: 20,
    probe,
    registerCamera: (note, cameraId, label) => {
      registerFoundCamera(site.store, note, cameraId, label);
    },
  };
  putSeenRoots(ctx);
  return ctx;
}

/** So far ahead that everything on disk has rested for long. */
const later = (): TestStore => makeTestStore(new Date(Date.now() + 3_600_000).toISOString());

const nameOf = (number: number): string => `${1_780_000_000 + number * 10}.mp4`;

function put(root: string, path: string, text = 'footage'): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function rootWith(cameras: Readonly<Record<string, number>>): string {
  const root = join(tempFolder(), 'recordings');
  mkdirSync(root);
  for (const [camera, count] of Object.entries(cameras)) {
    for (let at = 0; at < count; at += 1) put(root, `${camera}/${nameOf(at)}`, `${camera} ${at}`);
  }
  return root;
}

const rows = (ctx: RecordingsContext, root = 'nvr'): Segment[] => [...segmentsOfRoot(ctx.store.db, root)];
const kinds = (ctx: RecordingsContext): string[] =>
  openTasks(ctx.store.db).map(({ kind, subject }) => `${kind} ${subject}`);
/** Whatever is gone is really gone. */
const all = (ctx: RecordingsContext): { acceptVanished: string[] } => ({
  acceptVanished: rows(ctx).map(({ cameraId }) => cameraId),
});

/** The same by the other way: every regular file with the name of a recording. */
function onDisk(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.mp4'))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const stat = lstatSync(path, { bigint: true });
      return `${path.slice(root.length + 1)} ${stat.ino} ${stat.size} ${stat.mtimeNs / 1000n}`;
    })
    .sort();
}
const inIndex = (ctx: RecordingsContext): string[] =>
  rows(ctx)
    .filter(({ state }) => state === 'indexed')
    .map(({ path, inode, sizeBytes, mtimeUs }) => `${path} ${inode} ${sizeBytes} ${mtimeUs}`)
    .sort();

describe('C7 a scan after anything at all', () => {
  const folder = fc.constantFrom('a', 'b', 'c', 'deep/a', 'a/b');
  const number = fc.integer({ min: 0, max: 9 });
  const act = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('write' as const),
        in: folder,
        number,
        text: fc.string({ minLength: 1 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('move' as const), in: folder, number, to: folder, as: number }),
    },
    fc.record({
      do: fc.constant('moveFolder' as const),
      in: folder,
      to: fc.constantFrom('a', 'b', 'c', 'x', 'deep/b'),
    }),
    fc.record({ do: fc.constant('remove' as const), in: folder, number }),
    fc.record({ do: fc.constant('append' as const), in: folder, number }),
    fc.record({ do: fc.constant('removeFolder' as const), in: folder }),
    fc.record({ do: fc.constant('link' as const), in: folder, number, to: folder, as: number }),
    fc.record({ do: fc.constant('foreign' as const), in: folder }),
  );
  const perform = (root: string, what: typeof act extends fc.Arbitrary<infer T> ? T : never): void => {
    const at = join(root, what.in);
    switch (what.do) {
      case 'write':
        put(root, `${what.in}/${nameOf(what.number)}`, what.text);
        break;
      case 'move':
        mkdirSync(join(root, what.to), { recursive: true });
        renameSync(join(at, nameOf(what.number)), join(root, what.to, nameOf(what.as)));
        break;
      case 'moveFolder':
        mkdirSync(dirname(join(root, what.to)), { recursive: true });
        renameSync(at, join(root, what.to));
        break;
      case 'remove':
        rmSync(join(at, nameOf(what.number)));
        break;
      case 'append':
        lstatSync(join(at, nameOf(what.number)));
        appendFileSync(join(at, nameOf(what.number)), 'more');
        break;
      case 'removeFolder':
        rmSync(at, { recursive: true, force: true });
        break;
      case 'link':
        mkdirSync(join(root, what.to), { recursive: true });
        symlinkSync(join(at, nameOf(what.number)), join(root, what.to, `1${nameOf(what.as)}`));
        break;
      case 'foreign':
        put(root, `${what.in}/${Math.random()}.bin`);
    }
  };

  it('ends with index and disk equal, and nothing of it in quarantine', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(act, { maxLength: 12 }), { minLength: 2, maxLength: 4 }), async (rounds) => {
        const root = rootWith({ a: 3, b: 2 });
        // Something that stays, so that the root never looks unmounted.
        put(root, 'notes.txt');
        const ctx = contextFor(later(), root);
        for (const round of [[], ...rounds]) {
          for (const what of round) {
            try {
              perform(root, what);
            } catch (error) {
              // What is not there cannot be moved, and a folder stays where another has its name.
              const { code } = error as NodeJS.ErrnoException;
              if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EINVAL', 'EISDIR', 'ENOTDIR'].includes(code ?? '')) throw error;
            }
          }
          const result = await scanRoots(ctx, all(ctx));
          expect(inIndex(ctx)).toEqual(onDisk(root));
          expect(result.segments).toBe(onDisk(root).length);
          expect(result.missing).toBe(rows(ctx).filter(({ state }) => state === 'missing').length);
          const quarantined = new Set(listQuarantine(ctx.store.db).map(({ path }) => path));
          expect(rows(ctx).filter(({ state, path }) => state === 'indexed' && quarantined.has(path))).toEqual([]);
          for (const path of quarantined) expect(() => lstatSync(join(root, path))).not.toThrow();
        }
        const quiet = await scanRoots(ctx, all(ctx));
        expect(quiet).toMatchObject({ added: 0, changed: 0, moved: 0, unchanged: quiet.segments });
      }),
      { numRuns: 25 },
    );
  });
});

describe('files that moved', () => {
  it('keep their segments when the folder of a camera is renamed: id, camera, times and all', async () => {
    const root = rootWith({ a: 5, b: 2 });
    const ctx = contextFor(later(), root);
    await scanRoots(ctx);
    const before = rows(ctx);
    renameSync(join(root, 'a'), join(root, 'entrance'));
    put(root, `entrance/${nameOf(50)}`);
    expect(await scanRoots(ctx)).toMatchObject({ moved: 5, added: 1, missing: 0, changed: 0, asked: [], unchanged: 2 });
    const after = rows(ctx);
    const unmoved = (segment: Segment): object => ({ ...segment, path: null });
    const byId = (a: Segment, b: Segment): number => a.id - b.id;
    expect(
      after
        .filter(({ id }) => id <= 7)
        .sort(byId)
        .map(unmoved),
    ).toEqual([...before].sort(byId).map(unmoved));
    expect(after.map(({ path }) => path)).toContain(`entrance/${nameOf(0)}`);
    expect(after.at(-1)).toMatchObject({ cameraId: 'entrance' });
    expect(kinds(ctx)).toContain('camera-renamed camera:a');
    // Nor by growing does one slip off to the other camera.
    appendFileSync(join(root, 'entrance', nameOf(0)), 'more');
    expect(await scanRoots(ctx)).toMatchObject({ changed: 1, unchanged: 7 });
    expect(rows(ctx).filter(({ cameraId }) => cameraId === 'a')).toHaveLength(5);
    expect(kinds(ctx).join()).not.toContain('footage-missing');
  });

  it('keep them in a place that the layout does not know, and on the way back', async () => {
    const root = rootWith({ a: 3 });
    const ctx = contextFor(later(), root);
    await scanRoots(ctx);
    const before = rows(ctx);
    mkdirSync(join(root, 'old stuff'));
    renameSync(join(root, 'a', nameOf(1)), join(root, 'old stuff', 'kept.bin'));
    expect(await scanRoots(ctx)).toMatchObject({ moved: 1, missing: 0, quarantined: [] });
    renameSync(join(root, 'old stuff', 'kept.bin'), join(root, 'a', nameOf(1)));
    expect(await scanRoots(ctx)).toMatchObject({ moved: 1, missing: 0, quarantined: [] });
    expect(rows(ctx)).toEqual(before);
  });

  it('are followed to another root and through a copy, whichever root is read first', async () => {
    for (const order of [0, 1]) {
      const roots = [rootWith({ a: 3 }), rootWith({ other: 1 })];
      const ctx = contextFor(later(), ...(order === 0 ? roots : roots.toReversed()));
      await scanRoots(ctx);
      const from = order === 0 ? 'nvr' : 'nvr2';
      const before = rows(ctx, from);
      expect(before).toHaveLength(3);
      const [archive, nvr] = [roots[1] ?? '', roots[0] ?? ''];
      mkdirSync(join(archive, 'a'));
      copyFileSync(join(nvr, 'a', nameOf(0)), join(archive, 'a', nameOf(0)));
      rmSync(join(nvr, 'a', nameOf(0)));
      await scanRoots(ctx);
      const result = await scanRoots(ctx);
      expect(result).toMatchObject({ segments: 4, missing: 0, asked: [] });
      const [moved] = rows(ctx, from === 'nvr' ? 'nvr2' : 'nvr').filter(({ cameraId }) => cameraId === 'a');
      expect(moved?.id).toBe(before[0]?.id);
    }
  });

  it('keep them on a new disk once somebody has said that it is the right one', async () => {
    const root = rootWith({ a: 3, b: 1 });
    const ctx = contextFor(later(), root);
    await scanRoots(ctx);
    const before = rows(ctx);
    // Copied with their times, as `cp -a` does; the old disk is away.
    renameSync(root, `${root}.old`);
    cpSync(`${root}.old`, root, { recursive: true, preserveTimestamps: true });
    await expect(scanRoots(ctx)).rejects.toThrow(/not the folder that was indexed/);
    await expect(scanRoots(ctx, { acceptRoots: ['other'] })).rejects.toThrow(/no root "other"/);
    expect(await scanRoots(ctx, { acceptRoots: ['nvr'] })).toMatchObject({ changed: 4, added: 0, missing: 0 });
    expect(inIndex(ctx)).toEqual(onDisk(root));
    const lasting = ({ id, path, cameraId, startUs }: Segment): object => ({ id, path, cameraId, startUs });
    expect(rows(ctx).map(lasting)).toEqual(before.map(lasting));
    expect(kinds(ctx).join()).not.toContain('root-untrusted');
  });

  it('are no moves where the file has another name besides, or the old place is only behind a link', async () => {
    const root = rootWith({ a: 3 });
    const ctx = contextFor(later(), root);
    await scanRoots(ctx);
    linkSync(join(root, 'a', nameOf(0)), join(root, 'a', nameOf(20)));
    expect(await scanRoots(ctx)).toMatchObject({ moved: 0, added: 1, missing: 0 });
    renameSync(join(root, 'a'), join(root, 'b'));
    symlinkSync('b', join(root, 'a'));
    // The two names of one file cannot be told apart any more; the others went along.
    const result = await scanRoots(ctx, all(ctx));
    expect(result).toMatchObject({ moved: 2, segments: 4 });
    expect(inIndex(ctx)).toEqual(onDisk(root));
  });
});

describe('a camera of which most vanished', () => {
  it('stops the scan and asks; nothing in that root counts as missing until somebody answers', async () => {
    const root = rootWith({ a: 4, b: 4 });
    const ctx = contextFor(later(), root);
    await scanRoots(ctx);
    for (const at of [0, 1, 2]) rmSync(join(root, 'a', nameOf(at)));
    rmSync(join(root, 'b', nameOf(0)));
    const before = rows(ctx);
    const asked = [{ root: 'nvr', cameraId: 'a', gone: 3, of: 4 }];
    expect(await scanRoots(ctx)).toMatchObject({ asked, missing: 0, segments: 8 });
    expect(await scanRoots(ctx, { acceptVanished: ['b'] })).toMatchObject({ asked, missing: 0 });
    expect(rows(ctx)).toEqual(before);
    expect(kinds(ctx)).toContain('footage-vanished camera:a');
    expect(kinds(ctx).join()).not.toContain('footage-missing');
    expect(await scanRoots(ctx, { acceptVanished: ['a'] })).toMatchObject({ asked: [], missing: 4, segments: 4 });
    expect(kinds(ctx)).not.toContain('footage-vanished camera:a');
    expect(kinds(ctx)).toEqual(expect.arrayContaining(['footage-missing camera:a', 'footage-missing camera:b']));
  });

  it('is asked about no more when its files are back', async () => {
    const root = rootWith({ a: 3, b: 1 });
    const ctx = contextFor(later(), root);
    await scanRoots(ctx);
    const before = rows(ctx);
    renameSync(join(root, 'a'), `${root}.aside`);
    expect((await scanRoots(ctx)).asked).toHaveLength(1);
    renameSync(`${root}.aside`, join(root, 'a'));
    expect(await scanRoots(ctx)).toMatchObject({ asked: [], unchanged: 4, missing: 0 });
    expect(rows(ctx)).toEqual(before);
    expect(kinds(ctx).join()).not.toContain('footage-vanished');
  });

  it('half of it is not most of it', async () => {
    const root = rootWith({ a: 4 });
    const ctx = contextFor(later(), root);
    await scanRoots(ctx);
    for (const at of [0, 1]) rmSync(join(root, 'a', nameOf(at)));
    expect(await scanRoots(ctx)).toMatchObject({ asked: [], missing: 2 });
  });
});

describe('the marker of a root', () => {
  it('is written once, is no recording, and comes back when somebody removes it', async () => {
    const root = rootWith({ a: 2 });
    const ctx = contextFor(later(), root);
    const marker = readFileSync(join(root, markerName), 'utf8');
    expect(marker).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(await scanRoots(ctx)).toMatchObject({ added: 2, quarantined: [] });
    rmSync(join(root, markerName));
    expect(await scanRoots(ctx)).toMatchObject({ unchanged: 2, refused: [] });
    putSeenRoots(ctx);
    expect(readFileSync(join(root, markerName), 'utf8')).toBe(marker);
  });

  it('that says something else means another disk, and nothing is touched by scan or sweep', async () => {
    const root = rootWith({ a: 2 });
    const ctx = contextFor(later(), root);
    await scanRoots(ctx);
    const before = rows(ctx);
    rmSync(join(root, markerName));
    writeFileSync(join(root, markerName), '01234567-89ab-cdef-0123-456789abcdef\n');
    put(root, `a/${nameOf(7)}`);
    await expect(scanRoots(ctx)).rejects.toThrow(/marker .* is that of another/);
    putSeenRoots(ctx);
    await expect(scanRoots(ctx)).rejects.toThrow(/marker .* is that of another/);
    expect(lookAtRoot(ctx.store.db, 'nvr', root).problem).toMatch(/is that of another/);
    expect(rows(ctx)).toEqual(before);
    expect(kinds(ctx)).toContain('root-untrusted root:nvr');
  });
});

/** Needs the right to mount: root, outside of a sandbox that forbids it. */
function canMount(): boolean {
  const place = join('/tmp', `tredive-mount-${process.pid}`);
  mkdirSync(place, { recursive: true });
  const done = spawnSync('mount', ['-t', 'tmpfs', 'none', place]);
  if (done.status === 0) spawnSync('umount', [place]);
  rmSync(place, { recursive: true });
  if (done.status !== 0)
    process.stderr.write('\n!!! SKIPPED: roots that are mounts: only root may mount a small one\n\n');
  return done.status === 0;
}

describe.skipIf(!canMount())('C8 a root that is a mount', () => {
  const mount = (place: string): void => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', place]);
  };
  const unmount = (place: string): void => {
    spawnSync('umount', ['-l', place]);
  };

  async function mounted(): Promise<{ root: string; ctx: RecordingsContext; before: Segment[] }> {
    const root = join(tempFolder(), 'recordings');
    mkdirSync(root);
    onTestFinished(() => {
      unmount(root);
    });
    mount(root);
    for (let at = 0; at < 4; at += 1) put(root, `a/${nameOf(at)}`);
    const ctx = contextFor(later(), root);
    expect(await scanRoots(ctx)).toMatchObject({ added: 4 });
    return { root, ctx, before: rows(ctx) };
  }
  const refused = async (ctx: RecordingsContext, before: Segment[], why: RegExp): Promise<void> => {
    await expect(scanRoots(ctx)).rejects.toThrow(why);
    // A restart does not make it right.
    putSeenRoots(ctx);
    await expect(scanRoots(ctx)).rejects.toThrow(why);
    expect(rows(ctx)).toEqual(before);
    expect(listQuarantine(ctx.store.db)).toEqual([]);
    expect(kinds(ctx)).toContain('root-untrusted root:nvr');
    expect(lookAtRoot(ctx.store.db, 'nvr', null).problem).toMatch(why);
  };

  it('unmounted', async () => {
    const { root, ctx, before } = await mounted();
    unmount(root);
    await refused(ctx, before, /not the folder that was indexed|is empty/);
  });

  it('swapped for an empty disk, whose folder has the same inode', async () => {
    const { root, ctx, before } = await mounted();
    unmount(root);
    mount(root);
    await refused(ctx, before, /is empty/);
  });

  it('swapped for a disk with other footage, whose folder has the same inode', async () => {
    const { root, ctx, before } = await mounted();
    unmount(root);
    mount(root);
    put(root, `a/${nameOf(70)}`);
    await expect(scanRoots(ctx)).rejects.toThrow(/lost what it was known by/);
    expect(rows(ctx)).toEqual(before);
    expect(lookAtRoot(ctx.store.db, 'nvr', null).problem).toMatch(/none of the newest/);
    cpSync(join(root, 'a'), join(root, 'a2'), { recursive: true });
    writeFileSync(join(root, markerName), '01234567-89ab-cdef-0123-456789abcdef\n');
    await refused(ctx, before, /is that of another/);
  });

  it('read-only since', async () => {
    const { root, ctx, before } = await mounted();
    execFileSync('mount', ['-o', 'remount,ro', root]);
    await refused(ctx, before, /can only be read/);
    execFileSync('mount', ['-o', 'remount,rw', root]);
    expect(await scanRoots(ctx)).toMatchObject({ unchanged: 4 });
  });

  it('read-only from the beginning is fine', async () => {
    const root = join(tempFolder(), 'recordings');
    mkdirSync(root);
    onTestFinished(() => {
      unmount(root);
    });
    mount(root);
    put(root, `a/${nameOf(1)}`);
    execFileSync('mount', ['-o', 'remount,ro', root]);
    const ctx = contextFor(later(), root);
    expect(await scanRoots(ctx)).toMatchObject({ added: 1 });
    expect(await scanRoots(ctx)).toMatchObject({ unchanged: 1 });
    expect(readdirSync(root)).toEqual(['a']);
  });
});
