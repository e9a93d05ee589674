/** A package in a ZIP. Ours are stored, not compressed, which leaves no room for a bomb: anything else is a problem. */
import { configure, Reader, ZipReader, type Entry, type FileEntry } from '@zip.js/zip.js';
import { open, type FileHandle } from 'node:fs/promises';
import { GatewayError, toGatewayError } from '../errors.js';
import { maxFiles, printable, type PackageFile, type PackageSource } from './source.js';

configure({ useWebWorkers: false });

/** Larger than the directory of the largest package: a file that claims more is not read into memory. */
const maxReadBytes = 16 << 20;

class HandleReader extends Reader<FileHandle> {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, sizeBytes: number) {
    super(handle);
    this.#handle = handle;
    this.size = sizeBytes;
  }

  override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.size - index));
    if (wanted > maxReadBytes) throw new GatewayError('verification-failed', 'The ZIP claims an impossible directory.');
    const bytes = new Uint8Array(wanted);
    let filled = 0;
    while (filled < wanted) {
      const { bytesRead } = await this.#handle.read(bytes, filled, wanted - filled, index + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }
}

/** Throws `verification-failed` where it is no ZIP, or one that two programs could read in two ways. */
export async function openZip(path: string): Promise<PackageSource> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw toGatewayError(error, `opening ${path}`);
  });
  try {
    const { size } = await handle.stat();
    // Strict: local headers must say what the directory says, nothing before, between or after the entries. The CRC is not
    // asked: every byte is hashed anyway.
    const zip = new ZipReader(new HandleReader(handle, size), {
      strictness: 'strict',
      checkOverlappingEntry: true,
      checkSignature: false,
    });
    const files = new Map<string, PackageFile>();
    const problems: string[] = [];
    const names = new Set<string>();
    let claimedBytes = 0;
    for await (const entry of zip.getEntriesGenerator({ strictness: 'strict' })) {
      if (names.size >= maxFiles) throw new GatewayError('verification-failed', `More than ${maxFiles} files.`);
      // On most desktops these two would be one file.
      const key = entry.filename.toLowerCase();
      const problem = names.has(key) ? 'is there twice' : problemOf(entry);
      names.add(key);
      claimedBytes += entry.uncompressedSize;
      if (problem !== null) problems.push(`${printable(entry.filename)} ${problem}`);
      else if (!entry.directory) files.set(entry.filename, fileOf(entry));
    }
    if (claimedBytes > size) problems.push('the files claim to be larger than the ZIP');
    return { kind: 'ZIP', files, problems: problems.slice(0, 20), close: () => handle.close() };
  } catch (error) {
    await handle.close();
    if (error instanceof GatewayError) throw error;
    throw new GatewayError('verification-failed', `It is not a ZIP as tredive writes it: ${String(error)}`, {
      remedy: 'Where somebody packed it anew: unpack it and check the folder.',
      cause: error,
    });
  }
}

function problemOf(entry: Entry): string | null {
  if (entry.encrypted) return 'is encrypted: unpack it with the password, then check the folder';
  if (entry.compressionMethod !== 0)
    return 'is compressed, which tredive does not do: unpack it, then check the folder';
  if (entry.compressedSize !== entry.uncompressedSize) return 'has two sizes';
  if (((entry.externalFileAttributes >>> 16) & 0o170000) === 0o120000) return 'is a symbolic link';
  return null;
}

const fileOf = (entry: FileEntry): PackageFile => ({
  sizeBytes: entry.uncompressedSize,
  read: async (sink) => {
    try {
      await entry.getData(
        new WritableStream<Uint8Array>({
          write(chunk) {
            sink(chunk);
          },
        }),
        {},
      );
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      throw new GatewayError('verification-failed', `${printable(entry.filename)} cannot be read: ${String(error)}`, {
        cause: error,
      });
    }
  },
});
