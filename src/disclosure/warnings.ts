/** What the one who asks should know before anybody relies on it. English; the page has its own words for the same facts. */
import { isThere, type TimeRange } from '../domain/segment.js';
import { formatLocal } from '../domain/time.js';
import type { CameraCoverage, Coverage, CoveredSegment } from './coverage.js';

const longRangeUs = 3_600_000_000;
const manyCameras = 3;

export function warningsFor(coverage: Coverage, range: TimeRange, timeZone: string): string[] {
  const warnings: string[] = [];
  if (range.endUs - range.startUs > longRangeUs) {
    warnings.push('The range is longer than 60 minutes: ask for no more than is needed.');
  }
  if (coverage.cameras.length > manyCameras) {
    warnings.push(`${coverage.cameras.length} cameras are more than ${manyCameras}: ask for no more than is needed.`);
  }
  for (const camera of coverage.cameras) warnings.push(...ofCamera(camera, range, timeZone));
  return warnings;
}

function ofCamera(camera: CameraCoverage, range: TimeRange, timeZone: string): string[] {
  const { cameraId, segments, gaps, breaks, deleted, disclosed } = camera;
  const local = (us: number): string => formatLocal(us, timeZone);
  const of = `Camera "${cameraId}"`;
  const warnings: string[] = [];
  for (const gone of deleted) {
    const when = gone.doneUs === null ? 'is being deleted' : `was deleted ${local(gone.doneUs)}`;
    warnings.push(`${of}: ${local(gone.startUs)} to ${local(gone.endUs)} ${when} (${gone.ruleId}) and is not held.`);
  }
  if (disclosed === null) warnings.push(`${of} has no footage in this range.`);
  else if (gaps.length > 0) warnings.push(`${of} has ${gaps.length} gaps in this range.`);
  for (const one of breaks.filter(({ kind }) => kind === 'segments-lost')) {
    warnings.push(
      `${of}: the recorder made ${one.lost} more segments between ${local(one.fromUs)} and ${local(one.untilUs)}, which are not here.`,
    );
  }
  const anew = breaks.filter(({ kind }) => kind === 'new-stream').length;
  if (anew > 0) warnings.push(`${of}: the recorder was connected anew ${anew} times in this range.`);
  if (disclosed !== null && (disclosed.startUs < range.startUs || disclosed.endUs > range.endUs)) {
    warnings.push(
      `${of}: originals are whole files, so they show ${local(disclosed.startUs)} to ${local(disclosed.endUs)}.`,
    );
  }
  const primary = segments.filter((segment) => segment.part === 'primary');
  warnings.push(...ofCopies(of, cameraId, segments, primary));
  if (primary.some((segment) => segment.hasAudio)) {
    warnings.push(`${of} recorded sound: originals are only released with a reason for it.`);
  }
  if (segments.some((segment) => isThere(segment) && segment.pastLegalLimit)) {
    warnings.push(`${of} has footage that is past its legal limit: find out why it is still there.`);
  }
  return warnings;
}

function ofCopies(
  of: string,
  cameraId: string,
  segments: readonly CoveredSegment[],
  primary: readonly CoveredSegment[],
): string[] {
  const warnings: string[] = [];
  const left = segments.filter((segment) => segment.part === 'duplicate' || segment.part === 'sub-stream');
  if (left.length > 0) {
    const small = left.filter((segment) => segment.part === 'sub-stream').length;
    warnings.push(
      `${of}: ${left.length} recordings show what others show too (${left.length - small} duplicates, ${small} sub-streams). They are held like the others, but not masked and handed over a second time.`,
    );
  }
  if (left.some((segment) => segment.hasAudio) && !primary.some((segment) => segment.hasAudio)) {
    warnings.push(`${of}: sound was only recorded in the duplicates or sub-streams, which are not handed over.`);
  }
  const stands = primary.filter((segment) => segment.streamId !== cameraId).length;
  if (stands > 0) {
    warnings.push(
      `${of}: ${stands} recordings are of a sub-stream, because the main stream does not show those moments.`,
    );
  }
  const slow = primary.filter((segment) => segment.endUs > segment.mediaEndUs).length;
  if (slow > 0) {
    warnings.push(
      `${of}: ${slow} recordings hold less video than the time that passed: their frames may be some seconds later than the video says.`,
    );
  }
  const unsure = primary.filter((segment) => segment.timeQuality === 'disagreeing').length;
  if (unsure > 0) {
    warnings.push(`${of}: the clocks of ${unsure} recordings disagree: look at the time in the picture.`);
  }
  return warnings;
}
