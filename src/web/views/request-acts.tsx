import { Button, Checkbox, Textarea } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { RequestDetailView, RequestStateView } from '../../api/views.js';
import type { RequestState } from '../../domain/disclosure.js';
import { call } from '../api.js';
import { Confirmed, Trouble } from '../parts.js';
import { may, useSession } from '../session.js';
import { isBusy, JobLine } from './request-state.js';

type Act = (path: string, body?: unknown) => void;

/** What comes next, and the buttons for it where this user may and the state allows. */
export function Acts({ view }: { view: RequestDetailView }): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const queries = useQueryClient();
  const { request, job } = view;
  const mutation = useMutation({
    mutationFn: ({ path, body }: { path: string; body?: unknown }) =>
      call<RequestStateView>(`/api/requests/${request.id}/${path}`, 'POST', body ?? {}),
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ['request', request.id] }),
        queries.invalidateQueries({ queryKey: ['requests'] }),
      ]),
  });
  const act: Act = (path, body) => {
    mutation.mutate({ path, body });
  };
  const busy = isBusy(request.state, job);
  const asked = request.requestedBy === session.user.id;
  const { state } = request;
  const open = !busy && !['packaged', 'refused', 'closed'].includes(state);
  return (
    <section className="card stack" aria-labelledby="next">
      <h2 id="next" style={{ margin: 0 }}>
        {t('request.next')}
      </h2>
      <JobLine job={job} />
      {!busy && (
        <>
          <NextStep view={view} act={act} pending={mutation.isPending} asked={asked} />
          {may(session, 'request.decide') && !asked && open && (
            <Decision key={state} view={view} act={act} pending={mutation.isPending} />
          )}
          {may(session, 'request.close') && open && <Withdraw act={act} pending={mutation.isPending} />}
        </>
      )}
      <Trouble error={mutation.error} />
    </section>
  );
}

interface StepProps {
  readonly view: RequestDetailView;
  readonly act: Act;
  readonly pending: boolean;
  readonly asked: boolean;
}

function NextStep({ view, act, pending, asked }: StepProps): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const { request, archive } = view;
  const simple = (path: string, label: string, help: string, body?: unknown): ReactNode => (
    <div>
      <p className="soft small" style={{ margin: '0 0 8px' }}>
        {help}
      </p>
      <Button
        fullWidth
        loading={pending}
        onClick={() => {
          act(path, body);
        }}
      >
        {label}
      </Button>
    </div>
  );
  const waiting = (text: string): ReactNode => <p style={{ margin: 0 }}>{text}</p>;

  const state: RequestState = request.state;
  switch (state) {
    case 'requested':
    case 'preparation-failed':
      return may(session, 'request.prepare')
        ? simple('prepare', state === 'requested' ? t('act.prepare') : t('act.prepareAgain'), t('act.prepareHelp'))
        : waiting(t('act.waitPrepare'));
    case 'preparing':
      return null;
    case 'prepared':
      if (!may(session, 'request.review')) return waiting(t('act.waitReview'));
      return asked ? waiting(t('act.samePerson')) : <Review act={act} pending={pending} />;
    case 'reviewed':
      if (!may(session, 'request.decide')) return waiting(t('act.waitDecision'));
      return asked ? waiting(t('act.samePerson')) : null;
    case 'approved':
      return may(session, 'request.package')
        ? simple('package', t('act.package'), t('act.packageHelp'))
        : waiting(t('act.waitPackage'));
    case 'packaged':
      if (!may(session, 'request.package')) return waiting(t('act.waitClose'));
      return (
        <>
          {archive !== null && (
            <div>
              <p className="soft small" style={{ margin: '0 0 8px' }}>
                {t('act.downloadHelp')}
              </p>
              <Button fullWidth component="a" href={`/api/requests/${request.id}/archive`} download>
                {t('act.download')}
              </Button>
            </div>
          )}
          <Confirmed label={t('act.received')} help={t('act.receivedHelp')} pending={pending}>
            {() => {
              act('close', { why: 'received' });
            }}
          </Confirmed>
        </>
      );
    case 'refused':
      return may(session, 'request.close')
        ? simple('close', t('act.closeRefused'), t('act.receivedHelp'), { why: 'withdrawn' })
        : waiting(t('act.done'));
    case 'closed':
      return waiting(t('act.done'));
  }
}

function Review({ act, pending }: Pick<StepProps, 'act' | 'pending'>): ReactNode {
  const { t } = useTranslation();
  const [seen, setSeen] = useState(false);
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        act('review', { uncertainSeen: seen });
      }}
    >
      <p className="soft small" style={{ margin: 0 }}>
        {t('act.reviewHelp')}
      </p>
      <Checkbox
        label={t('act.uncertainSeen')}
        checked={seen}
        onChange={(event) => {
          setSeen(event.currentTarget.checked);
        }}
      />
      <Button type="submit" loading={pending} disabled={!seen}>
        {t('act.review')}
      </Button>
    </form>
  );
}

/** Approving is possible once reviewed; refusing at any time before. */
function Decision({ view, act, pending }: Pick<StepProps, 'view' | 'act' | 'pending'>): ReactNode {
  const { t } = useTranslation();
  const [reason, setReason] = useState('');
  const [audio, setAudio] = useState<string | null>(null);
  const [maskedOnly, setMaskedOnly] = useState<string | null>(null);
  const canApprove = view.request.state === 'reviewed';
  const withSound = view.items.some((item) => item.hasAudio);
  const complete = reason.trim() !== '' && audio?.trim() !== '' && maskedOnly?.trim() !== '';
  const decide = (approve: boolean): void => {
    const terms = approve
      ? { audioReason: audio, redactedOnlyReason: maskedOnly }
      : { audioReason: null, redactedOnlyReason: null };
    act('decision', { approve, reason, terms });
  };
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (canApprove) decide(true);
      }}
    >
      {canApprove && (
        <p className="soft small" style={{ margin: 0 }}>
          {t('act.decideHelp')}
        </p>
      )}
      <Textarea
        label={t('act.reason')}
        description={t('act.reasonHelp')}
        autosize
        minRows={2}
        maxLength={2000}
        value={reason}
        onChange={(event) => {
          setReason(event.currentTarget.value);
        }}
      />
      {canApprove && withSound && (
        <Exception
          label={t('act.audio')}
          help={t('act.audioHelp')}
          reasonLabel={t('act.audioReason')}
          value={audio}
          onChange={setAudio}
        />
      )}
      {canApprove && (
        <Exception
          label={t('act.redactedOnly')}
          reasonLabel={t('act.redactedOnlyReason')}
          value={maskedOnly}
          onChange={setMaskedOnly}
        />
      )}
      <div className="tags">
        {canApprove && (
          <Button type="submit" loading={pending} disabled={!complete}>
            {t('act.approve')}
          </Button>
        )}
        <Button
          type="button"
          variant="outline"
          color="red.9"
          loading={pending}
          disabled={reason.trim() === ''}
          onClick={() => {
            decide(false);
          }}
        >
          {t('act.refuse')}
        </Button>
      </div>
    </form>
  );
}

interface ExceptionProps {
  readonly label: string;
  readonly help?: string;
  readonly reasonLabel: string;
  /** Null while it is not made. */
  readonly value: string | null;
  readonly onChange: (value: string | null) => void;
}

function Exception({ label, help, reasonLabel, value, onChange }: ExceptionProps): ReactNode {
  return (
    <div className="stack" style={{ gap: 8 }}>
      <Checkbox
        label={label}
        {...(help === undefined ? {} : { description: help })}
        checked={value !== null}
        onChange={(event) => {
          onChange(event.currentTarget.checked ? '' : null);
        }}
      />
      {value !== null && (
        <Textarea
          label={reasonLabel}
          required
          autosize
          minRows={2}
          maxLength={2000}
          value={value}
          onChange={(event) => {
            onChange(event.currentTarget.value);
          }}
        />
      )}
    </div>
  );
}

function Withdraw({ act, pending }: Pick<StepProps, 'act' | 'pending'>): ReactNode {
  const { t } = useTranslation();
  return (
    <Confirmed label={t('act.withdraw')} help={t('act.withdrawHelp')} pending={pending}>
      {() => {
        act('close', { why: 'withdrawn' });
      }}
    </Confirmed>
  );
}
