import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import type { SessionView } from '../api/views.js';
import { ApiError, call } from './api.js';
import { chooseLanguage, languages, type Language } from './i18n.js';
import { Heading, Trouble, Waiting } from './parts.js';
import { hrefOf, usePlace } from './place.js';
import { may, SessionContext, type Session } from './session.js';
import { CamerasView } from './views/cameras.js';
import { FootageView } from './views/footage.js';
import { HoldsListView } from './views/holds.js';
import { LoginView } from './views/login.js';
import { NewHoldView } from './views/new-hold.js';
import { NewRequestView } from './views/new-request.js';
import { RequestDetail } from './views/request.js';
import { RetentionView } from './views/retention/index.js';
import { RequestsListView } from './views/requests.js';

export function App(): ReactNode {
  const queries = useQueryClient();
  const session = useQuery({ queryKey: ['session'], queryFn: () => call<SessionView>('/api/session') });

  // A session that ended shows at whatever is asked next; then it is asked again who is logged in.
  useEffect(
    () =>
      queries.getQueryCache().subscribe(({ query }) => {
        const error: unknown = query.state.error;
        if (
          error instanceof ApiError &&
          error.code === 'unauthenticated' &&
          (query.queryKey as readonly unknown[])[0] !== 'session'
        ) {
          void queries.invalidateQueries({ queryKey: ['session'] });
        }
      }),
    [queries],
  );

  const { data } = session;
  const user = data?.user ?? null;
  const current: Session | null = data === undefined || user === null ? null : { ...data, user };
  return (
    <SessionContext value={current}>
      <div className="frame">
        <Top site={data?.site.name} session={current} />
        <main className="main" id="content" tabIndex={-1}>
          {session.isPending && <Waiting />}
          <Trouble error={session.error} retry={() => void session.refetch()} />
          {data !== undefined && (current === null ? <LoginView /> : <View session={current} />)}
        </main>
        <Foot zone={data?.site.timezone} />
      </div>
    </SessionContext>
  );
}

function View({ session }: { session: Session }): ReactNode {
  const { t } = useTranslation();
  const place = usePlace();
  if (place.view === 'cameras') return <CamerasView />;
  if (place.view === 'footage' && may(session, 'footage.read')) return <FootageView />;
  if (place.view === 'retention') return <RetentionView part={place.part} />;
  if (place.view === 'requests' && may(session, 'request.read')) return <RequestsListView />;
  if (place.view === 'new' && may(session, 'request.create')) return <NewRequestView />;
  if (place.view === 'holds' && may(session, 'hold.read')) return <HoldsListView />;
  if (place.view === 'new-hold' && may(session, 'hold.place')) return <NewHoldView />;
  if (place.view === 'request' && may(session, 'request.read')) return <RequestDetail key={place.id} id={place.id} />;
  return <Heading>{t('app.notFound')}</Heading>;
}

function Top({ site, session }: { site: string | undefined; session: Session | null }): ReactNode {
  const { t, i18n } = useTranslation();
  const { view } = usePlace();
  const logout = async (): Promise<void> => {
    await call('/api/session', 'DELETE');
    // Loaded anew, so that nothing of the last user stays in the page.
    window.location.replace('./');
  };
  const current = (here: boolean): { 'aria-current'?: 'page' } => (here ? { 'aria-current': 'page' } : {});
  return (
    <header className="top">
      <a className="skip" href="#content" onClick={focusContent}>
        {t('app.skip')}
      </a>
      <div className="top-inner">
        <div className="brand">
          <img src="./icon.svg" width="28" height="28" alt="" />
          <span>{t('app.name')}</span>
          {site !== undefined && <small>{site}</small>}
        </div>
        {session !== null && (
          <nav className="nav" aria-label={t('app.menu')}>
            <a href={hrefOf.cameras} {...current(view === 'cameras')}>
              {t('app.cameras')}
            </a>
            {may(session, 'footage.read') && (
              <a href={hrefOf.footage} {...current(view === 'footage')}>
                {t('app.footage')}
              </a>
            )}
            <a href={hrefOf.retention('now')} {...current(view === 'retention')}>
              {t('app.retention')}
            </a>
            {may(session, 'request.read') && (
              <a href={hrefOf.requests} {...current(view === 'requests' || view === 'new' || view === 'request')}>
                {t('app.requests')}
              </a>
            )}
            {may(session, 'hold.read') && (
              <a href={hrefOf.holds} {...current(view === 'holds' || view === 'new-hold')}>
                {t('app.holds')}
              </a>
            )}
          </nav>
        )}
        <div className="who" style={session === null ? { marginLeft: 'auto' } : {}}>
          {session !== null && (
            <span title={session.user.roles.map((role) => t(`app.role.${role}`)).join(', ')}>
              {session.user.name} ({session.user.roles.map((role) => t(`app.role.${role}`)).join(', ')})
            </span>
          )}
          <select
            className="language"
            aria-label={t('app.language')}
            value={i18n.language}
            onChange={(event) => void chooseLanguage(event.target.value as Language)}
          >
            {Object.entries(languages).map(([code, name]) => (
              <option key={code} value={code} lang={code}>
                {name}
              </option>
            ))}
          </select>
          {session !== null && (
            <Button size="xs" variant="white" onClick={() => void logout()}>
              {t('app.logout')}
            </Button>
          )}
        </div>
      </div>
    </header>
  );
}

/** The address is taken by the router, so the jump is made by hand. */
function focusContent(event: { preventDefault: () => void }): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}

function Foot({ zone }: { zone: string | undefined }): ReactNode {
  const { t } = useTranslation();
  return (
    <footer className="foot">
      <div className="foot-inner">
        <p>{t('app.notAdvice')}</p>
        {zone !== undefined && <p>{t('app.zone', { zone })}</p>}
      </div>
    </footer>
  );
}
