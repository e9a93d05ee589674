/** Enters what was examined, a batch in one transaction with one event. */
import { classRules } from '../domain/camera.js';
import type { Segment } from '../domain/segment.js';
import { usPerMs } from '../domain/time.js';
import { GatewayError } from '../errors.js';
import type { Note } from '../store/audit-log.js';
import { findCamera } from '../store/cameras.js';
import type { Database } from '../store/database.js';
import { findQuarantine, hasQuarantine, putQuarantine, removeQuarantine } from '../store/quarantine.js';
import { noteReceiveClock } from '../store/receive-clock.js';
import { insertAllIfNew } from '../store/segment-inserts.js';
import { anyMissing, findByPath, missingTwins, moveSegment, updateSegment } from '../store/segments.js';
import { putClocks } from '../store/segment-clocks.js';
import { putNumber } from '../store/segment-numbers.js';
import { closeTask, openTask, openTasks } from '../store/tasks.js';
import { hasCopies, mustBeJudged } from '../store/vault-copies.js';
import type { RecordingRoot, RecordingsContext } from './context.js';
import type { Examined } from './examine.js';

export interface Ingested {
  added: number;
  changed: number;
  /** Files that are footage which was missing, found at another place. */
  moved: number;
  quarantined: number;
}

/** Enters segments and quarantine; `open` and `nothing` change nothing. Throws without having entered any of the batch. */
export function ingest(ctx: RecordingsContext, root: RecordingRoot, batch: readonly Examined[]): Ingested {
  const result: Ingested = { added: 0, changed: 0, moved: 0, quarantined: 0 };
  const news = batch.filter((one) => one.kind === 'segment' || (one.kind === 'quarantined' && isNews(ctx, root, one)));
  if (news.length === 0) return result;
  const { db, clock } = ctx.store;
  ctx.store.act('gateway', (note) => {
    const cameras = new Set<string>();
    const mayReturn = anyMissing(db);
    const mayLeave = hasQuarantine(db, root.id);
    const mayBeKept = hasCopies(db);
    const fresh = new Map<string, Extract<Examined, { kind: 'segment' }>>();
    for (const one of news) {
      // Held, and another file than the one that was protected: the row stays what is held until the vault has compared the two.
      if (mayBeKept && (one.kind === 'segment' || one.kind === 'quarantined') && isKept(db, root, one)) continue;
      if (one.kind === 'segment') {
        const bounded = mayLeave ? boundedByReceipt(db, one) : one;
        const { segment } = bounded;
        if (!cameras.has(segment.cameraId)) {
          cameras.add(segment.cameraId);
          knowCamera(ctx, note, segment.cameraId, one.cameraLabel);
        }
        if (mayLeave) removeQuarantine(db, root.id, one.path);
        if (mayReturn && takeBack(db, segment)) result.moved += 1;
        else fresh.set(segment.path, bounded);
      } else if (one.kind === 'quarantined') {
        const known = findByPath(db, root.id, one.path);
        if (known === null) {
          const { path, reason, detail, boundUs, stat } = one;
          const cameraId = one.cameraId !== null && findCamera(db, one.cameraId) !== null ? one.cameraId : null;
          putQuarantine(db, {
            rootId: root.id,
            path,
            reason,
            detail,
            cameraId,
            boundUs,
            ...stat3(stat),
            firstSeenUs: clock.nowUs(),
          });
          result.quarantined += 1;
        } else if (holdsNothing(one)) {
          // Emptied, or something else put in its place: no stat of it may pass for the footage's, or that would be deleted.
          openTask(db, {
            kind: 'segment-changed',
            subject: changedSubject(known.id),
            detail: `${one.path} of camera "${known.cameraId}" was a recording and is none any more (${one.reason}), and not by the gateway. Find out who did it, and remove what lies there now.`,
            createdUs: clock.nowUs(),
          });
          result.changed += 1;
        } else {
          // Was a segment and is none any more: it stays one, with its old times, so that it still goes when they say so.
          updateSegment(db, known.id, { ...known, ...stat3(one.stat), truncated: true });
          result.changed += 1;
        }
      }
    }
    enter(ctx, fresh, result);
    note('recordings.indexed', `root:${root.id}`, { ...result });
  });
  return result;
}

const isKept = (
  db: Database,
  root: RecordingRoot,
  one: Extract<Examined, { kind: 'segment' | 'quarantined' }>,
): boolean => {
  const known = findByPath(db, root.id, one.path);
  return known !== null && mustBeJudged(db, known.id, one.kind === 'segment' ? one.segment : one.stat);
};

/** Adds what is new, renews what the index has already, and keeps clocks and number of either. */
function enter(
  { store: { db, clock }, uptime }: RecordingsContext,
  fresh: ReadonlyMap<string, Extract<Examined, { kind: 'segment' }>>,
  result: Ingested,
): void {
  if (fresh.size > 0) noteReceiveClock(db, { wallUs: clock.nowUs(), boot: uptime?.() ?? null });
  const known = insertAllIfNew(
    db,
    [...fresh.values()].map(({ segment }) => segment),
  );
  result.added += fresh.size - known.length;
  const renewed = new Set(known.map(({ path }) => path));
  for (const segment of known) {
    const before = rowOf(db, segment);
    updateSegment(db, before.id, isSameFootage(before, segment) ? { ...segment, cameraId: before.cameraId } : segment);
    closeTask(db, 'segment-changed', changedSubject(before.id), clock.nowUs());
    result.changed += 1;
  }
  for (const { segment, clocks, number } of fresh.values()) {
    const again = renewed.has(segment.path);
    if (clocks === null && number === null && !again) continue;
    const { id } = rowOf(db, segment);
    if (clocks !== null || again) putClocks(db, id, clocks);
    if (number !== null || again) putNumber(db, id, number);
  }
}

function rowOf(db: Database, { rootId, path }: Omit<Segment, 'id' | 'state'>): Segment {
  const row = findByPath(db, rootId, path);
  if (row === null) throw new GatewayError('internal', 'A segment is neither new nor known.');
  return row;
}

/**
 * A file that was in quarantine because its name claimed the future, until that time came: its frames are from before it was first
 * seen, so its age counts from then, and a wrong clock does not keep it longer.
 */
function boundedByReceipt(
  db: Database,
  one: Extract<Examined, { kind: 'segment' }>,
): Extract<Examined, { kind: 'segment' }> {
  const { segment } = one;
  const held = findQuarantine(db, segment.rootId, segment.path);
  if (held?.reason !== 'impossible-time' || held.firstSeenUs >= segment.startUs) return one;
  const aheadUs = segment.startUs - held.firstSeenUs;
  return {
    ...one,
    segment: {
      ...segment,
      startUs: held.firstSeenUs,
      endUs: segment.endUs - aheadUs,
      timeSource: 'first-seen',
      timeQuality: 'disagreeing',
      timeDisagreementMs: Math.round(aheadUs / usPerMs),
    },
    clocks: one.clocks ?? {
      nameFromUs: segment.startUs,
      nameUntilUs: segment.startUs,
      containerUs: null,
      recorderUs: null,
      writtenUs: segment.mtimeUs,
    },
  };
}

function knowCamera(ctx: RecordingsContext, note: Note, cameraId: string, label: string): void {
  const { db, clock } = ctx.store;
  const camera = findCamera(db, cameraId);
  if (camera === null) ctx.registerCamera(note, cameraId, label);
  else if (!classRules[camera.class].mayRecord) {
    openTask(db, {
      // The task that a sweep opens too, and closes once nothing is left of it.
      kind: 'live-only-recorded',
      subject: `camera:${cameraId}`,
      detail: `Camera "${camera.label}" may show and not record, and recordings of it were found. Stop its recording in the VMS, and tell legal. What is there is neither held nor handed over, and goes like any other footage at the latest.`,
      createdUs: clock.nowUs(),
    });
  }
}

/** The very footage that was missing lies at a new path, in this root or another, copied there perhaps: its row goes along. */
function takeBack(db: Database, segment: Omit<Segment, 'id' | 'state'>): boolean {
  if (findByPath(db, segment.rootId, segment.path) !== null) return false;
  const [twin, another] = missingTwins(db, segment);
  if (twin === undefined || another !== undefined) return false;
  return moveSegment(db, twin.id, segment);
}

/**
 * The same file, grown or cut, or an untouched copy of it: it stays footage of the camera that it was of, even where it was moved
 * to a path that names another one.
 */
const isSameFootage = (known: Segment, now: Omit<Segment, 'id' | 'state'>): boolean =>
  known.inode === now.inode || (known.sizeBytes === now.sizeBytes && known.mtimeUs === now.mtimeUs);

const stat3 = (stat: {
  sizeBytes: number;
  inode: string;
  mtimeUs: number;
}): { sizeBytes: number; inode: string; mtimeUs: number } => ({
  sizeBytes: stat.sizeBytes,
  inode: stat.inode,
  mtimeUs: stat.mtimeUs,
});

const changedSubject = (segmentId: number): string => `segment:${segmentId}`;

/** Of a name that was a segment: nothing of the footage can be in it now. */
const holdsNothing = ({ stat, reason }: Extract<Examined, { kind: 'quarantined' }>): boolean =>
  stat.sizeBytes === 0 || reason === 'link' || reason === 'not-a-file';

/** False for what was said before: a file in quarantine for the same reason, unchanged, or a segment whose task is open. */
function isNews(ctx: RecordingsContext, root: RecordingRoot, one: Extract<Examined, { kind: 'quarantined' }>): boolean {
  const segment = holdsNothing(one) ? findByPath(ctx.store.db, root.id, one.path) : null;
  if (segment !== null) {
    const subject = changedSubject(segment.id);
    return !openTasks(ctx.store.db).some((task) => task.kind === 'segment-changed' && task.subject === subject);
  }
  const known = findQuarantine(ctx.store.db, root.id, one.path);
  return (
    known === null ||
    known.reason !== one.reason ||
    known.sizeBytes !== one.stat.sizeBytes ||
    known.inode !== one.stat.inode ||
    known.mtimeUs !== one.stat.mtimeUs
  );
}
