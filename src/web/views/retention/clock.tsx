import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { AcceptedView, RetentionOverview } from '../../../api/views.js';
import { call } from '../../api.js';
import { Confirmed, Done, Tag, Trouble } from '../../parts.js';
import { useMinute, useSpan, useTime } from '../../session.js';
import { useAct } from './queries.js';
import { TwoPersons } from './two-persons.js';

/** Whether the clock is believed, and why not; two persons can say that it is right. */
export function ClockCard({ overview }: { overview: RetentionOverview }): ReactNode {
  const { t } = useTranslation();
  const time = useMinute();
  const { clock, refused } = overview;
  const accept = useAct(() => call<AcceptedView>('/api/retention/clock/accept', 'POST', {}));
  const noService = refused?.why === 'time-service';
  return (
    <section className="card stack" style={{ gap: 10, alignContent: 'start' }} aria-labelledby="clock">
      <div className="tags" style={{ justifyContent: 'space-between' }}>
        <h2 id="clock" style={{ margin: 0 }}>
          {t('retention.clock.title')}
        </h2>
        <Tag tone={clock.doubt === null && !noService ? 'ok' : 'bad'}>
          {clock.doubt === null && !noService ? t('retention.clock.trusted') : t('retention.clock.doubted')}
        </Tag>
      </div>
      <p style={{ margin: 0 }}>
        {t('retention.clock.says')} {time(overview.nowUs)}.
      </p>
      {clock.doubt !== null && <Doubt doubt={clock.doubt} />}
      {refused !== null && (
        <p style={{ margin: 0 }}>
          {noService
            ? t('retention.clock.refusedService', { time: time(refused.atUs) })
            : t('retention.clock.refused', { time: time(refused.atUs) })}
        </p>
      )}
      <p className="soft small" style={{ margin: 0 }}>
        {clock.synchronised === null
          ? t('retention.clock.unknown')
          : clock.synchronised
            ? t('retention.clock.synchronised')
            : t('retention.clock.unsynchronised')}
      </p>
      {clock.doubt !== null && (
        <TwoPersons votes={clock.votes} overview={overview}>
          <Confirmed
            label={t('retention.clock.accept')}
            variant="filled"
            fullWidth={false}
            pending={accept.isPending}
            help={<ClockNow nowUs={overview.nowUs} />}
          >
            {() => {
              accept.mutate();
            }}
          </Confirmed>
        </TwoPersons>
      )}
      <Done>
        {accept.data === undefined
          ? null
          : accept.data.complete
            ? t('retention.clock.accepted')
            : t('retention.two.first')}
      </Done>
      <Trouble error={accept.error} />
    </section>
  );
}

function Doubt({ doubt }: { doubt: NonNullable<RetentionOverview['clock']['doubt']> }): ReactNode {
  const { t } = useTranslation();
  const span = useSpan();
  const time = useMinute();
  return (
    <p style={{ margin: 0 }}>
      {doubt.kind === 'before-log'
        ? t('retention.clock.beforeLog', { time: time(doubt.highestUs) })
        : t(doubt.stepUs > 0 ? 'retention.clock.forward' : 'retention.clock.back', { span: span(doubt.stepUs) })}
    </p>
  );
}

/** The gateway's own clock, going on from when it was asked: the browser's may be another one. */
function ClockNow({ nowUs }: { nowUs: number }): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  const [passedMs, setPassedMs] = useState(0);
  useEffect(() => {
    const begun = performance.now();
    const timer = setInterval(() => {
      setPassedMs(performance.now() - begun);
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, [nowUs]);
  return (
    <>
      <p style={{ margin: '0 0 6px' }}>
        {t('retention.clock.says')} <strong className="number">{time(nowUs + passedMs * 1000)}</strong>.{' '}
        {t('retention.clock.compare')}
      </p>
      <p className="soft small" style={{ margin: 0 }}>
        {t('retention.clock.acceptHelp')}
      </p>
    </>
  );
}
