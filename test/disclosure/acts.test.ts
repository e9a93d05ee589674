import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { closeRequest } from '../../src/disclosure/close.js';
import type { Redactor } from '../../src/disclosure/context.js';
import { decideRequest } from '../../src/disclosure/decide.js';
import { setMasks } from '../../src/disclosure/masks.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { parseManifest } from '../../src/domain/manifest.js';
import { GatewayError } from '../../src/errors.js';
import { verifyPackage } from '../../src/evidence/verify.js';
import { countEvents, eventsOf } from '../../src/store/audit-log.js';
import { putCamera, getCamera } from '../../src/store/cameras.js';
import { derivedOfRequest } from '../../src/store/derived-files.js';
import { holdOfRequest } from '../../src/store/holds.js';
import { getRequest, itemsOf } from '../../src/store/requests.js';
import {
  addCamera,
  addSegment,
  approved,
  filesBelow,
  makeWorld,
  noonUs,
  noTerms,
  quickRedactor,
  scopeFor,
  seconds,
  type World,
} from '../helpers/disclosure.js';

const approve = { approve: true, reason: 'needed', terms: noTerms };
const types = (world: World, id: string): string[] =>
  eventsOf(world.store.db, `request:${id}`).map((event) => event.type);

function requested(world: World, more: { hasAudio?: boolean; by?: 'sofie' | 'both' } = {}): string {
  addCamera(world, 'lobby');
  addSegment(world, 'lobby', noonUs, { hasAudio: more.hasAudio ?? false });
  return createRequest(world.ctx, world[more.by ?? 'sofie'], scopeFor()).request.id;
}

describe('two people', () => {
  test('who asked may neither review nor decide, with every role there is', async () => {
    const world = makeWorld();
    const id = requested(world, { by: 'both' });
    await prepareRequest(world.ctx, world.both, id);
    expect(() => reviewRequest(world.ctx, world.both, id, { uncertainSeen: true })).toThrow(
      expect.objectContaining({ code: 'same-person' }),
    );
    reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true });
    for (const decision of [approve, { ...approve, approve: false }]) {
      expect(() => decideRequest(world.ctx, world.both, id, decision)).toThrow(
        expect.objectContaining({ code: 'same-person' }),
      );
    }
    expect(getRequest(world.store.db, id)).toMatchObject({ state: 'reviewed', decidedBy: null });
  });

  test('the database itself refuses it too', () => {
    const world = makeWorld();
    const id = requested(world, { by: 'both' });
    for (const column of ['reviewed_by', 'decided_by']) {
      expect(() =>
        world.store.db.prepare(`UPDATE disclosure_request SET ${column} = 'u-both' WHERE id = ?`).run(id),
      ).toThrow(/CHECK/);
    }
  });

  test('the wrong role is refused everywhere, and nothing is logged as done', async () => {
    const world = makeWorld();
    const id = requested(world);
    await expect(prepareRequest(world.ctx, world.ida, id)).rejects.toMatchObject({ code: 'forbidden' });
    await prepareRequest(world.ctx, world.sofie, id);
    const before = countEvents(world.store.db);
    expect(() => reviewRequest(world.ctx, world.sofie, id, { uncertainSeen: true })).toThrow(/role legal/);
    expect(() => decideRequest(world.ctx, world.sofie, id, approve)).toThrow(/role legal/);
    await expect(setMasks(world.ctx, world.sofie, id, [])).rejects.toMatchObject({ code: 'forbidden' });
    await expect(packageRequest(world.ctx, world.ida, id)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(closeRequest(world.ctx, world.ida, id, 'withdrawn')).rejects.toMatchObject({ code: 'forbidden' });
    expect(countEvents(world.store.db)).toBe(before);
  });
});

describe('review and decision', () => {
  test('uncertain spans must have been looked at', async () => {
    const world = makeWorld({ redactor: quickRedactor({ uncertain: true }) });
    const id = requested(world);
    await prepareRequest(world.ctx, world.sofie, id);
    expect(itemsOf(world.store.db, id)[0]?.summary.uncertainSpans).toBe(1);
    expect(() => reviewRequest(world.ctx, world.lars, id, { uncertainSeen: false })).toThrow(
      expect.objectContaining({ code: 'input-invalid' }),
    );
    expect(reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true }).state).toBe('reviewed');
  });

  test('nothing is decided that was not reviewed, nothing packaged that was not approved', async () => {
    const world = makeWorld();
    const id = requested(world);
    const conflict = expect.objectContaining({ code: 'conflict' }) as Error;
    expect(() => reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true })).toThrow(conflict);
    await prepareRequest(world.ctx, world.sofie, id);
    expect(() => decideRequest(world.ctx, world.lars, id, approve)).toThrow(conflict);
    await expect(packageRequest(world.ctx, world.sofie, id)).rejects.toMatchObject({ code: 'conflict' });
    reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true });
    await expect(packageRequest(world.ctx, world.sofie, id)).rejects.toMatchObject({ code: 'conflict' });
    expect(derivedOfRequest(world.store.db, id).some((file) => file.path.startsWith('packages/'))).toBe(false);
  });

  test('rule 11, A10 originals with sound need a reason, or stay behind with one', async () => {
    const world = makeWorld();
    const id = requested(world, { hasAudio: true });
    await prepareRequest(world.ctx, world.sofie, id);
    reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true });
    expect(() => decideRequest(world.ctx, world.lars, id, approve)).toThrow(/sound/);
    decideRequest(world.ctx, world.lars, id, {
      ...approve,
      terms: { audioReason: null, redactedOnlyReason: 'the recipient needs no more' },
    });
    const { directory } = await packageRequest(world.ctx, world.sofie, id);
    expect(filesBelow(world, `packages/${id}/originals`)).toEqual([]);
    expect((await verifyPackage(directory)).ok).toBe(true);
    const manifest = parseManifest(readFileSync(join(directory, 'manifest.json'), 'utf8'));
    expect(manifest.items[0]?.original).toMatchObject({ path: null, hasAudio: true });
    expect(manifest.approval.terms.redactedOnlyReason).toBe('the recipient needs no more');
  });

  test('A10 a camera whose sound is allowed needs no reason', async () => {
    const world = makeWorld();
    const id = requested(world, { hasAudio: true });
    world.store.act('operator', (note) => {
      const camera = getCamera(world.store.db, 'lobby');
      const facts = { ...camera.facts, audioBasis: 'works agreement, threats', audioApprovedBy: 'user:u-lars' };
      putCamera(world.store.db, { ...camera, audioAllowed: true, facts });
      note('camera.changed', 'camera:lobby', {});
    });
    await prepareRequest(world.ctx, world.sofie, id);
    reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true });
    decideRequest(world.ctx, world.lars, id, approve);
    const { directory } = await packageRequest(world.ctx, world.sofie, id);
    expect((await verifyPackage(directory)).checks.filter((check) => !check.ok)).toEqual([]);
  });

  test('a refusal has a reason, lifts the hold and leaves no copy', async () => {
    const world = makeWorld();
    const id = requested(world);
    await prepareRequest(world.ctx, world.sofie, id);
    expect(filesBelow(world, 'requests').length).toBe(3);
    const refuse = { approve: false, reason: '  ', terms: noTerms };
    expect(() => decideRequest(world.ctx, world.lars, id, refuse)).toThrow(/reason/);
    const row = decideRequest(world.ctx, world.lars, id, { ...refuse, reason: 'no ground in § 4 c' });
    expect(row).toMatchObject({ state: 'refused', decisionReason: 'no ground in § 4 c', decidedBy: 'u-lars' });
    expect(filesBelow(world, 'requests')).toEqual([]);
    expect(derivedOfRequest(world.store.db, id)).toEqual([]);
    expect(holdOfRequest(world.store.db, id)?.liftedUs).toBe(world.clock.nowUs());
    expect(types(world, id).slice(-2)).toEqual(['request.refused', 'derived.removed']);
  });

  test('what the database holds was changed behind the review: the decision notices', async () => {
    const world = makeWorld();
    const id = requested(world);
    await prepareRequest(world.ctx, world.sofie, id);
    reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true });
    world.store.db.prepare(`UPDATE request_item SET redacted_sha256 = ? WHERE request_id = ?`).run('0'.repeat(64), id);
    expect(() => decideRequest(world.ctx, world.lars, id, approve)).toThrow(
      expect.objectContaining({ code: 'approval-void' }),
    );
  });
});

describe('an approval is void as soon as anything differs', () => {
  const targets: [string, (world: World, id: string) => string, string][] = [
    ['original', (world, id) => itemsOf(world.store.db, id)[1]?.originalPath ?? '', 'original 1'],
    ['plan', (world, id) => itemsOf(world.store.db, id)[0]?.planPath ?? '', 'plan 0'],
    ['masked copy', (world, id) => itemsOf(world.store.db, id)[0]?.redactedPath ?? '', 'masked copy 0'],
  ];
  test.each(targets)('%s changed on disk', async (_what, pathOf, named) => {
    const world = makeWorld();
    const id = await approved(world);
    const path = join(world.dataDir, pathOf(world, id));
    writeFileSync(path, readFileSync(path, 'utf8').replace('{', '[').replace('footage', 'f00tage'));
    await expect(packageRequest(world.ctx, world.sofie, id)).rejects.toMatchObject({
      code: 'approval-void',
      details: { changed: [named] },
    });
    expect(getRequest(world.store.db, id)).toMatchObject({
      state: 'prepared',
      approvalHash: null,
      reviewedBy: null,
      decidedBy: null,
      workerLeaseUs: null,
    });
    expect(types(world, id).at(-1)).toBe('request.approval-voided');
    expect(filesBelow(world, 'packages')).toEqual([]);
    expect(derivedOfRequest(world.store.db, id).some((file) => file.path.startsWith('packages/'))).toBe(false);
    // What was prepared is not there any more: no review goes on from it, only preparing anew.
    expect(() => reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true })).toThrow(/cannot be reviewed/);
    await prepareRequest(world.ctx, world.sofie, id);
    reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true });
    decideRequest(world.ctx, world.lars, id, approve);
    expect((await packageRequest(world.ctx, world.sofie, id)).request.state).toBe('packaged');
  });

  test('a file is missing', async () => {
    const world = makeWorld();
    const id = await approved(world);
    rmSync(join(world.dataDir, itemsOf(world.store.db, id)[0]?.originalPath ?? ''));
    await expect(packageRequest(world.ctx, world.sofie, id)).rejects.toMatchObject({ code: 'approval-void' });
  });

  test.each([
    ['recipient', `UPDATE disclosure_request SET recipient_name = 'the shop next door' WHERE id = ?`],
    ['range', 'UPDATE disclosure_request SET end_us = end_us + 1 WHERE id = ?'],
    ['terms', `UPDATE disclosure_request SET audio_reason = 'why not' WHERE id = ?`],
    [
      'decisions',
      `UPDATE request_item SET decisions = '{"keepVisible":[{"trackId":1}],"drawn":[]}' WHERE request_id = ?`,
    ],
  ])('%s changed in the database', async (_what, sql) => {
    const world = makeWorld();
    const id = await approved(world);
    world.store.db.prepare(sql).run(id);
    await expect(packageRequest(world.ctx, world.sofie, id)).rejects.toMatchObject({ code: 'approval-void' });
    expect(getRequest(world.store.db, id)).toMatchObject({ state: 'prepared', approvalHash: null });
  });

  test('masks changed after the approval', async () => {
    const world = makeWorld();
    const id = await approved(world);
    const { request } = await setMasks(world.ctx, world.lars, id, [
      { position: 0, decisions: { keepVisible: [{ trackId: 1, fromFrame: 2, toFrame: 9 }], drawn: [] } },
    ]);
    expect(request).toMatchObject({ state: 'prepared', approvalHash: null, reviewedBy: null });
    expect(types(world, id)).toContain('request.approval-voided');
    await expect(packageRequest(world.ctx, world.sofie, id)).rejects.toMatchObject({ code: 'conflict' });
    reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true });
    decideRequest(world.ctx, world.lars, id, approve);
    const { directory } = await packageRequest(world.ctx, world.lars, id);
    expect((await verifyPackage(directory)).checks.filter((check) => !check.ok)).toEqual([]);
  });

  test('prepared anew after the approval', async () => {
    const world = makeWorld();
    const id = await approved(world);
    expect(await prepareRequest(world.ctx, world.lars, id)).toMatchObject({ state: 'prepared', approvalHash: null });
    expect(types(world, id)).toContain('request.approval-voided');
    expect(filesBelow(world, `requests/${id}`)).toHaveLength(6);
  });
});

describe('masks', () => {
  test.each([
    ['a position that there is not', [{ position: 7, decisions: { keepVisible: [], drawn: [] } }]],
    ['no item', []],
    ['a track that there is not', [{ position: 0, decisions: { keepVisible: [{ trackId: 9 }], drawn: [] } }]],
    [
      'a stretch backwards',
      [{ position: 0, decisions: { keepVisible: [{ trackId: 1, fromFrame: 5, toFrame: 5 }], drawn: [] } }],
    ],
    [
      'a frame beyond the end',
      [
        {
          position: 0,
          decisions: { keepVisible: [], drawn: [{ fromFrame: 0, toFrame: 21, box: { x: 0, y: 0, w: 4, h: 4 } }] },
        },
      ],
    ],
    [
      'a box outside',
      [
        {
          position: 0,
          decisions: { keepVisible: [], drawn: [{ fromFrame: 0, toFrame: 2, box: { x: 500, y: 0, w: 4, h: 4 } }] },
        },
      ],
    ],
    [
      'a box of no size',
      [
        {
          position: 0,
          decisions: {
            keepVisible: [],
            drawn: [{ fromFrame: 0, toFrame: 2, box: { x: 1, y: 1, w: Number.NaN, h: 4 } }],
          },
        },
      ],
    ],
  ])('%s is refused, and the old masks stand', async (_what, masks) => {
    const world = makeWorld();
    const id = requested(world);
    await prepareRequest(world.ctx, world.sofie, id);
    const before = itemsOf(world.store.db, id);
    await expect(setMasks(world.ctx, world.lars, id, masks)).rejects.toMatchObject({ code: 'input-invalid' });
    expect(itemsOf(world.store.db, id)).toEqual(before);
    expect(getRequest(world.store.db, id).state).toBe('prepared');
    expect(filesBelow(world, 'requests')).toHaveLength(3);
  });

  test('a render that fails leaves the old copy, and no review goes on from it', async () => {
    let fails = false;
    const quick = quickRedactor();
    const redactor: Redactor = {
      ...quick,
      renderCopy: (job, run) => {
        if (fails) return Promise.reject(new GatewayError('ffmpeg-failed', 'ffmpeg gave up.'));
        return quick.renderCopy(job, run);
      },
    };
    const world = makeWorld({ redactor });
    const id = await approved(world);
    const before = itemsOf(world.store.db, id);
    fails = true;
    const change = [{ position: 0, decisions: { keepVisible: [{ trackId: 1 }], drawn: [] } }];
    await expect(setMasks(world.ctx, world.lars, id, change)).rejects.toMatchObject({ code: 'ffmpeg-failed' });
    expect(getRequest(world.store.db, id)).toMatchObject({ state: 'prepared', approvalHash: null });
    expect(getRequest(world.store.db, id).failure).toMatch(/masks were not changed: ffmpeg gave up/);
    expect(itemsOf(world.store.db, id)).toEqual(before);
    expect(existsSync(join(world.dataDir, before[0]?.redactedPath ?? ''))).toBe(true);
    expect(filesBelow(world, 'requests')).toHaveLength(6);
    expect(() => reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true })).toThrow(/masks were not changed/);
    fails = false;
    await setMasks(world.ctx, world.lars, id, change);
    expect(reviewRequest(world.ctx, world.lars, id, { uncertainSeen: true }).state).toBe('reviewed');
  });
});

describe('preparing', () => {
  test('a detector that fails: no copy, no half-made file, the reason for a person', async () => {
    const world = makeWorld({
      redactor: {
        ...quickRedactor(),
        redactPart: () => Promise.reject(new GatewayError('detector-failed', 'No model.', { remedy: 'Build it.' })),
      },
    });
    const id = requested(world);
    await expect(prepareRequest(world.ctx, world.sofie, id)).rejects.toMatchObject({ code: 'detector-failed' });
    expect(getRequest(world.store.db, id)).toMatchObject({
      state: 'preparation-failed',
      failure: 'No model. Build it.',
      workerLeaseUs: null,
    });
    expect(filesBelow(world, 'requests')).toEqual([]);
    expect(derivedOfRequest(world.store.db, id)).toEqual([]);
    const again = { ...world.ctx, redactor: quickRedactor() };
    expect((await prepareRequest(again, world.sofie, id)).state).toBe('prepared');
  });

  test('interrupted: as if it had not begun', async () => {
    const stop = new AbortController();
    const quick = quickRedactor();
    const world = makeWorld({
      redactor: {
        ...quick,
        redactPart: (...args) => {
          stop.abort();
          return quick.redactPart(...args);
        },
      },
    });
    const id = requested(world);
    await expect(prepareRequest(world.ctx, 'gateway', id, { signal: stop.signal })).rejects.toMatchObject({
      code: 'interrupted',
    });
    expect(getRequest(world.store.db, id)).toMatchObject({ state: 'requested', failure: null, workerLeaseUs: null });
    expect(filesBelow(world, 'requests')).toEqual([]);
  });

  test('another file in the place of the indexed one is not handed over', async () => {
    const world = makeWorld();
    addCamera(world, 'lobby');
    const { file } = addSegment(world, 'lobby', noonUs);
    const { request } = createRequest(world.ctx, world.sofie, scopeFor());
    const bytes = readFileSync(file);
    rmSync(file);
    writeFileSync(`${file}.other`, 'keeps the inode from being used again');
    writeFileSync(file, bytes);
    writeFileSync(file, Buffer.concat([bytes, Buffer.from('!')]));
    await expect(prepareRequest(world.ctx, world.sofie, request.id)).rejects.toMatchObject({ code: 'segment-changed' });
    expect(getRequest(world.store.db, request.id).failure).toMatch(/not the file that was indexed/);
  });

  test('a recording without a frame in the range is left out; none at all is an error', async () => {
    const world = makeWorld();
    addCamera(world, 'lobby');
    addSegment(world, 'lobby', noonUs, { seconds: 20 }); // its 20 frames end after 2 s
    addSegment(world, 'lobby', noonUs + seconds(9), { seconds: 20 });
    const { request } = createRequest(world.ctx, world.sofie, scopeFor({ startUs: noonUs + seconds(5) }));
    await prepareRequest(world.ctx, world.sofie, request.id);
    expect(itemsOf(world.store.db, request.id)).toMatchObject([{ position: 0, startUs: noonUs + seconds(9) }]);
    expect(filesBelow(world, 'requests')).toHaveLength(3);
    const none = createRequest(
      world.ctx,
      world.sofie,
      scopeFor({ startUs: noonUs + seconds(5), endUs: noonUs + seconds(6) }),
    ).request.id;
    await expect(prepareRequest(world.ctx, world.sofie, none)).rejects.toMatchObject({ code: 'footage-gone' });
    expect(getRequest(world.store.db, none).state).toBe('preparation-failed');
    expect(filesBelow(world, `requests/${none}`)).toEqual([]);
  });

  test('two workers: the second is told, and a dead one is taken over from after its lease', async () => {
    let enter = (): void => undefined;
    const entered = new Promise<void>((resolve) => (enter = resolve));
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const quick = quickRedactor();
    const world = makeWorld({
      redactor: {
        ...quick,
        redactPart: async (...args) => {
          enter();
          await gate;
          return quick.redactPart(...args);
        },
      },
    });
    const id = requested(world);
    const first = prepareRequest(world.ctx, world.sofie, id);
    first.catch(() => undefined); // looked at below
    await entered;
    await expect(prepareRequest(world.ctx, world.lars, id)).rejects.toMatchObject({ code: 'conflict' });
    await expect(closeRequest(world.ctx, world.sofie, id, 'withdrawn')).rejects.toMatchObject({ code: 'conflict' });
    world.clock.us += seconds(31);
    const second = prepareRequest(world.ctx, world.lars, id);
    release();
    expect((await second).state).toBe('prepared');
    // The first one finds itself overtaken; whatever it says, it has not undone the second's work.
    await expect(first).rejects.toMatchObject({ code: 'conflict' });
    const [item] = itemsOf(world.store.db, id);
    expect(getRequest(world.store.db, id).state).toBe('prepared');
    expect(existsSync(join(world.dataDir, item?.redactedPath ?? ''))).toBe(true);
  });
});

describe('closing', () => {
  test('received: files, rows and hold go; what was handed over stays on record', async () => {
    const world = makeWorld();
    const id = await approved(world);
    const { directory, archive } = await packageRequest(world.ctx, world.sofie, id);
    await expect(packageRequest(world.ctx, world.sofie, id)).rejects.toMatchObject({ code: 'conflict' });
    expect((await closeRequest(world.ctx, 'user:u-sofie', id, 'received')).state).toBe('closed');
    expect(existsSync(directory) || existsSync(archive)).toBe(false);
    expect(holdOfRequest(world.store.db, id)?.liftedUs).not.toBeNull();
    expect(itemsOf(world.store.db, id)).toHaveLength(2);
    expect(types(world, id).slice(-2)).toEqual(['derived.removed', 'request.closed']);
  });

  test('withdrawn at any time before; "received" only of a package', async () => {
    const world = makeWorld();
    const id = requested(world);
    await expect(closeRequest(world.ctx, world.sofie, id, 'received')).rejects.toMatchObject({ code: 'conflict' });
    await prepareRequest(world.ctx, world.sofie, id);
    expect((await closeRequest(world.ctx, world.sofie, id, 'withdrawn')).state).toBe('closed');
    expect(filesBelow(world, 'requests')).toEqual([]);
  });
});
