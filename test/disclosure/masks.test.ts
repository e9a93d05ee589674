/** Decisions on their way from a reviewer to the manifest: what is kept, hashed, reported and refused. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decideRequest } from '../../src/disclosure/decide.js';
import { setMasks } from '../../src/disclosure/masks.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { hashesOf, parseManifest } from '../../src/domain/manifest.js';
import type { KeepVisible, Track, Zone } from '../../src/domain/redaction-plan.js';
import { verifyPackage } from '../../src/evidence/verify.js';
import { eventsOf } from '../../src/store/audit-log.js';
import { getRequest, itemsOf } from '../../src/store/requests.js';
import {
  addCamera,
  addSegment,
  approved,
  makeWorld,
  noonUs,
  noTerms,
  quickRedactor,
  scopeFor,
  seconds,
} from '../helpers/disclosure.js';

const standing = (id: number, kind: Track['kind'], ...box: number[]): Track => ({
  id,
  kind,
  path: [0, ...box, 0.5, 0, 19, ...box, 0.5, 0],
  uncertain: [],
});
const tracks = [
  standing(1, 'person', 20, 20, 20, 40),
  standing(2, 'person', 30, 20, 20, 40),
  standing(3, 'motion', 100, 20, 10, 10),
];
const window: Zone = { name: 'window', kind: 'always-mask', x: 0.5, y: 0, w: 0.25, h: 0.5 };

test('who is kept visible, in which mode, goes through approval and manifest, and overlaps are told', async () => {
  const world = makeWorld({ redactor: quickRedactor({ tracks }) });
  const id = await approved(world);
  const decisions = {
    mode: 'whole-frame' as const,
    keepVisible: [{ trackId: 1, fromFrame: 5, toFrame: 9 }],
    drawn: [{ fromFrame: 0, toFrame: 9, box: { x: 0, y: 0, w: 8, h: 8 }, toBox: { x: 40, y: 0, w: 8, h: 8 } }],
  };
  const { request, overlaps } = await setMasks(world.ctx, world.lars, id, [{ position: 1, decisions }]);
  expect(request.state).toBe('prepared');
  const overlap = { keptId: 1, otherId: 2, fromFrame: 5, toFrame: 9, share: 0.5 };
  expect(overlaps).toEqual([{ position: 1, ...overlap }]);
  const [first, second] = itemsOf(world.store.db, id);
  expect(second?.decisions).toEqual(decisions);
  expect(second?.summary.overlaps).toEqual([overlap]);
  expect(first?.summary).toMatchObject({ overlaps: [], tracksByKind: { person: 2, vehicle: 0, motion: 1 } });
  const event = eventsOf(world.store.db, `request:${id}`).findLast(({ type }) => type === 'redaction.rendered');
  expect(event?.data).toMatchObject({ position: 1, mode: 'whole-frame', keptVisible: 1, drawn: 1, overlaps: 1 });

  reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true });
  decideRequest(world.ctx, world.lars, id, { approve: true, reason: 'needed', terms: noTerms });
  const { directory } = await packageRequest(world.ctx, world.sofie, id);
  expect((await verifyPackage(directory)).checks.filter((check) => !check.ok)).toEqual([]);
  const text = readFileSync(join(directory, 'manifest.json'), 'utf8');
  const manifest = parseManifest(text);
  expect(manifest.items[0]?.redacted.decisions).toEqual({ keepVisible: [], drawn: [] });
  expect(manifest.items[1]?.redacted.decisions).toEqual(decisions);
  expect(manifest.items[1]?.redacted.operations.join('\n')).toMatch(/whole picture but those kept visible/);
  // Another mode is another content, and the default is said in one way only.
  const other = parseManifest(text.replace('"mode":"whole-frame"', '"mode":"people"'));
  expect(hashesOf(other).contentHash).not.toBe(manifest.approval.contentHash);
  expect(() => parseManifest(text.replace('"mode":"whole-frame"', '"mode":"people-and-motion"'))).toThrow(/mode/);
});

test('the fixed zones of each camera are in its plan, and another zone is another content', async () => {
  const contentOf = async (zones: readonly Zone[]): Promise<string> => {
    const world = makeWorld({ zonesOf: (cameraId) => (cameraId === 'lobby' ? zones : []) });
    addCamera(world, 'lobby');
    addCamera(world, 'yard');
    addSegment(world, 'lobby', noonUs);
    addSegment(world, 'yard', noonUs + seconds(1));
    const { id } = createRequest(world.ctx, world.sofie, scopeFor({ cameraIds: ['lobby', 'yard'] })).request;
    await prepareRequest(world.ctx, world.sofie, id);
    const items = itemsOf(world.store.db, id);
    const plans = items.map(
      ({ planPath }) => JSON.parse(readFileSync(join(world.dataDir, planPath), 'utf8')) as { zones: unknown },
    );
    expect(plans.map((plan) => plan.zones)).toEqual([zones, []]);
    expect(items[0]?.summary.operations.join('\n')).toContain(`${zones.length} fixed zones`);
    return items[0]?.planSha256 ?? '';
  };
  const hashes = [await contentOf([]), await contentOf([window]), await contentOf([{ ...window, w: 0.3 }])];
  expect(new Set(hashes).size).toBe(3);
});

test('what another release prepared is not misread: prepare it again', async () => {
  const world = makeWorld();
  const id = await approved(world);
  const [item] = itemsOf(world.store.db, id);
  const path = join(world.dataDir, item?.planPath ?? '');
  const points = [{ frame: 0, box: { x: 1, y: 1, w: 10, h: 10 }, score: 0.5, source: 'detected' }];
  const plan = JSON.parse(readFileSync(path, 'utf8')) as object;
  const old = JSON.stringify({ ...plan, version: 1, tracks: [{ id: 1, kind: 'person', points, uncertain: [] }] });
  writeFileSync(path, old);
  world.store.db
    .prepare('UPDATE request_item SET plan_sha256 = ? WHERE request_id = ? AND position = 0')
    .run(createHash('sha256').update(old).digest('hex'), id);
  const change = [{ position: 0, decisions: { keepVisible: [{ trackId: 1 }], drawn: [] } }];
  await expect(setMasks(world.ctx, world.lars, id, change)).rejects.toMatchObject({
    code: 'conflict',
    remedy: 'Prepare the request again.',
  });
  expect(getRequest(world.store.db, id)).toMatchObject({ state: 'prepared', approvalHash: null });
  expect(getRequest(world.store.db, id).failure).toMatch(/another release.*Prepare the request again/);
  expect((await prepareRequest(world.ctx, world.lars, id)).failure).toBeNull();
  expect((await setMasks(world.ctx, world.lars, id, change)).request.state).toBe('prepared');
});

test('a milliard of entries is refused before anything begins', async () => {
  const world = makeWorld();
  const id = await approved(world);
  const decisions = { keepVisible: new Array<KeepVisible>(1_000_000_000), drawn: [] };
  await expect(setMasks(world.ctx, world.lars, id, [{ position: 0, decisions }])).rejects.toMatchObject({
    code: 'input-invalid',
    message: expect.stringMatching(/^Item 0: There are 1000000000 stretches/) as string,
  });
  expect(getRequest(world.store.db, id).state).toBe('approved');
});
