import './no-telemetry.js';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Detection, Detector, DetectorManifest } from './detector.js';
import { makeFeeder, type Feed } from './input.js';

type Outputs = InferenceSession.OnnxValueMapType;

/**
 * A detector of a model: pictures are fed as the manifest says, and `decode` makes detections of what the model gives for them.
 * What it throws, on outputs that are not what they should be, goes to whoever had the picture looked at.
 */
export async function openModel(
  manifest: DetectorManifest,
  model: Uint8Array,
  decode: (outputs: Outputs, fed: Feed) => Detection[],
): Promise<Detector> {
  const session = await openSession(model, manifest.input.name);
  const feed = makeFeeder(manifest.input);
  return {
    name: manifest.name,
    async detect(rgbPlanar, width, height) {
      const fed = feed(rgbPlanar, width, height);
      return decode(await session.run(fed), fed);
    },
    close: () => session.close(),
  };
}

/**
 * A session of ONNX Runtime for one picture at a time. One thread: two sessions beat one with two. From bytes, not from a
 * path: what was hashed is what runs.
 */
async function openSession(
  model: Uint8Array,
  inputName: string,
): Promise<{ run(feed: Feed): Promise<Outputs>; close(): Promise<void> }> {
  const session = await InferenceSession.create(model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    // Planning memory ahead for each size saves no time here and costs 20 MB a session.
    enableMemPattern: false,
    // Errors only: a model that somebody else made may warn of a hundred harmless things.
    logSeverityLevel: 3,
  });
  return {
    run: ({ data, width, height }) =>
      session.run({ [inputName]: new Tensor('float32', data, [1, 3, height, width]) }, { logSeverityLevel: 4 }),
    close: () => session.release(),
  };
}

/** An output as float32 with its shape; throws where it is not there or of another type. */
export function floatsOf(outputs: Outputs, name: string): { data: Float32Array; dims: readonly number[] } {
  const value = outputs[name];
  if (!(value?.data instanceof Float32Array)) throw new Error(`The model gives no output "${name}" of float32.`);
  return { data: value.data, dims: value.dims };
}
