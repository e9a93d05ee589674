/**
 * What a WS-Discovery answer says. PURE: bytes and the sender in, candidates out. The bytes are hostile: anyone on the
 * network segment can send them.
 */
import { isIPv4 } from 'node:net';
import { GatewayError } from '../errors.js';
import { childrenNamed, cleanText, datagramLimits, descend, parseXml, textAt, type XmlElement } from './xml.js';

/** One device as it describes itself. Nothing in it is proven. */
export interface ProbeMatch {
  /** The endpoint reference, lower case; stable across addresses on devices that follow the standard. */
  readonly urn: string;
  readonly types: readonly string[];
  readonly scopes: readonly string[];
  /** Addresses of the device service, http or https, credentials removed. */
  readonly xaddrs: readonly string[];
  /** From the scopes. */
  readonly name: string | null;
  readonly hardware: string | null;
}

export interface ProbeAnswer {
  /** The id of the question, without "uuid:" in front; null where the answer names none. */
  readonly relatesTo: string | null;
  readonly matches: readonly ProbeMatch[];
  /** Reasons why single matches were left out. */
  readonly rejected: readonly string[];
}

const maxMatches = 64;
const maxListed = 64;

/** Throws `input-invalid` where the datagram is not a ProbeMatches message at all. */
export function parseProbeAnswer(datagram: Uint8Array): ProbeAnswer {
  const envelope = parseXml(datagram, datagramLimits);
  const answer = descend(envelope, 'Body', 'ProbeMatches');
  if (envelope.name !== 'Envelope' || answer === undefined) {
    throw new GatewayError('input-invalid', 'The answer is not a WS-Discovery ProbeMatches message.', {
      remedy: 'Find out what else uses UDP port 3702 at this address.',
    });
  }
  const matches: ProbeMatch[] = [];
  const rejected: string[] = [];
  for (const element of childrenNamed(answer, 'ProbeMatch').slice(0, maxMatches)) {
    const match = readMatch(element);
    if (typeof match === 'string') rejected.push(match);
    else matches.push(match);
  }
  return { relatesTo: bareId(textAt(envelope, 'Header', 'RelatesTo')), matches, rejected };
}

/** A message id without its scheme: devices answer "uuid:…" to "urn:uuid:…" and the other way round. */
export function bareId(id: string | null): string | null {
  return id === null ? null : id.toLowerCase().replace(/^(?:urn:)?(?:uuid:)?/, '');
}

function readMatch(element: XmlElement): ProbeMatch | string {
  const urn = cleanText(textAt(element, 'EndpointReference', 'Address'), 256)?.toLowerCase();
  if (urn === undefined) return 'It names no endpoint reference.';
  const types = words(element, 'Types').map((type) => type.slice(type.indexOf(':') + 1));
  // A printer or a computer: it should not have answered a question for cameras.
  if (types.length > 0 && !types.some((type) => type === 'NetworkVideoTransmitter' || type === 'Device')) {
    return `It is not a camera but "${cleanText(types.join(' '), 60) ?? ''}".`;
  }
  const scopes = words(element, 'Scopes');
  const xaddrs = words(element, 'XAddrs')
    .map(serviceUrl)
    .filter((url) => url !== null);
  if (xaddrs.length === 0) return 'It names no usable service address.';
  return { urn, types, scopes, xaddrs, name: scopeValue(scopes, 'name'), hardware: scopeValue(scopes, 'hardware') };
}

function words(element: XmlElement, name: string): string[] {
  return (textAt(element, name) ?? '').split(/\s+/, maxListed).filter((word) => word !== '');
}

/** A device service address in its normal form, without credentials, or null where it is none. */
export function serviceUrl(text: string): string | null {
  if (text.length > 512 || !URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  url.username = '';
  url.password = '';
  url.hash = '';
  return url.hostname === '' ? null : url.href;
}

function scopeValue(scopes: readonly string[], kind: string): string | null {
  const prefix = `onvif://www.onvif.org/${kind}/`;
  const scope = scopes.find((entry) => entry.toLowerCase().startsWith(prefix));
  if (scope === undefined) return null;
  const raw = scope.slice(prefix.length);
  try {
    return cleanText(decodeURIComponent(raw));
  } catch {
    // Not UTF-8 percent encoding: some devices send Latin-1. The raw text still tells a person which camera it is.
    return cleanText(raw);
  }
}

/**
 * Which of the announced addresses to talk to. A stranger must not make the gateway send requests wherever he likes,
 * so an address counts only where it is the sender's own, or is private and the sender is private too (a device with
 * several networks, or behind a discovery proxy). Loopback counts only when the answer came from this machine.
 * Null where none qualifies.
 */
export function chooseXaddr(
  xaddrs: readonly string[],
  senderAddress: string,
  ownAddresses: readonly string[],
  preferTls = false,
): string | null {
  const rank = (xaddr: string): number => {
    const { hostname: host, protocol } = new URL(xaddr);
    const byScheme = (protocol === 'https:') === preferTls ? 0 : 1;
    if (host === senderAddress) return byScheme;
    if (!isIPv4(host)) return Number.POSITIVE_INFINITY;
    if (host.startsWith('127.')) return ownAddresses.includes(senderAddress) ? 2 + byScheme : Number.POSITIVE_INFINITY;
    return isPrivate(host) && isPrivate(senderAddress) ? 4 + byScheme : Number.POSITIVE_INFINITY;
  };
  const best = xaddrs
    .map((xaddr) => ({ xaddr, rank: rank(xaddr) }))
    .sort((a, b) => a.rank - b.rank)
    .at(0);
  return best === undefined || best.rank === Number.POSITIVE_INFINITY ? null : best.xaddr;
}

function isPrivate(address: string): boolean {
  return /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(address);
}
