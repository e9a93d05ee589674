import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, RetentionCamera, RetentionOverview } from '../../../api/views.js';
import { Tag } from '../../parts.js';
import { useMinute, useSpan } from '../../session.js';
import { labelIn } from './queries.js';

/** When a sweep is next made; it has no fixed minute. */
export const nextSweepUs = ({ lastSweep, refused, nowUs, sweepEveryUs }: RetentionOverview): number =>
  Math.max(nowUs, Math.max(lastSweep?.atUs ?? 0, refused?.atUs ?? 0) + sweepEveryUs);

/** What the last sweep did, and what it could not do. */
export function SweepCard({ overview, cameras }: { overview: RetentionOverview; cameras: CamerasView }): ReactNode {
  const { t } = useTranslation();
  const time = useMinute();
  const { lastSweep, due, roots, quarantineOverdue } = overview;
  const files = (count: number): string => t('retention.sweep.files', { count });
  const failing = overview.cameras.flatMap(({ failing: one }) => one ?? []);
  return (
    <section className="card stack" style={{ gap: 10, alignContent: 'start' }} aria-labelledby="sweep">
      <h2 id="sweep" style={{ margin: 0 }}>
        {t('retention.sweep.title')}
      </h2>
      {lastSweep === null ? (
        <p style={{ margin: 0 }}>{t('retention.sweep.never')}</p>
      ) : (
        <dl className="facts">
          <dt>{t('retention.sweep.at')}</dt>
          <dd>{time(lastSweep.atUs)}</dd>
          <dt>{t('retention.sweep.deleted')}</dt>
          <dd>{files(lastSweep.deleted)}</dd>
          {lastSweep.absent > 0 && (
            <>
              <dt>{t('retention.sweep.absent')}</dt>
              <dd>{files(lastSweep.absent)}</dd>
            </>
          )}
          {lastSweep.held > 0 && (
            <>
              <dt>{t('retention.sweep.held')}</dt>
              <dd>{files(lastSweep.held)}</dd>
            </>
          )}
          <dt>{t('retention.sweep.failed')}</dt>
          <dd>{lastSweep.failed > 0 ? <Tag tone="bad">{files(lastSweep.failed)}</Tag> : files(0)}</dd>
          {lastSweep.late > 0 && (
            <>
              <dt>{t('retention.sweep.late')}</dt>
              <dd>
                <Tag tone="bad">{files(lastSweep.late)}</Tag>
              </dd>
            </>
          )}
          <dt>{t('retention.sweep.due')}</dt>
          <dd>{files(due.segments)}</dd>
          <dt>{t('retention.sweep.next')}</dt>
          <dd>{t('retention.sweep.about', { time: time(nextSweepUs(overview)) })}</dd>
        </dl>
      )}
      {lastSweep?.interrupted === true && <p style={{ margin: 0 }}>{t('retention.sweep.interrupted')}</p>}
      {failing.length > 0 && (
        <div>
          <strong>{t('retention.sweep.failing')}</strong>
          <ul className="list">
            {failing.map((one) => (
              <Failing key={one.cameraId} failing={one} nowUs={overview.nowUs} label={labelIn(cameras, one.cameraId)} />
            ))}
          </ul>
        </div>
      )}
      {(roots.length > 0 || quarantineOverdue.length > 0) && (
        <ul className="list">
          {roots.map(({ rootId, detail }) => (
            <li key={rootId}>
              <strong>{t('retention.sweep.root', { root: rootId })}</strong>
              <div className="soft small" lang="en">
                {detail}
              </div>
            </li>
          ))}
          {quarantineOverdue.map(({ rootId, files: count }) => (
            <li key={`quarantine ${rootId}`}>{t('retention.sweep.quarantine', { root: rootId, count })}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

interface FailingProps {
  readonly failing: NonNullable<RetentionCamera['failing']>;
  readonly nowUs: number;
  readonly label: string;
}

function Failing({ failing, nowUs, label }: FailingProps): ReactNode {
  const { t } = useTranslation();
  const span = useSpan();
  const time = useMinute();
  const leftUs = failing.legalUs - nowUs;
  return (
    <li>
      {t('retention.sweep.failingOf', {
        camera: label,
        files: t('retention.sweep.files', { count: failing.segments }),
      })}
      <div>
        <Tag tone={leftUs > 0 ? 'warn' : 'bad'}>
          {t(leftUs > 0 ? 'retention.sweep.left' : 'retention.sweep.over', {
            span: span(leftUs),
            time: time(failing.legalUs),
          })}
        </Tag>
      </div>
      {failing.error !== null && (
        <div className="soft small" lang="en">
          {failing.error}
        </div>
      )}
    </li>
  );
}
