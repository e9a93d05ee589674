/** Longer storage, on one of the few grounds that the law allows, for exactly the cameras and the range it is about. */
import { GatewayError } from '../errors.js';
import type { CameraClass } from './camera.js';
import { dayUs } from './retention-rules/rule.js';
import { overlaps, type TimeRange } from './segment.js';

export const holdGrounds = {
  /** Placed by a disclosure request on what it asks for, and ends with it. */
  'disclosure-request': { source: 'CCTV Act § 4 c(1) and (5)', needs: 'the request' },
  'reported-offence': { source: 'CCTV Act § 4 c(5)', needs: 'the journal number of the report' },
  dispute: { source: 'CCTV Act § 4 c(5)', needs: 'a reference to the dispute and its parties' },
  'access-request': { source: 'GDPR art. 15; data protection authority, 2024', needs: 'the case number' },
  complaint: { source: 'data protection authority, 2024', needs: 'the case number' },
  'legal-duty': { source: 'CCTV Act § 4 c(5)', needs: 'the provision that demands it' },
} as const;

export type HoldGround = keyof typeof holdGrounds;

/**
 * The grounds of § 4 c(5) are for crime-prevention cameras; § 4 d has no such exception for municipal ones. What may not be
 * recorded may not be held either.
 */
const everyGround = Object.keys(holdGrounds) as readonly HoldGround[];
const groundsOfClass: Readonly<Record<CameraClass, readonly HoldGround[]>> = {
  'crime-prevention': everyGround,
  municipal: ['disclosure-request', 'access-request', 'complaint', 'legal-duty'],
  permit: everyGround,
  'live-only': [],
  'other-purpose': everyGround,
};

/** Throws `forbidden` where the class of a camera knows no hold on this ground. */
export function assertGroundOfClass(cameraId: string, cameraClass: CameraClass, ground: HoldGround): void {
  const allowed = groundsOfClass[cameraClass];
  if (allowed.includes(ground)) return;
  throw new GatewayError(
    'forbidden',
    `Footage of camera "${cameraId}" (class "${cameraClass}") cannot be held on the ground "${ground}".`,
    {
      remedy: allowed.length === 0 ? 'This camera may not record; tell legal.' : `Allowed: ${allowed.join(', ')}.`,
    },
  );
}

export interface Hold extends TimeRange {
  readonly id: string;
  readonly ground: HoldGround;
  /** Journal or case number, or the provision: a hold is never placed on free text alone. */
  readonly reference: string;
  readonly reason: string;
  readonly requestId: string | null;
  readonly cameraIds: readonly string[];
  readonly placedBy: string;
  readonly placedUs: number;
  /** The end of the hold, unless it is looked at and prolonged before: there is no endless hold. */
  readonly reviewUs: number;
  readonly liftedUs: number | null;
}

export const maxHoldUs = 90 * dayUs;

export const holdIsActive = (hold: Hold, nowUs: number): boolean => hold.liftedUs === null && nowUs < hold.reviewUs;

export const holdCovers = (hold: Hold, segment: TimeRange & { readonly cameraId: string }, nowUs: number): boolean =>
  holdIsActive(hold, nowUs) && hold.cameraIds.includes(segment.cameraId) && overlaps(hold, segment);

/** Throws `input-invalid` unless the hold has a typed ground with its reference, a range, a camera and an end. */
export function assertHold(hold: Omit<Hold, 'id' | 'liftedUs'>): void {
  const wrong = (message: string, remedy: string): GatewayError =>
    new GatewayError('input-invalid', message, { remedy });
  if (!Object.hasOwn(holdGrounds, hold.ground)) {
    throw wrong(`"${hold.ground}" is no ground for a hold.`, `Use one of: ${Object.keys(holdGrounds).join(', ')}.`);
  }
  if (hold.reference.trim() === '') {
    throw wrong('A hold needs a reference; free text alone is refused.', `Give ${holdGrounds[hold.ground].needs}.`);
  }
  if (!(hold.startUs < hold.endUs)) throw wrong('The range of a hold must end after it starts.', 'Correct the range.');
  if (hold.cameraIds.length === 0) throw wrong('A hold needs at least one camera.', 'Name the cameras it is about.');
  if (hold.reviewUs <= hold.placedUs || hold.reviewUs > hold.placedUs + maxHoldUs) {
    throw wrong('The review date of a hold must lie within 90 days.', 'Choose a date no more than 90 days from now.');
  }
}
