/**
 * What a recorder announces. It names files as it sees them, and whoever holds the token may send anything: a name is only ever
 * mapped to a file below a root that can be reached without following a link, and nothing but indexing comes of it.
 */
import { realpathSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { GatewayError } from '../errors.js';
import { findByPath } from '../store/segments.js';
import type { Outcome } from './arrivals.js';
import type { RecordingRoot, RecordingsContext } from './context.js';
import { lookBeneath } from './look-beneath.js';
import type { Watcher } from './watch.js';

export interface AnnouncedFile {
  readonly root: string;
  readonly path: string;
  readonly outcome: Outcome;
}

/** Frigate's events name a camera and a time, no file: what is new there. */
export interface AnnouncedCamera {
  readonly camera: string;
  readonly folders: number;
  /** How many files came to which end. */
  readonly files: Readonly<Partial<Record<Outcome, number>>>;
}

/** A Linux path has 4096 bytes with the NUL at its end. */
const longestPath = 4095;
const hourUs = 3_600_000_000;
/** Of an event that has lasted longer, the last hours are looked at. */
const mostHours = 3;
const mostFiles = 500;

function refuse(what: string): GatewayError {
  return new GatewayError('input-invalid', `This is no path of a recording: ${what}.`, {
    remedy:
      'Send the absolute path of a file below a root, or its path below the root. Where the recorder sees a root under another path, say so with "seenAs" in the configuration.',
  });
}

/** The path without "." and empty parts. Throws `input-invalid` for what leads anywhere else, or nowhere. */
function plain(given: string): string {
  if (given.includes('\0')) throw refuse('it holds a NUL');
  if (Buffer.byteLength(given) > longestPath) throw refuse('it is too long');
  if (given.split('/').includes('..')) throw refuse('it holds ".."');
  const path = posix.normalize(given).replace(/\/$/, '');
  if (path === '' || path === '.') throw refuse('it is empty');
  return path;
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not mounted now: that is said when the file is looked for.
    return path;
  }
}

interface Place {
  readonly root: RecordingRoot;
  readonly path: string;
}

/** Where a file of this name can be, the likeliest first. */
function placesOf(roots: readonly RecordingRoot[], given: string): Place[] {
  const below = (base: string, path: string): string | null => {
    const start = base === '/' ? '/' : `${base}/`;
    return path.startsWith(start) && path.length > start.length ? path.slice(start.length) : null;
  };
  const places: (Place & { readonly by: number })[] = [];
  for (const root of roots) {
    const bases = [root.path, realOf(root.path), ...(root.seenAs === undefined ? [] : [plain(root.seenAs)])];
    for (const base of new Set(bases)) {
      const path = below(base, given);
      if (path !== null) places.push({ root, path, by: base.length });
    }
  }
  // A root below another one, as the recorder sees them: the nearest.
  places.sort((a, b) => b.by - a.by);
  if (places.length > 0 || given.startsWith('/')) return places;
  // Relative to where the recorder was started: `./recordings/lobby/x.mp4` of a root `/srv/mediamtx/recordings`.
  const parts = given.split('/');
  return roots.flatMap((root) => {
    const tail = root.path.split('/').filter((part) => part !== '');
    const found: Place[] = [{ root, path: given }];
    for (let length = 1; length < parts.length && length <= tail.length; length += 1) {
      if (tail.slice(-length).join('/') === parts.slice(0, length).join('/')) {
        found.push({ root, path: parts.slice(length).join('/') });
      }
    }
    return found;
  });
}

/**
 * A file that a recorder says is closed. Throws `input-invalid` for a path outside of every root, one with ".." or NUL in it, one
 * that is too long and one that leads through a link; `not-found` where nothing is; `conflict` where it can be of two roots.
 */
export async function announceFile(
  ctx: RecordingsContext,
  watcher: Pick<Watcher, 'announced'>,
  given: string,
): Promise<AnnouncedFile> {
  const places = placesOf(ctx.roots, plain(given));
  if (places.length === 0) throw refuse('it is below no root');
  const found: Place[] = [];
  for (const place of places) if ((await lookBeneath(place.root.path, place.path)) !== null) found.push(place);
  const [first, second] = found;
  if (first === undefined) {
    throw new GatewayError('not-found', 'There is no such file below a root, or it is behind a link.', {
      remedy: 'Nothing is lost: what is there is found by the watch or the next scan.',
    });
  }
  if (second !== undefined && second.root.id !== first.root.id && !given.startsWith('/')) {
    throw new GatewayError('conflict', 'This file can be of more than one root.', {
      remedy: 'Send its absolute path.',
    });
  }
  const { root, path } = first;
  if (!(await lstat(join(root.path, path))).isFile()) throw refuse('it is a link, a folder or something else');
  return { root: root.id, path, outcome: await watcher.announced(root.id, path) };
}

/** An event of Frigate, which announces no files: what lies in the folders of the camera for that time and is not in the index. */
export async function announceCamera(
  ctx: RecordingsContext,
  watcher: Pick<Watcher, 'announced'>,
  event: { readonly camera: string; readonly startUs: number; readonly endUs: number | null },
): Promise<AnnouncedCamera> {
  const { camera } = event;
  if (/[/\0]/.test(camera) || camera === '.' || camera === '..' || camera === '') throw refuse('its camera is no name');
  const nowUs = ctx.store.clock.nowUs();
  const endUs = Math.min(event.endUs ?? nowUs, nowUs);
  const files: Partial<Record<Outcome, number>> = {};
  let folders = 0;
  for (const root of ctx.roots.filter(({ layout }) => layout.name.includes('frigate'))) {
    const hours = new Set<string>();
    // From the end backwards, in hours; a segment begins up to its length before what is seen in it.
    for (let at = 0; at < mostHours; at += 1) {
      const atUs = Math.max(endUs - at * hourUs, event.startUs - 60_000_000);
      const folder = posix.dirname(root.layout.encode(camera, Math.max(0, atUs)));
      hours.add(folder).add(`recordings/${folder}`);
    }
    for (const folder of hours) {
      const names = await namesIn(root, folder);
      if (names === null) continue;
      folders += 1;
      const unknown = names
        .map((name) => `${folder}/${name}`)
        .filter((path) => findByPath(ctx.store.db, root.id, path) === null)
        .slice(-mostFiles);
      for (const outcome of await Promise.all(unknown.map((path) => watcher.announced(root.id, path)))) {
        files[outcome] = (files[outcome] ?? 0) + 1;
      }
    }
  }
  return { camera, folders, files };
}

/** Names of files in a folder below a root, in order; null where there is none that can be reached without a link. */
async function namesIn(root: RecordingRoot, folder: string): Promise<string[] | null> {
  try {
    const parts = folder.split('/');
    for (let depth = 1; depth <= parts.length; depth += 1) {
      if (!(await lstat(join(root.path, ...parts.slice(0, depth)))).isDirectory()) return null;
    }
    const entries = await readdir(join(root.path, folder), { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}
