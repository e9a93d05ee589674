/** Longer storage, on one of the few grounds that the law allows, for exactly the cameras and the range it is about. */
import { GatewayError } from '../errors.js';
import type { CameraClass } from './camera.js';
import { readFacts, type HoldFacts } from './hold-facts.js';
import { dayUs, hourUs } from './retention-rules/rule.js';
import { overlaps, type TimeRange } from './segment.js';
import { formatUtc } from './time.js';

export const holdGrounds = {
  /** Placed by a disclosure request on what it asks for, and ends with it. */
  'disclosure-request': { source: 'CCTV Act § 4 c(1) and (5)', needs: 'the request' },
  'reported-offence': { source: 'CCTV Act § 4 c(5)', needs: 'the journal number and the day of the report' },
  dispute: { source: 'CCTV Act § 4 c(5)', needs: 'the other party and what the dispute is about' },
  'access-request': { source: 'GDPR art. 15; data protection authority, 2024', needs: 'the case number and its day' },
  complaint: { source: 'data protection authority, 2024', needs: 'the case number and its day' },
  'legal-duty': { source: 'CCTV Act § 4 c(5)', needs: 'the provision that demands it' },
} as const;

export type HoldGround = keyof typeof holdGrounds;
const everyGround = Object.keys(holdGrounds) as readonly HoldGround[];

/** Grounds of § 4 c(5), which § 4 d does not have by itself: legal enables them for municipal cameras, one by one, or does not. */
export const enabledGrounds = ['reported-offence', 'dispute', 'legal-duty'] as const;
export type EnabledGround = (typeof enabledGrounds)[number];

/**
 * What may not be recorded may not be held either. An access request or complaint freezes footage of every other class: that is
 * no longer storage which the CCTV Act would have to allow, it is the right of the person on it.
 */
export function groundsOf(cameraClass: CameraClass, enabled: readonly EnabledGround[]): readonly HoldGround[] {
  if (cameraClass === 'live-only') return [];
  if (cameraClass !== 'municipal') return everyGround;
  const always: readonly HoldGround[] = ['disclosure-request', 'access-request', 'complaint'];
  return [...always, ...enabled];
}

/** Throws `forbidden` where the class of a camera knows no hold on this ground. `enabled`: what legal has allowed for municipal ones. */
export function assertGroundOfClass(
  cameraId: string,
  cameraClass: CameraClass,
  ground: HoldGround,
  enabled: readonly EnabledGround[],
): void {
  const allowed = groundsOf(cameraClass, enabled);
  if (allowed.includes(ground)) return;
  const mayBeEnabled = cameraClass === 'municipal' && enabledGrounds.some((one) => one === ground);
  throw new GatewayError(
    'forbidden',
    `Footage of camera "${cameraId}" (class "${cameraClass}") cannot be held on the ground "${ground}".`,
    {
      remedy:
        allowed.length === 0
          ? 'This camera may not record; tell legal.'
          : `Allowed: ${allowed.join(', ')}.${mayBeEnabled ? ` Legal can enable this one: tredive hold ground enable ${ground}` : ''}`,
    },
  );
}

/** In which capacity a hold was placed; upgraded: before holds had facts; restored: from the journal, its facts are lost. */
export type PlacedAs = 'security' | 'legal' | 'request' | 'restored' | 'upgraded';
export type HoldOutcome = 'lifted' | 'refused' | 'expired';

export interface Hold extends TimeRange {
  readonly id: string;
  readonly ground: HoldGround;
  /** What the ground demands; null exactly for what is neither of security nor of legal. */
  readonly facts: HoldFacts | null;
  /** One line by which a person knows the case. */
  readonly reference: string;
  readonly reason: string;
  /** Why more than an hour or three cameras are needed; null where they are not. */
  readonly wideReason: string | null;
  readonly requestId: string | null;
  readonly cameraIds: readonly string[];
  readonly placedAs: PlacedAs;
  readonly placedBy: string;
  readonly placedUs: number;
  /** The end of the hold, unless it is looked at and prolonged before: there is no endless hold. See `holdEndUs`. */
  readonly reviewUs: number;
  /** When that date was set. */
  readonly reviewSetUs: number;
  /** The date that counts once legal has approved; null where nothing waits for that. */
  readonly wantedReviewUs: number | null;
  /** By when legal is to decide; null where that is not asked for. */
  readonly approveByUs: number | null;
  readonly approvedUs: number | null;
  readonly approvedBy: string | null;
  /** By when the other party of a dispute is to be told, and when that was done. */
  readonly notifyByUs: number | null;
  readonly notifiedUs: number | null;
  /** First and last reminder of the review date. */
  readonly announcedUs: number | null;
  readonly remindedUs: number | null;
  /** When it ended, whoever ended it. */
  readonly liftedUs: number | null;
  readonly outcome: HoldOutcome | null;
  /** It ran out as had been announced: see `endsOrderly`. */
  readonly orderly: boolean;
}

/** A hold that is being placed. What is left out is not known, or does not apply. */
type Later = 'facts' | 'wideReason' | 'reviewSetUs' | 'wantedReviewUs' | 'approveByUs' | 'approvedUs' | 'approvedBy';
type Never = 'notifiedUs' | 'announcedUs' | 'remindedUs' | 'liftedUs' | 'outcome' | 'orderly';
export type NewHold = Omit<Hold, Later | Never | 'notifyByUs'> & Partial<Pick<Hold, Later | 'notifyByUs'>>;

export const maxHoldUs = 90 * dayUs;
/** More than this has to be said to be needed. */
export const wideRangeUs = hourUs;
export const manyCameras = 3;

/**
 * Legal has 72 hours to decide on what security holds. The footage is kept while it waits: a weekend must not lose evidence. But one
 * person's word does not keep it for ever: without a decision it ends after 14 days, longer than any row of public holidays.
 */
export const approvalUs = 72 * hourUs;
export const provisionalUs = 14 * dayUs;

/** § 4 c(5): the other party of a dispute is told within 30 days, counted from capture, whatever the period of the camera is. */
export const notifyWithinUs = 30 * dayUs;

/** A freeze ends when legal says that it was answered and the time to appeal is over, and by no date. */
export const isFreeze = (hold: { readonly ground: HoldGround }): boolean =>
  hold.ground === 'access-request' || hold.ground === 'complaint';

/** Waits for the approval of legal; it is in force meanwhile. */
export const isProvisional = (hold: Pick<Hold, 'placedAs' | 'approvedUs' | 'liftedUs'>): boolean =>
  hold.placedAs === 'security' && hold.approvedUs === null && hold.liftedUs === null;

/** Until when it is in force, as it is known now; infinite for a freeze that nobody has ended. */
export function holdEndUs(hold: Pick<Hold, 'ground' | 'liftedUs' | 'reviewUs'>): number {
  if (isFreeze(hold)) return hold.liftedUs ?? Infinity;
  return Math.min(hold.liftedUs ?? hold.reviewUs, hold.reviewUs);
}

export const holdIsActive = (hold: Pick<Hold, 'ground' | 'liftedUs' | 'reviewUs'>, nowUs: number): boolean =>
  hold.liftedUs === null && nowUs < holdEndUs(hold);

/** A camera's footage in a range. */
type Footage = TimeRange & { readonly cameraId: string };

const isAbout = (hold: Hold, footage: Footage): boolean =>
  hold.cameraIds.includes(footage.cameraId) && overlaps(hold, footage);

export const holdCovers = (hold: Hold, segment: Footage, nowUs: number): boolean =>
  holdIsActive(hold, nowUs) && isAbout(hold, segment);

/** Why a hold is wide, in words; empty where it is not. `cameras`: without their sub-streams. */
export function wideness(range: TimeRange, cameras: number): string[] {
  return [
    ...(range.endUs - range.startUs > wideRangeUs ? ['The range is longer than 60 minutes.'] : []),
    ...(cameras > manyCameras ? [`More than ${manyCameras} cameras.`] : []),
  ];
}

const wrong = (message: string, remedy: string): GatewayError => new GatewayError('input-invalid', message, { remedy });

/** Throws `input-invalid` unless the date lies within 90 days from when it is set. */
export function assertReview(reviewUs: number, setUs: number): void {
  if (Number.isSafeInteger(reviewUs) && reviewUs > setUs && reviewUs <= setUs + maxHoldUs) return;
  throw wrong('The review date of a hold must lie within 90 days.', 'Choose a date no more than 90 days from now.');
}

/** Throws `input-invalid` unless the hold has a typed ground with what it demands, a range, a camera and an end. */
export function assertHold(hold: NewHold): void {
  if (!Object.hasOwn(holdGrounds, hold.ground)) {
    throw wrong(`"${hold.ground}" is no ground for a hold.`, `Use one of: ${Object.keys(holdGrounds).join(', ')}.`);
  }
  if (hold.reference.trim() === '') {
    throw wrong('A hold needs a reference; free text alone is refused.', `Give ${holdGrounds[hold.ground].needs}.`);
  }
  const facts = hold.facts ?? null;
  const byPerson = hold.placedAs === 'security' || hold.placedAs === 'legal';
  if ((facts !== null) !== byPerson || (facts !== null && facts.ground !== hold.ground)) {
    throw wrong('A hold needs a typed ground; free text alone is refused.', `Give ${holdGrounds[hold.ground].needs}.`);
  }
  // The zone of the site is not known here: no place on earth is more than 14 hours ahead.
  if (facts !== null) readFacts(facts, formatUtc(hold.placedUs + 14 * hourUs).slice(0, 10));
  if (!(hold.startUs < hold.endUs)) throw wrong('The range of a hold must end after it starts.', 'Correct the range.');
  if (hold.cameraIds.length === 0) throw wrong('A hold needs at least one camera.', 'Name the cameras it is about.');
  assertReview(hold.reviewUs, hold.reviewSetUs ?? hold.placedUs);
}
