/** One watch of the system on one folder. inotify, by way of node. */
import { watch } from 'node:fs';

/**
 * Watches a folder, not what is below it. `onName` is given the name in it that something happened to, and whether that appeared
 * or went; the folder's own name, or null, where it is the folder that was moved, deleted or unmounted. Throws the system's error
 * where it cannot. Does not keep the process alive.
 */
export type WatchFolder = (
  path: string,
  tell: { onName: (name: string | null, isNew: boolean) => void; onError: (error: Error) => void },
) => { close(): void };

export const watchFolder: WatchFolder = (path, { onName, onError }) =>
  watch(path, { persistent: false, recursive: false }, (event, name) => {
    onName(name, event === 'rename');
  }).on('error', onError);

/** Whether the system has none left: watches, instances of them, or open files. */
export const isWatchLimit = (error: unknown): error is Error =>
  ['ENOSPC', 'EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '');
