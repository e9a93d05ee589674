/** A source is read more than once; what was seen in the first pass must be what is shown in the last. */
import { stat } from 'node:fs/promises';
import { GatewayError, toGatewayError } from '../errors.js';

/**
 * Runs `work` on a file that has to stay as it is. Were it replaced between two passes by one of the same size and times, the
 * masks of one recording would lie on the pictures of another, and no comparison of frame counts or time stamps would notice.
 *
 * `work` calls `assertSame` when the last byte was read and before the copy gets its name. A change that was made and taken back
 * shows in the time of the last change, which nobody but the system's administrator can set. Where `work` fails and the file has
 * changed, that is what is told; what failed after it is the `cause`.
 *
 * @throws GatewayError `segment-changed`; `io-failed` where it is not there at first; what `work` throws.
 */
export async function withSameSource<T>(
  path: string,
  work: (assertSame: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const look = async (): Promise<string> => {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  };
  let before: string;
  try {
    before = await look();
  } catch (error) {
    throw toGatewayError(error, `Reading ${path}`);
  }
  const isSame = async (): Promise<boolean> => (await look().catch(() => 'gone')) === before;
  const changed = (cause?: unknown): GatewayError =>
    new GatewayError('segment-changed', `${path} was changed, replaced or removed while it was read.`, {
      remedy: 'Try again with a recording that is finished, or with a copy of it.',
      ...(cause === undefined ? {} : { cause }),
    });
  try {
    return await work(async () => {
      if (!(await isSame())) throw changed();
    });
  } catch (error) {
    const isOther = error instanceof GatewayError && ['segment-changed', 'interrupted'].includes(error.code);
    if (isOther || (await isSame())) throw error;
    throw changed(error);
  }
}
