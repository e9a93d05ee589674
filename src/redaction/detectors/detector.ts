import type { Box } from '../../domain/redaction-plan.js';

/** Something found in one frame. Coordinates are pixels of the frame that was handed in. */
export interface Detection {
  readonly box: Box;
  /** 0..1; what a given score means is the detector's own affair. */
  readonly score: number;
  readonly kind: 'person' | 'vehicle';
}

export interface DetectorOptions {
  /** Lowest score reported. It is a privacy setting: what is dropped here can never be masked. */
  readonly minScore: number;
  /** Vehicles too (number plates), not only persons. */
  readonly vehicles: boolean;
}

/** What sizes a model takes: exactly one, or every one whose sides are multiples of a number. */
export type ModelSize = { readonly width: number; readonly height: number } | { readonly multipleOf: number };

/** How a model wants its picture. */
export interface ModelInput {
  /** Of the model's one input. */
  readonly name: string;
  /** One picture, its three channels one after the other: `[1, 3, height, width]`, float32. */
  readonly layout: 'nchw';
  readonly channels: 'rgb' | 'bgr';
  /** Of a value; or `(value of 0..255 - mean) / std`, each with one number for every channel in the order of `channels`. */
  readonly range: '0-255' | '0-1' | { readonly mean: readonly number[]; readonly std: readonly number[] };
  readonly size: ModelSize;
}

/** What lies beside a model file and says how it is fed and read. Strict: see manifest.ts. */
export interface DetectorManifest {
  readonly version: 2;
  readonly name: string;
  /** File name of the ONNX model, beside the manifest. */
  readonly file: string;
  readonly sha256: string;
  /** Key of the registry in index.ts. */
  readonly decoder: DecoderName;
  /** In the order of the model's outputs; kinds.ts says which of them are people and vehicles. */
  readonly classes: readonly string[];
  readonly input: ModelInput;
  /** `yolox` only: the model gives boxes in pixels, not offsets in its grids. False where left out. */
  readonly decoded?: boolean | undefined;
}

export const decoderNames = ['centernet', 'yolox'] as const;
export type DecoderName = (typeof decoderNames)[number];

/** A model that is loaded and ready. Lives in one thread and handles one frame at a time. */
export interface Detector {
  readonly name: string;
  /**
   * Everything found in one frame.
   * @param rgbPlanar all of R, then G, then B, each `width * height` floats of 0..255; not changed.
   * @param width and height: as detectionSize gives them. Of a model with one fixed size the picture fills it in one
   * direction and may be smaller in the other: the detector pads it by itself.
   */
  detect(rgbPlanar: Float32Array, width: number, height: number): Promise<Detection[]>;
  close(): Promise<void>;
}

/**
 * Makes a detector of a model's bytes, which are those that the manifest names and hold no reference to other files. Errors
 * are thrown as they come; the caller makes them `detector-failed`.
 */
export type OpenDetector = (
  manifest: DetectorManifest,
  model: Uint8Array,
  options: DetectorOptions,
) => Promise<Detector>;
