import type { MaskDecisions, RedactionPlan, Track, Zone } from '../domain/redaction-plan.js';
import { GatewayError } from '../errors.js';

/** 1 had a box for every frame of a track, and neither motion nor zones. */
export const analysisVersion = 2;

/** Everything that was found in a file, as plain JSON: kept as the plan of a prepared request, and hashed. */
export interface Analysis {
  readonly version: typeof analysisVersion;
  /** Upright picture, pixels. */
  readonly width: number;
  readonly height: number;
  readonly timeBase: { readonly num: number; readonly den: number };
  /** Of each frame, in units of timeBase, as decoded. */
  readonly pts: readonly number[];
  /** Frames by seconds, averaged. */
  readonly fps: number;
  readonly tracks: readonly Track[];
  /** Fixed zones of the camera at the time: with the plan they are hashed, and stay as they were reviewed. */
  readonly zones: readonly Zone[];
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
    /** How many frames it saw. */
    readonly framesLookedAt: number;
  };
  /** The decoder met damage; what is here is what could be decoded. */
  readonly damaged: boolean;
  readonly notes: readonly string[];
}

/**
 * The plan of a prepared request, as it was written; its bytes are the caller's to have proved. Throws `conflict` for one of
 * an older release: read as one of today it would say of nobody where they are, and nothing would be masked.
 */
export function parseAnalysis(json: string): Analysis {
  const found = JSON.parse(json) as Pick<Analysis, 'version'> | null;
  if (found?.version === analysisVersion) return found as Analysis;
  throw new GatewayError(
    'conflict',
    'This was prepared by another release of tredive, whose plans are not read any more.',
    {
      remedy: 'Prepare the request again.',
    },
  );
}

export const planOf = (analysis: Analysis, decisions: MaskDecisions): RedactionPlan => ({
  version: 2,
  width: analysis.width,
  height: analysis.height,
  frameCount: analysis.pts.length,
  tracks: analysis.tracks,
  zones: analysis.zones,
  decisions,
});
