import { classRules } from '../camera.js';
import { dayUs, type RetentionRule } from './rule.js';

/** The law's own limit for the camera's class, less the safety margin: it must be gone before, not when, it is reached. */
export const classLimit: RetentionRule = {
  id: 'class-limit/1',
  source: 'CCTV Act § 4 c(4) and § 4 d; GDPR art. 5(1)(e) for other purposes',
  maxAgeUs: (policy, marginUs) => classRules[policy.class].maxRetentionDays * dayUs - marginUs,
};
