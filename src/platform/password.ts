/** Passwords as argon2id hashes in the PHC text form, so that the cost can be raised later without touching old ones. */
import { hash, verify } from '@node-rs/argon2';
import { GatewayError } from '../errors.js';

/** RFC 9106, second recommendation, with one lane: about a tenth of a second on a small server. */
const cost = { memoryCost: 65_536, timeCost: 3, parallelism: 1 } as const;

const minPasswordLength = 12;
/** Hashing takes time with length: a login must not be a way to keep the server busy. */
export const maxPasswordLength = 256;

/** Throws `input-invalid` for a password that is too short, too long, or one character repeated. */
export async function hashPassword(password: string): Promise<string> {
  const { length } = password;
  if (length < minPasswordLength || length > maxPasswordLength || new Set(password).size < 4) {
    throw new GatewayError('input-invalid', 'The password is too short, too long or too plain.', {
      remedy: `Use ${minPasswordLength} to ${maxPasswordLength} characters, at least four different ones. Several words are good.`,
    });
  }
  return hash(password.normalize('NFC'), cost);
}

/** Hostile input. A hash that cannot be read is `false` like a wrong password: neither lets anybody in. */
export async function passwordMatches(passwordHash: string, password: string): Promise<boolean> {
  if (password.length > maxPasswordLength * 2) return false;
  try {
    return await verify(passwordHash, password.normalize('NFC'));
  } catch {
    // Only a malformed hash throws here; `check` and `doctor` are the places to say so, not a login page.
    return false;
  }
}
