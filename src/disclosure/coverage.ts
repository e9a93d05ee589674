/** What is there for a request, what is missing from it, and what would be handed over. */
import type { CameraPolicy } from '../domain/camera.js';
import { legalLimitUs } from '../domain/retention.js';
import { gapToleranceUs, spanOf } from '../domain/manifest.js';
import { gapsIn, type SegmentState, type TimeRange } from '../domain/segment.js';
import { formatLocal } from '../domain/time.js';
import { getCamera } from '../store/cameras.js';
import { deletionsIn } from '../store/deletions.js';
import { segmentsIn } from '../store/segments.js';
import type { DisclosureContext } from './context.js';

export interface CoveredSegment extends TimeRange {
  readonly id: number;
  readonly sizeBytes: number;
  readonly hasAudio: boolean;
  /** Only what is `indexed` is held and handed over; `deleting` is as good as gone. */
  readonly state: SegmentState;
  /** Older than the law allows without a ground for longer storage. */
  readonly pastLegalLimit: boolean;
}

export interface DeletedRange extends TimeRange {
  readonly ruleId: string;
  readonly dueUs: number;
  /** Null while the deletion is under way. */
  readonly doneUs: number | null;
}

export interface CameraCoverage {
  readonly cameraId: string;
  readonly segments: readonly CoveredSegment[];
  /** Parts of the range that no indexed segment shows. */
  readonly gaps: readonly TimeRange[];
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
      const segments = segmentsIn(db, [cameraId], range).map((segment) => ({
        id: segment.id,
        startUs: segment.startUs,
        endUs: segment.endUs,
        sizeBytes: segment.sizeBytes,
        hasAudio: segment.hasAudio,
        state: segment.state,
        pastLegalLimit: legalLimitUs(policy, segment.startUs) <= nowUs,
      }));
      const there = segments.filter((segment) => segment.state === 'indexed');
      return {
        cameraId,
        segments,
        gaps: gapsIn(range, there, gapToleranceUs),
        deleted: deletionsIn(db, [cameraId], range).map(({ startUs, endUs, ruleId, dueUs, doneUs }) => ({
          startUs,
          endUs,
          ruleId,
          dueUs,
          doneUs,
        })),
        disclosed: spanOf(there),
      };
    }),
  };
}

const longRangeUs = 3_600_000_000;
const manyCameras = 3;

/** What the one who asks should know before anybody relies on it. English; the page has its own words for the same facts. */
export function warningsFor(coverage: Coverage, range: TimeRange, timeZone: string): string[] {
  const local = (us: number): string => formatLocal(us, timeZone);
  const warnings: string[] = [];
  if (range.endUs - range.startUs > longRangeUs) {
    warnings.push('The range is longer than 60 minutes: ask for no more than is needed.');
  }
  if (coverage.cameras.length > manyCameras) {
    warnings.push(`${coverage.cameras.length} cameras are more than ${manyCameras}: ask for no more than is needed.`);
  }
  for (const { cameraId, segments, gaps, deleted, disclosed } of coverage.cameras) {
    const of = `Camera "${cameraId}"`;
    for (const gone of deleted) {
      const when = gone.doneUs === null ? 'is being deleted' : `was deleted ${local(gone.doneUs)}`;
      warnings.push(`${of}: ${local(gone.startUs)} to ${local(gone.endUs)} ${when} (${gone.ruleId}) and is not held.`);
    }
    if (disclosed === null) warnings.push(`${of} has no footage in this range.`);
    else if (gaps.length > 0) warnings.push(`${of} has ${gaps.length} gaps in this range.`);
    if (disclosed !== null && (disclosed.startUs < range.startUs || disclosed.endUs > range.endUs)) {
      warnings.push(
        `${of}: originals are whole files, so they show ${local(disclosed.startUs)} to ${local(disclosed.endUs)}.`,
      );
    }
    const there = segments.filter((segment) => segment.state === 'indexed');
    if (there.some((segment) => segment.hasAudio)) {
      warnings.push(`${of} recorded sound: originals are only released with a reason for it.`);
    }
    if (there.some((segment) => segment.pastLegalLimit)) {
      warnings.push(`${of} has footage that is past its legal limit: find out why it is still there.`);
    }
  }
  return warnings;
}
