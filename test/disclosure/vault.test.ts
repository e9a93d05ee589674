/** What is handed over of a recording that the recorder has deleted, changed, or still has: the protected copy, and the manifest says so. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatUtc } from '../../src/domain/time.js';
import { coverageOf } from '../../src/disclosure/coverage.js';
import { decideRequest } from '../../src/disclosure/decide.js';
import { placeHold } from '../../src/disclosure/hold.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { parseManifest, type Manifest } from '../../src/domain/manifest.js';
import { verifyPackage } from '../../src/evidence/verify.js';
import { findFfmpeg } from '../../src/platform/ffmpeg.js';
import { stillAt } from '../../src/recordings/pictures/still.js';
import { protectHeld } from '../../src/retention/vault/protect.js';
import type { VaultContext } from '../../src/retention/vault/context.js';
import { itemsOf } from '../../src/store/requests.js';
import { markMissing } from '../../src/store/segments.js';
import { wholeCopyOf } from '../../src/store/vault-copies.js';
import {
  addCamera,
  addSegment,
  makeWorld,
  noonUs,
  noTerms,
  picturesOf,
  scopeFor,
  seconds,
  type World,
} from '../helpers/disclosure.js';
import { vaultOf } from '../helpers/vault.js';

const range = { startUs: noonUs, endUs: noonUs + seconds(2) };

const vaultIn = (world: World): VaultContext =>
  vaultOf({
    retention: {
      store: world.store,
      log: world.ctx.log,
      dataDir: world.dataDir,
      marginUs: 12 * 3_600_000_000,
      rootPath: () => world.root,
    },
  });

/** A request whose footage is protected. */
async function protectedRequest(): Promise<{
  world: World;
  id: string;
  segmentId: number;
  file: string;
  bytes: Buffer;
}> {
  const world = makeWorld();
  addCamera(world, 'lobby', { audioAllowed: true });
  const { id: segmentId, file } = addSegment(world, 'lobby', noonUs);
  addSegment(world, 'lobby', noonUs + seconds(60));
  world.store.db.prepare('UPDATE root SET identity = ?').run(String(statSync(world.root, { bigint: true }).ino));
  const { request } = createRequest(world.ctx, world.sofie, scopeFor(range));
  expect(await protectHeld(vaultIn(world))).toMatchObject({ copied: 1, waiting: 0, failed: [] });
  return { world, id: request.id, segmentId, file, bytes: readFileSync(file) };
}

async function manifestAfter(world: World, id: string): Promise<Manifest> {
  await prepareRequest(world.ctx, world.sofie, id);
  reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true });
  decideRequest(world.ctx, world.lars, id, { approve: true, reason: 'needed for the case', terms: noTerms });
  const { directory } = await packageRequest(world.ctx, world.sofie, id);
  expect((await verifyPackage(directory, {})).checks.filter((check) => !check.ok)).toEqual([]);
  return parseManifest(readFileSync(join(directory, 'manifest.json'), 'utf8'));
}

describe('D6 what is disclosed comes from the vault', () => {
  test.each([
    ['still has it', () => undefined],
    [
      'deleted it',
      (file: string) => {
        unlinkSync(file);
      },
    ],
    [
      'rewrote it in place',
      (file: string) => {
        writeFileSync(file, Buffer.alloc(statSync(file).size, 7));
      },
    ],
  ])('where the recorder %s: the very bytes, and the manifest says from where', async (_what, act) => {
    const { world, id, segmentId, file, bytes } = await protectedRequest();
    act(file);
    if (!existsSync(file)) {
      world.store.act('gateway', (note) => {
        markMissing(world.store.db, segmentId, world.clock.nowUs());
        note('recordings.missing', 'root:nvr', {});
      });
    }
    const [lobby] = coverageOf(world.ctx, ['lobby'], range).cameras;
    expect(lobby?.segments).toMatchObject([
      { id: segmentId, part: 'primary', state: existsSync(file) ? 'indexed' : 'vaulted' },
    ]);
    const manifest = await manifestAfter(world, id);
    const copy = wholeCopyOf(world.store.db, segmentId);
    expect(manifest.items.map(({ original }) => original)).toMatchObject([
      { sha256: copy?.sha256, protectedCopy: { method: 'copy', copied: { us: copy?.copiedUs } } },
    ]);
    const [item] = itemsOf(world.store.db, id);
    expect(readFileSync(join(world.dataDir, item?.originalPath ?? '')).equals(bytes)).toBe(true);
  });

  test('a damaged copy is not handed over: the recording itself is, where it is still the same', async () => {
    const { world, id, segmentId, bytes } = await protectedRequest();
    const copy = wholeCopyOf(world.store.db, segmentId);
    writeFileSync(join(world.dataDir, copy?.path ?? '', copy?.fileName ?? ''), 'damaged');
    const manifest = await manifestAfter(world, id);
    expect(manifest.items[0]?.original).toMatchObject({ sha256: copy?.sha256 });
    expect(manifest.items[0]?.original).not.toHaveProperty('protectedCopy');
    const [item] = itemsOf(world.store.db, id);
    expect(readFileSync(join(world.dataDir, item?.originalPath ?? '')).equals(bytes)).toBe(true);
    expect(wholeCopyOf(world.store.db, segmentId)?.damagedUs).toBe(world.clock.nowUs());
  });

  test('a damaged copy of what the recorder deleted fails, and says so', async () => {
    const { world, id, segmentId, file } = await protectedRequest();
    const copy = wholeCopyOf(world.store.db, segmentId);
    writeFileSync(join(world.dataDir, copy?.path ?? '', copy?.fileName ?? ''), 'damaged');
    unlinkSync(file);
    await expect(prepareRequest(world.ctx, world.sofie, id)).rejects.toMatchObject({ code: 'verification-failed' });
  });

  test('a hold can be placed on what only the vault has, and not on what nobody has', async () => {
    const { world, segmentId, file } = await protectedRequest();
    unlinkSync(file);
    world.store.act('gateway', (note) => {
      markMissing(world.store.db, segmentId, world.clock.nowUs());
      note('recordings.missing', 'root:nvr', {});
    });
    const hold = (at: typeof range) =>
      placeHold(world.ctx, world.lars, {
        ...at,
        facts: { ground: 'reported-offence', journalNumber: '0100-1', reportedOn: formatUtc(at.startUs).slice(0, 10) },
        reason: 'theft',
        wideReason: null,
        cameraIds: ['lobby'],
        reviewUs: world.clock.nowUs() + seconds(86_400),
      });
    expect(hold(range)).toMatchObject({ segments: 1 });
    world.store.db.prepare("UPDATE vault_copy SET state = 'removing'").run();
    expect(() => hold(range)).toThrow(expect.objectContaining({ code: 'footage-gone' }));
  });
});

describe('D6 looked at from the vault', () => {
  test('a still of what the recorder deleted shows what it recorded', async () => {
    const world = makeWorld();
    addCamera(world, 'lobby');
    const made = join(world.dataDir, 'made.mp4');
    const scene = ['-f', 'lavfi', '-i', 'testsrc=s=160x120:r=10:d=2', '-pix_fmt', 'yuv420p'];
    execFileSync((await findFfmpeg()).path, ['-v', 'error', ...scene, made]);
    const { id, file } = addSegment(world, 'lobby', noonUs, { clip: made });
    addSegment(world, 'lobby', noonUs + seconds(60));
    world.store.db.prepare('UPDATE root SET identity = ?').run(String(statSync(world.root, { bigint: true }).ino));
    createRequest(world.ctx, world.sofie, scopeFor(range));
    await protectHeld(vaultIn(world));
    const look = { actor: 'user:u', purpose: 'incident' } as const;
    const ask = { cameraId: 'lobby', atUs: noonUs + seconds(1), maxWidth: 160 };
    const before = await stillAt(picturesOf(world, { keepUs: 0 }), look, ask);
    unlinkSync(file);
    const after = await stillAt(picturesOf(world, { keepUs: 0 }), look, ask);
    expect(after.segmentId).toBe(id);
    expect(after.jpeg.equals(before.jpeg)).toBe(true);
  });
});
