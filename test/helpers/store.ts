/** A real store in a real folder, with a clock that a test sets, and footage files small enough to be made by the hundred. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from 'vitest';
import { verifyAuditLog, type AuditReport } from '../../src/audit/verify.js';
import type { CameraClass } from '../../src/domain/camera.js';
import type { NewHold } from '../../src/domain/hold.js';
import type { Role } from '../../src/domain/user.js';
import type { Clock } from '../../src/platform/clock.js';
import { silentLog } from '../../src/platform/log.js';
import type { RetentionContext } from '../../src/retention/context.js';
import { makeStore, readCheckpoints, readEntries, readFrontier, type Store } from '../../src/store/audit-log.js';
import { noDevice, putCamera } from '../../src/store/cameras.js';
import { openDatabase, type Database } from '../../src/store/database.js';
import { insertHold } from '../../src/store/holds.js';
import { putRoot } from '../../src/store/roots.js';
import { insertSegment } from '../../src/store/segment-inserts.js';
import { insertUser } from '../../src/store/users.js';
import { holdRow } from './holds.js';

export const hour = 3_600_000_000;
export const day = 24 * hour;
/** 2026-06-15T12:00:00Z */
export const june = Date.UTC(2026, 5, 15, 12) * 1000;

export interface TestStore {
  readonly dir: string;
  readonly dataDir: string;
  readonly db: Database;
  readonly store: Store;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** Set by a test to move time. */
  nowUs: number;
  readonly clock: Clock;
  readonly retention: RetentionContext;
  rootPath(id: string): string;
  verify(anchors?: readonly string[]): AuditReport;
}

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp();
});

/** Runs after the test, last first. */
export const afterTest = (cleanUp: () => void): void => {
  cleanUps.push(cleanUp);
};

export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tredive-test-'));
  afterTest(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  return dir;
}

export const origin = 'tredive/test';

export function makeTestStore(options: { readonly nowUs?: number; readonly dir?: string } = {}): TestStore {
  const dir = options.dir ?? tempDir();
  const dataDir = join(dir, 'data');
  const db = openDatabase(join(dataDir, 'tredive.db'));
  afterTest(() => {
    db.close();
  });
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicKey = createPublicKey(privateKey);
  const time = { nowUs: options.nowUs ?? june };
  const clock: Clock = { nowUs: () => time.nowUs, monotonicMs: () => time.nowUs / 1000 };
  const store = makeStore(db, clock, { origin, privateKey });
  store.act('gateway', (note) => {
    note('gateway.initialised', 'gateway', {});
  });
  const rootPath = (id: string): string => join(dir, 'roots', id);
  return {
    dir,
    dataDir,
    db,
    store,
    publicKey,
    privateKey,
    get nowUs() {
      return time.nowUs;
    },
    set nowUs(us: number) {
      time.nowUs = us;
    },
    clock,
    retention: { store, log: silentLog, dataDir, marginUs: 12 * hour, rootPath },
    rootPath,
    verify: (anchors = []) =>
      verifyAuditLog(
        { entries: readEntries(db), checkpoints: readCheckpoints(db), anchors, frontierSize: readFrontier(db).size },
        publicKey,
      ),
  };
}

export function addCamera(
  { store }: Pick<TestStore, 'store'>,
  id: string,
  policy: { class?: CameraClass; retentionDays?: number; retentionReason?: string } = {},
): void {
  store.act('gateway', (note) => {
    putCamera(store.db, {
      cameraId: id,
      label: id,
      class: policy.class ?? 'crime-prevention',
      retentionDays: policy.retentionDays ?? 30,
      retentionReason: policy.retentionReason ?? null,
      purpose: 'test',
      audioAllowed: false,
      origin: 'config',
      adopted: true,
      device: noDevice,
      clock: null,
      createdUs: store.clock.nowUs(),
    });
    note('camera.registered', `camera:${id}`, {});
  });
}

export function addRoot({ store, rootPath }: Pick<TestStore, 'store' | 'rootPath'>, id: string): string {
  const path = rootPath(id);
  mkdirSync(path, { recursive: true });
  store.act('gateway', (note) => {
    const identity = statSync(path, { bigint: true }).ino.toString();
    putRoot(store.db, { id, path, identity, firstSeenUs: store.clock.nowUs() });
    note('config.applied', `root:${id}`, {});
  });
  return path;
}

/** Writes a file and indexes it as footage of `minutes` from `startUs` on. Gives the segment's id. */
export function addSegment(
  { store, rootPath }: Pick<TestStore, 'store' | 'rootPath'>,
  segment: { root?: string; camera: string; path: string; startUs: number; minutes?: number; content?: string },
): number {
  const root = segment.root ?? 'nvr';
  const full = join(rootPath(root), segment.path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, segment.content ?? `footage ${segment.path}`);
  const stat = statSync(full, { bigint: true });
  return store.act('gateway', (note) => {
    note('recordings.indexed', `root:${root}`, { segments: 1 });
    return insertSegment(store.db, {
      rootId: root,
      path: segment.path,
      cameraId: segment.camera,
      startUs: segment.startUs,
      endUs: segment.startUs + (segment.minutes ?? 5) * 60_000_000,
      timeSource: 'name-utc',
      timeQuality: 'agreed',
      timeDisagreementMs: 0,
      sizeBytes: Number(stat.size),
      inode: stat.ino.toString(),
      mtimeUs: Number(stat.mtimeNs / 1000n),
      container: 'mp4',
      codec: 'h264',
      width: 640,
      height: 360,
      frameRate: 10,
      hasAudio: false,
      truncated: false,
      firstSeenUs: store.clock.nowUs(),
    });
  });
}

/** A hold of legal on a reported offence, in force. */
export function addHold(
  { store }: Pick<TestStore, 'store'>,
  hold: { id: string; cameras: string[]; startUs: number; endUs: number; reviewUs?: number },
): NewHold {
  const row = holdRow({
    id: hold.id,
    startUs: hold.startUs,
    endUs: hold.endUs,
    cameraIds: hold.cameras,
    placedUs: store.clock.nowUs(),
    ...(hold.reviewUs !== undefined && { reviewUs: hold.reviewUs }),
  });
  store.act('user:legal', (note) => {
    insertHold(store.db, row);
    note('hold.placed', `hold:${hold.id}`, {});
  });
  return row;
}

export function addUser({ store }: Pick<TestStore, 'store'>, id: string, roles: Role[]): void {
  store.act('operator', (note) => {
    insertUser(store.db, {
      id,
      name: `name of ${id}`,
      roles,
      passwordHash: 'x',
      disabledUs: null,
      createdUs: store.clock.nowUs(),
    });
    note('user.added', `user:${id}`, {});
  });
}
