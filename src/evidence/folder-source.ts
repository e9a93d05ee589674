/** A package in a folder. Links and other things that are no files are problems, and never followed. */
import { constants } from 'node:fs';
import { lstat, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError, toGatewayError } from '../errors.js';
import { maxFiles, printable, type PackageFile, type PackageSource } from './source.js';

const maxDepth = 4;

export async function openFolder(root: string): Promise<PackageSource> {
  const files = new Map<string, PackageFile>();
  const problems: string[] = [];
  const walk = async (folder: string, depth: number): Promise<void> => {
    for await (const entry of await opendir(join(root, folder))) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && depth < maxDepth) {
        await walk(name, depth + 1);
      } else if (entry.isFile()) {
        if (files.size >= maxFiles) throw new GatewayError('verification-failed', `More than ${maxFiles} files.`);
        files.set(name, {
          sizeBytes: (await lstat(join(root, name))).size,
          read: (sink) => readFile(root, name, sink),
        });
      } else if (problems.length < 20) {
        problems.push(`${printable(name)} is ${entry.isSymbolicLink() ? 'a symbolic link' : 'not a regular file'}`);
      }
    }
  };
  await walk('', 0).catch((error: unknown) => {
    throw toGatewayError(error, `reading ${root}`);
  });
  return { kind: 'folder', files, problems, close: () => Promise.resolve() };
}

async function readFile(root: string, name: string, sink: (chunk: Uint8Array) => void): Promise<void> {
  // A link put there since the walk is not followed.
  const handle = await open(join(root, name), constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    throw toGatewayError(error, `reading ${printable(name)}`);
  });
  try {
    const buffer = Buffer.allocUnsafe(1 << 20);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      sink(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
