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

/** What sort of place a camera watches: signs, registration with the police and whether a permit is needed hang on it. */
export const cameraAreas = [
  'unspecified',
  'indoors',
  'indoors-public',
  'entrance',
  'own-grounds',
  'public-ground',
] as const;
export type CameraArea = (typeof cameraAreas)[number];

/** How it stands with POLCAM, the police's register of cameras. */
export const polcamStatuses = ['unknown', 'registered', 'not-required'] as const;
export type PolcamStatus = (typeof polcamStatuses)[number];

/** What else is known of a camera. Nothing of it decides how long footage is kept. */
export interface CameraFacts {
  readonly area: CameraArea;
  /** Where the signs hang that tell of it. */
  readonly signs: string | null;
  readonly polcam: PolcamStatus;
  /** The written legal basis for its sound. Sound is off until legal has approved it, and off again when it is changed. */
  readonly audioBasis: string | null;
  /** An actor of role legal. */
  readonly audioApprovedBy: string | null;
}

/** Of a camera that nobody has described yet. */
export const noFacts: CameraFacts = {
  area: 'unspecified',
  signs: null,
  polcam: 'unknown',
  audioBasis: null,
  audioApprovedBy: null,
};

/** Above this a period wants its reason in writing, for any class (practice of the data protection authority). */
export const unexplainedDays = 3;

const cameraGaps = ['purpose', 'area', 'signs', 'polcam', 'justification'] as const;
export type CameraGap = (typeof cameraGaps)[number];

/** What a camera's entry does not say yet and a supervisor will ask for. `justification`: over 72 hours, and no reason is written. */
export function gapsOfCamera(
  camera: CameraPolicy & { readonly purpose: string; readonly facts: CameraFacts },
): CameraGap[] {
  const open = {
    purpose: camera.purpose === camera.class,
    area: camera.facts.area === 'unspecified',
    signs: camera.facts.signs === null,
    polcam: camera.facts.polcam === 'unknown',
    justification: camera.retentionDays > unexplainedDays && (camera.retentionReason ?? '').trim() === '',
  };
  return cameraGaps.filter((gap) => open[gap]);
}

/** Throws `config-invalid` for sound without a written legal basis. */
export function assertAudioBasis(cameraId: string, audio: boolean, basis: string | null): void {
  if (!audio || (basis ?? '').trim().length >= 10) return;
  throw new GatewayError('config-invalid', `Camera "${cameraId}": sound needs a written legal basis.`, {
    remedy: 'Set audioBasis to the provision and why sound is needed, in ten characters or more, or audio to false.',
  });
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
