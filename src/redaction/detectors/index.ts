import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { GatewayError } from '../../errors.js';
import { openCentreNet } from './centernet.js';
import type { DecoderName, Detector, DetectorOptions, OpenDetector } from './detector.js';
import { readManifest, repairOf } from './manifest.js';
import { readOnnx } from './onnx-file.js';
import { openYolox } from './yolox.js';

/** ADD A DETECTOR HERE: the `decoder` of its manifest (its name also goes into detector.ts), and the function that opens it. */
const decoders: Readonly<Record<DecoderName, OpenDetector>> = {
  centernet: openCentreNet,
  yolox: openYolox,
};

function failed(message: string, remedy: string, cause?: unknown): GatewayError {
  return new GatewayError('detector-failed', message, { remedy, cause });
}

/**
 * Loads the model a manifest names, in this thread, after comparing its hash: a model that was cut short or exchanged might
 * see nobody and look as if all were well. GatewayError `detector-failed`.
 */
export async function openDetector(manifestPath: string, options: DetectorOptions): Promise<Detector> {
  const manifest = readManifest(manifestPath);
  const modelPath = path.join(path.dirname(manifestPath), manifest.file);
  const repair = repairOf(manifestPath);
  let model: Buffer;
  try {
    model = readFileSync(modelPath);
  } catch (error) {
    throw failed(`The model ${modelPath} cannot be read.`, repair, error);
  }
  // The runtime is given these very bytes: nothing can come between the hash and the use.
  if (createHash('sha256').update(model).digest('hex') !== manifest.sha256) {
    throw failed(`${modelPath} is not the file its manifest describes.`, repair);
  }
  try {
    readOnnx(model);
    return await decoders[manifest.decoder](manifest, model, options);
  } catch (error) {
    throw failed(`The model ${manifest.name} does not load.`, `${repair} See the cause.`, error);
  }
}
