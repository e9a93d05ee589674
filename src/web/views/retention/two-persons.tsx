/** What two persons have to say: who has, who may, and the button for whoever is next. */
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { RetentionOverview } from '../../../api/views.js';
import type { Vote } from '../../../domain/two-persons.js';
import { may, useMinute, useSession } from '../../session.js';

interface TwoPersonsProps {
  readonly votes: readonly Vote[];
  readonly overview: RetentionOverview;
  /** The button; shown to those whose yes would count. */
  readonly children: ReactNode;
}

export function TwoPersons({ votes, overview, children }: TwoPersonsProps): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const time = useMinute();
  const { user } = session;
  const same = votes.some(({ userId }) => userId === user.id);
  const needAdmin = votes.length > 0 && !user.roles.includes('admin') && !votes.some(({ admin }) => admin);
  const refusal = !may(session, 'retention.confirm')
    ? t('retention.two.cannot')
    : same
      ? t('retention.two.same')
      : needAdmin
        ? t('retention.two.needAdmin')
        : null;
  return (
    <div className="stack" style={{ gap: 10 }}>
      {votes.length === 0 ? (
        <p style={{ margin: 0 }}>{t('retention.two.nobody')}</p>
      ) : (
        <ul className="list">
          {votes.map(({ userId, atUs }) => (
            <li key={userId}>
              {t('retention.two.yes', { name: overview.people[userId] ?? userId, time: time(atUs) })}{' '}
              <span className="soft small">({t('retention.two.until', { time: time(atUs + overview.voteUs) })})</span>
            </li>
          ))}
        </ul>
      )}
      {refusal === null ? <div>{children}</div> : <p style={{ margin: 0, fontWeight: 600 }}>{refusal}</p>}
    </div>
  );
}
