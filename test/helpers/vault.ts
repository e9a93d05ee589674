/** A vault over a test's store, whose copying happens here and can be watched, cut off and made to fail. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { VaultContext } from '../../src/retention/vault/context.js';
import { copyHere, hashHere, type CopyHooks, type CopyTask } from '../../src/retention/vault/copy-here.js';
import type { Copier } from '../../src/retention/vault/copy-thread.js';
import type { TestStore } from './store.js';

export interface VaultTools {
  /** Called before each copy. */
  readonly before?: (task: CopyTask) => void;
  readonly hooks?: CopyHooks;
  readonly neverRewritten?: boolean;
  readonly reserveBytes?: number;
}

const promised = <T>(work: () => T): Promise<T> =>
  new Promise((done) => {
    done(work());
  });

export const copierWith = ({ before, hooks = {} }: VaultTools): Copier => ({
  copy: (task) =>
    promised(() => {
      before?.(task);
      return copyHere(task, hooks);
    }),
  hash: (task) => promised(() => hashHere(task)),
  close: () => Promise.resolve(),
});

export const vaultOf = (made: Pick<TestStore, 'retention'>, tools: VaultTools = {}): VaultContext => ({
  ...made.retention,
  reserveBytes: tools.reserveBytes ?? 0,
  neverRewritten: () => tools.neverRewritten ?? false,
  makeCopier: () => copierWith(tools),
});

/** Every file in the vault, by its path below it, with its mode. */
export function vaultFiles({ dataDir }: Pick<TestStore, 'dataDir'>): Map<string, number> {
  const files = new Map<string, number>();
  const walk = (path: string): void => {
    for (const entry of readdirSync(join(dataDir, 'vault', path), { withFileTypes: true })) {
      const below = join(path, entry.name);
      if (entry.isDirectory()) walk(below);
      else files.set(below, statSync(join(dataDir, 'vault', below)).mode & 0o777);
    }
  };
  if (statSync(join(dataDir, 'vault'), { throwIfNoEntry: false }) !== undefined) walk('');
  return files;
}
