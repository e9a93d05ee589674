/** A small site with footage on disk and in the index, people with their roles, and everything a disclosure needs. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Analysis } from '../../src/redaction/redact.js';
import { analysisOf, type FrameRange } from '../../src/redaction/range.js';
import { decideRequest } from '../../src/disclosure/decide.js';
import { packageRequest } from '../../src/disclosure/package.js';
import { prepareRequest } from '../../src/disclosure/prepare.js';
import { createRequest } from '../../src/disclosure/request.js';
import { reviewRequest } from '../../src/disclosure/review.js';
import { verifyPackage } from '../../src/evidence/verify.js';
import type { DisclosureContext, Redactor } from '../../src/disclosure/context.js';
import type { RequestScope } from '../../src/domain/disclosure.js';
import type { Track } from '../../src/domain/redaction-plan.js';
import { noFacts } from '../../src/domain/camera.js';
import type { User } from '../../src/domain/user.js';
import type { PictureContext } from '../../src/recordings/pictures/context.js';
import { noDevice, putCamera } from '../../src/store/cameras.js';
import { putRoot } from '../../src/store/roots.js';
import { insertSegment } from '../../src/store/segment-inserts.js';
import { insertUser } from '../../src/store/users.js';
import { silentLog } from '../../src/platform/log.js';
import { makeTestStore, tempFolder, type TestStore } from './site.js';

export interface World extends TestStore {
  readonly ctx: DisclosureContext;
  readonly root: string;
  readonly packageKey: KeyObject;
  readonly sofie: User;
  readonly lars: User;
  readonly both: User;
  readonly ida: User;
}

/** Noon in Copenhagen; footage of the tests lies around it. */
export const noonUs = Date.parse('2026-05-31T10:00:00Z') * 1000;
export const seconds = (count: number): number => count * 1_000_000;

/**
 * Stands in for the detector where a test is about something else: a copy that differs from its original, and a plan with
 * one person in it. Where people are really found and covered is tested with the real one.
 */
export function quickRedactor(
  more: { frames?: number; fps?: number; uncertain?: boolean; tracks?: readonly Track[] } = {},
): Redactor {
  const { frames = 20, fps = 10, uncertain = false } = more;
  const analysis: Analysis = {
    version: 2,
    width: 160,
    height: 120,
    timeBase: { num: 1, den: 1000 },
    pts: Array.from({ length: frames }, (_, frame) => (frame * 1000) / fps),
    fps,
    zones: [],
    tracks: [
      {
        id: 1,
        kind: 'person',
        path: [0, 1, 1, 10, 10, 0.5, 0],
        uncertain: uncertain ? [{ fromFrame: 0, toFrame: 3, reason: 'low-score' }] : [],
      },
    ],
    detector: { name: 'stand-in', sha256: 'ab'.repeat(32), width: 160, height: 120, minScore: 0.2, framesLookedAt: 8 },
    damaged: false,
    notes: [],
  };
  const copyOf = async (
    job: Pick<Parameters<Redactor['renderCopy']>[0], 'input' | 'output' | 'decisions'>,
    range?: FrameRange,
  ) => {
    await copyFile(job.input, job.output);
    await writeFile(job.output, JSON.stringify({ ...job.decisions, range }), { flag: 'a' });
    return { frames: (range?.endFrame ?? frames) - (range?.firstFrame ?? 0), seconds: 0.1 };
  };
  return {
    redactPart: async (job, part) => {
      await readFile(job.input);
      const found = { ...analysis, tracks: more.tracks ?? analysis.tracks, zones: job.zones ?? [] };
      const lies = (frame: number): boolean => {
        const atUs = (part?.startUs ?? 0) + frame * (1_000_000 / fps);
        return part === null || (atUs >= part.range.startUs && atUs < part.range.endUs);
      };
      const shown = Array.from({ length: frames }, (_, frame) => frame).filter(lies);
      const [firstFrame, lastFrame] = [shown[0], shown.at(-1)];
      if (firstFrame === undefined || lastFrame === undefined) return null;
      const range = { firstFrame, endFrame: lastFrame + 1 };
      const rendered = await copyOf(job, range);
      return { analysis: part === null ? found : analysisOf(found, range), range, overlaps: [], ...rendered };
    },
    renderCopy: (job) => copyOf(job, job.range),
  };
}

export function makeWorld(more: Partial<DisclosureContext> = {}, instant = '2026-06-01T12:00:00Z'): World {
  const base = makeTestStore(instant);
  const { store, dataDir, clock, privateKey } = base;
  const root = join(tempFolder(), 'recordings');
  mkdirSync(root);
  const packageKey = generateKeyPairSync('ed25519').privateKey;
  const person = (id: string, roles: User['roles']): User => ({ id, name: `name of ${id}`, roles, disabledUs: null });
  const people = {
    sofie: person('u-sofie', ['security']),
    lars: person('u-lars', ['legal']),
    both: person('u-both', ['security', 'legal']),
    ida: person('u-ida', ['admin', 'auditor']),
  };
  store.act('operator', (note) => {
    for (const user of Object.values(people)) {
      insertUser(store.db, { ...user, passwordHash: 'x', createdUs: clock.nowUs() });
      note('user.added', `user:${user.id}`, {});
    }
    putRoot(store.db, { id: 'nvr', path: root, identity: '1', firstSeenUs: clock.nowUs() });
  });
  const ctx: DisclosureContext = {
    store,
    log: silentLog,
    dataDir,
    site: { name: 'Main office', timezone: 'Europe/Copenhagen' },
    rootPath: () => root,
    zonesOf: () => [],
    redaction: {
      detector: 'centernet',
      minScore: 0.2,
      padding: 0.15,
      detectionsPerSecond: 6,
      workers: 1,
      vehicles: false,
      style: 'solid',
    },
    packageDays: 7,
    packageKey,
    audit: { origin: 'tredive/test', privateKey },
    version: '0.1.0-test',
    redactor: quickRedactor(),
    ...more,
  };
  return { ...base, ctx, root, packageKey, ...people };
}

/** For pictures of the world's recordings. */
export const picturesOf = ({ ctx, store, dataDir }: World, more: Partial<PictureContext> = {}): PictureContext => ({
  store,
  log: silentLog,
  dataDir,
  timezone: ctx.site.timezone,
  marginUs: 12 * 3_600_000_000,
  rootPath: (id) => ctx.rootPath(id),
  keepUs: 4 * 3_600_000_000,
  maxBytes: 256_000_000,
  ...more,
});

export function addCamera(world: World, cameraId: string, more: { audioAllowed?: boolean } = {}): void {
  world.store.act('operator', (note) => {
    putCamera(world.store.db, {
      cameraId,
      label: `Camera ${cameraId}`,
      class: 'crime-prevention',
      retentionDays: 30,
      retentionReason: null,
      purpose: 'crime prevention',
      audioAllowed: more.audioAllowed ?? false,
      origin: 'config',
      adopted: true,
      device: noDevice,
      clock: { offsetMs: 400, uncertaintyMs: 12, measuredUs: world.clock.nowUs() },
      createdUs: world.clock.nowUs(),
      ...(more.audioAllowed === true && {
        facts: { ...noFacts, audioBasis: 'works agreement, threats', audioApprovedBy: 'user:u-lars' },
      }),
    });
    note('camera.registered', `camera:${cameraId}`, {});
  });
}

/** Puts a file under the root and into the index. `content` is a clip to copy, or left out for bytes that only look like one. */
export function addSegment(
  world: World,
  cameraId: string,
  startUs: number,
  more: {
    seconds?: number;
    clip?: string;
    hasAudio?: boolean;
    name?: string;
    picture?: readonly [number, number];
  } = {},
): { id: number; path: string; file: string } {
  const path = `${cameraId}/${more.name ?? `${startUs}.mp4`}`;
  const file = join(world.root, path);
  mkdirSync(join(world.root, cameraId), { recursive: true });
  if (more.clip === undefined) writeFileSync(file, `footage of ${path}, ${'x'.repeat(5000)}`);
  else copyFileSync(more.clip, file);
  const found = statSync(file, { bigint: true });
  const id = world.store.act('gateway', (note) => {
    note('recordings.indexed', 'root:nvr', {});
    return insertSegment(world.store.db, {
      rootId: 'nvr',
      path,
      cameraId,
      startUs,
      endUs: startUs + seconds(more.seconds ?? 2),
      timeSource: 'name-utc',
      timeQuality: 'single',
      timeDisagreementMs: null,
      sizeBytes: Number(found.size),
      inode: String(found.ino),
      mtimeUs: Number(found.mtimeMs) * 1000,
      container: 'mp4',
      codec: 'avc',
      width: more.picture?.[0] ?? 160,
      height: more.picture?.[1] ?? 120,
      frameRate: 10,
      hasAudio: more.hasAudio ?? false,
      truncated: false,
      firstSeenUs: world.clock.nowUs(),
    });
  });
  return { id, path, file };
}

export const scopeFor = (more: Partial<RequestScope> = {}): RequestScope => ({
  ground: 'police',
  legalBasis: null,
  recipient: { kind: 'police', name: 'Københavns Politi', contact: 'called back on 114' },
  journalNumber: '0100-12345-26',
  purpose: 'theft at the entrance',
  cameraIds: ['lobby'],
  startUs: noonUs,
  endUs: noonUs + seconds(10),
  ...more,
});

export const noTerms = { audioReason: null, redactedOnlyReason: null };

/** From nothing to an approved request with two recordings of one camera. */
export async function approved(world: World, more: Partial<RequestScope> = {}): Promise<string> {
  addCamera(world, 'lobby', { audioAllowed: true });
  addSegment(world, 'lobby', noonUs, { name: '12-00-00 gård.mp4' });
  addSegment(world, 'lobby', noonUs + seconds(2));
  const { request } = createRequest(world.ctx, world.sofie, scopeFor(more));
  await prepareRequest(world.ctx, world.sofie, request.id);
  reviewRequest(world.ctx, world.lars, request.id, { uncertainSeen: true });
  decideRequest(world.ctx, world.lars, request.id, { approve: true, reason: 'needed for the case', terms: noTerms });
  return request.id;
}

export async function packaged(world: World): Promise<{ id: string; directory: string; archive: string }> {
  const id = await approved(world);
  const { directory, archive } = await packageRequest(world.ctx, world.sofie, id);
  return { id, directory, archive };
}

/** Every file below a folder of the data folder, sorted. */
export function filesBelow(world: TestStore, folder: string): string[] {
  const path = join(world.dataDir, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort();
}

/** The names of the failed checks of a package. */
export const failing = async (path: string, publicKeyPem?: string): Promise<string[]> =>
  (await verifyPackage(path, publicKeyPem === undefined ? {} : { publicKeyPem })).checks
    .filter((check) => !check.ok)
    .map((check) => check.name);
