/** Who may do what. Roles are few, and the ones that control each other never meet in one act. */
import { GatewayError } from '../errors.js';

export const roles = ['security', 'legal', 'admin', 'auditor'] as const;
export type Role = (typeof roles)[number];

export interface User {
  /** Pseudonym: this, never the name, stands in the audit log. */
  readonly id: string;
  readonly name: string;
  readonly roles: readonly Role[];
  readonly disabledUs: number | null;
}

/** Every act that needs a right, and the roles that have it. */
export const rights = {
  'request.create': ['security'],
  'request.read': ['security', 'legal', 'auditor'],
  'request.prepare': ['security', 'legal'],
  'request.review': ['legal'],
  'request.decide': ['legal'],
  'request.package': ['security', 'legal'],
  'request.close': ['security', 'legal'],
  'hold.place': ['security', 'legal'],
  'hold.approve': ['legal'],
  'hold.prolong': ['legal'],
  'hold.notify': ['security', 'legal'],
  'hold.lift': ['legal'],
  'hold.ground': ['legal'],
  'hold.read': ['security', 'legal', 'admin', 'auditor'],
  'camera.read': ['security', 'legal', 'admin', 'auditor'],
  'footage.read': ['security', 'legal'],
  'retention.confirm': ['admin', 'legal', 'security'],
  'policy.propose': ['admin'],
  'policy.confirm': ['admin', 'legal'],
  'camera.audio': ['legal'],
  'task.close': ['admin', 'legal'],
  'report.read': ['legal', 'admin', 'auditor'],
  'report.make': ['legal', 'admin'],
  'audit.read': ['auditor', 'legal'],
} as const satisfies Record<string, readonly Role[]>;

export type Right = keyof typeof rights;

export function assertRight(user: User, right: Right): void {
  const allowed: readonly Role[] = rights[right];
  if (user.disabledUs === null && user.roles.some((role) => allowed.includes(role))) return;
  throw new GatewayError('forbidden', `This needs the role ${allowed.join(' or ')}.`, {
    remedy: 'Ask somebody who has it; nobody can give it to himself.',
  });
}
