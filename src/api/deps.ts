/** What the API needs of the rest, as it needs it. The composition root binds the stages to this. */
import type { Actor } from '../domain/audit-event.js';
import type { DecisionTerms, RequestScope } from '../domain/disclosure.js';
import type { EnabledGround, Hold } from '../domain/hold.js';
import type { RetentionChange, RetentionPreview } from '../domain/retention-change.js';
import type { TimeRange } from '../domain/segment.js';
import type { User } from '../domain/user.js';
import type { AuditReport } from '../audit/verify.js';
import type { CloseReason } from '../disclosure/close.js';
import type { Coverage } from '../disclosure/coverage.js';
import type { MaskChange } from '../disclosure/masks.js';
import type { CreatedRequest } from '../disclosure/request.js';
import type { Confirmed } from '../retention/confirm.js';
import type { AnnouncedCamera, AnnouncedFile } from '../recordings/announced.js';
import type { RetentionPlan } from '../retention/context.js';
import type { ProposedChange } from '../retention/policy.js';
import type { AcceptedClock, ClockDoubt } from '../retention/trust.js';
import type { ReportVerdict } from '../evidence/report-files.js';
import type { Vote } from '../domain/two-persons.js';
import type { HoldInput, PlacedHold } from '../disclosure/hold.js';
import type { Lifting } from '../disclosure/hold-acts.js';
import type { HoldNotice } from '../disclosure/hold-notice.js';
import type { EnabledGroundRow } from '../store/holds.js';
import type { Picture } from '../recordings/pictures/cache.js';
import type { ContactSheet } from '../recordings/pictures/contact-sheet.js';
import type { Look } from '../recordings/pictures/context.js';
import type { Cut } from '../recordings/pictures/cuts.js';
import type { Log } from '../platform/log.js';
import type { Store } from '../store/audit-log.js';
import type { RequestRow } from '../store/requests.js';
import type { JobView } from './views.js';

/** Work that outlives its request. Each call returns at once; what becomes of it shows in `of` and in the request's state. */
export interface ApiJobs {
  prepare(requestId: string, actor: Actor): void;
  setMasks(requestId: string, user: User, masks: readonly MaskChange[]): void;
  pack(requestId: string, user: User): void;
  /** The job that runs or waits for this request, or the last one where it failed since the gateway started. */
  of(requestId: string): JobView | null;
}

export interface ApiDeps {
  readonly store: Store;
  readonly log: Log;
  readonly site: { readonly name: string; readonly timezone: string };
  readonly api: { readonly https: boolean; readonly sessionHours: number };
  /** Where paths of request items and derived files start. */
  readonly dataDir: string;
  /** The built page, or null where only the API is served. */
  readonly webDir: string | null;
  /** At least 32 random bytes as text. Another one than before ends every session. */
  readonly sessionSecret: string;
  readonly disclosure: {
    createRequest(user: User, scope: RequestScope): CreatedRequest;
    coverageOf(cameraIds: readonly string[], range: TimeRange): Coverage;
    reviewRequest(user: User, id: string, review: { readonly uncertainSeen: boolean }): RequestRow;
    decideRequest(
      user: User,
      id: string,
      decision: { readonly approve: boolean; readonly reason: string; readonly terms: DecisionTerms },
    ): RequestRow;
    closeRequest(actor: Actor, id: string, why: CloseReason): Promise<RequestRow>;
    placeHold(user: User, input: HoldInput): PlacedHold;
    approveHold(user: User, id: string, approval: { readonly reviewUs: number | null }): Hold;
    refuseHold(user: User, id: string, refusal: { readonly reason: string }): Hold;
    prolongHold(user: User, id: string, date: { readonly reviewUs: number; readonly reason: string }): Hold;
    liftHold(user: User, id: string, lifting: Lifting): Hold;
    noteNotice(user: User, id: string, notice: HoldNotice): Hold;
    setGround(
      user: User,
      input: { readonly ground: EnabledGround; readonly enabled: boolean; readonly reason: string },
    ): readonly EnabledGroundRow[];
  };
  readonly footage: {
    /** What is there, with an event that says who searched for what. */
    search(user: User, cameraIds: readonly string[], range: TimeRange): Coverage;
    stillAt(
      look: Look,
      ask: { readonly cameraId: string; readonly atUs: number; readonly maxWidth: number },
    ): Promise<Picture>;
    contactSheet(
      look: Look,
      ask: { readonly cameraId: string; readonly range: TimeRange; readonly count: number },
    ): Promise<ContactSheet>;
    cuts(cameraId: string, range: TimeRange): Promise<readonly Cut[]>;
  };
  readonly retention: {
    /** How long before the legal limit footage goes. */
    readonly marginUs: number;
    /** What a sweep at this instant would do; changes nothing. */
    plan(nowUs: number): RetentionPlan;
    /** How long a yes counts, and how often a sweep is made. */
    readonly voteUs: number;
    readonly sweepEveryUs: number;
    /** Why a sweep would do nothing at this instant, or null. */
    refusal(nowUs: number): string | null;
    /** The same as a thing that a page can say in its own words. */
    doubt(nowUs: number): ClockDoubt | null;
    /** Who has said so far that the clock of now is right. */
    clockVotes(nowUs: number): readonly Vote[];
    /** A person's yes to a deletion that waits for two. */
    confirm(user: User, id: string): Confirmed;
    /** A person's yes to the clock of now, after it was in doubt. */
    acceptClock(user: User): AcceptedClock;
    /** What another period would delete once it counts; null where nothing is to be deleted by it. */
    preview(cameraId: string, retentionDays: number): RetentionPreview | null;
    /** What a change that waits would delete, as things are now; null for a longer period. */
    previewOf(change: RetentionChange): RetentionPreview | null;
    propose(user: User, input: { cameraId: string; retentionDays: number; reason: string }): ProposedChange;
    confirmChange(user: User, id: string): { readonly applied: boolean };
    cancelChange(user: User, id: string): RetentionChange;
  };
  readonly reports: {
    /** Months that are over, of the time of this gateway, and of which no report was made: the newest first. */
    missing(): Promise<readonly string[]>;
    /** Writes the report of a month that is over. Throws `conflict` where it was made, `usage` for a month that is not over. */
    make(month: string, actor: Actor): Promise<{ readonly sha256: string }>;
    /** Checks a report that was made against this gateway's own key. */
    verify(month: string): Promise<ReportVerdict>;
  };
  readonly audit: {
    /** The whole log against every checkpoint and anchor. */
    verify(): AuditReport | Promise<AuditReport>;
  };
  readonly jobs: ApiJobs;
  /** What recorders announce. */
  readonly hook: {
    announceFile(path: string): Promise<AnnouncedFile>;
    announceCamera(event: {
      readonly camera: string;
      readonly startUs: number;
      readonly endUs: number | null;
    }): Promise<AnnouncedCamera>;
  };
}
