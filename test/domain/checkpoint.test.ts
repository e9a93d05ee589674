import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyId, openCheckpoint, rawPublicKey, signCheckpoint } from '../../src/domain/checkpoint.js';
import { GatewayError } from '../../src/errors.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const checkpoint = { origin: 'tredive/here', size: 42, root: Buffer.alloc(32, 7) };
const note = signCheckpoint(checkpoint, privateKey);
const refusal = (text: string, key = publicKey): string => {
  try {
    openCheckpoint(text, key);
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'verification-failed') return error.message;
    throw error;
  }
  throw new Error('was believed');
};

test('has the form of C2SP tlog-checkpoint and signed-note', () => {
  const lines = note.split('\n');
  expect(lines.slice(0, 4)).toEqual(['tredive/here', '42', Buffer.alloc(32, 7).toString('base64'), '']);
  expect(lines[4]).toMatch(/^— tredive\/here [A-Za-z0-9+/]+={0,2}$/);
  expect(note.endsWith('\n')).toBe(true);
  const blob = Buffer.from(lines[4]?.split(' ')[2] ?? '', 'base64');
  expect(blob).toHaveLength(68);
  expect(blob.subarray(0, 4)).toEqual(keyId('tredive/here', publicKey));
});

test('the key id is that of the signed-note specification, by its example', () => {
  // golang.org/x/mod/sumdb/note: "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
  const raw = Buffer.from('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'base64').subarray(1);
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') } });
  expect(rawPublicKey(key)).toEqual(raw);
  expect(keyId('PeterNeumann', key).toString('hex')).toBe('c74f20a3');
});

test('opens as what was signed', () => {
  expect(openCheckpoint(note, publicKey)).toEqual(checkpoint);
  const none = { ...checkpoint, size: 0 };
  expect(openCheckpoint(signCheckpoint(none, privateKey), publicKey)).toEqual(none);
});

describe('is not believed', () => {
  test('with another key', () => {
    expect(refusal(note, generateKeyPairSync('ed25519').publicKey)).toContain('another key');
  });

  test('with the right key id and a wrong signature', () => {
    const forged = Buffer.concat([keyId('tredive/here', publicKey), Buffer.alloc(64)]).toString('base64');
    expect(refusal(note.replace(/(— \S+ ).+\n$/, `$1${forged}\n`))).toContain('signature');
  });

  test.each([
    ['another size', note.replace('\n42\n', '\n43\n')],
    ['another origin', note.replaceAll('tredive/here', 'tredive/other')],
    ['another signer', note.replace('— tredive/here', '— tredive/other')],
    ['a size with a leading zero', note.replace('\n42\n', '\n042\n')],
    ['a negative size', note.replace('\n42\n', '\n-1\n')],
    ['a size too large to be exact', note.replace('\n42\n', '\n99999999999999999999\n')],
    ['no last newline', note.trimEnd()],
    ['more behind it', `${note}x\n`],
    ['Windows line ends', note.replaceAll('\n', '\r\n')],
    ['nothing', ''],
    ['two signatures', note + (note.split('\n')[4] ?? '') + '\n'],
  ])('%s', (_name, text) => {
    refusal(text);
  });

  test('hostile text, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          fc.array(fc.constantFrom('\n', '— ', 'a', '0', '=', ' ', '\0')).map((parts) => parts.join('')),
        ),
        (text) => {
          refusal(text);
        },
      ),
    );
    fc.assert(
      fc.property(fc.nat(note.length - 1), fc.string({ minLength: 1, maxLength: 3 }), (at, put) => {
        const text = note.slice(0, at) + put + note.slice(at + 1);
        if (text !== note) refusal(text);
      }),
    );
  });
});

test('a key that is no Ed25519 key is refused', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  expect(() => rawPublicKey(other.publicKey)).toThrow('not an Ed25519 key');
  expect(sign('sha256', Buffer.from('x'), other.privateKey).length).toBeGreaterThan(0);
});

test('one checkpoint has one text: the spare bits of base64 are not free', () => {
  const spoil = (text: string): string =>
    text.replace(/([A-Za-z0-9+/])(=+)$/, (_all, last: string, end: string) => {
      const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
      return `${letters[letters.indexOf(last) ^ 1] ?? ''}${end}`;
    });
  const lines = note.split('\n');
  for (const index of [2, 4]) {
    const other = lines.map((line, at) => (at === index ? spoil(line) : line)).join('\n');
    expect(other).not.toBe(note);
    expect(refusal(other)).toMatch(/not written the way it was signed/);
  }
});
