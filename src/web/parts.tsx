/** Small things that several views show. */
import { Alert, Button, Loader, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from './api.js';

export type Tone = 'ok' | 'warn' | 'bad' | 'hold' | 'busy' | 'calm';

const signs: Readonly<Record<Tone, string>> = { ok: '✓', warn: '!', bad: '✕', hold: '‖', busy: '…', calm: '·' };

/** A state in words; sign and colour only repeat them. */
export const Tag = ({ tone, children }: { tone: Tone; children: ReactNode }): ReactNode => (
  <span className="tag" data-tone={tone}>
    <span aria-hidden="true">{signs[tone]}</span>
    <span>{children}</span>
  </span>
);

/** The heading of a view. Takes the focus when the view is entered, so that a screen reader starts reading there. */
export function Heading({ children }: { children: string }): ReactNode {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${children} · tredive`;
    heading.current?.focus({ preventScroll: true });
  }, [children]);
  return (
    <h1 ref={heading} tabIndex={-1} style={{ fontSize: 26, margin: 0 }}>
      {children}
    </h1>
  );
}

export function Waiting(): ReactNode {
  const { t } = useTranslation();
  return (
    <div role="status">
      <Loader size="sm" aria-hidden="true" /> {t('app.loading')}
    </div>
  );
}

/** What went wrong and what to do about it, in the gateway's words below a heading in the reader's language. */
export function Trouble({ error, retry }: { error: Error | null; retry?: () => void }): ReactNode {
  const { t, i18n } = useTranslation();
  if (error === null) return null;
  const code = error instanceof ApiError ? error.code : 'internal';
  const silent = code === 'unreachable';
  const key = `error.${code}`;
  return (
    <Alert
      role="alert"
      variant="outline"
      color="red.9"
      title={i18n.exists(key) ? t(key as 'error.title') : t('error.title')}
    >
      <Text size="sm">{silent && error.message === '' ? t('error.unreachable') : error.message}</Text>
      {error instanceof ApiError && (error.remedy !== undefined || silent) && (
        <Text size="sm" fw={600} mt={4}>
          {error.remedy ?? t('error.unreachableRemedy')}
        </Text>
      )}
      {error instanceof ApiError && error.id !== undefined && (
        <Text size="xs" mt={4}>
          {t('error.reference', { id: error.id })}
        </Text>
      )}
      {retry !== undefined && (
        <Button size="xs" mt="sm" variant="default" onClick={retry}>
          {t('app.retry')}
        </Button>
      )}
    </Alert>
  );
}

interface ConfirmedProps {
  readonly label: string;
  /** What it does, said before it is done. */
  readonly help: ReactNode;
  readonly pending: boolean;
  /** The words of the second press; "Yes, do it" where left out. */
  readonly sure?: string;
  /** Styles of the first button. */
  readonly variant?: 'default' | 'filled';
  readonly fullWidth?: boolean;
  readonly children: () => void;
}

/** For what cannot be undone: the first press asks, the second does it. */
export function Confirmed({ label, help, pending, sure, variant, fullWidth, children }: ConfirmedProps): ReactNode {
  const { t } = useTranslation();
  const [asking, setAsking] = useState(false);
  const group = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The button that had the focus is gone: a screen reader goes on with the question.
    if (asking) group.current?.focus();
  }, [asking]);
  if (!asking) {
    return (
      <Button
        variant={variant ?? 'default'}
        fullWidth={fullWidth ?? true}
        onClick={() => {
          setAsking(true);
        }}
      >
        {label}
      </Button>
    );
  }
  return (
    <div role="group" aria-label={label} tabIndex={-1} ref={group} className="asks">
      <div style={{ margin: '0 0 8px' }}>{help}</div>
      <div className="tags">
        <Button color="red.9" loading={pending} onClick={children}>
          {sure ?? t('act.sure')}
        </Button>
        <Button
          variant="default"
          onClick={() => {
            setAsking(false);
          }}
        >
          {t('app.cancel')}
        </Button>
      </div>
    </div>
  );
}

/** What was done, where a screen reader hears of it. */
export const Done = ({ children }: { children: string | null }): ReactNode => (
  <p role="status" className="done" hidden={children === null}>
    {children}
  </p>
);
