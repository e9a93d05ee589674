import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { JobView } from '../../api/views.js';
import type { RequestState } from '../../domain/disclosure.js';
import { Tag, type Tone } from '../parts.js';

const toneOf: Readonly<Record<RequestState, Tone>> = {
  requested: 'warn',
  preparing: 'busy',
  prepared: 'warn',
  'preparation-failed': 'bad',
  reviewed: 'warn',
  approved: 'ok',
  refused: 'bad',
  packaged: 'ok',
  closed: 'calm',
};

export function StateTag({ state }: { state: RequestState }): ReactNode {
  const { t } = useTranslation();
  return <Tag tone={toneOf[state]}>{t(`requests.states.${state}`)}</Tag>;
}

export function JobLine({ job }: { job: JobView | null }): ReactNode {
  const { t } = useTranslation();
  if (job === null) return null;
  const what = t(`request.job.${job.kind}`);
  if (job.state === 'failed') {
    return (
      <div className="small">
        <Tag tone="bad">{t('request.job.failed', { what })}</Tag>
        {job.error !== null && (
          <div>
            {job.error.message} <strong>{job.error.remedy}</strong>
          </div>
        )}
      </div>
    );
  }
  const text =
    job.state === 'waiting'
      ? t('request.job.waiting', { what })
      : job.progress === null
        ? t('request.job.running', { what })
        : t('request.job.progress', { what, percent: Math.round(job.progress * 100) });
  return (
    <div role="status">
      <Tag tone="busy">{text}</Tag>
    </div>
  );
}

/** Whether it is worth asking again soon. */
export const isBusy = (state: RequestState, job: JobView | null): boolean =>
  state === 'preparing' || (job !== null && job.state !== 'failed');
