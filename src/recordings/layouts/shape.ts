/** A template made from one name: for recorders that no layout knows, so that a person corrects one instead of writing it. */
import { readStem } from './layout.js';

/** 2026-07-01, 2026_07_01, 2026/07/01 or 20260701, anywhere. */
const date = /(?<!\d)20\d\d(?<gap>[-_./]?)\d\d\k<gap>\d\d/g;
/** The time of day that comes soon after the date, 12-05-30 or 120530, perhaps with a fraction. */
const time = /^(?<before>\D*?)\d\d(?<gap>[-_.:]?)\d\d\k<gap>\d\d(?:(?<point>[-_.])(?:\d{6}|\d{3}))?(?!\d)/;
/** The hour as a folder, with minute and second in the name. */
const hourFolder = /^\/\d\d\/(?<between>(?:[^/]+\/)?)\d\d(?<gap>[-_.]?)\d\d(?!\d)/;
/** Seconds since 1970, from 2017 to 2033. */
const epoch = /(?<!\d)(?:1[5-9]\d{8})(?!\d)/;
const token = /%[A-Za-z]/;
/** What a template may be made of: it is printed for people to copy, and names are anybody's. */
const harmless = /^[\p{L}\p{N} ._/%()+=@~,-]+$/u;

/** The template that this path would be of, or null where it shows no time or no place for a camera. */
export function templateOf(path: string): string | null {
  const file = readStem(path);
  if ('kind' in file || !harmless.test(file.stem)) return null;
  const timed = withTime(file.stem.replaceAll('%', '%%'));
  if (timed === null) return null;
  const parts = timed.split('/');
  const first = parts.findIndex((part) => token.test(part));
  const base = parts.at(-1) ?? '';
  const name = base.replaceAll(/\d+/g, '%i');
  const folders = parts.slice(0, -1);
  if (first > 0) return ['%path', ...folders.slice(first), name].join('/');
  const camera = folders.findIndex((part) => !token.test(part));
  if (camera !== -1) {
    folders[camera] = '%camera';
    return [...folders, name].join('/');
  }
  // No folder for it: what the name begins with.
  const lead = /^[^%]+(?=[-_. @]%[A-Za-z])/.exec(base)?.[0];
  if (lead === undefined) return null;
  return [...folders, `%camera${base.slice(lead.length).replaceAll(/\d+/g, '%i')}`].join('/');
}

function withTime(stem: string): string | null {
  const dated = stem.replaceAll(date, (_all: string, gap: string) => `%Y${gap}%m${gap}%d`);
  const end = dated.lastIndexOf('%d') + 2;
  if (end < 2) return epoch.test(stem) ? stem.replace(epoch, '%s') : null;
  const rest = dated.slice(end);
  const inFolder = hourFolder.exec(rest);
  if (inFolder !== null) {
    const { between = '', gap = '' } = inFolder.groups ?? {};
    return `${dated.slice(0, end)}/%H/${between}%M${gap}%S${rest.slice(inFolder[0].length)}`;
  }
  const inName = time.exec(rest);
  if (inName === null) return null;
  const { before = '', gap = '', point } = inName.groups ?? {};
  const fraction = point === undefined ? '' : `${point}%f`;
  return `${dated.slice(0, end)}${before}%H${gap}%M${gap}%S${fraction}${rest.slice(inName[0].length)}`;
}

/** The template that most of the paths would be of; it may still read fewer than it was made from. */
export function commonTemplate(paths: readonly string[]): string | null {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const template = templateOf(path);
    if (template !== null) counts.set(template, (counts.get(template) ?? 0) + 1);
  }
  const [most] = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  return most?.[0] ?? null;
}
