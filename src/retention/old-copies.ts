/**
 * Older copies of footage that others keep: snapshots, recycle bins, versions. A deleted file lives on in them, out of sight of the
 * index, so they are looked for by the names that file systems and NAS boxes give them, in each root and in every folder above it
 * on the same file system. Nothing in them is changed: the gateway may not, and most cannot be changed at all. What leaves no
 * folder behind (LVM and storage-array snapshots, volume shadow copies, backups) cannot be seen from here.
 */
import { lstat, readdir, realpath, statfs } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { toGatewayError } from '../errors.js';
import { readStamp, walkTree } from '../platform/tree-walk.js';

const copyKinds = ['snapshot', 'recycle-bin', 'versions', 'lost-and-found'] as const;
export type CopyKind = (typeof copyKinds)[number];

/** Names below one folder. ZFS lists `.zfs` nowhere, but it can be entered; so each is asked for by its name. */
const placesByName: Readonly<Record<CopyKind, readonly string[]>> = {
  snapshot: ['.snapshot', '.snapshots', '.zfs/snapshot', '~snapshot', '#snapshot', '@Recently-Snapshot'],
  'recycle-bin': ['@Recycle', '#recycle', '.recycle', '.Trash', '.Trashes', '$RECYCLE.BIN'],
  versions: ['.stversions', '.versions', '@Versions'],
  'lost-and-found': ['lost+found'],
};
/** `.Trash-1000`: the bin of a user of a desktop. */
const userBin = /^\.Trash-\d+$/;

const btrfsType = 0x9123683e;
/** The folder at the top of each subvolume has this inode on btrfs, and no other folder has. */
const subvolumeInode = 256n;
/** A snapshot on btrfs is a subvolume, with whatever name somebody gave it. */
export const isSubvolume = (filesystemType: number, inode: bigint): boolean =>
  filesystemType === btrfsType && inode === subvolumeInode;

/** Entries looked at in one place: the trash of a file server can be larger than the archive. */
const maxEntries = 500_000;
/** Snapshots of one place, each of which may hold the whole root. */
const maxSnapshots = 1000;
/** Folders of a path that a layout is asked about, from its end. */
const maxTail = 10;

export interface CopyAge {
  readonly cameraId: string | null;
  readonly startUs: number;
  /** last-write: the name does not tell; the frames are no younger than that. */
  readonly source: 'name' | 'last-write';
}

export interface OldCopies {
  readonly rootId: string;
  /** Absolute. */
  readonly place: string;
  readonly kind: CopyKind;
  readonly files: number;
  readonly overLimit: number;
  /** Path below `place`. */
  readonly oldest: (CopyAge & { readonly path: string; readonly legalUs: number }) | null;
  /** Why it could not be seen in full; null where it was. */
  readonly unseen: string | null;
}

export interface CopiesContext {
  readonly root: { readonly id: string; readonly path: string };
  /** The age that a name gives, by the root's layout; null where it gives none. */
  readonly ageOf: (path: string) => { readonly cameraId: string; readonly startUs: number } | null;
  /** Whether the register has this camera. */
  readonly isKnown: (cameraId: string) => boolean;
  /** The instant by which footage has to be gone; null while a hold keeps it. */
  readonly legalUsOf: (age: CopyAge) => number | null;
  readonly nowUs: number;
  readonly signal?: AbortSignal;
}

const footageName = /\.(?:mp4|m4s|mkv|ts|avi|mov|webm|mjpe?g|264|265|jpe?g|png|webp)$/i;

/** Looks into every such place of a root. Places without footage are left out. Throws `interrupted` on abort. */
export async function findOldCopies(ctx: CopiesContext): Promise<OldCopies[]> {
  const found: OldCopies[] = [];
  let places: Place[];
  let rootPath = ctx.root.path;
  try {
    rootPath = await realpath(ctx.root.path);
    places = await placesOf(rootPath);
  } catch (thrown) {
    // The root went away between the walk and this look: that is no answer.
    const unseen = toGatewayError(thrown).message;
    return [{ rootId: ctx.root.id, place: rootPath, kind: 'snapshot', files: 0, overLimit: 0, oldest: null, unseen }];
  }
  for (const one of places) {
    ctx.signal?.throwIfAborted();
    const seen = await lookInto(ctx, one, rootPath);
    if (seen.files > 0 || seen.unseen !== null) found.push(seen);
  }
  return found;
}

interface Place {
  readonly place: string;
  readonly kind: CopyKind;
  /** The way from the folder that holds it to the root; empty in the root itself. */
  readonly way: string;
}

/** Where copies may be: below the root, and below each folder above it down from the mount point. */
async function placesOf(rootPath: string): Promise<Place[]> {
  const places: Place[] = [];
  for (let folder = rootPath; ; folder = dirname(folder)) {
    const way = relative(folder, rootPath);
    for (const kind of copyKinds) {
      for (const name of placesByName[kind]) {
        if (await isFolder(join(folder, name))) places.push({ place: join(folder, name), kind, way });
      }
    }
    places.push(...(await unnamedIn(folder, rootPath, way)));
    if (!(await goesOn(folder))) return places;
  }
}

/** Whether the folder above is on the same file system; each subvolume of btrfs looks like one of its own. */
async function goesOn(folder: string): Promise<boolean> {
  const above = dirname(folder);
  if (above === folder) return false;
  const [here, there] = [await lstat(folder, { bigint: true }), await lstat(above, { bigint: true })];
  if (here.dev === there.dev) return true;
  return isSubvolume((await statfs(folder)).type, here.ino) && (await statfs(above)).type === btrfsType;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch {
    // Not there, or nobody may know: what cannot be reached by name is not kept for whoever deletes here.
    return false;
  }
}

/** Bins of users, and subvolumes beside the way to the root. */
async function unnamedIn(folder: string, rootPath: string, way: string): Promise<Place[]> {
  const places: Place[] = [];
  try {
    const { type } = await statfs(folder);
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const place = join(folder, entry.name);
      if (!entry.isDirectory() || `${rootPath}/`.startsWith(`${place}/`)) continue;
      if (userBin.test(entry.name)) places.push({ place, kind: 'recycle-bin', way });
      else if (type === btrfsType && isSubvolume(type, (await lstat(place, { bigint: true })).ino)) {
        places.push({ place, kind: 'snapshot', way });
      }
    }
  } catch {
    // A folder above the root that we may not list; the names that are known were asked for.
  }
  return places;
}

/**
 * Where in a place the root is, as paths below the place. A snapshot has the whole file system as it was, the root at its old path
 * among the rest; a bin mixes all of it, and is gone through in full.
 */
async function partsOf({ place, kind, way }: Place): Promise<{ parts: string[]; tooMany: boolean }> {
  if (kind !== 'snapshot' || way === '') return { parts: [''], tooMany: false };
  const snapshots = (await readdir(place, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const steps = way.split('/');
  const parts: string[] = [];
  for (const base of ['', ...snapshots.slice(0, maxSnapshots).flatMap(({ name }) => [name, `${name}/snapshot`])]) {
    for (let from = 0; from < steps.length; from += 1) {
      const part = join(base, ...steps.slice(from));
      if (!(await isFolder(join(place, part)))) continue;
      parts.push(part);
      break;
    }
  }
  return { parts, tooMany: snapshots.length > maxSnapshots };
}

async function lookInto(ctx: CopiesContext, one: Place, rootPath: string): Promise<OldCopies> {
  const { place, kind } = one;
  const seen = { files: 0, overLimit: 0, oldest: null as OldCopies['oldest'], unseen: null as string | null };
  try {
    const { parts, tooMany } = await partsOf(one);
    if (tooMany) seen.unseen = `more than ${maxSnapshots} snapshots: the rest was not looked at`;
    for (const part of parts) await lookAlong(ctx, one, part, rootPath, seen);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.code === 'interrupted') throw thrown;
    // Where fsck puts what it finds only root may look; it is there, and empty, on every ext4 disk.
    if (kind !== 'lost-and-found') seen.unseen = error.message;
  }
  return { rootId: ctx.root.id, place, kind, ...seen };
}

type Seen = { -readonly [K in 'files' | 'overLimit' | 'oldest' | 'unseen']: OldCopies[K] };

async function lookAlong(
  ctx: CopiesContext,
  { place, kind }: Place,
  part: string,
  rootPath: string,
  seen: Seen,
): Promise<void> {
  // What lies where the root was, or in a bin of the root, was in it; of anything else only what has a name of ours.
  const isOurs = part !== '' || place.startsWith(`${rootPath}/`);
  let entries = 0;
  for await (const batch of walkTree(join(place, part), '', ctx.signal)) {
    for (let at = 0; at + 1 < batch.length; at += 2) {
      const path = batch[at] ?? '';
      const record = readStamp(batch[at + 1] ?? '');
      if (record.kind === 'unreadable') seen.unseen ??= `${join(part, path)} cannot be read: ${record.reason}`;
      if (record.kind !== 'name' || !record.facts.isFile) continue;
      const byWrite = kind === 'lost-and-found' || (isOurs && footageName.test(path));
      const age = ageIn(ctx, path, Math.min(record.facts.mtimeUs, ctx.nowUs), byWrite);
      if (age === null) continue;
      seen.files += 1;
      const legalUs = ctx.legalUsOf(age);
      if (legalUs === null) continue;
      if (ctx.nowUs >= legalUs) seen.overLimit += 1;
      if (seen.oldest === null || age.startUs < seen.oldest.startUs) {
        seen.oldest = { ...age, path: join(part, path), legalUs };
      }
    }
    entries += batch.length / 2;
    // A bin has an end somewhere. A snapshot is as large as the root, which is walked in full too.
    if (kind !== 'snapshot' && entries > maxEntries) {
      seen.unseen = `more than ${maxEntries} files: the rest was not looked at`;
      return;
    }
  }
}

/**
 * By its name as it was in the root, whatever folders a snapshot or a bin puts before that; else by its last write where
 * that has to do. A template may take any folder for a part of a camera's name, so a camera of the register wins.
 */
function ageIn(ctx: CopiesContext, path: string, writeUs: number, byWrite: boolean): CopyAge | null {
  const parts = path.split('/');
  let named: CopyAge | null = null;
  for (let above = parts.length - 1; above >= Math.max(0, parts.length - maxTail); above -= 1) {
    const age = ctx.ageOf(parts.slice(above).join('/'));
    if (age === null) continue;
    named ??= { ...age, source: 'name' };
    if (ctx.isKnown(age.cameraId)) return { ...age, source: 'name' };
  }
  return named ?? (byWrite ? { cameraId: null, startUs: writeUs, source: 'last-write' } : null);
}
