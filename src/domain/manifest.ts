/**
 * What an evidence package says of itself. The manifest is canonical JSON (RFC 8785), signed over its exact bytes; this is
 * its form, checked without any library, and what has to agree within it.
 */
import { classRules, recipientKinds, type CameraClass } from './camera.js';
import { canonicalJson } from './canonical-json.js';
import {
  contentHash,
  disclosureGrounds,
  scopeHash,
  type DisclosureGround,
  type RequestScope,
  type ScopeItem,
} from './disclosure.js';
import {
  decimal,
  hash,
  listOf,
  matching,
  misformed,
  nullOr,
  oneOf,
  readForm,
  record,
  recordWith,
  text,
  whole,
  yesNo,
  type Formed,
} from './form.js';
import { maxDecisions } from './mask-decisions.js';
import { gapsIn, type TimeRange } from './segment.js';
import { assertInstants, instantForm as instant, rangeForm as range, type WrittenRange } from './written-instant.js';

export const manifestFormat = 'tredive-evidence-package';

/** Cracks between files of a recorder below this are not gaps. */
export const gapToleranceUs = 500_000;

const maxItems = 10_000;

const kind = <K extends string>(keys: Readonly<Record<K, unknown>>) => oneOf(...(Object.keys(keys) as K[]));

/** A name in the package: one of two folders and characters that every file system takes. */
const packagePath = (folder: string) =>
  matching(new RegExp(`^${folder}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$`), `a plain file name in ${folder}/`);

const frame = whole(0, 1_000_000_000);
const box = record({ x: decimal, y: decimal, w: decimal, h: decimal });
const decisions = recordWith(
  {
    keepVisible: listOf(record({ trackId: whole(), fromFrame: nullOr(frame), toFrame: nullOr(frame) }), maxDecisions),
    drawn: listOf(recordWith({ fromFrame: frame, toFrame: frame, box }, { toBox: box }), maxDecisions),
  },
  // The default is never written: packages of before there were modes say the same.
  { mode: oneOf('people', 'whole-frame') },
);

const original = recordWith(
  {
    /** Null where the terms keep the originals back; the hash stands all the same. */
    path: nullOr(packagePath('originals')),
    sha256: hash,
    sizeBytes: whole(1),
    /** What the recorder called it. */
    recorderName: text(1_000, 1),
    container: text(100),
    codec: text(100),
    width: whole(),
    height: whole(),
    hasAudio: yesNo,
    range,
    time: recordWith(
      {
        source: text(100),
        quality: oneOf('agreed', 'single', 'disagreeing'),
        disagreementMs: nullOr(whole(-Number.MAX_SAFE_INTEGER)),
      },
      {
        /**
         * Where the camera delivered less video than the time that passed: the end of the video, and the latest instant that its
         * last frame can be from. Each frame is from then or up to as much later than the video says.
         */
        slow: record({ videoEnd: instant, latestEnd: instant }),
        /** What each clock said, where they disagree or the name has two meanings: what it can mean from when to when at most. */
        clocks: record({
          nameFrom: instant,
          nameUntil: instant,
          container: nullOr(instant),
          recorder: nullOr(instant),
          lastWrite: instant,
        }),
      },
    ),
    /** The file ends before its own index says. */
    truncated: yesNo,
    /** Stretches within the file of which it holds no frame. */
    breaks: listOf(range, 100_000),
  },
  {
    /**
     * What the recorder itself counts (MediaMTX): numbers of one stream that follow one another prove that it made nothing in
     * between; another stream, that it was connected to the camera anew.
     */
    counted: record({ stream: matching(/^[0-9a-f]{32}$/, '32 hexadecimal digits'), number: whole() }),
    /** Which stream of the camera it is, where it is a sub-stream: the main one does not show its moments. */
    streamId: text(500, 1),
    /** Of a fragment: the initialisation segment that it is read behind, as the recorder wrote it. */
    initialisation: record({
      path: nullOr(packagePath('originals')),
      sha256: hash,
      sizeBytes: whole(1),
      recorderName: text(1_000, 1),
    }),
    /** Set where it was not taken from the recorder's disk but from the gateway's protected copy: how and when that was made. */
    protectedCopy: record({ method: oneOf('reflink', 'hard-link', 'copy'), copied: instant }),
  },
);

/** duplicate, sub-stream: the originals show its moments. not-prepared: indexed later, or without a frame in the range. */
const leftOutReasons = ['duplicate', 'sub-stream', 'not-prepared'] as const;
const leftOut = record({
  streamId: text(500, 1),
  recorderName: text(1_000, 1),
  sizeBytes: whole(1),
  range,
  why: oneOf(...leftOutReasons),
});

/** A recording of the camera and range that is not handed over, before it has its place in a manifest. */
export interface LeftOut extends TimeRange {
  readonly streamId: string;
  readonly recorderName: string;
  readonly sizeBytes: number;
  readonly why: (typeof leftOutReasons)[number];
}

const redacted = record({
  path: packagePath('redacted'),
  sha256: hash,
  sizeBytes: whole(1),
  derivedFromSha256: hash,
  operations: listOf(text(500, 1), 100),
  detector: record({ name: text(200), sha256: hash, minScore: decimal }),
  planSha256: hash,
  /** Frames of the original that are shown, half-open. */
  frames: record({ first: frame, end: frame }),
  tracks: whole(),
  uncertainSpans: whole(),
  decisions,
});

/** A clock minus the gateway's; the true offset is within ± `uncertaintyMs` of it. */
const offset = record({ offsetMs: whole(-Number.MAX_SAFE_INTEGER), uncertaintyMs: whole(), measured: instant });

const person = record({ id: text(200, 1), role: oneOf('security', 'legal') });

const form = record({
  format: oneOf(manifestFormat),
  version: oneOf(1),
  software: record({ name: oneOf('tredive'), version: text(100) }),
  created: instant,
  site: record({ name: text(500), timezone: text(100, 1) }),
  request: record({
    id: matching(/^r-[0-9a-f-]{8,64}$/, 'the id of a request'),
    ground: kind<DisclosureGround>(disclosureGrounds),
    legalBasis: nullOr(text()),
    journalNumber: text(),
    recipient: record({ kind: oneOf(...recipientKinds), name: text(), contact: text() }),
    purpose: text(),
    requested: instant,
    range,
    cameraIds: listOf(text(500, 1), 1_000),
  }),
  cameras: listOf(
    recordWith(
      {
        id: text(500, 1),
        label: text(500),
        class: kind<CameraClass>(classRules),
        /** Whether sound of this camera may go along without a reason of its own. */
        audioAllowed: yesNo,
        /** From the first to the last instant that the originals of this camera show; null without any. */
        disclosed: nullOr(range),
        /** Parts of the requested range that no original shows. */
        gaps: listOf(range, 100_000),
        deleted: listOf(
          record({ range, ruleId: text(200), due: instant, done: nullOr(instant), result: nullOr(text(100)) }),
          100_000,
        ),
        /** The camera's clock as last measured before the package; null where it was not. Times are never corrected by it. */
        clock: nullOr(offset),
      },
      {
        /** Against what clocks were measured. Older packages do not say. */
        clockReference: record({ clock: oneOf('gateway'), synchronised: nullOr(yesNo) }),
        /** The same clock, and the recorder's, as measured nearest to what the originals show; null where never. */
        clockNearFootage: nullOr(offset),
        recorderClockNearFootage: nullOr(offset),
        /** Recordings of the range that stayed behind; not written where there are none. */
        leftOut: listOf(leftOut, 100_000),
      },
    ),
    1_000,
  ),
  items: listOf(record({ position: whole(), cameraId: text(500, 1), original, redacted }), maxItems),
  people: record({ requestedBy: person, reviewedBy: person, decidedBy: person, packagedBy: person }),
  approval: record({
    decided: instant,
    scopeHash: hash,
    /** What was reviewed: originals, plans, decisions and masked copies, without recipient and terms. */
    contentHash: hash,
    terms: record({ audioReason: nullOr(text()), redactedOnlyReason: nullOr(text()) }),
  }),
  audit: record({ origin: text(500, 1), keySha256: hash }),
  packageKeySha256: hash,
  /** Every other file that the manifest vouches for. */
  files: listOf(
    record({
      path: matching(/^(README\.txt|keys\/(package|audit)-key\.pem)$/, 'README.txt or a key'),
      sha256: hash,
      sizeBytes: whole(),
    }),
    10,
  ),
});

export type Manifest = Formed<typeof form>;
export type ManifestItem = Manifest['items'][number];
const plain = (of: WrittenRange): TimeRange => ({ startUs: of.start.us, endUs: of.end.us });

/** The bytes that are signed and hashed. */
export const encodeManifest = (manifest: Manifest): string => canonicalJson(manifest);

/** Reads a manifest from hostile bytes. Throws `verification-failed` with the first thing that is wrong. */
export function parseManifest(json: string): Manifest {
  const manifest = readForm(json, form, 'manifest');
  assertConsistent(manifest);
  // One value, one byte sequence: no second key of the same name, no number that another reader takes for another.
  if (encodeManifest(manifest) !== json) throw misformed('manifest', 'in the canonical form of RFC 8785');
  return manifest;
}

/** The scope as the approval was bound to it. */
export function scopeOf(manifest: Manifest): { scope: RequestScope; items: ScopeItem[] } {
  const { ground, legalBasis, recipient, journalNumber, purpose, cameraIds, range: requested } = manifest.request;
  return {
    scope: { ground, legalBasis, recipient, journalNumber, purpose, cameraIds, ...plain(requested) },
    items: manifest.items.map((item) => ({
      cameraId: item.cameraId,
      ...plain(item.original.range),
      sha256: item.original.sha256,
      ...(item.original.initialisation === undefined ? {} : { initSha256: item.original.initialisation.sha256 }),
      planSha256: item.redacted.planSha256,
      redactedSha256: item.redacted.sha256,
      decisions: {
        ...item.redacted.decisions,
        keepVisible: item.redacted.decisions.keepVisible.map(({ trackId, fromFrame, toFrame }) => ({
          trackId,
          ...(fromFrame === null ? {} : { fromFrame }),
          ...(toFrame === null ? {} : { toFrame }),
        })),
      },
    })),
  };
}

/** The two hashes that the manifest's own content gives: they must be the ones that were reviewed and approved. */
export function hashesOf(manifest: Manifest): { scopeHash: string; contentHash: string } {
  const { scope, items } = scopeOf(manifest);
  return { scopeHash: scopeHash(scope, items, manifest.approval.terms), contentHash: contentHash(items) };
}

/** Every file that must be in the package with this content; the signature, the proof and the manifest stand beside. */
export function filesOf(manifest: Manifest): { path: string; sha256: string; sizeBytes: number }[] {
  return [
    ...manifest.items.flatMap(({ original }) =>
      [original, original.initialisation].flatMap((file) =>
        file === undefined || file.path === null
          ? []
          : [{ path: file.path, sha256: file.sha256, sizeBytes: file.sizeBytes }],
      ),
    ),
    ...manifest.items.map(({ redacted: { path, sha256, sizeBytes } }) => ({ path, sha256, sizeBytes })),
    ...manifest.files,
  ];
}

function assertConsistent(manifest: Manifest): void {
  assertInstants(manifest, 'manifest', manifest.site.timezone);
  const must = (holds: boolean, at: string, wanted: string): void => {
    if (!holds) throw misformed(`manifest.${at}`, wanted);
  };
  const cameraIds = new Set(manifest.request.cameraIds);
  must(cameraIds.size === manifest.request.cameraIds.length, 'request.cameraIds', 'without doubles');
  must(manifest.items.length > 0, 'items', 'a list of at least one');
  must(
    manifest.cameras.length === cameraIds.size && manifest.cameras.every((camera) => cameraIds.has(camera.id)),
    'cameras',
    'exactly the cameras that were requested',
  );
  const { audioReason, redactedOnlyReason } = manifest.approval.terms;
  manifest.items.forEach((item, index) => {
    const at = `items[${index}]`;
    must(item.position === index, `${at}.position`, String(index));
    must(cameraIds.has(item.cameraId), `${at}.cameraId`, 'a camera that was requested');
    must((item.original.path === null) === (redactedOnlyReason !== null), `${at}.original.path`, 'as the terms say');
    const { initialisation } = item.original;
    must(
      initialisation === undefined || (initialisation.path === null) === (item.original.path === null),
      `${at}.original.initialisation.path`,
      'as of the original',
    );
    const camera = manifest.cameras.find((one) => one.id === item.cameraId);
    must(
      item.original.path === null || !item.original.hasAudio || camera?.audioAllowed === true || audioReason !== null,
      `${at}.original.path`,
      'null: it has sound, for which no reason was given',
    );
    must(item.redacted.derivedFromSha256 === item.original.sha256, `${at}.redacted.derivedFromSha256`, 'its original');
    must(item.redacted.frames.first < item.redacted.frames.end, `${at}.redacted.frames`, 'at least one frame');
  });
  must(audioReason === null || audioReason.trim() !== '', 'approval.terms.audioReason', 'a reason or null');
  for (const camera of manifest.cameras) checkCamera(manifest, camera, must);
  const paths = filesOf(manifest).map((file) => file.path.toLowerCase());
  must(new Set(paths).size === paths.length, 'files', 'without two files of one name');
  must(manifest.files.length === 3, 'files', 'the README and both keys');
}

/** Gaps and the disclosed range follow from the originals: nobody can leave one out of the manifest alone. */
function checkCamera(
  manifest: Manifest,
  camera: Manifest['cameras'][number],
  must: (holds: boolean, at: string, wanted: string) => void,
): void {
  const at = `cameras.${camera.id}`;
  const shown = manifest.items.filter((item) => item.cameraId === camera.id).map((item) => plain(item.original.range));
  const gaps = gapsIn(plain(manifest.request.range), shown, gapToleranceUs);
  must(
    gaps.length === camera.gaps.length &&
      gaps.every(
        (gap, index) => camera.gaps[index]?.start.us === gap.startUs && camera.gaps[index].end.us === gap.endUs,
      ),
    `${at}.gaps`,
    'what the originals leave out of the requested range',
  );
  const disclosed = spanOf(shown);
  must(
    camera.disclosed?.start.us === disclosed?.startUs && camera.disclosed?.end.us === disclosed?.endUs,
    `${at}.disclosed`,
    'what its originals span',
  );
}

/** From the earliest start to the latest end, or null of nothing. */
export function spanOf(ranges: readonly TimeRange[]): TimeRange | null {
  if (ranges.length === 0) return null;
  return {
    startUs: Math.min(...ranges.map((one) => one.startUs)),
    endUs: Math.max(...ranges.map((one) => one.endUs)),
  };
}
