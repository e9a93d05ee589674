import { Button, CloseButton, Modal, Select, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { purposes, type ItemView } from '../../api/views.js';
import { errorOf } from '../api.js';
import { Trouble } from '../parts.js';

const ownWords = 'own';

/** Asks for the purpose before the film is asked for: a look without one is refused by the gateway as well. */
export function Watch({
  requestId,
  item,
  onClose,
}: {
  requestId: string;
  item: ItemView;
  onClose: () => void;
}): ReactNode {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [choice, setChoice] = useState<string>(purposes[0]);
  const [words, setWords] = useState('');
  const [source, setSource] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const number = item.position + 1;
  const purpose = choice === ownWords ? words.trim() : choice;

  const explain = async (url: string): Promise<void> => {
    // The player says only that it failed; the gateway's answer says why.
    const response = await fetch(url, { method: 'GET', headers: { range: 'bytes=0-0' } });
    setError(response.ok ? new Error(t('watch.failed')) : await errorOf(response));
    setSource(null);
  };

  const title = source === null ? t('watch.title') : t('watch.player', { number });
  const close = (): void => {
    void queries.invalidateQueries({ queryKey: ['request', requestId] });
    onClose();
  };

  return (
    <Modal.Root opened onClose={close} size="xl">
      <Modal.Overlay />
      {/* Composed by hand: the library's own title would be a second banner of the page. */}
      <Modal.Content aria-label={title}>
        <Modal.Body>
          <div
            className="tags"
            style={{ justifyContent: 'space-between', alignItems: 'center', padding: '14px 0 12px' }}
          >
            <h2 style={{ fontSize: 18, margin: 0 }}>{title}</h2>
            <CloseButton aria-label={t('app.close')} onClick={close} />
          </div>
          {source === null ? (
            <form
              className="stack"
              onSubmit={(event) => {
                event.preventDefault();
                setError(null);
                setSource(
                  `/api/requests/${requestId}/items/${item.position}/masked?purpose=${encodeURIComponent(purpose)}`,
                );
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
              <Trouble error={error} />
              <div>
                <Button type="submit" disabled={purpose.length < 3}>
                  {t('watch.start')}
                </Button>
              </div>
            </form>
          ) : (
            <video
              className="film"
              controls
              autoPlay
              muted
              src={source}
              aria-label={t('watch.player', { number })}
              onError={() => void explain(source)}
            />
          )}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
