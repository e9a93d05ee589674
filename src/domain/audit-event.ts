/**
 * What the audit log can say. Payloads hold identifiers, counts, hashes and ranges; never a picture, a person's name or
 * free text about a person: names of staff are in the table `user`, what a request says is in `disclosure_request`.
 */
import { canonicalJson, type Json } from './canonical-json.js';
import { leafHash } from './merkle.js';

export const auditEventTypes = [
  'gateway.initialised',
  'gateway.started',
  'gateway.stopped',
  'config.applied',
  'camera.registered',
  'camera.changed',
  'camera.retention-proposed',
  'camera.retention-confirmed',
  'camera.retention-cancelled',
  'camera.discovered',
  'camera.clocks-measured',
  'recordings.indexed',
  'recordings.missing',
  'recordings.returned',
  'recordings.changed',
  'retention.refused',
  'retention.clock-accepted',
  'retention.braked',
  'retention.confirmed',
  'retention.swept',
  'retention.measured',
  'report.made',
  'database.restored',
  'deletion.intended',
  'deletion.done',
  'deletion.refused',
  'deletion.failed',
  'derived.removed',
  'vault.begun',
  'vault.copied',
  'vault.failed',
  'vault.original-lost',
  'vault.damaged',
  'vault.removal-intended',
  'vault.removed',
  'vault.adopted',
  'hold.placed',
  'hold.approved',
  'hold.refused',
  'hold.prolonged',
  'hold.reminded',
  'hold.overdue',
  'hold.expired',
  'hold.notified',
  'hold.copy-requested',
  'hold.copy-handed',
  'hold.lifted',
  'hold.ground-enabled',
  'hold.ground-disabled',
  'request.created',
  'request.preparation-started',
  'request.prepared',
  'request.preparation-failed',
  'request.reviewed',
  'request.approved',
  'request.refused',
  'request.approval-voided',
  'request.packaged',
  'request.handed-over',
  'request.closed',
  'task.closed',
  'footage.searched',
  'footage.viewed',
  'redaction.rendered',
  'model.added',
  'model.used',
  'user.added',
  'user.changed',
  'session.opened',
  'session.closed',
  'session.refused',
  'access.refused',
  'audit.read',
] as const;

export type AuditEventType = (typeof auditEventTypes)[number];

/** Who did it: a user's id, or the gateway itself. */
export type Actor = `user:${string}` | 'gateway' | 'operator';

export interface AuditEvent {
  /** Position in the log, from 0. */
  readonly seq: number;
  readonly atUs: number;
  readonly type: AuditEventType;
  readonly actor: Actor;
  /** What it is about, as `kind:id` (`camera:lobby`, `request:r-…`). */
  readonly subject: string;
  readonly data: { readonly [key: string]: Json };
}

/** The exact bytes that are hashed; also what the table stores, so that a verifier needs no code of ours. */
export const encodeEvent = (event: AuditEvent): string =>
  canonicalJson({
    seq: event.seq,
    atUs: event.atUs,
    type: event.type,
    actor: event.actor,
    subject: event.subject,
    data: event.data,
  });

export const eventLeaf = (encoded: string): Buffer => leafHash(Buffer.from(encoded, 'utf8'));
