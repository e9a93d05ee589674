import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { SessionView } from '../../api/views.js';
import { call } from '../api.js';
import { Heading, Trouble } from '../parts.js';

export function LoginView(): ReactNode {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const login = useMutation({
    mutationFn: () => call<SessionView>('/api/session', 'POST', { name, password }),
    onSuccess: (session) => {
      queries.setQueryData(['session'], session);
    },
    onError: () => {
      setPassword('');
    },
  });
  return (
    <div className="card" style={{ maxWidth: 420, margin: '6vh auto 0' }}>
      <Heading>{t('login.title')}</Heading>
      <p className="soft" style={{ marginTop: 4 }}>
        {t('app.what')}
      </p>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          login.mutate();
        }}
      >
        <TextInput
          label={t('login.name')}
          autoComplete="username"
          required
          value={name}
          onChange={(event) => {
            setName(event.currentTarget.value);
          }}
        />
        <PasswordInput
          label={t('login.password')}
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => {
            setPassword(event.currentTarget.value);
          }}
        />
        <Trouble error={login.error} />
        <Button type="submit" loading={login.isPending}>
          {t('login.submit')}
        </Button>
      </form>
    </div>
  );
}
