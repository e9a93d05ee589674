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
