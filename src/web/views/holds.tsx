import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { HoldsView as Holds, HoldView } from '../../api/views.js';
import { isFreeze } from '../../domain/hold.js';
import { factFields } from '../../domain/hold-facts.js';
import { call } from '../api.js';
import { Heading, Tag, Trouble, Waiting, type Tone } from '../parts.js';
import { hrefOf } from '../place.js';
import { may, useSession, useTime } from '../session.js';
import { HoldActs } from './hold-acts.js';

export function HoldsListView(): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const list = useQuery({
    queryKey: ['holds'],
    queryFn: () => call<Holds>('/api/holds'),
    refetchInterval: 60_000,
  });
  return (
    <div className="stack">
      <div className="tags" style={{ justifyContent: 'space-between', alignItems: 'flex-end' }}>
        <div>
          <Heading>{t('holds.title')}</Heading>
          <p className="soft" style={{ margin: '4px 0 0' }}>
            {t('holds.intro')}
          </p>
        </div>
        {may(session, 'hold.place') && (
          <Button component="a" href={hrefOf.newHold}>
            {t('holds.new')}
          </Button>
        )}
      </div>
      <Trouble error={list.error} retry={() => void list.refetch()} />
      {list.isPending && <Waiting />}
      {list.data !== undefined && <Lists view={list.data} />}
    </div>
  );
}

/** What needs somebody comes first, then by end; what is over stands below. */
function Lists({ view }: { view: Holds }): ReactNode {
  const { t } = useTranslation();
  const urgency = (hold: HoldView): number => (hold.noticeOverdue ? 0 : hold.provisional ? 1 : 2);
  const active = view.holds
    .filter((hold) => hold.active)
    .sort((a, b) => urgency(a) - urgency(b) || a.reviewUs - b.reviewUs);
  const over = view.holds
    .filter((hold) => !hold.active)
    .sort((a, b) => (b.liftedUs ?? b.reviewUs) - (a.liftedUs ?? a.reviewUs));
  return (
    <>
      {active.length === 0 && <p className="card">{t('holds.none')}</p>}
      {active.map((hold) => (
        <HoldCard key={hold.id} hold={hold} view={view} />
      ))}
      {over.length > 0 && <h2 style={{ margin: '12px 0 0' }}>{t('holds.over')}</h2>}
      {over.map((hold) => (
        <HoldCard key={hold.id} hold={hold} view={view} />
      ))}
    </>
  );
}

function stateOf(hold: HoldView, nowUs: number): { readonly tone: Tone; readonly state: string } {
  if (!hold.active) return { tone: 'calm', state: hold.outcome ?? 'expired' };
  if (hold.provisional) {
    return (hold.approveByUs ?? 0) <= nowUs ? { tone: 'bad', state: 'late' } : { tone: 'warn', state: 'provisional' };
  }
  return isFreeze(hold) ? { tone: 'hold', state: 'frozen' } : { tone: 'hold', state: 'active' };
}

function HoldCard({ hold, view }: { hold: HoldView; view: Holds }): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  const { tone, state } = stateOf(hold, view.nowUs);
  const who = (actor: string): string =>
    actor === 'gateway' ? t('holds.gateway') : (view.people[actor] ?? actor.replace(/^user:/, ''));
  const { facts } = hold;
  const rows: [string, ReactNode][] = [
    ...(facts === null
      ? []
      : factFields[facts.ground].map((field): [string, ReactNode] => [
          t(`holds.facts.${field}`),
          (facts as unknown as Readonly<Record<string, string>>)[field],
        ])),
    [t('holds.range'), `${time(hold.startUs)} – ${time(hold.endUs)}`],
    [t('holds.cameras'), hold.cameraIds.join(', ')],
    [t('holds.reason'), hold.reason],
    ...(hold.wideReason === null ? [] : [[t('holds.wideReason'), hold.wideReason] as [string, ReactNode]]),
    [t('holds.placed'), t('holds.placedBy', { who: who(hold.placedBy), time: time(hold.placedUs) })],
    ...(hold.active
      ? [
          [
            t('holds.until'),
            isFreeze(hold) ? t('holds.frozen', { time: time(hold.reviewUs) }) : time(hold.reviewUs),
          ] as [string, ReactNode],
        ]
      : []),
    ...(hold.provisional && hold.approveByUs !== null
      ? [[t('holds.approveBy'), time(hold.approveByUs)] as [string, ReactNode]]
      : []),
    ...(hold.notifyByUs === null ? [] : [[t('holds.notifyBy'), time(hold.notifyByUs)] as [string, ReactNode]]),
  ];
  return (
    <section className="card stack" aria-labelledby={`hold-${hold.id}`}>
      <div className="tags" style={{ justifyContent: 'space-between', alignItems: 'center' }}>
        <h2 id={`hold-${hold.id}`} style={{ margin: 0 }}>
          {t(`holds.grounds.${hold.ground}`)}: {hold.reference}
        </h2>
        <div className="tags">
          {hold.noticeOverdue && <Tag tone="bad">{t('holds.noticeOverdue')}</Tag>}
          {hold.notifiedUs !== null && <Tag tone="ok">{t('holds.told')}</Tag>}
          <Tag tone={tone}>{t(`holds.state.${state}` as 'holds.state.active')}</Tag>
        </div>
      </div>
      <dl className="facts">
        {rows.flatMap(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name} is`}>{value}</dd>])}
      </dl>
      {hold.steps.length > 0 && (
        <div>
          <h3 style={{ margin: '0 0 4px' }}>{t('holds.history')}</h3>
          <ul style={{ margin: 0, paddingLeft: 20 }}>
            {hold.steps.map((step) => (
              <li key={`${step.kind} ${step.atUs}`}>
                {t(`holds.step.${step.kind}`)}: {who(step.by)}, {time(step.atUs)}
                {saidIn(step.facts, time)}
              </li>
            ))}
          </ul>
        </div>
      )}
      <HoldActs hold={hold} nowUs={view.nowUs} />
    </section>
  );
}

/** What people wrote at an act, and the days, times and documents that they named. */
function saidIn(facts: HoldView['steps'][number]['facts'], time: (us: number) => string): string {
  const said = ['reason', 'atUs', 'how', 'document', 'answeredOn', 'appealEndedOn', 'reviewUs'].flatMap((name) => {
    const value = facts[name];
    if (typeof value === 'number') return [time(value)];
    return typeof value === 'string' ? [value] : [];
  });
  return said.length === 0 ? '' : `: ${said.join(', ')}`;
}
