/** What the API answers, for the page to be compiled against; it imports nothing but types. Every `…Us` goes out with its ISO twin beside it. */
import type { AuditEvent } from '../domain/audit-event.js';
import type { CameraClass, CameraFacts, CameraGap, RecipientKind } from '../domain/camera.js';
import type { DisclosureGround } from '../domain/disclosure.js';
import type { Hold, HoldGround } from '../domain/hold.js';
import type { Overlap } from '../domain/mask-overlaps.js';
import type { ReportVerdict } from '../evidence/report-files.js';
import type { MaskMode } from '../domain/redaction-plan.js';
import type { TimeRange } from '../domain/segment.js';
import type { Right, Role } from '../domain/user.js';
import type { CameraDevice, CameraRow } from '../store/cameras.js';
import type { CloseReason } from '../disclosure/close.js';
import type { CameraCoverage, Coverage } from '../disclosure/coverage.js';
import type { PlacedHold } from '../disclosure/hold.js';
import type { Confirmed } from '../retention/confirm.js';
import type { RetentionChange, RetentionPreview } from '../domain/retention-change.js';
import type { Vote } from '../domain/two-persons.js';
import type { RetentionPlan, RootProblem, Waiting } from '../retention/context.js';
import type { Measured, MeasuredCamera } from '../retention/oldest-record.js';
import type { AcceptedClock, ClockDoubt } from '../retention/trust.js';
import type { FailingCamera } from '../store/deletions.js';
import type { EnabledGroundRow, HoldStep } from '../store/holds.js';
import type { ItemSummary, RequestRow } from '../store/requests.js';
import type { TaskRow } from '../store/tasks.js';

export type { CameraCoverage, Coverage, ReportVerdict };

export interface ErrorView {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly remedy?: string;
    readonly details?: Readonly<Record<string, unknown>>;
    /** Where the gateway's log says more. */
    readonly id?: string;
  };
}

export interface SessionView {
  readonly user: { readonly id: string; readonly name: string; readonly roles: readonly Role[] } | null;
  /** What this user may do; the API asks again at every act. */
  readonly rights: readonly Right[];
  readonly site: { readonly name: string; readonly timezone: string };
  readonly grounds: Readonly<
    Record<DisclosureGround, { readonly recipients: readonly RecipientKind[]; readonly needsBasis: boolean }>
  >;
}

/** ok: nothing is due. due: to be deleted by the next sweep. late: past the law's own limit. held: due, kept by a hold. */
export type LimitState = 'ok' | 'due' | 'late' | 'held' | 'empty';

export interface CameraLimit {
  readonly ruleId: string;
  /** When the footage that decides the state falls due, and when the law itself is broken; null without footage. */
  readonly dueUs: number | null;
  readonly legalUs: number | null;
  /** Until it is due; negative once that has passed. */
  readonly hoursLeft: number | null;
  readonly maxAgeUs: number;
  readonly state: LimitState;
}

export interface CameraView {
  readonly cameraId: string;
  readonly label: string;
  readonly purpose: string;
  readonly origin: CameraRow['origin'];
  readonly adopted: boolean;
  readonly policy: {
    readonly class: CameraClass;
    readonly retentionDays: number;
    readonly retentionReason: string | null;
    readonly maxRetentionDays: number;
    readonly recipients: readonly RecipientKind[];
    readonly mayRecord: boolean;
    readonly audioAllowed: boolean;
    readonly source: string;
  };
  readonly facts: CameraFacts;
  /** What the entry does not say yet and should. */
  readonly missing: readonly CameraGap[];
  readonly device: CameraDevice;
  readonly clock: CameraRow['clock'];
  readonly footage: {
    readonly segments: number;
    readonly sizeBytes: number;
    readonly oldestUs: number | null;
    readonly newestUs: number | null;
    readonly missing: number;
    readonly quarantined: number;
  };
  readonly limit: CameraLimit;
  /** The camera that this is a sub-stream of, or null. */
  readonly substreamOf: string | null;
  /** The last look at the disk itself; null before the first, and for a camera that was registered since. */
  readonly onDisk: OnDiskView | null;
}

/** What lies on disk, found by walking it and not by asking the index; and how punctual deletion was in the 30 days before. */
export type OnDiskView = MeasuredCamera & { readonly atUs: number };

export interface OldestView {
  readonly nowUs: number;
  /** Null before the first look. */
  readonly measured: Measured | null;
}

export interface CamerasView {
  readonly nowUs: number;
  readonly cameras: readonly CameraView[];
}

export interface RetentionView {
  readonly nowUs: number;
  readonly marginUs: number;
  /** Why the clock is not believed, or null. */
  readonly refused: string | null;
  readonly plan: RetentionPlan;
  readonly people: Readonly<Record<string, string>>;
}

export interface ConfirmedView extends Confirmed {
  readonly people: Readonly<Record<string, string>>;
}

export interface AcceptedView extends AcceptedClock {
  /** What the clock says, which was accepted. */
  readonly nowUs: number;
  readonly people: Readonly<Record<string, string>>;
}

export interface ReportsView {
  readonly reports: readonly { readonly month: string; readonly files: readonly string[] }[];
  /** Months that are over and have none, newest first. */
  readonly missing: readonly string[];
}

/** Instants are those of the audit log. */
export interface RetentionOverview {
  readonly nowUs: number;
  readonly marginUs: number;
  readonly voteUs: number;
  readonly sweepEveryUs: number;
  readonly clock: {
    /** Why it is not believed now; two persons can say that it is right. */
    readonly doubt: ClockDoubt | null;
    readonly votes: readonly Vote[];
    /** Whether a time service sets it, as the last sweep found; null where that could not be told. */
    readonly synchronised: boolean | null;
  };
  /** The last sweep that came to its end, and the refusal of one since. */
  readonly lastSweep: SweepView | null;
  readonly refused: { readonly atUs: number; readonly why: 'clock' | 'time-service' } | null;
  readonly due: { readonly segments: number; readonly sizeBytes: number; readonly late: number; readonly held: number };
  readonly roots: readonly RootProblem[];
  readonly quarantineOverdue: RetentionPlan['quarantineOverdue'];
  readonly waiting: Waiting | null;
  /** What waited and both have confirmed: for the next sweep. */
  readonly confirmed: { readonly votes: readonly Vote[] } | null;
  readonly cameras: readonly RetentionCamera[];
  readonly changes: readonly { readonly change: RetentionChange; readonly preview: RetentionPreview | null }[];
  readonly measured: {
    readonly atUs: number;
    readonly problems: number;
    /** Files of which nobody knows the camera. */
    readonly unknown: MeasuredCamera | null;
  } | null;
  /** Names of the users that stand in votes and changes. */
  readonly people: Readonly<Record<string, string>>;
}

/** What `CameraView` does not say. */
export interface RetentionCamera {
  readonly cameraId: string;
  /** When the next of its footage falls due, or fell; null without any that is not held. */
  readonly nextDueUs: number | null;
  readonly due: { readonly segments: number; readonly footageUs: number } | null;
  readonly held: { readonly segments: number; readonly oldestUs: number } | null;
  /** What could not be deleted so far, and until when it has to be. */
  readonly failing: (FailingCamera & { readonly legalUs: number }) | null;
}

export interface SweepView {
  readonly atUs: number;
  readonly deleted: number;
  readonly absent: number;
  readonly held: number;
  readonly failed: number;
  readonly late: number;
  readonly recovered: number;
  readonly interrupted: boolean;
}

export interface TasksView {
  readonly tasks: readonly TaskRow[];
}

/** How a person ends a request; the gateway itself ends one whose time has run out. */
export const closeReasons = ['received', 'withdrawn'] as const satisfies readonly CloseReason[];

/** Why somebody looks at footage, as the log can say it. */
export const purposes = ['review', 'identify-incident', 'check-quality', 'answer-recipient'] as const;

/** The purpose as the log may hold it: words of somebody's own may name a person and stay out of it. */
export const purposeCode = (purpose: string): string => purposes.find((known) => known === purpose) ?? 'in-own-words';

export interface JobView {
  readonly kind: 'prepare' | 'masks' | 'package';
  readonly state: 'waiting' | 'running' | 'failed';
  /** From 0 to 1, null where it cannot be told. */
  readonly progress: number | null;
  readonly error: { readonly code: string; readonly message: string; readonly remedy: string | null } | null;
}

export type RequestView = RequestRow;

export interface RequestsView {
  readonly requests: readonly (RequestView & { readonly job: JobView | null })[];
  /** Names of the users that stand in `requestedBy`, `reviewedBy` and `decidedBy`. */
  readonly people: Readonly<Record<string, string>>;
}

export interface ItemView extends TimeRange {
  readonly position: number;
  readonly cameraId: string;
  readonly sourceName: string;
  readonly sizeBytes: number;
  readonly container: string;
  readonly codec: string;
  readonly hasAudio: boolean;
  readonly sha256: string;
  readonly redactedSha256: string;
  readonly summary: ItemSummary;
  readonly mode: MaskMode;
  readonly keptVisible: number;
  readonly drawn: number;
  /** Where the mask of somebody else lies over somebody who is kept visible. */
  readonly overlaps: readonly Overlap[];
}

export interface RequestDetailView {
  readonly request: RequestView;
  readonly coverage: Coverage;
  readonly items: readonly ItemView[];
  readonly events: readonly Pick<AuditEvent, 'seq' | 'atUs' | 'type' | 'actor' | 'data'>[];
  readonly hold: Hold | null;
  readonly job: JobView | null;
  readonly archive: { readonly sizeBytes: number } | null;
  readonly people: Readonly<Record<string, string>>;
}

export interface CreatedView {
  readonly request: RequestView;
  readonly coverage: Coverage;
  readonly warnings: readonly string[];
}

export interface RequestStateView {
  readonly request: RequestView;
  readonly job: JobView | null;
}

export interface HoldView extends Hold {
  readonly active: boolean;
  /** In force, and waiting for the approval of legal. */
  readonly provisional: boolean;
  /** The other party of the dispute should have been told by now. */
  readonly noticeOverdue: boolean;
  readonly steps: readonly HoldStep[];
}

/** What a hold that was placed keeps, and what it does not. */
export type PlacedView = PlacedHold;

export interface HoldsView {
  readonly nowUs: number;
  readonly holds: readonly HoldView[];
  readonly grounds: Readonly<Record<HoldGround, { readonly source: string; readonly needs: string }>>;
  /** Grounds of § 4 c(5) that legal has enabled for municipal cameras. */
  readonly enabled: readonly EnabledGroundRow[];
  /** More than this needs a reason. */
  readonly wide: { readonly minutes: number; readonly cameras: number };
  /** Names by actor. */
  readonly people: Readonly<Record<string, string>>;
}
