import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { GatewayError } from '../../errors.js';
import { openCentreNet } from './centernet.js';
import type { Detector, DetectorManifest, DetectorOptions, OpenDetector } from './detector.js';

/** ADD A DETECTOR HERE: the `decoder` of its manifest, and the function that opens it. */
const decoders: Readonly<Record<string, OpenDetector>> = {
  centernet: openCentreNet,
};

/** Three levels up from here both in src/ and in dist/. */
export const packageRoot = path.resolve(import.meta.dirname, '../../..');

/** The manifest of the model that the build makes. */
export const builtInManifest = path.join(packageRoot, 'dist/models/centernet.json');

const manifestShape = z.object({
  name: z.string().min(1),
  file: z.string().regex(/^[\w.-]+$/, 'a plain file name beside the manifest'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  decoder: z.string(),
  input: z.object({ name: z.string(), multipleOf: z.int().positive() }),
  classes: z.array(z.string()).min(1),
});

function failed(message: string, remedy: string, cause?: unknown): GatewayError {
  return new GatewayError('detector-failed', message, { remedy, cause });
}

/** Reads and checks a manifest. GatewayError `detector-failed` where it is missing or does not fit. */
export function readManifest(manifestPath: string): DetectorManifest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(manifestPath, 'utf8'));
  } catch (error) {
    const remedy = manifestPath === builtInManifest ? 'Run "npm run build".' : 'Name the manifest of a model.';
    throw failed(`There is no detector model at ${manifestPath}.`, remedy, error);
  }
  const manifest = manifestShape.safeParse(parsed);
  if (!manifest.success) {
    throw failed(
      `${manifestPath} is not the manifest of a model: ${z.prettifyError(manifest.error)}`,
      'Build it anew.',
    );
  }
  return manifest.data;
}

/**
 * Loads the model a manifest names, in this thread, after comparing its hash: a model that was cut short or exchanged might
 * see nobody and look as if all were well. GatewayError `detector-failed`.
 */
export async function openDetector(manifestPath: string, options: DetectorOptions): Promise<Detector> {
  const manifest = readManifest(manifestPath);
  const open = decoders[manifest.decoder];
  if (open === undefined) {
    const known = Object.keys(decoders).join(', ');
    throw failed(`No decoder "${manifest.decoder}" for the model ${manifest.name}.`, `Known decoders: ${known}.`);
  }
  const modelPath = path.join(path.dirname(manifestPath), manifest.file);
  let sha256: string;
  try {
    sha256 = createHash('sha256').update(readFileSync(modelPath)).digest('hex');
  } catch (error) {
    throw failed(`The model ${modelPath} cannot be read.`, 'Run "npm run build".', error);
  }
  if (sha256 !== manifest.sha256) {
    throw failed(`${modelPath} is not the file its manifest describes.`, 'Remove dist/models, then "npm run build".');
  }
  try {
    return await open(manifest, modelPath, options);
  } catch (error) {
    throw failed(`The model ${manifest.name} does not load.`, 'Run "npm run build"; see the cause.', error);
  }
}
