/**
 * Checks the invariants of SCHEMA.md that only the disk can answer for. Reads names and sizes, and of footage only the
 * protected copies; changes nothing.
 */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RequestState } from '../domain/disclosure.js';
import { toGatewayError } from '../errors.js';
import type { Problem } from '../store/check.js';
import type { Database } from '../store/database.js';
import { listDerived } from '../store/derived-files.js';
import { getRequest } from '../store/requests.js';
import { listRoots } from '../store/roots.js';
import { segmentsOfRoot } from '../store/segments.js';
import { checkJournal } from './check-journal.js';
import { strangersIn, type Finding } from './data-folder.js';
import { fileState, lookAtRoot } from './trust.js';
import { checkVault } from './vault/check-vault.js';

export interface CheckPlaces {
  readonly dataDir: string;
  readonly rootPath: (rootId: string) => string | null;
  /** Absolute paths of what the configuration puts below the data folder. */
  readonly exempt?: readonly string[];
}

const whatItIs: Readonly<Record<Finding, string>> = {
  'left-over': 'known to nobody',
  temporary: 'what a crash left of one of its own files',
  'database-copy': 'a copy of the database, which names footage that is gone',
  unknown: 'known to nobody',
};

/** I6, I7, I14, I16, I22 and I24. Where a root is in doubt its files are not judged: that it is not there says nothing about them. */
export async function checkDisk(db: Database, { dataDir, rootPath, exempt = [] }: CheckPlaces): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const { id } of listRoots(db)) {
    const { path, problem } = lookAtRoot(db, id, rootPath(id));
    if (problem === null) problems.push(...checkSegments(db, id, path));
    else problems.push({ invariant: 'I14', detail: `root ${id}: ${problem}` });
  }
  return [
    ...problems,
    ...(await checkDerived(db, dataDir, exempt)),
    ...checkJournal(db, dataDir),
    ...(await checkVault(db, dataDir)),
  ];
}

function checkSegments(db: Database, rootId: string, path: string): Problem[] {
  const problems: Problem[] = [];
  for (const segment of segmentsOfRoot(db, rootId)) {
    const add = (what: string): void => {
      problems.push({ invariant: 'I6', detail: `segment ${segment.id} (${rootId}: ${segment.path}) ${what}` });
    };
    try {
      const state = fileState(path, segment);
      if (segment.state === 'indexed' && state === 'absent') add('is indexed and not on disk');
      if (segment.state === 'indexed' && state === 'other') add('is another file than the one that was indexed');
      if (segment.state === 'missing' && state !== 'absent') add('counts as missing and is on disk');
    } catch (error) {
      add(toGatewayError(error).message);
    }
  }
  return problems;
}

/** I7, both ways. A row comes before its file, so while a request or a picture is worked on a file may be missing or half written. */
async function checkDerived(db: Database, dataDir: string, exempt: readonly string[]): Promise<Problem[]> {
  const problems: Problem[] = [];
  const add = (detail: string): void => {
    problems.push({ invariant: 'I7', detail });
  };
  for (const file of listDerived(db)) {
    const { id, path, kind } = file;
    // Half-made or half removed until it is whole, and what is whole is looked into by `checkVault`.
    if (kind === 'vault-copy') continue;
    if (file.requestId === null ? file.sizeBytes === null : isWorkedOn(getRequest(db, file.requestId).state)) continue;
    try {
      const stat = await lstat(join(dataDir, path));
      const isFolder = stat.isDirectory();
      if (file.requestId === null && stat.size !== file.sizeBytes)
        add(`derived file ${id} (${kind}) has ${stat.size} bytes, not ${String(file.sizeBytes)}`);
      if (isFolder !== (kind === 'package'))
        add(`derived file ${id} (${kind}) is ${isFolder ? 'a folder' : 'no folder'}`);
    } catch (error) {
      add(`derived file ${id} (${kind}) cannot be found: ${toGatewayError(error).message}`);
    }
  }
  for (const { path, finding, amongFootage } of await strangersIn(db, dataDir, exempt)) {
    if (amongFootage) add(`${path} in the data folder is known to nobody`);
    else problems.push({ invariant: 'I16', detail: `${path} in the data folder is ${whatItIs[finding]}` });
  }
  return problems;
}

const isWorkedOn = (state: RequestState): boolean => state === 'preparing' || state === 'approved';
