import { linkSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/errors.js';
import { silentLog } from '../../src/platform/log.js';
import { announceCamera, announceFile } from '../../src/recordings/announced.js';
import type { RecordingsContext } from '../../src/recordings/context.js';
import { layoutFromConfig } from '../../src/recordings/layouts/index.js';
import { makeTestStore, tempFolder } from '../helpers/site.js';

function makeRoots() {
  const folder = tempFolder();
  const { store, clock } = makeTestStore('2026-06-01T12:00:00Z');
  const make = (id: string, layout: string, seenAs?: string): RecordingsContext['roots'][number] => {
    const path = join(folder, id, 'recordings');
    mkdirSync(path, { recursive: true });
    return {
      id,
      path,
      layout: layoutFromConfig(layout, { siteTimezone: 'UTC' }),
      ...(seenAs !== undefined && { seenAs }),
    };
  };
  const roots = [make('mtx', 'mediamtx'), make('inner', 'mediamtx', '/recordings/'), make('frigate', 'frigate')];
  const asked: string[] = [];
  const put = (root: string, path: string): string => {
    const full = join(folder, root, 'recordings', path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, 'footage');
    return full;
  };
  const ctx: RecordingsContext = {
    store,
    log: silentLog,
    roots,
    quietMs: 0,
    registerCamera: () => undefined,
  };
  const watcher = {
    announced: (root: string, path: string) => {
      asked.push(`${root} ${path}`);
      return Promise.resolve('indexed' as const);
    },
  };
  return {
    folder,
    put,
    asked,
    clock,
    file: (path: string) => announceFile(ctx, watcher, path),
    camera: (camera: string, startUs: number, endUs: number | null) =>
      announceCamera(ctx, watcher, { camera, startUs, endUs }),
  };
}

describe('an announced file', () => {
  it('is found by every name that a recorder has for it', async () => {
    const { folder, put, file, asked } = makeRoots();
    const full = put('mtx', 'lobby/a b.mp4');
    put('inner', 'yard/x.mp4');
    symlinkSync(join(folder, 'mtx'), join(folder, 'alias'));
    for (const name of [
      full,
      `${folder}/mtx/./recordings//lobby/a b.mp4`,
      './recordings/lobby/a b.mp4',
      'lobby/a b.mp4',
    ]) {
      expect(await file(name)).toEqual({ root: 'mtx', path: 'lobby/a b.mp4', outcome: 'indexed' });
    }
    expect(await file('/recordings/yard/x.mp4')).toMatchObject({ root: 'inner', path: 'yard/x.mp4' });
    expect(asked).toHaveLength(5);
  });

  it.each([
    ['outside of every root', '/etc/passwd', 'input-invalid'],
    ['another folder that begins like a root', '/recordings2/x.mp4', 'input-invalid'],
    ['the root itself', '/recordings', 'input-invalid'],
    ['..', '/recordings/../etc/passwd', 'input-invalid'],
    ['.. that would lead back', '/recordings/yard/../yard/x.mp4', 'input-invalid'],
    ['.. in a relative path', '../x.mp4', 'input-invalid'],
    ['a NUL', '/recordings/yard/x.mp4\0.txt', 'input-invalid'],
    ['nothing', '.', 'input-invalid'],
    ['a path of 5000 bytes', `/recordings/${'y/'.repeat(2500)}x.mp4`, 'input-invalid'],
    ['a file that is not there', '/recordings/yard/none.mp4', 'not-found'],
    ['a folder', '/recordings/yard', 'input-invalid'],
    ['a link', '/recordings/yard/link.mp4', 'input-invalid'],
    ['a file behind a linked folder', '/recordings/linked/x.mp4', 'not-found'],
    ['a file of two roots', 'both.mp4', 'conflict'],
  ])('is refused: %s', async (_what, path, code) => {
    const { folder, put, file, asked } = makeRoots();
    put('inner', 'yard/x.mp4');
    put('inner', 'both.mp4');
    put('mtx', 'both.mp4');
    symlinkSync('x.mp4', join(folder, 'inner/recordings/yard/link.mp4'));
    symlinkSync('yard', join(folder, 'inner/recordings/linked'));
    const before = readdirSync(folder, { recursive: true }).sort();
    const error = await file(path).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(GatewayError);
    expect((error as GatewayError).code).toBe(code);
    expect((error as GatewayError).remedy).toBeTruthy();
    expect(asked).toEqual([]);
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual(before);
  });
});

describe("an event of Frigate's", () => {
  const at = (instant: string): number => Date.parse(instant) * 1000;

  it('makes the folders of its hours be looked at, and of no other camera', async () => {
    const { put, camera, asked } = makeRoots();
    put('frigate', '2026-06-01/09/front/59.50.mp4');
    put('frigate', '2026-06-01/10/front/00.00.mp4');
    put('frigate', '2026-06-01/10/back/00.00.mp4');
    put('frigate', '2026-06-01/08/front/00.00.mp4');
    put('mtx', '2026-06-01/10/front/00.00.mp4');
    expect(await camera('front', at('2026-06-01T10:00:05Z'), at('2026-06-01T10:00:15Z'))).toEqual({
      camera: 'front',
      folders: 2,
      files: { indexed: 2 },
    });
    expect(asked.sort()).toEqual(['frigate 2026-06-01/09/front/59.50.mp4', 'frigate 2026-06-01/10/front/00.00.mp4']);
  });

  it('looks at the last hours of a long one, and not into the future', async () => {
    const { put, camera, asked } = makeRoots();
    for (const hour of ['08', '09', '10', '11', '12', '13'])
      put('frigate', `recordings/2026-06-01/${hour}/front/00.00.mp4`);
    await camera('front', at('2026-05-20T00:00:00Z'), at('2036-06-01T00:00:00Z'));
    expect(asked.sort()).toEqual(
      ['10', '11', '12'].map((hour) => `frigate recordings/2026-06-01/${hour}/front/00.00.mp4`),
    );
  });

  it.each(['..', '.', 'a/../../b', 'x\0y', ''])('refuses %j as the name of a camera', async (name) => {
    const { camera, asked } = makeRoots();
    await expect(camera(name, at('2026-06-01T10:00:00Z'), null)).rejects.toThrow(/no path of a recording/);
    expect(asked).toEqual([]);
  });

  it('follows no link, and passes by what is no file', async () => {
    const { folder, put, camera, asked } = makeRoots();
    const file = put('mtx', 'other/00.00.mp4');
    const hour = join(folder, 'frigate/recordings/2026-06-01/10');
    mkdirSync(join(hour, 'back'), { recursive: true });
    symlinkSync(dirname(file), join(hour, 'front'));
    symlinkSync(file, join(hour, 'back', '00.00.mp4'));
    linkSync(file, join(hour, 'back', '00.10.mp4'));
    await camera('front', at('2026-06-01T10:00:05Z'), at('2026-06-01T10:01:00Z'));
    await camera('back', at('2026-06-01T10:00:05Z'), at('2026-06-01T10:01:00Z'));
    expect(asked).toEqual(['frigate 2026-06-01/10/back/00.10.mp4']);
  });
});
