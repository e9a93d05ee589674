/**
 * The oldest frame on disk against the limit, by camera: the roots are walked, and the index is not asked how old anything is. It
 * is asked one thing afterwards, whether it knows the file at all, because what it does not know no sweep will ever delete.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { defaultPolicy, type CameraPolicy } from '../domain/camera.js';
import { holdCovers, type Hold } from '../domain/hold.js';
import { legalLimitUs, limitFor } from '../domain/retention.js';
import { usPerSecond } from '../domain/time.js';
import { toGatewayError } from '../errors.js';
import { readStamp, walkTree } from '../platform/tree-walk.js';
import { listCameras } from '../store/cameras.js';
import type { Database } from '../store/database.js';
import { activeHolds } from '../store/holds.js';
import { findQuarantine } from '../store/quarantine.js';
import { findRoot } from '../store/roots.js';
import { findByPath } from '../store/segments.js';
import { wallEndIn } from '../store/segments-shown.js';
import type { RootProblem } from './context.js';
import { findOldCopies, type OldCopies } from './old-copies.js';
import { lookAtRoot } from './trust.js';

/** What a name tells of footage; see `recordings/age.ts`, which answers. */
type FootageAge =
  | { readonly kind: 'exact'; readonly cameraId: string; readonly startUs: number }
  | { readonly kind: 'between'; readonly cameraId: string; readonly fromUs: number }
  | { readonly kind: 'unknown'; readonly cameraId: string | null };

/** What the walk asks of a root's layout. */
export interface DiskRoot {
  readonly id: string;
  readonly path: string;
  ageByName(path: string, nowUs: number): FootageAge | { readonly kind: 'none' };
  ageByContent(path: string, nowUs: number): Promise<number | null>;
}

export interface OldestContext {
  readonly db: Database;
  readonly roots: readonly DiskRoot[];
  readonly marginUs: number;
  readonly nowUs: number;
  readonly signal?: AbortSignal;
}

/** From what the age is known. last-write: neither name nor content tells; the frames are no younger than that, and may be older. */
export type AgeSource = 'name' | 'name-day' | 'content' | 'last-write';

export interface OldestFile {
  readonly rootId: string;
  readonly path: string;
  readonly startUs: number;
  readonly source: AgeSource;
  /** When it has to be gone by our own plan, and by the law. */
  readonly dueUs: number;
  readonly legalUs: number;
  /** Until the legal limit; negative once it has passed. */
  readonly leftUs: number;
}

export interface CameraOnDisk {
  /** Null for files of which neither name nor index tells the camera: the limit of 30 days goes for them. */
  readonly cameraId: string | null;
  readonly files: number;
  /** The oldest that no hold keeps, and the oldest that one keeps. */
  readonly oldest: OldestFile | null;
  readonly oldestHeld: OldestFile | null;
  readonly held: number;
  /** Past the legal limit, under no hold. */
  readonly overLimit: number;
  /** Past the limit less the margin, under no hold: for the next sweep. Those over the limit are among them. */
  readonly due: number;
  /** In no table of the index, though written long enough ago. */
  readonly notIndexed: number;
}

export interface OldestOnDisk {
  readonly atUs: number;
  readonly ok: boolean;
  readonly cameras: readonly CameraOnDisk[];
  /** What has to be looked at by a person, the oldest of each camera first; at most `maxNamed`, the counts tell of the rest. */
  readonly findings: readonly (OldestFile & {
    readonly cameraId: string | null;
    readonly what: 'over-limit' | 'not-indexed';
  })[];
  /** Footage in snapshots, recycle bins and versions of a root. */
  readonly copies: readonly OldCopies[];
  /** Roots, and folders in them, of which nothing can be said. */
  readonly problems: readonly RootProblem[];
}

export const maxNamed = 100;
/** A file is given this long after its last write to be found by a scan. */
const graceUs = 6 * 3_600_000_000;
/** Files looked into in one root: a whole archive without times in its names would take hours. Then the last write has to do. */
const maxProbes = 2000;
/** Whoever waits for an answer of the API waits for one slice. */
const sliceMs = 2;
/** A day of 25 hours: clocks are set back on one. */
const longestDayUs = 25 * 3_600_000_000;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

interface Tally {
  readonly seen: Writable<CameraOnDisk>;
  readonly policy: CameraPolicy;
  /** Those in force that are about the camera. */
  readonly holds: readonly Hold[];
  readonly limitUs: number;
}

/**
 * Walks every root. Changes nothing. A root that cannot be read, or is in doubt, is a problem and never "nothing old there".
 * Throws `interrupted` on abort.
 */
export async function findOldest(ctx: OldestContext): Promise<OldestOnDisk> {
  const { db, nowUs } = ctx;
  const tallies = new Map<string | null, Tally>();
  const policies = new Map(listCameras(db).map((camera) => [camera.cameraId, camera]));
  const holds = activeHolds(db, nowUs);
  const tallyOf = (cameraId: string | null): Tally => {
    const known = tallies.get(cameraId);
    if (known !== undefined) return known;
    const policy = policies.get(cameraId ?? '') ?? { cameraId: cameraId ?? '', ...defaultPolicy };
    const counts = { files: 0, held: 0, overLimit: 0, due: 0, notIndexed: 0 };
    const made: Tally = {
      seen: { cameraId, ...counts, oldest: null, oldestHeld: null },
      policy,
      holds: holds.filter((hold) => cameraId !== null && hold.cameraIds.includes(cameraId)),
      limitUs: limitFor(policy, ctx.marginUs).maxAgeUs,
    };
    tallies.set(cameraId, made);
    return made;
  };
  for (const cameraId of policies.keys()) tallyOf(cameraId);
  const found: Found = { tallyOf, findings: [], problems: [] };
  const copies: OldCopies[] = [];
  for (const root of ctx.roots) {
    if (await walkRoot(ctx, root, found)) copies.push(...(await copiesOf(ctx, root, tallyOf, policies)));
  }

  const cameras = [...tallies.values()]
    .map(({ seen }) => seen)
    .sort((a, b) => ((a.cameraId ?? '\uffff') < (b.cameraId ?? '\uffff') ? -1 : 1));
  const ok =
    found.problems.length === 0 &&
    cameras.every(({ overLimit, notIndexed }) => overLimit === 0 && notIndexed === 0) &&
    copies.every(({ overLimit, unseen }) => overLimit === 0 && unseen === null);
  const findings = found.findings.sort((a, b) => a.startUs - b.startUs).slice(0, maxNamed);
  return { atUs: nowUs, ok, cameras, findings, copies, problems: found.problems };
}

interface Found {
  readonly tallyOf: (cameraId: string | null) => Tally;
  readonly findings: OldestOnDisk['findings'][number][];
  readonly problems: RootProblem[];
}

/** False where nothing can be said of the root. */
async function walkRoot(ctx: OldestContext, root: DiskRoot, found: Found): Promise<boolean> {
  const { db } = ctx;
  const problem = (detail: string): void => void found.problems.push({ rootId: root.id, detail });
  // An unmounted disk is an empty folder: that nothing old lies there would be no answer.
  const doubt = findRoot(db, root.id) === null ? null : lookAtRoot(db, root.id, root.path).problem;
  if (doubt !== null) {
    problem(doubt);
    return false;
  }
  const budget = { probes: maxProbes };
  let unreadable = 0;
  let sinceMs = performance.now();
  try {
    for await (const batch of walkTree(root.path, '', ctx.signal)) {
      for (let at = 0; at + 1 < batch.length; at += 2) {
        const record = readStamp(batch[at + 1] ?? '');
        if (record.kind === 'unreadable') {
          unreadable += 1;
          if (unreadable <= 10) problem(`${batch[at] ?? ''} cannot be read: ${record.reason}`);
        }
        if (record.kind !== 'name' || !record.facts.isFile) continue;
        await weigh(ctx, root, { path: batch[at] ?? '', mtimeUs: record.facts.mtimeUs }, found, budget);
        if (performance.now() - sinceMs > sliceMs) {
          await nextTurn();
          sinceMs = performance.now();
        }
      }
    }
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.code !== 'root-untrusted') throw thrown;
    problem(error.message);
    return false;
  }
  if (unreadable > 10) problem(`${unreadable - 10} more folders or files cannot be read`);
  if (budget.probes < 0) {
    problem(`${-budget.probes} files have no time in their names and were not looked into; their last write had to do`);
  }
  ctx.signal?.throwIfAborted();
  return true;
}

/** What others keep of the root, each file judged as in it: a copy of what a hold keeps is no alarm. */
function copiesOf(
  ctx: OldestContext,
  root: DiskRoot,
  tallyOf: Found['tallyOf'],
  policies: ReadonlyMap<string, CameraPolicy>,
): Promise<OldCopies[]> {
  const { nowUs, signal } = ctx;
  return findOldCopies({
    root,
    nowUs,
    isKnown: (cameraId) => policies.has(cameraId),
    ageOf: (path) => {
      const age = root.ageByName(path, nowUs);
      if (age.kind === 'exact') return age;
      return age.kind === 'between' ? { cameraId: age.cameraId, startUs: age.fromUs } : null;
    },
    legalUsOf: ({ cameraId, startUs }) => {
      const known = cameraId !== null && policies.has(cameraId) ? tallyOf(cameraId) : null;
      const range = { cameraId: cameraId ?? '', startUs, endUs: startUs + usPerSecond };
      if (known?.holds.some((hold) => holdCovers(hold, range, nowUs)) === true) return null;
      return legalLimitUs(known?.policy ?? { cameraId: '', ...defaultPolicy }, startUs);
    },
    ...(signal && { signal }),
  });
}

interface DiskFile {
  readonly path: string;
  readonly mtimeUs: number;
}

async function weigh(
  ctx: OldestContext,
  root: DiskRoot,
  file: DiskFile,
  found: Found,
  budget: { probes: number },
): Promise<void> {
  const { db, nowUs } = ctx;
  const age = root.ageByName(file.path, nowUs);
  if (age.kind === 'none') return;
  const { cameraId } = age;
  const tally = found.tallyOf(cameraId);
  const { seen, holds } = tally;
  seen.files += 1;
  const { startUs, source } = await ageOf(ctx, root, file, { age, tally, budget });
  const legalUs = legalLimitUs(tally.policy, startUs);
  const dueUs = startUs + tally.limitUs;
  const one = { rootId: root.id, path: file.path, startUs, source, dueUs, legalUs, leftUs: legalUs - nowUs };
  if (holds.length > 0 && isHeld(db, holds, cameraId, one, nowUs)) {
    seen.held += 1;
    if (seen.oldestHeld === null || startUs < seen.oldestHeld.startUs) seen.oldestHeld = one;
  } else {
    if (seen.oldest === null || startUs < seen.oldest.startUs) seen.oldest = one;
    if (nowUs >= dueUs) seen.due += 1;
    if (nowUs >= legalUs) {
      seen.overLimit += 1;
      addFinding(found, { ...one, cameraId, what: 'over-limit' });
    }
  }
  if (nowUs - file.mtimeUs > graceUs && !isKnown(db, root.id, file.path)) {
    seen.notIndexed += 1;
    addFinding(found, { ...one, cameraId, what: 'not-indexed' });
  }
}

/**
 * The file is opened only where its name does not tell, and where the answer can matter: of a day whose first instant is younger
 * than what was found already, nobody needs the hour.
 */
async function ageOf(
  ctx: OldestContext,
  root: DiskRoot,
  { path, mtimeUs }: DiskFile,
  { age, tally, budget }: { age: FootageAge; tally: Tally; budget: { probes: number } },
): Promise<{ startUs: number; source: AgeSource }> {
  const { nowUs } = ctx;
  if (age.kind === 'exact') return { startUs: age.startUs, source: 'name' };
  const fromUs = age.kind === 'between' ? age.fromUs : null;
  const byName = { startUs: fromUs ?? 0, source: 'name-day' } as const;
  const oldestUs = tally.seen.oldest?.startUs ?? Number.MAX_SAFE_INTEGER;
  if (fromUs !== null && fromUs >= oldestUs && nowUs < fromUs + tally.limitUs) return byName;
  budget.probes -= 1;
  const contentUs = budget.probes < 0 ? null : await root.ageByContent(path, nowUs);
  // No frame is younger than the last write to its file. A copy made later has a later one: that is why it comes last.
  const writeUs = Math.min(mtimeUs, nowUs);
  if (fromUs === null) {
    return contentUs !== null && contentUs <= writeUs
      ? { startUs: contentUs, source: 'content' }
      : { startUs: writeUs, source: 'last-write' };
  }
  const within = (us: number): boolean => us >= fromUs && us < fromUs + longestDayUs;
  if (contentUs !== null && within(contentUs)) return { startUs: contentUs, source: 'content' };
  return within(writeUs) ? { startUs: writeUs, source: 'last-write' } : byName;
}

function isHeld(
  db: Database,
  holds: readonly Hold[],
  cameraId: string | null,
  file: OldestFile,
  nowUs: number,
): boolean {
  if (cameraId === null) return false;
  // How far it reaches only the index knows. Of a file that is not in it, no more than its first second can count as held.
  const row = findByPath(db, file.rootId, file.path);
  const endUs = row?.cameraId === cameraId ? wallEndIn(db, row).latestEndUs : file.startUs + usPerSecond;
  const range = { cameraId, startUs: file.startUs, endUs: Math.max(endUs, file.startUs + 1) };
  return holds.some((hold) => holdCovers(hold, range, nowUs));
}

const isKnown = (db: Database, rootId: string, path: string): boolean =>
  findByPath(db, rootId, path) !== null || findQuarantine(db, rootId, path) !== null;

/** Keeps the oldest, without holding a million of them. */
function addFinding(found: Found, one: OldestOnDisk['findings'][number]): void {
  found.findings.push(one);
  if (found.findings.length < 20 * maxNamed) return;
  found.findings.sort((a, b) => a.startUs - b.startUs);
  found.findings.length = maxNamed;
}
