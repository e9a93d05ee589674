/**
 * Models that a site installed, below its data folder:
 *
 *   models/active.json             which one is in use; the built-in one where there is no such file
 *   models/NAME/manifest.json      with model.onnx beside it; made whole under models/NAME.partial, then renamed
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { GatewayError } from '../../errors.js';
import { partialSuffix, writeDurably } from '../../platform/durable-file.js';
import { builtInManifest, readManifest, repairOf } from './manifest.js';

/** In the configuration: what is in use by `tredive model`. */
export const inUse = 'active';
/** The model that the build makes. */
export const builtIn = 'centernet';

export const modelsFolder = (dataDir: string): string => join(dataDir, 'models');
export const manifestIn = (folder: string): string => join(folder, 'manifest.json');
const activeFile = (dataDir: string): string => join(modelsFolder(dataDir), 'active.json');

const activeShape = z.strictObject({ name: z.string(), sha256: z.string() });

/**
 * Manifest of the model that `detector` of the configuration means: `active`, `centernet`, or the path of a manifest. Read
 * anew each time, so that a running gateway takes the model that was installed a moment ago. GatewayError `detector-failed`
 * where the one in use is damaged or gone: another one in its place might see less, and nobody would know.
 */
export function manifestOf(detector: string, dataDir: string): string {
  if (detector === builtIn) return builtInManifest;
  if (detector !== inUse) return detector;
  const file = activeFile(dataDir);
  if (!existsSync(file)) return builtInManifest;
  const failed = (message: string, cause?: unknown): GatewayError =>
    new GatewayError('detector-failed', message, { remedy: repairOf(file), cause });
  let active: z.output<typeof activeShape>;
  try {
    active = activeShape.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw failed(`${file}, which says what model is in use, cannot be read.`, error);
  }
  if (active.name === builtIn) return builtInManifest;
  const manifestPath = manifestIn(join(modelsFolder(dataDir), active.name));
  if (readManifest(manifestPath).sha256 !== active.sha256) {
    throw failed(`${manifestPath} is not of the model that was put in use.`);
  }
  return manifestPath;
}

export interface InstalledModel {
  readonly name: string;
  readonly sha256: string;
  readonly decoder: string;
  readonly manifestPath: string;
}

function describe(manifestPath: string): InstalledModel {
  const { name, sha256, decoder } = readManifest(manifestPath);
  return { name, sha256, decoder, manifestPath };
}

/** The built-in model and those of the site, by name. What is damaged is left out: it cannot be used. */
export function listModels(dataDir: string): InstalledModel[] {
  const folder = modelsFolder(dataDir);
  const names = existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !entry.name.endsWith(partialSuffix))
        .map((entry) => entry.name)
        .sort()
    : [];
  const installed = names.flatMap((name) => {
    try {
      const model = describe(manifestIn(join(folder, name)));
      return model.name === name ? [model] : [];
    } catch (error) {
      if (error instanceof GatewayError) return [];
      throw error;
    }
  });
  return [describe(builtInManifest), ...installed];
}

/** Puts a model in use; durable when it returns. */
export async function putInUse(dataDir: string, model: Pick<InstalledModel, 'name' | 'sha256'>): Promise<void> {
  await writeDurably(activeFile(dataDir), `${JSON.stringify({ name: model.name, sha256: model.sha256 })}\n`);
}
