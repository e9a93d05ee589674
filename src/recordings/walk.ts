import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { toGatewayError } from '../errors.js';

export interface WalkProblem {
  /** Folder, relative to the root; '' for the root itself. */
  readonly path: string;
  readonly reason: string;
}

/**
 * Every name below `rootPath` that is no folder, relative, `/` between components; folders are entered, links never
 * followed. A folder that cannot be read goes to `onProblem`: what lies in it is unknown, not gone.
 */
export async function* walk(
  rootPath: string,
  folder: string,
  onProblem: (problem: WalkProblem) => void,
  signal?: AbortSignal,
  onFolder?: (path: string) => void,
): AsyncGenerator<string> {
  const folders = [folder];
  for (let current = folders.pop(); current !== undefined; current = folders.pop()) {
    signal?.throwIfAborted();
    try {
      for await (const entry of await opendir(join(rootPath, current), { bufferSize: 512 })) {
        const path = current === '' ? entry.name : `${current}/${entry.name}`;
        if (entry.isDirectory()) {
          folders.push(path);
          onFolder?.(path);
        } else yield path;
      }
    } catch (error) {
      if (signal?.aborted === true) throw error;
      onProblem({ path: current, reason: toGatewayError(error).message });
    }
  }
}
