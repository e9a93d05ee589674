/**
 * What may be in the H.264 of a masked copy: one pair of parameter sets and pictures, and no place where a text could hide. The
 * bytes are hostile. Sources: ITU-T H.264 (7.3, 7.4.1, Annex E), ISO/IEC 14496-15 (5.3.3.1).
 */
import { Misfit } from './box-reader.js';

export interface ParameterSets {
  readonly sps: Buffer;
  readonly pps: Buffer;
}

export interface SpsShape {
  /** Of the picture that is shown, pixels. */
  readonly width: number;
  readonly height: number;
}

/** Bits of a NAL unit without its emulation bytes; never reads beyond the end. */
function bitsOf(what: string, unit: Buffer): { bits: (count: number) => number; ue: () => number; end: () => void } {
  const payload: number[] = [];
  let zeros = 0;
  for (const byte of unit.subarray(1)) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    payload.push(byte);
  }
  let at = 0;
  const bit = (): number => {
    const byte = payload[at >> 3];
    if (byte === undefined) throw new Misfit(`${what} ends too early`);
    at += 1;
    return (byte >> (7 - ((at - 1) & 7))) & 1;
  };
  const bits = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i += 1) value = value * 2 + bit();
    return value;
  };
  return {
    bits,
    ue: () => {
      let leading = 0;
      while (bit() === 0) {
        leading += 1;
        if (leading > 31) throw new Misfit(`${what} has a number beyond all sense`);
      }
      return 2 ** leading - 1 + bits(leading);
    },
    end: () => {
      const rest = payload.length * 8 - at;
      if (rest < 1 || rest > 8 || bits(rest) !== 2 ** (rest - 1))
        throw new Misfit(`${what} has something after its end`);
    },
  };
}

const profilesWithChroma = new Set([100, 110, 122, 244]);

/**
 * Reads a sequence parameter set to its last bit. Only what we encode is let through: 8-bit 4:2:0, progressive frames whose
 * order of decoding is the order of showing (else the times of the container would not be those of the pictures).
 */
export function readSps(unit: Buffer): SpsShape {
  const what = 'the sequence parameter set';
  if (unit.length < 4 || unit.length > 128 || (unit.readUInt8(0) & 0x9f) !== 7) throw new Misfit(`${what} is none`);
  const { bits, ue, end } = bitsOf(what, unit);
  const expect = (field: string, value: number, wanted: number): void => {
    if (value !== wanted) throw new Misfit(`${what}: ${field} is ${value}, not ${wanted}`);
  };
  const profile = bits(8);
  bits(16);
  ue();
  if (profilesWithChroma.has(profile)) {
    expect('chroma_format_idc', ue(), 1);
    expect('bit_depth_luma_minus8', ue(), 0);
    expect('bit_depth_chroma_minus8', ue(), 0);
    expect('lossless bypass', bits(1), 0);
    expect('seq_scaling_matrix_present_flag', bits(1), 0);
  } else if (![66, 77, 88].includes(profile)) throw new Misfit(`${what} has profile ${profile}`);
  ue();
  expect('pic_order_cnt_type', ue(), 2);
  const references = ue();
  if (references > 16) throw new Misfit(`${what} wants ${references} reference frames`);
  bits(1);
  const [columns, rows] = [ue() + 1, ue() + 1];
  expect('frame_mbs_only_flag', bits(1), 1);
  bits(1);
  const [left, right, top, bottom] = bits(1) === 1 ? [ue(), ue(), ue(), ue()] : [0, 0, 0, 0];
  // The encoder fills up to whole macroblocks at the right and at the bottom; more would hide a part of the picture.
  if (left !== 0 || top !== 0 || right > 7 || bottom > 7) throw new Misfit(`${what} hides a part of the picture`);
  if (bits(1) === 1) readVui(what, bits, ue, expect);
  end();
  return { width: columns * 16 - 2 * right, height: rows * 16 - 2 * bottom };
}

/** Annex E.1.1. No HRD: our encoder writes none. */
function readVui(
  what: string,
  bits: (count: number) => number,
  ue: () => number,
  expect: (field: string, value: number, wanted: number) => void,
): void {
  if (bits(1) === 1 && bits(8) === 255) bits(32);
  expect('overscan_info_present_flag', bits(1), 0);
  if (bits(1) === 1) {
    bits(4);
    if (bits(1) === 1) bits(24);
  }
  if (bits(1) === 1 && (ue() > 5 || ue() > 5)) throw new Misfit(`${what} places its chroma nowhere`);
  if (bits(1) === 1) bits(65);
  expect('nal_hrd_parameters_present_flag', bits(1), 0);
  expect('vcl_hrd_parameters_present_flag', bits(1), 0);
  bits(1);
  if (bits(1) === 1) {
    bits(1);
    for (let i = 0; i < 4; i += 1) ue();
    expect('max_num_reorder_frames', ue(), 0);
    ue();
  }
}

/** Reads a picture parameter set to its last bit. */
export function checkPps(unit: Buffer): void {
  const what = 'the picture parameter set';
  if (unit.length < 2 || unit.length > 64 || (unit.readUInt8(0) & 0x9f) !== 8) throw new Misfit(`${what} is none`);
  const { bits, ue, end } = bitsOf(what, unit);
  ue();
  ue();
  bits(2);
  if (ue() !== 0) throw new Misfit(`${what} has slice groups`);
  ue();
  ue();
  bits(3);
  for (let i = 0; i < 3; i += 1) ue();
  bits(3);
  // High profile says three things more; whether it does is known only by what is left, so try the shorter form first.
  try {
    end();
  } catch {
    const again = bitsOf(what, unit);
    readWithTail(what, again);
  }
}

function readWithTail(what: string, { bits, ue, end }: ReturnType<typeof bitsOf>): void {
  ue();
  ue();
  bits(2);
  for (let i = 0; i < 3; i += 1) ue();
  bits(3);
  for (let i = 0; i < 3; i += 1) ue();
  bits(3);
  bits(1);
  if (bits(1) !== 0) throw new Misfit(`${what} has scaling lists`);
  ue();
  end();
}

const [slice, idr, sps, pps, delimiter, filler] = [1, 5, 7, 8, 9, 12];
const startCode = Buffer.from([0, 0, 1]);

/**
 * Walks the units of one sample (a 4-byte length before each): slices of one picture, and at most what cannot carry anything -
 * delimiters, filler, the parameter sets that the container holds already. No SEI: text may hide there. No start code within a
 * unit: another reader than ours would see units there.
 *
 * @returns whether the sample can be decoded by itself.
 */
export function checkSample(what: string, sample: Buffer, sets: ParameterSets): { isKey: boolean } {
  let at = 0;
  let [slices, keys] = [0, 0];
  while (at < sample.length) {
    if (sample.length - at < 5) throw new Misfit(`${what} ends within the length of a unit`);
    const length = sample.readUInt32BE(at);
    at += 4;
    if (length < 1 || length > sample.length - at) throw new Misfit(`${what} has a unit that leaves it`);
    const unit = sample.subarray(at, at + length);
    at += length;
    const head = unit.readUInt8(0);
    const type = head & 31;
    if (head > 127) throw new Misfit(`${what} has a forbidden bit set`);
    if (unit.includes(startCode)) throw new Misfit(`${what} has a start code within a unit`);
    if (type === slice || type === idr) {
      slices += 1;
      if (type === idr) keys += 1;
    } else if (type === sps || type === pps) {
      if (!unit.equals(type === sps ? sets.sps : sets.pps)) throw new Misfit(`${what} has a parameter set of its own`);
    } else if (type === delimiter) {
      if (length !== 2 || (unit.readUInt8(1) & 31) !== 16) throw new Misfit(`${what} has a wrong delimiter`);
    } else if (type === filler) {
      if (unit.at(-1) !== 0x80 || unit.subarray(1, -1).some((byte) => byte !== 0xff))
        throw new Misfit(`${what} has filler that is none`);
    } else throw new Misfit(`${what} has a unit of type ${type}${type === 6 ? ' (SEI)' : ''}`);
  }
  if (slices === 0) throw new Misfit(`${what} has no picture`);
  if (keys !== 0 && keys !== slices) throw new Misfit(`${what} is a key picture in part only`);
  return { isKey: keys > 0 };
}
