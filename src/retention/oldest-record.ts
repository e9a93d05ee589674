/** What a look at the disk found is kept in the audit log, and what a person has to see becomes a task. */
import type { AuditEvent } from '../domain/audit-event.js';
import { dayUs } from '../domain/retention-rules/index.js';
import { formatUtc } from '../domain/time.js';
import type { Store } from '../store/audit-log.js';
import { lastEventOf } from '../store/audit-log.js';
import type { Database } from '../store/database.js';
import { closeTask, openTask, openTasks } from '../store/tasks.js';
import { latenessSince, type Lateness } from './lateness.js';
import type { OldCopies } from './old-copies.js';
import type { CameraOnDisk, OldestOnDisk } from './oldest.js';

/** One camera of the last look, without a path: what is purged later must not stay readable in the log. */
export interface MeasuredCamera {
  readonly cameraId: string | null;
  readonly files: number;
  readonly oldestUs: number | null;
  readonly oldestHeldUs: number | null;
  readonly legalUs: number | null;
  readonly held: number;
  readonly overLimit: number;
  readonly notIndexed: number;
  /** Of the deletions of the 30 days before; null without any. */
  readonly lateness: Lateness | null;
}

export interface Measured {
  readonly atUs: number;
  readonly cameras: readonly MeasuredCamera[];
  readonly problems: number;
}

/** Subject of its events: by it the newest one is found without reading the log. */
const subject = 'retention:oldest';
export const latenessWindowUs = 30 * dayUs;

const overTask = 'footage-over-limit';
const strayTask = 'footage-not-indexed';
const unseenTask = 'oldest-unknown';
const overCopiesTask = 'copies-over-limit';
const copiesTask = 'copies-kept';

/** Notes a look at the disk and opens and closes its tasks, in one act. */
export async function keepOldest(store: Store, marginUs: number, seen: OldestOnDisk): Promise<Measured> {
  const { db } = store;
  const lateness = await latenessSince(db, seen.atUs - latenessWindowUs, marginUs);
  const cameras = seen.cameras.map((camera) => measuredOf(camera, lateness.get(camera.cameraId ?? '') ?? null));
  const measured: Measured = { atUs: seen.atUs, cameras, problems: seen.problems.length };
  store.act('gateway', (note) => {
    const nowUs = store.clock.nowUs();
    const wanted = new Map<string, { kind: string; subject: string; detail: string }>();
    const want = (kind: string, about: string, detail: string): void => {
      wanted.set(`${kind} ${about}`, { kind, subject: about, detail });
    };
    for (const { cameraId, overLimit, notIndexed, oldest } of seen.cameras) {
      const about = cameraId === null ? 'gateway:disk' : `camera:${cameraId}`;
      const whose = cameraId === null ? 'of which nobody knows the camera' : `of camera "${cameraId}"`;
      if (overLimit > 0 && oldest !== null) {
        want(
          overTask,
          about,
          `On disk there are ${overLimit} files ${whose} that are past the legal limit; the oldest frame is from ${formatUtc(oldest.startUs)} and had to be gone by ${formatUtc(oldest.legalUs)}. "tredive oldest" names them. Find out why no sweep deleted them.`,
        );
      }
      if (notIndexed > 0) {
        want(
          strayTask,
          about,
          `On disk there are ${notIndexed} files ${whose} that are not in the index, so no sweep will delete them. "tredive oldest" names them. Run "tredive scan"; what it does not take must be removed by hand.`,
        );
      }
    }
    for (const { rootId, detail } of seen.problems) {
      want(unseenTask, `root:${rootId}`, `How old the footage in this root is could not be seen in full: ${detail}`);
    }
    for (const [rootId, there] of byRoot(seen.copies)) {
      const places = there.map(({ place, kind, files }) => `${kind} ${place} (${files} files)`).join(', ');
      const over = there.filter(({ overLimit }) => overLimit > 0);
      const oldestUs = Math.min(...over.map(({ oldest }) => oldest?.startUs ?? nowUs));
      if (over.length > 0) {
        want(
          overCopiesTask,
          `root:${rootId}`,
          `Footage that is past the legal limit is still kept in ${places}; the oldest frame is from ${formatUtc(oldestUs)}. The gateway cannot delete it there: have these copies removed, and footage left out of them from now on.`,
        );
      }
      want(
        copiesTask,
        `root:${rootId}`,
        `Footage is kept a second time in ${places}. Have it left out there, or let these copies expire well within the limit of 30 days: what is deleted here lives on in them.`,
      );
      for (const { place, unseen } of there) {
        if (unseen !== null)
          want(unseenTask, `root:${rootId}`, `Copies of footage in ${place} could not be seen in full: ${unseen}`);
      }
    }
    for (const task of wanted.values()) openTask(db, { ...task, createdUs: nowUs });
    for (const task of openTasks(db)) {
      const ours = [overTask, strayTask, unseenTask, overCopiesTask, copiesTask].includes(task.kind);
      if (ours && !wanted.has(`${task.kind} ${task.subject}`)) closeTask(db, task.kind, task.subject, nowUs);
    }
    note('retention.measured', subject, {
      // As JSON has it.
      cameras: cameras.map((camera) => ({
        ...camera,
        lateness: camera.lateness === null ? null : { ...camera.lateness },
      })),
      copies: seen.copies.map(({ rootId, kind, files, overLimit, oldest }) => ({
        ...{ rootId, kind, files, overLimit },
        oldestUs: oldest?.startUs ?? null,
      })),
      problems: seen.problems.length,
    });
  });
  return measured;
}

function byRoot(copies: readonly OldCopies[]): Map<string, OldCopies[]> {
  const roots = new Map<string, OldCopies[]>();
  for (const one of copies) roots.set(one.rootId, [...(roots.get(one.rootId) ?? []), one]);
  return roots;
}

const measuredOf = (camera: CameraOnDisk, lateness: Lateness | null): MeasuredCamera => ({
  cameraId: camera.cameraId,
  files: camera.files,
  oldestUs: camera.oldest?.startUs ?? null,
  oldestHeldUs: camera.oldestHeld?.startUs ?? null,
  legalUs: camera.oldest?.legalUs ?? null,
  held: camera.held,
  overLimit: camera.overLimit,
  notIndexed: camera.notIndexed,
  lateness,
});

/** The newest look at the disk that was kept before `beforeUs`; null before the first. */
export function lastMeasured(db: Database, beforeUs = Number.MAX_SAFE_INTEGER): Measured | null {
  const event = lastEventOf(db, subject, (one) => one.type === 'retention.measured' && one.atUs < beforeUs);
  return event === null ? null : measuredIn(event);
}

const measuredIn = ({ atUs, data }: AuditEvent): Measured => ({
  atUs,
  cameras: data['cameras'] as unknown as MeasuredCamera[],
  problems: Number(data['problems']),
});
