import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  existsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fsyncDirectory, unlinkBeneath, unlinkManyBeneath, type ExpectedFile } from '../../src/platform/native.js';

let place: string;
let root: string;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'tredive-unlink-'));
  root = join(place, 'root');
  mkdirSync(join(root, 'camera', 'day'), { recursive: true });
  mkdirSync(join(place, 'outside'));
});
afterEach(() => {
  rmSync(place, { recursive: true, force: true });
});

function put(path: string, text = 'footage'): ExpectedFile {
  writeFileSync(path, text);
  return identity(path);
}
function identity(path: string): ExpectedFile {
  const { ino, size, dev } = statSync(path, { bigint: true });
  return { inode: ino, sizeBytes: size, device: dev };
}

test('unlinks the indexed file and nothing beside it', async () => {
  const expected = put(join(root, 'camera/day/a.mp4'));
  put(join(root, 'camera/day/b.mp4'));
  const { mtimeNs } = statSync(join(root, 'camera/day/a.mp4'), { bigint: true });
  expect(await unlinkBeneath(root, 'camera/day/a.mp4', { ...expected, modifiedUs: mtimeNs / 1000n })).toBe('unlinked');
  expect(existsSync(join(root, 'camera/day/a.mp4'))).toBe(false);
  expect(existsSync(join(root, 'camera/day/b.mp4'))).toBe(true);
  expect(await unlinkBeneath(root, 'camera/day/a.mp4', expected)).toBe('absent');
});

test('unlinks a file directly in the root, and one whose name is not UTF-8', async () => {
  const expected = put(join(root, 'top.mp4'));
  expect(await unlinkBeneath(root, 'top.mp4', expected)).toBe('unlinked');
  const name = Buffer.concat([Buffer.from(root + '/'), Buffer.from([0xff, 0xfe, 0x41])]);
  writeFileSync(name, 'x');
  const { ino, size } = statSync(name, { bigint: true });
  expect(await unlinkBeneath(root, Buffer.from([0xff, 0xfe, 0x41]), { inode: ino, sizeBytes: size })).toBe('unlinked');
  expect(existsSync(name)).toBe(false);
});

test('a missing directory of the path is absent, a missing root is not', async () => {
  const expected = { inode: 1n, sizeBytes: 1n };
  expect(await unlinkBeneath(root, 'gone/a.mp4', expected)).toBe('absent');
  await expect(unlinkBeneath(join(place, 'unmounted'), 'a.mp4', expected)).rejects.toMatchObject({
    code: 'root-untrusted',
  });
});

test.each([
  ['absolute', '/etc/hostname'],
  ['parent', '../outside/victim.mp4'],
  ['parent inside', 'camera/../../outside/victim.mp4'],
  ['dot', './camera/a.mp4'],
  ['empty', ''],
  ['empty component', 'camera//a.mp4'],
  ['trailing slash', 'camera/a.mp4/'],
  ['NUL', 'camera/a.mp4\0.txt'],
])('refuses a path that is %s', async (_name, path) => {
  const expected = put(join(place, 'outside/victim.mp4'));
  await expect(unlinkBeneath(root, path, expected)).rejects.toMatchObject({ code: 'segment-changed' });
  expect(existsSync(join(place, 'outside/victim.mp4'))).toBe(true);
});

test('refuses a symbolic link in place of the file, even to the very same file', async () => {
  const expected = put(join(place, 'outside/victim.mp4'));
  symlinkSync(join(place, 'outside/victim.mp4'), join(root, 'camera/a.mp4'));
  await expect(unlinkBeneath(root, 'camera/a.mp4', expected)).rejects.toThrow(/symbolic link/);
  expect(existsSync(join(place, 'outside/victim.mp4'))).toBe(true);
  expect(existsSync(join(root, 'camera/a.mp4'))).toBe(true);
});

test('refuses a symbolic link in place of a directory, inside and outside the root', async () => {
  const outside = put(join(place, 'outside/a.mp4'));
  symlinkSync(join(place, 'outside'), join(root, 'linked'));
  await expect(unlinkBeneath(root, 'linked/a.mp4', outside)).rejects.toMatchObject({ code: 'segment-changed' });
  mkdirSync(join(root, 'deep'));
  symlinkSync(join(place, 'outside'), join(root, 'deep/linked'));
  await expect(unlinkBeneath(root, 'deep/linked/a.mp4', outside)).rejects.toMatchObject({ code: 'segment-changed' });
  const inside = put(join(root, 'camera/day/a.mp4'));
  symlinkSync(join(root, 'camera/day'), join(root, 'today'));
  await expect(unlinkBeneath(root, 'today/a.mp4', inside)).rejects.toMatchObject({ code: 'segment-changed' });
  expect(existsSync(join(place, 'outside/a.mp4')) && existsSync(join(root, 'camera/day/a.mp4'))).toBe(true);
});

test('refuses another file under the indexed name: new inode, grown, or a hard link swapped in', async () => {
  const path = join(root, 'camera/a.mp4');
  const expected = put(path);
  put(join(place, 'outside/same-size.mp4'), 'FOOTAGE');
  renameSync(join(place, 'outside/same-size.mp4'), path);
  await expect(unlinkBeneath(root, 'camera/a.mp4', expected)).rejects.toThrow(/inode/);
  const now = identity(path);
  writeFileSync(path, 'footage and more');
  await expect(unlinkBeneath(root, 'camera/a.mp4', now)).rejects.toThrow(/bytes/);
  // The other file is there before the indexed one goes, or the file system might give it the same inode.
  const grown = identity(path);
  put(join(place, 'outside/evidence.mp4'), 'footage and less');
  rmSync(path);
  linkSync(join(place, 'outside/evidence.mp4'), path);
  await expect(unlinkBeneath(root, 'camera/a.mp4', grown)).rejects.toThrow(/inode/);
  const { mtimeNs } = statSync(path, { bigint: true });
  await expect(
    unlinkBeneath(root, 'camera/a.mp4', { ...identity(path), modifiedUs: mtimeNs / 1000n + 5n }),
  ).rejects.toThrow(/written/);
  await expect(unlinkBeneath(root, 'camera/a.mp4', { ...identity(path), device: 0n })).rejects.toThrow(/device/);
});

test('refuses a directory and a file in place of a directory', async () => {
  await expect(unlinkBeneath(root, 'camera/day', identity(join(root, 'camera/day')))).rejects.toThrow(/regular/);
  const file = put(join(root, 'camera/a.mp4'));
  await expect(unlinkBeneath(root, 'camera/a.mp4/b', file)).rejects.toMatchObject({ code: 'segment-changed' });
});

test('many files in order: one bad file does not stop the others', async () => {
  const files = Array.from({ length: 200 }, (_unused, i) => {
    mkdirSync(join(root, `d${i % 80}`), { recursive: true });
    const relativePath = `d${i % 80}/${i}.mp4`;
    return { relativePath, expected: put(join(root, relativePath)) };
  });
  const bad = files[100];
  if (bad === undefined) throw new Error('no file');
  files[100] = { ...bad, expected: { ...bad.expected, inode: 1n } };
  const results = await unlinkManyBeneath(root, files);
  expect(results.filter((result) => result === 'unlinked')).toHaveLength(199);
  expect(results[100]).toMatchObject({ code: 'segment-changed' });
  expect(existsSync(join(root, bad.relativePath))).toBe(true);
});

test('fsyncDirectory works on a directory and reports a missing one', async () => {
  await fsyncDirectory(root);
  await expect(fsyncDirectory(join(root, 'none'))).rejects.toMatchObject({ code: 'io-failed' });
});
