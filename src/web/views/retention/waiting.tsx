import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, ConfirmedView, RetentionOverview } from '../../../api/views.js';
import { ApiError, call } from '../../api.js';
import { Confirmed, Done, Tag, Trouble } from '../../parts.js';
import { useHours, useMinute, useSpan } from '../../session.js';
import { labelIn, useAct } from './queries.js';
import { nextSweepUs } from './sweep.js';
import { TwoPersons } from './two-persons.js';

type Waiting = NonNullable<RetentionOverview['waiting']>;

/** A deletion that the brake keeps, with all that is agreed to; nothing where none waits. */
export function WaitingDeletion({
  overview,
  cameras,
}: {
  overview: RetentionOverview;
  cameras: CamerasView;
}): ReactNode {
  const { t } = useTranslation();
  const time = useMinute();
  const hours = useHours();
  const { waiting, confirmed } = overview;
  const confirm = useAct((id: string) =>
    call<ConfirmedView>(`/api/retention/waiting/${encodeURIComponent(id)}/confirm`, 'POST', {}),
  );
  if (waiting === null && confirmed === null) return null;
  if (waiting === null) {
    return (
      <section className="card stack" style={{ gap: 10 }} aria-labelledby="waiting">
        <h2 id="waiting" style={{ margin: 0 }}>
          {t('retention.brake.confirmedTitle')}
        </h2>
        <Done>{t('retention.brake.confirmed', { time: time(nextSweepUs(overview)) })}</Done>
        <ul className="list">
          {confirmed?.votes.map(({ userId, atUs }) => (
            <li key={userId}>
              {t('retention.two.yes', { name: overview.people[userId] ?? userId, time: time(atUs) })}
            </li>
          ))}
        </ul>
      </section>
    );
  }
  const { id } = waiting;
  const segments = waiting.cameras.reduce((sum, one) => sum + one.segments, 0);
  const footageUs = waiting.cameras.reduce((sum, one) => sum + one.footageUs, 0);
  const files = t('retention.sweep.files', { count: segments });
  return (
    <section className="card stack waits" style={{ gap: 12 }} aria-labelledby="waiting">
      <h2 id="waiting" style={{ margin: 0 }}>
        {t('retention.brake.title')}
      </h2>
      <p style={{ margin: 0 }}>
        {waiting.notSwept === null
          ? t('retention.brake.more')
          : t('retention.brake.catchUp', {
              from: time(waiting.notSwept.fromUs),
              to: time(waiting.notSwept.toUs),
            })}
      </p>
      <Shown waiting={waiting} cameras={cameras} nowUs={overview.nowUs} />
      <p style={{ margin: 0 }}>
        {t('retention.brake.total')}: <strong>{files}</strong>, {hours(footageUs)}. {t('retention.brake.check')}
      </p>
      {id === null ? (
        <p style={{ margin: 0, fontWeight: 600 }}>
          {t('retention.brake.opens', { time: time(nextSweepUs(overview)) })}
        </p>
      ) : (
        <TwoPersons votes={waiting.votes} overview={overview}>
          <Confirmed
            // What was asked of another one is not asked of this one.
            key={id}
            label={t('retention.brake.confirm', { files, hours: hours(footageUs) })}
            variant="filled"
            fullWidth={false}
            pending={confirm.isPending}
            help={t('retention.brake.confirmHelp')}
          >
            {() => {
              confirm.mutate(id);
            }}
          </Confirmed>
        </TwoPersons>
      )}
      <Done>{confirm.data === undefined || confirm.data.id !== id ? null : t('retention.two.first')}</Done>
      {confirm.error instanceof ApiError && confirm.error.code === 'approval-void' ? (
        <p role="alert" style={{ margin: 0, fontWeight: 600 }}>
          {t('retention.brake.changed')}
        </p>
      ) : (
        <Trouble error={confirm.error} />
      )}
    </section>
  );
}

function Shown({ waiting, cameras, nowUs }: { waiting: Waiting; cameras: CamerasView; nowUs: number }): ReactNode {
  const { t } = useTranslation();
  const time = useMinute();
  const hours = useHours();
  const span = useSpan();
  return (
    <div style={{ border: '1px solid var(--line)', borderRadius: 6, overflow: 'hidden' }}>
      <table className="table" role="table">
        <thead role="rowgroup">
          <tr role="row">
            {(['camera', 'wouldDelete', 'usual', 'recorded', 'legal'] as const).map((column) => (
              <th key={column} role="columnheader" scope="col">
                {t(`retention.brake.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {waiting.cameras.map((one) => (
            <tr key={one.cameraId} role="row">
              <td role="cell">
                <strong>{labelIn(cameras, one.cameraId)}</strong>
              </td>
              <td role="cell" data-label={t('retention.brake.wouldDelete')}>
                <span className="number">{t('retention.sweep.files', { count: one.segments })}</span>
                <div>{hours(one.footageUs)}</div>
              </td>
              <td role="cell" data-label={t('retention.brake.usual')}>
                {one.usualUs === 0 ? t('retention.brake.noUsual') : hours(one.usualUs)}
                <div className="soft small">{t('retention.brake.limit', { hours: hours(one.limitUs) })}</div>
              </td>
              <td role="cell" data-label={t('retention.brake.recorded')}>
                {time(one.oldestUs)}
                <div>{t('retention.brake.to', { time: time(one.newestUs) })}</div>
              </td>
              <td role="cell" data-label={t('retention.brake.legal')}>
                {time(one.legalUs)}
                <div>
                  <Tag tone={one.legalUs > nowUs ? 'warn' : 'bad'}>
                    {t(one.legalUs > nowUs ? 'retention.cameras.in' : 'retention.cameras.overdue', {
                      span: span(one.legalUs - nowUs),
                    })}
                  </Tag>
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
