/** Installing models: what fits is there and works, what does not leaves nothing. The trial runs the compiled program. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { installModel, type Candidate } from '../../../src/redaction/detectors/install.js';
import { listModels, manifestOf, putInUse } from '../../../src/redaction/detectors/installed.js';
import { builtInManifest } from '../../../src/redaction/detectors/manifest.js';
import { openDetectorPool } from '../../../src/redaction/detectors/pool.js';
import { pictureOfPeople } from '../../../src/redaction/detectors/test-picture.js';
import { encode, redFinder, tinyYolox, yoloxManifest } from '../../helpers/models.js';
import { tempFolder } from '../../helpers/site.js';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A model file in a folder of its own, and a data folder that there is not yet. */
function brought(bytes: Buffer, manifest: unknown = yoloxManifest): { data: string; candidate: Candidate } {
  const folder = tempFolder();
  const file = join(folder, 'brought.onnx');
  writeFileSync(file, bytes);
  return { data: join(folder, 'data'), candidate: { file, manifest, withoutFigures: false } };
}

const redManifest = {
  name: 'red-finder',
  decoder: 'centernet',
  classes: ['person'],
  input: { name: 'image', layout: 'nchw', channels: 'rgb', range: '0-255', size: { multipleOf: 32 } },
};

describe('a model that fits', () => {
  it('is tried, kept with a whole manifest, used when told so, and finds what it finds', async () => {
    const bytes = tinyYolox();
    const { data, candidate } = brought(bytes);
    const installed = await installModel(data, candidate);
    expect(installed).toMatchObject({ name: 'tiny-yolox', sha256: sha256(bytes), decoder: 'yolox', drawn: 9 });
    expect(installed.seen).toBeGreaterThan(0);
    expect(readdirSync(join(data, 'models'))).toEqual(['tiny-yolox']);
    expect(readdirSync(join(data, 'models/tiny-yolox')).sort()).toEqual(['manifest.json', 'model.onnx']);
    expect(listModels(data).map(({ name }) => name)).toEqual(['centernet', 'tiny-yolox']);

    expect(manifestOf('active', data)).toBe(builtInManifest);
    await putInUse(data, installed);
    expect(manifestOf('active', data)).toBe(installed.manifestPath);
    expect(manifestOf('centernet', data)).toBe(builtInManifest);
    expect(manifestOf('/elsewhere.json', data)).toBe('/elsewhere.json');

    const pool = openDetectorPool({ minScore: 0.2, vehicles: false, workers: 1, manifestPath: installed.manifestPath });
    try {
      const size = pool.sizeFor({ width: 1920, height: 1080 });
      expect(size).toEqual({ width: 64, height: 36 });
      const pixels = Float32Array.from(pictureOfPeople(64, 36).pixels);
      const { detections, frame } = await pool.detect(pixels, 64, 36);
      expect(frame).toHaveLength(3 * 64 * 36);
      expect(detections).toHaveLength(1);
      const [{ box, score } = { box: null, score: 0 }] = detections;
      expect(score).toBeCloseTo(0.8, 5);
      expect(box?.x).toBeCloseTo(32, 4);
      expect(box?.y).toBeCloseTo(11.5, 4);
    } finally {
      await pool.close();
    }
  });

  it('may leave its size open, and need no more said of it than the file does not say', async () => {
    const { size, ...input } = redManifest.input;
    const { data, candidate } = brought(redFinder(), { ...redManifest, input });
    const { manifestPath } = await installModel(data, candidate);
    expect(JSON.parse(readFileSync(manifestPath, 'utf8'))).toMatchObject({ input: { size } });
    const bare = brought(tinyYolox(), { ...yoloxManifest, input: { layout: 'nchw', channels: 'bgr', range: '0-255' } });
    await expect(installModel(bare.data, bare.candidate)).resolves.toMatchObject({ name: 'tiny-yolox' });
  });

  it('may be added again, and repairs what was damaged; another one does not get its name', async () => {
    const { data, candidate } = brought(tinyYolox());
    const { manifestPath } = await installModel(data, candidate);
    await expect(installModel(data, candidate)).resolves.toMatchObject({ manifestPath });
    writeFileSync(manifestPath, 'damaged');
    expect(listModels(data).map(({ name }) => name)).toEqual(['centernet']);
    await installModel(data, candidate);
    expect(listModels(data)).toHaveLength(2);
    writeFileSync(candidate.file, tinyYolox({ boxes: [] }));
    await expect(installModel(data, candidate)).rejects.toMatchObject({ code: 'conflict' });
    expect(readdirSync(join(data, 'models'))).toEqual(['tiny-yolox']);
  });

  it('that is put in use and then damaged or gone stops redaction: no other one takes its place unasked', async () => {
    const { data, candidate } = brought(tinyYolox());
    const installed = await installModel(data, candidate);
    await putInUse(data, { ...installed, sha256: 'f'.repeat(64) });
    expect(() => manifestOf('active', data)).toThrow(/not of the model that was put in use/);
    writeFileSync(installed.manifestPath, '{}');
    await putInUse(data, installed);
    expect(() => manifestOf('active', data)).toThrow(expect.objectContaining({ code: 'detector-failed' }));
    writeFileSync(join(data, 'models/active.json'), '{ "name": 3 }');
    expect(() => manifestOf('active', data)).toThrow(/cannot be read/);
  });
});

describe('a model that does not fit is refused with the reason, and nothing is left', () => {
  const { input } = yoloxManifest;
  const whole = tinyYolox();
  it.each<[string, Buffer, unknown, RegExp]>([
    ['is no model', Buffer.from('this is a letter, not a model'), undefined, /not a whole ONNX file/],
    ['is cut short', whole.subarray(0, whole.length - 100), undefined, /cut short/],
    ['is not the one of its manifest', whole, { ...yoloxManifest, sha256: '0'.repeat(64) }, /its manifest says 0000/],
    ['has the manifest of another file', whole, { ...yoloxManifest, file: 'other.onnx' }, /is of other\.onnx/],
    ['has no manifest', whole, undefined, /its manifest does not fit/],
    ['has a key in it that is unknown', whole, { ...yoloxManifest, colour: 1 }, /Unrecognized key: "colour"/],
    ['has a decoder that there is not', whole, { ...yoloxManifest, decoder: 'astrology' }, /decoder/],
    ['leads out of its folder by its name', whole, { ...yoloxManifest, name: '../../keys' }, /name/],
    ['has the name of the built-in one', whole, { ...yoloxManifest, name: 'centernet' }, /built-in model/],
    ['knows no people', whole, { ...yoloxManifest, classes: ['dog', 'cat', 'car'] }, /finds nobody/],
    ['has other classes', whole, { ...yoloxManifest, classes: ['person', 'car'] }, /gives \[1, \?, 7\]/],
    ['has another input', whole, { ...yoloxManifest, input: { ...input, name: 'picture' } }, /the one input "picture"/],
    [
      'has another size',
      whole,
      { ...yoloxManifest, input: { ...input, size: { width: 96, height: 64 } } },
      /\[1, 3, 64, 64\], and its manifest means \[1, 3, 64, 96\]/,
    ],
    [
      'has one size and claims all',
      whole,
      { ...yoloxManifest, input: { ...input, size: { multipleOf: 32 } } },
      /its manifest means \[1, 3, \?, \?\]/,
    ],
    [
      'says any size and takes one',
      tinyYolox({ inputDims: [1, 3, 'h', 'w'] }),
      { ...yoloxManifest, input: { ...input, size: { multipleOf: 32 } } },
      /it must be \[1, \d+, 8\]/,
    ],
    ['wants its channels last', tinyYolox({ inputDims: [1, 64, 64, 3] }), undefined, /input has the shape \[1, 64/],
    ['is of half precision', tinyYolox({ elementType: 'float16' }), undefined, /not of float32/],
    ['gives other rows than its grids', tinyYolox({ rows: 80, boxes: [] }), undefined, /it must be \[1, 84, 8\]/],
    ['gives what is not a number', tinyYolox({ fill: Number.NaN }), undefined, /A score of the model is NaN/],
    ['gives scores before their sigmoid', tinyYolox({ fill: 7 }), undefined, /A score of the model is 7/],
    [
      'sees people in a grey picture',
      tinyYolox({ always: true }),
      undefined,
      /sees a person \(score 0\.80\) in a picture/,
    ],
    ['never sees anybody', tinyYolox({ boxes: [] }), undefined, /none of 9 drawn people/],
    ['uses an operator that there is not', encode(unknownOperator()), undefined, /Astrology/],
    [
      'is for the other decoder',
      whole,
      { ...redManifest, input: { ...redManifest.input, ...input } },
      /no output scores/,
    ],
  ])('one that %s', async (what, bytes, manifest, reason) => {
    const { data, candidate } = brought(bytes, what === 'has no manifest' ? null : (manifest ?? yoloxManifest));
    const refusal = installModel(data, candidate);
    await expect(refusal).rejects.toMatchObject({ code: 'input-invalid', remedy: expect.any(String) as string });
    await expect(refusal).rejects.toThrow(reason);
    expect(existsSync(join(data, 'models'))).toBe(false);
  });

  it('one that finds nobody drawn is taken when told so', async () => {
    const { data, candidate } = brought(tinyYolox({ boxes: [] }));
    await expect(installModel(data, { ...candidate, withoutFigures: true })).resolves.toMatchObject({ seen: 0 });
  });

  it('a path that leads nowhere or to no file, and a stop in the middle', async () => {
    const { data, candidate } = brought(whole);
    await expect(installModel(data, { ...candidate, file: `${candidate.file}x` })).rejects.toMatchObject({
      code: 'not-found',
    });
    const folder = join(tempFolder(), 'folder.onnx');
    mkdirSync(folder);
    await expect(installModel(data, { ...candidate, file: folder })).rejects.toMatchObject({ code: 'input-invalid' });
    const stop = new AbortController();
    const stopped = installModel(data, candidate, stop.signal);
    setTimeout(() => {
      stop.abort();
    }, 20);
    await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
    expect(existsSync(join(data, 'models'))).toBe(false);
  });
});

function unknownOperator(): Parameters<typeof encode>[0] {
  const tensor = (name: string, dims: number[]): object => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
  });
  return {
    node: [{ opType: 'Astrology', name: 'a', input: ['images'], output: ['output'] }],
    input: [tensor('images', [1, 3, 64, 64])],
    output: [tensor('output', [1, 84, 8])],
  };
}
