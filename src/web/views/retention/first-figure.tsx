import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, RetentionOverview } from '../../../api/views.js';
import { Tag } from '../../parts.js';
import { useMinute, useSpan } from '../../session.js';
import { ageByIndex, ageOnDisk, toneOfAge, worst } from './age.js';

/** The figure that everything here is about: the oldest frame on disk against the limit. */
export function FirstFigure({ overview, cameras }: { overview: RetentionOverview; cameras: CamerasView }): ReactNode {
  const { t } = useTranslation();
  const span = useSpan();
  const time = useMinute();
  const { measured } = overview;
  const index = worst(cameras, overview, ageByIndex);
  const shown = measured === null ? index : worst(cameras, overview, ageOnDisk);
  const tone = shown === null ? 'ok' : toneOfAge[shown.state];
  const percent = shown === null ? 0 : Math.min(100, Math.round((shown.ageUs / shown.limitUs) * 100));
  return (
    <section className="card figure-card" data-tone={tone} aria-labelledby="first-figure">
      <div className="tags" style={{ justifyContent: 'space-between' }}>
        <h2 id="first-figure" style={{ margin: 0 }}>
          {t('retention.figure.title')}
        </h2>
        {shown !== null && <Tag tone={tone}>{t(`retention.figure.${shown.state}`)}</Tag>}
      </div>
      {shown === null ? (
        <p style={{ margin: '8px 0' }}>{t('retention.figure.nothing')}</p>
      ) : (
        <>
          <p className="figure">
            {span(shown.ageUs)} <small>{t('retention.figure.of', { limit: span(shown.limitUs) })}</small>
          </p>
          <div>{shown.camera.label}</div>
          <div
            className="meter"
            data-tone={tone}
            role="progressbar"
            aria-valuenow={percent}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-label={t('retention.figure.label', {
              camera: shown.camera.label,
              age: span(shown.ageUs),
              limit: span(shown.limitUs),
              state: t(`retention.figure.${shown.state}`),
            })}
          >
            <div style={{ width: `${percent}%` }} />
          </div>
        </>
      )}
      <div className="soft small">
        {measured === null ? t('retention.figure.never') : t('retention.figure.walked', { time: time(measured.atUs) })}
        {measured !== null && index !== null && (
          <>
            {' '}
            {t('retention.figure.index', {
              age: span(index.ageUs),
              limit: span(index.limitUs),
              camera: index.camera.label,
            })}
          </>
        )}
      </div>
      {measured !== null && (measured.unknown !== null || measured.problems > 0) && (
        <div className="tags" style={{ marginTop: 8 }}>
          {measured.unknown !== null && measured.unknown.files > 0 && (
            <Tag tone={measured.unknown.overLimit > 0 ? 'bad' : 'warn'}>
              {t('retention.figure.unknown', { count: measured.unknown.files })}
            </Tag>
          )}
          {measured.problems > 0 && (
            <Tag tone="bad">{t('retention.figure.problems', { count: measured.problems })}</Tag>
          )}
        </div>
      )}
    </section>
  );
}
