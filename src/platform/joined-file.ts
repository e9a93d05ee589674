/** Several files as one, for as long as it is read: it has no name, so neither a crash nor a kill leaves footage lying. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { toGatewayError } from '../errors.js';

/**
 * Joins `parts` on the file system of `folder` and gives `work` a path by which this process and its children open the whole; it is
 * gone afterwards. A link is not followed. Throws `io-failed`, `disk-full`, `interrupted`, and what `work` throws.
 */
export async function withJoined<T>(
  parts: readonly string[],
  folder: string,
  work: (path: string) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const path = join(folder, `.joined-${randomBytes(8).toString('hex')}`);
  const joining = `joining ${parts.join(' and ')}`;
  const handle = await open(path, 'wx+', 0o600).catch((error: unknown) => {
    throw toGatewayError(error, joining);
  });
  try {
    try {
      await unlink(path);
      for (const part of parts) {
        const from = await open(part, constants.O_RDONLY | constants.O_NOFOLLOW);
        for await (const chunk of from.createReadStream({ highWaterMark: 1 << 20, signal })) {
          await handle.writeFile(chunk as Buffer);
        }
      }
    } catch (error) {
      throw toGatewayError(error, joining);
    }
    return await work(`/proc/${process.pid}/fd/${handle.fd}`);
  } finally {
    await handle.close();
  }
}
