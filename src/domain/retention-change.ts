/** A change of how long a camera's footage is kept. It never counts at once: see `directionOf`. */
import { classRules, type CameraPolicy } from './camera.js';
import { dayUs } from './retention-rules/index.js';

/** How long a shorter period waits, and can be cancelled. Footage that it deletes does not come back. */
export const shorteningWaitsUs = dayUs;

/**
 * A shorter period waits a day, with what it will delete in sight. A longer one, or a class under which it could be longer, keeps
 * people's pictures longer, so that a second person has to confirm it.
 */
export function directionOf(before: Period, after: Period): 'shorter' | 'longer' | 'same' {
  const longest = ({ class: name }: Period): number => classRules[name].maxRetentionDays;
  if (after.retentionDays > before.retentionDays || longest(after) > longest(before)) return 'longer';
  return after.retentionDays < before.retentionDays ? 'shorter' : 'same';
}

export type Period = Pick<CameraPolicy, 'class' | 'retentionDays'>;

/** What a shorter period deletes that the one in force would keep, at the instant at which it begins to count. */
export interface RetentionPreview {
  readonly atUs: number;
  readonly segments: number;
  readonly footageUs: number;
  readonly sizeBytes: number;
  /** Of the rest: what a hold keeps for now. */
  readonly held: number;
}

export interface RetentionChange {
  readonly id: string;
  readonly cameraId: string;
  readonly from: Omit<CameraPolicy, 'cameraId'>;
  readonly to: Omit<CameraPolicy, 'cameraId'>;
  readonly reason: string;
  /** An actor; `gateway` where the configuration file says so and nobody stands for it yet. */
  readonly proposedBy: string;
  readonly proposedUs: number;
  /** From when a shorter period counts; null for a longer one, which waits for a person. */
  readonly effectiveUs: number | null;
}
