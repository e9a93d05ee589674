/** Viseron's fragments, from request to package: both files bit for bit, and a masked copy of what they are together. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decideRequest } from '../../src/disclosure/decide.js';
import { setMasks } from '../../src/disclosure/masks.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { parseManifest } from '../../src/domain/manifest.js';
import { verifyPackage } from '../../src/evidence/verify.js';
import * as realRedactor from '../../src/redaction/redact.js';
import { itemsOf } from '../../src/store/requests.js';
import { makeClip } from '../helpers/clip.js';
import {
  addCamera,
  addSegment,
  failing,
  filesBelow,
  makeWorld,
  noonUs,
  noTerms,
  scopeFor,
  seconds,
  type World,
} from '../helpers/disclosure.js';
import { tempFolder } from '../helpers/site.js';
import { ffmpeg, splitFragments } from '../recordings/make-media.js';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const frames = (path: string): string[] =>
  ffmpeg('-i', path, '-map', '0:v:0', '-f', 'framemd5', '-')
    .split('\n')
    .filter((line) => /^\d/.test(line));

/** A camera of Viseron's with one fragment of two seconds at noon. */
async function fragmentWorld(
  more: Parameters<typeof makeWorld>[0] = {},
): Promise<{ world: World; whole: Buffer; init: Buffer; fragment: Buffer; folder: string }> {
  const args = ['-g', '10', '-movflags', 'frag_keyframe+empty_moov+default_base_moof'];
  const clip = await makeClip(join(tempFolder(), 'whole.mp4'), { seconds: 2, fps: 10, size: '320x240', args });
  const whole = readFileSync(clip);
  const { init, fragments: fragment } = splitFragments(whole);
  const world = makeWorld(more);
  addCamera(world, 'lobby');
  const source = join(tempFolder(), 'fragment.m4s');
  writeFileSync(source, fragment);
  const { file } = addSegment(world, 'lobby', noonUs, { clip: source, name: `${noonUs / 1e6}.m4s` });
  const folder = join(file, '..');
  writeFileSync(join(folder, 'init.mp4'), init);
  return { world, whole, init, fragment, folder };
}

test(
  'a fragment is disclosed as it is, with the initialisation segment that makes it playable',
  { timeout: 300_000 },
  async () => {
    const { world, whole, init, fragment } = await fragmentWorld({ redactor: realRedactor });
    const { ctx, store, sofie, lars } = world;
    const { request } = createRequest(ctx, sofie, scopeFor({ endUs: noonUs + seconds(2) }));
    await prepareRequest(ctx, sofie, request.id);
    const [item] = itemsOf(store.db, request.id);
    expect(item).toMatchObject({ sha256: sha256(fragment), sizeBytes: fragment.length });
    expect(item?.summary).toMatchObject({
      frames: 20,
      initialisation: { recorderName: 'init.mp4', sha256: sha256(init), sizeBytes: init.length },
    });
    const name = `0000-lobby-${noonUs / 1e6}.m4s`;
    expect(filesBelow(world, `requests/${request.id}/originals`)).toEqual([name, `${name}.init.mp4`]);

    // Other masks are rendered from the same two files, and leave them there.
    await setMasks(ctx, lars, request.id, [
      {
        position: 0,
        decisions: { keepVisible: [], drawn: [{ fromFrame: 0, toFrame: 20, box: { x: 8, y: 8, w: 64, h: 64 } }] },
      },
    ]);
    expect(filesBelow(world, `requests/${request.id}/originals`)).toHaveLength(2);

    reviewRequest(ctx, lars, request.id, { uncertainSeen: true });
    decideRequest(ctx, lars, request.id, { approve: true, reason: 'needed', terms: noTerms });
    const { directory, archive } = await packageRequest(ctx, sofie, request.id);
    for (const path of [directory, archive]) expect(await verifyPackage(path)).toMatchObject({ ok: true });
    const manifest = parseManifest(readFileSync(join(directory, 'manifest.json'), 'utf8'));
    const original = manifest.items[0]?.original;
    expect(original).toMatchObject({
      path: `originals/${name}`,
      initialisation: { path: `originals/${name}.init.mp4`, sha256: sha256(init), recorderName: 'init.mp4' },
    });
    expect(readFileSync(join(directory, 'README.txt'), 'utf8')).toContain('.m4s.init.mp4');

    // What the recipient is told to do makes the very film that was recorded.
    const handed = [`${name}.init.mp4`, name].map((part) => readFileSync(join(directory, 'originals', part)));
    expect(Buffer.concat(handed).equals(whole)).toBe(true);
    const film = join(tempFolder(), 'film.mp4');
    writeFileSync(film, Buffer.concat(handed));
    expect(frames(film)).toHaveLength(20);
    expect(frames(join(directory, manifest.items[0]?.redacted.path ?? ''))).toHaveLength(20);

    writeFileSync(join(directory, 'originals', `${name}.init.mp4`), Buffer.concat([init, Buffer.from('x')]));
    expect(await failing(directory)).toContain('file-hashes');
  },
);

test('an initialisation segment that was changed after the review voids the approval', async () => {
  const { world } = await fragmentWorld();
  const { ctx, store, sofie, lars } = world;
  const { request } = createRequest(ctx, sofie, scopeFor({ endUs: noonUs + seconds(2) }));
  await prepareRequest(ctx, sofie, request.id);
  reviewRequest(ctx, lars, request.id, { uncertainSeen: true });
  decideRequest(ctx, lars, request.id, { approve: true, reason: 'needed', terms: noTerms });
  const [item] = itemsOf(store.db, request.id);
  writeFileSync(join(ctx.dataDir, item?.summary.initialisation?.path ?? ''), 'another');
  await expect(packageRequest(ctx, sofie, request.id)).rejects.toMatchObject({
    code: 'approval-void',
    message: expect.stringContaining('initialisation segment 0') as string,
  });
});

test.each([
  [
    'missing',
    (init: string) => {
      renameSync(init, `${init}.aside`);
    },
    'is not there',
  ],
  [
    'a link',
    (init: string) => {
      renameSync(init, `${init}.aside`);
      symlinkSync(`${init}.aside`, init);
    },
    'is not a file',
  ],
  [
    'empty',
    (init: string) => {
      writeFileSync(init, '');
    },
    'has 0 bytes',
  ],
  [
    'too large',
    (init: string) => {
      writeFileSync(init, Buffer.alloc(2 ** 20 + 1));
    },
    'has 1048577 bytes',
  ],
])('an initialisation segment that is %s: the request says so, and nothing is left', async (_, change, why) => {
  const { world, folder } = await fragmentWorld();
  change(join(folder, 'init.mp4'));
  const { ctx, sofie } = world;
  const { request } = createRequest(ctx, sofie, scopeFor({ endUs: noonUs + seconds(2) }));
  await expect(prepareRequest(ctx, sofie, request.id)).rejects.toMatchObject({
    code: 'media-unreadable',
    message: expect.stringContaining(why) as string,
  });
  expect(existsSync(join(ctx.dataDir, `requests/${request.id}`))).toBe(false);
});
