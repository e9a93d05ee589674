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
    cameras: manifest.cameras.map(({ leftOut, ...camera }) => ({
      ...camera,
      ...(leftOut && { leftOut: leftOut.map(({ recorderName: _, ...one }) => one) }),
    })),
    items: manifest.items.map(({ original, redacted, ...item }) => {
      const { path: _path, recorderName: _name, initialisation, ...ofOriginal } = original;
      const { path: _copy, decisions: _decisions, ...ofCopy } = redacted;
      return {
        ...item,
        original: {
          ...ofOriginal,
          ...(initialisation && {
            initialisation: { sha256: initialisation.sha256, sizeBytes: initialisation.sizeBytes },
          }),
        },
        redacted: ofCopy,
      };
    }),
  };
  return canonicalJson({
    format: 'tredive-package-record',
    version: 1,
    manifestSha256: createHash('sha256').update(manifestJson).digest('hex'),
    // Through JSON: what is left out of an object is not there in its canonical form either.
    manifest: JSON.parse(JSON.stringify(kept)) as Json,
  });
}
