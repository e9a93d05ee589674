/** What the gateway keeps of a package that is gone: its manifest without what tells of the footage. */
import { createHash } from 'node:crypto';
import { canonicalJson, type Json } from '../domain/canonical-json.js';
import { parseManifest } from '../domain/manifest.js';

/**
 * The record of a package, as canonical JSON: everything of its manifest but the names that recorders gave, the names in the
 * package, and who was masked where. Its own signature is that of the whole manifest, which the recipient has: `manifestSha256`
 * says which one that is, here and in the log. Throws `input-invalid` for what is no manifest.
 */
export function recordOf(manifestJson: string): string {
  const manifest = parseManifest(manifestJson);
  const kept = {
    ...manifest,
    cameras: manifest.cameras.map((camera) => ({
      ...camera,
      leftOut: camera.leftOut?.map((one) => without(one, 'recorderName')),
    })),
    items: manifest.items.map((item) => ({
      ...item,
      original: {
        ...without(item.original, 'path', 'recorderName'),
        initialisation: item.original.initialisation && without(item.original.initialisation, 'path', 'recorderName'),
      },
      redacted: without(item.redacted, 'path', 'decisions'),
    })),
  };
  return canonicalJson({
    format: 'tredive-package-record',
    version: 1,
    manifestSha256: createHash('sha256').update(manifestJson).digest('hex'),
    // Through JSON: what is left out of an object is not there in its canonical form either.
    manifest: JSON.parse(JSON.stringify(kept)) as Json,
  });
}

function without<T extends object, K extends keyof T & string>(of: T, ...keys: readonly K[]): Omit<T, K> {
  const left = Object.entries(of).filter(([key]) => !(keys as readonly string[]).includes(key));
  return Object.fromEntries(left) as unknown as Omit<T, K>;
}
