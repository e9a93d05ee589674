import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { registerFoundCamera } from '../../src/cameras/register.js';
import { silentLog } from '../../src/platform/log.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { putSeenRoots } from '../../src/recordings/roots.js';
import { watchRoots } from '../../src/recordings/watch.js';
import { segmentsOfRoot } from '../../src/store/segments.js';
import { makeClip } from '../helpers/clip.js';
import { makeTestStore, tempFolder } from '../helpers/site.js';

it('follows folders that are made empty, one in the other, and filled only then', async () => {
  const root = join(tempFolder(), 'recordings');
  mkdirSync(root);
  const clip = await makeClip(join(dirname(root), 'clip.mp4'), { seconds: 2 });
  const site = makeTestStore();
  const ctx = {
    store: site.store,
    log: silentLog,
    roots: [{ id: 'nvr', path: root, layout: layoutFromConfig('frigate', { siteTimezone: 'Europe/Copenhagen' }) }],
    quietMs: 100,
    poll: false,
    registerCamera: (note: Parameters<typeof registerFoundCamera>[1], cameraId: string, label: string) => {
      registerFoundCamera(site.store, note, cameraId, label);
    },
  };
  putSeenRoots(ctx);
  const stop = new AbortController();
  const watcher = await watchRoots(ctx, { signal: stop.signal });
  try {
    const folder = join(root, '2026-05-31/22/lobby');
    mkdirSync(folder, { recursive: true });
    await sleep(1000);
    copyFileSync(clip, join(folder, '10.00.mp4'));
    const indexed = (): string[] => [...segmentsOfRoot(site.store.db, 'nvr')].map(({ path }) => path);
    for (let waited = 0; waited < 60 && indexed().length === 0; waited += 1) await sleep(100);
    expect(indexed()).toEqual(['2026-05-31/22/lobby/10.00.mp4']);
  } finally {
    stop.abort();
    await watcher.close();
  }
});
