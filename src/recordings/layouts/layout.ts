/**
 * What a layout is: the way one VMS turns camera and time into a path below its root. Names come from a foreign program and
 * are hostile input: a layout reads them, never opens them, and answers for every string there is.
 */
import type { LocalFields, Micros } from '../../domain/time.js';

/** When a segment starts, as its name says it. `date`: the local day alone (midnight), the time of day is not in the name. */
export type NameTime =
  | { readonly kind: 'utc'; readonly us: Micros }
  | { readonly kind: 'local'; readonly fields: LocalFields; readonly timeZone: string }
  | { readonly kind: 'date'; readonly fields: LocalFields; readonly timeZone: string };

export interface LayoutMatch {
  readonly kind: 'match';
  /** Name of the layout that matched. */
  readonly layout: string;
  /** The part of the path that names the camera, byte for byte; `cameraIdOf` makes an id of it. */
  readonly camera: string;
  readonly start: NameTime;
  /** The name that this VMS gives a recording until it closes it. A recorder that was killed leaves it for ever. */
  readonly open?: true;
  /** Path below the root of the initialisation segment that this file cannot be read without. */
  readonly init?: string;
}

/**
 * foreign: no recording of this layout. misnamed: has the layout's form, but a date or number that cannot be. unfinished: a
 * name used while the file is being written. ignored: a known companion of recordings that holds none itself.
 */
export type MissReason = 'foreign' | 'misnamed' | 'unfinished' | 'ignored';

export interface LayoutMiss {
  readonly kind: 'miss';
  readonly reason: MissReason;
  readonly detail: string;
  /** Where the name tells it all the same: whose footage this would be, and from when. */
  readonly camera?: string;
  readonly start?: NameTime;
}

export interface Layout {
  readonly name: string;
  /** `relativePath` is below the root, `/` between components. Never throws. */
  decode(relativePath: string): LayoutMatch | LayoutMiss;
  /** The path the VMS would write for this camera and instant. For samples and tests. */
  encode(camera: string, startUs: Micros, extension?: string): string;
}

/** What a layout needs to know of the root it is used for. */
export interface LayoutOptions {
  /** Time zone of names in local time. */
  readonly timeZone: string;
  /** The one camera of this root, where the path does not name it. */
  readonly camera?: string | undefined;
}

/** `bvr` is Blue Iris's own format: it cannot be read here, but is footage all the same and must not be overlooked. */
export const mediaExtensions = ['mp4', 'm4s', 'mkv', 'ts', 'mov', 'avi', 'webm', 'm4v', 'mpg', 'bvr'] as const;

const media = new Set<string>(mediaExtensions);
const unfinishedEnd = /\.(?:part|partial|tmp|temp|crdownload|filepart|download|incomplete|writing)$/i;
const pictures = /\.(?:jpe?g|png|webp|gif|bmp|thumb)$/i;
const companions =
  /(?:\.(?:json|txt|log|conf|cfg|ini|xml|ya?ml|csv|md|html?|m3u8?|mpd|srt|vtt|sub|ass|psi|idx|nfo|md5|sha\d+|db|sqlite\d?|db-(?:wal|shm|journal)|lock|pid|bak)|thumbs\.db|desktop\.ini)$/i;
const companionFolders = new Set(['@eaDir', '@Snapshot', '#recycle', 'lost+found', '$RECYCLE.BIN']);

export const miss = (
  reason: MissReason,
  detail: string,
  known: Pick<LayoutMiss, 'camera' | 'start'> = {},
): LayoutMiss => ({ kind: 'miss', reason, detail, ...known });

const openDetail = 'a name that is used while the file is being written';

/** Empty, `.` and `..` as a part of a path, and NUL. */
const notPlain = /^$|^\/|\/$|\/\/|(?:^|\/)\.\.?(?:\/|$)|\0/;

/** A miss for what no layout looks into: no plain path below the root, or a folder of the storage system. Else null. */
export function outside(relativePath: string): LayoutMiss | null {
  if (notPlain.test(relativePath)) return miss('foreign', 'not a plain path below the root');
  // Every one of these names has one of these signs in it, and hardly any other has.
  if (!/[@#$+]/.test(relativePath)) return null;
  const parts = relativePath.split('/');
  return parts.some((part) => companionFolders.has(part)) ? miss('ignored', 'in a folder of the storage system') : null;
}

/**
 * What every layout says alike about a path, before it looks at its own form: the path without its media extension, or a
 * miss. Order matters: `x.mp4.part` is unfinished although it ends in no media extension.
 */
export function readStem(relativePath: string): { stem: string; extension: string } | LayoutMiss {
  const problem = outside(relativePath);
  if (problem !== null) return problem;
  const base = relativePath.slice(relativePath.lastIndexOf('/') + 1);
  const dot = base.lastIndexOf('.');
  const extension = dot > 0 ? base.slice(dot + 1) : '';
  const stem = relativePath.slice(0, relativePath.length - extension.length - 1);
  const isMedia = media.has(extension.toLowerCase());
  if ((isMedia ? unfinishedEnd.test(stem) : unfinishedEnd.test(base)) || /^incomplete\./i.test(base)) {
    return miss('unfinished', openDetail);
  }
  if (base.startsWith('.')) {
    // rsync and others write to a hidden name with the real one inside it, then rename.
    const within = mediaExtensions.some((known) => base.toLowerCase().includes(`.${known}`));
    return within ? miss('unfinished', 'a hidden name around a recording: being copied') : miss('ignored', 'hidden');
  }
  // No recording, which nearly every name is, ends like a companion.
  if (isMedia) return { stem, extension };
  if (pictures.test(base)) return miss('ignored', 'a still picture: goes with the recording it was made from');
  if (companions.test(base)) return miss('ignored', 'a companion of recordings, not one itself');
  return miss('foreign', extension === '' ? 'no extension' : `".${extension}" is no recording`);
}

/**
 * The name that an unfinished one will have once it is finished: `x.mp4` for `x.mp4.part`, `x.part.mp4` and rsync's
 * `.x.mp4.Ab12Cd`. Null where it does not hold one.
 */
export function finishedName(relativePath: string): string | null {
  const at = relativePath.lastIndexOf('/') + 1;
  const base = relativePath.slice(at);
  const hidden = /^\.(?<real>.+)\.[A-Za-z0-9_-]{4,12}$/.exec(base)?.groups?.['real'];
  const inner = /^(?<stem>.+)\.(?<extension>[A-Za-z0-9]+)$/.exec(base)?.groups;
  const bare = (name: string): string | null => (unfinishedEnd.test(name) ? name.replace(unfinishedEnd, '') : null);
  const stem = inner === undefined ? null : bare(inner['stem'] ?? '');
  const real = hidden ?? bare(base) ?? (stem === null ? null : `${stem}.${inner?.['extension'] ?? ''}`);
  return real === null || real === '' ? null : relativePath.slice(0, at) + real;
}

const telling: Record<MissReason, number> = { misnamed: 3, unfinished: 2, ignored: 1, foreign: 0 };

/** Several layouts as one: the first match wins; among misses the most telling one. `encode` is the first layout's. */
export function firstMatching(name: string, layouts: readonly [Layout, ...Layout[]]): Layout {
  const [first] = layouts;
  return {
    name,
    decode(relativePath) {
      let best: LayoutMiss | undefined;
      for (const layout of layouts) {
        const result = layout.decode(relativePath);
        if (result.kind === 'match') return result;
        const moreTelling = best === undefined ? 1 : telling[result.reason] - telling[best.reason];
        if (moreTelling > 0 || (moreTelling === 0 && best?.camera === undefined && result.camera !== undefined)) {
          best = result;
        }
      }
      return best ?? miss('foreign', 'no layout');
    },
    encode: (camera, startUs, extension) => first.encode(camera, startUs, extension),
  };
}
