/** What is there for a request, what is missing from it, and what would be handed over. */
import type { CameraPolicy } from '../domain/camera.js';
import { coverRange, type Overlap, type RangeCoverage, type RecordingPart, type Shown } from '../domain/coverage.js';
import { discontinuitiesIn, type Discontinuity } from '../domain/recorder-numbers.js';
import { legalLimitUs } from '../domain/retention.js';
import { gapToleranceUs, spanOf, type LeftOut } from '../domain/manifest.js';
import { isThere, overlaps, type SegmentState, type TimeQuality, type TimeRange } from '../domain/segment.js';
import type { WallSegment } from '../domain/wall-clock.js';
import { getCamera } from '../store/cameras.js';
import type { Database } from '../store/database.js';
import { deletionsIn } from '../store/deletions.js';
import type { RequestItem } from '../store/requests.js';
import { numberOf } from '../store/segment-numbers.js';
import { segmentsShowing } from '../store/segments-shown.js';
import { streamsOf } from '../store/substreams.js';
import type { DisclosureContext } from './context.js';

export interface CoveredSegment extends TimeRange {
  readonly id: number;
  /** Where its video ends, which is before `endUs` where a camera delivers less video than the time that passes. */
  readonly mediaEndUs: number;
  /** Which stream of the camera: its own id for the main one. */
  readonly streamId: string;
  readonly sizeBytes: number;
  readonly width: number;
  readonly height: number;
  readonly codec: string;
  readonly hasAudio: boolean;
  readonly timeQuality: TimeQuality;
  /** Only what is `indexed`, or `vaulted`, is held and handed over; `deleting` is as good as gone. */
  readonly state: SegmentState;
  /** Older than the law allows without a ground for longer storage. */
  readonly pastLegalLimit: boolean;
  /** What it is to the others; only a `primary` one is handed over. Null for what is going. */
  readonly part: RecordingPart | null;
  /** The primary ones that show its moments, where it is not handed over. */
  readonly shownBy: readonly number[];
}

export interface DeletedRange extends TimeRange {
  readonly ruleId: string;
  readonly dueUs: number;
  /** Null while the deletion is under way. */
  readonly doneUs: number | null;
}

/** A break that the recorder's own count tells of, in one stream of the camera. */
export interface StreamBreak extends Discontinuity {
  readonly streamId: string;
}

export interface CameraCoverage {
  readonly cameraId: string;
  /** The camera itself and its sub-streams. */
  readonly streams: readonly string[];
  readonly segments: readonly CoveredSegment[];
  /** With `gaps` a partition of the range. */
  readonly covered: readonly TimeRange[];
  /** Parts of the range that no indexed segment of any stream shows. */
  readonly gaps: readonly TimeRange[];
  /** Which segment shows which moment best. */
  readonly shows: readonly Shown[];
  /** What two primary segments show both, such as a few seconds that a recorder repeats at the start of a file. */
  readonly overlaps: readonly Overlap[];
  /** Where the recorder was connected anew, or made segments that are not here; empty where it does not count them. */
  readonly breaks: readonly StreamBreak[];
  /** What deletion records say of the range. */
  readonly deleted: readonly DeletedRange[];
  /** Originals are whole files: what would be handed over can be wider than what was asked for. Null without any. */
  readonly disclosed: TimeRange | null;
}

export interface Coverage {
  readonly cameras: readonly CameraCoverage[];
}

/** Throws `not-found` for an unknown camera. */
export function coverageOf(
  { store: { db, clock } }: Pick<DisclosureContext, 'store'>,
  cameraIds: readonly string[],
  range: TimeRange,
): Coverage {
  const nowUs = clock.nowUs();
  return {
    cameras: [...new Set(cameraIds)].sort().map((cameraId) => {
      const policy: CameraPolicy = getCamera(db, cameraId);
      const { streams, found, cover } = lookAt(db, cameraId, range);
      const segments = found.map((segment) => segmentView(segment, policy, cover, nowUs));
      return {
        cameraId,
        streams,
        segments,
        covered: cover.covered,
        gaps: cover.gaps,
        shows: cover.shows,
        overlaps: cover.overlaps,
        breaks: breaksIn(db, streams, found),
        deleted: deletionsIn(db, streams, range).map(({ startUs, endUs, ruleId, dueUs, doneUs }) => ({
          startUs,
          endUs,
          ruleId,
          dueUs,
          doneUs,
        })),
        disclosed: spanOf(segments.filter((one) => one.part === 'primary')),
      };
    }),
  };
}

/**
 * The segments that a camera's part of a disclosure consists of, by start; and how many others show the same moments. Those in
 * `without` turned out to have no frame of the range, whatever the index says.
 */
export function primarySegments(
  db: Database,
  cameraId: string,
  range: TimeRange,
  without: ReadonlySet<number> = new Set(),
): { readonly segments: readonly WallSegment[]; readonly leftOut: number } {
  const { found, cover } = lookAt(db, cameraId, range, without);
  const segments = found.filter((one) => cover.placed.get(one.id)?.part === 'primary');
  return { segments, leftOut: cover.placed.size - segments.length };
}

/**
 * What the index has of a camera and range beside the prepared items, for the manifest: whoever reads it should know what was
 * not handed over, and why. Looked at when the package is made, so that what was indexed since stands there too.
 */
export function leftOutOf(db: Database, cameraId: string, range: TimeRange, items: readonly RequestItem[]): LeftOut[] {
  const { found, cover } = lookAt(db, cameraId, range);
  const prepared = new Set(items.map((item) => item.segmentId));
  return found.flatMap((segment): LeftOut[] => {
    const placed = cover.placed.get(segment.id);
    if (placed === undefined || prepared.has(segment.id)) return [];
    const { startUs, coveredUntilUs: endUs, sizeBytes } = segment;
    const recorderName = segment.path.slice(segment.path.lastIndexOf('/') + 1);
    // What stands in for it must have been prepared, or it would not stand in for anything.
    const isShown = placed.shownBy.length > 0 && placed.shownBy.every((id) => prepared.has(id));
    const why = isShown && placed.part !== 'primary' ? placed.part : 'not-prepared';
    return [{ streamId: segment.cameraId, recorderName, startUs, endUs, sizeBytes, why }];
  });
}

function lookAt(
  db: Database,
  cameraId: string,
  range: TimeRange,
  without: ReadonlySet<number> = new Set(),
): { streams: string[]; found: WallSegment[]; cover: RangeCoverage } {
  const streams = streamsOf(db, cameraId);
  const found = segmentsShowing(db, streams, range).sort((a, b) => a.startUs - b.startUs || a.id - b.id);
  const there = found.filter((segment) => isThere(segment) && !without.has(segment.id));
  const recordings = there.map((segment) => ({
    ...segment,
    endUs: segment.coveredUntilUs,
    streamId: segment.cameraId,
  }));
  const cover = coverRange(range, recordings, gapToleranceUs);
  // What may show a moment that nothing else shows goes along, though it is not said to cover it.
  const perhaps = there.filter(
    ({ id, coveredUntilUs, latestEndUs }) =>
      !cover.placed.has(id) && cover.gaps.some((gap) => overlaps({ startUs: coveredUntilUs, endUs: latestEndUs }, gap)),
  );
  const placed = new Map(cover.placed);
  for (const { id } of perhaps) placed.set(id, { part: 'primary', shownBy: [] });
  return {
    streams,
    found: found.filter((segment) => !isThere(segment) || placed.has(segment.id)),
    cover: { ...cover, placed },
  };
}

function breaksIn(db: Database, streams: readonly string[], found: readonly WallSegment[]): StreamBreak[] {
  const there = found
    .filter(isThere)
    .map((segment) => ({ ...segment, endUs: segment.coveredUntilUs, number: numberOf(db, segment.id) }));
  return streams.flatMap((streamId) =>
    discontinuitiesIn(there.filter((one) => one.cameraId === streamId)).map((one) => ({ streamId, ...one })),
  );
}

function segmentView(segment: WallSegment, policy: CameraPolicy, cover: RangeCoverage, nowUs: number): CoveredSegment {
  const { id, startUs, coveredUntilUs: endUs, sizeBytes, width, height, codec, hasAudio, timeQuality, state } = segment;
  const placed = cover.placed.get(id);
  return {
    id,
    streamId: segment.cameraId,
    startUs,
    endUs,
    mediaEndUs: segment.endUs,
    sizeBytes,
    width,
    height,
    codec,
    hasAudio,
    timeQuality,
    state,
    pastLegalLimit: legalLimitUs(policy, startUs) <= nowUs,
    part: placed?.part ?? null,
    shownBy: placed?.shownBy ?? [],
  };
}
