/**
 * A signed statement "the log of this origin had this many entries and this root", in the text forms of C2SP tlog-checkpoint
 * and C2SP signed-note, so that tools which are not ours can read and check it.
 *
 *     <origin>\n<size>\n<base64 root>\n\n— <origin> <base64(4-byte key id || 64-byte Ed25519 signature)>\n
 */
import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { GatewayError } from '../errors.js';

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

const ed25519NoteType = 1;

/** The raw 32 bytes of an Ed25519 public key. */
export function rawPublicKey(key: KeyObject): Buffer {
  const jwk = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  if (jwk.crv !== 'Ed25519' || jwk.x === undefined) {
    throw new GatewayError('input-invalid', 'The key is not an Ed25519 key.');
  }
  return Buffer.from(jwk.x, 'base64url');
}

/** signed-note: first 4 bytes of SHA-256(name || "\n" || type || public key). */
export function keyId(origin: string, publicKey: KeyObject): Buffer {
  return createHash('sha256')
    .update(`${origin}\n`)
    .update(Uint8Array.of(ed25519NoteType))
    .update(rawPublicKey(publicKey))
    .digest()
    .subarray(0, 4);
}

const body = (checkpoint: Checkpoint): string =>
  `${checkpoint.origin}\n${checkpoint.size}\n${checkpoint.root.toString('base64')}\n`;

export function signCheckpoint(checkpoint: Checkpoint, privateKey: KeyObject): string {
  const text = body(checkpoint);
  const signature = sign(null, Buffer.from(text), privateKey);
  const blob = Buffer.concat([keyId(checkpoint.origin, privateKey), signature]).toString('base64');
  return `${text}\n— ${checkpoint.origin} ${blob}\n`;
}

const form = /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n\n— ([^\n]+) ([A-Za-z0-9+/=]+)\n$/;

/** Reads a checkpoint and checks its signature. Hostile text ends in `verification-failed`, never in anything else. */
export function openCheckpoint(text: string, publicKey: KeyObject): Checkpoint {
  const match = form.exec(text);
  const [, origin, size, root, signer, blob] = match ?? [];
  if (!origin || !size || !root || !signer || !blob) {
    throw new GatewayError('verification-failed', 'The checkpoint does not have the form of a signed note.');
  }
  const checkpoint: Checkpoint = { origin, size: Number(size), root: Buffer.from(root, 'base64') };
  const bytes = Buffer.from(blob, 'base64');
  // Base64 has spare bits at its end that decoding ignores: another text must not be the same checkpoint.
  if (bytes.toString('base64') !== blob || checkpoint.root.toString('base64') !== root) {
    throw new GatewayError('verification-failed', 'The checkpoint is not written the way it was signed.');
  }
  if (signer !== origin || bytes.length !== 68 || !bytes.subarray(0, 4).equals(keyId(origin, publicKey))) {
    throw new GatewayError('verification-failed', 'The checkpoint is signed by another key or name than expected.');
  }
  if (!verify(null, Buffer.from(body(checkpoint)), publicKey, bytes.subarray(4))) {
    throw new GatewayError('verification-failed', `The signature of the checkpoint of size ${size} is wrong.`);
  }
  return checkpoint;
}
