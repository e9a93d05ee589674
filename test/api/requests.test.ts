import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { routes } from '../../src/api/routes/index.js';
import type {
  CreatedView,
  HoldsView,
  HoldView,
  RequestDetailView,
  RequestsView,
  RequestStateView,
} from '../../src/api/views.js';
import type { Track } from '../../src/domain/redaction-plan.js';
import { rights, roles, type Role } from '../../src/domain/user.js';
import { itemsOf } from '../../src/store/requests.js';
import { insertUser } from '../../src/store/users.js';
import { addCamera, addSegment, makeWorld, noonUs, quickRedactor, seconds } from '../helpers/disclosure.js';
import { errorOf, serve, type Client, type Served } from './gateway.js';

const scope = {
  ground: 'police',
  recipient: { kind: 'police', name: 'Københavns Politi', contact: 'called back on 114' },
  journalNumber: '0100-12345-26',
  purpose: 'theft at the entrance',
  cameraIds: ['lobby'],
  from: '2026-05-31T10:00:00Z',
  to: '2026-05-31T10:00:10Z',
};

async function site(
  uncertain = false,
  tracks?: readonly Track[],
): Promise<Served & { sofie: Client; lars: Client; ida: Client }> {
  const world = makeWorld({ redactor: quickRedactor({ uncertain, ...(tracks && { tracks }) }) });
  addCamera(world, 'lobby');
  addSegment(world, 'lobby', noonUs);
  addSegment(world, 'lobby', noonUs + seconds(5));
  const served = await serve({}, world);
  const [sofie, lars, ida] = [
    await served.login(world.sofie),
    await served.login(world.lars),
    await served.login(world.ida),
  ];
  return { ...served, sofie, lars, ida };
}

async function prepared(served: Served & { sofie: Client }): Promise<string> {
  const made = await served.sofie.call<CreatedView>('POST', '/api/requests', scope);
  expect(made.status).toBe(201);
  const { id } = made.json.request;
  expect((await served.sofie.call('POST', `/api/requests/${id}/prepare`)).status).toBe(202);
  await served.idle();
  return id;
}

const typesOf = (served: Served, subject: string): string[] =>
  served.events().flatMap((event) => (event.subject === subject ? [event.type] : []));

describe('the life of a request', () => {
  test('through the API, with an event for each act', async () => {
    const served = await site();
    const { sofie, lars, world } = served;
    const made = await sofie.call<CreatedView & { request: { start: string } }>('POST', '/api/requests', scope);
    expect(made.status).toBe(201);
    const { id } = made.json.request;
    expect(made.json.request).toMatchObject({ state: 'requested', startUs: noonUs, start: '2026-05-31T10:00:00Z' });
    expect(made.json.coverage.cameras[0]?.gaps).toEqual([
      expect.objectContaining({ startUs: noonUs + seconds(2), start: '2026-05-31T10:00:02Z' }),
      expect.objectContaining({ startUs: noonUs + seconds(7) }),
    ]);

    const started = await sofie.call<RequestStateView>('POST', `/api/requests/${id}/prepare`);
    expect(started.status).toBe(202);
    expect(started.json.job).toMatchObject({ kind: 'prepare', state: 'running' });
    expect((await sofie.call('POST', `/api/requests/${id}/prepare`)).status).toBe(409);
    await served.idle();
    expect((await lars.call('POST', `/api/requests/${id}/review`, { uncertainSeen: true })).status).toBe(200);
    const decision = { approve: true, reason: 'needed for the case' };
    expect((await lars.call('POST', `/api/requests/${id}/decision`, decision)).status).toBe(200);
    expect((await sofie.call('POST', `/api/requests/${id}/package`)).status).toBe(202);
    await served.idle();

    const detail = (await sofie.call<RequestDetailView>('GET', `/api/requests/${id}`)).json;
    expect(detail.request.state).toBe('packaged');
    expect(detail.job).toBeNull();
    expect(detail.items).toHaveLength(2);
    expect(detail.archive?.sizeBytes).toBeGreaterThan(1000);
    expect(detail.people).toEqual({ 'u-sofie': world.sofie.name, 'u-lars': world.lars.name });
    expect(JSON.stringify(detail.items)).not.toContain('Path');

    const zip = await fetch(`${served.base}/api/requests/${id}/archive`, { headers: { cookie: sofie.cookie() } });
    expect(zip.status).toBe(200);
    expect(zip.headers.get('content-type')).toBe('application/zip');
    expect(zip.headers.get('content-disposition')).toContain(`disclosure-${id}.zip`);
    const bytes = Buffer.from(await zip.arrayBuffer());
    expect(bytes.subarray(0, 2).toString()).toBe('PK');
    expect(bytes.length).toBe(detail.archive?.sizeBytes);

    expect((await sofie.call('POST', `/api/requests/${id}/close`, { why: 'expired' })).status).toBe(400);
    expect((await sofie.call('POST', `/api/requests/${id}/close`, { why: 'received' })).status).toBe(200);
    expect((await sofie.call('GET', `/api/requests/${id}/archive`)).status).toBe(409);
    expect(typesOf(served, `request:${id}`)).toEqual(
      expect.arrayContaining([
        'request.created',
        'request.prepared',
        'request.reviewed',
        'request.approved',
        'request.packaged',
        'request.handed-over',
        'request.closed',
      ]),
    );
    const list = (await lars.call<RequestsView>('GET', '/api/requests')).json;
    expect(list.requests.map((one) => [one.id, one.state])).toEqual([[id, 'closed']]);
  });

  test('the one who asked may not review or decide, though he is of legal too, and the try is an event', async () => {
    const served = await site();
    const both = await served.login(served.world.both);
    const { id } = (await both.call<CreatedView>('POST', '/api/requests', scope)).json.request;
    await both.call('POST', `/api/requests/${id}/prepare`);
    await served.idle();
    const review = await both.call('POST', `/api/requests/${id}/review`, { uncertainSeen: true });
    expect(review.status).toBe(403);
    expect(errorOf(review)).toMatchObject({ code: 'same-person', remedy: expect.stringContaining('legal') as string });
    await served.lars.call('POST', `/api/requests/${id}/review`, { uncertainSeen: true });
    const decision = await both.call('POST', `/api/requests/${id}/decision`, { approve: true, reason: 'mine' });
    expect(errorOf(decision).code).toBe('same-person');
    expect(served.events().filter(({ type }) => type === 'access.refused')).toMatchObject([
      {
        actor: 'user:u-both',
        subject: `request:${id}`,
        data: { code: 'same-person', path: '/api/requests/:id/review' },
      },
      { actor: 'user:u-both', subject: `request:${id}`, data: { path: '/api/requests/:id/decision' } },
    ]);
  });

  test('uncertain spans have to be looked at', async () => {
    const served = await site(true);
    const id = await prepared(served);
    const reply = await served.lars.call('POST', `/api/requests/${id}/review`, { uncertainSeen: false });
    expect(reply.status).toBe(400);
    expect(errorOf(reply).message).toMatch(/uncertain/);
  });

  test('masks are rendered again in the background, and void what was reviewed', async () => {
    const standing = (id: number, x: number): Track => ({
      id,
      kind: 'person',
      path: [0, x, 0, 40, 40, 0.5, 0, 19, x, 0, 40, 40, 0.5, 0],
      uncertain: [],
    });
    const served = await site(false, [standing(1, 0), standing(2, 30)]);
    const { lars } = served;
    const id = await prepared(served);
    await lars.call('POST', `/api/requests/${id}/review`, { uncertainSeen: true });
    const decisions = { mode: 'whole-frame', keepVisible: [{ trackId: 1, toFrame: 5 }] };
    const items = [{ position: 0, decisions }];
    expect((await served.sofie.call('PUT', `/api/requests/${id}/masks`, { items })).status).toBe(403);
    expect((await lars.call('PUT', `/api/requests/${id}/masks`, { items: [...items, ...items] })).status).toBe(400);
    const wrong = [{ position: 7, decisions: { keepVisible: [], drawn: [] } }];
    expect((await lars.call('PUT', `/api/requests/${id}/masks`, { items: wrong })).status).toBe(400);
    for (const bad of [{ mode: 'nobody' }, { drawn: [{}] }, { zones: [] }, { keepVisible: [{ trackId: -1 }] }]) {
      const reply = await lars.call('PUT', `/api/requests/${id}/masks`, { items: [{ position: 0, decisions: bad }] });
      expect([reply.status, errorOf(reply).code]).toEqual([400, 'input-invalid']);
    }
    expect((await lars.call('PUT', `/api/requests/${id}/masks`, { items })).status).toBe(202);
    await served.idle();
    const detail = (await lars.call<RequestDetailView>('GET', `/api/requests/${id}`)).json;
    expect(detail.request).toMatchObject({ state: 'prepared', reviewedBy: null });
    expect(detail.items.map((item) => item.keptVisible)).toEqual([1, 0]);
    expect(detail.items.map((item) => item.mode)).toEqual(['whole-frame', 'people-and-motion']);
    expect(detail.items.map((item) => item.overlaps)).toEqual([
      [{ keptId: 1, otherId: 2, fromFrame: 0, toFrame: 5, share: 0.25 }],
      [],
    ]);
  });

  test('a job that fails says so, and the request can be prepared again', async () => {
    const served = await site();
    const { id } = (await served.sofie.call<CreatedView>('POST', '/api/requests', scope)).json.request;
    rmSync(join(served.world.root, 'lobby'), { recursive: true });
    expect((await served.sofie.call('POST', `/api/requests/${id}/prepare`)).status).toBe(202);
    await served.idle();
    const detail = (await served.sofie.call<RequestDetailView>('GET', `/api/requests/${id}`)).json;
    expect(detail.request.state).toBe('preparation-failed');
    expect(detail.job).toMatchObject({ state: 'failed' });
    expect(detail.job?.error?.message).toBeTruthy();
    expect((await served.sofie.call('POST', `/api/requests/${id}/prepare`)).status).toBe(202);
  });

  test('footage that nobody has is refused with what to do', async () => {
    const { sofie } = await site();
    const reply = await sofie.call('POST', '/api/requests', {
      ...scope,
      from: '2026-05-01T10:00:00Z',
      to: '2026-05-01T11:00:00Z',
    });
    expect(reply.status).toBe(410);
    expect(errorOf(reply)).toMatchObject({ code: 'footage-gone', remedy: expect.any(String) as string });
  });
});

describe('looking at a masked copy', () => {
  const look = (served: Served, client: Client, id: string, query: string, range?: string): Promise<Response> =>
    fetch(`${served.base}/api/requests/${id}/items/0/masked${query}`, {
      headers: { cookie: client.cookie(), ...(range === undefined ? {} : { range }) },
    });
  const views = (served: Served): unknown[] => served.events().filter(({ type }) => type === 'footage.viewed');

  test('rule 10 needs a purpose, is noted once for each look, and comes in ranges', async () => {
    const served = await site();
    const id = await prepared(served);
    const { lars, sofie, world } = served;
    const item = itemsOf(world.store.db, id)[0];
    const bytes = readFileSync(join(world.dataDir, item?.redactedPath ?? ''));
    for (const query of ['', '?purpose=', '?purpose=%20%20%20', '?purpose=a&purpose=b']) {
      expect((await look(served, lars, id, query)).status).toBe(400);
    }
    expect(views(served)).toEqual([]);

    const whole = await look(served, lars, id, '?purpose=review');
    expect(whole.status).toBe(200);
    expect(whole.headers.get('content-type')).toBe('video/mp4');
    expect(whole.headers.get('cache-control')).toBe('no-store');
    expect(Buffer.from(await whole.arrayBuffer()).equals(bytes)).toBe(true);
    expect(views(served)).toMatchObject([
      {
        actor: 'user:u-lars',
        subject: `request:${id}`,
        data: { position: 0, camera: 'lobby', purpose: 'review', sha256: item?.redactedSha256 },
      },
    ]);

    const part = await look(served, lars, id, '?purpose=review', 'bytes=100-199');
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 100-199/${bytes.length}`);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(100, 200))).toBe(true);
    expect((await look(served, lars, id, '?purpose=review', 'bytes=-10')).headers.get('content-length')).toBe('10');
    expect((await look(served, lars, id, '?purpose=review', `bytes=${bytes.length}-`)).status).toBe(416);
    expect(views(served)).toHaveLength(1);

    // From the start again, by another person, for another purpose, after a while: each is a look of its own.
    await look(served, lars, id, '?purpose=review', 'bytes=0-');
    expect(views(served)).toHaveLength(2);
    await look(served, sofie, id, '?purpose=review', 'bytes=100-');
    expect(views(served)).toHaveLength(3);
    await look(served, lars, id, `?purpose=${encodeURIComponent('to find Hans Hansen')}`, 'bytes=100-');
    expect(views(served)).toHaveLength(4);
    expect(JSON.stringify(views(served))).not.toContain('Hansen');
    world.clock.us += seconds(11 * 60);
    await look(served, lars, id, '?purpose=review', 'bytes=100-');
    expect(views(served)).toHaveLength(5);
  });

  test('sends no byte where the look cannot be noted', async () => {
    const served = await site();
    const id = await prepared(served);
    served.world.store.db.exec(
      `CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'the log is full'); END`,
    );
    for (const range of [undefined, 'bytes=0-', 'bytes=100-']) {
      const reply = await look(served, served.lars, id, '?purpose=review', range);
      expect(reply.status).toBe(503);
      expect(await reply.json()).toMatchObject({ error: { code: 'audit-unwritable' } });
    }
  });

  test('a file that is gone is said to be gone, and is no look', async () => {
    const served = await site();
    const id = await prepared(served);
    rmSync(join(served.world.dataDir, itemsOf(served.world.store.db, id)[0]?.redactedPath ?? ''));
    expect((await look(served, served.lars, id, '?purpose=review')).status).toBe(410);
    expect((await served.lars.call('GET', `/api/requests/${id}/items/9/masked?purpose=review`)).status).toBe(404);
    expect(views(served)).toEqual([]);
  });

  test('the tracks say who was found where', async () => {
    const served = await site();
    const id = await prepared(served);
    const { json } = await served.lars.call<{ analysis: { tracks: unknown[] }; decisions: unknown }>(
      'GET',
      `/api/requests/${id}/items/1/tracks`,
    );
    expect(json.analysis.tracks).toHaveLength(1);
    expect(json.decisions).toEqual({ keepVisible: [], drawn: [] });
    const item = itemsOf(served.world.store.db, id)[1];
    const plan = join(served.world.dataDir, item?.planPath ?? '');
    writeFileSync(plan, readFileSync(plan, 'utf8').replace('"version":2', '"version":1'));
    const reply = await served.lars.call('GET', `/api/requests/${id}/items/1/tracks`);
    expect([reply.status, errorOf(reply)]).toEqual([
      409,
      expect.objectContaining({ code: 'conflict', remedy: 'Prepare the request again.' }),
    ]);
  });
});

describe('roles', () => {
  test.each(roles)('%s gets exactly what its rights say, at every route', async (role: Role) => {
    const world = makeWorld();
    const user = { id: `u-only-${role}`, name: `only ${role}`, roles: [role], disabledUs: null };
    insertUser(world.store.db, { ...user, passwordHash: 'x', createdUs: world.clock.nowUs() });
    const served = await serve({}, world);
    const client = await served.login(user);
    let refused = 0;
    for (const route of routes) {
      const path = route.path.replace(':id', 'r-none').replace(':position', '0');
      const anonymous = await served.anonymous().call(route.method.toUpperCase(), path);
      if (route.right === null) continue;
      expect([route.path, anonymous.status]).toEqual([route.path, 401]);
      const reply = await client.call(route.method.toUpperCase(), path);
      const allowed = (rights[route.right] as readonly Role[]).includes(role);
      expect([route.method, route.path, reply.status === 403]).toEqual([route.method, route.path, !allowed]);
      if (!allowed) refused += 1;
    }
    const events = served.events().filter(({ type }) => type === 'access.refused');
    expect(events).toHaveLength(refused);
    expect(refused).toBeGreaterThan(0);
    expect(events.every(({ actor }) => actor === `user:${user.id}`)).toBe(true);
  });
});

describe('holds, retention and the log', () => {
  test('legal places and lifts a hold; a request keeps its own', async () => {
    const served = await site();
    const { lars, sofie } = served;
    const facts = { ground: 'reported-offence', journalNumber: '0100-777-26', reportedOn: '2026-05-31' };
    const body = {
      facts,
      reason: 'reported today',
      cameraIds: ['lobby'],
      from: '2026-05-31T10:00:00Z',
      to: '2026-05-31T10:01:00Z',
      review: '2026-07-01T00:00:00Z',
    };
    const refused: [string, object][] = [
      ['an empty journal number', { ...body, facts: { ...facts, journalNumber: ' ' } }],
      ['no day of the report', { ...body, facts: { ground: 'reported-offence', journalNumber: '1' } }],
      ['a day that there is not', { ...body, facts: { ...facts, reportedOn: '2026-02-30' } }],
      ['a day in the future', { ...body, facts: { ...facts, reportedOn: '2026-07-01' } }],
      ['free text alone', { ...body, facts: { ground: 'reported-offence', text: 'a theft' } }],
      ['a ground that is none', { ...body, facts: { ...facts, ground: 'disclosure-request' } }],
      ['no end within 90 days', { ...body, review: '2027-07-01T00:00:00Z' }],
      ['a long range without a reason', { ...body, to: '2026-05-31T11:30:00Z' }],
    ];
    for (const [what, sent] of refused) expect((await lars.call('POST', '/api/holds', sent)).status, what).toBe(400);
    const placed = await lars.call<{ hold: { id: string } }>('POST', '/api/holds', body);
    expect(placed.status).toBe(201);
    // Holds are listed in the order of their placing.
    served.world.clock.us += seconds(1);
    await prepared(served);
    const { holds } = (await sofie.call<HoldsView>('GET', '/api/holds')).json;
    expect(holds.map(({ ground, active, placedAs }) => [ground, active, placedAs])).toEqual([
      ['reported-offence', true, 'legal'],
      ['disclosure-request', true, 'request'],
    ]);
    const lift = (id: string): Promise<{ status: number }> =>
      lars.call('POST', `/api/holds/${id}/lift`, { reason: 'the case is closed' });
    expect((await lars.call('POST', `/api/holds/${placed.json.hold.id}/lift`, {})).status).toBe(400);
    expect((await lift(placed.json.hold.id)).status).toBe(200);
    expect((await lift(placed.json.hold.id)).status).toBe(409);
    expect((await lift(holds[1]?.id ?? '')).status).toBe(409);
    expect((await lift('h-none')).status).toBe(404);
  });

  test('security holds at once, legal decides; each act has its right, and each refusal is logged', async () => {
    const served = await site();
    const { lars, sofie, ida } = served;
    const body = {
      facts: { ground: 'dispute', counterparty: 'A Company', description: 'who drove into the gate' },
      reason: 'the gate is broken',
      cameraIds: ['lobby'],
      from: '2026-05-31T10:00:00Z',
      to: '2026-05-31T10:01:00Z',
      review: '2026-08-01T00:00:00Z',
    };
    expect((await ida.call('POST', '/api/holds', body)).status).toBe(403);
    const placed = await sofie.call<{ hold: HoldView }>('POST', '/api/holds', body);
    expect(placed).toMatchObject({ status: 201, json: { hold: { placedAs: 'security', approvedUs: null } } });
    const path = `/api/holds/${placed.json.hold.id}`;
    for (const [act, sent] of [
      ['approve', {}],
      ['refuse', { reason: 'no dispute' }],
      ['prolong', { reason: 'longer', review: '2026-08-10T00:00:00Z' }],
      ['lift', { reason: 'over' }],
    ] as const) {
      expect((await sofie.call('POST', `${path}/${act}`, sent)).status, act).toBe(403);
      expect((await ida.call('POST', `${path}/${act}`, sent)).status, act).toBe(403);
    }
    const id = placed.json.hold.id;
    const refusals = served
      .events()
      .filter(({ type, subject }) => type === 'access.refused' && subject === `hold:${id}`);
    expect(refusals).toHaveLength(8);
    const approved = await lars.call<{ hold: HoldView }>('POST', `${path}/approve`, {});
    expect(approved.json.hold).toMatchObject({ review: '2026-08-01T00:00:00Z', approvedBy: 'user:u-lars' });
    const notice = { kind: 'notified', at: '2026-06-01T10:00:00Z', how: 'letter', document: 'letter 17' };
    expect((await sofie.call('POST', `${path}/notices`, { ...notice, document: '' })).status).toBe(400);
    expect((await sofie.call('POST', `${path}/notices`, notice)).status).toBe(200);
    const [hold] = (await ida.call<HoldsView>('GET', '/api/holds')).json.holds;
    expect(hold).toMatchObject({ noticeOverdue: false, notified: '2026-06-01T10:00:00Z' });
    expect(hold?.steps.map(({ kind, by }) => [kind, by])).toEqual([
      ['approved', 'user:u-lars'],
      ['notified', 'user:u-sofie'],
    ]);
    // What people wrote is in the database and nowhere in the log.
    expect(JSON.stringify(served.events())).not.toMatch(/A Company|drove into|letter 17|gate is broken/);
  });

  test('D8 grounds for municipal cameras are enabled by legal alone', async () => {
    const served = await site();
    const { lars, sofie, ida } = served;
    const put = (who: typeof lars, ground: string, sent: object): Promise<{ status: number }> =>
      who.call('PUT', `/api/holds/grounds/${ground}`, sent);
    const sent = { enabled: true, reason: 'agreed with counsel, note 4' };
    expect((await put(sofie, 'dispute', sent)).status).toBe(403);
    expect((await put(ida, 'dispute', sent)).status).toBe(403);
    expect((await put(lars, 'access-request', sent)).status).toBe(400);
    expect((await put(lars, 'dispute', { enabled: true, reason: 'so' })).status).toBe(400);
    expect(await put(lars, 'dispute', sent)).toMatchObject({ status: 200, json: { enabled: [{ ground: 'dispute' }] } });
    expect((await put(lars, 'dispute', sent)).status).toBe(409);
    expect(served.events().filter(({ type }) => type === 'hold.ground-enabled')).toHaveLength(1);
  });

  test('the dry run, the checkpoint and the verification of the log', async () => {
    const served = await site();
    const { lars, sofie, world } = served;
    addSegment(world, 'lobby', noonUs - seconds(29.6 * 86_400));
    const { json } = await sofie.call<{ plan: { due: number }; refused: string | null; margin?: unknown }>(
      'GET',
      '/api/retention',
    );
    expect(json).toMatchObject({ plan: { due: 1 }, marginUs: 12 * 3_600_000_000 });
    expect(json.margin).toBeUndefined();

    const before = served.events().length;
    expect((await lars.call('GET', '/api/audit/verify')).json).toMatchObject({
      ok: true,
      size: before + 1,
      problems: [],
    });
    const note = await lars.call<{ size: number; note: string }>('GET', '/api/audit/checkpoint');
    expect(note.json.note).toMatch(/^tredive\/test\n/);
    expect(note.json.size).toBe(before + 2);
    expect(served.events().slice(before)).toMatchObject([
      { type: 'audit.read', data: { what: 'verification' } },
      { type: 'audit.read', data: { what: 'checkpoint' } },
    ]);
  });
});
