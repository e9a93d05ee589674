/** Periods: what waits, and a form for another one, with what it would delete before it is proposed. */
import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, RetentionOverview } from '../../../api/views.js';
import { call } from '../../api.js';
import { Confirmed, Done, Tag, Trouble, Waiting } from '../../parts.js';
import { may, useMinute, useSession, useSpan } from '../../session.js';
import { Preview } from './preview.js';
import { ProposeForm } from './propose-form.js';
import { labelIn, useAct, useCameras, useOverview } from './queries.js';

type Waits = RetentionOverview['changes'][number];

export function Changes(): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const overview = useOverview();
  const cameras = useCameras();
  const cancel = useAct((id: string) => call(`/api/retention-changes/${encodeURIComponent(id)}`, 'DELETE'));
  const confirm = useAct((id: string) =>
    call<{ applied: boolean }>(`/api/retention-changes/${encodeURIComponent(id)}/confirm`, 'POST', {}),
  );
  const acts: Acts = {
    cancel: (id) => {
      confirm.reset();
      cancel.mutate(id);
    },
    confirm: (id) => {
      cancel.reset();
      confirm.mutate(id);
    },
    pending: cancel.isPending || confirm.isPending,
  };
  const said = cancel.isSuccess
    ? t('retention.changes.cancelled')
    : confirm.data === undefined
      ? null
      : confirm.data.applied
        ? t('retention.changes.applied')
        : t('retention.changes.stood');
  const ready = overview.data !== undefined && cameras.data !== undefined;
  return (
    <>
      <Trouble
        error={overview.error ?? cameras.error}
        retry={() => {
          void overview.refetch();
          void cameras.refetch();
        }}
      />
      {(overview.isPending || cameras.isPending) && <Waiting />}
      {ready && (
        <>
          <section className="card" aria-labelledby="changes">
            <h2 id="changes">{t('retention.changes.title')}</h2>
            <Done>{said}</Done>
            <Trouble error={cancel.error ?? confirm.error} />
            {overview.data.changes.length === 0 && <p style={{ margin: 0 }}>{t('retention.changes.none')}</p>}
            {overview.data.changes.map((waits) => (
              <Change key={waits.change.id} waits={waits} overview={overview.data} cameras={cameras.data} acts={acts} />
            ))}
          </section>
          {may(session, 'policy.propose') && <ProposeForm overview={overview.data} cameras={cameras.data} />}
        </>
      )}
    </>
  );
}

interface Acts {
  readonly cancel: (id: string) => void;
  readonly confirm: (id: string) => void;
  readonly pending: boolean;
}

interface ChangeProps {
  readonly waits: Waits;
  readonly overview: RetentionOverview;
  readonly cameras: CamerasView;
  readonly acts: Acts;
}

function Change({ waits, overview, cameras, acts }: ChangeProps): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const time = useMinute();
  const span = useSpan();
  const { change, preview } = waits;
  const { effectiveUs, proposedBy } = change;
  const label = labelIn(cameras, change.cameraId);
  const by =
    proposedBy === 'gateway'
      ? t('retention.changes.byConfig')
      : (overview.people[proposedBy.replace(/^user:/, '')] ?? proposedBy);
  const days = { from: change.from.retentionDays, to: change.to.retentionDays };
  return (
    <div className="item stack" style={{ gap: 10 }} role="group" aria-label={label}>
      <div className="tags" style={{ justifyContent: 'space-between' }}>
        <strong>{label}</strong>
        <Tag tone={effectiveUs === null ? 'busy' : 'warn'}>
          {t(effectiveUs === null ? 'retention.changes.longer' : 'retention.changes.shorter', days)}
        </Tag>
      </div>
      <dl className="facts">
        <dt>{t('retention.changes.reason')}</dt>
        <dd>{change.reason}</dd>
        <dt>{t('retention.changes.by')}</dt>
        <dd>
          {by}, {time(change.proposedUs)}
        </dd>
        {effectiveUs !== null && (
          <>
            <dt>{t('retention.changes.counts')}</dt>
            <dd>
              {time(effectiveUs)} (
              {effectiveUs > overview.nowUs
                ? t('retention.changes.inSpan', { span: span(effectiveUs - overview.nowUs) })
                : t('retention.changes.now')}
              )
            </dd>
          </>
        )}
        {preview !== null && (
          <>
            <dt>{t('retention.changes.deletes')}</dt>
            <dd>
              <Preview preview={preview} />
            </dd>
          </>
        )}
      </dl>
      {effectiveUs === null && <Second waits={waits} acts={acts} />}
      {may(session, 'policy.confirm') && (
        <div>
          <Confirmed
            label={t('retention.changes.cancel')}
            help={t('retention.changes.cancelHelp')}
            fullWidth={false}
            pending={acts.pending}
          >
            {() => {
              acts.cancel(change.id);
            }}
          </Confirmed>
        </div>
      )}
    </div>
  );
}

/** The second person's part of a longer period, or why it is not for this one. */
function Second({ waits: { change }, acts }: { waits: Waits; acts: Acts }): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const { roles, id } = session.user;
  const fromFile = change.proposedBy === 'gateway';
  const refusal =
    change.proposedBy === `user:${id}`
      ? t('retention.changes.ownProposal')
      : !may(session, 'policy.confirm') || (fromFile && !may(session, 'policy.propose'))
        ? t(fromFile ? 'retention.changes.configFirst' : 'retention.changes.second')
        : !fromFile && change.to.class === 'other-purpose' && !roles.includes('legal')
          ? t('retention.changes.legalOnly')
          : null;
  if (refusal !== null) return <p style={{ margin: 0, fontWeight: 600 }}>{refusal}</p>;
  return (
    <div className="stack" style={{ gap: 8 }}>
      <p className="soft small" style={{ margin: 0 }}>
        {t(fromFile ? 'retention.changes.configFirst' : 'retention.changes.second')}
      </p>
      <div>
        <Button
          loading={acts.pending}
          onClick={() => {
            acts.confirm(change.id);
          }}
        >
          {t('retention.changes.confirm')}
        </Button>
      </div>
    </div>
  );
}
