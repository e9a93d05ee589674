/** The manifest of a model: what lies beside its file and says how it is fed and read. A person may have written it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { GatewayError } from '../../errors.js';
import { decoderNames, type DetectorManifest } from './detector.js';
import { kindOf } from './kinds.js';

/** Three levels up from here both in src/ and in dist/. */
export const packageRoot = path.resolve(import.meta.dirname, '../../..');

/** The manifest of the model that the build makes. */
export const builtInManifest = path.join(packageRoot, 'dist/models/centernet.json');

/** Sides beyond it would only take time and memory. */
const largestSide = 2048;
/** Both decoders halve the picture five times. */
const cell = 32;
const side = z.int().min(cell).max(largestSide).multipleOf(cell);
const perChannel = z.array(z.number()).length(3);

export const manifestShape = z
  .strictObject({
    version: z.literal(2),
    name: z
      .string()
      .max(60)
      .regex(/^[a-z0-9]+([._-][a-z0-9]+)*$/, 'small letters and digits, with single ".", "_" or "-" in between'),
    file: z.string().regex(/^[\w][\w.-]*$/, 'a plain file name beside the manifest'),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'SHA-256 in 64 small hex digits'),
    decoder: z.enum(decoderNames),
    classes: z.array(z.string().min(1)).min(1).max(1000),
    input: z.strictObject({
      name: z.string().min(1),
      layout: z.literal('nchw'),
      channels: z.enum(['rgb', 'bgr']),
      range: z.union([
        z.enum(['0-255', '0-1']),
        z.strictObject({ mean: perChannel, std: z.array(z.number().positive()).length(3) }),
      ]),
      size: z.union([
        z.strictObject({ width: side, height: side }),
        z.strictObject({ multipleOf: z.int().min(cell).max(256).multipleOf(cell) }),
      ]),
    }),
    decoded: z.boolean().optional(),
    // For people: nothing is done with them.
    origin: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
    licence: z.string().optional(),
  })
  .refine((manifest) => manifest.decoder === 'yolox' || manifest.decoded === undefined, {
    path: ['decoded'],
    error: 'belongs to the decoder yolox only',
  })
  .refine((manifest) => manifest.classes.some((name) => kindOf(name) === 'person'), {
    path: ['classes'],
    error: 'no class in it is "person": such a model finds nobody',
  });

const failed = (message: string, remedy: string, cause?: unknown): GatewayError =>
  new GatewayError('detector-failed', message, { remedy, cause });

/** What to do about a model that was good once. */
export const repairOf = (manifestPath: string): string =>
  manifestPath === builtInManifest
    ? 'Remove dist/models, then "npm run build".'
    : 'Add it again with "tredive model add", or go back to the built-in one with "tredive model use centernet".';

/** Reads and checks a manifest. GatewayError `detector-failed` where it is missing or does not fit. */
export function readManifest(manifestPath: string): DetectorManifest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(manifestPath, 'utf8'));
  } catch (error) {
    throw failed(`There is no detector model at ${manifestPath}.`, repairOf(manifestPath), error);
  }
  const manifest = manifestShape.safeParse(parsed);
  if (!manifest.success) {
    const why = z.prettifyError(manifest.error);
    throw failed(`${manifestPath} is not the manifest of a model: ${why}`, repairOf(manifestPath));
  }
  return manifest.data;
}
