/**
 * Checks of values that come from outside, for what has to be read without any library: a package is verified by people who
 * trust none of our code, so its forms are spelt out in a few functions. Hostile input ends in `verification-failed`.
 */
import { GatewayError } from '../errors.js';

/** Gives the value back as what it claims to be, or throws. `at` is where it stands, for the message. */
export type Form<T> = (value: unknown, at: string) => T;
export type Formed<F> = F extends Form<infer T> ? T : never;

export function misformed(at: string, wanted: string): GatewayError {
  return new GatewayError('verification-failed', `${at} should be ${wanted}.`, {
    remedy: 'The file is not one that tredive wrote, or it was changed.',
  });
}

export const text =
  (maxLength = 4_000, minLength = 0): Form<string> =>
  (value, at) => {
    if (typeof value === 'string' && value.length >= minLength && value.length <= maxLength) return value;
    throw misformed(at, `a text of ${minLength} to ${maxLength} characters`);
  };

export const matching =
  (pattern: RegExp, wanted: string): Form<string> =>
  (value, at) => {
    if (typeof value === 'string' && value.length <= 1_000 && pattern.test(value)) return value;
    throw misformed(at, wanted);
  };

export const hash: Form<string> = matching(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex');

export const whole =
  (min = 0, max = Number.MAX_SAFE_INTEGER): Form<number> =>
  (value, at) => {
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
    throw misformed(at, `a whole number from ${min} to ${max}`);
  };

export const decimal: Form<number> = (value, at) => {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw misformed(at, 'a number');
};

export const yesNo: Form<boolean> = (value, at) => {
  if (typeof value === 'boolean') return value;
  throw misformed(at, 'true or false');
};

export const oneOf =
  <const T extends readonly (string | number)[]>(...options: T): Form<T[number]> =>
  (value, at) => {
    const found = options.find((option) => option === value);
    if (found !== undefined) return found;
    throw misformed(at, `one of ${options.join(', ')}`);
  };

export const nullOr =
  <T>(form: Form<T>): Form<T | null> =>
  (value, at) =>
    value === null ? null : form(value, at);

export const listOf =
  <T>(form: Form<T>, maxLength: number): Form<T[]> =>
  (value, at) => {
    if (!Array.isArray(value) || value.length > maxLength) throw misformed(at, `a list of at most ${maxLength}`);
    return value.map((entry, index) => form(entry, `${at}[${index}]`));
  };

type Shape = Readonly<Record<string, Form<unknown>>>;
type Shaped<S extends Shape> = { [K in keyof S]: Formed<S[K]> };

/** Exactly these keys: an unknown one could say something that nobody checks. */
export const record = <S extends Shape>(shape: S): Form<Shaped<S>> => keyed(shape, {}) as Form<Shaped<S>>;

/** As `record`; the keys of `more` may be left out. */
export const recordWith = <S extends Shape, O extends Shape>(shape: S, more: O): Form<Shaped<S> & Partial<Shaped<O>>> =>
  keyed(shape, more) as Form<Shaped<S> & Partial<Shaped<O>>>;

const keyed =
  (shape: Shape, more: Shape): Form<Record<string, unknown>> =>
  (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw misformed(at, 'an object');
    const given = value as Record<string, unknown>;
    const all = { ...shape, ...more };
    const extra = Object.keys(given).find((key) => !Object.hasOwn(all, key));
    if (extra !== undefined) throw misformed(at, `without the key ${JSON.stringify(extra.slice(0, 80))}`);
    const result: Record<string, unknown> = {};
    for (const [key, form] of Object.entries(all)) {
      if (Object.hasOwn(given, key)) result[key] = form(given[key], `${at}.${key}`);
      else if (Object.hasOwn(shape, key)) throw misformed(`${at}.${key}`, 'there');
    }
    return result;
  };

/** Text as JSON of a form. Broken JSON, or nesting deeper than the stack, ends in `verification-failed` too. */
export function readForm<T>(json: string, form: Form<T>, name: string): T {
  try {
    return form(JSON.parse(json), name);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw new GatewayError('verification-failed', `${name} is not JSON: ${String(error).slice(0, 200)}`, {
      cause: error,
    });
  }
}
