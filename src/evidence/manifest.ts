/** Builds the manifest of a package from what the store knows. */
import type { DecisionTerms, ScopeItem } from '../domain/disclosure.js';
import {
  gapToleranceUs,
  manifestFormat,
  spanOf,
  type LeftOut,
  type Manifest,
  type ManifestItem,
} from '../domain/manifest.js';
import { recordedDecisions } from '../domain/mask-decisions.js';
import { gapsIn, type TimeRange } from '../domain/segment.js';
import type { SegmentClocks } from '../domain/segment-clocks.js';
import { instantIn, rangeIn, type WrittenInstant } from '../domain/written-instant.js';
import { GatewayError } from '../errors.js';
import type { CameraRow } from '../store/cameras.js';
import type { DeletionRow } from '../store/deletions.js';
import type { Initialisation, RequestItem, RequestRow } from '../store/requests.js';

type MeasuredOffset = NonNullable<CameraRow['clock']>;

export interface ManifestInput {
  readonly request: RequestRow;
  readonly items: readonly RequestItem[];
  readonly cameras: readonly CameraRow[];
  /** The streams that a camera is. */
  readonly streams: (cameraId: string) => readonly string[];
  /** Deletions within the requested range, of any stream of the cameras. */
  readonly deletions: readonly DeletionRow[];
  /** Recordings of a camera and the range that stay behind. */
  readonly leftOut: (cameraId: string) => readonly LeftOut[];
  /** The measurement of a clock that was made nearest to an instant. */
  readonly measuredNear: (cameraId: string, clock: 'camera' | 'recorder', atUs: number) => MeasuredOffset | null;
  /** Whether a time service set the gateway's clock when the package was made; null where nobody can tell. */
  readonly synchronised: boolean | null;
  readonly site: { readonly name: string; readonly timezone: string };
  readonly version: string;
  readonly nowUs: number;
  readonly packagedBy: { readonly id: string; readonly role: 'security' | 'legal' };
  readonly hashes: { readonly scopeHash: string; readonly contentHash: string };
  readonly audit: { readonly origin: string; readonly keySha256: string };
  readonly packageKeySha256: string;
  readonly files: Manifest['files'];
}

export const termsOf = (request: RequestRow): DecisionTerms => ({
  audioReason: request.audioReason,
  redactedOnlyReason: request.redactedOnlyReason,
});

export const scopeItemOf = (item: RequestItem): ScopeItem => ({
  cameraId: item.cameraId,
  startUs: item.startUs,
  endUs: item.endUs,
  sha256: item.sha256,
  planSha256: item.planSha256,
  decisions: item.decisions,
  redactedSha256: item.redactedSha256,
  ...(item.summary.initialisation === undefined ? {} : { initSha256: item.summary.initialisation.sha256 }),
});

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Names of an item's files in the package; the original's are null where the terms keep it back, or where there is none. */
export const packageNames = (
  item: RequestItem,
  terms: DecisionTerms,
): { readonly original: string | null; readonly init: string | null; readonly redacted: string } => ({
  original: terms.redactedOnlyReason === null ? `originals/${baseName(item.originalPath)}` : null,
  init:
    terms.redactedOnlyReason === null && item.summary.initialisation !== undefined
      ? `originals/${baseName(item.summary.initialisation.path)}`
      : null,
  redacted: `redacted/${baseName(item.redactedPath)}`,
});

export function buildManifest(input: ManifestInput): Manifest {
  const { request, items, site, nowUs } = input;
  const zone = site.timezone;
  const { reviewedBy, decidedBy, decidedUs } = request;
  if (reviewedBy === null || decidedBy === null || decidedUs === null) {
    throw new GatewayError('internal', `Request ${request.id} was to be packaged without an approval.`);
  }
  return {
    format: manifestFormat,
    version: 1,
    software: { name: 'tredive', version: input.version },
    created: instantIn(nowUs, zone),
    site: { name: site.name, timezone: zone },
    request: {
      id: request.id,
      ground: request.ground,
      legalBasis: request.legalBasis,
      journalNumber: request.journalNumber,
      recipient: { ...request.recipient },
      purpose: request.purpose,
      requested: instantIn(request.requestedUs, zone),
      range: rangeIn(request, zone),
      cameraIds: [...request.cameraIds],
    },
    cameras: input.cameras.map((camera) => cameraPart(camera, input)),
    items: items.map((item) => itemPart(item, termsOf(request), zone)),
    people: {
      requestedBy: { id: request.requestedBy, role: 'security' },
      reviewedBy: { id: reviewedBy, role: 'legal' },
      decidedBy: { id: decidedBy, role: 'legal' },
      packagedBy: { ...input.packagedBy },
    },
    approval: { decided: instantIn(decidedUs, zone), ...input.hashes, terms: termsOf(request) },
    audit: { ...input.audit },
    packageKeySha256: input.packageKeySha256,
    files: input.files.map((file) => ({ ...file })),
  };
}

function cameraPart(camera: CameraRow, input: ManifestInput): Manifest['cameras'][number] {
  const zone = input.site.timezone;
  const shown = input.items.filter((item) => item.cameraId === camera.cameraId);
  const disclosed = spanOf(shown);
  const leftOut = input.leftOut(camera.cameraId).map(({ startUs, endUs, ...rest }) => ({
    ...rest,
    range: rangeIn({ startUs, endUs }, zone),
  }));
  return {
    id: camera.cameraId,
    label: camera.label,
    class: camera.class,
    audioAllowed: camera.audioAllowed,
    disclosed: disclosed === null ? null : rangeIn(disclosed, zone),
    gaps: gapsIn(input.request, shown, gapToleranceUs).map((gap) => rangeIn(gap, zone)),
    deleted: input.deletions
      .filter((deletion) => input.streams(camera.cameraId).includes(deletion.cameraId))
      .map((deletion) => ({
        range: rangeIn(deletion, zone),
        ruleId: deletion.ruleId,
        due: instantIn(deletion.dueUs, zone),
        done: deletion.doneUs === null ? null : instantIn(deletion.doneUs, zone),
        result: deletion.result,
      })),
    clock: clockPart(camera.clock, zone),
    clockReference: { clock: 'gateway', synchronised: input.synchronised },
    ...(disclosed !== null && {
      clockNearFootage: clockPart(input.measuredNear(camera.cameraId, 'camera', middleOf(disclosed)), zone),
      recorderClockNearFootage: clockPart(input.measuredNear(camera.cameraId, 'recorder', middleOf(disclosed)), zone),
    }),
    ...(leftOut.length > 0 && { leftOut }),
  };
}

const middleOf = ({ startUs, endUs }: TimeRange): number => startUs + Math.floor((endUs - startUs) / 2);

const clockPart = (clock: MeasuredOffset | null, zone: string): Manifest['cameras'][number]['clock'] =>
  clock === null
    ? null
    : {
        offsetMs: Math.round(clock.offsetMs),
        uncertaintyMs: Math.round(clock.uncertaintyMs),
        measured: instantIn(clock.measuredUs, zone),
      };

function itemPart(item: RequestItem, terms: DecisionTerms, zone: string): ManifestItem {
  const names = packageNames(item, terms);
  const { summary } = item;
  return {
    position: item.position,
    cameraId: item.cameraId,
    original: {
      path: names.original,
      sha256: item.sha256,
      sizeBytes: item.sizeBytes,
      recorderName: item.sourceName,
      container: item.container,
      codec: item.codec,
      width: summary.width,
      height: summary.height,
      hasAudio: item.hasAudio,
      range: rangeIn(item, zone),
      time: {
        source: summary.timeSource,
        quality: summary.timeQuality,
        disagreementMs: summary.timeDisagreementMs === null ? null : Math.round(summary.timeDisagreementMs),
        ...(summary.mediaEndUs === undefined || summary.latestEndUs === undefined
          ? {}
          : {
              slow: { videoEnd: instantIn(summary.mediaEndUs, zone), latestEnd: instantIn(summary.latestEndUs, zone) },
            }),
        ...(summary.clocks === undefined ? {} : { clocks: clocksPart(summary.clocks, zone) }),
      },
      truncated: summary.truncated,
      breaks: summary.breaks.map((gap) => rangeIn(gap, zone)),
      ...(summary.counted !== undefined && { counted: { ...summary.counted } }),
      ...(summary.streamId !== undefined && { streamId: summary.streamId }),
      ...(summary.initialisation === undefined ? {} : { initialisation: initPart(summary.initialisation, names.init) }),
      ...(summary.protectedCopy !== undefined && {
        protectedCopy: {
          method: summary.protectedCopy.method,
          copied: instantIn(summary.protectedCopy.copiedUs, zone),
        },
      }),
    },
    redacted: {
      path: names.redacted,
      sha256: item.redactedSha256,
      sizeBytes: summary.redactedSizeBytes,
      derivedFromSha256: item.sha256,
      operations: [...summary.operations],
      detector: { name: summary.detector, sha256: summary.detectorSha256, minScore: summary.minScore },
      planSha256: item.planSha256,
      frames: { first: summary.firstFrame, end: summary.endFrame },
      tracks: summary.tracks,
      uncertainSpans: summary.uncertainSpans,
      decisions: recordedDecisions(item.decisions),
    },
  };
}

const initPart = (
  { sha256, sizeBytes, recorderName }: Initialisation,
  path: string | null,
): NonNullable<ManifestItem['original']['initialisation']> => ({ path, sha256, sizeBytes, recorderName });

function clocksPart(clocks: SegmentClocks, zone: string): NonNullable<ManifestItem['original']['time']['clocks']> {
  const said = (us: number | null): WrittenInstant | null => (us === null ? null : instantIn(us, zone));
  return {
    nameFrom: instantIn(clocks.nameFromUs, zone),
    nameUntil: instantIn(clocks.nameUntilUs, zone),
    container: said(clocks.containerUs),
    recorder: said(clocks.recorderUs),
    lastWrite: instantIn(clocks.writtenUs, zone),
  };
}
