import type { Track } from '../domain/redaction-plan.js';

/** Everything that was found in a file, as plain JSON: kept as the plan of a prepared request, and hashed. */
export interface Analysis {
  readonly version: 1;
  /** Upright picture, pixels. */
  readonly width: number;
  readonly height: number;
  readonly timeBase: { readonly num: number; readonly den: number };
  /** Of each frame, in units of timeBase, as decoded. */
  readonly pts: readonly number[];
  /** Frames by seconds, averaged. */
  readonly fps: number;
  readonly tracks: readonly Track[];
  /**
   * Frames in which people were looked for, half-open; all where left out. In the others nobody is in a track, whoever is in
   * the picture: renderCopy refuses to show them.
   */
  readonly searched?: { readonly firstFrame: number; readonly endFrame: number };
  readonly detector: {
    readonly name: string;
    readonly sha256: string;
    readonly width: number;
    readonly height: number;
    readonly minScore: number;
  };
  /** The decoder met damage; what is here is what could be decoded. */
  readonly damaged: boolean;
  readonly notes: readonly string[];
}
