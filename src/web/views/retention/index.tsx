/** Retention: how it stands, the periods, and the monthly reports. Each is a place of its own. */
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Heading } from '../../parts.js';
import { hrefOf, retentionParts, type RetentionPart } from '../../place.js';
import { may, useSession } from '../../session.js';
import { Changes } from './changes.js';
import { Now } from './now.js';
import { Reports } from './reports.js';

export function RetentionView({ part }: { part: RetentionPart }): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const parts = retentionParts.filter((one) => one !== 'reports' || may(session, 'report.read'));
  if (!parts.includes(part)) return <Heading>{t('app.notFound')}</Heading>;
  return (
    <div className="stack">
      <div>
        <Heading>{part === 'now' ? t('retention.title') : t(`retention.part.${part}`)}</Heading>
        {part === 'now' && (
          <p className="soft" style={{ margin: '4px 0 0' }}>
            {t('retention.intro')}
          </p>
        )}
      </div>
      <nav className="subnav" aria-label={t('retention.parts')}>
        {parts.map((one) => (
          <a key={one} href={hrefOf.retention(one)} {...(one === part ? { 'aria-current': 'page' as const } : {})}>
            {t(`retention.part.${one}`)}
          </a>
        ))}
      </nav>
      {part === 'now' && <Now />}
      {part === 'changes' && <Changes />}
      {part === 'reports' && <Reports />}
    </div>
  );
}
