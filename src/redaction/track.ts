import { pathOf, type Track } from '../domain/redaction-plan.js';
import { associate, type LookedAt } from './track-association.js';
import { findDoubts } from './track-doubts.js';
import { pointsOf, type Timeline } from './track-points.js';

export type { LookedAt } from './track-association.js';
export type { Timeline } from './track-points.js';

interface TrackSettings {
  /** From this score on a detection begins a track; weaker ones only lengthen a track that is there. */
  readonly minScore: number;
  /** Added on each side of a box, as a share of its size. */
  readonly padding: number;
}

/**
 * Tracks with the future known. Pure: the same detections give the same tracks.
 * @param looks the frames a detector looked at, in order; detections in pixels of the upright picture.
 * @returns tracks in order of their first frame, numbered from 1, each with a point for every frame from first to last.
 */
export function trackAll(looks: readonly LookedAt[], timeline: Timeline, settings: TrackSettings): Track[] {
  const found = associate(looks, settings.minScore)
    .map((chain) => ({ chain, kind: chain.kind, points: pointsOf(chain, timeline, settings.padding) }))
    .filter(({ points }) => points.length > 0)
    .sort((a, b) => (a.points[0]?.frame ?? 0) - (b.points[0]?.frame ?? 0));
  const doubts = findDoubts(
    found,
    found.map(({ chain }) => chain),
    timeline,
  );
  return found.map(({ kind, points }, index) => ({
    id: index + 1,
    kind,
    path: pathOf(points),
    uncertain: doubts[index] ?? [],
  }));
}
