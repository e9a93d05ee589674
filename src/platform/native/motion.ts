import { fromNative, native } from './addon.js';

declare module './addon.js' {
  interface Addon {
    createMotionModel(width: number, height: number): MotionModel;
    /** A yuv420p picture at another size as planar R, G, B, 0..255. */
    shrinkToRgb(
      picture: Uint8Array,
      width: number,
      height: number,
      toWidth: number,
      toHeight: number,
      matrix: 'bt601' | 'bt709',
      fullRange: boolean,
    ): Float32Array;
  }
}

/** What a look says about each cell of 4x4 luma pixels, row by row; the last cells of a row or column may be cut. */
export interface MotionLook {
  readonly cols: number;
  readonly rows: number;
  /** Share of each cell that is not the empty scene, 0..255. */
  readonly foreground: Uint8Array;
  /** Share of each cell that changed since the look before, 0..255. */
  readonly moving: Uint8Array;
  /**
   * False where the model does not know the scene: the camera moves or has rested for less than two seconds since, or all of the
   * picture changed. Then foreground says nothing. A camera that trembles by a pixel or two is taken back, and stays reliable.
   */
  readonly reliable: boolean;
  /** A light was switched at this look. */
  readonly lightChanged: boolean;
}

/**
 * Tells the empty scene of a fixed camera from all else, in small yuv420p pictures (without padding, chroma sides rounded up).
 * Foreground is never learned, so whoever stands still stays in it. Synchronous, about a millisecond a look at 320x180.
 */
export interface MotionModel {
  /** The pictures of the first seconds, at least one: what most of them share is the empty scene. */
  prime(pictures: readonly Uint8Array[]): void;
  /**
   * The next picture in order of time. `occupied` has x, y, width, height of known people in pixels of the small picture, clipped
   * here: nothing is learned there and around. Throws `internal` for another size.
   */
  look(picture: Uint8Array, timeS: number, occupied: Int32Array): MotionLook;
}

/** @throws GatewayError `internal` unless both sides are 16 to 4096 pixels. */
export function createMotionModel(width: number, height: number): MotionModel {
  const doing = 'Looking for motion';
  const run = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      throw fromNative(error, doing);
    }
  };
  const model = run(() => native().createMotionModel(width, height));
  return {
    prime: (pictures) => {
      run(() => {
        model.prime(pictures);
      });
    },
    look: (picture, timeS, occupied) => run(() => model.look(picture, timeS, occupied)),
  };
}
