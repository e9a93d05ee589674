import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { ItemView, RequestDetailView, RequestView } from '../../api/views.js';
import type { RequestState } from '../../domain/disclosure.js';
import { call } from '../api.js';
import { Heading, Tag, Trouble, Waiting } from '../parts.js';
import { hrefOf } from '../place.js';
import { may, useSession, useTime } from '../session.js';
import { showBytes } from '../time.js';
import { Coverage } from './coverage.js';
import { Acts } from './request-acts.js';
import { isBusy, StateTag } from './request-state.js';
import { Watch } from './watch.js';

export function RequestDetail({ id }: { id: string }): ReactNode {
  const { t } = useTranslation();
  const detail = useQuery({
    queryKey: ['request', id],
    queryFn: () => call<RequestDetailView>(`/api/requests/${id}`),
    refetchInterval: ({ state: { data } }) =>
      data !== undefined && isBusy(data.request.state, data.job) ? 2_000 : 60_000,
  });
  const view = detail.data;
  return (
    <div className="stack">
      <div>
        <a href={hrefOf.requests}>‹ {t('app.back')}</a>
      </div>
      {view === undefined ? (
        <Trouble error={detail.error} retry={() => void detail.refetch()} />
      ) : (
        <>
          <div className="tags" style={{ alignItems: 'center', gap: 14 }}>
            <Heading>{t('request.title', { journal: view.request.journalNumber })}</Heading>
            <StateTag state={view.request.state} />
          </div>
          <Steps state={view.request.state} />
          <div className="columns">
            <div className="stack">
              <Items view={view} />
              <Coverage coverage={view.coverage} range={view.request} />
              <Scope view={view} />
            </div>
            <div className="stack">
              <Acts view={view} />
              <Events view={view} />
            </div>
          </div>
        </>
      )}
      {detail.isPending && <Waiting />}
    </div>
  );
}

const steps = ['requested', 'prepared', 'reviewed', 'approved', 'packaged', 'closed'] as const;

/** How many of the steps are behind a request in this state. */
const stepsDone: Readonly<Record<RequestState, number>> = {
  requested: 1,
  preparing: 1,
  'preparation-failed': 1,
  prepared: 2,
  reviewed: 3,
  approved: 4,
  packaged: 5,
  refused: 1,
  closed: 6,
};

function Steps({ state }: { state: RequestState }): ReactNode {
  const { t } = useTranslation();
  // A refused or withdrawn request did not go this way: the list of what happened says how it ended.
  if (state === 'refused' || state === 'closed') return null;
  const done = stepsDone[state];
  return (
    <ol className="steps" aria-label={t('request.steps')}>
      {steps.map((step, index) => {
        const kind = index < done ? 'done' : index === done ? 'now' : 'later';
        return (
          <li key={step} data-step={kind} {...(kind === 'now' ? { 'aria-current': 'step' as const } : {})}>
            {kind === 'done' && <span aria-hidden="true">✓ </span>}
            {t(`request.step.${step}`)}
            {kind === 'done' && <span className="sr-only"> ({t('request.stepDone')})</span>}
          </li>
        );
      })}
    </ol>
  );
}

function Scope({ view }: { view: RequestDetailView }): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  const { request, people, hold } = view;
  const who = (id: string | null): string | null => (id === null ? null : (people[id] ?? id));
  const facts: readonly (readonly [string, string | null])[] = [
    [t('request.ground'), t(`requests.grounds.${request.ground}`)],
    [t('request.basis'), request.legalBasis],
    [t('request.recipient'), `${request.recipient.name} (${t(`requests.kinds.${request.recipient.kind}`)})`],
    [t('request.contact'), request.recipient.contact],
    [t('request.purpose'), request.purpose],
    [t('request.cameras'), request.cameraIds.join(', ')],
    [t('request.range'), `${time(request.startUs)} – ${time(request.endUs)}`],
    [t('request.askedBy'), who(request.requestedBy)],
    [t('request.reviewedBy'), who(request.reviewedBy)],
    [t('request.decidedBy'), who(request.decidedBy)],
    [t('request.decisionReason'), request.decisionReason],
    [t('request.audioReason'), request.audioReason],
    [t('request.redactedOnlyReason'), request.redactedOnlyReason],
    [t('request.failure'), request.failure],
  ];
  return (
    <section className="card" aria-labelledby="scope">
      <h2 id="scope">{t('request.scope')}</h2>
      <dl className="facts">
        {facts
          .filter(([, text]) => text !== null && text !== '')
          .flatMap(([name, text]) => [<dt key={name}>{name}</dt>, <dd key={`${name} is`}>{text}</dd>])}
      </dl>
      {hold !== null && (
        <p className="small" style={{ margin: '12px 0 0' }}>
          {hold.liftedUs === null ? (
            <Tag tone="hold">{t('request.hold', { time: time(hold.reviewUs) })}</Tag>
          ) : (
            <Tag tone="calm">{t('request.holdLifted')}</Tag>
          )}
        </p>
      )}
      <Expiry request={request} />
    </section>
  );
}

function Expiry({ request }: { request: RequestView }): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  if (request.packageExpiresUs === null || request.state !== 'packaged') return null;
  return <p className="small">{t('request.expires', { time: time(request.packageExpiresUs) })}</p>;
}

function Items({ view }: { view: RequestDetailView }): ReactNode {
  const { t } = useTranslation();
  const [watched, setWatched] = useState<ItemView | null>(null);
  return (
    <section className="card" aria-labelledby="items">
      <h2 id="items">{t('request.items')}</h2>
      {view.items.length === 0 && (
        <p className="soft" style={{ margin: 0 }}>
          {t('request.itemsNone')}
        </p>
      )}
      {view.items.map((item) => (
        <Item
          key={item.position}
          item={item}
          onWatch={() => {
            setWatched(item);
          }}
        />
      ))}
      {watched !== null && (
        <Watch
          requestId={view.request.id}
          item={watched}
          onClose={() => {
            setWatched(null);
          }}
        />
      )}
    </section>
  );
}

/** The rest is counted, and in the answer of the API. */
const overlapsShown = 10;

function Item({ item, onWatch }: { item: ItemView; onWatch: () => void }): ReactNode {
  const { t, i18n } = useTranslation();
  const session = useSession();
  const time = useTime();
  const { summary } = item;
  const { vehicle = 0, motion = 0 } = summary.tracksByKind ?? {};
  const number = item.position + 1;
  return (
    <div className="item">
      <div className="tags" style={{ justifyContent: 'space-between', alignItems: 'flex-start' }}>
        <div>
          <strong>
            {t('request.item', { number })} · {item.cameraId}
          </strong>
          <div className="soft small">
            {time(item.startUs)} – {time(item.endUs)}
          </div>
          <div className="soft small">
            {item.sourceName === '' ? '' : `${item.sourceName}, `}
            {showBytes(item.sizeBytes, i18n.language)}
          </div>
        </div>
        {may(session, 'footage.read') && (
          <Button variant="light" color="sea.8" onClick={onWatch} aria-label={t('request.watchItem', { number })}>
            {t('request.watch')}
          </Button>
        )}
      </div>
      <div className="tags" style={{ marginTop: 8 }}>
        <Tag tone="calm">{t('request.people', { count: summary.tracksByKind?.person ?? summary.tracks })}</Tag>
        {vehicle > 0 && <Tag tone="calm">{t('request.vehicles', { count: vehicle })}</Tag>}
        {motion > 0 && <Tag tone="calm">{t('request.motions', { count: motion })}</Tag>}
        {summary.uncertainSpans > 0 ? (
          <Tag tone="warn">{t('request.uncertain', { count: summary.uncertainSpans })}</Tag>
        ) : (
          <Tag tone="ok">{t('request.noUncertain')}</Tag>
        )}
        {item.mode !== 'people-and-motion' && <Tag tone="warn">{t(`request.mode.${item.mode}`)}</Tag>}
        {item.keptVisible > 0 && <Tag tone="warn">{t('request.visible', { count: item.keptVisible })}</Tag>}
        {item.drawn > 0 && <Tag tone="calm">{t('request.drawn', { count: item.drawn })}</Tag>}
        {item.overlaps.length > 0 && <Tag tone="warn">{t('request.overlaps', { count: item.overlaps.length })}</Tag>}
        {item.hasAudio && <Tag tone="warn">{t('request.sound')}</Tag>}
        {summary.damaged && <Tag tone="bad">{t('request.damaged')}</Tag>}
      </div>
      {item.overlaps.slice(0, overlapsShown).map(({ keptId, otherId, fromFrame, toFrame, share }) => (
        <div className="soft small" key={`${keptId} ${otherId} ${fromFrame}`}>
          {t('request.overlap', {
            keptId,
            otherId,
            first: fromFrame,
            last: toFrame - 1,
            percent: Math.ceil(share * 100),
          })}
        </div>
      ))}
    </div>
  );
}

function Events({ view }: { view: RequestDetailView }): ReactNode {
  const { t, i18n } = useTranslation();
  const time = useTime();
  const who = (actor: string): string => {
    if (actor === 'gateway' || actor === 'operator') return t(`request.${actor}`);
    const id = actor.replace(/^user:/, '');
    return view.people[id] ?? id;
  };
  return (
    <section className="card" aria-labelledby="events">
      <h2 id="events">{t('request.events')}</h2>
      <ol className="events">
        {view.events.map((event) => {
          const key = `request.event.${event.type}`;
          return (
            <li key={event.seq}>
              <div>
                <strong>{i18n.exists(key) ? t(key as 'request.events') : event.type}</strong> · {who(event.actor)}
              </div>
              <div className="soft small">{time(event.atUs)}</div>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
