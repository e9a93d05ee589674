/**
 * What the monthly report says, read from the database alone: the records of deletions, the index, the holds, and the audit log
 * between two of its checkpoints. The same database gives the same report. Everything long is read in slices.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuditEvent } from '../domain/audit-event.js';
import { classRules } from '../domain/camera.js';
import {
  deletionReportFormat,
  inHours,
  monthRange,
  totalsOf,
  type CameraReport,
  type DeletionReport,
} from '../domain/deletion-report.js';
import { noticeIsOverdue } from '../domain/hold-end.js';
import { holdEndUs, type Hold } from '../domain/hold.js';
import { hourUs } from '../domain/retention-rules/index.js';
import { legalLimitUs } from '../domain/retention.js';
import { usPerSecond } from '../domain/time.js';
import { instantIn, type WrittenInstant } from '../domain/written-instant.js';
import { GatewayError } from '../errors.js';
import { checkpointBefore, checkpointUntil, readEntries, type DatedCheckpoint } from '../store/audit-log.js';
import { listCameras, type CameraRow } from '../store/cameras.js';
import type { Database } from '../store/database.js';
import type { DeletionFacts } from '../store/deletions.js';
import { listHolds } from '../store/holds.js';
import { overdueQuarantine } from '../store/quarantine.js';
import { segmentsBefore } from '../store/segments.js';
import { wallEndIn } from '../store/segments-shown.js';
import { allowedUntilUs, eachDeletionSince, makeLatenessMeter } from './lateness.js';
import { lastMeasured } from './oldest-record.js';

export interface ReportInput {
  readonly db: Database;
  readonly month: string;
  readonly nowUs: number;
  readonly marginUs: number;
  readonly site: { readonly name: string; readonly timezone: string };
  readonly version: string;
  readonly audit: { readonly origin: string; readonly keySha256: string };
  readonly reportKeySha256: string;
}

/** Throws `usage` for a month that is not over, or is none. */
export async function buildReport(input: ReportInput): Promise<DeletionReport> {
  const { db, site, marginUs } = input;
  const { startUs, endUs } = monthRange(input.month, site.timezone);
  if (endUs > input.nowUs) {
    throw new GatewayError('usage', `The month ${input.month} is not over yet.`, { remedy: 'Name one that is.' });
  }
  const at = (us: number): WrittenInstant => instantIn(us, site.timezone);
  const meter = makeLatenessMeter(db, marginUs);
  /** What was on disk at the end of the month and is deleted since, or is being deleted: by camera. */
  const goneSince = new Map<string, Pick<DeletionFacts, 'cameraId' | 'startUs' | 'endUs'>[]>();
  for await (const slice of eachDeletionSince(db, startUs)) {
    for (const one of slice) {
      if (one.state === 'refused') continue;
      if (one.doneUs !== null && one.doneUs < endUs) meter.add(one);
      else if (one.startUs < endUs) goneSince.set(one.cameraId, [...(goneSince.get(one.cameraId) ?? []), one]);
    }
  }
  const lateness = meter.results();
  const first = checkpointUntil(db, startUs);
  const last = checkpointBefore(db, endUs);
  const events = await eventsBetween(db, { fromSize: first?.size ?? 0, toSize: last?.size ?? 0, startUs, endUs });
  const measured = lastMeasured(db, endUs);
  const holds = listHolds(db);
  const cameras = listCameras(db)
    .filter((camera) => camera.createdUs < endUs)
    .map((camera): CameraReport => {
      const { cameraId } = camera;
      const end = atEnd(db, camera, { endUs, holds, gone: goneSince.get(cameraId) ?? [] });
      const late = lateness.get(cameraId);
      const onDisk = measured?.cameras.find((one) => one.cameraId === cameraId);
      const seconds = (us: number | null | undefined): number | null =>
        us === null || us === undefined ? null : Math.floor(us / usPerSecond);
      return {
        id: cameraId,
        class: camera.class,
        retentionDays: camera.retentionDays,
        legalDays: classRules[camera.class].maxRetentionDays,
        oldest: {
          byIndex: end.oldestUs === null ? null : at(end.oldestUs),
          limit: end.oldestUs === null ? null : at(legalLimitUs(camera, end.oldestUs)),
          byDisk:
            measured === null || onDisk === undefined
              ? null
              : {
                  lookedAt: at(measured.atUs),
                  oldest: onDisk.oldestUs === null ? null : at(onDisk.oldestUs),
                  files: onDisk.files,
                  overLimit: onDisk.overLimit,
                  notIndexed: onDisk.notIndexed,
                },
        },
        deletions: {
          segments: (late?.unlinked ?? 0) + (late?.absent ?? 0),
          hours: inHours(late?.footageUs ?? 0),
          unlinked: late?.unlinked ?? 0,
          alreadyAbsent: late?.absent ?? 0,
        },
        lateness: { medianSeconds: seconds(late?.medianUs), worstSeconds: seconds(late?.worstUs) },
        misses: {
          deletedLate: late?.misses ?? 0,
          worstSeconds: seconds(late?.worstMissUs),
          stillThere: end.stillThere,
        },
        holds: holds
          .filter((hold) => hold.cameraIds.includes(cameraId) && inForce(hold, startUs, endUs))
          .map((hold) => ({
            ground: hold.ground,
            range: { start: at(hold.startUs), end: at(hold.endUs) },
            placed: at(hold.placedUs),
            review: at(hold.reviewUs),
            lifted: hold.liftedUs === null || hold.liftedUs >= endUs ? null : at(hold.liftedUs),
            ...approvalAt(hold, endUs),
            ...noticeAt(hold, endUs, at),
          })),
        exceptions: events.byCamera.get(cameraId) ?? { refused: 0, failedAttempts: 0 },
      };
    });
  const dated = (one: DatedCheckpoint | null): DeletionReport['audit']['first'] =>
    one === null ? null : { size: one.size, note: one.note, at: at(one.atUs) };
  return {
    format: deletionReportFormat,
    version: 1,
    software: { name: 'tredive', version: input.version },
    site: { name: site.name, timezone: site.timezone },
    month: input.month,
    range: { start: at(startUs), end: at(endUs) },
    marginHours: marginUs / hourUs,
    cameras,
    totals: totalsOf(cameras),
    exceptions: {
      ...events.site,
      quarantineOverdue: overdueQuarantine(db, endUs, marginUs).reduce((total, { files }) => total + files, 0),
    },
    audit: { ...input.audit, first: dated(first), last: dated(last) },
    reportKeySha256: input.reportKeySha256,
  };
}

const inForce = (hold: Hold, startUs: number, endUs: number): boolean =>
  hold.placedUs < endUs && holdEndUs(hold) > startUs;

type HoldReport = CameraReport['holds'][number];

function approvalAt(hold: Hold, endUs: number): Pick<HoldReport, 'approval'> {
  if (hold.approveByUs === null) return {};
  if (hold.approvedUs !== null && hold.approvedUs < endUs) return { approval: 'given' };
  if (hold.outcome === 'refused' && hold.liftedUs !== null && hold.liftedUs < endUs) return { approval: 'refused' };
  return { approval: hold.approveByUs < Math.min(endUs, holdEndUs(hold)) ? 'overdue' : 'waiting' };
}

/** Told too late is overdue as well: the law gives a day, and the report says whether it was kept. */
function noticeAt(hold: Hold, endUs: number, at: (us: number) => WrittenInstant): Pick<HoldReport, 'notice'> {
  const { notifyByUs, notifiedUs } = hold;
  if (notifyByUs === null) return {};
  const toldUs = notifiedUs !== null && notifiedUs < endUs ? notifiedUs : null;
  const overdue = noticeIsOverdue(hold, endUs) || (toldUs !== null && toldUs >= notifyByUs);
  return { notice: { due: at(notifyByUs), told: toldUs === null ? null : at(toldUs), overdue } };
}

/**
 * What was on disk at the end of the month: rows of the index that were known by then, and what was deleted since. Of those the
 * oldest, and how many were past the law's limit and held by nothing.
 */
function atEnd(
  db: Database,
  camera: CameraRow,
  { endUs, holds, gone }: { endUs: number; holds: readonly Hold[]; gone: Pick<DeletionFacts, 'startUs' | 'endUs'>[] },
): { oldestUs: number | null; stillThere: number } {
  let oldestUs: number | null = null;
  let stillThere = 0;
  const meet = (one: { readonly startUs: number; readonly endUs: number }): boolean => {
    if (oldestUs === null || one.startUs < oldestUs) oldestUs = one.startUs;
    if (legalLimitUs(camera, one.startUs) > endUs) return false;
    if (endUs >= allowedUntilUs(camera, one, holds).untilUs) stillThere += 1;
    return true;
  };
  for (const one of gone) meet(one);
  for (const segment of segmentsBefore(db, camera.cameraId, endUs - 1)) {
    // Oldest first: behind the first one that is within the limit there is nothing to count.
    const { latestEndUs } = wallEndIn(db, segment);
    if (segment.firstSeenUs < endUs && !meet({ ...segment, endUs: latestEndUs })) break;
  }
  return { oldestUs, stillThere };
}

interface LogFacts {
  readonly byCamera: Map<string, { refused: number; failedAttempts: number }>;
  readonly site: Omit<DeletionReport['exceptions'], 'quarantineOverdue'>;
}

const entriesInASlice = 2_000;
const wanted = /"type":"(?:deletion\.(?:refused|failed)|retention\.(?:swept|refused|clock-accepted))"/;

/**
 * What the log says between two of its sizes, and in the month. Only entries of the few types that are counted are parsed. What
 * says that the clock is in doubt is filed by the last sweep, whose clock was believed, and not by that clock.
 */
async function eventsBetween(
  db: Database,
  { fromSize, toSize, startUs, endUs }: { fromSize: number; toSize: number; startUs: number; endUs: number },
): Promise<LogFacts> {
  const byCamera: LogFacts['byCamera'] = new Map();
  const doubts = new Map<string, number>();
  const count = { sweeps: 0, clock: 0, other: 0, clockAccepted: 0 };
  const sweep: { lastUs: number | null; longestUs: number | null; believedUs: number | null } = {
    ...{ lastUs: null, longestUs: null, believedUs: null },
  };
  const inMonth = (us: number): boolean => us >= startUs && us < endUs;
  const take = ({ type, subject, data, atUs }: AuditEvent): void => {
    if (type === 'retention.swept') sweep.believedUs = atUs;
    if (!inMonth(sweep.believedUs ?? atUs) && !inMonth(atUs)) return;
    if (type === 'retention.clock-accepted') count.clockAccepted += 1;
    else if (type === 'retention.refused') {
      if (/\bclock\b/.test(data['reason'] as string)) count.clock += 1;
      // A sweep that left roots alone says so itself, below.
      else if (data['reason'] !== 'roots') count.other += 1;
    } else if (type === 'retention.swept') {
      count.sweeps += 1;
      if (sweep.lastUs !== null) sweep.longestUs = Math.max(sweep.longestUs ?? 0, atUs - sweep.lastUs);
      sweep.lastUs = atUs;
      for (const root of (data['rootsInDoubt'] ?? []) as string[]) doubts.set(root, (doubts.get(root) ?? 0) + 1);
    } else {
      const cameraId = subject.slice('camera:'.length);
      const known = byCamera.get(cameraId) ?? { refused: 0, failedAttempts: 0 };
      byCamera.set(cameraId, known);
      const records = data['records'] as readonly { readonly result?: string }[];
      if (type === 'deletion.failed') known.failedAttempts += records.length;
      // What a hold took back is no exception: it stands under the holds.
      else known.refused += records.filter(({ result }) => result !== 'held').length;
    }
  };
  for (let from = fromSize; from < toSize; from += entriesInASlice) {
    for (const { seq, entry } of readEntries(db, from)) {
      if (seq >= Math.min(toSize, from + entriesInASlice)) break;
      if (wanted.test(entry)) take(JSON.parse(entry) as AuditEvent);
    }
    await nextTurn();
  }
  return {
    byCamera,
    site: {
      sweeps: count.sweeps,
      longestPauseHours: sweep.longestUs === null ? null : inHours(sweep.longestUs),
      refused: { clock: count.clock, other: count.other },
      clockAccepted: count.clockAccepted,
      rootsInDoubt: [...doubts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([root, sweeps]) => ({ root, sweeps })),
    },
  };
}
