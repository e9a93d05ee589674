/** How a hold comes to its end: what is said before, what is overdue, and whether its footage may go without asking. Pure. */
import { holdEndUs, isFreeze, isProvisional, type Hold } from './hold.js';
import { dayUs, hourUs } from './retention-rules/rule.js';
import { overlaps, type TimeRange } from './segment.js';

/** Reminders come this long before the review date. */
const firstReminderUs = 14 * dayUs;
const lastReminderUs = 3 * dayUs;

/** An end that was announced for less than this surprises whoever is away for a weekend. */
const announcedBeforeUs = 48 * hourUs;
/** Sweeps once a day are the fewest that the gateway is run with. */
const sweptBeforeUs = 26 * hourUs;

/** What is due to be said or done about a hold. */
export type HoldDue =
  /** It has reached its review date: it is over. */
  | 'expire'
  | 'announce'
  | 'remind'
  /** Legal has not decided in time; it stays in force. */
  | 'approval-overdue'
  /** The other party of the dispute was not told in time. */
  | 'notice-overdue'
  /** A freeze whose review date has passed: it stays in force, but somebody has to look at it. */
  | 'review-overdue';

/** Everything that is due of a hold that nobody has ended, at `nowUs`. */
export function dueOf(hold: Hold, nowUs: number): HoldDue[] {
  if (hold.liftedUs !== null) return [];
  if (nowUs >= holdEndUs(hold)) return ['expire'];
  const due: HoldDue[] = [];
  if (isProvisional(hold) && hold.approveByUs !== null && nowUs >= hold.approveByUs) due.push('approval-overdue');
  if (noticeIsOverdue(hold, nowUs)) due.push('notice-overdue');
  if (isFreeze(hold) && nowUs >= hold.reviewUs) due.push('review-overdue');
  if (hold.remindedUs === null && nowUs >= hold.reviewUs - lastReminderUs) due.push('remind');
  else if (hold.announcedUs === null && nowUs >= hold.reviewUs - firstReminderUs) due.push('announce');
  return due;
}

/** Whether the other party had not been told at `atUs`, although that was due. */
export const noticeIsOverdue = (hold: Pick<Hold, 'notifyByUs' | 'notifiedUs'>, atUs: number): boolean =>
  hold.notifyByUs !== null && atUs >= hold.notifyByUs && (hold.notifiedUs === null || hold.notifiedUs > atUs);

/**
 * Whether the end of a hold that runs out was known: announced two days before, and swept up to it. What a clock shows that was set
 * forward while the machine was off is neither, and so the brake asks about that footage. `lastSweepUs`: before the one that
 * finds the end.
 */
export const endsOrderly = (hold: Pick<Hold, 'announcedUs' | 'reviewUs'>, lastSweepUs: number | null): boolean =>
  hold.announcedUs !== null &&
  hold.announcedUs <= hold.reviewUs - announcedBeforeUs &&
  lastSweepUs !== null &&
  lastSweepUs >= hold.reviewUs - sweptBeforeUs;

/**
 * Whether footage that fell due at `dueUs` was kept beyond that by holds alone, without a pause, of which the last one ran out in an
 * orderly way. Footage that a person has let go, by lifting or refusing, is none. `ended`: holds that are over.
 */
export function wasLetGoOrderly(
  footage: TimeRange & { readonly cameraId: string },
  dueUs: number,
  ended: readonly Hold[],
): boolean {
  const about = ended
    .filter((hold) => hold.cameraIds.includes(footage.cameraId) && overlaps(hold, footage) && holdEndUs(hold) > dueUs)
    .sort((a, b) => a.placedUs - b.placedUs);
  let untilUs = dueUs;
  let last: Hold | null = null;
  for (const hold of about) {
    if (hold.placedUs > untilUs) return false;
    if (holdEndUs(hold) <= untilUs) continue;
    untilUs = holdEndUs(hold);
    last = hold;
  }
  return last?.orderly === true;
}
