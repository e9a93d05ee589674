/**
 * How retention stands, for those who answer for it. Asked for every half minute by whoever has the page open: it reads counters,
 * the ends of each camera's footage, and what is due.
 */
import type { AuditEvent } from '../domain/audit-event.js';
import { legalLimitUs, limitFor } from '../domain/retention.js';
import { isAgreed, liveVotes, type Vote } from '../domain/two-persons.js';
import type { RetentionPlan } from '../retention/context.js';
import { oldestNotHeld } from '../retention/next-deletion.js';
import { lastMeasured } from '../retention/oldest-record.js';
import { isWantOfTimeService } from '../retention/trust.js';
import { lastEventOf } from '../store/audit-log.js';
import { listCameras } from '../store/cameras.js';
import type { Database } from '../store/database.js';
import { failingCameras } from '../store/deletions.js';
import { activeHolds } from '../store/holds.js';
import { openProposal, votesOf } from '../store/proposals.js';
import { openChanges } from '../store/retention-changes.js';
import { listUsers } from '../store/users.js';
import type { ApiDeps } from './deps.js';
import type { RetentionCamera, RetentionOverview, SweepView } from './views.js';

export function retentionOverview({ retention, store }: ApiDeps): RetentionOverview {
  const { db } = store;
  const nowUs = store.clock.nowUs();
  const plan = retention.plan(nowUs);
  const clockVotes = retention.clockVotes(nowUs);
  const confirmed = confirmedVotes(db, plan, nowUs, retention.voteUs);
  const changes = openChanges(db);
  const measured = lastMeasured(db);
  const swept = lastEventOf(db, 'gateway', ({ type }) => type === 'retention.swept');
  const votes = [...clockVotes, ...(plan.waiting?.votes ?? []), ...(confirmed ?? [])];
  const ids = new Set([
    ...votes.map(({ userId }) => userId),
    ...changes.map(({ proposedBy }) => proposedBy.replace(/^user:/, '')),
  ]);
  return {
    nowUs,
    marginUs: retention.marginUs,
    voteUs: retention.voteUs,
    sweepEveryUs: retention.sweepEveryUs,
    clock: {
      doubt: retention.doubt(nowUs),
      votes: clockVotes,
      synchronised: typeof swept?.data['synchronised'] === 'boolean' ? swept.data['synchronised'] : null,
    },
    lastSweep: swept === null ? null : sweepView(swept),
    refused: refusedSince(db, swept),
    due: { segments: plan.due, sizeBytes: plan.dueBytes, late: plan.late, held: plan.held },
    roots: plan.problems,
    quarantineOverdue: plan.quarantineOverdue,
    waiting: plan.waiting,
    confirmed: confirmed === null ? null : { votes: confirmed },
    cameras: camerasIn(db, plan, nowUs, retention.marginUs),
    changes: changes.map((change) => ({ change, preview: retention.previewOf(change) })),
    measured:
      measured === null
        ? null
        : {
            atUs: measured.atUs,
            problems: measured.problems,
            unknown: measured.cameras.find(({ cameraId }) => cameraId === null) ?? null,
          },
    people: Object.fromEntries(
      listUsers(db)
        .filter(({ id }) => ids.has(id))
        .map(({ id, name }) => [id, name]),
    ),
  };
}

function camerasIn(db: Database, plan: RetentionPlan, nowUs: number, marginUs: number): RetentionCamera[] {
  const holds = activeHolds(db, nowUs);
  const due = new Map(plan.dueByCamera.map((one) => [one.cameraId, one]));
  const held = new Map(plan.heldByCamera.map((one) => [one.cameraId, one]));
  const failing = new Map(failingCameras(db).map((one) => [one.cameraId, one]));
  return listCameras(db).map((camera) => {
    const { cameraId } = camera;
    const next = oldestNotHeld(db, cameraId, holds, nowUs);
    const [dueNow, kept, failed] = [due.get(cameraId), held.get(cameraId), failing.get(cameraId)];
    return {
      cameraId,
      nextDueUs: next === null ? null : next.startUs + limitFor(camera, marginUs).maxAgeUs,
      due: dueNow === undefined ? null : { segments: dueNow.segments, footageUs: dueNow.footageUs },
      held: kept === undefined ? null : { segments: kept.segments, oldestUs: kept.oldestUs },
      failing: failed === undefined ? null : { ...failed, legalUs: legalLimitUs(camera, failed.oldestUs) },
    };
  });
}

/** Once both have said yes nothing waits any more, and what they confirmed is there until a sweep has carried it out. */
function confirmedVotes(db: Database, plan: RetentionPlan, nowUs: number, voteUs: number): readonly Vote[] | null {
  const open = plan.waiting === null ? openProposal(db, 'mass-deletion') : null;
  if (open === null) return null;
  const votes = liveVotes(votesOf(db, open.id), nowUs, voteUs);
  return isAgreed(votes) ? votes : null;
}

/** A sweep that was refused for its clock since the last one that came to its end. */
function refusedSince(db: Database, swept: AuditEvent | null): RetentionOverview['refused'] {
  const last = lastEventOf(db, 'gateway', ({ seq, type }) => type === 'retention.refused' || seq <= (swept?.seq ?? 0));
  // What is noted beside a sweep, for the brake or its roots, comes before the sweep's own event.
  if (last?.type !== 'retention.refused' || last.seq < (swept?.seq ?? 0)) return null;
  const { reason } = last.data;
  return { atUs: last.atUs, why: typeof reason === 'string' && isWantOfTimeService(reason) ? 'time-service' : 'clock' };
}

function sweepView({ atUs, data }: AuditEvent): SweepView {
  const count = (name: string): number => Number(data[name] ?? 0);
  return {
    atUs,
    deleted: count('deleted'),
    absent: count('absent'),
    held: count('held'),
    failed: count('failed'),
    late: count('late'),
    recovered: count('recovered'),
    interrupted: data['interrupted'] === true,
  };
}
