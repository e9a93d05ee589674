import fc from 'fast-check';
import { onnx } from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../../src/redaction/detectors/onnx-file.js';
import { encode, node, redFinder, tinyYolox, weights } from '../../helpers/models.js';

const elsewhere = (name: string): onnx.ITensorProto => ({
  ...weights(name, [1], [1]),
  rawData: new Uint8Array(0),
  externalData: [{ key: 'location', value: '../../etc/passwd' }],
  dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
});
const { AttributeType } = onnx.AttributeProto;

describe('an ONNX file', () => {
  it('says what goes in and out', () => {
    expect(readOnnx(tinyYolox())).toEqual({
      inputs: [{ name: 'images', elementType: 1, dims: [1, 3, 64, 64] }],
      outputs: [{ name: 'output', elementType: 1, dims: [1, 84, 8] }],
    });
    expect(readOnnx(redFinder())).toMatchObject({
      inputs: [{ name: 'image', dims: [1, 3, null, null] }],
      outputs: [{ name: 'scores' }, { name: 'distances', dims: [1, 4, null, null] }],
    });
  });

  it('may list its weights as inputs, as old ones do', () => {
    const bytes = encode({ initializer: [weights('w', [1], [1])], input: [{ name: 'x' }, { name: 'w' }], output: [] });
    expect(readOnnx(bytes).inputs.map(({ name }) => name)).toEqual(['x']);
  });

  it.each<[string, onnx.IGraphProto]>([
    ['its weights', { initializer: [elsewhere('w')] }],
    [
      'a constant',
      { node: [node('Constant', [], 'c', [{ name: 'value', type: AttributeType.TENSOR, t: elsewhere('') }])] },
    ],
    [
      'a graph inside',
      {
        node: [
          node('If', ['x'], 'y', [
            { name: 'then_branch', type: AttributeType.GRAPH, g: { name: 'g', initializer: [elsewhere('w')] } },
          ]),
        ],
      },
    ],
    ['sparse weights', { sparseInitializer: [{ values: elsewhere('v'), indices: weights('i', [1], [0]) }] }],
  ])('is refused where %s would be read from another file', (_what, graph) => {
    expect(() => readOnnx(encode(graph))).toThrow(/other files/);
  });

  it('is refused where a function would, or compiled code', () => {
    const constant = node('Constant', [], 'c', [{ name: 'value', type: AttributeType.TENSOR, t: elsewhere('') }]);
    const model = { graph: { name: 'g' }, functions: [{ name: 'f', node: [constant] }] };
    expect(() => readOnnx(onnx.ModelProto.encode(model).finish())).toThrow(/other files/);
    expect(() => readOnnx(encode({ node: [node('EPContext', ['x'], 'y')] }))).toThrow(/EPContext/);
  });

  it('is refused when it is none, is cut short, or nests without end', () => {
    expect(() => readOnnx(Buffer.alloc(0))).toThrow(/0 graphs/);
    expect(() => readOnnx(Buffer.from('this is no model, it is a letter'))).toThrow(/not a whole ONNX file/);
    const whole = tinyYolox();
    for (const part of [0.1, 0.5, 0.99]) {
      expect(() => readOnnx(whole.subarray(0, Math.floor(whole.length * part)))).toThrow(/not a whole ONNX file/);
    }
    let graph: onnx.IGraphProto = { name: 'g' };
    for (let depth = 0; depth < 60; depth += 1) {
      graph = { name: 'g', node: [node('If', ['x'], 'y', [{ name: 'b', type: AttributeType.GRAPH, g: graph }])] };
    }
    expect(() => readOnnx(encode(graph))).toThrow(/nested without end/);
  });

  it('ends in a reason or a reading, whatever was done to it', () => {
    const whole = tinyYolox();
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(damage, (changes) => {
        const bytes = Buffer.from(whole);
        for (const [at, byte] of changes) bytes[at] = byte;
        try {
          expect(readOnnx(bytes).inputs).toBeInstanceOf(Array);
        } catch (error) {
          expect((error as Error).message).toMatch(/not a whole ONNX file|other files|EPContext/);
        }
      }),
      { numRuns: 300 },
    );
  });
});
