import { cameraRetention } from './camera-retention.js';
import { classLimit } from './class-limit.js';
import type { RetentionRule } from './rule.js';

export { dayUs, hourUs, type RetentionRule } from './rule.js';

/** Every rule there is. ADD A RULE HERE. On a tie the earlier line is the one named in the record. */
export const retentionRules: readonly RetentionRule[] = [classLimit, cameraRetention];
