import { Radio, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { localToUs, type LocalFields } from '../../domain/time.js';
import { useSession, useTime } from '../session.js';

/** What was typed, and which of two readings is meant where the clock is set back. */
export interface LocalTime {
  readonly text: string;
  readonly reading: 'earlier' | 'later' | null;
}

export const noLocalTime: LocalTime = { text: '', reading: null };

function fieldsOf(text: string): LocalFields | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  if (match === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part) => Number(part || 0));
  return { year, month, day, hour, minute, second, microsecond: 0 };
}

export type Meaning =
  { readonly kind: 'none' | 'never' | 'choose' } | { readonly kind: 'instant'; readonly us: number };

/** A wall clock's time in the site's zone as an instant. Never guesses: a time that happens twice waits for a choice. */
export function meaningOf(
  value: LocalTime,
  zone: string,
): Meaning & { readonly candidatesUs?: readonly [number, number] } {
  const fields = fieldsOf(value.text);
  if (fields === null) return { kind: 'none' };
  const reading = localToUs(fields, zone);
  if (reading.kind === 'exact') return { kind: 'instant', us: reading.us };
  if (reading.kind === 'nonexistent') return { kind: 'never' };
  const { candidatesUs } = reading;
  if (value.reading === null) return { kind: 'choose', candidatesUs };
  return { kind: 'instant', us: candidatesUs[value.reading === 'earlier' ? 0 : 1], candidatesUs };
}

interface Props {
  readonly label: string;
  readonly value: LocalTime;
  readonly onChange: (value: LocalTime) => void;
  readonly error: string | null;
}

export function LocalTimeInput({ label, value, onChange, error }: Props): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  const zone = useSession().site.timezone;
  const meaning = meaningOf(value, zone);
  const { candidatesUs } = meaning;
  const problem = meaning.kind === 'never' ? t('form.never') : meaning.kind === 'choose' ? null : error;
  return (
    <div className="stack" style={{ gap: 8 }}>
      <TextInput
        type="datetime-local"
        step={1}
        label={label}
        description={t('form.localTime', { zone })}
        required
        value={value.text}
        error={problem}
        onChange={(event) => {
          onChange({ text: event.currentTarget.value, reading: null });
        }}
      />
      {candidatesUs !== undefined && (
        <Radio.Group
          label={t('form.twice')}
          error={meaning.kind === 'choose' ? error : null}
          value={value.reading}
          onChange={(reading) => {
            onChange({ ...value, reading: reading === 'later' ? 'later' : 'earlier' });
          }}
        >
          <Radio mt={6} value="earlier" label={t('form.earlier', { time: time(candidatesUs[0]) })} />
          <Radio mt={6} value="later" label={t('form.later', { time: time(candidatesUs[1]) })} />
        </Radio.Group>
      )}
    </div>
  );
}
