/** What time does to holds: reminders, alarms, and the end. Done by a sweep that believes the clock, before it plans anything. */
import { dueOf, endsOrderly, wasLetGoOrderly, type HoldDue } from '../domain/hold-end.js';
import { type Hold } from '../domain/hold.js';
import { dayUs } from '../domain/retention-rules/index.js';
import type { TimeRange } from '../domain/segment.js';
import { formatUtc } from '../domain/time.js';
import type { Note } from '../store/audit-log.js';
import type { Database } from '../store/database.js';
import { holdsEndedBetween, insertHoldStep, liftHold, openHolds, setReminded } from '../store/holds.js';
import { readSweepState } from '../store/sweep-state.js';
import { closeTask, openTask, openTasks } from '../store/tasks.js';
import type { RetentionContext } from './context.js';

const alarms = {
  'approval-overdue': 'hold-approval-overdue',
  'notice-overdue': 'hold-notice-overdue',
  'review-overdue': 'hold-review-overdue',
} as const satisfies Partial<Record<HoldDue, string>>;

const subjectOf = (hold: Hold): string => `hold:${hold.id}`;

/** Reminds, alarms and ends what is due. A task that somebody closed while its cause goes on is opened again. */
export function tendHolds(ctx: RetentionContext, nowUs: number): void {
  const { store, log } = ctx;
  const due = openHolds(store.db).map((hold) => ({ hold, what: dueOf(hold, nowUs) }));
  if (due.every(({ what }) => what.length === 0)) return;
  const tasks = new Set(openTasks(store.db).map(({ kind, subject }) => `${kind} ${subject}`));
  const isNew = (hold: Hold, what: HoldDue): boolean =>
    !(what in alarms) || !tasks.has(`${alarms[what as keyof typeof alarms]} ${subjectOf(hold)}`);
  const fresh = due
    .map(({ hold, what }) => ({ hold, what: what.filter((one) => isNew(hold, one)) }))
    .filter(({ what }) => what.length > 0);
  if (fresh.length === 0) return;
  store.act('gateway', (note) => {
    for (const { hold, what } of fresh) for (const one of what) tend(ctx, note, hold, one, nowUs);
  });
  for (const { hold, what } of fresh) {
    for (const one of what)
      if (one in alarms) log.error({ hold: hold.id, what: one }, 'a hold needs somebody; see the tasks');
  }
}

function tend({ store }: RetentionContext, note: Note, hold: Hold, what: HoldDue, nowUs: number): void {
  const { db } = store;
  const subject = subjectOf(hold);
  const open = (kind: string, detail: string): void => {
    openTask(db, { kind, subject, detail, createdUs: nowUs });
  };
  const about = `Hold ${hold.id} (${hold.ground}) on footage of ${hold.cameraIds.join(', ')}`;
  switch (what) {
    case 'expire': {
      const orderly = endsOrderly(hold, readSweepState(db).lastSweepUs);
      liftHold(db, hold.id, 'gateway', hold.reviewUs, { outcome: 'expired', orderly });
      insertHoldStep(db, { holdId: hold.id, kind: 'expired', by: 'gateway', atUs: nowUs, facts: { orderly } });
      for (const kind of ['approve-hold', 'hold-approval-overdue', 'hold-ends', 'hold-ends-soon', 'hold-restored']) {
        closeTask(db, kind, subject, nowUs);
      }
      note('hold.expired', subject, { reviewUs: hold.reviewUs, orderly });
      return;
    }
    case 'announce':
    case 'remind': {
      setReminded(db, hold.id, what, nowUs);
      closeTask(db, 'hold-ends', subject, nowUs);
      open(what === 'remind' ? 'hold-ends-soon' : 'hold-ends', endDetail(hold, about));
      note('hold.reminded', subject, { reviewUs: hold.reviewUs, last: what === 'remind' });
      return;
    }
    case 'approval-overdue':
      open(
        alarms[what],
        `${about} was placed by security, and legal should have decided before ${formatUtc(hold.approveByUs ?? nowUs)}. It stays in force meanwhile: tredive hold approve ${hold.id}, or tredive hold refuse ${hold.id}. ${endDetail(hold, about)}`,
      );
      break;
    case 'notice-overdue':
      open(
        alarms[what],
        `The other party of ${hold.id} should have been told before ${formatUtc(hold.notifyByUs ?? nowUs)} that footage is kept. Do it at once, and enter it: tredive hold notified ${hold.id}`,
      );
      break;
    case 'review-overdue':
      open(
        alarms[what],
        `${about} was to be looked at before ${formatUtc(hold.reviewUs)}. It stays frozen: answer the request, or prolong it with a reason.`,
      );
      break;
  }
  note('hold.overdue', subject, { what });
}

const endDetail = (hold: Hold, about: string): string =>
  hold.ground === 'access-request' || hold.ground === 'complaint'
    ? `${about} is to be looked at before ${formatUtc(hold.reviewUs)}: it stays frozen until legal says that it was answered and not appealed (tredive hold lift), or prolongs it.`
    : `${about} ends ${formatUtc(hold.reviewUs)}; what is due of it goes at the next sweep. To keep it longer: tredive hold ${hold.approveByUs !== null && hold.approvedUs === null ? 'approve' : 'prolong'} ${hold.id}`;

/** Footage that only holds have kept, of which the last one ran out as announced. */
export interface OrderlyEnds {
  isAbout(cameraId: string): boolean;
  /** Of footage that fell due at `dueUs` and is held by nothing now: whether the brake has no say in it. */
  frees(footage: TimeRange & { readonly cameraId: string }, dueUs: number): boolean;
}

/** What ended longer ago than this, and whose footage is still there, is asked about like everything else. */
const rememberedUs = 90 * dayUs;

/** As it will be once a sweep has ended what has run out by `nowUs`. */
export function orderlyEnds(db: Database, nowUs: number): OrderlyEnds {
  const { lastSweepUs } = readSweepState(db);
  const ended = holdsEndedBetween(db, nowUs - rememberedUs, nowUs).map((hold) =>
    hold.liftedUs === null ? { ...hold, orderly: endsOrderly(hold, lastSweepUs) } : hold,
  );
  const cameras = new Set(ended.filter(({ orderly }) => orderly).flatMap(({ cameraIds }) => cameraIds));
  return {
    isAbout: (cameraId) => cameras.has(cameraId),
    frees: (footage, dueUs) => cameras.has(footage.cameraId) && wasLetGoOrderly(footage, dueUs, ended),
  };
}
