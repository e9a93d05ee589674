/** Secrets that the gateway makes for itself, each a line of text that only its user can read. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readTextIfThere, writeDurably } from './durable-file.js';

/** The secret `name` below the data folder, made where there is none: 48 random bytes in base64url. */
export async function readOrMakeSecret(dataDir: string, name: string): Promise<string> {
  const path = join(dataDir, 'keys', name);
  const known = (await readTextIfThere(path))?.trim();
  if (known !== undefined && known.length >= 32) return known;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const made = randomBytes(48).toString('base64url');
  await writeDurably(path, made, 0o600);
  return made;
}
