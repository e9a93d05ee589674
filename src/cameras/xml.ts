/**
 * Reads XML from strangers: whatever answers on the camera network. Every answer is hostile until it has passed here.
 *
 * A subset on purpose. No document type, so no entities to expand and nothing to fetch; limits on size, depth and
 * number of elements; one pass without backtracking, so the time is linear in the size. Namespaces are dropped and
 * names compared by their local part, because real devices put ONVIF elements into the wrong namespace.
 */
import { GatewayError } from '../errors.js';

export interface XmlElement {
  /** Local name, without prefix. */
  readonly name: string;
  /** By local name; namespace declarations are left out. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** The element's own text, trimmed, without that of its children. */
  readonly text: string;
}

export interface XmlLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxElements: number;
}

/** One UDP datagram cannot be larger than 64 KiB anyway. */
export const datagramLimits: XmlLimits = { maxBytes: 64 * 1024, maxDepth: 24, maxElements: 4096 };
/** A recorder with 64 channels answers GetProfiles with some 400 KiB. */
export const soapLimits: XmlLimits = { maxBytes: 1024 * 1024, maxDepth: 32, maxElements: 40_000 };

interface Open {
  qualifiedName: string;
  attributes: Map<string, string>;
  children: XmlElement[];
  text: string[];
}

const nameAt = /[^\s<>/=&"'!?]{1,256}/y;
const spaceAt = /[ \t\r\n]*/y;
const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function bad(what: string, atChar?: number): GatewayError {
  const place = atChar === undefined ? '' : ` at character ${atChar}`;
  return new GatewayError('input-invalid', `The answer is not acceptable XML: ${what}${place}.`, {
    remedy: 'Update the firmware of the device, or find out what else answers at this address.',
  });
}

/** Bytes to the root element. Throws `input-invalid` for anything that is not plain, small, well-formed XML. */
export function parseXml(bytes: Uint8Array, limits: XmlLimits): XmlElement {
  if (bytes.byteLength > limits.maxBytes) {
    throw bad(`${bytes.byteLength} bytes where at most ${limits.maxBytes} are read`);
  }
  // Not fatal: some devices send names in a local 8-bit code, and that must not hide the device itself.
  const source = new TextDecoder('utf-8').decode(bytes);
  const open: Open[] = [];
  let root: XmlElement | undefined;
  let elements = 0;
  let at = 0;

  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(source)?.[0] ?? '';
    at += found.length;
    return found;
  };
  const find = (what: string, from: number): number => {
    const found = source.indexOf(what, from);
    if (found < 0) throw bad(`"${what}" is missing`, from);
    return found;
  };
  const addText = (text: string): void => {
    const parent = open.at(-1);
    if (parent !== undefined) parent.text.push(text);
    else if (text.trim() !== '') throw bad('text outside the root element', at);
  };
  const close = (): void => {
    const done = open.pop();
    if (done === undefined) throw bad('an end tag without a start tag', at);
    const element: XmlElement = {
      name: localName(done.qualifiedName),
      attributes: done.attributes,
      children: done.children,
      text: done.text.join('').trim(),
    };
    const parent = open.at(-1);
    if (parent !== undefined) parent.children.push(element);
    else root = element;
  };

  while (at < source.length) {
    const tag = source.indexOf('<', at);
    addText(unescape(source.slice(at, tag < 0 ? undefined : tag)));
    if (tag < 0) break;
    at = tag;
    if (source.startsWith('<!--', at)) {
      at = find('-->', at + 4) + 3;
    } else if (source.startsWith('<![CDATA[', at)) {
      const end = find(']]>', at);
      addText(source.slice(at + 9, end));
      at = end + 3;
    } else if (source.startsWith('<!', at)) {
      throw bad('it declares a document type', at);
    } else if (source.startsWith('<?', at)) {
      at = find('?>', at) + 2;
    } else if (source.startsWith('</', at)) {
      at += 2;
      const qualifiedName = match(nameAt);
      match(spaceAt);
      if (source[at] !== '>' || qualifiedName !== open.at(-1)?.qualifiedName) throw bad('a wrong end tag', tag);
      at += 1;
      close();
    } else {
      if (root !== undefined) throw bad('more than one root element', at);
      if (open.length >= limits.maxDepth) throw bad(`elements more than ${limits.maxDepth} deep`, at);
      if (++elements > limits.maxElements) throw bad(`more than ${limits.maxElements} elements`);
      at += 1;
      const qualifiedName = match(nameAt);
      if (qualifiedName === '') throw bad('a tag without a name', tag);
      open.push({ qualifiedName, attributes: readAttributes(), children: [], text: [] });
      if (source[at] === '/') {
        at += 1;
        close();
      }
      if (source[at] !== '>') throw bad('a tag that does not end', tag);
      at += 1;
    }
  }
  if (root === undefined) throw bad(open.length > 0 ? 'it is cut short' : 'there is no element');
  return root;

  function readAttributes(): Map<string, string> {
    const attributes = new Map<string, string>();
    for (;;) {
      match(spaceAt);
      const name = match(nameAt);
      if (name === '') return attributes;
      match(spaceAt);
      if (source[at] !== '=') throw bad('an attribute without a value', at);
      at += 1;
      match(spaceAt);
      const quote = source[at];
      if (quote !== '"' && quote !== "'") throw bad('an attribute value without quotes', at);
      const end = find(quote, at + 1);
      const value = source.slice(at + 1, end);
      if (value.includes('<')) throw bad('"<" in an attribute value', at);
      at = end + 1;
      if (name !== 'xmlns' && !name.startsWith('xmlns:')) attributes.set(localName(name), unescape(value));
    }
  }
}

/** The first child with this name, then its first child with the next name, and so on. */
export function descend(element: XmlElement | undefined, ...names: readonly string[]): XmlElement | undefined {
  let here = element;
  for (const name of names) here = here?.children.find((child) => child.name === name);
  return here;
}

/** All children with this name. */
export function childrenNamed(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((child) => child.name === name) ?? [];
}

/** Text below `element`, or null where the element is missing or empty. */
export function textAt(element: XmlElement | undefined, ...names: readonly string[]): string | null {
  const text = descend(element, ...names)?.text ?? '';
  return text === '' ? null : text;
}

/**
 * A stranger's text made fit for a log, a table and a page: no control or direction characters, one line, at most
 * `maxChars`. Null where nothing is left.
 */
export function cleanText(text: string | null, maxChars = 128): string | null {
  if (text === null) return null;
  const clean = text
    .normalize('NFC')
    // Control, format and surrogate characters: they would reorder or break the line the text is shown in.
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .slice(0, maxChars)
    .trim();
  return clean === '' ? null : clean;
}

/** Text for use inside an XML element that we send. */
export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function localName(qualifiedName: string): string {
  return qualifiedName.slice(qualifiedName.indexOf(':') + 1);
}

/** Only the five named and the numeric references. Any other "&" stays as it is: devices send bare ones in addresses. */
function unescape(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:([a-z]{2,4})|#(\d{1,7})|#x([\dA-Fa-f]{1,6}));/g,
    (all, name?: string, dec?: string, hex?: string) => {
      if (name !== undefined) return named[name] ?? all;
      const code = dec === undefined ? Number.parseInt(hex ?? '', 16) : Number.parseInt(dec, 10);
      return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : all;
    },
  );
}
