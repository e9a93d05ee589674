import { Button } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { ReportsView, ReportVerdict } from '../../../api/views.js';
import { call } from '../../api.js';
import { Done, Tag, Trouble, Waiting } from '../../parts.js';
import { may, useSession } from '../../session.js';
import { useAct } from './queries.js';

/** The files that people open; the others are for whoever checks them without the gateway. */
const opened = { 'report.da.pdf': 'pdfDa', 'report.en.pdf': 'pdfEn', 'report.json': 'json' } as const;

/** `May 2026` for `2026-05`, in the reader's language. */
function useMonth(): (month: string) => string {
  const { i18n } = useTranslation();
  return (month) =>
    new Intl.DateTimeFormat(i18n.language === 'da' ? 'da-DK' : 'en-GB', {
      timeZone: 'UTC',
      month: 'long',
      year: 'numeric',
    }).format(new Date(`${month}-15T00:00:00Z`));
}

/** Reports of the months: made, fetched, and checked. */
export function Reports(): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const nameOf = useMonth();
  const reports = useQuery({ queryKey: ['reports'], queryFn: () => call<ReportsView>('/api/reports') });
  const make = useAct((month: string) => call<{ month: string }>('/api/reports', 'POST', { month }));
  return (
    <>
      <Trouble error={reports.error} retry={() => void reports.refetch()} />
      {reports.isPending && <Waiting />}
      {reports.data !== undefined && (
        <section className="card" aria-labelledby="reports">
          <h2 id="reports">{t('retention.reports.title')}</h2>
          <p className="soft small" style={{ margin: '0 0 10px' }}>
            {t('retention.reports.intro')}
          </p>
          <Done>
            {make.data === undefined ? null : t('retention.reports.made', { month: nameOf(make.data.month) })}
          </Done>
          {reports.data.reports.length === 0 && <p style={{ margin: 0 }}>{t('retention.reports.none')}</p>}
          {reports.data.reports.map(({ month, files }) => (
            <Report key={month} month={month} files={files} />
          ))}
        </section>
      )}
      {reports.data !== undefined && reports.data.missing.length > 0 && (
        <section className="card" aria-labelledby="missing-reports">
          <h2 id="missing-reports">{t('retention.reports.missing')}</h2>
          {reports.data.missing.map((month) => (
            <div key={month} className="item task">
              <div className="month">{nameOf(month)}</div>
              {may(session, 'report.make') && (
                <Button
                  variant="default"
                  size="xs"
                  aria-label={t('retention.reports.makeOf', { month: nameOf(month) })}
                  loading={make.isPending && make.variables === month}
                  disabled={make.isPending}
                  onClick={() => {
                    make.mutate(month);
                  }}
                >
                  {t('retention.reports.make')}
                </Button>
              )}
            </div>
          ))}
          <p role="status" className="soft small" style={{ margin: '8px 0 0', minHeight: '1.5em' }}>
            {make.isPending ? t('retention.reports.making') : ''}
          </p>
          <Trouble error={make.error} />
        </section>
      )}
    </>
  );
}

function Report({ month, files }: { month: string; files: readonly string[] }): ReactNode {
  const { t } = useTranslation();
  const name = useMonth()(month);
  const check = useMutation({ mutationFn: () => call<ReportVerdict>(`/api/reports/${month}/verification`) });
  const link = (file: string, what: string): ReactNode => (
    <a
      key={file}
      href={`/api/reports/${month}/${file}`}
      download
      aria-label={t('retention.reports.get', { what, month: name })}
    >
      {what}
    </a>
  );
  const shown = (file: string): file is keyof typeof opened => file in opened;
  return (
    <div className="item stack" style={{ gap: 8 }} role="group" aria-label={name}>
      <div className="task">
        <div>
          <strong className="month">{name}</strong>
          <div className="tags" style={{ gap: '4px 16px', marginTop: 4 }}>
            {(Object.keys(opened) as (keyof typeof opened)[])
              .filter((file) => files.includes(file))
              .map((file) => link(file, t(`retention.reports.${opened[file]}`)))}
          </div>
        </div>
        <Button
          variant="default"
          size="xs"
          aria-label={t('retention.reports.checkOf', { month: name })}
          loading={check.isPending}
          onClick={() => {
            check.mutate();
          }}
        >
          {t('retention.reports.check')}
        </Button>
      </div>
      <div role="status">{check.data !== undefined && <Verdict verdict={check.data} />}</div>
      <Trouble error={check.error} />
      <details className="small">
        <summary>{t('retention.reports.rest')}</summary>
        <div className="tags" style={{ gap: '4px 16px', marginTop: 4 }}>
          {files.filter((file) => !shown(file)).map((file) => link(file, file))}
        </div>
      </details>
    </div>
  );
}

function Verdict({ verdict }: { verdict: ReportVerdict }): ReactNode {
  const { t } = useTranslation();
  return (
    <>
      <Tag tone={verdict.ok ? 'ok' : 'bad'}>{t(verdict.ok ? 'retention.reports.good' : 'retention.reports.bad')}</Tag>
      <ul className="list small">
        {verdict.checks.map(({ name, ok, detail }) => (
          <li key={name}>
            <Tag tone={ok ? 'ok' : 'bad'}>{t(`retention.reports.checks.${name}`)}</Tag>{' '}
            <span className="soft" lang="en" style={{ overflowWrap: 'anywhere' }}>
              {detail}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
