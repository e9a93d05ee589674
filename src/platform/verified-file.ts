/** Files whose hash is known, checked before they are used: the whole once, and after that by what changes when they are written to. */
import { lstat } from 'node:fs/promises';
import { GatewayError, toGatewayError } from '../errors.js';
import { sha256File } from './durable-file.js';

/** What was found whole, by path; the oldest is forgotten first. */
const seen = new Map<string, string>();
const seenAtMost = 10_000;

/**
 * Makes sure that a file is the one of this size and hash. Reads all of it the first time. Throws `footage-gone` where it is not
 * there, `verification-failed` where it holds something else, `io-failed`.
 */
export async function assertWhole(
  path: string,
  expected: { readonly sizeBytes: number; readonly sha256: string },
  signal?: AbortSignal,
): Promise<void> {
  const stampNow = async (): Promise<string> => {
    const stat = await lstat(path, { bigint: true });
    if (!stat.isFile() || stat.size !== BigInt(expected.sizeBytes)) throw damaged(path);
    return `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${expected.sha256}`;
  };
  try {
    const stamp = await stampNow();
    if (seen.get(path) === stamp) return;
    if ((await sha256File(path, signal)) !== expected.sha256 || (await stampNow()) !== stamp) throw damaged(path);
    seen.delete(path);
    seen.set(path, stamp);
    const [oldest] = seen.size > seenAtMost ? seen.keys() : [];
    if (oldest !== undefined) seen.delete(oldest);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new GatewayError('footage-gone', `The protected copy ${path} is not there.`, { cause: error });
    }
    throw toGatewayError(error, `reading ${path}`);
  }
}

const damaged = (path: string): GatewayError =>
  new GatewayError('verification-failed', `The protected copy ${path} is not what it was when it was made.`, {
    remedy: 'Find out who wrote to it, and check the disk.',
  });
