/** The converted model against the original: the same frame through ONNX Runtime and through TensorFlow.js. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { loadGraphModel, type GraphModel } from '@tensorflow/tfjs-converter';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { findFfmpeg } from '../../../src/platform/ffmpeg.js';
import { openDetector } from '../../../src/redaction/detectors/index.js';
import { builtInManifest, readManifest } from '../../../src/redaction/detectors/manifest.js';

const side = 512;
const cells = (side / 4) ** 2;
const footage = process.env['TREDIVE_FOOTAGE'];
const packages = path.join(import.meta.dirname, '../../../node_modules');

let original: GraphModel;
let session: InferenceSession;
const manifest = readManifest(builtInManifest);

beforeAll(async () => {
  setWasmPaths(`${path.dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'))}/../wasm-out/`);
  await tf.setBackend('wasm');
  const dir = path.join(packages, '@vladmandic/human/models');
  const json = JSON.parse(readFileSync(path.join(dir, 'centernet.json'), 'utf8')) as {
    modelTopology: object;
    signature: object;
    weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[];
  };
  const bytes = new Uint8Array(readFileSync(path.join(dir, 'centernet.bin')));
  original = await loadGraphModel({
    load: () =>
      Promise.resolve({
        modelTopology: json.modelTopology,
        signature: json.signature,
        weightSpecs: json.weightsManifest.flatMap(({ weights }) => weights),
        weightData: bytes.buffer,
      }),
  });
  session = await InferenceSession.create(path.join(path.dirname(builtInManifest), manifest.file), {
    intraOpNumThreads: 1,
  });
});

/** Largest differences of both outputs: scores, and box distances in pixels. `rgb` is interleaved, 512 x 512. */
async function compare(rgb: Uint8Array): Promise<{ scores: number; distances: number; best: number }> {
  const input = tf.tensor4d(Float32Array.from(rgb), [1, side, side, 3]);
  const [keypoints, wh] = original.execute({ 'tower_0/images': input }, ['tower_0/keypoints', 'tower_0/wh']) as [
    tf.Tensor,
    tf.Tensor,
  ];
  const [expectedScores, expectedDistances] = [keypoints.dataSync(), wh.dataSync()];
  tf.dispose([input, keypoints, wh]);
  const planar = new Float32Array(3 * side * side);
  for (let pixel = 0; pixel < side * side; pixel += 1) {
    for (let c = 0; c < 3; c += 1) planar[c * side * side + pixel] = rgb[3 * pixel + c] ?? 0;
  }
  const output = await session.run({ image: new Tensor('float32', planar, [1, 3, side, side]) });
  const [scores, distances] = [output['scores']?.data, output['distances']?.data] as [Float32Array, Float32Array];
  expect(scores.length).toBe(manifest.classes.length * cells);
  expect(distances.length).toBe(4 * cells);
  const result = { scores: 0, distances: 0, best: 0 };
  const difference = (got: number | undefined, wanted: number | undefined): number =>
    got === undefined || wanted === undefined ? Infinity : Math.abs(got - wanted);
  for (let cell = 0; cell < cells; cell += 1) {
    for (let c = 0; c < manifest.classes.length; c += 1) {
      const got = scores[c * cells + cell];
      result.scores = Math.max(result.scores, difference(got, expectedScores[80 * cell + c]));
      result.best = Math.max(result.best, got ?? 0);
    }
    for (let c = 0; c < 4; c += 1) {
      const far = difference(distances[c * cells + cell], expectedDistances[4 * cell + c]);
      result.distances = Math.max(result.distances, far);
    }
  }
  return result;
}

/** The last factor of the graph: the network itself speaks of distances in units of 16 pixels. */
const distanceUnit = 16;

function expectEqual(name: string, result: { scores: number; distances: number; best: number }): void {
  console.log(
    `${name}: largest difference ${result.scores.toExponential(1)} in scores (best score ${result.best.toFixed(2)}),` +
      ` ${(result.distances / distanceUnit).toExponential(1)} in distances = ${result.distances.toExponential(1)} px`,
  );
  expect(result.scores).toBeLessThan(1e-3);
  expect(result.distances / distanceUnit).toBeLessThan(1e-3);
}

describe('the converted model', () => {
  it('agrees with TensorFlow.js on a drawn frame', async () => {
    const rgb = new Uint8Array(3 * side * side);
    for (let y = 0; y < side; y += 1) {
      for (let x = 0; x < side; x += 1) {
        const body = (x - 256) ** 2 / 40 ** 2 + (y - 280) ** 2 / 110 ** 2 < 1;
        const head = (x - 256) ** 2 + (y - 140) ** 2 < 32 ** 2;
        const colour = head ? [210, 160, 130] : body ? [30, 50, 120] : [(x + y) / 5, 90 + y / 8, (x * 7919 + y) % 60];
        colour.forEach((value, c) => (rgb[3 * (y * side + x) + c] = value));
      }
    }
    expectEqual('drawn frame', await compare(rgb));
  });

  it('agrees with TensorFlow.js on a real frame', async (context) => {
    const clip = footage === undefined ? '' : path.join(footage, 'footage/vtest.avi');
    if (!existsSync(clip)) {
      console.warn('SKIPPED: set TREDIVE_FOOTAGE to compare the model on a real frame.');
      context.skip();
    }
    const { path: ffmpeg } = await findFfmpeg();
    const filter = `select=eq(n\\,100),scale=${side}:${side}`;
    const output = ['-frames:v', '1', '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-'];
    const rgb = execFileSync(ffmpeg, ['-v', 'error', '-i', clip, '-vf', filter, ...output], { maxBuffer: 1 << 24 });
    expect(rgb.length).toBe(3 * side * side);
    const result = await compare(rgb);
    expect(result.best).toBeGreaterThan(0.5);
    expectEqual('real frame', result);
  });

  it('takes every size of whole 32 pixels', async () => {
    const detector = await openDetector(builtInManifest, { minScore: 0.2, vehicles: true });
    for (const [width, height] of [
      [64, 96],
      [576, 320],
      [352, 608],
    ] as const) {
      await expect(detector.detect(new Float32Array(3 * width * height).fill(90), width, height)).resolves.toEqual([]);
    }
    await detector.close();
  });
});
