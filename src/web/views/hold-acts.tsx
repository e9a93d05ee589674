import { Button, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { HoldView } from '../../api/views.js';
import { isFreeze } from '../../domain/hold.js';
import { formatUtc } from '../../domain/time.js';
import { call } from '../api.js';
import { Trouble } from '../parts.js';
import { may, useSession, useTime } from '../session.js';
import { LocalTimeInput, meaningOf, noLocalTime } from './local-time.js';

const notices = ['notified', 'copy-requested', 'copy-handed'] as const;
type Act = 'approve' | 'refuse' | 'prolong' | 'lift' | (typeof notices)[number];

/** What this user may do about a hold: one button for each, and below it what that asks for. */
export function HoldActs({ hold, nowUs }: { hold: HoldView; nowUs: number }): ReactNode {
  const { t } = useTranslation();
  const session = useSession();
  const queries = useQueryClient();
  const [chosen, setChosen] = useState<Act | null>(null);
  const mutation = useMutation({
    mutationFn: ({ path, body }: { path: string; body: unknown }) =>
      call(`/api/holds/${hold.id}/${path}`, 'POST', body),
    onSuccess: () => {
      setChosen(null);
      return queries.invalidateQueries({ queryKey: ['holds'] });
    },
  });
  const own = hold.placedBy === `user:${session.user.id}`;
  const decides = hold.provisional && may(session, 'hold.approve');
  const acts: Act[] = [
    ...(decides && !own ? (['approve', 'refuse'] as const) : []),
    ...(hold.active && !hold.provisional && may(session, 'hold.prolong') ? (['prolong'] as const) : []),
    ...(hold.active && hold.requestId === null && may(session, 'hold.lift') ? (['lift'] as const) : []),
    ...(hold.ground === 'dispute' && may(session, 'hold.notify') ? notices : []),
  ];
  if (acts.length === 0 && !(decides && own)) return null;
  return (
    <div className="stack">
      {decides && own && <p className="soft small">{t('holds.act.samePerson')}</p>}
      <div className="tags">
        {acts.map((act) => (
          <Button
            key={act}
            size="xs"
            variant={act === 'approve' ? 'filled' : 'default'}
            aria-expanded={chosen === act}
            onClick={() => {
              mutation.reset();
              setChosen(chosen === act ? null : act);
            }}
          >
            {t(`holds.act.${act}`)}
          </Button>
        ))}
      </div>
      {chosen !== null && (
        <ActForm
          key={chosen}
          act={chosen}
          hold={hold}
          nowUs={nowUs}
          pending={mutation.isPending}
          send={(path, body) => {
            mutation.mutate({ path, body });
          }}
        />
      )}
      <Trouble error={mutation.error} />
    </div>
  );
}

interface FormProps {
  readonly act: Act;
  readonly hold: HoldView;
  readonly nowUs: number;
  readonly pending: boolean;
  readonly send: (path: string, body: unknown) => void;
}

function ActForm({ act, hold, nowUs, pending, send }: FormProps): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  const zone = useSession().site.timezone;
  const [text, setText] = useState({
    reason: '',
    days: '30',
    answeredOn: '',
    appealEndedOn: '',
    how: '',
    document: '',
  });
  const [at, setAt] = useState(noLocalTime);
  const [tried, setTried] = useState(false);
  const field = (name: keyof typeof text, more: { label: string; description?: string; type?: string }): ReactNode => (
    <TextInput
      {...more}
      required
      maxLength={200}
      value={text[name]}
      error={tried && text[name].trim() === '' ? t('form.required') : null}
      onChange={({ currentTarget: { value } }) => {
        setText((before) => ({ ...before, [name]: value }));
      }}
    />
  );
  const reason = (
    <Textarea
      label={t('holds.act.reason')}
      required
      autosize
      minRows={2}
      maxLength={2000}
      value={text.reason}
      error={tried && text.reason.trim() === '' ? t('form.required') : null}
      onChange={({ currentTarget: { value } }) => {
        setText((before) => ({ ...before, reason: value }));
      }}
    />
  );
  const when = meaningOf(at, zone);
  const isNotice = act === 'notified' || act === 'copy-requested' || act === 'copy-handed';
  const freeze = isFreeze(hold) && act === 'lift';
  const needed = isNotice
    ? [text.how, text.document, when.kind === 'instant' ? 'given' : '']
    : act === 'approve'
      ? []
      : [
          text.reason,
          ...(freeze ? [text.answeredOn, text.appealEndedOn] : []),
          ...(act === 'prolong' ? [text.days] : []),
        ];

  const submit = (): void => {
    setTried(true);
    if (needed.some((value) => value.trim() === '')) return;
    switch (act) {
      case 'approve':
        send('approve', {});
        break;
      case 'refuse':
        send('refuse', { reason: text.reason });
        break;
      case 'prolong':
        send('prolong', { reason: text.reason, review: inDays(nowUs, text.days) });
        break;
      case 'lift':
        send('lift', {
          reason: text.reason,
          ...(freeze && { answeredOn: text.answeredOn, appealEndedOn: text.appealEndedOn }),
        });
        break;
      case 'notified':
      case 'copy-requested':
      case 'copy-handed':
        if (when.kind === 'instant') {
          send('notices', { kind: act, at: formatUtc(when.us), how: text.how, document: text.document });
        }
    }
  };
  return (
    <form
      className="stack"
      style={{ maxWidth: 560 }}
      noValidate
      aria-label={t(`holds.act.${act}`)}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {act === 'approve' && (
        <p className="soft small">{t('holds.act.approveHelp', { time: time(hold.wantedReviewUs ?? hold.reviewUs) })}</p>
      )}
      {(act === 'refuse' || act === 'lift') && <p className="soft small">{t(`holds.act.${act}Help`)}</p>}
      {act === 'prolong' &&
        field('days', { label: t('holds.act.days'), description: t('holds.act.daysHelp'), type: 'number' })}
      {freeze && (
        <div className="pair">
          {field('answeredOn', { label: t('holds.act.answeredOn'), type: 'date' })}
          {field('appealEndedOn', { label: t('holds.act.appealEndedOn'), type: 'date' })}
        </div>
      )}
      {isNotice && (
        <>
          <LocalTimeInput
            label={t('holds.act.at')}
            value={at}
            onChange={setAt}
            error={tried && when.kind !== 'instant' ? t('form.required') : null}
          />
          {field('how', { label: t('holds.act.how'), description: t('holds.act.howHelp') })}
          {field('document', { label: t('holds.act.document') })}
        </>
      )}
      {!isNotice && act !== 'approve' && reason}
      <div>
        <Button type="submit" size="xs" loading={pending} color={act === 'refuse' || act === 'lift' ? 'red.9' : ''}>
          {t('holds.act.submit')}
        </Button>
      </div>
    </form>
  );
}

/** That many days from when the gateway last said what time it is; this machine's own clock is not asked. */
export const inDays = (nowUs: number, days: string): string =>
  formatUtc(nowUs + Math.round(Number(days) * 86_400_000_000));
