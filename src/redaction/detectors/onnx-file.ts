/**
 * Reads of an ONNX file what has to be known before a runtime is given it: that it is one, what goes in and out, and that it
 * asks for nothing outside itself. The file is hostile until this is done.
 *
 * Protobuf, read by hand: only lengths and a few fields matter, and weights are stepped over, not copied. Source: onnx.proto
 * of the ONNX project (IR version 10), field numbers beside their use.
 */

export interface OnnxValue {
  readonly name: string;
  /** 1 is float32, 10 is float16; 0 where it is no tensor. */
  readonly elementType: number;
  /** null: open. */
  readonly dims: readonly (number | null)[];
}

export interface OnnxFile {
  /** Without weights, which old exporters list as inputs too. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

interface Field {
  readonly number: number;
  /** Of a varint or fixed number; of bytes their length. */
  readonly value: number;
  /** Null for numbers. */
  readonly bytes: Uint8Array | null;
}

/** Deeper than any exporter nests graphs in graphs. */
const deepest = 100;

function notOnnx(what: string): Error {
  return new Error(`It is not a whole ONNX file: ${what}.`);
}

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw notOnnx('it ends inside a number');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw notOnnx('a number in it does not end');
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wireType] = [Math.floor(tag / 8), tag % 8];
    if (number === 0) throw notOnnx('a field in it has no number');
    if (wireType === 0) {
      yield { number, value: varint(), bytes: null };
      continue;
    }
    const length = wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? varint() : null;
    if (length === null) throw notOnnx(`a field in it has the type ${wireType}`);
    if (length > bytes.length - at) throw notOnnx('it is cut short');
    const content = bytes.subarray(at, at + length);
    at += length;
    yield wireType === 2 ? { number, value: length, bytes: content } : { number, value: 0, bytes: null };
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');

/** Fields that hold messages, by message and number, as far as tensors or nodes may lie in them. */
const inside: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  function: { 7: 'node', 11: 'attribute' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: {},
};

/** Throws where anything in the message, however deep, names another file. */
function assertSelfContained(message: string, bytes: Uint8Array, depth: number): void {
  if (depth > deepest) throw notOnnx('graphs in it are nested without end');
  for (const field of fieldsOf(bytes)) {
    // external_data and data_location: the weights are in another file, with a path that the model chooses.
    if (message === 'tensor' && (field.number === 13 || (field.number === 14 && field.value !== 0))) {
      throw new Error('Its weights lie in other files. A model must be one file.');
    }
    // An operator that loads what was compiled elsewhere.
    if (message === 'node' && field.number === 4 && field.bytes !== null && text(field.bytes) === 'EPContext') {
      throw new Error('It loads compiled code from another file (EPContext).');
    }
    const next = inside[message]?.[field.number];
    if (next !== undefined && field.bytes !== null) assertSelfContained(next, field.bytes, depth + 1);
  }
}

/** Throws an Error with the reason where `bytes` are no ONNX file, or one that needs other files. */
export function readOnnx(bytes: Uint8Array): OnnxFile {
  assertSelfContained('model', bytes, 0);
  const graphs = [...fieldsOf(bytes)].filter((field) => field.number === 7);
  const [graph] = graphs;
  if (!graph?.bytes || graphs.length > 1) throw notOnnx(`it has ${graphs.length} graphs`);
  const weights = new Set<string>();
  const [inputs, outputs]: OnnxValue[][] = [[], []];
  for (const { number, bytes: content } of fieldsOf(graph.bytes)) {
    if (content === null) continue;
    if (number === 5) weights.add(stringOf(content, 8));
    else if (number === 11) inputs?.push(valueOf(content));
    else if (number === 12) outputs?.push(valueOf(content));
  }
  return { inputs: (inputs ?? []).filter((one) => !weights.has(one.name)), outputs: outputs ?? [] };
}

const messageAt = (bytes: Uint8Array, number: number): Uint8Array =>
  [...fieldsOf(bytes)].findLast((field) => field.number === number)?.bytes ?? new Uint8Array(0);
const stringOf = (bytes: Uint8Array, number: number): string => text(messageAt(bytes, number));

/** ValueInfoProto: 1 name, 2 type; TypeProto: 1 tensor; its Tensor: 1 element type, 2 shape; TensorShapeProto: 1 dim. */
function valueOf(bytes: Uint8Array): OnnxValue {
  const tensor = messageAt(messageAt(bytes, 2), 1);
  const elementType = [...fieldsOf(tensor)].find((field) => field.number === 1)?.value ?? 0;
  const dims = [...fieldsOf(messageAt(tensor, 2))].map((dim) => {
    // Dimension: 1 is its value, 2 the name of an open one. Zero and less are how some exporters say open.
    const size = [...fieldsOf(dim.bytes ?? new Uint8Array(0))].find((field) => field.number === 1)?.value ?? 0;
    return size > 0 && size < 2 ** 31 ? size : null;
  });
  return { name: stringOf(bytes, 1), elementType, dims };
}
