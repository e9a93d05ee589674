/** Writes a folder's files as one ZIP: stored, since video does not compress, streamed, and in the order given. */
import { configure, ZipWriter } from '@zip.js/zip.js';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { toGatewayError } from '../errors.js';
import { syncDirectory } from '../platform/durable-file.js';

// The library's workers are browser workers; without them it runs in this thread.
configure({ useWebWorkers: false });

const chunkBytes = 1 << 20;

/**
 * Writes `target` anew and syncs it; leaves nothing on failure. The same files and date give the same bytes. Sizes and
 * offsets beyond 4 GiB make it a ZIP64 by themselves. `target` should be a temporary name: renaming is the caller's.
 */
export async function writeArchive(
  directory: string,
  names: readonly string[],
  target: string,
  date: Date,
  signal?: AbortSignal,
): Promise<void> {
  const output = await open(target, 'w', 0o640).catch((error: unknown) => {
    throw toGatewayError(error, `writing ${target}`);
  });
  try {
    // One chunk on its way at a time: the library waits for the disk, and memory stays flat.
    const sink = new WritableStream<Uint8Array>(
      {
        async write(chunk) {
          signal?.throwIfAborted();
          for (let at = 0; at < chunk.length;) at += (await output.write(chunk, at)).bytesWritten;
        },
      },
      { highWaterMark: 1 },
    );
    const zip = new ZipWriter(sink, { level: 0, keepOrder: true, lastModDate: date });
    for (const name of names) {
      const input = await open(join(directory, name), 'r');
      try {
        const { size } = await input.stat();
        await zip.add(name, { readable: streamOf(input), size });
      } finally {
        await input.close();
      }
    }
    await zip.close();
    await output.sync();
    await output.close();
    await syncDirectory(join(target, '..'));
  } catch (error) {
    await output.close().catch(() => {
      // Closed already, or as broken as the write that failed; that failure is the one to tell.
    });
    await rm(target, { force: true });
    throw toGatewayError(error, `writing ${target}`);
  }
}

// Not Readable.toWeb: it counts chunks where it should count bytes, and then reads a whole film ahead.
function streamOf(file: FileHandle): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        const buffer = new Uint8Array(chunkBytes);
        const { bytesRead } = await file.read(buffer, 0, chunkBytes, null);
        if (bytesRead === 0) controller.close();
        else controller.enqueue(buffer.subarray(0, bytesRead));
      },
    },
    { highWaterMark: 1 },
  );
}
