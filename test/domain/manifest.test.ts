import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, type Json } from '../../src/domain/canonical-json.js';
import { encodeManifest, hashesOf, parseManifest } from '../../src/domain/manifest.js';
import { GatewayError } from '../../src/errors.js';
import { makeWorld, packaged } from '../helpers/disclosure.js';

let cached: string | undefined;
async function manifestText(): Promise<string> {
  cached ??= await (async () => {
    const { directory } = await packaged(makeWorld());
    return readFileSync(join(directory, 'manifest.json'), 'utf8');
  })();
  return cached;
}

/** Gives the manifest, or the code of the error; anything else thrown fails the test. */
function outcome(json: string): string {
  try {
    parseManifest(json);
    return 'ok';
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return error.code;
  }
}

test('a manifest of ours reads, writes the same bytes, and carries the hashes of its own approval', async () => {
  const text = await manifestText();
  const manifest = parseManifest(text);
  expect(encodeManifest(manifest)).toBe(text);
  expect(hashesOf(manifest)).toEqual({
    scopeHash: manifest.approval.scopeHash,
    contentHash: manifest.approval.contentHash,
  });
});

test('any text and any JSON ends in ok or verification-failed', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(outcome(text)).toBe('verification-failed');
    }),
    { numRuns: 500 },
  );
});

/** Every place in a value, as a path of keys. */
function* places(value: unknown, path: (string | number)[] = []): Generator<(string | number)[]> {
  yield path;
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    yield* places((value as Record<string, unknown>)[key], [...path, Array.isArray(value) ? Number(key) : key]);
  }
}

function put(value: unknown, path: readonly (string | number)[], change: (parent: never, key: never) => void): void {
  let parent = value as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) parent = parent[key] as Record<string | number, unknown>;
  change(parent as never, path.at(-1) as never);
}

test('whatever stands in any place, reading never ends in anything but a coded error', async () => {
  const text = await manifestText();
  const all = [...places(JSON.parse(text))].filter((path) => path.length > 0);
  fc.assert(
    fc.property(fc.constantFrom(...all), fc.jsonValue(), (path, value) => {
      const changed = JSON.parse(text) as Json;
      put(changed, path, (parent: Record<string, unknown>, key: string) => {
        parent[key] = value;
      });
      expect(['ok', 'verification-failed']).toContain(outcome(canonicalJson(changed)));
    }),
    { numRuns: 3000 },
  );
});

test('every key is needed, and no other is taken', async () => {
  const text = await manifestText();
  const all = [...places(JSON.parse(text))];
  /** What packages of older releases do not say. */
  const later = /^cameras\.\d+\.(?:clockReference|clockNearFootage|recorderClockNearFootage)$/;
  for (const path of all) {
    if (typeof path.at(-1) === 'string' && !later.test(path.join('.'))) {
      const without = JSON.parse(text) as Json;
      put(without, path, (parent: Record<string, unknown>, key: string) => {
        Reflect.deleteProperty(parent, key);
      });
      expect(outcome(canonicalJson(without)), `without ${path.join('.')}`).toBe('verification-failed');
    }
    const more = JSON.parse(text) as Json;
    let at: unknown = more;
    for (const key of path) at = (at as Record<string | number, unknown>)[key];
    if (typeof at !== 'object' || at === null || Array.isArray(at)) continue;
    (at as Record<string, unknown>)['more'] = 1;
    expect(outcome(canonicalJson(more)), `more in ${path.join('.')}`).toBe('verification-failed');
  }
});

const changes: [string, (manifest: never) => void][] = [
  ['a gap left out', (manifest: { cameras: { gaps: unknown[] }[] }) => manifest.cameras[0]?.gaps.pop()],
  [
    'a local time that is another',
    (manifest: { created: { local: string } }) => (manifest.created.local = '2026-06-01T14:00:01+02:00'),
  ],
  ['no recording', (manifest: { items: unknown[] }) => (manifest.items = [])],
  [
    'a copy of another original',
    (manifest: { items: { redacted: { derivedFromSha256: string } }[] }) => {
      for (const item of manifest.items) item.redacted.derivedFromSha256 = '0'.repeat(64);
    },
  ],
  [
    'an original kept back without a reason',
    (manifest: { items: { original: { path: null } }[] }) => {
      for (const item of manifest.items) item.original.path = null;
    },
  ],
  [
    'a path out of the package',
    (manifest: { items: { original: { path: string } }[] }) => {
      for (const item of manifest.items) item.original.path = 'originals/../../x';
    },
  ],
  [
    'one file under two names',
    (manifest: { items: { original: { path: string } }[] }) => {
      for (const item of manifest.items) item.original.path = 'originals/same.mp4';
    },
  ],
  [
    'sound that nobody allowed',
    (manifest: { cameras: { audioAllowed: boolean }[]; items: { original: { hasAudio: boolean } }[] }) => {
      for (const camera of manifest.cameras) camera.audioAllowed = false;
      for (const item of manifest.items) item.original.hasAudio = true;
    },
  ],
  ['an unknown time zone', (manifest: { site: { timezone: string } }) => (manifest.site.timezone = 'Mars/Olympus')],
];

test.each(changes)('%s is found', async (_what, change) => {
  const manifest = JSON.parse(await manifestText()) as Json;
  change(manifest as never);
  expect(outcome(canonicalJson(manifest))).toBe('verification-failed');
});
