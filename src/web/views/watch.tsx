import { CloseButton, Modal } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { ItemView } from '../../api/views.js';
import { errorOf } from '../api.js';
import { PurposeForm } from './purpose.js';

/** A masked copy as a film. */
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
  const [source, setSource] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const number = item.position + 1;

  const explain = async (url: string): Promise<void> => {
    // The player says only that it failed; the gateway's answer says why.
    const response = await fetch(url, { method: 'GET', headers: { range: 'bytes=0-0' } });
    setError(response.ok ? new Error(t('watch.failed')) : await errorOf(response));
    setSource(null);
  };

  const close = (): void => {
    void queries.invalidateQueries({ queryKey: ['request', requestId] });
    onClose();
  };

  return (
    <Dialog title={source === null ? t('watch.title') : t('watch.player', { number })} onClose={close}>
      {source === null ? (
        <PurposeForm
          submit={t('watch.start')}
          error={error}
          onSubmit={(purpose) => {
            setError(null);
            setSource(
              `/api/requests/${requestId}/items/${item.position}/masked?purpose=${encodeURIComponent(purpose)}`,
            );
          }}
        />
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
    </Dialog>
  );
}

export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
}): ReactNode {
  const { t } = useTranslation();
  return (
    <Modal.Root opened onClose={onClose} size="xl">
      <Modal.Overlay />
      {/* Composed by hand: the library's own title would be a second banner of the page. */}
      <Modal.Content aria-label={title}>
        <Modal.Body>
          <div
            className="tags"
            style={{ justifyContent: 'space-between', alignItems: 'center', padding: '14px 0 12px' }}
          >
            <h2 style={{ fontSize: 18, margin: 0 }}>{title}</h2>
            <CloseButton aria-label={t('app.close')} onClick={onClose} />
          </div>
          {children}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
