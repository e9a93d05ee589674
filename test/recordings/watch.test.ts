import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { registerFoundCamera } from '../../src/cameras/register-found.js';
import { watchFolder, type WatchFolder } from '../../src/platform/folder-watch.js';
import { silentLog } from '../../src/platform/log.js';
import { filesystemOf } from '../../src/platform/mounts.js';
import type { RecordingsContext } from '../../src/recordings/context.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { putSeenRoots } from '../../src/recordings/roots.js';
import { scanRoots } from '../../src/recordings/scan.js';
import { watchRoots, type Watcher, type WatchRun } from '../../src/recordings/watch.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { openTasks } from '../../src/store/tasks.js';
import { makeClip } from '../helpers/clip.js';
import { makeTestStore, tempFolder } from '../helpers/site.js';

let clip = '';
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tredive-test-'));
  clip = await makeClip(join(folder, 'clip.mp4'), { seconds: 2 });
  return () => {
    rmSync(folder, { recursive: true });
  };
});

interface Site {
  readonly ctx: RecordingsContext;
  readonly root: string;
  put(path: string): void;
  paths(): string[];
  /** Waits until these are indexed, and nothing else. */
  becomes(...paths: string[]): Promise<void>;
  tasks(): string[];
  watch(run?: Partial<WatchRun>): Promise<Watcher>;
}

function makeSite(layout = 'frigate', poll: 'auto' | 'always' | 'never' = 'auto', at = tempFolder()): Site {
  const root = join(at, 'recordings');
  mkdirSync(root);
  const { store } = makeTestStore(new Date().toISOString());
  const ctx: RecordingsContext = {
    store,
    log: silentLog,
    roots: [{ id: 'nvr', path: root, layout: layoutFromConfig(layout, { siteTimezone: 'UTC' }), poll }],
    quietMs: 300,
    registerCamera: (note, cameraId, label) => {
      registerFoundCamera(store, note, cameraId, label);
    },
  };
  putSeenRoots(ctx);
  const paths = (): string[] =>
    [...segmentsOfRoot(store.db, 'nvr')].filter(({ state }) => state === 'indexed').map(({ path }) => path);
  return {
    ctx,
    root,
    put: (path) => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      copyFileSync(clip, join(root, path));
    },
    paths,
    async becomes(...expected) {
      for (let waited = 0; waited < 300 && paths().length < expected.length; waited += 1) await sleep(100);
      expect(paths()).toEqual(expected.sort());
    },
    tasks: () => openTasks(store.db).map(({ kind, subject }) => `${kind} ${subject}`),
    async watch(run = {}) {
      const stop = new AbortController();
      const watcher = await watchRoots(ctx, { signal: stop.signal, ...run });
      onTestFinished(async () => {
        stop.abort();
        await watcher.close();
      });
      return watcher;
    },
  };
}

/** As the kernel counts them, of this whole process. */
function systemWatches(): number {
  let watches = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (!readlinkSync(`/proc/self/fd/${fd}`).includes('inotify')) continue;
      watches += readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').split('\ninotify wd:').length - 1;
    } catch {
      // Closed since it was listed.
    }
  }
  return watches;
}

const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
/** What is said to be in a file where that does not matter. */
const tenSeconds = {
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
} as const;
const limitReached: WatchFolder = () => {
  throw Object.assign(new Error('System limit for number of file watchers reached'), { code: 'ENOSPC' });
};

describe.each(['never', 'always'] as const)('a root that is asked: %s', (poll) => {
  it('follows folders that are made empty, one in the other, and filled only then', async () => {
    const site = makeSite('frigate', poll);
    const watcher = await site.watch();
    mkdirSync(join(site.root, day, '22', 'lobby'), { recursive: true });
    await sleep(1000);
    site.put(`${day}/22/lobby/10.00.mp4`);
    await site.becomes(`${day}/22/lobby/10.00.mp4`);
    // The next hour and the next day, made together with what is in them.
    site.put(`${day}/23/lobby/00.00.mp4`);
    site.put(`${day.slice(0, 8)}00/00/lobby/00.00.mp4`);
    const today = new Date().toISOString().slice(0, 10);
    site.put(`${today}/00/lobby/00.00.mp4`);
    await site.becomes(`${day}/22/lobby/10.00.mp4`, `${day}/23/lobby/00.00.mp4`, `${today}/00/lobby/00.00.mp4`);
    expect(watcher.figures().watches).toBe(poll === 'never' ? watcher.figures().folders : 0);
  });

  it('follows folders that were removed and made again', async () => {
    const site = makeSite('frigate', poll);
    await site.watch();
    site.put(`${day}/22/lobby/10.00.mp4`);
    await site.becomes(`${day}/22/lobby/10.00.mp4`);
    rmSync(join(site.root, day), { recursive: true });
    site.put(`${day}/22/lobby/20.00.mp4`);
    await site.becomes(`${day}/22/lobby/10.00.mp4`, `${day}/22/lobby/20.00.mp4`);
    // And what comes into it from then on.
    site.put(`${day}/22/lobby/30.00.mp4`);
    await site.becomes(...['10', '20', '30'].map((minute) => `${day}/22/lobby/${minute}.00.mp4`));
  });

  it('takes a segment that grew after a pause as it is then, and one that was moved where it is now', async () => {
    const site = makeSite('shinobi', poll);
    const path = `group/lobby/${day}T10-00-00.mp4`;
    await site.watch();
    site.put(path);
    await site.becomes(path);
    truncateSync(join(site.root, path), 3000);
    const [first] = [...segmentsOfRoot(site.ctx.store.db, 'nvr')];
    for (
      let waited = 0;
      waited < 300 && [...segmentsOfRoot(site.ctx.store.db, 'nvr')][0]?.sizeBytes !== 3000;
      waited += 1
    )
      await sleep(100);
    const [cut] = [...segmentsOfRoot(site.ctx.store.db, 'nvr')];
    expect(cut).toMatchObject({ id: first?.id, sizeBytes: 3000, truncated: true });
    renameSync(join(site.root, path), join(site.root, `group/lobby/${day}T11-00-00.mp4`));
    for (let waited = 0; waited < 300 && site.paths()[0] === path; waited += 1) await sleep(100);
    const [moved] = [...segmentsOfRoot(site.ctx.store.db, 'nvr')];
    expect(moved).toMatchObject({ id: first?.id, path: `group/lobby/${day}T11-00-00.mp4` });
  });
});

describe('watches', () => {
  it('are as many as the cameras need, however many files lie in their folders', async () => {
    const site = makeSite('shinobi', 'never');
    for (let camera = 0; camera < 4; camera += 1) {
      mkdirSync(join(site.root, 'group', `cam${camera}`), { recursive: true });
      for (let file = 0; file < 500; file += 1) {
        const path = join(site.root, 'group', `cam${camera}`, `2026-01-01T00-${file}.txt`);
        writeFileSync(path, '');
        if (file % 2 === 0) utimesSync(path, 1, 1);
      }
      site.put(`group/cam${camera}/${day}T10-00-00.mp4`);
    }
    await scanRoots(site.ctx);
    const before = systemWatches();
    const watcher = await site.watch();
    for (let file = 0; file < 200; file += 1) writeFileSync(join(site.root, 'group/cam0', `new ${file}.txt`), '');
    site.put(`group/cam3/${day}T11-00-00.mp4`);
    for (let waited = 0; waited < 300 && site.paths().length < 5; waited += 1) await sleep(100);
    expect(site.paths()).toHaveLength(5);
    // The root, the group and four cameras.
    expect(watcher.figures()).toMatchObject({ folders: 6, watches: 6 });
    expect(systemWatches() - before).toBe(6);
  });

  it('are bounded where a recorder makes a folder for each event', async () => {
    const site = makeSite('zoneminder', 'never');
    const watcher = await site.watch();
    for (let event = 0; event < 300; event += 1) {
      mkdirSync(join(site.root, '1', day, String(event)), { recursive: true });
      if (event % 20 === 0) await sleep(20);
    }
    site.put(`1/${day}/300/300-video.mp4`);
    await sleep(1000);
    expect(watcher.figures().folders).toBeGreaterThan(3);
    expect(watcher.figures().folders).toBeLessThanOrEqual(64 + 8);
    expect(systemWatches()).toBeLessThan(100);
  });

  it('that the system does not give are done without, and a person is told what to do', async () => {
    const site = makeSite('frigate', 'auto');
    const watcher = await site.watch({ watchFolder: limitReached });
    expect(site.tasks()).toEqual(['watch-limited root:nvr']);
    expect(openTasks(site.ctx.store.db)[0]?.detail).toMatch(/fs\.inotify\.max_user_watches is \d+\. Raise it/);
    site.put(`${day}/10/lobby/00.00.mp4`);
    await site.becomes(`${day}/10/lobby/00.00.mp4`);
    expect(watcher.figures().watches).toBe(0);
    await watcher.close();
    // Once they are given again, the task is done.
    await site.watch();
    expect(site.tasks()).not.toContain('watch-limited root:nvr');
  });

  it('that end in the middle are asked for the rest, and those that fail are set again', async () => {
    const site = makeSite('frigate', 'never');
    let left = 3;
    const errors = new Map<string, (error: Error) => void>();
    const few: WatchFolder = (path, tell) => {
      left -= 1;
      if (left < 0) return limitReached(path, tell);
      errors.set(path, tell.onError);
      return watchFolder(path, tell);
    };
    const watcher = await site.watch({ watchFolder: few });
    errors.get(site.root)?.(new Error('EIO: the watch failed'));
    for (let waited = 0; waited < 100 && left === 2; waited += 1) await sleep(100);
    expect(left).toBe(1);
    site.put(`${day}/10/lobby/00.00.mp4`);
    await site.becomes(`${day}/10/lobby/00.00.mp4`);
    expect(watcher.figures().watches).toBe(0);
    expect(site.tasks()).toContain('watch-limited root:nvr');
  });
});

describe('a folder that is said to be another one', () => {
  it('is watched anew and read, however short ago it was', async () => {
    const site = makeSite('frigate', 'never');
    site.put(`${day}/10/lobby/00.00.mp4`);
    await scanRoots({ ...site.ctx, quietMs: 0 });
    let sets = 0;
    let tell: Parameters<WatchFolder>[1] | undefined;
    const mute: WatchFolder = (path, given) => {
      sets += 1;
      if (path === site.root) tell = given;
      return { close: () => undefined };
    };
    const watcher = await site.watch({ watchFolder: mute });
    const { folders } = watcher.figures();
    site.put(`${day}/10/lobby/01.00.mp4`);
    site.put(`${day}/11/lobby/00.00.mp4`);
    tell?.onName(null, true);
    await site.becomes(...['10/lobby/00.00', '10/lobby/01.00', '11/lobby/00.00'].map((name) => `${day}/${name}.mp4`));
    expect(sets).toBeGreaterThanOrEqual(2 * folders);
  });
});

describe('closed', () => {
  it('is what has another name than that of an open file, at once', async () => {
    const site = makeSite('kerberos', 'never');
    const slow = { ...site.ctx, quietMs: 3_600_000 };
    const stop = new AbortController();
    const watcher = await watchRoots(slow, { signal: stop.signal });
    const start = Math.floor(Date.now() / 1000) - 100;
    site.put(`${start}_1-0_lobby_0-0-0-0_0_0_.mp4`);
    await sleep(1000);
    expect(site.paths()).toEqual([]);
    renameSync(
      join(site.root, `${start}_1-0_lobby_0-0-0-0_0_0_.mp4`),
      join(site.root, `${start}_1-0_lobby_0-0-0-0_-1_2000.mp4`),
    );
    await site.becomes(`${start}_1-0_lobby_0-0-0-0_-1_2000.mp4`);
    stop.abort();
    await watcher.close();
  });

  it('is what was announced, if it can be read', async () => {
    const site = makeSite('mediamtx', 'never');
    const slow = { ...site.ctx, quietMs: 3_600_000 };
    const stop = new AbortController();
    const watcher = await watchRoots(slow, { signal: stop.signal });
    const path = `lobby/${day}_10-00-00-000000.mp4`;
    site.put(path);
    truncateSync(join(site.root, path), 100);
    expect(await watcher.announced('nvr', path)).toBe('waiting');
    copyFileSync(clip, join(site.root, path));
    expect(await watcher.announced('nvr', path)).toBe('indexed');
    expect(await watcher.announced('nvr', path)).toBe('known');
    expect(await watcher.announced('nvr', 'lobby/nothing.mp4')).toBe('gone');
    expect(await watcher.announced('other', path)).toBe('unreachable');
    expect(site.paths()).toEqual([path]);
    stop.abort();
    await watcher.close();
  });

  it('are a thousand at once, answered each, and as many more without anybody who waits', async () => {
    const site = makeSite('mediamtx', 'never');
    const probed = Date.now() - 86_400_000;
    const names = Array.from({ length: 1100 }, (_none, at) => {
      const [date = '', time = ''] = new Date(probed - at * 10_000).toISOString().slice(0, 19).split('T');
      return `lobby/${date}_${time.replaceAll(':', '-')}-000000.mp4`;
    });
    mkdirSync(join(site.root, 'lobby'));
    for (const name of names) writeFileSync(join(site.root, name), name);
    const probe: NonNullable<RecordingsContext['probe']> = (_root, _path, met) =>
      Promise.resolve({ probe: { ...tenSeconds, file: met }, after: met });
    const stop = new AbortController();
    // Nobody waits for rest here, and nothing is found but by what was announced.
    const mute: WatchFolder = () => ({ close: () => undefined });
    const ctx = { ...site.ctx, probe, quietMs: 3_600_000 };
    const watcher = await watchRoots(ctx, { signal: stop.signal, watchFolder: mute });
    const outcomes = await Promise.all(names.map((name) => watcher.announced('nvr', name)));
    expect(outcomes.filter((outcome) => outcome === 'indexed').length).toBeGreaterThanOrEqual(1000);
    expect(outcomes.filter((outcome) => outcome === 'unasked').length).toBeGreaterThan(0);
    await site.becomes(...names);
    stop.abort();
    await watcher.close();
  });
});

describe('a root that goes away', () => {
  it('is an alarm, changes nothing, and is followed again when it is back', async () => {
    const site = makeSite('frigate', 'never');
    site.put(`${day}/10/lobby/00.00.mp4`);
    await scanRoots({ ...site.ctx, quietMs: 0 });
    putSeenRoots(site.ctx);
    let overlooked = 0;
    const watcher = await site.watch({ onOverlooked: () => (overlooked += 1) });
    renameSync(site.root, `${site.root}.away`);
    for (let waited = 0; waited < 200 && !site.tasks().includes('root-untrusted root:nvr'); waited += 1)
      await sleep(100);
    expect(site.tasks()).toContain('root-untrusted root:nvr');
    expect(watcher.figures()).toEqual({ folders: 0, watches: 0, waiting: 0 });
    expect(site.paths()).toHaveLength(1);
    renameSync(`${site.root}.away`, site.root);
    for (let waited = 0; waited < 200 && overlooked === 0; waited += 1) await sleep(100);
    expect(overlooked).toBe(1);
    site.put(`${day}/11/lobby/00.00.mp4`);
    await site.becomes(`${day}/10/lobby/00.00.mp4`, `${day}/11/lobby/00.00.mp4`);
  });

  it.skipIf(!canMount())('as a mount that is taken away and put back', async () => {
    const at = tempFolder();
    const disk = join(at, 'disk');
    mkdirSync(disk);
    const site = makeSite('frigate', 'never', at);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', disk]);
    const bind = (): void => void execFileSync('mount', ['--bind', disk, site.root]);
    bind();
    onTestFinished(() => {
      for (const place of [site.root, disk]) spawnSync('umount', ['-l', place]);
    });
    putSeenRoots(site.ctx);
    site.put(`${day}/10/lobby/00.00.mp4`);
    await scanRoots({ ...site.ctx, quietMs: 0 });
    putSeenRoots(site.ctx);
    await site.watch();
    execFileSync('umount', ['-l', site.root]);
    for (let waited = 0; waited < 200 && !site.tasks().includes('root-untrusted root:nvr'); waited += 1)
      await sleep(100);
    // What somebody writes to the empty mount point is not of this root.
    site.put(`${day}/10/lobby/01.00.mp4`);
    await sleep(1500);
    expect(site.paths()).toEqual([`${day}/10/lobby/00.00.mp4`]);
    bind();
    site.put(`${day}/11/lobby/00.00.mp4`);
    await site.becomes(`${day}/10/lobby/00.00.mp4`, `${day}/11/lobby/00.00.mp4`);
  });
});

function canMount(): boolean {
  const place = join('/tmp', `tredive-watch-mount-${process.pid}`);
  mkdirSync(place, { recursive: true });
  const { status } = spawnSync('mount', ['-t', 'tmpfs', 'none', place]);
  if (status === 0) spawnSync('umount', [place]);
  rmSync(place, { recursive: true, force: true });
  if (status !== 0) process.stderr.write('\n!!! SKIPPED: a watched root that is unmounted: only root may mount\n\n');
  return status === 0;
}

describe('file systems', () => {
  const mountinfo = [
    '26 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '31 26 0:40 / /mnt/nvr rw,relatime shared:5 master:2 - nfs4 server:/nvr rw,vers=4.2',
    '32 26 0:41 / /mnt/with\\040space rw - cifs //server/share rw',
    '33 26 0:42 / /mnt/nvr/local rw - tmpfs none rw',
    '34 26 0:43 / /mnt/twice rw - ext4 /dev/vdb rw',
    '35 26 0:44 / /mnt/twice rw - fuse.sshfs host:/ rw',
    'not a line of it',
    '',
  ].join('\n');
  it.each([
    ['/srv/recordings', 'ext4'],
    ['/mnt/nvr', 'nfs4'],
    ['/mnt/nvr/cam/1', 'nfs4'],
    ['/mnt/nvrs', 'ext4'],
    ['/mnt/with space/x', 'cifs'],
    ['/mnt/nvr/local/x', 'tmpfs'],
    ['/mnt/twice/x', 'fuse.sshfs'],
  ])('%s lies on %s', (path, type) => {
    expect(filesystemOf(mountinfo, path)).toBe(type);
  });
  it('are unknown where nothing is said', () => {
    expect(filesystemOf('', '/srv')).toBeNull();
  });
});
