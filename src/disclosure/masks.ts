/**
 * Changing who is masked. The new copies get new names beside the old ones, which stay until one act puts the new ones in
 * their place; so a failure or a crash leaves the old masks in force, says so, and no review goes on from there.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Actor } from '../domain/audit-event.js';
import { assertTransition } from '../domain/disclosure.js';
import { assertDecisions, plainDecisions } from '../domain/mask-decisions.js';
import type { Overlap } from '../domain/mask-overlaps.js';
import type { MaskDecisions } from '../domain/redaction-plan.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { sha256File } from '../platform/durable-file.js';
import { parseAnalysis, planOf, type Analysis } from '../redaction/analysis.js';
import type { Database } from '../store/database.js';
import { derivedOfRequest, forgetDerived, registerDerived, type DerivedFile } from '../store/derived-files.js';
import {
  getRequest,
  itemsOf,
  replaceItems,
  updateRequest,
  type RequestItem,
  type RequestRow,
} from '../store/requests.js';
import { assertNoWorker, noApproval, requestSubject, underLease, type DisclosureContext, type Run } from './context.js';
import { redactedPath, removeFiles } from './files.js';
import { filesOfItem, withPlayable } from './fragment.js';
import { contentOf, noteRendered, reasonOf, withoutNames } from './prepare.js';
import { renderItem } from './render-item.js';

export interface MaskChange {
  readonly position: number;
  readonly decisions: MaskDecisions;
}

export interface MasksSet {
  readonly request: RequestRow;
  /** Where the mask of somebody else lies over somebody who is kept visible, in the items that were changed. */
  readonly overlaps: readonly (Overlap & { readonly position: number })[];
}

interface Change extends MaskChange {
  readonly item: RequestItem;
  readonly output: string;
}

/**
 * Renders the named items anew with these decisions. Voids review and approval from its first moment, whatever comes of it.
 * Throws `input-invalid` for positions, modes, tracks, frames or boxes that there are not, `conflict` in the wrong state or
 * for what another release prepared, and what rendering throws.
 */
export async function setMasks(
  ctx: DisclosureContext,
  user: User,
  id: string,
  masks: readonly MaskChange[],
  run: Run = {},
): Promise<MasksSet> {
  assertRight(user, 'request.review');
  const actor: Actor = `user:${user.id}`;
  let changes: readonly Change[] = [];
  const rendered = new Map<number, RequestItem>();
  await underLease(ctx, id, run, {
    begin: (untilUs) => {
      changes = begin(ctx, actor, id, masks, untilUs);
    },
    work: async (signal, assertMine) => {
      const request = getRequest(ctx.store.db, id);
      // All of them are judged before the first is rendered: wrong input should not cost an hour.
      const analyses = new Map<number, Analysis>();
      for (const { item, decisions } of changes) {
        const analysis = await readPlan(ctx, item, signal);
        atItem(item.position, () => {
          assertDecisions(decisions, planOf(analysis, decisions));
        });
        if (changes.length === 1) analyses.set(item.position, analysis);
      }
      for (const { item, decisions, output } of changes) {
        const analysis = analyses.get(item.position) ?? (await readPlan(ctx, item, signal));
        const done = await withPlayable(
          ctx.dataDir,
          { path: item.originalPath, initialisation: item.summary.initialisation ?? null },
          (original) =>
            renderItem(
              ctx,
              {
                original,
                output,
                analysis,
                decisions,
                frames: { firstFrame: item.summary.firstFrame, endFrame: item.summary.endFrame },
                request,
                segment: item,
              },
              { ...run, signal },
            ),
          signal,
        );
        rendered.set(item.position, {
          ...item,
          decisions,
          redactedPath: output,
          redactedSha256: done.sha256,
          summary: {
            ...item.summary,
            redactedSizeBytes: done.sizeBytes,
            operations: done.operations,
            overlaps: done.overlaps,
          },
        });
      }
      signal.throwIfAborted();
      assertMine();
      finish(ctx, actor, id, rendered);
    },
    onFailure: (error) => {
      keepOldMasks(ctx, actor, id, error);
    },
  });
  return {
    request: getRequest(ctx.store.db, id),
    overlaps: [...rendered.values()].flatMap(({ position, summary }) =>
      (summary.overlaps ?? []).map((overlap) => ({ position, ...overlap })),
    ),
  };
}

/** Says of what is wrong in which item it is. */
function atItem<T>(position: number, act: () => T): T {
  try {
    return act();
  } catch (thrown) {
    const { code, message, remedy } = toGatewayError(thrown);
    throw new GatewayError(code, `Item ${position}: ${message}`, {
      ...(remedy !== undefined && { remedy }),
      cause: thrown,
    });
  }
}

function begin(
  ctx: DisclosureContext,
  actor: Actor,
  id: string,
  masks: readonly MaskChange[],
  untilUs: number,
): Change[] {
  const { db, clock } = ctx.store;
  return ctx.store.act(actor, (note) => {
    const request = getRequest(db, id);
    assertNoWorker(request, clock.nowUs());
    const items = itemsOf(db, id);
    if (items.length === 0) {
      throw new GatewayError('conflict', `Request ${id} is "${request.state}" and has nothing to mask.`, {
        remedy: 'Prepare it first.',
      });
    }
    assertTransition(id, request.state, 'preparing');
    const changes = masks.map(({ position, decisions }) => {
      const item = items.find((one) => one.position === position);
      if (item === undefined || masks.filter((mask) => mask.position === position).length !== 1) {
        throw new GatewayError(
          'input-invalid',
          `Position ${position} is not one of this request, or stands there twice.`,
          {
            remedy: `Positions are 0 to ${items.length - 1}, each at most once.`,
          },
        );
      }
      const output = redactedPath(id, position, item, ctx.site.timezone);
      registerDerived(db, {
        path: output,
        kind: 'masked-copy',
        requestId: id,
        segmentIds: [item.segmentId],
        createdUs: clock.nowUs(),
      });
      return { item, position, decisions: atItem(position, () => plainDecisions(decisions)), output };
    });
    if (changes.length === 0) {
      throw new GatewayError('input-invalid', 'No item is named.', { remedy: 'Name the items to mask anew.' });
    }
    if (request.state === 'approved') note('request.approval-voided', requestSubject(id), { why: 'masks-changed' });
    updateRequest(db, id, 'preparing', { ...noApproval, failure: null, workerLeaseUs: untilUs });
    note('request.preparation-started', requestSubject(id), { what: 'masks', segments: changes.length });
    return changes;
  });
}

async function readPlan(ctx: DisclosureContext, item: RequestItem, signal: AbortSignal): Promise<Analysis> {
  const path = join(ctx.dataDir, item.planPath);
  const changed = (cause?: unknown): GatewayError =>
    new GatewayError('segment-changed', `The plan of item ${item.position} is not what was prepared.`, {
      remedy: 'Prepare the request again.',
      cause,
    });
  try {
    if ((await sha256File(path, signal)) === item.planSha256) return parseAnalysis(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'conflict') throw error;
    throw changed(error);
  }
  throw changed();
}

function finish(ctx: DisclosureContext, actor: Actor, id: string, rendered: ReadonlyMap<number, RequestItem>): void {
  const { db } = ctx.store;
  ctx.store.act(actor, (note) => {
    assertTransition(id, getRequest(db, id).state, 'prepared');
    const items = itemsOf(db, id).map((item) => rendered.get(item.position) ?? item);
    replaceItems(db, id, items);
    updateRequest(db, id, 'prepared', { failure: null });
    for (const item of rendered.values()) noteRendered(note, item);
    note('request.prepared', requestSubject(id), { items: items.length, contentHash: contentOf(items) });
  });
  dropUnused(ctx, actor, id);
}

/** Copies and plans that no item names any more. */
export function unusedCopies(db: Database, id: string): DerivedFile[] {
  const used = new Set(itemsOf(db, id).flatMap(filesOfItem));
  return derivedOfRequest(db, id).filter((file) => file.path.startsWith('requests/') && !used.has(file.path));
}

/** Removes them. A crash before it leaves them registered; cleanUpAfterCrash does it then. */
export function dropUnused(ctx: DisclosureContext, actor: Actor, id: string): void {
  const { db } = ctx.store;
  const unused = unusedCopies(db, id);
  if (unused.length === 0) return;
  removeFiles(
    ctx.dataDir,
    unused.map((file) => file.path),
  );
  ctx.store.act(actor, (note) => {
    for (const file of unused) forgetDerived(db, file.id);
    note('derived.removed', requestSubject(id), { files: unused.length, why: 'masks-replaced' });
  });
}

/** The masks before the change are in force again; `failure` stands in the way of a review until they are set anew. */
export function keepOldMasks(ctx: DisclosureContext, actor: Actor, id: string, error: unknown): void {
  const { db } = ctx.store;
  const failure = toGatewayError(error);
  const reason = withoutNames(ctx, id, reasonOf(failure));
  dropUnused(ctx, actor, id);
  ctx.store.act(actor, (note) => {
    assertTransition(id, getRequest(db, id).state, 'prepared');
    updateRequest(db, id, 'prepared', {
      failure: `The masks were not changed: ${reason}`,
    });
    note('request.preparation-failed', requestSubject(id), { code: failure.code, state: 'prepared' });
  });
}
