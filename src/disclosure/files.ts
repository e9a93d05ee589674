/** Where the files of a request lie, and how they go. Every path is relative to the data folder, as the store keeps it. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Segment } from '../domain/segment.js';
import { usToLocal, formatOffset } from '../domain/time.js';
import { toGatewayError } from '../errors.js';
import { growingSuffix, joinBeneath, partialSuffix } from '../platform/durable-file.js';
import { derivedOfRequest, forgetDerived } from '../store/derived-files.js';
import { forgetItemNames } from '../store/requests.js';
import type { DisclosureContext } from './context.js';

export const requestFolder = (id: string): string => `requests/${id}`;
export const packageFolder = (id: string): string => `packages/${id}`;
export const packageArchive = (id: string): string => `packages/${id}.zip`;
/** What stays when the package goes: hashes, cameras, ranges and people, without a picture or the name of a file. */
export const recordFile = (id: string): string => `records/${id}.json`;
/** What an earlier release kept instead: the manifest as it was handed over, with the names that recorders gave. */
export const formerRecord = /^(r-[0-9a-f]{16})\.manifest\.json$/;

/** Letters, digits, dot, dash and underscore, not beginning with a dot: what a recorder or a person named is not ours. */
export const safeName = (name: string, maxLength: number): string =>
  name
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^\.+/, '_')
    .slice(-maxLength);

export interface ItemPaths {
  readonly original: string;
  readonly plan: string;
  readonly redacted: string;
}

export function itemPaths(id: string, position: number, segment: Segment, timeZone: string): ItemPaths {
  const folder = requestFolder(id);
  const camera = safeName(segment.cameraId, 60).replace(/^[.-]+/, '_');
  const name = segment.path.slice(segment.path.lastIndexOf('/') + 1);
  const number = String(position).padStart(4, '0');
  return {
    // The end of a long name is kept: there stand the time and the extension.
    original: `${folder}/originals/${number}-${camera}-${safeName(name, 120)}`,
    plan: `${folder}/plans/${number}.json`,
    redacted: redactedPath(id, position, segment, timeZone),
  };
}

/** A new name each time: what was reviewed is never overwritten by what was not. */
export function redactedPath(
  id: string,
  position: number,
  of: { readonly cameraId: string; readonly startUs: number },
  timeZone: string,
): string {
  const { fields, offsetMinutes } = usToLocal(of.startUs, timeZone);
  const two = (value: number): string => String(value).padStart(2, '0');
  const stamp =
    `${fields.year}${two(fields.month)}${two(fields.day)}T${two(fields.hour)}${two(fields.minute)}${two(fields.second)}` +
    formatOffset(offsetMinutes, '').replace('+', 'p').replace('-', 'm');
  const number = String(position).padStart(4, '0');
  const unique = randomBytes(3).toString('hex');
  return `${requestFolder(id)}/redacted/REDACTED-COPY_${id}_${number}_${safeName(of.cameraId, 60)}_${stamp}_${unique}.mp4`;
}

/**
 * Removes files and folders, and what a crash left of them under their temporary names. What is not there is gone already.
 * Synced, so that a row that is removed afterwards never stands for a file that comes back after a power cut.
 */
export function removeFiles(dataDir: string, paths: Iterable<string>): void {
  const folders = new Set<string>();
  for (const path of paths) {
    const full = joinBeneath(dataDir, path);
    try {
      rmSync(full, { recursive: true, force: true });
      rmSync(full + partialSuffix, { recursive: true, force: true });
      rmSync(full + growingSuffix, { force: true });
    } catch (error) {
      throw toGatewayError(error, `removing ${path}`);
    }
    folders.add(dirname(full));
  }
  for (const folder of folders) if (existsSync(folder)) syncFolder(folder);
}

function syncFolder(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } catch (error) {
    throw toGatewayError(error, `syncing ${path}`);
  } finally {
    closeSync(handle);
  }
}

/** Removes everything that was made for a request and forgets it, in this order: a crash in between removes it again. */
export function discardAll(ctx: Pick<DisclosureContext, 'store' | 'dataDir'>, id: string): { forget(): number } {
  const { db } = ctx.store;
  const derived = derivedOfRequest(db, id);
  removeFiles(ctx.dataDir, [
    ...derived.map((file) => file.path),
    requestFolder(id),
    packageFolder(id),
    packageArchive(id),
  ]);
  return {
    /** To be called in the transaction of the act that says so. Gives the number of files. */
    forget: () => {
      for (const file of derived) forgetDerived(db, file.id);
      forgetItemNames(db, id);
      return derived.length;
    },
  };
}
