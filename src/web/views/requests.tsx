import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { RequestsView } from '../../api/views.js';
import { call } from '../api.js';
import { Heading, Trouble, Waiting } from '../parts.js';
import { hrefOf } from '../place.js';
import { may, useSession, useTime } from '../session.js';
import { isBusy, JobLine, StateTag } from './request-state.js';

export function RequestsListView(): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const list = useQuery({
    queryKey: ['requests'],
    queryFn: () => call<RequestsView>('/api/requests'),
    refetchInterval: ({ state }) =>
      state.data?.requests.some((request) => isBusy(request.state, request.job)) === true ? 2_000 : 60_000,
  });
  return (
    <div className="stack">
      <div className="tags" style={{ justifyContent: 'space-between', alignItems: 'flex-end' }}>
        <div>
          <Heading>{t('requests.title')}</Heading>
          <p className="soft" style={{ margin: '4px 0 0' }}>
            {t('requests.intro')}
          </p>
        </div>
        {may(session, 'request.create') && (
          <Button component="a" href={hrefOf.new}>
            {t('requests.new')}
          </Button>
        )}
      </div>
      <Trouble error={list.error} retry={() => void list.refetch()} />
      {list.isPending && <Waiting />}
      {list.data !== undefined && <Table view={list.data} />}
    </div>
  );
}

function Table({ view }: { view: RequestsView }): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  if (view.requests.length === 0) return <p className="card">{t('requests.none')}</p>;
  return (
    <div className="card card-flush">
      <table className="table" role="table">
        <thead role="rowgroup">
          <tr role="row">
            {(['journal', 'recipient', 'range', 'state', 'asked'] as const).map((column) => (
              <th key={column} role="columnheader" scope="col">
                {t(`requests.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {view.requests.map((request) => (
            <tr key={request.id} role="row">
              <td role="cell">
                <a
                  href={hrefOf.request(request.id)}
                  aria-label={t('requests.open', { journal: request.journalNumber })}
                >
                  <strong>{request.journalNumber}</strong>
                </a>
              </td>
              <td role="cell" data-label={t('requests.recipient')}>
                {request.recipient.name}
                <div className="soft small">{t(`requests.kinds.${request.recipient.kind}`)}</div>
              </td>
              <td role="cell" data-label={t('requests.range')}>
                {time(request.startUs)}
                <div className="soft small">
                  {t('requests.cameras', { count: request.cameraIds.length })}: {request.cameraIds.join(', ')}
                </div>
              </td>
              <td role="cell" data-label={t('requests.state')}>
                <StateTag state={request.state} />
                <JobLine job={request.job} />
              </td>
              <td role="cell" data-label={t('requests.asked')}>
                {view.people[request.requestedBy] ?? request.requestedBy}
                <div className="soft small">{time(request.requestedUs)}</div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
