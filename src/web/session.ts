/** Who uses the page, and what he may do. */
import { createContext, useContext } from 'react';
import { useTranslation } from 'react-i18next';
import type { SessionView } from '../api/views.js';
import type { Right } from '../domain/user.js';
import { showTime } from './time.js';

export interface Session extends SessionView {
  readonly user: NonNullable<SessionView['user']>;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('used outside of a session');
  return session;
}

export const may = (session: Session, right: Right): boolean => session.rights.includes(right);

/** Shows instants in the site's zone and the reader's language. */
export function useTime(): (us: number) => string {
  const { site } = useSession();
  const { i18n } = useTranslation();
  return (us) => showTime(us, site.timezone, i18n.language);
}

/** The same to the minute, for deadlines and sweeps. */
export function useMinute(): (us: number) => string {
  const { site } = useSession();
  const { i18n } = useTranslation();
  return (us) => showTime(us, site.timezone, i18n.language, { seconds: false });
}

const minuteUs = 60_000_000;

/** Shows a length of time, whichever way it goes: in days and hours, or in hours and minutes below two days. */
export function useSpan(): (us: number) => string {
  const { t } = useTranslation();
  return (us) => {
    const minutes = Math.floor(Math.abs(us) / minuteUs);
    const hours = Math.floor(minutes / 60);
    if (hours >= 48) {
      const days = Math.floor(hours / 24);
      return hours % 24 === 0
        ? t('retention.span.days', { days })
        : t('retention.span.daysHours', { days, hours: hours % 24 });
    }
    if (hours === 0) return t('retention.span.minutes', { minutes });
    return minutes % 60 === 0
      ? t('retention.span.hours', { hours })
      : t('retention.span.hoursMinutes', { hours, minutes: minutes % 60 });
  };
}

/** Shows how long footage is, in hours. */
export function useHours(): (us: number) => string {
  const { t, i18n } = useTranslation();
  return (us) =>
    t('retention.span.footage', {
      hours: new Intl.NumberFormat(i18n.language, { maximumFractionDigits: us < 100 * 60 * minuteUs ? 1 : 0 }).format(
        us / (60 * minuteUs),
      ),
    });
}
