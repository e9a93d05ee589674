/**
 * Path templates: the tokens of MediaMTX's `recordPath`, and a few more for other recorders. A template is compiled once to
 * one anchored regular expression for reading and one list of pieces for writing, so that both stay the same template.
 */
import { initOf } from '../../domain/fragment.js';
import { GatewayError } from '../../errors.js';
import {
  assertTimeZone,
  fieldsAreReal,
  formatOffset,
  usToLocal,
  utcToUs,
  type LocalFields,
  type Micros,
} from '../../domain/time.js';
import {
  finishedName,
  mediaExtensions,
  miss,
  readStem,
  type Layout,
  type LayoutMatch,
  type LayoutMiss,
} from './layout.js';

/** Every token with the form it has in a path. `%path` may hold slashes, `%camera` may not, `%*` may be empty. */
export const templateTokens = {
  '%path': '[^/]+(?:/[^/]+)*?',
  '%camera': '[^/]+',
  '%Y': '\\d{4}',
  /** The last two digits of a year from 2000 to 2099. */
  '%y': '\\d{2}',
  '%m': '\\d{2}',
  '%d': '\\d{2}',
  '%H': '\\d{2}',
  '%M': '\\d{2}',
  '%S': '\\d{2}',
  /** A decimal fraction of the second: `5`, `500` and `500000` are all half a second. */
  '%f': '\\d{1,9}',
  /** Seconds since 1970. Wins over the other time tokens. */
  '%s': '\\d{1,19}',
  '%z': 'Z|[+-]\\d{2}:?\\d{2}',
  '%i': '\\d+',
  '%*': '[^/]*',
  '%%': '%',
} as const;

type Token = keyof typeof templateTokens;
/** Names of the regular expression's groups, one for each token that has a value. */
const groupOf: Partial<Record<Token, string>> = {
  '%path': 'path',
  '%camera': 'camera',
  '%Y': 'Y',
  '%y': 'y',
  '%m': 'm',
  '%d': 'd',
  '%H': 'H',
  '%M': 'M',
  '%S': 'S',
  '%f': 'f',
  '%s': 's',
  '%z': 'z',
};
type Piece = { readonly token: Token } | { readonly text: string };

export interface TemplateOptions {
  /** Time zone of the names, unless the template has `%s` or `%z`. */
  readonly timeZone: string;
  /** The camera, for a template that names none; wins over one that does. */
  readonly camera?: string | undefined;
  readonly name?: string;
}

const wrong = (template: string, what: string, remedy: string): GatewayError =>
  new GatewayError('config-invalid', `Layout template "${template}": ${what}`, { remedy });

function piecesOf(template: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < template.length) {
    const next = template.indexOf('%', at);
    if (next === -1) {
      pieces.push({ text: template.slice(at) });
      break;
    }
    if (next > at) pieces.push({ text: template.slice(at, next) });
    const token = (Object.keys(templateTokens) as Token[]).find((known) => template.startsWith(known, next));
    if (token === undefined) {
      throw wrong(
        template,
        `"${template.slice(next, next + 2)}" is not a token.`,
        `Use ${Object.keys(templateTokens).join(' ')}.`,
      );
    }
    pieces.push({ token });
    at = next + token.length;
  }
  return pieces;
}

function expressionOf(pieces: readonly Piece[]): RegExp {
  const seen = new Set<string>();
  let source = '';
  for (const piece of pieces) {
    if ('text' in piece) {
      source += piece.text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
      continue;
    }
    const group = groupOf[piece.token];
    if (group === undefined) source += `(?:${templateTokens[piece.token]})`;
    // The same token twice must say the same twice, as where the folder repeats the date of the name.
    else if (seen.has(group)) source += `\\k<${group}>`;
    else source += `(?<${group}>${templateTokens[piece.token]})`;
    if (group !== undefined) seen.add(group);
  }
  return new RegExp(`^${source}$`, 'u');
}

function check(template: string, pieces: readonly Piece[], fixedCamera: string | undefined): void {
  const has = (token: Token): boolean => pieces.some((piece) => 'token' in piece && piece.token === token);
  const count = (token: Token): number => pieces.filter((piece) => 'token' in piece && piece.token === token).length;
  if (template === '' || template.startsWith('/') || template.split('/').some((part) => part === '..' || part === '')) {
    throw wrong(template, 'is not a path below the root.', 'Leave out what stands in front of the root, and any "..".');
  }
  const hasDay = (has('%Y') || has('%y')) && has('%m') && has('%d');
  if (!has('%s') && !(hasDay && has('%H') && has('%M'))) {
    throw wrong(template, 'does not tell when a segment starts.', 'Use %s, or %Y %m %d %H %M and best %S.');
  }
  if (has('%path') && has('%camera')) {
    throw wrong(template, 'names the camera twice.', 'Use either %path or %camera.');
  }
  if (!has('%path') && !has('%camera') && fixedCamera === undefined) {
    throw wrong(
      template,
      'does not tell which camera it is.',
      'Use %path or %camera, or set camera: beside template:.',
    );
  }
  // Several texts of any length side by side make the expression slow on a long hostile name.
  if (count('%*') > 3) throw wrong(template, 'has more than three "%*".', 'Write out what is always the same.');
}

/** Compiles a template. Throws `config-invalid` for one that cannot work; the message says why, the remedy what to write. */
export function templateLayout(template: string, options: TemplateOptions): Layout {
  assertTimeZone(options.timeZone);
  const known = new RegExp(`\\.(${mediaExtensions.join('|')})$`, 'i').exec(template);
  const onlyExtension = known?.[1]?.toLowerCase();
  const plain = template.slice(0, known?.index ?? template.length).replace(/^\.\//, '');
  const pieces = piecesOf(plain);
  check(plain, pieces, options.camera);
  const expression = expressionOf(pieces);
  const name = options.name ?? template;

  const decode = (relativePath: string): LayoutMatch | LayoutMiss => {
    const file = readStem(relativePath);
    if ('kind' in file) return file.reason === 'unfinished' ? withOwner(file, relativePath) : file;
    const groups = expression.exec(file.stem)?.groups;
    const extension = file.extension.toLowerCase();
    if (groups === undefined || (onlyExtension !== undefined && extension !== onlyExtension)) {
      return miss('foreign', `does not look like ${template}`);
    }
    const camera = options.camera ?? groups['path'] ?? groups['camera'] ?? '';
    const start = readNameTime(groups, options.timeZone);
    if (typeof start === 'string') return miss('misnamed', start, { camera });
    const found: LayoutMatch = { kind: 'match', layout: name, camera, start };
    const init = initOf(relativePath);
    return init === null ? found : { ...found, init };
  };

  /** Half a file that was left lying is footage too: whose, and from when, bounds how long it may lie there. */
  const withOwner = (file: LayoutMiss, relativePath: string): LayoutMiss => {
    const finished = finishedName(relativePath);
    const inner = finished === null ? null : decode(finished);
    return inner?.kind === 'match' ? { ...file, camera: inner.camera, start: inner.start } : file;
  };

  const encode = (camera: string, startUs: Micros, extension = onlyExtension ?? 'mp4'): string =>
    `${pieces.map((piece) => ('text' in piece ? piece.text : write(piece.token, camera, startUs, options.timeZone))).join('')}.${extension}`;

  return { name, decode, encode };
}

/** Seconds since 1970 as an instant, or what is wrong with them. */
export function readEpoch(digits: string): Micros | string {
  const seconds = Number(digits);
  // 2200-01-01; a name in milliseconds lands far beyond it.
  if (seconds >= 7_258_118_400) return `${digits} s after 1970 is no time of a recording (milliseconds?)`;
  return seconds * 1_000_000;
}

/** Local time is never further from UTC than this. */
const furthestOffsetUs = 14.5 * 3600 * 1_000_000;

/** The time of a name's groups (one letter each, as the tokens), or what is wrong with it. */
export function readNameTime(
  groups: Readonly<Record<string, string | undefined>>,
  timeZone: string,
): LayoutMatch['start'] | string {
  const microsecond = Number((groups['f'] ?? '').slice(0, 6).padEnd(6, '0'));
  const year = groups['Y'] ?? (groups['y'] === undefined ? undefined : `20${groups['y']}`);
  const number = (group: string): number => Number(groups[group] ?? '0');
  const fields: LocalFields = {
    year: Number(year ?? '0'),
    month: number('m'),
    day: number('d'),
    hour: number('H'),
    minute: number('M'),
    second: number('S'),
    microsecond,
  };
  const whole =
    year !== undefined && groups['m'] !== undefined && groups['d'] !== undefined && groups['H'] !== undefined;
  if (whole && !fieldsAreReal(fields)) {
    return `no such time: ${year}-${groups['m'] ?? ''}-${groups['d'] ?? ''} ${groups['H'] ?? ''}:${groups['M'] ?? ''}:${groups['S'] ?? '00'}`;
  }
  if (groups['s'] !== undefined) {
    const secondUs = readEpoch(groups['s']);
    if (typeof secondUs === 'string') return secondUs;
    const us = secondUs + microsecond;
    if (whole && Math.abs(utcToUs(fields) - us) > furthestOffsetUs) {
      return `its date and its ${groups['s']} s after 1970 are not of the same day`;
    }
    return { kind: 'utc', us };
  }
  if (groups['z'] !== undefined) {
    const offset = /^([+-])(\d{2}):?(\d{2})$/.exec(groups['z']);
    const minutes = offset === null ? 0 : Number(offset[2]) * 60 + Number(offset[3]);
    if (minutes > 18 * 60 || Number(offset?.[3] ?? '0') > 59) return `no such offset from UTC: ${groups['z']}`;
    return { kind: 'utc', us: utcToUs(fields) - (offset?.[1] === '-' ? -minutes : minutes) * 60_000_000 };
  }
  if (timeZone === 'UTC') return { kind: 'utc', us: utcToUs(fields) };
  return { kind: 'local', fields, timeZone };
}

function write(token: Token, camera: string, startUs: Micros, timeZone: string): string {
  const { fields, offsetMinutes } = usToLocal(startUs, timeZone);
  const digits = (value: number, width: number): string => String(value).padStart(width, '0');
  switch (token) {
    case '%path':
    case '%camera':
      return camera;
    case '%Y':
      return digits(fields.year, 4);
    case '%y':
      return digits(fields.year % 100, 2);
    case '%m':
      return digits(fields.month, 2);
    case '%d':
      return digits(fields.day, 2);
    case '%H':
      return digits(fields.hour, 2);
    case '%M':
      return digits(fields.minute, 2);
    case '%S':
      return digits(fields.second, 2);
    case '%f':
      return digits(fields.microsecond, 6);
    case '%s':
      return String(Math.floor(startUs / 1_000_000));
    case '%z':
      return offsetMinutes === 0 ? 'Z' : formatOffset(offsetMinutes, '');
    case '%i':
      return '0';
    case '%*':
      return '';
    case '%%':
      return '%';
  }
}
