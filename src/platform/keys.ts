/** Ed25519 key pairs of the gateway, as PEM files that only its user can read. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { GatewayError, toGatewayError } from '../errors.js';

export function readPrivateKey(path: string): KeyObject {
  try {
    const key = createPrivateKey(readFileSync(path));
    if (key.asymmetricKeyType !== 'ed25519') throw new Error('it is not an Ed25519 key');
    return key;
  } catch (error) {
    throw new GatewayError('io-failed', toGatewayError(error, `reading the key ${path}`).message, {
      remedy: 'Restore the key from backup. Do not make a new one: what the old one signed could not be continued.',
      cause: error,
    });
  }
}

/** Reads `path`, or makes the pair where there is none. The public half lies beside it as `<path>.pub`. */
export function readOrMakeKey(path: string): KeyObject {
  if (existsSync(path)) return readPrivateKey(path);
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    chmodSync(dirname(path), 0o700);
    // Under another name first: a crash must not leave half a key that would be taken for a damaged one.
    const partial = `${path}.partial`;
    writeFileSync(partial, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flush: true });
    renameSync(partial, path);
    writeFileSync(`${path}.pub`, publicPem(privateKey), { mode: 0o644 });
  } catch (error) {
    throw toGatewayError(error, `making the key ${path}`);
  }
  return privateKey;
}

export const publicPem = (key: KeyObject): string =>
  (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'pem' }).toString();
