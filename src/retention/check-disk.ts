/**
 * Checks the invariants of SCHEMA.md that only the disk can answer for. Reads names and sizes, and of footage only the
 * protected copies; changes nothing.
 */
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RequestState } from '../domain/disclosure.js';
import { toGatewayError } from '../errors.js';
import { growingSuffix, partialSuffix } from '../platform/durable-file.js';
import type { Problem } from '../store/check.js';
import type { Database } from '../store/database.js';
import { listDerived } from '../store/derived-files.js';
import { getRequest } from '../store/requests.js';
import { listRoots } from '../store/roots.js';
import { segmentsOfRoot } from '../store/segments.js';
import { fileState, lookAtRoot } from './trust.js';
import { checkVault } from './vault/check-vault.js';

export interface CheckPlaces {
  readonly dataDir: string;
  readonly rootPath: (rootId: string) => string | null;
}

/** Where everything that is made from footage lies, below the data folder. */
const derivedFolders = ['requests', 'packages', 'stills', 'vault'];

/** I6, I7, I14 and I24. Where a root is in doubt its files are not judged: that it is not there says nothing about them. */
export async function checkDisk(db: Database, { dataDir, rootPath }: CheckPlaces): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const { id } of listRoots(db)) {
    const { path, problem } = lookAtRoot(db, id, rootPath(id));
    if (problem === null) problems.push(...checkSegments(db, id, path));
    else problems.push({ invariant: 'I14', detail: `root ${id}: ${problem}` });
  }
  return [...problems, ...(await checkDerived(db, dataDir)), ...(await checkVault(db, dataDir))];
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
async function checkDerived(db: Database, dataDir: string): Promise<Problem[]> {
  const problems: Problem[] = [];
  const add = (detail: string): void => {
    problems.push({ invariant: 'I7', detail });
  };
  const known = new Set<string>();
  for (const file of listDerived(db)) {
    const { id, path, kind } = file;
    known.add(path);
    if (kind === 'vault-copy') {
      // Half-made or half removed until it is whole, and what is whole is looked into by `checkVault`.
      known.add(path + partialSuffix);
      continue;
    }
    if (file.requestId === null ? file.sizeBytes === null : isWorkedOn(getRequest(db, file.requestId).state)) {
      known.add(path + partialSuffix);
      known.add(path + growingSuffix);
      continue;
    }
    try {
      const isFolder = (await lstat(join(dataDir, path))).isDirectory();
      if (isFolder !== (kind === 'package'))
        add(`derived file ${id} (${kind}) is ${isFolder ? 'a folder' : 'no folder'}`);
    } catch (error) {
      add(`derived file ${id} (${kind}) cannot be found: ${toGatewayError(error).message}`);
    }
  }
  for (const folder of derivedFolders) {
    for await (const path of filesBelow(dataDir, folder, known)) add(`${path} in the data folder is known to nobody`);
  }
  return problems;
}

const isWorkedOn = (state: RequestState): boolean => state === 'preparing' || state === 'approved';

/** Files below `folder` that are not in `known`, not looking into folders that are. */
async function* filesBelow(dataDir: string, folder: string, known: ReadonlySet<string>): AsyncGenerator<string> {
  const full = join(dataDir, folder);
  try {
    if (!(await stat(full)).isDirectory()) return;
  } catch (error) {
    // Nothing was ever made from footage here.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw toGatewayError(error, `looking into ${full}`);
  }
  for (const entry of await readdir(full, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (known.has(path)) continue;
    if (entry.isDirectory()) yield* filesBelow(dataDir, path, known);
    else yield path;
  }
}
