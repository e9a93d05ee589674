/** Compares roots with the index, both ways, once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError, toGatewayError } from '../errors.js';
import type { Segment } from '../domain/segment.js';
import { listQuarantine, removeQuarantine } from '../store/quarantine.js';
import { markScanned } from '../store/roots.js';
import { markMissing, segmentsOfRoot, setSegmentState } from '../store/segments.js';
import { openTask } from '../store/tasks.js';
import type { RecordingRoot, RecordingsContext } from './context.js';
import { deservesAnotherLook, examine, sameFile, statOf, type Examined, type FileStat } from './examine.js';
import { ingest } from './ingest.js';
import { rootProblem } from './roots.js';
import { walk } from './walk.js';

export interface ScanResult {
  /** In the index and on disk, all roots. */
  readonly segments: number;
  readonly added: number;
  readonly unchanged: number;
  readonly changed: number;
  /** Everything that lies in quarantine now. */
  readonly quarantined: readonly {
    readonly root: string;
    readonly path: string;
    readonly reason: string;
    readonly detail: string;
  }[];
  /** In the index, not on disk, and not deleted by the gateway. */
  readonly missing: number;
  /** Still being written; indexed by a later scan, or by the watcher. */
  readonly waiting: readonly { readonly root: string; readonly path: string }[];
  /** Folders and files that could not be read. */
  readonly unreadable: readonly { readonly root: string; readonly path: string; readonly reason: string }[];
  /** Roots that were left alone because they are not what they were. */
  readonly refused: readonly { readonly rootId: string; readonly reason: string }[];
  readonly seconds: number;
}

export interface ScanRun {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { done: number; total: number | null }) => void;
}

const batchSize = 500;
const probesAtOnce = 4;

type Known = Pick<Segment, 'id' | 'sizeBytes' | 'inode' | 'mtimeUs' | 'state' | 'cameraId'>;

/** Indexes every root once. A root in doubt is left as it is and named in `refused`; if all are, that is an error. */
export async function scanRoots(ctx: RecordingsContext, run: ScanRun = {}): Promise<ScanResult> {
  const began = ctx.store.clock.monotonicMs();
  const total: {
    -readonly [K in keyof ScanResult]: ScanResult[K] extends number
      ? number
      : ScanResult[K][keyof ScanResult[K] & number][];
  } = {
    segments: 0,
    added: 0,
    unchanged: 0,
    changed: 0,
    quarantined: [],
    missing: 0,
    waiting: [],
    unreadable: [],
    refused: [],
    seconds: 0,
  };
  let done = 0;
  for (const root of ctx.roots) {
    const problem = rootProblem(ctx.store.db, root.id, root.path);
    if (problem !== null) {
      ctx.log.error({ root: root.id, problem }, 'a root was not scanned');
      raiseRootTask(ctx, root, problem);
      total.refused.push({ rootId: root.id, reason: problem });
      continue;
    }
    const scan = await scanRoot(ctx, root, run, () => {
      done += 1;
      if (done % 20 === 0) run.onProgress?.({ done, total: null });
    });
    total.added += scan.added;
    total.changed += scan.changed;
    total.unchanged += scan.unchanged;
    total.waiting.push(...scan.waiting.map((path) => ({ root: root.id, path })));
    total.unreadable.push(...scan.unreadable.map((one) => ({ root: root.id, ...one })));
    total.quarantined.push(
      ...listQuarantine(ctx.store.db, root.id).map(({ path, reason, detail }) => ({
        root: root.id,
        path,
        reason,
        detail,
      })),
    );
    for (const segment of segmentsOfRoot(ctx.store.db, root.id))
      total[segment.state === 'missing' ? 'missing' : 'segments'] += 1;
  }
  const [first] = total.refused;
  if (first !== undefined && total.refused.length === ctx.roots.length) {
    throw new GatewayError('root-untrusted', total.refused.map((one) => one.reason).join('\n'), {
      remedy: 'Nothing was changed. Mount the right folder, or correct the configuration.',
    });
  }
  return { ...total, seconds: (ctx.store.clock.monotonicMs() - began) / 1000 };
}

function raiseRootTask(ctx: RecordingsContext, root: RecordingRoot, problem: string): void {
  ctx.store.act('gateway', (note) => {
    openTask(ctx.store.db, {
      kind: 'root-untrusted',
      subject: `root:${root.id}`,
      detail: problem,
      createdUs: ctx.store.clock.nowUs(),
    });
    note('recordings.missing', `root:${root.id}`, { refused: true });
  });
}

interface RootScan {
  added: number;
  changed: number;
  unchanged: number;
  waiting: string[];
  unreadable: { path: string; reason: string }[];
}

async function scanRoot(
  ctx: RecordingsContext,
  root: RecordingRoot,
  run: ScanRun,
  tick: () => void,
): Promise<RootScan> {
  const { db, clock } = ctx.store;
  const result: RootScan = { added: 0, changed: 0, unchanged: 0, waiting: [], unreadable: [] };
  const known = new Map<string, Known>();
  for (const { path, id, sizeBytes, inode, mtimeUs, state, cameraId } of segmentsOfRoot(db, root.id)) {
    known.set(path, { id, sizeBytes, inode, mtimeUs, state, cameraId });
  }
  const quarantine = new Map(listQuarantine(db, root.id).map((row) => [row.path, row]));

  const batch: Examined[] = [];
  const flush = (): void => {
    const { added, changed } = ingest(ctx, root, batch.splice(0));
    result.added += added;
    result.changed += changed;
  };
  const look = async (path: string, calm: boolean): Promise<Examined> => {
    const found = await examine(ctx, root, path, calm);
    if (found.kind === 'segment' || found.kind === 'quarantined') batch.push(found);
    if (batch.length >= batchSize) flush();
    return found;
  };

  /** Written to a moment ago: looked at again when they have had time to be finished. */
  const recent: { path: string; stat: FileStat }[] = [];
  const seen = new Set<string>();
  const calmBeforeUs = clock.nowUs() - ctx.quietMs * 1000;
  const visit = async (path: string): Promise<void> => {
    tick();
    seen.add(path);
    const row = known.get(path);
    // Being deleted: its own recovery finishes that.
    if (row?.state === 'deleting') return;
    const stat = await statOf(root, path);
    if (stat === null) {
      // A name that is not UTF-8 is there and cannot be asked for: `examine` says so.
      if (path.includes('\uFFFD')) await look(path, true);
      else seen.delete(path);
      return;
    }
    if (row !== undefined && row.state === 'indexed' && sameFile(row, stat)) {
      result.unchanged += 1;
      return;
    }
    const held = quarantine.get(path);
    if (held !== undefined && sameFile(held, stat) && !deservesAnotherLook(root, held, clock.nowUs())) return;
    const found = await look(path, stat.mtimeUs <= calmBeforeUs);
    // Of no concern by the layout that is configured now: it leaves the quarantine with what is gone.
    if (found.kind === 'nothing' && held !== undefined) seen.delete(path);
    if (found.kind === 'open') recent.push({ path, stat: found.stat });
  };

  const paths = walk(root.path, '', (problem) => result.unreadable.push(problem), run.signal);
  // One generator, several takers: each takes the next name when it is done with its last.
  const take = async (): Promise<void> => {
    for (let next = await paths.next(); next.done !== true; next = await paths.next()) {
      const path = next.value;
      try {
        await visit(path);
      } catch (error) {
        // One name that the disk gives no answer about is no reason to leave the rest unindexed. Our own failures are.
        if (!isSystemError(error)) throw error;
        result.unreadable.push({ path, reason: toGatewayError(error).message });
      }
    }
  };
  await Promise.all(Array.from({ length: probesAtOnce }, take));
  flush();

  if (recent.length > 0) {
    await sleep(ctx.quietMs, undefined, run.signal === undefined ? {} : { signal: run.signal });
    for (const { path, stat } of recent) {
      const now = await statOf(root, path);
      const found = now === null ? null : await look(path, sameFile(stat, now));
      if (found?.kind === 'open') result.waiting.push(path);
    }
    flush();
  }
  reconcile(ctx, root, { known, seen, quarantine: [...quarantine.keys()], unreadable: result.unreadable });
  return result;
}

/** An errno of the file system, as from `lstat`; SQLite's errors have codes of their own. */
const isSystemError = (error: unknown): boolean =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).errno === 'number';

/** The other way round: what the index knows and the walk did not meet. Names below an unreadable folder are not judged. */
function reconcile(
  ctx: RecordingsContext,
  root: RecordingRoot,
  walked: {
    known: ReadonlyMap<string, Known>;
    seen: ReadonlySet<string>;
    quarantine: readonly string[];
    unreadable: readonly { path: string }[];
  },
): void {
  const { db, clock } = ctx.store;
  const unknown = (path: string): boolean =>
    walked.unreadable.some((folder) => folder.path === '' || path.startsWith(`${folder.path}/`));
  const gone = [...walked.known].filter(
    ([path, row]) => row.state === 'indexed' && !walked.seen.has(path) && !unknown(path),
  );
  const back = [...walked.known].filter(([path, row]) => row.state === 'missing' && walked.seen.has(path));
  const leftQuarantine = walked.quarantine.filter((path) => !walked.seen.has(path) && !unknown(path));
  ctx.store.act('gateway', (note) => {
    const cameras: Record<string, number> = {};
    for (const [, row] of gone) {
      if (markMissing(db, row.id, clock.nowUs())) cameras[row.cameraId] = (cameras[row.cameraId] ?? 0) + 1;
    }
    for (const [cameraId, segments] of Object.entries(cameras)) {
      openTask(db, {
        kind: 'footage-missing',
        subject: `camera:${cameraId}`,
        detail: `${segments} segments of camera "${cameraId}" are gone, and not by the gateway. Find out who deleted them, and whether the recorder keeps footage long enough.`,
        createdUs: clock.nowUs(),
      });
    }
    if (Object.keys(cameras).length > 0) note('recordings.missing', `root:${root.id}`, { cameras });
    for (const [, row] of back) setSegmentState(db, row.id, 'indexed');
    if (back.length > 0) note('recordings.returned', `root:${root.id}`, { segments: back.length });
    for (const path of leftQuarantine) removeQuarantine(db, root.id, path);
    markScanned(db, root.id, clock.nowUs());
    note('recordings.indexed', `root:${root.id}`, {
      complete: walked.unreadable.length === 0,
      names: walked.seen.size,
      leftQuarantine: leftQuarantine.length,
    });
  });
}
