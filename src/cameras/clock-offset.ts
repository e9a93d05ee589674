/**
 * How far a camera's clock is from ours. PURE: times are arguments.
 *
 * Recorders that stamp files with the camera's time are wrong by this much, so the oldest frame may be older than its
 * name says. ONVIF gives whole seconds, cut off and not rounded: the camera's true time lies in [reported, reported +
 * 1 s), and it was read at some moment between sending the question and receiving the answer.
 */
import { childrenNamed, descend, textAt, type XmlElement } from './xml.js';

export interface ClockOffset {
  /** Camera minus gateway, milliseconds; positive where the camera is ahead. */
  readonly offsetMs: number;
  /** The true offset is within ± this of `offsetMs`. */
  readonly uncertaintyMs: number;
}

/** What GetSystemDateAndTime told. */
export interface CameraTime {
  /** UTC milliseconds, whole seconds. */
  readonly utcMs: number;
  /** NTP or Manual; null where the camera does not say. */
  readonly source: 'NTP' | 'Manual' | null;
}

/**
 * `sentMs` and `receivedMs` are gateway UTC milliseconds around the one exchange that carried the answer;
 * `resolutionMs` is the step of the camera's report.
 */
export function computeClockOffset(exchange: {
  readonly cameraUtcMs: number;
  readonly sentMs: number;
  readonly receivedMs: number;
  readonly resolutionMs?: number;
}): ClockOffset {
  const { cameraUtcMs, sentMs, receivedMs, resolutionMs = 1000 } = exchange;
  const earliestMs = cameraUtcMs - receivedMs;
  const latestMs = cameraUtcMs + resolutionMs - sentMs;
  return { offsetMs: Math.round((earliestMs + latestMs) / 2), uncertaintyMs: Math.ceil((latestMs - earliestMs) / 2) };
}

/**
 * The UTC time in a GetSystemDateAndTimeResponse, or null where there is none that makes sense. LocalDateTime is never
 * used in its place: its zone is a POSIX string that many cameras fill with nonsense, and a guess would be an hour off.
 */
export function readCameraTime(response: XmlElement): CameraTime | null {
  const answer = descend(response, 'SystemDateAndTime');
  const utc = descend(answer, 'UTCDateTime');
  const number = (...names: string[]): number => {
    const text = textAt(utc, ...names) ?? '';
    return /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  };
  const [year, month, day] = [number('Date', 'Year'), number('Date', 'Month'), number('Date', 'Day')];
  const [hour, minute, second] = [number('Time', 'Hour'), number('Time', 'Minute'), number('Time', 'Second')];
  const utcMs = Date.UTC(year, month - 1, day, hour, minute, Math.min(second, 59));
  const back = new Date(utcMs);
  // Date.UTC would take 31 February for 3 March.
  const whole = back.getUTCMonth() === month - 1 && back.getUTCDate() === day && back.getUTCHours() === hour;
  if (!whole || back.getUTCMinutes() !== minute || second > 60 || year < 1970) return null;
  const source = childrenNamed(answer, 'DateTimeType')[0]?.text;
  return { utcMs, source: source === 'NTP' || source === 'Manual' ? source : null };
}
