/** The signature over a manifest: Ed25519 over its exact bytes, in a form that openssl and a person can read. */
import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { GatewayError } from '../errors.js';

export function publicPem(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ type: 'spki', format: 'pem' }) as string;
}

/** SHA-256 of the public key in DER (SubjectPublicKeyInfo), lower-case hex: what two people read to each other. */
export function fingerprint(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** A public Ed25519 key from hostile text. */
export function readPublicKey(pem: string, name: string): KeyObject {
  const wrong = (cause?: unknown): GatewayError =>
    new GatewayError('verification-failed', `${name} is not a public Ed25519 key in PEM.`, { cause });
  // createPublicKey would take a private key too and derive the public one: such a file has no place in a package.
  if (!pem.startsWith('-----BEGIN PUBLIC KEY-----')) throw wrong();
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (error) {
    throw wrong(error);
  }
  throw wrong();
}

export const signManifest = (manifest: string, privateKey: KeyObject): string =>
  `key: ${fingerprint(privateKey)}\ned25519: ${sign(null, Buffer.from(manifest), privateKey).toString('base64')}\n`;

const form = /^key: ([0-9a-f]{64})\ned25519: ([A-Za-z0-9+/]{86}==)\n$/;

/** Where signature, signed bytes and key stand, for the message. */
const inPackage = { signature: 'manifest.sig', signed: 'manifest.json', key: 'keys/package-key.pem' };

/** Throws `verification-failed` unless `signature` is that of this key over exactly these bytes. */
export function checkSignature(
  signature: string,
  manifest: Uint8Array,
  publicKey: KeyObject,
  names: typeof inPackage = inPackage,
): void {
  const [, key, bytes] = form.exec(signature) ?? [];
  if (key === undefined || bytes === undefined) {
    throw new GatewayError('verification-failed', `${names.signature} does not have the form of a signature.`);
  }
  if (key !== fingerprint(publicKey)) {
    throw new GatewayError('verification-failed', `${names.signature} is by another key than ${names.key}.`);
  }
  if (!verify(null, manifest, publicKey, Buffer.from(bytes, 'base64'))) {
    throw new GatewayError('verification-failed', `${names.signed} is not what ${names.signature} signs.`);
  }
}
