/** Plans what must go. Pure: now is an argument, and the same input gives the same plan. */
import { GatewayError } from '../errors.js';
import { classRules, type CameraPolicy } from './camera.js';
import { holdCovers, type Hold } from './hold.js';
import { dayUs, hourUs, retentionRules } from './retention-rules/index.js';
import type { TimeRange } from './segment.js';

export const defaultMarginUs = 12 * hourUs;
export const minMarginUs = 2 * hourUs;

/** How long the record of a deletion is kept: 5 years, to be confirmed by counsel. It proves, but it is data all the same. */
export const deletionRecordUs = 5 * 365 * dayUs;

/** Throws `config-invalid` unless the margin leaves time to notice and repair a deletion that fails. */
export function assertMargin(marginUs: number): void {
  if (Number.isSafeInteger(marginUs) && marginUs >= minMarginUs && marginUs <= 15 * dayUs) return;
  throw new GatewayError('config-invalid', `A safety margin of ${marginUs / hourUs} hours is not allowed.`, {
    remedy: `Set retention.marginHours to a number from ${minMarginUs / hourUs} to 360.`,
  });
}

export interface Limit {
  readonly ruleId: string;
  /** Age of the oldest frame at which a segment falls due. */
  readonly maxAgeUs: number;
}

/** The strictest rule for a camera. There is always one: the class limit speaks for every class. */
export function limitFor(policy: CameraPolicy, marginUs: number): Limit {
  let strictest: Limit | null = null;
  for (const rule of retentionRules) {
    const maxAgeUs = rule.maxAgeUs(policy, marginUs);
    if (maxAgeUs !== null && (strictest === null || maxAgeUs < strictest.maxAgeUs)) {
      strictest = { ruleId: rule.id, maxAgeUs };
    }
  }
  // Unreachable while classLimit is registered; a limit of zero would delete at once, so refuse instead.
  if (strictest === null) throw new GatewayError('internal', 'No retention rule speaks for this camera.');
  return strictest;
}

/** The instant at which the law itself, without margin, is broken. */
export const legalLimitUs = (policy: CameraPolicy, startUs: number): number =>
  startUs + classRules[policy.class].maxRetentionDays * dayUs;

export interface SegmentFate {
  readonly verdict: 'keep' | 'delete' | 'held';
  readonly ruleId: string;
  readonly dueUs: number;
  /** True where the legal limit itself has passed and no hold allows it. */
  readonly late: boolean;
  readonly holdIds: readonly string[];
}

/** The fate of one segment at `nowUs`. A hold that covers any part of it wins over every rule. */
export function fateOf(
  segment: TimeRange & { readonly cameraId: string },
  policy: CameraPolicy,
  holds: readonly Hold[],
  nowUs: number,
  marginUs: number,
): SegmentFate {
  const limit = limitFor(policy, marginUs);
  const dueUs = segment.startUs + limit.maxAgeUs;
  const base = { ruleId: limit.ruleId, dueUs };
  if (nowUs < dueUs) return { ...base, verdict: 'keep', late: false, holdIds: [] };
  const holdIds = holds.filter((hold) => holdCovers(hold, segment, nowUs)).map((hold) => hold.id);
  if (holdIds.length > 0) return { ...base, verdict: 'held', late: false, holdIds };
  return { ...base, verdict: 'delete', late: nowUs >= legalLimitUs(policy, segment.startUs), holdIds };
}
