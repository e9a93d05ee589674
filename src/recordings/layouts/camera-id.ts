import { createHash } from 'node:crypto';

/** A folder name that is fit to be an id as it stands: in a URL, a file name and a configuration file. */
const plain = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;

const letters: Readonly<Record<string, string>> = {
  æ: 'ae',
  ø: 'o',
  å: 'aa',
  ß: 'ss',
  đ: 'd',
  ł: 'l',
  þ: 'th',
  ð: 'd',
};

/**
 * The id of the camera that a path names, e.g. `lobby` for `lobby`, `site-camera-1~0f9c2d71a4` for `site/Camera 1`.
 *
 * The rule is stable, for ids stand in configurations and in evidence: a plain name (letters, digits, `. _ -`, at most 64)
 * is its own id. Every other name becomes a readable slug, `~`, and the first 10 hex digits of the SHA-256 of its UTF-8
 * bytes. No plain name holds a `~`, so two different folders never share an id, not even the same word once composed (NFC)
 * and once decomposed (NFD). Keep the original name beside the id, to show it.
 */
export function cameraIdOf(pathPart: string): string {
  if (plain.test(pathPart)) return pathPart;
  const slug = pathPart
    .toLowerCase()
    .normalize('NFC')
    .replace(/[æøåßđłþð]/gu, (letter) => letters[letter] ?? letter)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '');
  const digest = createHash('sha256').update(pathPart, 'utf8').digest('hex').slice(0, 10);
  return `${slug === '' ? 'camera' : slug}~${digest}`;
}
