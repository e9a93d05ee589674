/** Instants at the border: microseconds inside, ISO 8601 with zone outside. */
import { z } from 'zod';
import { formatUtc, parseInstant } from '../domain/time.js';
import { toGatewayError } from '../errors.js';

/** ISO 8601 with `Z` or an offset, as UTC microseconds. A local time without its zone is refused. */
export const instant = z
  .string()
  .max(40)
  .meta({ format: 'date-time', description: 'ISO 8601 with Z or an offset' })
  .transform((text, context) => {
    try {
      return parseInstant(text);
    } catch (error) {
      const { message, remedy } = toGatewayError(error);
      context.addIssue({ code: 'custom', message: `${message} ${remedy ?? ''}`.trim() });
      return z.NEVER;
    }
  });

/** Names that end in `Us` and are lengths of time, not instants. */
const durations = new Set([
  'marginUs',
  'maxAgeUs',
  'lateByUs',
  'durationUs',
  'wallUs',
  'footageUs',
  'usualUs',
  'limitUs',
  'medianUs',
  'worstUs',
  'worstMissUs',
  'voteUs',
  'sweepEveryUs',
  'stepUs',
]);
const instantName = /^(.+)Us$/;

/**
 * The answer with each instant twice: `startUs` as the integer and beside it `start` as ISO text in UTC. A name that is
 * taken already stays as it is.
 */
export function withInstants(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withInstants);
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    result[key] = withInstants(inner);
    const name = durations.has(key) ? undefined : instantName.exec(key)?.[1];
    if (name === undefined || Object.hasOwn(value, name)) continue;
    if (inner === null) result[name] = null;
    // Outside of the years that ISO text and our own parser share, the integer stands alone.
    else if (typeof inner === 'number' && inner >= 0 && inner < 7_258_118_400_000_000) result[name] = formatUtc(inner);
  }
  return result;
}
