/**
 * Names of files below a root, a bounded number of them: enough to see how a recorder names its files, on a root with millions
 * of them and in whatever depth they lie. Links are neither followed nor counted, and no file is opened.
 */
import { opendirSync, type Dirent } from 'node:fs';
import { join } from 'node:path';

export interface Sample {
  /** Relative to the root, `/` between components. */
  readonly files: readonly string[];
  readonly folders: number;
  /** False where there is more below the root than was looked at. */
  readonly complete: boolean;
  /** Folders that could not be read; '' is the root. */
  readonly unreadable: readonly string[];
}

export interface SampleLimits {
  readonly folders: number;
  /** Names read from one folder. */
  readonly namesPerFolder: number;
  readonly files: number;
}

const defaultSampleLimits: SampleLimits = { folders: 600, namesPerFolder: 256, files: 4000 };
/** So many folders are spent on the way to a file in the deepest layout there is (ZoneMinder's: camera, date, time). */
const deepest = 8;

/** Never throws: a folder that cannot be read is named. */
export function sampleNames(rootPath: string, limits: SampleLimits = defaultSampleLimits): Sample {
  const files: string[] = [];
  const unreadable: string[] = [];
  let folders = 0;
  let complete = true;

  const visit = (folder: string, budget: number): void => {
    folders += 1;
    const inside: string[] = [];
    let names = 0;
    try {
      const directory = opendirSync(join(rootPath, folder), { bufferSize: 64 });
      try {
        for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
          if (names >= limits.namesPerFolder) {
            complete = false;
            break;
          }
          names += 1;
          note(entry, folder === '' ? entry.name : `${folder}/${entry.name}`, inside);
        }
      } finally {
        directory.closeSync();
      }
    } catch {
      unreadable.push(folder);
    }
    const affordable = Math.min(Math.max(1, Math.floor((budget - 1) / deepest)), budget - 1);
    const chosen = spread(inside.sort(), affordable);
    if (chosen.length < inside.length) complete = false;
    for (const next of chosen) visit(next, Math.floor((budget - 1) / chosen.length));
  };
  const note = (entry: Dirent, path: string, inside: string[]): void => {
    if (entry.isDirectory()) inside.push(path);
    else if (entry.isFile() && files.length < limits.files) files.push(path);
    else if (entry.isFile()) complete = false;
  };
  visit('', limits.folders);
  return { files, folders, complete, unreadable };
}

/** `count` of the names, the first and the last among them: oldest and newest, where names are dates. */
function spread(names: readonly string[], count: number): string[] {
  if (count >= names.length) return [...names];
  if (count <= 0) return [];
  if (count === 1) return names.slice(-1);
  return Array.from({ length: count }, (_, index) => {
    return names[Math.round((index * (names.length - 1)) / (count - 1))] ?? '';
  });
}
