import { Button, Checkbox } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, Coverage as CoverageOf } from '../../api/views.js';
import type { TimeRange } from '../../domain/segment.js';
import { formatUtc } from '../../domain/time.js';
import { call } from '../api.js';
import { Heading, Trouble, Waiting } from '../parts.js';
import { useSession } from '../session.js';
import { Coverage } from './coverage.js';
import { LocalTimeInput, meaningOf, noLocalTime } from './local-time.js';
import { Pictures } from './pictures.js';

const longestUs = 24 * 3_600_000_000;

/** Looking up what there is of some cameras in a range, and pictures of it. */
export function FootageView(): ReactNode {
  const { t } = useTranslation();
  const zone = useSession().site.timezone;
  const cameras = useQuery({ queryKey: ['cameras'], queryFn: () => call<CamerasView>('/api/cameras') });
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [from, setFrom] = useState(noLocalTime);
  const [to, setTo] = useState(noLocalTime);
  const [tried, setTried] = useState(false);
  const [looking, setLooking] = useState<string | null>(null);
  const [start, end] = [meaningOf(from, zone), meaningOf(to, zone)];
  const unset = (meaning: typeof start): string | null =>
    tried && meaning.kind !== 'instant' ? t('form.required') : null;
  const rangeProblem =
    start.kind !== 'instant' || end.kind !== 'instant'
      ? null
      : start.us >= end.us
        ? t('form.order')
        : end.us - start.us > longestUs
          ? t('footage.tooLong')
          : null;

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
          if (chosen.length === 0 || rangeProblem !== null) return;
          if (start.kind !== 'instant' || end.kind !== 'instant') return;
          search.mutate({ cameraIds: chosen, startUs: start.us, endUs: end.us });
        }}
      >
        <div className="pair">
          <LocalTimeInput label={t('form.from')} value={from} onChange={setFrom} error={unset(start)} />
          <LocalTimeInput label={t('form.to')} value={to} onChange={setTo} error={rangeProblem ?? unset(end)} />
        </div>
        <Checkbox.Group
          label={t('form.cameras')}
          description={t('footage.camerasHelp')}
          required
          value={[...chosen]}
          onChange={setChosen}
          error={tried && chosen.length === 0 ? t('form.required') : null}
        >
          {(cameras.data?.cameras ?? [])
            .filter((camera) => camera.substreamOf === null)
            .map((camera) => (
              <Checkbox key={camera.cameraId} mt={6} value={camera.cameraId} label={camera.label} />
            ))}
        </Checkbox.Group>
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
