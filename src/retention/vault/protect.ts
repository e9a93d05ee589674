/**
 * Held footage is copied into the gateway's own store, because a recorder may delete by itself. One run:
 *
 * 1. What a crash left is cleared up, and copies that the database does not know are taken over (leftovers.ts).
 * 2. A batch of rows, one transaction: derived_file, vault_copy in "copying", event `vault.begun`.
 * 3. Each copy is made (copy-here.ts): bytes, sync, read back, folder under its name. A crash leaves a row in "copying".
 * 4. One transaction: the copy is "whole", an older one of the same segment is "removing"; event `vault.copied`.
 * 5. Copies that no hold covers any more go (release.ts).
 * 6. The recorder's files and the copies are looked at, and alarms raised (watch-originals.ts).
 */
import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { initOf } from '../../domain/fragment.js';
import type { Segment } from '../../domain/segment.js';
import { GatewayError, toGatewayError } from '../../errors.js';
import { takeLock } from '../../store/process-lock.js';
import { closeTask, openTask, openTasks } from '../../store/tasks.js';
import { beginCopy, type VaultMethod } from '../../store/vault-copies.js';
import { fileState, lookAtRoot } from '../trust.js';
import { cardOf } from './card.js';
import { vaultFolder, type VaultContext, type VaultResult, type VaultRun } from './context.js';
import { assertRoom, restingMs } from './copy-here.js';
import { makeCopier, type Copier } from './copy-thread.js';
import { sizeOf, unprotectedSegments } from './held.js';
import { clearLeftovers, dropBegun } from './leftovers.js';
import { registerCopy } from './register.js';
import { releaseUnheld, removeCopies } from './release.js';
import { watchOriginals } from './watch-originals.js';

/** Rows that are entered in one transaction before their copies are made. */
const batchSize = 20;

const fullTask = { kind: 'vault-full', subject: 'gateway:vault' } as const;
const failingTask = { kind: 'vault-failing', subject: 'gateway:vault' } as const;
const lostKind = 'held-footage-lost';

/**
 * Protects everything that is held, gives back what is held no longer, and raises alarms. Never throws for a file that cannot be
 * copied: that is in `failed`, has a task, and is tried again. Where another process is at it, it does nothing and says so.
 */
export async function protectHeld(ctx: VaultContext, run: VaultRun = {}): Promise<VaultResult> {
  const release = takeLock(join(ctx.dataDir, 'vault.lock'));
  if (release === null) {
    const waiting = unprotectedSegments(ctx.store);
    return { ...nothingDone, ...waitingOf(waiting), refused: 'another process is at it' };
  }
  let readBytes = 0;
  let tell = (): void => undefined;
  const copier = (ctx.makeCopier ?? makeCopier)(run.signal, (bytes) => {
    readBytes += bytes;
    tell();
  });
  try {
    try {
      await clearLeftovers(ctx, run, copier);
    } catch (error) {
      // What lies there from before is no reason to leave what is held now without a copy.
      ctx.log.error({ err: toGatewayError(error) }, 'what a crash left in the vault could not be cleared up');
    }
    const todo = unprotectedSegments(ctx.store);
    const tally: Tally = { copied: 0, failures: [] };
    tell = () => run.onProgress?.({ copied: tally.copied, waiting: todo.length - tally.copied, readBytes });
    for (let at = 0; at < todo.length && run.signal?.aborted !== true; at += batchSize) {
      await protectBatch(ctx, run, copier, todo.slice(at, at + batchSize), tally);
      if (tally.failures.some(({ error }) => error.code === 'disk-full')) break;
    }
    noteFailures(ctx, tally.failures);
    const removed = await releaseUnheld(ctx, run);
    const seen = await watchOriginals(ctx, run, copier);
    return {
      copied: tally.copied,
      ...waitingOf(unprotectedSegments(ctx.store)),
      failed: tally.failures.map(({ segment, error }) => ({
        segmentId: segment.id,
        path: segment.path,
        reason: error.message,
      })),
      removed,
      ...seen,
      refused: null,
    };
  } finally {
    await copier.close();
    release();
  }
}

const nothingDone = { copied: 0, failed: [], removed: 0, originalsLost: 0, damaged: 0 } as const;

const waitingOf = (segments: readonly Segment[]): Pick<VaultResult, 'waiting' | 'waitingBytes'> => ({
  waiting: segments.length,
  waitingBytes: sizeOf(segments),
});

interface Failure {
  readonly segment: Segment;
  readonly error: GatewayError;
}

interface Tally {
  copied: number;
  readonly failures: Failure[];
}

interface Begun {
  readonly segment: Segment;
  readonly derivedId: number;
  readonly path: string;
  readonly fileName: string;
}

/** What a player knows the container by; nothing that could be more than that. */
const extensionOf = (path: string): string => /\.[A-Za-z0-9]{1,8}$/.exec(path)?.[0].toLowerCase() ?? '';

async function protectBatch(
  ctx: VaultContext,
  run: VaultRun,
  copier: Copier,
  segments: readonly Segment[],
  tally: Tally,
): Promise<void> {
  const { store } = ctx;
  // What cannot be copied now anyway is not begun: it would be entered and struck out again every minute, for weeks perhaps.
  const able = segments.filter((segment) => {
    const error = hindrance(ctx, segment);
    if (error !== null) tally.failures.push({ segment, error });
    return error === null;
  });
  if (able.length === 0) return;
  const begun = store.act('gateway', (note): Begun[] => {
    const entered = able.map((segment) => {
      const path = `${vaultFolder}/s${segment.id}-${randomBytes(6).toString('hex')}`;
      const fileName = `footage${extensionOf(segment.path)}`;
      const derivedId = beginCopy(store.db, { path, fileName, segmentId: segment.id, createdUs: store.clock.nowUs() });
      return { segment, derivedId, path, fileName };
    });
    note('vault.begun', 'gateway:vault', {
      copies: entered.map(({ derivedId, segment }) => ({ copy: derivedId, segment: segment.id })),
    });
    return entered;
  });
  run.onStep?.('copies-begun');
  const unmade: Begun[] = [];
  let full = false;
  for (const one of begun) {
    // A full disk stays full for the rest too; a smaller file must not take the room of one that waits for it.
    if (full || run.signal?.aborted === true) {
      unmade.push(one);
      continue;
    }
    try {
      await protectOne(ctx, run, copier, one);
      tally.copied += 1;
    } catch (error) {
      const failure = toGatewayError(error);
      unmade.push(one);
      // Released or deleted meanwhile: nobody misses it.
      if (failure.code === 'interrupted' || failure.code === 'conflict') continue;
      // The copy may be whole: the next run finds it, and its row.
      if (failure.code === 'database-failed' || failure.code === 'audit-unwritable') throw failure;
      full = failure.code === 'disk-full';
      tally.failures.push({ segment: one.segment, error: failure });
    }
  }
  await dropBegun(
    ctx,
    unmade.map(({ derivedId }) => derivedId),
  );
}

/** Why a copy cannot be made now, or null, by a look from the outside. */
function hindrance(ctx: VaultContext, segment: Segment): GatewayError | null {
  const { db } = ctx.store;
  const root = lookAtRoot(db, segment.rootId, ctx.rootPath(segment.rootId));
  if (root.problem !== null) return new GatewayError('root-untrusted', root.problem);
  try {
    switch (fileState(root.path, segment)) {
      case 'absent':
        return new GatewayError('footage-gone', `The recording is not on disk any more: ${segment.path}.`);
      case 'other':
        return new GatewayError('segment-changed', `${segment.path} is not the file that was indexed.`, {
          details: { resting: !wasTouched(join(root.path, segment.path)) },
        });
      case 'as-indexed':
        break;
    }
    if (!openTasks(db).some(({ kind }) => kind === fullTask.kind)) return null;
    assertRoom(ctx.dataDir, segment.sizeBytes, ctx.reserveBytes);
    return null;
  } catch (error) {
    return toGatewayError(error, `looking at ${segment.path}`);
  }
}

const wasTouched = (path: string): boolean => Date.now() - lstatSync(path).mtimeMs < restingMs;

async function protectOne(
  ctx: VaultContext,
  run: VaultRun,
  copier: Copier,
  { segment, derivedId, path, fileName }: Begun,
): Promise<void> {
  const root = lookAtRoot(ctx.store.db, segment.rootId, ctx.rootPath(segment.rootId));
  if (root.problem !== null) throw new GatewayError('root-untrusted', root.problem);
  const linkable = ctx.neverRewritten(segment.rootId);
  const methods: VaultMethod[] = linkable ? ['reflink', 'hard-link', 'copy'] : ['reflink', 'copy'];
  const { inode, sizeBytes, mtimeUs } = segment;
  const made = await copier.copy({
    what: 'copy',
    root: root.path,
    path: segment.path,
    expected: { inode, sizeBytes, mtimeUs },
    init: initOf(segment.path),
    folder: join(ctx.dataDir, path),
    fileName,
    methods,
    reserveBytes: ctx.reserveBytes,
    card: cardOf(segment),
  });
  run.onStep?.('copy-made');
  const replaced = registerCopy(ctx, segment, derivedId, made);
  run.onStep?.('copy-registered');
  if (replaced) await removeCopies(ctx, run);
}

/** A task for each kind of trouble, opened once with its event, and closed when it is over. */
function noteFailures(ctx: VaultContext, failures: readonly Failure[]): void {
  const { store, log } = ctx;
  const { db } = store;
  // A file that is written to just now, or replaced a moment ago: the next scan knows it as it is, and it is tried again then.
  const serious = failures.filter(
    ({ error }) => error.code !== 'segment-changed' || error.details?.['resting'] !== false,
  );
  const full = serious.find(({ error }) => error.code === 'disk-full');
  const gone = serious.filter(({ error }) => error.code === 'footage-gone');
  const others = serious.filter(({ error }) => error.code !== 'disk-full' && error.code !== 'footage-gone');
  const waiting = unprotectedSegments(store);
  const nowUs = store.clock.nowUs();
  const wanted = new Map<string, { kind: string; subject: string; detail: string; code: string; segments: number[] }>();
  const want = (task: { kind: string; subject: string }, detail: string, of: readonly Failure[]): void => {
    const [first] = of;
    if (first === undefined) return;
    wanted.set(`${task.kind} ${task.subject}`, {
      ...task,
      detail,
      code: first.error.code,
      segments: of.map(({ segment }) => segment.id),
    });
  };
  if (full !== undefined) {
    const neededBytes = Math.max(Number(full.error.details?.['neededBytes'] ?? 0), sizeOf(waiting));
    want(
      fullTask,
      `${waiting.length} held recordings (${sizeOf(waiting)} bytes) have no protected copy, because the disk of the data folder is full: free at least ${neededBytes} bytes there. Nothing that is held is touched. Until then the recorder must not delete them. It is tried again every minute. ${full.error.message}`,
      [full],
    );
  }
  for (const cameraId of new Set(gone.map(({ segment }) => segment.cameraId))) {
    const of = gone.filter(({ segment }) => segment.cameraId === cameraId);
    want(
      { kind: lostKind, subject: `camera:${cameraId}` },
      `${of.length} held recordings of camera "${cameraId}" were gone before they could be copied, and not by the gateway: they are lost. Find out who deleted them, and tell legal.`,
      of,
    );
  }
  const [first] = others;
  if (first !== undefined) {
    want(
      failingTask,
      `${others.length} held recordings have no protected copy: ${first.segment.path}: ${first.error.message}. It is tried again every minute; until then the recorder must not delete them.`,
      others,
    );
  }
  const open = new Set(openTasks(db).map(({ kind, subject }) => `${kind} ${subject}`));
  for (const { segment, error } of serious)
    log.error({ segment: segment.id, err: error }, 'a held recording could not be protected');
  const news = [...wanted.entries()].filter(([key]) => !open.has(key)).map(([, task]) => task);
  if (news.length > 0) {
    store.act('gateway', (note) => {
      for (const { kind, subject, detail, code, segments } of news) {
        openTask(db, { kind, subject, detail, createdUs: nowUs });
        note('vault.failed', subject, { what: kind, code, segments, waitingBytes: sizeOf(waiting) });
      }
    });
  }
  // What was lost stays said until a person has seen it; the other two are over when they are over.
  for (const { kind, subject } of [fullTask, failingTask]) {
    const key = `${kind} ${subject}`;
    if (open.has(key) && !wanted.has(key) && waiting.length === 0) closeTask(db, kind, subject, nowUs);
  }
}
