/**
 * Reading a file that may be anything: a bounded number of bytes, reads and milliseconds, whatever the bytes claim. One file
 * is judged by its header and index, so that a scan of a hundred thousand files is not held up by a bad one.
 */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { ProbeRefusal } from './summary.js';

/**
 * What one probe may cost. A sound file takes a few reads; the dearest honest one is a Matroska file of hours whose recorder
 * was killed, which is read through.
 */
export interface ReadLimits {
  readonly bytes: number;
  readonly reads: number;
  readonly ms: number;
}

export const defaultLimits: ReadLimits = { bytes: 2 ** 31, reads: 200_000, ms: 20_000 };

/** Thrown where the file asks for more than a recording needs. */
export class LimitReached extends Error {}

/** Identity and size of the very file that was read, of its open handle and so not to be swapped underneath. */
export interface FileFacts {
  readonly sizeBytes: number;
  /** 64-bit inode number as text: larger than a double holds. */
  readonly inode: string;
  readonly mtimeUs: number;
}

export interface BoundedFile {
  readonly facts: FileFacts;
  /** Up to `length` bytes; fewer only at the end of the file. */
  read(offset: number, length: number): Promise<Buffer>;
  /** Closes the handle; a read that hangs on a dead network share keeps it open until the kernel gives up. */
  close(): Promise<void>;
}

/**
 * Opens a regular file for reading; throws the system's error, or a plain Error for what is no regular file. A link as the
 * last component is not followed, and a named pipe does not block.
 */
export async function openBounded(path: string, limits: ReadLimits = defaultLimits): Promise<BoundedFile> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) throw new Error('not a regular file');
    const facts: FileFacts = {
      sizeBytes: Number(stat.size),
      inode: String(stat.ino),
      mtimeUs: Number(stat.mtimeNs / 1000n),
    };
    return { facts, read: readerOf(handle, facts.sizeBytes, limits), close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** An initialisation segment has a few hundred bytes for each track. */
const maxInitBytes = 2 ** 20;

/**
 * A fragment with its initialisation segment in front, as one file of both their sizes; whoever opened the fragment closes
 * it. Throws ProbeRefusal `no-index` where the initialisation segment is missing, a link, or too large to be one.
 */
export async function behindInit(fragment: BoundedFile, initPath: string, limits?: ReadLimits): Promise<BoundedFile> {
  const init = await readWhole(initPath, limits);
  return {
    facts: { ...fragment.facts, sizeBytes: init.length + fragment.facts.sizeBytes },
    read: async (offset, length) => {
      const front = init.subarray(Math.min(offset, init.length), Math.min(offset + length, init.length));
      if (front.length === length) return front;
      return Buffer.concat([front, await fragment.read(Math.max(0, offset - init.length), length - front.length)]);
    },
    close: () => fragment.close(),
  };
}

async function readWhole(initPath: string, limits?: ReadLimits): Promise<Buffer> {
  const refusal = (why: string): ProbeRefusal =>
    new ProbeRefusal('no-index', `a fragment, and its initialisation segment ${why}`);
  let init: BoundedFile;
  try {
    init = await openBounded(initPath, limits);
  } catch (error) {
    throw refusal(`cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    const { sizeBytes } = init.facts;
    if (sizeBytes === 0 || sizeBytes > maxInitBytes) throw refusal(`has ${sizeBytes} bytes`);
    return await init.read(0, sizeBytes);
  } finally {
    await init.close();
  }
}

function readerOf(handle: FileHandle, sizeBytes: number, limits: ReadLimits): BoundedFile['read'] {
  const endsAt = performance.now() + limits.ms;
  let bytes = 0;
  let reads = 0;
  return async (offset, length) => {
    const wanted = Math.max(0, Math.min(length, sizeBytes - offset));
    bytes += wanted;
    reads += 1;
    // Checked before the buffer is made: the length may be a number out of a hostile header.
    if (bytes > limits.bytes) throw new LimitReached(`its index asks for more than ${limits.bytes} bytes`);
    if (reads > limits.reads) throw new LimitReached(`its index asks for more than ${limits.reads} reads`);
    if (performance.now() > endsAt) throw new ProbeRefusal('unreadable', `takes more than ${limits.ms} ms to read`);
    const buffer = Buffer.allocUnsafe(wanted);
    let filled = 0;
    while (filled < wanted) {
      const { bytesRead } = await handle.read(buffer, filled, wanted - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  };
}
