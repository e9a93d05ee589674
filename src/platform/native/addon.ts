/** The one place that loads the native addon, and what its bindings, the other files of this folder, have in common. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { GatewayError, toGatewayError } from '../../errors.js';

/** What addon.cc exports. Every binding adds the functions that it calls, beside what it makes of them. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the bindings fill it
export interface Addon {}

let loaded: Addon | undefined;

/**
 * The addon, loaded at first use so that commands which need none of it work without a compiler.
 * @throws GatewayError `internal` when it is missing or does not load, with what to do.
 */
export function native(): Addon {
  if (loaded !== undefined) return loaded;
  // dist/platform/native/addon.js when built, src/platform/native/addon.ts in tests.
  const places = ['../../native/tredive.node', '../../../dist/native/tredive.node'].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  const path = places.find((place) => existsSync(place));
  if (path === undefined) {
    throw new GatewayError('internal', 'The native addon dist/native/tredive.node is missing.', {
      remedy: 'Run `npm run build`; it needs make and g++.',
    });
  }
  try {
    loaded = createRequire(import.meta.url)(path) as Addon;
  } catch (error) {
    throw new GatewayError('internal', `The native addon does not load: ${(error as Error).message}`, {
      remedy: `It was built for another system or Node (this is ${process.platform} ${process.arch}, Node ${process.versions.node}). Delete dist/native and run \`npm run build\`.`,
      cause: error,
    });
  }
  return loaded;
}

/** A Failure of native-bindings/failure.h. */
export interface NativeTrouble {
  readonly code?: string;
  readonly message?: string;
  readonly errno?: number;
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** What the addon reports, as a GatewayError. `doing` begins the message. */
export function fromNative(thrown: unknown, doing: string): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  const { code, message, errno } = thrown as NativeTrouble;
  const text = `${doing}: ${message ?? String(thrown)}`;
  switch (code) {
    case 'changed':
      return new GatewayError('segment-changed', text, {
        remedy: 'Nothing was deleted. Scan again and look at what was put in its place.',
      });
    case 'root':
      return new GatewayError('root-untrusted', text, { remedy: 'Mount the root, or correct its path.' });
    case 'interrupted':
      return new GatewayError('interrupted', text);
    case 'malformed':
      return new GatewayError('media-unreadable', text, { remedy: 'The decoded stream is not what it should be.' });
    case 'truncated':
      return new GatewayError('ffmpeg-failed', text, { remedy: 'ffmpeg ended before its stream did.' });
    case 'mismatch':
      return new GatewayError('verification-failed', text);
    case 'io': {
      const name = errnoNames.get(errno ?? 0);
      if (name === 'EPIPE') {
        return new GatewayError('ffmpeg-failed', text, { remedy: 'ffmpeg ended before it had all frames.' });
      }
      return toGatewayError(Object.assign(new Error(text, { cause: thrown }), { code: name ?? 'EIO' }));
    }
    case undefined:
    default:
      return new GatewayError('internal', text, { cause: thrown });
  }
}

/** A plain object of own properties without undefined ones, as the addon reads it. */
export const forAddon = (options: object): object =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
