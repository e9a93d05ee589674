import { dayUs, type RetentionRule } from './rule.js';

/** The shorter period that the facility set for this camera. No margin: it is its own choice, not the edge of the law. */
export const cameraRetention: RetentionRule = {
  id: 'camera-retention/1',
  source: 'the register of cameras; GDPR art. 5(1)(c) and (e)',
  maxAgeUs: (policy) => policy.retentionDays * dayUs,
};
