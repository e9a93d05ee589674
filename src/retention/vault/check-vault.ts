/** The part of "check" that only the vault can answer for. Changes nothing. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { toGatewayError } from '../../errors.js';
import { joinBeneath, sha256File } from '../../platform/durable-file.js';
import type { Problem } from '../../store/check.js';
import type { Database } from '../../store/database.js';
import { wholeCopies } from '../../store/vault-copies.js';
import { initName } from './copy-here.js';

/** I24: every byte of every whole copy is read. */
export async function checkVault(db: Database, dataDir: string): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const copy of wholeCopies(db)) {
    const add = (what: string): void => {
      problems.push({
        invariant: 'I24',
        detail: `the protected copy ${copy.derivedId} of segment ${copy.segmentId} ${what}`,
      });
    };
    try {
      const folder = joinBeneath(dataDir, copy.path);
      const { size } = await lstat(join(folder, copy.fileName));
      if (size !== copy.sizeBytes) add(`has ${size} bytes instead of ${copy.sizeBytes}`);
      else if ((await sha256File(join(folder, copy.fileName))) !== copy.sha256) add('does not have its hash');
      if (copy.initSha256 !== null && (await sha256File(join(folder, initName))) !== copy.initSha256)
        add('has another initialisation segment than it was made with');
    } catch (error) {
      add(`cannot be read: ${toGatewayError(error).message}`);
    }
  }
  return problems;
}
