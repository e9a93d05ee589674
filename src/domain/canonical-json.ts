import canonicalize from 'canonicalize';
import { createHash } from 'node:crypto';
import { GatewayError } from '../errors.js';

/** What JSON can say. Instants in it are integers of UTC microseconds, which a double holds exactly until the year 2255. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

// The package's types describe a CommonJS default; under nodenext the function itself is what arrives.
const canonicalizeJson = canonicalize as unknown as (value: unknown) => string | undefined;

/** RFC 8785 (JCS): one byte sequence for one value, so that it can be hashed and signed. */
export function canonicalJson(value: Json): string {
  const text = canonicalizeJson(value);
  if (text === undefined) throw new GatewayError('internal', 'A value that JSON cannot express was to be hashed.');
  return text;
}

/** SHA-256 of the canonical form, in lower-case hex. */
export function canonicalHash(value: Json): string {
  return createHash('sha256').update(canonicalJson(value), 'utf8').digest('hex');
}
