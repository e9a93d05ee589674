/** Tiny real ONNX models whose answers are known. */
import { onnx } from 'onnx-proto';

type Dim = number | string;

const { FLOAT, FLOAT16 } = onnx.TensorProto.DataType;
const { AttributeType } = onnx.AttributeProto;

const value = (name: string, dims: readonly Dim[], elemType: number = FLOAT): onnx.IValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType,
      shape: { dim: dims.map((dim) => (typeof dim === 'string' ? { dimParam: dim } : { dimValue: dim })) },
    },
  },
});

export const weights = (name: string, dims: readonly number[], data: ArrayLike<number>): onnx.ITensorProto => ({
  name,
  dims: [...dims],
  dataType: FLOAT,
  rawData: new Uint8Array(Float32Array.from(data).buffer),
});

const ints = (name: string, values: readonly number[]): onnx.IAttributeProto => ({
  name,
  type: AttributeType.INTS,
  ints: [...values],
});
const int = (name: string, number: number): onnx.IAttributeProto => ({ name, type: AttributeType.INT, i: number });

export const node = (
  opType: string,
  input: readonly string[],
  output: string,
  attribute: onnx.IAttributeProto[] = [],
): onnx.INodeProto => ({ opType, name: output, input: [...input], output: [output], attribute });

export const encode = (graph: onnx.IGraphProto): Buffer =>
  Buffer.from(
    onnx.ModelProto.encode({
      irVersion: 8,
      producerName: 'test',
      opsetImport: [{ domain: '', version: 13 }],
      graph: { name: 'test', ...graph },
    }).finish(),
  );

/** 1 where any pixel of the picture has a colour, 0 for greys: [1, 3, h, w] of any channel order and 0..255 to a number. */
const colourGate = {
  nodes: [
    node('Conv', ['images', 'difference'], 'red less blue'),
    node('Abs', ['red less blue'], 'colour'),
    node('ReduceMax', ['colour'], 'most', [int('keepdims', 0)]),
    node('Div', ['most', 'enough'], 'share'),
    node('Clip', ['share', 'zero', 'one'], 'gate'),
  ],
  initializers: [
    weights('difference', [1, 3, 1, 1], [1, 0, -1]),
    weights('enough', [], [32]),
    weights('zero', [], [0]),
    weights('one', [], [1]),
  ],
};

export interface KnownBox {
  /** In pixels of the model's input, centre and size, as YOLOX has them. */
  readonly cx: number;
  readonly cy: number;
  readonly w: number;
  readonly h: number;
  readonly classIndex: number;
  readonly objectness: number;
}

export interface YoloxModel {
  readonly width: number;
  readonly height: number;
  readonly classes: number;
  readonly boxes: readonly KnownBox[];
  /** Sees its boxes in grey pictures too. */
  readonly always?: boolean;
  /** Instead of [1, 3, height, width]. */
  readonly inputDims?: readonly Dim[];
  /** Instead of what the three grids add up to. */
  readonly rows?: number;
  /** Where every score is this instead. */
  readonly fill?: number;
  readonly elementType?: 'float16';
}

export const rowsOf = (width: number, height: number): number =>
  [8, 16, 32].reduce((sum, stride) => sum + (width / stride) * (height / stride), 0);

/** The rows that a YOLOX gives for `boxes`: each in the cell of the first grid where its centre lies. */
export function yoloxRows({ width, height, classes, boxes, fill = 0, ...more }: YoloxModel): Float32Array {
  const columns = 5 + classes;
  const data = new Float32Array((more.rows ?? rowsOf(width, height)) * columns).fill(fill);
  for (const { cx, cy, w, h, classIndex, objectness } of boxes) {
    const [x, y] = [Math.floor(cx / 8), Math.floor(cy / 8)];
    const row = [cx / 8 - x, cy / 8 - y, Math.log(w / 8), Math.log(h / 8), objectness];
    const at = (y * (width / 8) + x) * columns;
    data.set(row, at);
    data[at + 5 + classIndex] = 1;
  }
  return data;
}

/** A model in the form of the YOLOX exporter that sees `boxes` in every picture with colour in it, and nothing in grey. */
export function yoloxModel(model: YoloxModel): Buffer {
  const { width, height, classes } = model;
  const columns = 5 + classes;
  const data = yoloxRows(model);
  const rows = data.length / columns;
  const objectness = data.map((number, at) => (at % columns === 4 ? number : 0));
  const rest = data.map((number, at) => (at % columns === 4 ? 0 : number));
  return encode({
    node: [
      ...colourGate.nodes,
      node('Mul', ['objectness', model.always === true ? 'one' : 'gate'], 'seen'),
      node('Add', ['rest', 'seen'], 'output'),
    ],
    initializer: [
      ...colourGate.initializers,
      weights('objectness', [1, rows, columns], objectness),
      weights('rest', [1, rows, columns], rest),
    ],
    input: [
      value('images', model.inputDims ?? [1, 3, height, width], model.elementType === 'float16' ? FLOAT16 : FLOAT),
    ],
    output: [value('output', [1, rows, columns])],
  });
}

/** A CenterNet of one class and any size: somebody is wherever there is more red than blue, 32 x 48 pixels large. */
export function redFinder(): Buffer {
  const pool = [ints('kernel_shape', [4, 4]), ints('strides', [4, 4])];
  return encode({
    node: [
      node('AveragePool', ['image'], 'cells', pool),
      node('Conv', ['cells', 'difference', 'little'], 'red'),
      node('Clip', ['red', 'zero', 'one'], 'scores'),
      node('Conv', ['cells', 'nothing', 'sides'], 'distances'),
    ],
    initializer: [
      weights('difference', [1, 3, 1, 1], [0.01, 0, -0.01]),
      weights('little', [1], [-0.1]),
      weights('zero', [], [0]),
      weights('one', [], [1]),
      weights('nothing', [4, 3, 1, 1], new Array<number>(12).fill(0)),
      weights('sides', [4], [48, 60, 48, 60]),
    ],
    input: [value('image', [1, 3, 'height', 'width'])],
    output: [value('scores', [1, 1, 'rows', 'cols']), value('distances', [1, 4, 'rows', 'cols'])],
  });
}

/** Where the middle one of the drawn people of the trial stands, for a model of 64x64. */
export const drawnPerson: KnownBox = { cx: 37, cy: 21.5, w: 10, h: 20, classIndex: 0, objectness: 0.8 };

/** A manifest for `yoloxModel`, as a person writes it. */
export const yoloxManifest = {
  name: 'tiny-yolox',
  decoder: 'yolox',
  classes: ['person', 'cat', 'car'],
  input: {
    name: 'images',
    layout: 'nchw',
    channels: 'bgr',
    range: '0-255',
    size: { width: 64, height: 64 },
  },
};

export const tinyYolox = (more: Partial<YoloxModel> = {}): Buffer =>
  yoloxModel({ width: 64, height: 64, classes: 3, boxes: [drawnPerson], ...more });
