/** A camera as the law sees it: its class decides the longest storage, the grounds and the recipients. */
import { GatewayError } from '../errors.js';

export const cameraClasses = ['crime-prevention', 'municipal', 'permit', 'live-only', 'other-purpose'] as const;
export type CameraClass = (typeof cameraClasses)[number];

export const recipientKinds = ['police', 'authority', 'person'] as const;
export type RecipientKind = (typeof recipientKinds)[number];

export interface ClassRule {
  /** Longest storage in days of 24 h. The same numbers stand as a CHECK in store/schema.sql; a test compares them. */
  readonly maxRetentionDays: number;
  /** Whether footage of this class may be recorded at all. */
  readonly mayRecord: boolean;
  readonly recipients: readonly RecipientKind[];
  /** Whether a written reason must stand beside the period. */
  readonly needsReason: boolean;
  readonly source: string;
}

export const classRules: Readonly<Record<CameraClass, ClassRule>> = {
  'crime-prevention': {
    maxRetentionDays: 30,
    mayRecord: true,
    recipients: ['police', 'authority', 'person'],
    needsReason: false,
    source: 'CCTV Act § 4 c(4)',
  },
  municipal: {
    maxRetentionDays: 30,
    mayRecord: true,
    recipients: ['police', 'authority', 'person'],
    needsReason: false,
    source: 'CCTV Act § 4 d',
  },
  permit: {
    maxRetentionDays: 30,
    mayRecord: true,
    recipients: ['police'],
    needsReason: false,
    source: 'CCTV Act § 2, the permit',
  },
  'live-only': {
    maxRetentionDays: 30,
    mayRecord: false,
    recipients: [],
    needsReason: false,
    source: 'the permit: no recording; what is found all the same is an alarm and lives no longer than the law allows',
  },
  'other-purpose': {
    maxRetentionDays: 365,
    mayRecord: true,
    recipients: ['police', 'authority', 'person'],
    needsReason: true,
    source: 'GDPR art. 5(1)(e): a written period and ground of its own',
  },
};

export interface CameraPolicy {
  readonly cameraId: string;
  readonly class: CameraClass;
  readonly retentionDays: number;
  /** Why this period; required for `other-purpose`. */
  readonly retentionReason: string | null;
}

/** What a camera gets that nobody configured: nothing is ever without a limit. */
export const defaultPolicy = { class: 'crime-prevention', retentionDays: 30, retentionReason: null } as const;

/** Throws `retention-illegal` unless the policy is within its class. 0, negative, fractions and "unlimited" are errors. */
export function assertPolicy(policy: CameraPolicy): void {
  const rule = classRules[policy.class];
  const { retentionDays: days, cameraId } = policy;
  if (!Number.isInteger(days) || days < 1 || days > rule.maxRetentionDays) {
    throw new GatewayError(
      'retention-illegal',
      `Camera "${cameraId}": retention of ${String(days)} days is not allowed for class "${policy.class}".`,
      { remedy: `Set retentionDays to a whole number from 1 to ${rule.maxRetentionDays} (${rule.source}).` },
    );
  }
  if (rule.needsReason && (policy.retentionReason ?? '').trim().length < 10) {
    throw new GatewayError(
      'retention-illegal',
      `Camera "${cameraId}": class "${policy.class}" needs a written reason.`,
      {
        remedy: 'Set retentionReason to the purpose and why this period is needed.',
      },
    );
  }
}
