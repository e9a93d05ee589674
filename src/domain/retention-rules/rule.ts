import type { CameraPolicy } from '../camera.js';

export const hourUs = 3_600_000_000;
/** A day of the law here is 24 elapsed hours: summer time neither adds nor takes one. */
export const dayUs = 24 * hourUs;

/**
 * One reason why footage must go. ADD A RULE by writing a file beside this one and a line in index.ts; a rule can only
 * shorten what the others allow, because the earliest due time wins.
 */
export interface RetentionRule {
  /** Stands in every deletion record: changing what a rule means takes a new id. */
  readonly id: string;
  readonly source: string;
  /** Longest age of the oldest frame in microseconds, or null where the rule has nothing to say about this camera. */
  maxAgeUs(policy: CameraPolicy, marginUs: number): number | null;
}
