import { Button } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, Coverage as CoverageOf } from '../../api/views.js';
import type { TimeRange } from '../../domain/segment.js';
import { formatUtc } from '../../domain/time.js';
import { call } from '../api.js';
import { Heading, Trouble, Waiting } from '../parts.js';
import { Coverage } from './coverage.js';
import { Pictures } from './pictures.js';
import { CameraChoice, useRangeFields } from './scope-fields.js';

/** Looking up what there is of some cameras in a range, and pictures of it. */
export function FootageView(): ReactNode {
  const { t } = useTranslation();
  const cameras = useQuery({ queryKey: ['cameras'], queryFn: () => call<CamerasView>('/api/cameras') });
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [tried, setTried] = useState(false);
  const [looking, setLooking] = useState<string | null>(null);
  const { range, fields } = useRangeFields(tried, t('footage.tooLong'));

  const search = useMutation({
    mutationFn: async (ask: TimeRange & { readonly cameraIds: readonly string[] }) => {
      const query = new URLSearchParams([
        ...ask.cameraIds.map((id) => ['camera', id]),
        ['from', formatUtc(ask.startUs)],
        ['to', formatUtc(ask.endUs)],
      ]);
      return { range: ask, coverage: await call<CoverageOf>(`/api/coverage?${query}`) };
    },
  });
  const found = search.data;
  return (
    <div className="stack">
      <div>
        <Heading>{t('footage.title')}</Heading>
        <p className="soft" style={{ margin: '4px 0 0' }}>
          {t('footage.intro')}
        </p>
      </div>
      <form
        className="card stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (chosen.length > 0 && range !== null) search.mutate({ cameraIds: chosen, ...range });
        }}
      >
        {fields}
        <CameraChoice
          cameras={cameras.data?.cameras ?? []}
          chosen={chosen}
          onChange={setChosen}
          help={t('footage.camerasHelp')}
          error={tried && chosen.length === 0 ? t('form.required') : null}
          shownAs={({ label }) => ({ label })}
        />
        <Trouble error={cameras.error ?? search.error} />
        <div>
          <Button type="submit" loading={search.isPending}>
            {t('footage.search')}
          </Button>
        </div>
      </form>
      {search.isPending && <Waiting />}
      {found !== undefined && (
        <Coverage
          coverage={found.coverage}
          range={found.range}
          actions={({ cameraId, shows }) =>
            shows.length > 0 && (
              <Button
                size="xs"
                variant="default"
                aria-label={t('footage.picturesOf', { camera: cameraId })}
                onClick={() => {
                  setLooking(cameraId);
                }}
              >
                {t('footage.pictures')}
              </Button>
            )
          }
        />
      )}
      {found !== undefined && looking !== null && (
        <Pictures
          cameraId={looking}
          range={found.range}
          onClose={() => {
            setLooking(null);
          }}
        />
      )}
    </div>
  );
}
