/** Grounds of § 4 c(5) for municipal cameras: none, unless legal enables one. */
import type { EnabledGround } from '../domain/hold.js';
import { assertRight, type User } from '../domain/user.js';
import { GatewayError } from '../errors.js';
import { disableGround, enableGround, listEnabledGrounds, type EnabledGroundRow } from '../store/holds.js';
import type { HoldContext } from './hold.js';

/**
 * Enables or disables a ground, with the reason why. Holds that were placed on it stay as they are. Throws `conflict` where it is so
 * already.
 */
export function setGround(
  ctx: Pick<HoldContext, 'store'>,
  user: User,
  input: { readonly ground: EnabledGround; readonly enabled: boolean; readonly reason: string },
): readonly EnabledGroundRow[] {
  assertRight(user, 'hold.ground');
  const { db, clock } = ctx.store;
  const by = `user:${user.id}` as const;
  return ctx.store.act(by, (note) => {
    const { ground, enabled } = input;
    const reason = input.reason.trim();
    if (reason.length < 10) {
      throw new GatewayError('input-invalid', 'Which grounds count for municipal cameras needs a reason.', {
        remedy: 'Write why, in ten characters or more.',
      });
    }
    const changed = enabled ? enableGround(db, { ground, reason, by, atUs: clock.nowUs() }) : disableGround(db, ground);
    if (!changed) {
      throw new GatewayError('conflict', `The ground "${ground}" is ${enabled ? 'enabled' : 'not enabled'} already.`, {
        remedy: 'Nothing is left to do.',
      });
    }
    note(enabled ? 'hold.ground-enabled' : 'hold.ground-disabled', 'class:municipal', { ground });
    return listEnabledGrounds(db);
  });
}
