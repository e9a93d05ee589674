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

/** What lies beside a model file and says how it is fed and read. Written by tooling/model. */
export interface DetectorManifest {
  readonly name: string;
  /** File name of the ONNX model, beside the manifest. */
  readonly file: string;
  readonly sha256: string;
  /** Key of the registry in index.ts. */
  readonly decoder: string;
  readonly input: { readonly name: string; readonly multipleOf: number };
  readonly classes: readonly string[];
}

/** A model that is loaded and ready. Lives in one thread and handles one frame at a time. */
export interface Detector {
  readonly name: string;
  /**
   * Everything found in one frame.
   * @param rgbPlanar all of R, then G, then B, each `width * height` floats of 0..255; not changed.
   * @param width and height: multiples of the manifest's `input.multipleOf`.
   */
  detect(rgbPlanar: Float32Array, width: number, height: number): Promise<Detection[]>;
  close(): Promise<void>;
}

/** Reads one model file into a detector. Errors are thrown as they come; the caller makes them `detector-failed`. */
export type OpenDetector = (
  manifest: DetectorManifest,
  modelPath: string,
  options: DetectorOptions,
) => Promise<Detector>;
