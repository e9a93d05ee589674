import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comparePaths, fileStamp, readStamp, walkTree } from '../../src/platform/tree-walk.js';
import { tempFolder } from '../helpers/site.js';

async function walked(root: string, folder = '', signal?: AbortSignal): Promise<[path: string, stamp: string][]> {
  const all: [string, string][] = [];
  for await (const batch of walkTree(root, folder, signal)) {
    for (let at = 0; at < batch.length; at += 2) all.push([batch[at] ?? '', batch[at + 1] ?? '']);
  }
  return all;
}

const put = (root: string, path: string | Buffer, text = 'x'): void => {
  const full = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path)]);
  mkdirSync(full.subarray(0, full.lastIndexOf(0x2f)), { recursive: true });
  writeFileSync(full, text);
};

/** Needs the right to mount: root, outside of a sandbox that forbids it. */
const canMount = ((): boolean => {
  const place = tmpdir();
  const done = spawnSync('unshare', ['-m', 'mount', '--bind', place, place]);
  if (done.status !== 0) process.stderr.write('\n!!! SKIPPED: a folder mounted below itself: only root may mount\n\n');
  return done.status === 0;
})();

describe('walkTree', () => {
  it('tells each name once with what it is, folders before what is in them, and follows no link', async () => {
    const root = tempFolder();
    const aside = tempFolder();
    put(aside, 'secret.mp4');
    put(root, 'a/b/c.mp4', 'four');
    put(root, 'a.mp4');
    symlinkSync(aside, join(root, 'link'));
    symlinkSync('nowhere', join(root, 'a/dangling'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const all = await walked(root);
    expect(all.map(([path, stamp]) => `${stamp.charAt(0)} ${path}`)).toEqual([
      'd ',
      'f a.mp4',
      'd a',
      'd a/b',
      'f a/b/c.mp4',
      'l a/dangling',
      'l link',
      'o pipe',
    ]);
    const stat = statSync(join(root, 'a/b/c.mp4'), { bigint: true });
    const facts = { inode: stat.ino.toString(), sizeBytes: 4, mtimeUs: Number(stat.mtimeNs / 1000n) };
    expect(all[4]?.[1]).toBe(fileStamp(facts));
    expect(readStamp(all[4]?.[1] ?? '')).toEqual({
      kind: 'name',
      utf8: true,
      facts: { isFile: true, isLink: false, ...facts },
    });
    expect((await walked(root, 'a/b')).map(([path]) => path)).toEqual(['a/b', 'a/b/c.mp4']);
  });

  it('gives paths in the order of their bytes, whatever they are', async () => {
    const name = fc
      .array(fc.constantFrom('a', 'A', '-', '.', '0', '~', ' ', '\n', 'é', '\uFFFD', '\uE000', '𝄞', '#'), {
        minLength: 1,
        maxLength: 3,
      })
      .map((letters) => letters.join(''))
      .filter((text) => text !== '.' && text !== '..');
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 3 }), { maxLength: 20 }),
        async (paths) => {
          const root = tempFolder();
          const files = new Set<string>();
          for (const path of paths.map((parts) => parts.join('/'))) {
            try {
              put(root, path);
              files.add(path);
            } catch (error) {
              // One is a folder where another is a file.
              if (!['EISDIR', 'ENOTDIR', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
            }
          }
          const met = (await walked(root)).filter(([, stamp]) => stamp.startsWith('f ')).map(([path]) => path);
          expect(met).toEqual([...files].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
          expect([...files].sort(comparePaths)).toEqual(met);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('writes out names that are no UTF-8, in folders too, each differently', async () => {
    const root = tempFolder();
    const bytes = (...parts: (string | number)[]): Buffer =>
      Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));
    put(root, bytes('a/', 0xff, '.mp4'));
    put(root, bytes('a/', 0xfe, '.mp4'));
    put(root, bytes(0xc3, '/fine.mp4'));
    // Overlong, a surrogate, beyond the last character: JavaScript would read all of them as something else.
    put(root, bytes(0xc0, 0xaf, 'o.mp4'));
    put(root, bytes(0xed, 0xa0, 0x80, 's.mp4'));
    put(root, bytes(0xf4, 0x90, 0x80, 0x80, 'b.mp4'));
    put(root, '\uFFFD.mp4');
    const all = await walked(root);
    expect(all.map(([path, stamp]) => `${stamp.charAt(0)} ${path}`).sort()).toEqual(
      [
        'd ',
        'd a',
        'F a/\\xff.mp4',
        'F a/\\xfe.mp4',
        'D \\xc3',
        'F \\xc3/fine.mp4',
        'F \\xc0\\xafo.mp4',
        'F \\xed\\xa0\\x80s.mp4',
        'F \\xf4\\x90\\x80\\x80b.mp4',
        'f \uFFFD.mp4',
      ].sort(),
    );
    expect(all.filter(([, stamp]) => !readStamp(stamp).utf8)).toHaveLength(7);
  });

  it('crosses batches without losing or repeating a name', async () => {
    const root = tempFolder();
    const files = Array.from({ length: 5000 }, (_, at) => `${at % 3}/${String(at).padStart(5, '0')}.mp4`);
    for (const file of files) put(root, file, '');
    const met = (await walked(root)).filter(([, stamp]) => stamp.startsWith('f ')).map(([path]) => path);
    expect(met).toEqual([...files].sort());
  });

  it('goes deeper than a path is long, with few files open', async () => {
    const root = tempFolder();
    const part = 'd'.repeat(200);
    // Each move puts what is there one folder further down.
    writeFileSync(join(root, 'last.mp4'), 'x');
    let inner = 'last.mp4';
    for (let depth = 0; depth < 15; depth += 1) {
      mkdirSync(join(root, 'next'));
      renameSync(join(root, inner), join(root, 'next', inner));
      renameSync(join(root, 'next'), join(root, part));
      inner = part;
    }
    const all = await walked(root);
    expect(all.filter(([, stamp]) => stamp.startsWith('f '))).toHaveLength(1);
    expect(all.filter(([, stamp]) => stamp.startsWith('d'))).toHaveLength(16);
  });

  it('says which folder it could not read, and goes on', async () => {
    const root = tempFolder();
    put(root, 'b/file.mp4');
    await expect(walked(join(root, 'gone'))).rejects.toMatchObject({ code: 'root-untrusted' });
    await expect(walked(join(root, 'b/file.mp4'))).rejects.toMatchObject({ code: 'root-untrusted' });
    const all = await walked(root, 'b/file.mp4');
    expect(all).toHaveLength(1);
    expect(readStamp(all[0]?.[1] ?? '')).toMatchObject({
      kind: 'unreadable',
      reason: expect.stringContaining('ENOTDIR') as string,
    });
  });

  it('stops when it is told to, before and during', async () => {
    const root = tempFolder();
    for (let at = 0; at < 4000; at += 1) put(root, `${at % 40}/${at}.mp4`, '');
    const stopped = new AbortController();
    stopped.abort();
    await expect(walked(root, '', stopped.signal)).rejects.toMatchObject({ code: 'interrupted' });
    const later = new AbortController();
    const walk = walkTree(root, '', later.signal);
    expect((await walk.next()).done).toBe(false);
    later.abort();
    await expect(walk.next()).rejects.toMatchObject({ code: 'interrupted' });
    // Left in the middle: its thread ends too, or this process would never.
    const left = walkTree(root);
    expect((await left.next()).done).toBe(false);
    expect((await left.return()).done).toBe(true);
  });

  it('meets what is removed while it walks without complaint', async () => {
    const root = tempFolder();
    for (let at = 0; at < 9000; at += 1) put(root, `${String(at % 9)}/${at}.mp4`, '');
    const kinds = new Set<string>();
    let first = true;
    for await (const batch of walkTree(root)) {
      if (first) for (let folder = 5; folder < 9; folder += 1) rmSync(join(root, String(folder)), { recursive: true });
      first = false;
      for (let at = 1; at < batch.length; at += 2) kinds.add((batch[at] ?? '').charAt(0));
    }
    expect([...kinds].sort()).toEqual(['d', 'f']);
  });

  it('tells a name of every byte there is once, and no two of them alike', async () => {
    const root = tempFolder();
    const bytes = Array.from({ length: 255 }, (_, at) => at + 1).filter((byte) => byte !== 0x2f);
    for (const byte of bytes) {
      put(root, Buffer.from([byte, 0x78]));
      put(root, Buffer.from([0x66, 0x66, byte, 0x2f, byte, 0x78]));
    }
    const files = (await walked(root)).filter(([, stamp]) => stamp.toLowerCase().startsWith('f '));
    expect(files).toHaveLength(2 * bytes.length);
    expect(new Set(files.map(([path]) => path)).size).toBe(files.length);
    expect(new Set(files.map(([, stamp]) => stamp.split(' ')[1])).size).toBe(files.length);
    for (const byte of bytes) {
      const shown = byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`;
      const letter = byte < 0x80 ? 'f' : 'F';
      for (const path of [`${shown}x`, `ff${shown}/${shown}x`]) {
        expect(files.find(([met]) => met === path)?.[1].charAt(0), path).toBe(letter);
      }
    }
  });

  it('takes names as long as names can be', async () => {
    const root = tempFolder();
    const names = ['n'.repeat(255), `${'é'.repeat(127)}x`, `${'𝄞'.repeat(63)}xyz`];
    for (const name of names) put(root, `${name}/${name}`);
    const longest = Buffer.alloc(255, 0xff);
    put(root, longest);
    const all = await walked(root);
    expect(all.filter(([, stamp]) => stamp.startsWith('f ')).map(([path]) => path)).toEqual(
      names.map((name) => `${name}/${name}`),
    );
    expect(all.find(([, stamp]) => stamp.startsWith('F '))?.[0]).toBe('\\xff'.repeat(255));
  });

  it('does not go where a folder was replaced by a link or a file while it walked', async () => {
    const root = tempFolder();
    const aside = tempFolder();
    put(aside, 'secret.mp4');
    // More than the walk reads ahead of what is asked for.
    for (let at = 0; at < 14_000; at += 1) put(root, `${at % 7}/${at}.mp4`, '');
    put(root, 'link/mine.mp4');
    put(root, 'file/mine.mp4');
    put(root, 'within/folder/mine.mp4');
    const met = new Map<string, string>();
    let first = true;
    for await (const batch of walkTree(root)) {
      if (first) {
        renameSync(join(root, 'link'), join(aside, 'mine'));
        symlinkSync(aside, join(root, 'link'));
        rmSync(join(root, 'file'), { recursive: true });
        writeFileSync(join(root, 'file'), 'x');
        // A link on the way to it, too.
        renameSync(join(root, 'within'), join(aside, 'within'));
        symlinkSync(join(aside, 'within'), join(root, 'within'));
      }
      first = false;
      for (let at = 0; at < batch.length; at += 2) met.set(batch[at] ?? '', batch[at + 1] ?? '');
    }
    expect([...met.keys()].filter((path) => /secret|mine/.test(path))).toEqual([]);
    for (const name of ['link', 'file', 'within']) {
      expect(readStamp(met.get(name) ?? ''), name).toMatchObject({ kind: 'unreadable' });
    }
    expect([...met.keys()].filter((path) => /^\d\//.test(path))).toHaveLength(14_000);
  });

  it.skipIf(!canMount)('comes to an end where a folder is mounted below itself', async () => {
    const root = tempFolder();
    put(root, 'yard/1.mp4');
    mkdirSync(join(root, 'again'));
    execFileSync('mount', ['--rbind', root, join(root, 'again')]);
    try {
      const files = (await walked(root)).filter(([, stamp]) => stamp.startsWith('f '));
      expect(files.map(([path]) => path)).toEqual(['again/yard/1.mp4', 'yard/1.mp4']);
    } finally {
      spawnSync('umount', ['-l', join(root, 'again')]);
    }
  });
});
