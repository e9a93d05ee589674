import { Button, Select, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { purposes } from '../../api/views.js';
import { Trouble } from '../parts.js';

const ownWords = 'own';

/** Asks for the purpose before any picture is asked for: a look without one is refused by the gateway as well. */
export function PurposeForm({
  submit,
  error,
  busy = false,
  children,
  onSubmit,
}: {
  submit: string;
  error: Error | null;
  busy?: boolean;
  children?: ReactNode;
  onSubmit: (purpose: string) => void;
}): ReactNode {
  const { t } = useTranslation();
  const [choice, setChoice] = useState<string>(purposes[0]);
  const [words, setWords] = useState('');
  const purpose = choice === ownWords ? words.trim() : choice;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit(purpose);
      }}
    >
      <Select
        label={t('watch.purpose')}
        description={t('watch.help')}
        allowDeselect={false}
        value={choice}
        onChange={(value) => {
          setChoice(value ?? purposes[0]);
        }}
        data={[
          ...purposes.map((value) => ({ value, label: t(`watch.purposes.${value}`) })),
          { value: ownWords, label: t('watch.own') },
        ]}
      />
      {choice === ownWords && (
        <TextInput
          label={t('watch.ownLabel')}
          required
          minLength={3}
          maxLength={500}
          value={words}
          onChange={(event) => {
            setWords(event.currentTarget.value);
          }}
        />
      )}
      {children}
      <Trouble error={error} />
      <div>
        <Button type="submit" disabled={purpose.length < 3} loading={busy}>
          {submit}
        </Button>
      </div>
    </form>
  );
}
