/** The whole story on real clips with the real detector, ffmpeg, database and disk. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cleanUpAfterCrash } from '../../src/disclosure/recovery.js';
import { closeRequest, expirePackages } from '../../src/disclosure/close.js';
import { decideRequest } from '../../src/disclosure/decide.js';
import { setMasks } from '../../src/disclosure/masks.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { parseManifest } from '../../src/domain/manifest.js';
import { fingerprint, publicPem } from '../../src/evidence/signature.js';
import { verifyPackage } from '../../src/evidence/verify.js';
import { verifyAuditLog } from '../../src/audit/verify.js';
import { eventsOf, readCheckpoints, readEntries, readFrontier } from '../../src/store/audit-log.js';
import { derivedOfRequest } from '../../src/store/derived-files.js';
import { holdOfRequest } from '../../src/store/holds.js';
import { getRequest, itemsOf } from '../../src/store/requests.js';
import * as realRedactor from '../../src/redaction/redact.js';
import { makeClip } from '../helpers/clip.js';
import { addCamera, addSegment, filesBelow, makeWorld, noonUs, scopeFor, seconds } from '../helpers/disclosure.js';
import { tempFolder } from '../helpers/site.js';

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

test('from request to receipt, with real clips and the real detector', { timeout: 300_000 }, async () => {
  const clips = tempFolder();
  const quiet = await makeClip(join(clips, 'quiet.mp4'), { seconds: 2, fps: 10, size: '320x240' });
  const loud = await makeClip(join(clips, 'loud.mp4'), { seconds: 2, fps: 10, size: '320x240', audio: true });
  const world = makeWorld({ redactor: realRedactor });
  const { ctx } = world;
  addCamera(world, 'lobby');
  addCamera(world, 'yard');
  const first = addSegment(world, 'lobby', noonUs, { clip: quiet, name: '12.00.00 lobby.mp4' });
  addSegment(world, 'yard', noonUs + seconds(1), { clip: loud, hasAudio: true });

  const scope = scopeFor({ cameraIds: ['lobby', 'yard'], startUs: noonUs + seconds(1), endUs: noonUs + seconds(4) });
  const { request } = createRequest(ctx, world.sofie, scope);
  const progress: number[] = [];
  const prepared = await prepareRequest(ctx, world.sofie, request.id, {
    onProgress: ({ framesDone }) => progress.push(framesDone),
  });
  expect(prepared).toMatchObject({ state: 'prepared', workerLeaseUs: null, failure: null });
  expect(progress.length).toBeGreaterThan(0);

  const items = itemsOf(world.store.db, request.id);
  expect(items.map((item) => item.cameraId)).toEqual(['lobby', 'yard']);
  expect(items[0]?.sha256).toBe(sha256(first.file));
  // Half of the first recording lies in the range, all of the second.
  expect(items.map((item) => [item.summary.firstFrame, item.summary.endFrame])).toEqual([
    [10, 20],
    [0, 20],
  ]);
  for (const item of items) {
    expect(item.redactedPath).toContain('/REDACTED-COPY_');
    expect(sha256(join(ctx.dataDir, item.redactedPath))).toBe(item.redactedSha256);
    expect(sha256(join(ctx.dataDir, item.planPath))).toBe(item.planSha256);
  }

  // A box drawn by legal makes another copy under another name; the old one goes.
  const masked = await setMasks(ctx, world.lars, request.id, [
    {
      position: 0,
      decisions: { keepVisible: [], drawn: [{ fromFrame: 10, toFrame: 20, box: { x: 8, y: 8, w: 64, h: 64 } }] },
    },
  ]);
  expect(masked.request.state).toBe('prepared');
  const again = itemsOf(world.store.db, request.id);
  expect(again[0]?.redactedSha256).not.toBe(items[0]?.redactedSha256);
  expect(again[1]).toEqual(items[1]);
  expect(existsSync(join(ctx.dataDir, items[0]?.redactedPath ?? ''))).toBe(false);

  expect(() => reviewRequest(ctx, world.sofie, request.id, { uncertainSeen: true })).toThrow(/role legal/);
  reviewRequest(ctx, world.lars, request.id, { uncertainSeen: true });
  const decide = (audioReason: string | null): unknown =>
    decideRequest(ctx, world.lars, request.id, {
      approve: true,
      reason: 'the police investigate a theft',
      terms: { audioReason, redactedOnlyReason: null },
    });
  expect(() => decide(' ')).toThrow(expect.objectContaining({ code: 'input-invalid', details: { cameras: ['yard'] } }));
  decide('the threat was spoken');

  const made = await packageRequest(ctx, world.sofie, request.id);
  expect(made.request.state).toBe('packaged');
  for (const path of [made.directory, made.archive]) {
    const report = await verifyPackage(path, { publicKeyPem: publicPem(ctx.packageKey) });
    expect(report.checks.filter((check) => !check.ok)).toEqual([]);
    expect(report.ok).toBe(true);
  }
  expect(
    sha256(join(made.directory, 'originals', filesBelow(world, `packages/${request.id}/originals`)[0] ?? '')),
  ).toBe(sha256(first.file));

  const manifest = parseManifest(readFileSync(join(made.directory, 'manifest.json'), 'utf8'));
  expect(manifest.request.range.start).toEqual({
    us: noonUs + seconds(1),
    utc: '2026-05-31T10:00:01Z',
    local: '2026-05-31T12:00:01+02:00',
  });
  expect(manifest.cameras.map(({ disclosed, gaps }) => [disclosed?.start.us, disclosed?.end.us, gaps.length])).toEqual([
    [noonUs, noonUs + seconds(2), 1],
    [noonUs + seconds(1), noonUs + seconds(3), 1],
  ]);
  expect(manifest.items[0]?.original.recorderName).toBe('12.00.00 lobby.mp4');
  expect(manifest.items[0]?.redacted.decisions.drawn).toHaveLength(1);
  expect(manifest.items[0]?.redacted.detector.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(manifest.people).toEqual({
    requestedBy: { id: 'u-sofie', role: 'security' },
    reviewedBy: { id: 'u-lars', role: 'legal' },
    decidedBy: { id: 'u-lars', role: 'legal' },
    packagedBy: { id: 'u-sofie', role: 'security' },
  });
  const text = readFileSync(join(made.directory, 'README.txt'), 'utf8');
  expect(text).toContain(fingerprint(ctx.packageKey));
  expect(readFileSync(join(made.directory, 'manifest.json'), 'utf8')).not.toContain('name of');

  // A week later the gateway's copies go, and with them the hold; the manifest and the hashes stay.
  expect(await expirePackages(ctx)).toBe(0);
  world.clock.us += 7 * 86_400_000_000;
  expect(await expirePackages(ctx)).toBe(1);
  expect(getRequest(world.store.db, request.id)).toMatchObject({ state: 'closed', closedUs: world.clock.us });
  expect(filesBelow(world, 'packages')).toEqual([]);
  expect(filesBelow(world, 'requests')).toEqual([]);
  expect(filesBelow(world, 'records')).toEqual([`${request.id}.json`]);
  expect(derivedOfRequest(world.store.db, request.id)).toEqual([]);
  expect(holdOfRequest(world.store.db, request.id)?.liftedUs).toBe(world.clock.us);
  expect(existsSync(first.file)).toBe(true);
  expect(eventsOf(world.store.db, `request:${request.id}`).map((event) => event.type)).toEqual([
    'request.created',
    'request.preparation-started',
    'redaction.rendered',
    'redaction.rendered',
    'request.prepared',
    'request.preparation-started',
    'redaction.rendered',
    'request.prepared',
    'derived.removed',
    'request.reviewed',
    'request.approved',
    'request.packaged',
    'derived.removed',
    'request.closed',
  ]);
  await cleanUpAfterCrash(ctx);
  await expect(closeRequest(ctx, world.sofie, request.id, 'received')).rejects.toMatchObject({ code: 'conflict' });
  const audit = verifyAuditLog(
    {
      entries: readEntries(world.store.db),
      checkpoints: readCheckpoints(world.store.db),
      anchors: [],
      frontierSize: readFrontier(world.store.db).size,
    },
    world.publicKey,
  );
  expect(audit).toMatchObject({ ok: true, problems: [] });
});
