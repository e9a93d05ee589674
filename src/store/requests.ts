/** Tables `disclosure_request`, `request_camera` and `request_item`. */
import type { DisclosureGround, RequestScope, RequestState } from '../domain/disclosure.js';
import type { RecipientKind } from '../domain/camera.js';
import type { Overlap } from '../domain/mask-overlaps.js';
import type { RecorderNumber } from '../domain/recorder-numbers.js';
import { maskEveryone, type MaskDecisions, type Track } from '../domain/redaction-plan.js';
import type { TimeQuality, TimeRange } from '../domain/segment.js';
import type { SegmentClocks } from '../domain/segment-clocks.js';
import { GatewayError } from '../errors.js';
import type { Database } from './database.js';
import type { VaultMethod } from './vault-copies.js';

export interface RequestRow extends RequestScope {
  readonly id: string;
  readonly state: RequestState;
  readonly requestedBy: string;
  readonly requestedUs: number;
  readonly failure: string | null;
  readonly workerLeaseUs: number | null;
  readonly reviewedBy: string | null;
  readonly reviewedUs: number | null;
  readonly reviewHash: string | null;
  readonly decidedBy: string | null;
  readonly decidedUs: number | null;
  readonly decisionReason: string | null;
  readonly audioReason: string | null;
  readonly redactedOnlyReason: string | null;
  readonly approvalHash: string | null;
  readonly packageExpiresUs: number | null;
  readonly closedUs: number | null;
}

interface Raw {
  id: string;
  state: RequestState;
  ground: DisclosureGround;
  legal_basis: string | null;
  recipient_kind: RecipientKind;
  recipient_name: string;
  recipient_contact: string;
  journal_number: string;
  purpose: string;
  start_us: number;
  end_us: number;
  requested_by: string;
  requested_us: number;
  failure: string | null;
  worker_lease_us: number | null;
  reviewed_by: string | null;
  reviewed_us: number | null;
  review_hash: string | null;
  decided_by: string | null;
  decided_us: number | null;
  decision_reason: string | null;
  audio_reason: string | null;
  redacted_only_reason: string | null;
  approval_hash: string | null;
  package_expires_us: number | null;
  closed_us: number | null;
  camera_ids: string;
}

const select = `SELECT disclosure_request.*, (SELECT json_group_array(camera_id) FROM
    (SELECT camera_id FROM request_camera WHERE request_id = disclosure_request.id ORDER BY camera_id)) AS camera_ids
  FROM disclosure_request`;

const fromRaw = (raw: Raw): RequestRow => ({
  id: raw.id,
  state: raw.state,
  ground: raw.ground,
  legalBasis: raw.legal_basis,
  recipient: { kind: raw.recipient_kind, name: raw.recipient_name, contact: raw.recipient_contact },
  journalNumber: raw.journal_number,
  purpose: raw.purpose,
  cameraIds: JSON.parse(raw.camera_ids) as string[],
  startUs: raw.start_us,
  endUs: raw.end_us,
  requestedBy: raw.requested_by,
  requestedUs: raw.requested_us,
  failure: raw.failure,
  workerLeaseUs: raw.worker_lease_us,
  reviewedBy: raw.reviewed_by,
  reviewedUs: raw.reviewed_us,
  reviewHash: raw.review_hash,
  decidedBy: raw.decided_by,
  decidedUs: raw.decided_us,
  decisionReason: raw.decision_reason,
  audioReason: raw.audio_reason,
  redactedOnlyReason: raw.redacted_only_reason,
  approvalHash: raw.approval_hash,
  packageExpiresUs: raw.package_expires_us,
  closedUs: raw.closed_us,
});

export function insertRequest(
  db: Database,
  request: RequestScope & { readonly id: string; readonly requestedBy: string; readonly requestedUs: number },
): void {
  db.prepare(
    `INSERT INTO disclosure_request (id, state, ground, legal_basis, recipient_kind, recipient_name, recipient_contact,
       journal_number, purpose, start_us, end_us, requested_by, requested_us)
     VALUES (@id, 'requested', @ground, @legalBasis, @kind, @name, @contact, @journalNumber, @purpose, @startUs, @endUs,
       @requestedBy, @requestedUs)`,
  ).run({
    id: request.id,
    ground: request.ground,
    legalBasis: request.legalBasis,
    ...request.recipient,
    journalNumber: request.journalNumber,
    purpose: request.purpose,
    startUs: request.startUs,
    endUs: request.endUs,
    requestedBy: request.requestedBy,
    requestedUs: request.requestedUs,
  });
  const link = db.prepare('INSERT INTO request_camera (request_id, camera_id) VALUES (?, ?)');
  for (const cameraId of new Set(request.cameraIds)) link.run(request.id, cameraId);
}

export function getRequest(db: Database, id: string): RequestRow {
  const raw = db.prepare(`${select} WHERE id = ?`).get(id) as Raw | undefined;
  if (raw === undefined) {
    throw new GatewayError('not-found', `There is no request "${id}".`, { remedy: 'See the list of requests.' });
  }
  return fromRaw(raw);
}

export const listRequests = (db: Database): RequestRow[] =>
  (db.prepare(`${select} ORDER BY requested_us DESC, id`).all() as Raw[]).map(fromRaw);

/** Columns that an act on a request may set besides its state. */
export type RequestChange = Partial<
  Pick<
    RequestRow,
    | 'failure'
    | 'workerLeaseUs'
    | 'reviewedBy'
    | 'reviewedUs'
    | 'reviewHash'
    | 'decidedBy'
    | 'decidedUs'
    | 'decisionReason'
    | 'audioReason'
    | 'redactedOnlyReason'
    | 'approvalHash'
    | 'packageExpiresUs'
    | 'closedUs'
  >
>;

const columnOf: Readonly<Record<keyof RequestChange, string>> = {
  failure: 'failure',
  workerLeaseUs: 'worker_lease_us',
  reviewedBy: 'reviewed_by',
  reviewedUs: 'reviewed_us',
  reviewHash: 'review_hash',
  decidedBy: 'decided_by',
  decidedUs: 'decided_us',
  decisionReason: 'decision_reason',
  audioReason: 'audio_reason',
  redactedOnlyReason: 'redacted_only_reason',
  approvalHash: 'approval_hash',
  packageExpiresUs: 'package_expires_us',
  closedUs: 'closed_us',
};

/** Sets state and columns; legality of the step is the caller's to have checked in the same transaction. */
export function updateRequest(db: Database, id: string, state: RequestState, change: RequestChange = {}): void {
  const keys = Object.keys(change) as (keyof RequestChange)[];
  const sets = ['state = @state', ...keys.map((key) => `${columnOf[key]} = @${key}`)];
  db.prepare(`UPDATE disclosure_request SET ${sets.join(', ')} WHERE id = @id`).run({ ...change, id, state });
}

/**
 * The lease of whoever works on a request for longer than a transaction: a heartbeat, no act, so it is not in the audit log.
 * The value itself is the token: only who wrote it last can renew it or let go of it.
 */
export function claimLease(db: Database, id: string, nowUs: number, untilUs: number): boolean {
  return (
    db
      .prepare(
        `UPDATE disclosure_request SET worker_lease_us = @untilUs
         WHERE id = @id AND (worker_lease_us IS NULL OR worker_lease_us <= @nowUs)`,
      )
      .run({ id, nowUs, untilUs }).changes > 0
  );
}

/** False where the lease is somebody else's by now: the work must stop. With `null` it is let go of. */
export function renewLease(db: Database, id: string, heldUs: number, untilUs: number | null): boolean {
  return (
    db
      .prepare('UPDATE disclosure_request SET worker_lease_us = ? WHERE id = ? AND worker_lease_us = ?')
      .run(untilUs, id, heldUs).changes > 0
  );
}

/** The initialisation segment of an original that is a fragment. */
export interface Initialisation {
  /** Of its copy, relative to the data folder. */
  readonly path: string;
  /** What the recorder called it. */
  readonly recorderName: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface ItemSummary {
  readonly frames: number;
  readonly seconds: number;
  readonly width: number;
  readonly height: number;
  readonly tracks: number;
  /** How many of the tracks are of which kind; left out by a release that knew only people. */
  readonly tracksByKind?: Readonly<Record<Track['kind'], number>> | undefined;
  readonly uncertainSpans: number;
  readonly detector: string;
  readonly damaged: boolean;
  readonly detectorSha256: string;
  readonly minScore: number;
  /** Frames of the original that the masked copy shows, half-open. */
  readonly firstFrame: number;
  readonly endFrame: number;
  readonly redactedSizeBytes: number;
  /** What was done to the original to make the masked copy, for a reader of the manifest. */
  readonly operations: readonly string[];
  /** Where a mask lies over somebody who is kept visible; left out by a release that did not look. */
  readonly overlaps?: readonly Overlap[] | undefined;
  /** Stretches within the file of which it holds no frame. */
  readonly breaks: readonly TimeRange[];
  /** Set where the original is a sub-stream of the item's camera. */
  readonly streamId?: string | undefined;
  readonly timeSource: string;
  readonly timeQuality: TimeQuality;
  readonly timeDisagreementMs: number | null;
  /** Which segment of which stream the recorder says it is, where it counts them. */
  readonly counted?: RecorderNumber | undefined;
  /** Where its frames may be later than its video says: where that ends, and the latest instant that the last one can be from. */
  readonly mediaEndUs?: number | undefined;
  readonly latestEndUs?: number | undefined;
  /** What each clock said, where that was kept. */
  readonly clocks?: SegmentClocks | undefined;
  readonly truncated: boolean;
  /** Only of a fragment. */
  readonly initialisation?: Initialisation | undefined;
  /** Set where the original was taken from the vault, and how and when it came there. */
  readonly protectedCopy?: { readonly method: VaultMethod; readonly copiedUs: number } | undefined;
}

export interface RequestItem {
  readonly requestId: string;
  readonly position: number;
  readonly segmentId: number;
  readonly cameraId: string;
  readonly startUs: number;
  readonly endUs: number;
  readonly sourceName: string;
  readonly sizeBytes: number;
  readonly container: string;
  readonly codec: string;
  readonly hasAudio: boolean;
  readonly sha256: string;
  readonly originalPath: string;
  readonly planPath: string;
  readonly planSha256: string;
  readonly redactedPath: string;
  readonly redactedSha256: string;
  readonly decisions: MaskDecisions;
  readonly summary: ItemSummary;
}

interface RawItem extends Omit<RequestItem, 'hasAudio' | 'decisions' | 'summary'> {
  hasAudio: number;
  decisions: string;
  summary: string;
}

export function replaceItems(db: Database, requestId: string, items: readonly RequestItem[]): void {
  db.prepare('DELETE FROM request_item WHERE request_id = ?').run(requestId);
  const insert = db.prepare(
    `INSERT INTO request_item (request_id, position, segment_id, camera_id, start_us, end_us, source_name, size_bytes,
       container, codec, has_audio, sha256, original_path, plan_path, plan_sha256, redacted_path, redacted_sha256,
       decisions, summary)
     VALUES (@requestId, @position, @segmentId, @cameraId, @startUs, @endUs, @sourceName, @sizeBytes, @container, @codec,
       @hasAudio, @sha256, @originalPath, @planPath, @planSha256, @redactedPath, @redactedSha256, @decisions, @summary)`,
  );
  for (const item of items) {
    insert.run({
      ...item,
      hasAudio: item.hasAudio ? 1 : 0,
      decisions: JSON.stringify(item.decisions),
      summary: JSON.stringify(item.summary),
    });
  }
}

export const itemsOf = (db: Database, requestId: string): RequestItem[] =>
  (
    db
      .prepare(
        `SELECT request_id AS requestId, position, segment_id AS segmentId, camera_id AS cameraId, start_us AS startUs,
           end_us AS endUs, source_name AS sourceName, size_bytes AS sizeBytes, container, codec, has_audio AS hasAudio,
           sha256, original_path AS originalPath, plan_path AS planPath, plan_sha256 AS planSha256,
           redacted_path AS redactedPath, redacted_sha256 AS redactedSha256, decisions, summary
         FROM request_item WHERE request_id = ? ORDER BY position`,
      )
      .all(requestId) as RawItem[]
  ).map((raw) => ({
    ...raw,
    hasAudio: raw.hasAudio === 1,
    decisions: JSON.parse(raw.decisions) as MaskDecisions,
    summary: JSON.parse(raw.summary) as ItemSummary,
  }));

/**
 * Of the items of a request, or those of some segments, only what tells nothing of the footage stays: camera, range, size and
 * hashes. What the recorder called a file, where it lay, and who was masked where, go with the files. Gives how many had any.
 */
export function forgetItemNames(db: Database, requestId: string, segmentIds: readonly number[] | null = null): number {
  const goes = itemsOf(db, requestId).filter(
    (item) => item.sourceName !== '' && (segmentIds === null || segmentIds.includes(item.segmentId)),
  );
  const forget = db.prepare(
    `UPDATE request_item SET source_name = '', original_path = '', plan_path = '', redacted_path = '', decisions = @decisions,
       summary = @summary WHERE request_id = @requestId AND position = @position`,
  );
  for (const { position, summary } of goes) {
    const { initialisation } = summary;
    const kept: ItemSummary = {
      ...summary,
      overlaps: undefined,
      ...(initialisation && { initialisation: { ...initialisation, path: '', recorderName: '' } }),
    };
    forget.run({ requestId, position, decisions: JSON.stringify(maskEveryone), summary: JSON.stringify(kept) });
  }
  return goes.length;
}

/** Ids of requests that ended under a release that kept what this one forgets. */
export const endedWithNames = (db: Database): string[] =>
  db
    .prepare(
      `SELECT id FROM disclosure_request WHERE (state = 'closed' AND failure IS NOT NULL) OR (state IN ('refused', 'closed')
         AND EXISTS (SELECT 1 FROM request_item WHERE request_id = id AND source_name <> ''))`,
    )
    .pluck()
    .all() as string[];
