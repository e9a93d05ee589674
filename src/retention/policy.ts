/** How long a camera's footage is kept, changed by people: what that would delete, who has to agree, and from when it counts. */
import { randomUUID } from 'node:crypto';
import type { Actor } from '../domain/audit-event.js';
import { assertPolicy, type CameraPolicy } from '../domain/camera.js';
import { polcamTask } from '../domain/polcam.js';
import { hourUs } from '../domain/retention-rules/index.js';
import {
  directionOf,
  shorteningWaitsUs,
  type Period,
  type RetentionChange,
  type RetentionPreview,
} from '../domain/retention-change.js';
import { formatUtc } from '../domain/time.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import type { Note } from '../store/audit-log.js';
import type { Database } from '../store/database.js';
import { getCamera, putCamera } from '../store/cameras.js';
import {
  adoptChange,
  endChange,
  insertChange,
  openChangeOf,
  openChanges,
  rememberConfigured,
} from '../store/retention-changes.js';
import { dueTotals, segmentsIn } from '../store/segments.js';
import { listSubstreams } from '../store/substreams.js';
import { closeTask, openTask } from '../store/tasks.js';
import type { RetentionContext } from './context.js';
import { cutoffOf, situationAt } from './plan.js';

const taskOf = (cameraId: string): { kind: string; subject: string } => ({
  kind: 'retention-change',
  subject: `camera:${cameraId}`,
});

/**
 * What `after` deletes at `atUs` and the camera's policy of now does not. Looks at what is there now; changes nothing. Counted by
 * SQLite, since weeks of a camera are hundreds of thousands of rows; one by one are looked at only those that a hold is about.
 */
function previewRetention(ctx: RetentionContext, after: CameraPolicy, atUs: number): RetentionPreview {
  const { db } = ctx.store;
  const { holds } = situationAt(ctx, atUs);
  const total = { segments: 0, footageUs: 0, sizeBytes: 0, held: 0 };
  const add = (sign: 1 | -1, one: { segments: number; footageUs: number; sizeBytes: number }): void => {
    total.segments += sign * one.segments;
    total.footageUs += sign * one.footageUs;
    total.sizeBytes += sign * one.sizeBytes;
  };
  const untilUs = cutoffOf(after, atUs, ctx.marginUs).cutoffUs;
  // What is due by the period in force goes whatever becomes of this one.
  const fromUs = Math.min(cutoffOf(getCamera(db, after.cameraId), atUs, ctx.marginUs).cutoffUs, untilUs);
  for (const streamId of streamsOf(db, after.cameraId)) {
    for (const due of dueTotals(db, streamId, untilUs, 0)) add(1, due);
    for (const due of dueTotals(db, streamId, fromUs, 0)) add(-1, due);
    const held = new Set<number>();
    for (const hold of holds) {
      if (!hold.cameraIds.includes(streamId) || hold.startUs > untilUs || hold.endUs <= fromUs) continue;
      for (const { id, state, startUs, endUs, sizeBytes } of segmentsIn(db, [streamId], hold)) {
        if (state !== 'indexed' || startUs <= fromUs || startUs > untilUs || held.has(id)) continue;
        held.add(id);
        add(-1, { segments: 1, footageUs: endUs - startUs, sizeBytes });
      }
    }
    total.held += held.size;
  }
  return { atUs, ...total };
}

/** What a change that waits would delete, as things are now; null for a longer period. */
export const previewOf = (
  ctx: RetentionContext,
  { cameraId, to, effectiveUs }: RetentionChange,
): RetentionPreview | null => (effectiveUs === null ? null : previewRetention(ctx, { ...to, cameraId }, effectiveUs));

/** What another period of a camera would delete, if it were proposed now. Null for one that is not shorter. */
export function previewDays(ctx: RetentionContext, cameraId: string, retentionDays: number): RetentionPreview | null {
  const { db, clock } = ctx.store;
  const camera = getCamera(db, cameraId);
  const after = { ...camera, retentionDays };
  assertPolicy(after);
  const isShorter = directionOf(camera, after) === 'shorter';
  return isShorter ? previewRetention(ctx, after, clock.nowUs() + shorteningWaitsUs) : null;
}

/** A camera, and the streams that are it once more: they have its period. */
const streamsOf = (db: Database, cameraId: string): string[] => [
  cameraId,
  ...listSubstreams(db).flatMap((stream) => (stream.cameraId === cameraId ? [stream.streamId] : [])),
];

export interface ProposedChange {
  readonly change: RetentionChange;
  /** Null for a longer period. */
  readonly preview: RetentionPreview | null;
}

const bare = ({ class: kind, retentionDays, retentionReason }: CameraPolicy): RetentionChange['to'] => ({
  class: kind,
  retentionDays,
  retentionReason,
});

/**
 * Proposes another period. Throws `retention-illegal` for one that the class does not allow, `forbidden` without the right,
 * `input-invalid` without a reason or where nothing changes, `conflict` while another change of the camera waits.
 */
export function proposeRetention(
  ctx: RetentionContext,
  user: User,
  input: { readonly cameraId: string; readonly retentionDays: number; readonly reason: string },
): ProposedChange {
  assertRight(user, 'policy.propose');
  const { store } = ctx;
  return store.act(`user:${user.id}`, (note) => {
    const camera = getCamera(store.db, input.cameraId);
    const main = listSubstreams(store.db).find(({ streamId }) => streamId === input.cameraId);
    if (main !== undefined) {
      throw new GatewayError('conflict', `"${input.cameraId}" is camera "${main.cameraId}" once more.`, {
        remedy: 'It has the period of that camera: change that.',
      });
    }
    const waiting = openChangeOf(store.db, input.cameraId);
    if (waiting !== null) {
      throw new GatewayError('conflict', `Another change of camera "${input.cameraId}" waits (${waiting.id}).`, {
        remedy: 'Cancel it first.',
      });
    }
    if (input.reason.trim().length < 10) {
      throw new GatewayError('input-invalid', 'A change of the period needs a reason.', {
        remedy: 'Write why, in ten characters or more.',
      });
    }
    const after = { ...camera, retentionDays: input.retentionDays };
    assertPolicy(after);
    if (directionOf(camera, after) === 'same') {
      throw new GatewayError(
        'input-invalid',
        `Camera "${input.cameraId}" keeps ${camera.retentionDays} days already.`,
        {
          remedy: 'Nothing is left to do.',
        },
      );
    }
    return open(ctx, note, after, `user:${user.id}`, input.reason.trim());
  });
}

/**
 * Takes up what was changed in the configuration file, at start. Who may write the file is not known to the gateway, so a shorter
 * period waits its day, and a longer one is proposed by nobody: it takes two persons. A file that says again what is in force
 * withdraws what waits.
 */
export function proposeConfigured(
  ctx: RetentionContext,
  periods: readonly { readonly configured: Period; readonly policy: CameraPolicy }[],
): void {
  const { store } = ctx;
  for (const { configured, policy } of periods) {
    store.act('gateway', (note) => {
      const camera = getCamera(store.db, policy.cameraId);
      const waiting = openChangeOf(store.db, policy.cameraId);
      rememberConfigured(store.db, policy.cameraId, configured);
      if (waiting !== null) end(ctx, note, waiting, 'replaced', 'gateway', store.clock.nowUs());
      if (directionOf(camera, policy) !== 'same')
        open(ctx, note, policy, 'gateway', 'the configuration file was changed');
      else if (waiting === null) note('camera.changed', `camera:${policy.cameraId}`, { configured: { ...configured } });
    });
  }
}

function open(ctx: RetentionContext, note: Note, after: CameraPolicy, by: Actor, reason: string): ProposedChange {
  assertPolicy(after);
  const { db, clock } = ctx.store;
  const nowUs = clock.nowUs();
  const camera = getCamera(db, after.cameraId);
  const shorter = directionOf(camera, after) === 'shorter';
  const change: RetentionChange = {
    id: `c-${randomUUID()}`,
    cameraId: after.cameraId,
    from: bare(camera),
    to: bare(after),
    reason,
    proposedBy: by,
    proposedUs: nowUs,
    effectiveUs: shorter ? nowUs + shorteningWaitsUs : null,
  };
  const preview = change.effectiveUs === null ? null : previewRetention(ctx, after, change.effectiveUs);
  insertChange(db, change);
  openTask(db, { ...taskOf(after.cameraId), detail: describe(change, preview), createdUs: nowUs });
  note('camera.retention-proposed', `camera:${after.cameraId}`, {
    change: change.id,
    from: { class: camera.class, days: camera.retentionDays },
    to: { class: after.class, days: after.retentionDays },
    effectiveUs: change.effectiveUs,
    preview: preview === null ? null : { ...preview },
  });
  return { change, preview };
}

function describe({ id, cameraId, from, to, effectiveUs }: RetentionChange, preview: RetentionPreview | null): string {
  const what = `Camera "${cameraId}" is to keep ${to.retentionDays} days instead of ${from.retentionDays}.`;
  if (effectiveUs === null || preview === null) {
    return `${what} It does not before a second person has confirmed it: tredive camera confirm ${id} --user NAME`;
  }
  const { segments, footageUs, held } = preview;
  return `${what} From ${formatUtc(effectiveUs)} on, ${segments} segments (${(footageUs / hourUs).toFixed(1)} h) that would be kept are due, and ${held} more are held. Until then it can be cancelled: tredive camera cancel ${id} --user NAME`;
}

function find(ctx: RetentionContext, id: string): RetentionChange {
  const change = openChanges(ctx.store.db).find((one) => one.id === id);
  if (change !== undefined) return change;
  throw new GatewayError('not-found', `There is no change "${id}" that waits.`, {
    remedy: 'See "tredive camera list".',
  });
}

/**
 * The second person's yes to a longer period, which counts from then on. For one from the configuration file an administrator
 * says yes first, and so stands for it. Throws `same-person`, `forbidden`; `conflict` for a shorter period, which needs none.
 */
export function confirmRetention(ctx: RetentionContext, user: User, id: string): { readonly applied: boolean } {
  assertRight(user, 'policy.confirm');
  const { store } = ctx;
  return store.act(`user:${user.id}`, (note) => {
    const change = find(ctx, id);
    if (change.effectiveUs !== null) {
      throw new GatewayError('conflict', 'A shorter period needs no second person; it waits its day.', {
        remedy: `It counts from ${formatUtc(change.effectiveUs)} on.`,
      });
    }
    const by: Actor = `user:${user.id}`;
    if (change.proposedBy === by) {
      throw new GatewayError('same-person', 'A longer period needs a second person.', {
        remedy: 'Ask somebody else of role admin or legal to confirm it.',
      });
    }
    if (change.proposedBy === 'gateway') {
      assertRight(user, 'policy.propose');
      adoptChange(store.db, id, by);
      note('camera.retention-confirmed', `camera:${change.cameraId}`, { change: id, applied: false });
      return { applied: false };
    }
    if (change.to.class === 'other-purpose' && !user.roles.includes('legal')) {
      throw new GatewayError('forbidden', 'The period of another purpose is approved by legal.', {
        remedy: 'Ask somebody of role legal to confirm it.',
      });
    }
    note('camera.retention-confirmed', `camera:${change.cameraId}`, { change: id, applied: true });
    apply(ctx, note, change, by);
    return { applied: true };
  });
}

/** Withdraws a change that does not count yet. */
export function cancelRetention(ctx: RetentionContext, user: User, id: string): RetentionChange {
  assertRight(user, 'policy.confirm');
  const { store } = ctx;
  return store.act(`user:${user.id}`, (note) => {
    const change = find(ctx, id);
    end(ctx, note, change, 'cancelled', `user:${user.id}`, store.clock.nowUs());
    return change;
  });
}

function end(
  ctx: RetentionContext,
  note: Note,
  change: RetentionChange,
  outcome: 'cancelled' | 'replaced',
  by: Actor,
  atUs: number,
): void {
  const { db } = ctx.store;
  endChange(db, change.id, { outcome, by, atUs });
  const { kind, subject } = taskOf(change.cameraId);
  closeTask(db, kind, subject, atUs);
  note('camera.retention-cancelled', subject, { change: change.id, outcome });
}

function apply(ctx: RetentionContext, note: Note, change: RetentionChange, by: Actor): void {
  const { db, clock } = ctx.store;
  const camera = getCamera(db, change.cameraId);
  for (const streamId of streamsOf(db, change.cameraId)) putCamera(db, { ...getCamera(db, streamId), ...change.to });
  endChange(db, change.id, { outcome: 'applied', by, atUs: clock.nowUs() });
  const { kind, subject } = taskOf(change.cameraId);
  closeTask(db, kind, subject, clock.nowUs());
  const notice = polcamTask(camera, 'retention', clock.nowUs());
  if (notice !== null) openTask(db, notice);
  note('camera.changed', subject, {
    change: change.id,
    from: { class: camera.class, retentionDays: camera.retentionDays },
    to: { class: change.to.class, retentionDays: change.to.retentionDays },
  });
}

/**
 * Lets shorter periods count whose day is over. Called by a sweep once it believes the clock: a clock that was set forward does
 * not cut the day short. What they make due is weighed by the brake like anything else.
 */
export function applyDueChanges(ctx: RetentionContext, nowUs: number): void {
  const due = openChanges(ctx.store.db).filter(({ effectiveUs }) => effectiveUs !== null && effectiveUs <= nowUs);
  if (due.length === 0) return;
  ctx.store.act('gateway', (note) => {
    for (const change of due) apply(ctx, note, change, 'gateway');
  });
}
