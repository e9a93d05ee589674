/**
 * Older copies of footage that others keep: snapshots, recycle bins, versions. A deleted file lives on in them, out of sight of the
 * index, so they are looked for by the names that file systems and NAS boxes give them, in each root and in every folder above it
 * on the same file system. Nothing in them is changed: the gateway may not, and most cannot be changed at all. What leaves no
 * folder behind (LVM and storage-array snapshots, volume shadow copies, backups) cannot be seen from here.
 */
import { lstat, readdir, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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

/** Entries looked at in one place: many snapshots of a large archive would take days. */
const maxEntries = 500_000;
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
  for (const { place, kind } of await placesOf(ctx.root.path)) {
    ctx.signal?.throwIfAborted();
    const seen = await lookInto(ctx, place, kind);
    if (seen.files > 0 || seen.unseen !== null) found.push(seen);
  }
  return found;
}

/** Where copies may be: below the root, and below each folder above it down from the mount point. */
async function placesOf(rootPath: string): Promise<{ place: string; kind: CopyKind }[]> {
  const places: { place: string; kind: CopyKind }[] = [];
  const { dev } = await lstat(rootPath, { bigint: true });
  for (let folder = rootPath; ; folder = dirname(folder)) {
    for (const kind of copyKinds) {
      for (const name of placesByName[kind]) {
        if (await isFolder(join(folder, name))) places.push({ place: join(folder, name), kind });
      }
    }
    places.push(...(await unnamedIn(folder, rootPath)));
    const above = dirname(folder);
    if (above === folder || (await lstat(above, { bigint: true })).dev !== dev) return places;
  }
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
async function unnamedIn(folder: string, rootPath: string): Promise<{ place: string; kind: CopyKind }[]> {
  const places: { place: string; kind: CopyKind }[] = [];
  try {
    const { type } = await statfs(folder);
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const place = join(folder, entry.name);
      if (!entry.isDirectory() || `${rootPath}/`.startsWith(`${place}/`)) continue;
      if (userBin.test(entry.name)) places.push({ place, kind: 'recycle-bin' });
      else if (type === btrfsType && isSubvolume(type, (await lstat(place, { bigint: true })).ino)) {
        places.push({ place, kind: 'snapshot' });
      }
    }
  } catch {
    // A folder above the root that we may not list; the names that are known were asked for.
  }
  return places;
}

async function lookInto(ctx: CopiesContext, place: string, kind: CopyKind): Promise<OldCopies> {
  const { root, nowUs } = ctx;
  const seen = { files: 0, overLimit: 0, oldest: null as OldCopies['oldest'], unseen: null as string | null };
  // What lies in a bin of the root itself was in the root; above it only what is known as footage is ours.
  const isOurs = place.startsWith(`${root.path}/`) || kind === 'lost-and-found';
  let entries = 0;
  try {
    for await (const batch of walkTree(place, '', ctx.signal)) {
      entries += batch.length / 2;
      for (let at = 0; at + 1 < batch.length; at += 2) {
        const path = batch[at] ?? '';
        const record = readStamp(batch[at + 1] ?? '');
        if (record.kind === 'unreadable') seen.unseen ??= `${path} cannot be read: ${record.reason}`;
        if (record.kind !== 'name' || !record.facts.isFile) continue;
        const age = ageIn(
          ctx,
          path,
          Math.min(record.facts.mtimeUs, nowUs),
          isOurs && (kind === 'lost-and-found' || footageName.test(path)),
        );
        if (age === null) continue;
        seen.files += 1;
        const legalUs = ctx.legalUsOf(age);
        if (legalUs === null) continue;
        if (nowUs >= legalUs) seen.overLimit += 1;
        if (seen.oldest === null || age.startUs < seen.oldest.startUs) seen.oldest = { ...age, path, legalUs };
      }
      if (entries > maxEntries) {
        seen.unseen = `more than ${maxEntries} files: the rest was not looked at`;
        break;
      }
    }
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.code === 'interrupted') throw thrown;
    // Where fsck puts what it finds only root may look; it is there, and empty, on every ext4 disk.
    if (kind !== 'lost-and-found') seen.unseen = error.message;
  }
  return { rootId: root.id, place, kind, ...seen };
}

/**
 * By its name as it was in the root, whatever folders a snapshot or a bin puts before that; else by its last write where it is
 * ours. A template may take any folder for a part of a camera's name, so a camera of the register wins.
 */
function ageIn(ctx: CopiesContext, path: string, writeUs: number, isOurs: boolean): CopyAge | null {
  const parts = path.split('/');
  let named: CopyAge | null = null;
  for (let above = parts.length - 1; above >= Math.max(0, parts.length - maxTail); above -= 1) {
    const age = ctx.ageOf(parts.slice(above).join('/'));
    if (age === null) continue;
    named ??= { ...age, source: 'name' };
    if (ctx.isKnown(age.cameraId)) return { ...age, source: 'name' };
  }
  return named ?? (isOurs ? { cameraId: null, startUs: writeUs, source: 'last-write' } : null);
}
