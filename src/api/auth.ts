/** Who is it? */
import { randomBytes } from 'node:crypto';
import type { User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { hashPassword, passwordMatches } from '../platform/password.js';
import type { Store } from '../store/audit-log.js';
import { findUserByName } from '../store/users.js';

/** The hash that a name without a user is compared with, so that an answer takes as long as for one with a user. */
let decoy: Promise<string> | undefined;

/**
 * The user of this name and password. Hostile input. Throws `unauthenticated` with the same words whether the name, the
 * password or the user's state is wrong; the refusal is an audit event, which holds no name.
 */
export async function authenticate(store: Store, name: string, password: string): Promise<User> {
  decoy ??= hashPassword(randomBytes(24).toString('base64'));
  const decoyHash = await decoy;
  const row = findUserByName(store.db, name.trim().normalize('NFC'));
  const matches = await passwordMatches(row?.passwordHash ?? decoyHash, password);
  if (row !== null && matches && row.disabledUs === null) {
    return { id: row.id, name: row.name, roles: row.roles, disabledUs: row.disabledUs };
  }
  store.act('gateway', (note) => {
    note('session.refused', `user:${row?.id ?? 'unknown'}`, {
      reason: row === null ? 'unknown-user' : matches ? 'user-disabled' : 'wrong-password',
    });
  });
  throw new GatewayError('unauthenticated', 'Name or password is wrong.', {
    remedy: 'Try again, or ask an administrator to look at your user.',
  });
}
