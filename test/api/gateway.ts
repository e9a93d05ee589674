/** The API over real HTTP on a random port, with the real stages behind it. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { ApiDeps, ApiJobs } from '../../src/api/deps.js';
import { makeApi } from '../../src/api/server.js';
import type { ErrorView, JobView } from '../../src/api/views.js';
import { verifyAuditLog } from '../../src/audit/verify.js';
import { makeReports } from '../../src/cli/reports.js';
import { closeRequest } from '../../src/disclosure/close.js';
import { coverageOf } from '../../src/disclosure/coverage.js';
import { decideRequest } from '../../src/disclosure/decide.js';
import { placeHold } from '../../src/disclosure/hold.js';
import { approveHold, lift, prolongHold, refuseHold } from '../../src/disclosure/hold-acts.js';
import { setGround } from '../../src/disclosure/hold-grounds.js';
import { noteNotice } from '../../src/disclosure/hold-notice.js';
import { setMasks } from '../../src/disclosure/masks.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { searchFootage } from '../../src/disclosure/search.js';
import type { AuditEvent } from '../../src/domain/audit-event.js';
import { writeReport } from '../../src/evidence/report-files.js';
import { fingerprint, publicPem } from '../../src/evidence/signature.js';
import { toGatewayError } from '../../src/errors.js';
import { hashPassword } from '../../src/platform/password.js';
import type { RetentionResult } from '../../src/retention/context.js';
import { applyDeletions } from '../../src/retention/delete.js';
import { confirmDeletion } from '../../src/retention/confirm.js';
import { contactSheetOf } from '../../src/recordings/pictures/contact-sheet.js';
import { cutsIn } from '../../src/recordings/pictures/cuts.js';
import { stillAt } from '../../src/recordings/pictures/still.js';
import { planDeletions } from '../../src/retention/plan.js';
import {
  cancelRetention,
  confirmRetention,
  previewDays,
  previewOf,
  proposeRetention,
} from '../../src/retention/policy.js';
import { buildReport } from '../../src/retention/report.js';
import { acceptClock, clockDoubt, clockVotes, refusalReason } from '../../src/retention/trust.js';
import { readCheckpoints, readEntries, readFrontier } from '../../src/store/audit-log.js';
import { makeWorld, picturesOf, type World } from '../helpers/disclosure.js';

export const password = 'correct horse battery staple';
let passwordHash: Promise<string> | undefined;

export interface Reply<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: T;
}

export interface Client {
  call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: HeadersInit,
  ): Promise<Reply<T>>;
  /** What the server last set, without its attributes. */
  cookie(): string;
}

export interface Served {
  readonly world: World;
  readonly base: string;
  readonly deps: ApiDeps;
  readonly anonymous: () => Client;
  readonly login: (user: { readonly name: string }) => Promise<Client>;
  /** Waits until no job runs. */
  readonly idle: () => Promise<void>;
  readonly events: () => AuditEvent[];
  /** What the running gateway does by itself from time to time. */
  readonly sweep: () => Promise<RetentionResult>;
}

export const errorOf = (reply: Reply): ErrorView['error'] => (reply.json as unknown as ErrorView).error;

/** Runs each job at once, as the queue of the real gateway does one after the other. */
function jobsOf(world: World): ApiJobs & { idle(): Promise<void> } {
  const views = new Map<string, JobView>();
  const running = new Set<Promise<void>>();
  const start = (id: string, kind: JobView['kind'], work: () => Promise<unknown>): void => {
    views.set(id, { kind, state: 'running', progress: null, error: null });
    const job = work().then(
      () => void views.delete(id),
      (thrown: unknown) => {
        const { code, message, remedy = null } = toGatewayError(thrown);
        views.set(id, { kind, state: 'failed', progress: null, error: { code, message, remedy } });
      },
    );
    running.add(job);
    void job.finally(() => running.delete(job));
  };
  return {
    prepare: (id, actor) => {
      start(id, 'prepare', () => prepareRequest(world.ctx, actor, id));
    },
    setMasks: (id, user, masks) => {
      start(id, 'masks', () => setMasks(world.ctx, user, id, masks));
    },
    pack: (id, user) => {
      start(id, 'package', () => packageRequest(world.ctx, user, id));
    },
    of: (id) => views.get(id) ?? null,
    idle: async () => {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

export async function serve(more: Partial<ApiDeps> = {}, world = makeWorld()): Promise<Served> {
  passwordHash ??= hashPassword(password);
  world.store.db.prepare('UPDATE user SET password_hash = ?').run(await passwordHash);
  const { ctx, store, dataDir, publicKey } = world;
  const retention = {
    store,
    log: ctx.log,
    dataDir,
    marginUs: 12 * 3_600_000_000,
    rootPath: (id: string) => ctx.rootPath(id),
    brake: { floorUs: 3 * 3_600_000_000, factor: 2, voteUs: 4 * 3_600_000_000 },
  };
  const pictures = picturesOf(world);
  const jobs = jobsOf(world);
  const deps: ApiDeps = {
    store,
    log: ctx.log,
    site: ctx.site,
    api: { https: false, sessionHours: 8 },
    dataDir,
    webDir: null,
    sessionSecret: 'a secret of this test, long enough for an HMAC',
    disclosure: {
      createRequest: (user, scope) => createRequest(ctx, user, scope),
      coverageOf: (cameraIds, range) => coverageOf(ctx, cameraIds, range),
      reviewRequest: (user, id, review) => reviewRequest(ctx, user, id, review),
      decideRequest: (user, id, decision) => decideRequest(ctx, user, id, decision),
      closeRequest: (actor, id, why) => closeRequest(ctx, actor, id, why),
      placeHold: (user, input) => placeHold(ctx, user, input),
      approveHold: (user, id, approval) => approveHold(ctx, user, id, approval),
      refuseHold: (user, id, refusal) => refuseHold(ctx, user, id, refusal),
      prolongHold: (user, id, date) => prolongHold(ctx, user, id, date),
      liftHold: (user, id, lifting) => lift(ctx, user, id, lifting),
      noteNotice: (user, id, notice) => noteNotice(ctx, user, id, notice),
      setGround: (user, input) => setGround(ctx, user, input),
    },
    footage: {
      search: (user, cameraIds, range) => searchFootage(ctx, `user:${user.id}`, cameraIds, range),
      stillAt: (look, ask) => stillAt(pictures, look, ask),
      contactSheet: (look, ask) => contactSheetOf(pictures, look, ask),
      cuts: (cameraId, range) => cutsIn(pictures, cameraId, range),
    },
    retention: {
      marginUs: retention.marginUs,
      plan: (nowUs) => planDeletions(retention, nowUs),
      voteUs: retention.brake.voteUs,
      sweepEveryUs: 3_600_000_000,
      refusal: (nowUs) => refusalReason(retention, nowUs),
      doubt: (nowUs) => clockDoubt(retention, nowUs),
      clockVotes: (nowUs) => clockVotes(retention, nowUs),
      confirm: (user, id) => confirmDeletion(retention, user, id),
      acceptClock: (user) => acceptClock(retention, user),
      preview: (cameraId, retentionDays) => previewDays(retention, cameraId, retentionDays),
      previewOf: (change) => previewOf(retention, change),
      propose: (user, input) => proposeRetention(retention, user, input),
      confirmChange: (user, id) => confirmRetention(retention, user, id),
      cancelChange: (user, id) => cancelRetention(retention, user, id),
    },
    reports: makeReports({
      store,
      dataDir,
      timezone: ctx.site.timezone,
      reportKeyPem: publicPem(ctx.packageKey),
      makeReport: async (month, folder, actor) => {
        const report = await buildReport({
          db: store.db,
          month,
          nowUs: store.clock.nowUs(),
          marginUs: retention.marginUs,
          site: ctx.site,
          version: ctx.version,
          audit: { origin: ctx.audit.origin, keySha256: fingerprint(publicKey) },
          reportKeySha256: fingerprint(ctx.packageKey),
        });
        const { sha256 } = await writeReport(folder, report, { report: ctx.packageKey, auditPublic: publicKey });
        store.act(actor, (note) => {
          note('report.made', `report:${month}`, { sha256 });
        });
        return { report, sha256 };
      },
    }),
    audit: {
      verify: () =>
        verifyAuditLog(
          {
            entries: readEntries(store.db),
            checkpoints: readCheckpoints(store.db),
            anchors: [],
            frontierSize: readFrontier(store.db).size,
          },
          publicKey,
        ),
    },
    jobs,
    hook: {
      announceFile: () => Promise.reject(new Error('this gateway follows no root')),
      announceCamera: () => Promise.reject(new Error('this gateway follows no root')),
    },
    ...more,
  };
  const server = await new Promise<Server>((resolve) => {
    const made = makeApi(deps).listen(0, '127.0.0.1', () => {
      resolve(made);
    });
  });
  onTestFinished(async () => {
    await jobs.idle();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const anonymous = (): Client => {
    let cookie = '';
    return {
      cookie: () => cookie,
      call: (async (method: string, path: string, body?: unknown, headers: HeadersInit = {}) => {
        const sent = new Headers(headers);
        if (cookie !== '' && !sent.has('cookie')) sent.set('cookie', cookie);
        if (body !== undefined && !sent.has('content-type')) sent.set('content-type', 'application/json');
        const response = await fetch(base + path, {
          method,
          headers: sent,
          redirect: 'manual',
          ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        });
        const set = response.headers.getSetCookie().at(-1);
        if (set !== undefined) cookie = set.split(';')[0] ?? '';
        const text = await response.text();
        const isJson = response.headers.get('content-type')?.includes('json') === true;
        return {
          status: response.status,
          headers: response.headers,
          text,
          json: (isJson ? JSON.parse(text) : null) as unknown,
        };
      }) as Client['call'],
    };
  };
  return {
    world,
    base,
    deps,
    anonymous,
    async login(user) {
      const client = anonymous();
      const reply = await client.call('POST', '/api/session', { name: user.name, password });
      if (reply.status !== 200) throw new Error(`login of ${user.name}: ${reply.status} ${reply.text}`);
      return client;
    },
    idle: () => jobs.idle(),
    sweep: () => applyDeletions(retention),
    events: () => [...readEntries(store.db)].map(({ entry }) => JSON.parse(entry) as AuditEvent),
  };
}
