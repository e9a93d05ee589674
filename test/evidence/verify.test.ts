/** One real package, and everything that can be done to it: each change is named by the check that is about it. */
import { createHash, createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { BlobReader, BlobWriter, TextReader, ZipWriter } from '@zip.js/zip.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import { inclusionProof, leafHash } from '../../src/domain/merkle.js';
import { writeArchive } from '../../src/evidence/archive.js';
import { inclusionProofs } from '../../src/evidence/proof.js';
import { fingerprint, publicPem, signManifest } from '../../src/evidence/signature.js';
import { checkNames, verifyPackage } from '../../src/evidence/verify.js';
import { failing, makeWorld, packaged } from '../helpers/disclosure.js';
import { tempFolder } from '../helpers/site.js';

let kept: string;
let packageKey: KeyObject;

beforeAll(() => {
  kept = mkdtempSync(join(tmpdir(), 'tredive-package-'));
});
afterAll(() => {
  rmSync(kept, { recursive: true, force: true });
});

/** A fresh copy of the package, made once. */
async function fresh(): Promise<{ directory: string; archive: string }> {
  if (readdirSync(kept).length === 0) {
    const world = makeWorld();
    const made = await packaged(world);
    packageKey = world.packageKey;
    cpSync(made.directory, join(kept, 'package'), { recursive: true });
    cpSync(made.archive, join(kept, 'package.zip'));
  }
  const place = tempFolder();
  cpSync(kept, place, { recursive: true });
  return { directory: join(place, 'package'), archive: join(place, 'package.zip') };
}

const firstOf = (directory: string, folder: string): string =>
  `${folder}/${readdirSync(join(directory, folder)).sort()[0] ?? ''}`;

const edit = (path: string, from: string, to: string): void => {
  const text = readFileSync(path, 'utf8');
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to));
};

const detailOf = async (path: string, name: string): Promise<string> =>
  (await verifyPackage(path)).checks.find((check) => check.name === name)?.detail ?? '';

test('an untouched package passes, as a folder and as a ZIP, with the key and without', async () => {
  const { directory, archive } = await fresh();
  for (const path of [directory, archive]) {
    const report = await verifyPackage(path, { publicKeyPem: publicPem(packageKey) });
    expect(report.checks.map((check) => check.name)).toEqual([...checkNames]);
    expect(report.checks.filter((check) => !check.ok)).toEqual([]);
    expect(report.ok).toBe(true);
    const unpinned = await verifyPackage(path);
    expect(unpinned.ok).toBe(true);
    expect(unpinned.checks.find((check) => check.name === 'key-pin')?.detail).toMatch(
      /compare the fingerprint [0-9a-f]{64}/,
    );
  }
});

test('another key than the given one', async () => {
  const { directory } = await fresh();
  const other = publicPem(generateKeyPairSync('ed25519').publicKey);
  expect(await failing(directory, other)).toEqual(['key-pin']);
  expect(await failing(directory, 'no key at all')).toEqual(['key-pin']);
});

describe('what was changed is named', () => {
  test.each(['originals', 'redacted'])('a byte of a file in %s', async (folder) => {
    const { directory } = await fresh();
    const name = firstOf(directory, folder);
    edit(join(directory, name), 'footage', 'f00tage');
    expect(await failing(directory)).toEqual(['file-hashes']);
    expect(await detailOf(directory, 'file-hashes')).toBe(`${name} is not what the manifest says`);
  });

  test('a file cut short', async () => {
    const { directory } = await fresh();
    const name = firstOf(directory, 'originals');
    truncateSync(join(directory, name), 10);
    expect(await failing(directory)).toEqual(['file-hashes']);
    expect(await detailOf(directory, 'file-hashes')).toContain(`${name} has 10 bytes`);
  });

  test('a file dropped', async () => {
    const { directory } = await fresh();
    const name = firstOf(directory, 'redacted');
    rmSync(join(directory, name));
    expect(await failing(directory)).toEqual(['no-missing-files']);
    expect(await detailOf(directory, 'no-missing-files')).toContain(name);
  });

  test('a file added', async () => {
    const { directory } = await fresh();
    writeFileSync(join(directory, 'originals', 'extra.mp4'), 'x');
    expect(await failing(directory)).toEqual(['no-extra-files']);
    expect(await detailOf(directory, 'no-extra-files')).toContain('originals/extra.mp4');
  });

  test('two files swapped', async () => {
    const { directory } = await fresh();
    const [a = '', b = ''] = readdirSync(join(directory, 'originals')).sort();
    renameSync(join(directory, 'originals', a), join(directory, 'x'));
    renameSync(join(directory, 'originals', b), join(directory, 'originals', a));
    renameSync(join(directory, 'x'), join(directory, 'originals', b));
    expect(await failing(directory)).toEqual(['file-hashes']);
    expect(await detailOf(directory, 'file-hashes')).toContain(a);
    expect(await detailOf(directory, 'file-hashes')).toContain(b);
  });

  test('the README', async () => {
    const { directory } = await fresh();
    edit(join(directory, 'README.txt'), 'UDLEVERING', 'Udlevering');
    expect(await failing(directory)).toEqual(['file-hashes']);
    expect(await detailOf(directory, 'file-hashes')).toContain('README.txt');
  });

  test('the manifest', async () => {
    const { directory } = await fresh();
    edit(join(directory, 'manifest.json'), 'theft at the entrance', 'theft at the Entrance');
    expect(await failing(directory)).toEqual(['manifest-signature', 'package-event', 'key-pin']);
  });

  test('the manifest, its white space only', async () => {
    const { directory } = await fresh();
    edit(join(directory, 'manifest.json'), '{', '{ ');
    expect(await failing(directory)).toContain('manifest-form');
  });

  test('the signature', async () => {
    const { directory } = await fresh();
    const sig = readFileSync(join(directory, 'manifest.sig'), 'utf8');
    const at = sig.indexOf('ed25519: ') + 20;
    writeFileSync(
      join(directory, 'manifest.sig'),
      sig.slice(0, at) + (sig[at] === 'A' ? 'B' : 'A') + sig.slice(at + 1),
    );
    expect(await failing(directory)).toEqual(['manifest-signature', 'key-pin']);
  });

  test('a key of somebody else, with his own signature over a changed manifest', async () => {
    const { directory } = await fresh();
    const forger = generateKeyPairSync('ed25519').privateKey;
    edit(join(directory, 'manifest.json'), 'theft at the entrance', 'nothing to see here!!');
    const manifest = readFileSync(join(directory, 'manifest.json'), 'utf8');
    writeFileSync(join(directory, 'manifest.sig'), signManifest(manifest, forger));
    writeFileSync(join(directory, 'keys/package-key.pem'), publicPem(forger));
    expect(await failing(directory)).toEqual(['manifest-signature', 'file-hashes', 'package-event', 'key-pin']);
  });

  test('everything that a forger with his own keys can sign: the log still does not know it', async () => {
    const { directory } = await fresh();
    const forger = generateKeyPairSync('ed25519').privateKey;
    const pem = publicPem(forger);
    writeFileSync(join(directory, 'keys/package-key.pem'), pem);
    const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as {
      packageKeySha256: string;
      request: { purpose: string };
      files: { path: string; sha256: string; sizeBytes: number }[];
    };
    manifest.packageKeySha256 = fingerprint(forger);
    manifest.request.purpose = 'forged';
    for (const file of manifest.files) {
      if (file.path !== 'keys/package-key.pem') continue;
      file.sha256 = createHash('sha256').update(pem).digest('hex');
      file.sizeBytes = pem.length;
    }
    const text = canonicalJson(manifest);
    writeFileSync(join(directory, 'manifest.json'), text);
    writeFileSync(join(directory, 'manifest.sig'), signManifest(text, forger));
    expect(await failing(directory)).toEqual(['package-event']);
    expect(await failing(directory, publicPem(packageKey))).toEqual(['package-event', 'key-pin']);
  });

  test('the checkpoint', async () => {
    const { directory } = await fresh();
    edit(join(directory, 'audit/checkpoint.txt'), 'tredive/test\n', 'tredive/tEst\n');
    expect(await failing(directory)).toEqual(['audit-checkpoint', 'audit-inclusion', 'package-event', 'approval']);
  });

  test('the proof: an event edited, and one dropped', async () => {
    const edited = (await fresh()).directory;
    edit(join(edited, 'audit/proof.json'), '\\"atUs\\":', '\\"atUs\\":1');
    expect(await failing(edited)).toEqual(['audit-inclusion', 'package-event', 'approval']);
    const dropped = (await fresh()).directory;
    const proof = JSON.parse(readFileSync(join(dropped, 'audit/proof.json'), 'utf8')) as {
      events: { entry: string }[];
    };
    proof.events = proof.events.filter((event) => !event.entry.includes('request.reviewed'));
    writeFileSync(join(dropped, 'audit/proof.json'), JSON.stringify(proof));
    expect(await failing(dropped)).toEqual(['approval']);
    expect(await detailOf(dropped, 'approval')).toContain('request.reviewed');
  });
});

describe('hostile folders', () => {
  test('a symbolic link is never followed', async () => {
    const { directory } = await fresh();
    const name = firstOf(directory, 'originals');
    renameSync(join(directory, name), `${directory}.aside`);
    symlinkSync(`${directory}.aside`, join(directory, name));
    const report = await verifyPackage(directory);
    expect(report.ok).toBe(false);
    expect(report.checks[0]).toMatchObject({ name: 'archive', ok: false });
    expect(report.checks[0]?.detail).toContain('symbolic link');
    expect(report.checks.every((check) => !check.ok)).toBe(true);
  });

  test.each([
    ['broken JSON', '{"format":'],
    ['nested without end', '['.repeat(200_000)],
    ['deep and closed', `${'[0,'.repeat(100_000)}0${']'.repeat(100_000)}`],
    ['__proto__', '{"__proto__":{"format":"tredive-evidence-package"}}'],
    ['empty', ''],
    ['null', 'null'],
  ])('a manifest that is %s', async (_what, text) => {
    const { directory } = await fresh();
    writeFileSync(join(directory, 'manifest.json'), text);
    expect(await failing(directory)).toContain('manifest-form');
  });

  test('a gigantic manifest is not read', async () => {
    const { directory } = await fresh();
    truncateSync(join(directory, 'manifest.json'), 5_000_000_000); // sparse: takes no disk
    const before = process.memoryUsage().rss;
    expect(await failing(directory)).toContain('structure');
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
    expect(await detailOf(directory, 'structure')).toContain('manifest.json is larger');
  });

  test('nothing there, an empty folder, a file that is no ZIP', async () => {
    const place = tempFolder();
    writeFileSync(join(place, 'text.zip'), 'this is no zip');
    mkdirSync(join(place, 'empty'));
    expect(await failing(join(place, 'nowhere'))).toEqual([...checkNames]);
    expect(await failing(join(place, 'text.zip'))).toEqual([...checkNames]);
    expect(await failing(join(place, 'empty'))).toContain('structure');
  });
});

describe('ZIPs', () => {
  test('a program that is not ours unpacks it, and the folder verifies', async () => {
    const { archive, directory } = await fresh();
    const out = join(directory, '..', 'unpacked');
    // Python is there: the build needs it.
    execFileSync('python3', ['-m', 'zipfile', '-e', archive, out]);
    expect(await failing(out)).toEqual([]);
    expect(readdirSync(out).sort()).toEqual(readdirSync(directory).sort());
  });

  test('the same files and date give the same bytes', async () => {
    const { directory } = await fresh();
    const names = ['README.txt', 'manifest.json', firstOf(directory, 'originals')];
    const date = new Date('2026-06-01T12:00:00Z');
    await writeArchive(directory, names, `${directory}.a`, date);
    await writeArchive(directory, names, `${directory}.b`, date);
    expect(readFileSync(`${directory}.a`).equals(readFileSync(`${directory}.b`))).toBe(true);
  });

  test('an archive that cannot be written leaves nothing', async () => {
    const { directory } = await fresh();
    await expect(
      writeArchive(directory, ['README.txt', 'nowhere'], `${directory}.a`, new Date()),
    ).rejects.toMatchObject({ code: 'io-failed' });
    expect(() => readFileSync(`${directory}.a`)).toThrow(/ENOENT/);
  });

  const zipWith = async (fill: (zip: ZipWriter<Blob>) => Promise<unknown>): Promise<string> => {
    const zip = new ZipWriter(new BlobWriter('application/zip'), { level: 0 });
    await fill(zip);
    const path = join(tempFolder(), 'hostile.zip');
    writeFileSync(path, Buffer.from(await (await zip.close()).arrayBuffer()));
    return path;
  };

  test.each([
    ['a path out of the folder', '../../etc/cron.d/x'],
    ['an absolute path', '/etc/passwd'],
    ['a drive', 'C:\\x'],
  ])('%s', async (_what, name) => {
    const path = await zipWith((zip) => zip.add(name, new TextReader('x')));
    const report = await verifyPackage(path);
    expect(report.checks.every((check) => !check.ok)).toBe(true);
  });

  test('compressed content is a bomb until shown otherwise', async () => {
    const path = await zipWith((zip) =>
      zip.add('manifest.json', new BlobReader(new Blob([new Uint8Array(20_000_000)])), { level: 9 }),
    );
    expect(await detailOf(path, 'archive')).toContain('compressed');
  });

  test('two entries that are one file on most desktops', async () => {
    const path = await zipWith(async (zip) => {
      await zip.add('README.txt', new TextReader('a'));
      await zip.add('readme.TXT', new TextReader('b'));
    });
    expect((await verifyPackage(path)).ok).toBe(false);
    expect(await detailOf(path, 'archive')).toMatch(/twice|uplicate/i);
  });

  test('one name twice', async () => {
    const { archive } = await fresh();
    // Patched in the directory and the local header: README.txt becomes a second manifest.sig-to-be of equal length.
    const bytes = readFileSync(archive);
    const from = Buffer.from('audit/checkpoint.txt');
    const to = Buffer.from('keys/package-key.pem');
    for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) to.copy(bytes, at);
    writeFileSync(archive, bytes);
    expect(await failing(archive)).toContain('archive');
  });

  test('a symbolic link', async () => {
    const path = await zipWith((zip) =>
      zip.add('manifest.json', new TextReader('/etc/passwd'), { externalFileAttributes: (0o120777 << 16) >>> 0 }),
    );
    expect(await detailOf(path, 'archive')).toContain('symbolic link');
  });

  test('a changed byte of any file is found, one anywhere else does no harm', async () => {
    const { archive, directory } = await fresh();
    const bytes = readFileSync(archive);
    // Where the content of each file lies in the archive, which stores it as it is.
    const contents = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)))
      .map((content) => ({ from: bytes.indexOf(content), to: bytes.indexOf(content) + content.length }));
    expect(contents.every(({ from }) => from >= 0)).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const changed = Buffer.from(bytes);
        changed.writeUInt8((changed.readUInt8(at) + by) % 256, at);
        writeFileSync(archive, changed);
        const report = await verifyPackage(archive);
        // Dates and the like in a header may change without a word; what the headers frame may not.
        if (contents.some(({ from, to }) => at >= from && at < to)) expect(report.ok).toBe(false);
        expect(report.checks.map((check) => check.name)).toEqual([...checkNames]);
      }),
      { numRuns: 60 },
    );
    for (const cut of [1, 22, 100, Math.floor(bytes.length / 2), bytes.length - 4]) {
      writeFileSync(archive, bytes.subarray(0, bytes.length - cut));
      expect((await verifyPackage(archive)).ok).toBe(false);
    }
  });
});

test('inclusion proofs in one pass are those of RFC 6962', () => {
  for (let size = 1; size <= 40; size += 1) {
    const leaves = Array.from({ length: size }, (_, index) => leafHash(Buffer.from(String(index))));
    const all = leaves.map((_, index) => index);
    expect(inclusionProofs(leaves, all)).toEqual(all.map((index) => inclusionProof(leaves, index)));
  }
});

test('the signature is plain Ed25519 over the bytes of the manifest, as the README says', async () => {
  const { directory } = await fresh();
  const read = (name: string): Buffer => readFileSync(join(directory, name));
  const signature = /^ed25519: (.*)$/m.exec(read('manifest.sig').toString())?.[1] ?? '';
  const key = createPublicKey(read('keys/package-key.pem'));
  expect(verify(null, read('manifest.json'), key, Buffer.from(signature, 'base64'))).toBe(true);
  const der = key.export({ type: 'spki', format: 'der' });
  expect(read('README.txt').toString()).toContain(createHash('sha256').update(der).digest('hex'));
});
