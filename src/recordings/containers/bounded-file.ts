/**
 * Reading a file that may be anything: a bounded number of bytes, reads and milliseconds, whatever the bytes claim. One file
 * is judged by its header and index, so that a scan of a hundred thousand files is not held up by a bad one.
 *
 * Reads wait in the thread that asks, which is there for nothing else: handing each of them to another thread and back costs more
 * than the read. One that hangs on a dead network share so holds up this thread alone, and not those that all others wait for.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { maxInitBytes } from '../../domain/fragment.js';
import { inodeText } from '../../platform/file-identity.js';
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
  close(): void;
}

/** 1 in its first element while the system is asked for bytes: whoever waits for this thread sees what it waits for. */
let askingFlag: Int32Array | null = null;
export const showAsking = (flag: Int32Array): void => {
  askingFlag = flag;
};

function ask<T>(system: () => T): T {
  if (askingFlag !== null) Atomics.store(askingFlag, 0, 1);
  try {
    return system();
  } finally {
    if (askingFlag !== null) Atomics.store(askingFlag, 0, 0);
  }
}

/**
 * Opens a regular file for reading; throws the system's error, or a plain Error for what is no regular file. A link as the
 * last component is not followed, and a named pipe does not block.
 */
export function openBounded(path: string, limits: ReadLimits = defaultLimits): BoundedFile {
  const handle = ask(() => openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
  try {
    const stat = ask(() => fstatSync(handle, { bigint: true }));
    if (!stat.isFile()) throw new Error('not a regular file');
    const facts: FileFacts = {
      sizeBytes: Number(stat.size),
      inode: inodeText(stat.ino),
      mtimeUs: Number(stat.mtimeNs / 1000n),
    };
    let closed = false;
    const readNow = readerOf(handle, facts.sizeBytes, limits);
    return {
      facts,
      // Failures come as rejections, as from any other source of bytes. Its number may be another file's once it is closed, and the
      // library reads ahead.
      read: (offset, length) =>
        closed
          ? Promise.reject(new Error('closed'))
          : new Promise((settle) => {
              settle(readNow(offset, length));
            }),
      close: () => {
        closed = true;
        closeSync(handle);
      },
    };
  } catch (error) {
    closeSync(handle);
    throw error;
  }
}

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
    close: () => {
      fragment.close();
    },
  };
}

async function readWhole(initPath: string, limits?: ReadLimits): Promise<Buffer> {
  const refusal = (why: string): ProbeRefusal =>
    new ProbeRefusal('no-index', `a fragment, and its initialisation segment ${why}`);
  let init: BoundedFile;
  try {
    init = openBounded(initPath, limits);
  } catch (error) {
    throw refusal(`cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    const { sizeBytes } = init.facts;
    if (sizeBytes === 0 || sizeBytes > maxInitBytes) throw refusal(`has ${sizeBytes} bytes`);
    return await init.read(0, sizeBytes);
  } finally {
    init.close();
  }
}

function readerOf(handle: number, sizeBytes: number, limits: ReadLimits): (offset: number, length: number) => Buffer {
  const endsAt = performance.now() + limits.ms;
  let bytes = 0;
  let reads = 0;
  return (offset, length) => {
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
      const from = filled;
      const bytesRead = ask(() => readSync(handle, buffer, from, wanted - from, offset + from));
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  };
}
