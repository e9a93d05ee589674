import { Button, Select } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { TimeRange } from '../../domain/segment.js';
import { formatUtc } from '../../domain/time.js';
import { ApiError, errorOf } from '../api.js';
import { Trouble } from '../parts.js';
import { useTime } from '../session.js';
import { PurposeForm } from './purpose.js';
import { Dialog } from './watch.js';

const counts = ['12', '24', '48', '60'] as const;

interface Shown {
  /** As text: the page's own policy lets no picture in from anywhere else. */
  readonly source: string;
  readonly timesUs: readonly (number | null)[];
}

/** Fetched once and shown from memory, so that one look is one entry in the log. */
async function picture(path: string): Promise<Shown> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin' });
  } catch {
    // fetch says only "failed": the words for it are the page's own.
    throw new ApiError('unreachable', '');
  }
  if (!response.ok) throw await errorOf(response);
  const bytes = new Uint8Array(await response.arrayBuffer());
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  const times = response.headers.get('picture-times') ?? '';
  return {
    source: `data:image/jpeg;base64,${btoa(text)}`,
    timesUs: times.split(',').map((time) => (time === '' ? null : Number(time))),
  };
}

/** Small pictures of a camera over a range, and each of them large. They show people as they are: the purpose is asked for first. */
export function Pictures({
  cameraId,
  range,
  onClose,
}: {
  cameraId: string;
  range: TimeRange;
  onClose: () => void;
}): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  const [count, setCount] = useState<string>(counts[0]);
  const [purpose, setPurpose] = useState<string | null>(null);
  const folder = `/api/footage/${encodeURIComponent(cameraId)}`;
  const sheet = useMutation({
    mutationFn: (why: string) => {
      const query = new URLSearchParams({
        from: formatUtc(range.startUs),
        to: formatUtc(range.endUs),
        count,
        purpose: why,
      });
      return picture(`${folder}/contact-sheet?${query}`);
    },
  });
  const still = useMutation({
    mutationFn: async (atUs: number) => {
      const query = new URLSearchParams({ at: formatUtc(atUs), purpose: purpose ?? '' });
      return { ...(await picture(`${folder}/still?${query}`)), atUs };
    },
  });
  const stillLabel =
    still.data === undefined ? '' : t('pictures.still', { camera: cameraId, time: time(still.data.atUs) });
  return (
    <Dialog
      title={sheet.data === undefined ? t('watch.title') : t('pictures.title', { camera: cameraId })}
      onClose={onClose}
    >
      {sheet.data === undefined ? (
        <PurposeForm
          submit={t('pictures.show')}
          error={sheet.error}
          busy={sheet.isPending}
          onSubmit={(why) => {
            setPurpose(why);
            sheet.mutate(why);
          }}
        >
          <Select
            label={t('pictures.count')}
            allowDeselect={false}
            value={count}
            onChange={(value) => {
              setCount(value ?? counts[0]);
            }}
            data={[...counts]}
          />
        </PurposeForm>
      ) : (
        <div className="stack">
          <p className="soft small" style={{ margin: 0 }}>
            {t('pictures.unmasked')}
          </p>
          {still.data !== undefined && (
            <figure style={{ margin: 0 }}>
              <img className="film" src={still.data.source} alt={stillLabel} />
              <figcaption className="soft small">{stillLabel}</figcaption>
            </figure>
          )}
          <img
            className="film"
            src={sheet.data.source}
            alt={t('pictures.sheet', { from: time(range.startUs), to: time(range.endUs), camera: cameraId })}
          />
          <Trouble error={still.error} />
          <div className="tags" role="group" aria-label={t('pictures.large')}>
            <span className="small">{t('pictures.large')}:</span>
            {sheet.data.timesUs.map(
              (atUs) =>
                atUs !== null && (
                  <Button
                    key={atUs}
                    size="compact-xs"
                    variant="default"
                    disabled={still.isPending}
                    onClick={() => {
                      still.mutate(atUs);
                    }}
                  >
                    {time(atUs)}
                  </Button>
                ),
            )}
          </div>
        </div>
      )}
    </Dialog>
  );
}
