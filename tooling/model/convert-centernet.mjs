// Builds the detector model: the CenterNet graph that @vladmandic/human ships for TensorFlow.js, as ONNX.
//
//   node tooling/model/convert-centernet.mjs <outdir>     writes <outdir>/centernet.onnx, centernet.json and NOTICE
//
// The same input gives the same bytes. The graph is small and known, so only the operators it holds are known here and
// anything else stops the build. What changes on the way:
// - NHWC becomes NCHW; weights are laid out anew and widened from float16 to float32.
// - Width and height are free (multiples of 32): SAME padding is written out, which is only right while every layer with
//   stride 2 sees an even size, and the three enlargements by 2 are factors instead of sizes.
// - The graph ends at the score map and the four box distances; peaks are found in src/redaction/detectors/centernet.ts.
// - Of the 80 COCO classes the first eight stay (person and what people drive): nothing else is ever masked.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);
const { onnx } = require('onnx-proto');

const CLASSES = ['person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck'];
const OUTPUTS = { 'tower_0/keypoints': 'scores', 'tower_0/wh': 'distances' };
const CLASS_LAYER = 'tower_0/CenternetHead/centernet_cls_output/BiasAdd';

const outDir = process.argv[2];
if (outDir === undefined) {
  process.stderr.write('usage: convert-centernet.mjs <outdir>\n');
  process.exit(2);
}

// By its place, not by its name: the package exports neither its models nor its package.json.
const packageDir = path.join(import.meta.dirname, '../../node_modules/@vladmandic/human');
const origin = JSON.parse(fs.readFileSync(path.join(packageDir, 'package.json'), 'utf8'));
const modelDir = path.join(packageDir, 'models');
const source = JSON.parse(fs.readFileSync(path.join(modelDir, 'centernet.json'), 'utf8'));
const weights = readWeights(source.weightsManifest, modelDir);
const nodes = new Map(source.modelTopology.node.map((node) => [node.name, node]));

const graph = { nodes: [], initializers: new Map() };
const done = new Map();
for (const [name, as] of Object.entries(OUTPUTS)) emit('Identity', [tensor(name)], as);

const model = onnx.ModelProto.encode({
  irVersion: 8,
  producerName: 'tredive',
  opsetImport: [{ domain: '', version: 13 }],
  graph: {
    name: 'centernet',
    node: graph.nodes,
    initializer: [...graph.initializers.values()],
    input: [valueInfo('image', [1, 3, 'height', 'width'])],
    output: [
      valueInfo('scores', [1, CLASSES.length, 'height4', 'width4']),
      valueInfo('distances', [1, 4, 'height4', 'width4']),
    ],
  },
}).finish();

const notice = `centernet.onnx: MobileNetV3-CenterNet, trained on COCO.
Converted by tooling/model/convert-centernet.mjs from models/centernet.json of the npm package ${origin.name} ${origin.version},
${origin.homepage ?? 'https://github.com/vladmandic/human'}, without training and without other data.

${fs.readFileSync(path.join(packageDir, 'LICENSE'), 'utf8').trim()}
`;

fs.mkdirSync(outDir, { recursive: true });
fs.writeFileSync(path.join(outDir, 'NOTICE'), notice);
fs.writeFileSync(path.join(outDir, 'centernet.onnx'), model);
// The manifest comes last: a model without one is not loaded, so a build that was cut short leaves no half model in use.
fs.writeFileSync(
  path.join(outDir, 'centernet.json'),
  `${JSON.stringify(
    {
      version: 2,
      name: 'centernet',
      file: 'centernet.onnx',
      sha256: createHash('sha256').update(model).digest('hex'),
      decoder: 'centernet',
      classes: CLASSES,
      input: { name: 'image', layout: 'nchw', channels: 'rgb', range: '0-255', size: { multipleOf: 32 } },
      origin: { package: origin.name, version: origin.version, file: 'models/centernet.json' },
      licence: 'MIT; see NOTICE',
    },
    null,
    2,
  )}\n`,
);

/** The ONNX name of what a TensorFlow node gives, after everything it needs has been written to the graph. */
function tensor(name) {
  const known = done.get(name);
  if (known !== undefined) return known;
  const node = nodes.get(name);
  if (node === undefined) throw new Error(`The graph names ${name}, which it does not hold.`);
  const result = convert(node);
  done.set(name, result);
  return result;
}

function convert(node) {
  const [first, second] = node.input ?? [];
  switch (node.op) {
    case 'Placeholder':
      return 'image';
    case 'Const':
      return constant(node.name);
    case 'Identity':
      return tensor(first);
    case 'Conv2D':
    case '_FusedConv2D':
      return convolution(node, false);
    case 'DepthwiseConv2dNative':
    case 'FusedDepthwiseConv2dNative':
      return convolution(node, true);
    case 'Mul': {
      const swish = hardSwishOf(node);
      if (swish !== null) return hardSwish(swish, node.name);
      return emit('Mul', node.input.map(tensor), node.name);
    }
    case 'Add':
    case 'Relu':
    case 'Sigmoid':
      return emit(node.op, node.input.map(tensor), node.name);
    case 'Relu6':
      return emit('Clip', [tensor(first), scalar('zero', 0), scalar('six', 6)], node.name);
    case 'Mean': {
      // Always over height and width here, and with the axes kept.
      const axes = [...weights.get(second).data];
      if (axes.join() !== '1,2' || !node.attr.keep_dims.b) throw new Error(`${node.name}: mean over axes ${axes}`);
      return emit('GlobalAveragePool', [tensor(first)], node.name);
    }
    case 'ConcatV2': {
      const axis = weights.get(node.input.at(-1)).data[0];
      if (axis !== 3 && axis !== -1) throw new Error(`${node.name}: concatenation along axis ${axis}`);
      return emit('Concat', node.input.slice(0, -1).map(tensor), node.name, { axis: 1 });
    }
    case 'ResizeBilinear':
      if (node.attr.align_corners.b || node.attr.half_pixel_centers.b) throw new Error(`${node.name}: other corners`);
      return emit('Resize', [tensor(first), '', doubling()], node.name, {
        mode: 'linear',
        coordinate_transformation_mode: 'asymmetric',
      });
    default:
      throw new Error(`${node.name}: no conversion for the operator ${node.op}`);
  }
}

/** A convolution with its bias and its ReLU, from TensorFlow's [h, w, in, out] (depthwise [h, w, channels, 1]). */
function convolution(node, depthwise) {
  const [input, kernel, bias] = node.input;
  const text = (base64) => Buffer.from(base64, 'base64').toString();
  const fused = (node.attr.fused_ops?.list.s ?? []).map(text);
  if (fused.some((op) => op !== 'BiasAdd' && op !== 'Relu')) throw new Error(`${node.name}: fused with ${fused}`);
  if ((node.attr.dilations?.list.i ?? []).some((dilation) => Number(dilation) !== 1)) {
    throw new Error(`${node.name}: dilated`);
  }
  const { data, shape } = weights.get(kernel);
  const [height, width, a, b] = shape;
  if (depthwise && b !== 1) throw new Error(`${node.name}: depthwise with a multiplier of ${b}`);
  const outputs = node.name === CLASS_LAYER ? CLASSES.length : depthwise ? a : b;
  const inputs = depthwise ? 1 : a;
  const moved = new Float32Array(outputs * inputs * height * width);
  let at = 0;
  for (let o = 0; o < outputs; o += 1) {
    for (let i = 0; i < inputs; i += 1) {
      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) {
          moved[at++] = data[((y * width + x) * a + (depthwise ? o : i)) * b + (depthwise ? 0 : o)];
        }
      }
    }
  }
  const stride = Number(node.attr.strides.list.i[1]);
  const operands = [tensor(input), initializer(kernel, moved, [outputs, inputs, height, width])];
  if (fused.includes('BiasAdd')) {
    operands.push(initializer(bias, weights.get(bias).data.slice(0, outputs), [outputs]));
  }
  const same = text(node.attr.padding.s) === 'SAME';
  // TensorFlow's SAME: with stride 2 on an even size there is one pixel less before than after.
  const pad = (size) => (same ? size - stride : 0);
  const [top, left] = [Math.floor(pad(height) / 2), Math.floor(pad(width) / 2)];
  const result = emit('Conv', operands, fused.includes('Relu') ? `${node.name}/linear` : node.name, {
    kernel_shape: [height, width],
    strides: [stride, stride],
    pads: [top, left, Math.max(0, pad(height) - top), Math.max(0, pad(width) - left)],
    group: depthwise ? a : 1,
  });
  return fused.includes('Relu') ? emit('Relu', [result], node.name) : result;
}

/** If `node` is the last step of a hard swish, x * relu6(x + 3) * sixth: the convolution that gives x, and the number. */
function hardSwishOf(node) {
  const [scaled, clipped] = node.input.map((name) => nodes.get(name));
  const shifted = clipped?.op === 'Relu6' ? nodes.get(clipped.input[0]) : undefined;
  if (scaled?.op !== 'Mul' || shifted?.op !== 'Add') return null;
  const numberOf = (input) => (weights.get(input)?.shape.length === 0 ? weights.get(input).data[0] : undefined);
  const [x, ...others] = scaled.input.filter((input) => numberOf(input) === undefined);
  const sixth = scaled.input.map(numberOf).find((number) => number !== undefined);
  const isThree = shifted.input.map(numberOf).includes(3);
  if (others.length > 0 || sixth === undefined || !isThree || !shifted.input.includes(x)) return null;
  return { producer: nodes.get(x), sixth };
}

/**
 * As x * clip(sixth * x + 3 * sixth, 0, 6 * sixth), with the scale and the shift as a convolution of each channel by itself:
 * the runtime keeps convolutions in blocks of channels and clips within them, while adding or multiplying by one number would
 * have it lay out the picture anew, there and back. It saves a tenth of the time of the network.
 */
function hardSwish({ producer, sixth }, name) {
  const { shape } = weights.get(producer.input[1]);
  const channels = producer.op.includes('Depthwise') ? shape[2] : shape[3];
  const x = tensor(producer.name);
  const filled = (label, value, dims) =>
    initializer(`hard-swish/${label}/${channels}`, new Float32Array(channels).fill(value), dims);
  const scaled = emit(
    'Conv',
    [x, filled('scale', sixth, [channels, 1, 1, 1]), filled('shift', 3 * sixth, [channels])],
    `${name}/linear`,
    { kernel_shape: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0], group: channels },
  );
  const gate = emit('Clip', [scaled, scalar('zero', 0), scalar('hard-swish/most', 6 * sixth)], `${name}/gate`);
  return emit('Mul', [x, gate], name);
}

function emit(opType, input, name, attributes = {}) {
  const { AttributeType } = onnx.AttributeProto;
  const attribute = Object.entries(attributes).map(([key, value]) => {
    if (typeof value === 'string') return { name: key, type: AttributeType.STRING, s: Buffer.from(value) };
    if (Array.isArray(value)) return { name: key, type: AttributeType.INTS, ints: value };
    return { name: key, type: AttributeType.INT, i: value };
  });
  graph.nodes.push({ opType, name, input, output: [name], attribute });
  return name;
}

function initializer(name, data, dims) {
  const rawData = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  graph.initializers.set(name, { name, dataType: onnx.TensorProto.DataType.FLOAT, dims, rawData });
  return name;
}

function constant(name) {
  const { data, shape } = weights.get(name);
  if (shape.length !== 0) throw new Error(`${name}: a constant of shape ${shape} outside a convolution`);
  return initializer(name, data, []);
}

function scalar(name, value) {
  return initializer(name, Float32Array.of(value), []);
}

function doubling() {
  return initializer('doubling', Float32Array.of(1, 1, 2, 2), [4]);
}

function valueInfo(name, dims) {
  const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType: onnx.TensorProto.DataType.FLOAT, shape: { dim } } } };
}

/** Every weight by name: `{ data, shape }`, the halves widened. */
function readWeights(manifest, dir) {
  const found = new Map();
  for (const { paths, weights: entries } of manifest) {
    const bytes = Buffer.concat(paths.map((file) => fs.readFileSync(path.join(dir, file))));
    let offset = 0;
    for (const { name, shape, dtype, quantization } of entries) {
      const count = shape.reduce((product, size) => product * size, 1);
      if (dtype === 'float32' && quantization?.dtype === 'float16') {
        const data = Float32Array.from({ length: count }, (_, i) => half(bytes.readUInt16LE(offset + 2 * i)));
        found.set(name, { data, shape });
        offset += 2 * count;
      } else if (dtype === 'int32' && quantization === undefined) {
        const data = Int32Array.from({ length: count }, (_, i) => bytes.readInt32LE(offset + 4 * i));
        found.set(name, { data, shape });
        offset += 4 * count;
      } else {
        throw new Error(`${name}: weights of type ${dtype} (${quantization?.dtype ?? 'not quantised'})`);
      }
    }
    if (offset !== bytes.length) throw new Error(`${paths}: ${bytes.length} bytes, ${offset} described`);
  }
  return found;
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
