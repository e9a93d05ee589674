/** Verification in named steps: whatever a hostile file brings about ends in a failed check, and every check is in the result. */
import type { KeyObject } from 'node:crypto';
import { GatewayError, toGatewayError } from '../errors.js';
import { fingerprint, readPublicKey } from './signature.js';

export interface CheckOf<Name extends string> {
  readonly name: Name;
  readonly ok: boolean;
  readonly detail: string;
}

/** What a step found for those after it, and what it says for a person. */
type Found<T> = readonly [T, string];

/** Makes one check; null where it failed. */
export type StepOf<Name extends string> = <T>(
  name: Name,
  work: () => Promise<Found<T>> | Found<T>,
) => Promise<T | null>;

export const wrong = (message: string): GatewayError => new GatewayError('verification-failed', message);

export function makeChecks<Name extends string>(): { readonly checks: CheckOf<Name>[]; readonly step: StepOf<Name> } {
  const checks: CheckOf<Name>[] = [];
  return {
    checks,
    step: async (name, work) => {
      try {
        const [value, detail] = await work();
        checks.push({ name, ok: true, detail });
        return value;
      } catch (error) {
        // Also what is no GatewayError: what a hostile file brings about is a file that cannot be trusted.
        checks.push({ name, ok: false, detail: toGatewayError(error).message });
        return null;
      }
    },
  };
}

/** What an earlier step found; where it failed, this one cannot be made. */
export function need<T>(value: T | null, what: string): T {
  if (value === null) throw wrong(`Not checked, because of ${what}.`);
  return value;
}

/** That it is signed by the key that the reader knows from elsewhere. */
export function checkPin(key: KeyObject, pin: string | undefined): string {
  const own = fingerprint(key);
  if (pin === undefined) {
    return `No key was given: compare the fingerprint ${own} with the one that the facility gives another way.`;
  }
  if (fingerprint(readPublicKey(pin.trimStart(), 'The given key')) !== own) {
    throw wrong(`It is signed by ${own}, which is not the given key.`);
  }
  return `signed by the given key, ${own}`;
}
