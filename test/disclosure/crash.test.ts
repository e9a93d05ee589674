/**
 * A crash at every step. Before and after each change of the disk the whole state is taken - files and database - which is
 * what a kill at that moment leaves; each of these states is then opened like at a start, and must end whole.
 */
import type * as Fs from 'node:fs';
import type * as FsPromises from 'node:fs/promises';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';

const steps = vi.hoisted(() => ({ seen: null as null | ((step: string) => void) }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof FsPromises>();
  const around = (name: 'rename' | 'link' | 'mkdir' | 'copyFile' | 'rm' | 'open'): object => ({
    [name]: async (...args: unknown[]) => {
      const reads = name === 'open' && args[1] !== 'w';
      if (!reads) steps.seen?.(`before ${name} ${String(args[0])}`);
      const result: unknown = await (real[name] as (...all: unknown[]) => Promise<unknown>)(...args);
      if (!reads) steps.seen?.(`after ${name} ${String(args[0])}`);
      return result;
    },
  });
  return {
    ...real,
    ...around('rename'),
    ...around('link'),
    ...around('mkdir'),
    ...around('copyFile'),
    ...around('rm'),
    ...around('open'),
  };
});
vi.mock('node:fs', async (original) => {
  const real = await original<typeof Fs>();
  return {
    ...real,
    rmSync: (...args: Parameters<typeof real.rmSync>) => {
      steps.seen?.(`before rmSync ${String(args[0])}`);
      real.rmSync(...args);
      steps.seen?.(`after rmSync ${String(args[0])}`);
    },
  };
});

const { closeRequest } = await import('../../src/disclosure/close.js');
const { decideRequest } = await import('../../src/disclosure/decide.js');
const { setMasks } = await import('../../src/disclosure/masks.js');
const { packageRequest } = await import('../../src/disclosure/package.js');
const { prepareRequest } = await import('../../src/disclosure/prepare.js');
const { cleanUpAfterCrash } = await import('../../src/disclosure/recovery.js');
const { createRequest } = await import('../../src/disclosure/request.js');
const { verifyPackage } = await import('../../src/evidence/verify.js');
const { sha256File } = await import('../../src/platform/durable-file.js');
const { countEvents, makeStore } = await import('../../src/store/audit-log.js');
const { openDatabase } = await import('../../src/store/database.js');
const { derivedOfRequest } = await import('../../src/store/derived-files.js');
const { holdOfRequest } = await import('../../src/store/holds.js');
const { openTasks } = await import('../../src/store/tasks.js');
const { getRequest, itemsOf } = await import('../../src/store/requests.js');
const { addCamera, addSegment, approved, filesBelow, makeWorld, noonUs, noTerms, packaged, scopeFor, seconds } =
  await import('../helpers/disclosure.js');
const { tempFolder } = await import('../helpers/site.js');
type World = ReturnType<typeof makeWorld>;

beforeEach(() => {
  steps.seen = null;
});

interface Crash {
  readonly step: string;
  readonly dataDir: string;
}

/** Every state that a kill during `act` could leave. */
async function crashesDuring(world: World, act: () => unknown): Promise<Crash[]> {
  const place = tempFolder();
  const crashes: Crash[] = [];
  let written = -1;
  const take = (step: string): void => {
    // Before a step the disk is as after the one before it: only worth a look where the database has changed in between.
    const changes = world.store.db.prepare('SELECT total_changes()').pluck().get() as number;
    if (step.startsWith('before') && changes === written) return;
    written = changes;
    const { seen } = steps;
    steps.seen = null;
    const dataDir = join(place, String(crashes.length));
    mkdirSync(dataDir);
    for (const folder of ['requests', 'packages', 'records']) {
      if (existsSync(join(world.dataDir, folder))) {
        cpSync(join(world.dataDir, folder), join(dataDir, folder), { recursive: true });
      }
    }
    writeFileSync(join(dataDir, 'tredive.db'), world.store.db.serialize());
    crashes.push({ step: step.replace(world.dataDir, ''), dataDir });
    steps.seen = seen;
  };
  steps.seen = take;
  await act();
  steps.seen = null;
  take('after everything');
  return crashes;
}

/** The gateway as it starts on such a state, half a minute later. */
async function restart(world: World, { dataDir }: Crash): Promise<World> {
  const db = openDatabase(join(dataDir, 'tredive.db'));
  onTestFinished(() => {
    db.close();
  });
  const us = world.clock.us + seconds(31);
  const clock = { us, nowUs: () => clock.us, monotonicMs: () => 0 };
  const store = makeStore(db, clock, world.ctx.audit);
  const again: World = { ...world, clock, store, dataDir, ctx: { ...world.ctx, store, dataDir } };
  await cleanUpAfterCrash(again.ctx);
  const events = countEvents(db);
  await cleanUpAfterCrash(again.ctx);
  expect(countEvents(db), 'a second clean-up finds nothing to do').toBe(events);
  return again;
}

/** What is registered is what is there, and what an item names is what was hashed. */
async function expectWhole(world: World, id: string): Promise<void> {
  const { db } = world.store;
  expect(getRequest(db, id).workerLeaseUs).toBeNull();
  const registered = derivedOfRequest(db, id)
    .filter((file) => file.path.startsWith('requests/'))
    .map((file) => file.path.slice('requests/'.length));
  expect([...registered].sort()).toEqual(filesBelow(world, 'requests'));
  if (['closed', 'refused'].includes(getRequest(db, id).state)) return;
  for (const item of itemsOf(db, id)) {
    expect(await sha256File(join(world.dataDir, item.originalPath))).toBe(item.sha256);
    expect(await sha256File(join(world.dataDir, item.planPath))).toBe(item.planSha256);
    expect(await sha256File(join(world.dataDir, item.redactedPath))).toBe(item.redactedSha256);
  }
}

const longTest = { timeout: 240_000 };

test('while preparing', longTest, async () => {
  const world = makeWorld();
  addCamera(world, 'lobby');
  addSegment(world, 'lobby', noonUs);
  addSegment(world, 'lobby', noonUs + seconds(2));
  const { id } = createRequest(world.ctx, world.sofie, scopeFor()).request;
  const crashes = await crashesDuring(world, () => prepareRequest(world.ctx, world.sofie, id));
  expect(crashes.length).toBeGreaterThan(20);
  const states = new Set<string>();
  for (const crash of crashes) {
    const again = await restart(world, crash);
    const { state } = getRequest(again.store.db, id);
    states.add(state);
    await expectWhole(again, id);
    if (state === 'prepared') continue;
    expect(state, crash.step).toBe('preparation-failed');
    expect(filesBelow(again, 'requests'), crash.step).toEqual([]);
    expect((await prepareRequest(again.ctx, again.sofie, id)).state).toBe('prepared');
    await expectWhole(again, id);
  }
  expect([...states].sort()).toEqual(['preparation-failed', 'prepared']);
});

test('while changing masks', longTest, async () => {
  const world = makeWorld();
  const id = await approved(world);
  const before = itemsOf(world.store.db, id)[0]?.redactedSha256;
  const decisions = { keepVisible: [{ trackId: 1 }], drawn: [] };
  const crashes = await crashesDuring(world, () =>
    setMasks(world.ctx, world.lars, id, [
      { position: 0, decisions },
      { position: 1, decisions },
    ]),
  );
  const outcomes = new Set<string>();
  for (const crash of crashes) {
    const again = await restart(world, crash);
    const { state, failure, approvalHash } = getRequest(again.store.db, id);
    const isNew = itemsOf(again.store.db, id)[0]?.redactedSha256 !== before;
    outcomes.add(isNew ? 'new' : 'old');
    expect({ state, approvalHash }, crash.step).toEqual({ state: 'prepared', approvalHash: null });
    expect(failure === null, crash.step).toBe(isNew);
    await expectWhole(again, id);
  }
  expect([...outcomes].sort()).toEqual(['new', 'old']);
});

test('while packaging', longTest, async () => {
  const world = makeWorld();
  const id = await approved(world);
  const crashes = await crashesDuring(world, () => packageRequest(world.ctx, world.sofie, id));
  const states: string[] = [];
  for (const crash of crashes) {
    const again = await restart(world, crash);
    const { state } = getRequest(again.store.db, id);
    states.push(state);
    if (state === 'approved') {
      expect(filesBelow(again, 'packages'), crash.step).toEqual([]);
      expect(derivedOfRequest(again.store.db, id).filter((file) => file.path.startsWith('packages/'))).toEqual([]);
      await packageRequest(again.ctx, again.sofie, id);
    }
    expect(getRequest(again.store.db, id).state, crash.step).toBe('packaged');
    for (const path of [`packages/${id}`, `packages/${id}.zip`]) {
      const { checks } = await verifyPackage(join(again.dataDir, path));
      expect(
        checks.filter((check) => !check.ok),
        `${crash.step}: ${path}`,
      ).toEqual([]);
    }
    expect(filesBelow(again, 'packages').filter((name) => name.includes('.partial'))).toEqual([]);
    expect(
      derivedOfRequest(again.store.db, id)
        .map((file) => file.path)
        .filter((path) => path.startsWith('packages/'))
        .sort(),
    ).toEqual([`packages/${id}`, `packages/${id}.zip`]);
    await expectWhole(again, id);
  }
  // Both sides of the event were hit, and the log never came after the package.
  expect(states[0]).toBe('approved');
  expect(states.at(-1)).toBe('packaged');
  expect(states.lastIndexOf('approved')).toBeLessThan(states.indexOf('packaged'));
  expect(states.filter((state) => state === 'packaged').length).toBeGreaterThan(5);
});

test('while closing', longTest, async () => {
  const world = makeWorld();
  const { id } = await packaged(world);
  const crashes = await crashesDuring(world, () => closeRequest(world.ctx, world.sofie, id, 'received'));
  for (const crash of crashes) {
    const again = await restart(world, crash);
    if (getRequest(again.store.db, id).state === 'packaged') await closeRequest(again.ctx, 'gateway', id, 'expired');
    expect(getRequest(again.store.db, id).state, crash.step).toBe('closed');
    expect([...filesBelow(again, 'packages'), ...filesBelow(again, 'requests')], crash.step).toEqual([]);
    expect(derivedOfRequest(again.store.db, id)).toEqual([]);
    expect(holdOfRequest(again.store.db, id)?.liftedUs).not.toBeNull();
  }
});

test('while refusing', longTest, async () => {
  const world = makeWorld();
  const id = await approved(world);
  const crashes = await crashesDuring(world, () =>
    decideRequest(world.ctx, world.lars, id, { approve: false, reason: 'no ground', terms: noTerms }),
  );
  for (const crash of crashes) {
    const again = await restart(world, crash);
    expect(getRequest(again.store.db, id).state).toBe('refused');
    expect(filesBelow(again, 'requests'), crash.step).toEqual([]);
    await expectWhole(again, id);
  }
});

test('copies that an older database does not know are removed, and nothing else', async () => {
  const world = makeWorld();
  const id = await approved(world);
  for (const path of ['requests/r-0123456789abcdef', 'packages/r-0123456789abcdef', 'packages/somebodys-folder']) {
    mkdirSync(join(world.dataDir, path), { recursive: true });
    writeFileSync(join(world.dataDir, path, 'clip.mp4'), 'footage');
  }
  writeFileSync(join(world.dataDir, 'packages/r-0123456789abcdef.zip'), 'footage');
  await cleanUpAfterCrash(world.ctx);
  expect(filesBelow(world, 'packages')).toEqual(['somebodys-folder/clip.mp4']);
  await expectWhole(world, id);
});

test('a package whose .partial was damaged meanwhile is not finished; a task says so, and the gateway starts', async () => {
  const world = makeWorld();
  const id = await approved(world);
  const crashes = await crashesDuring(world, () => packageRequest(world.ctx, world.sofie, id));
  const crash = crashes.find(
    ({ step, dataDir }) =>
      step.startsWith('after open') && step.endsWith('.zip.partial') && existsSync(join(dataDir, 'packages')),
  );
  expect(crash).toBeDefined();
  if (crash === undefined) return;
  const path = join(crash.dataDir, `packages/${id}.partial/manifest.json`);
  writeFileSync(path, readFileSync(path, 'utf8').replace('theft', 'thEft'));
  const again = await restart(world, crash);
  expect(openTasks(again.store.db)).toMatchObject([{ kind: 'disclosure-clean-up', subject: `request:${id}` }]);
  expect(existsSync(join(again.dataDir, `packages/${id}`))).toBe(false);
  await expect(packageRequest(again.ctx, again.sofie, id)).rejects.toMatchObject({ code: 'verification-failed' });
  await closeRequest(again.ctx, again.sofie, id, 'withdrawn');
  expect(openTasks(again.store.db)).toEqual([]);
  expect(filesBelow(again, 'packages')).toEqual([]);
});
