import { Button, Select, Textarea, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, CameraView, RetentionOverview } from '../../../api/views.js';
import type { RetentionPreview } from '../../../domain/retention-change.js';
import { call } from '../../api.js';
import { Done, Trouble } from '../../parts.js';
import { useMinute } from '../../session.js';
import { Preview } from './preview.js';
import { useAct } from './queries.js';

/** A reason shorter than this is none; the gateway refuses it too. */
const shortestReason = 10;

/** Another period for a camera: it is proposed only once what it would delete was shown. */
export function ProposeForm({ overview, cameras }: { overview: RetentionOverview; cameras: CamerasView }): ReactNode {
  const { t } = useTranslation();
  const [cameraId, setCameraId] = useState<string | null>(null);
  const [daysText, setDaysText] = useState('');
  const [reason, setReason] = useState('');
  const [tried, setTried] = useState(false);
  const propose = useAct((input: { cameraId: string; days: number; reason: string }) =>
    call(`/api/cameras/${encodeURIComponent(input.cameraId)}/retention`, 'POST', {
      days: input.days,
      reason: input.reason,
    }),
  );

  const camera = cameras.cameras.find((one) => one.cameraId === cameraId);
  const max = camera?.policy.maxRetentionDays ?? 30;
  const number = /^\d{1,4}$/.test(daysText.trim()) ? Number(daysText) : null;
  const days = number !== null && number >= 1 && number <= max ? number : null;
  const same = days !== null && days === camera?.policy.retentionDays;
  const waits = overview.changes.some(({ change }) => change.cameraId === cameraId);
  const daysError = same
    ? t('retention.changes.daysSame')
    : days === null && (daysText !== '' || tried)
      ? t('retention.changes.daysWrong', { max })
      : null;
  const wanted = camera === undefined || days === null || same ? null : { camera, days };
  const [asked] = useDebouncedValue(wanted === null ? null : `${wanted.camera.cameraId} ${wanted.days}`, 300);
  const isSettled = wanted !== null && asked === `${wanted.camera.cameraId} ${wanted.days}`;
  const preview = useQuery({
    queryKey: ['retention-preview', cameraId, days],
    queryFn: () =>
      call<{ preview: RetentionPreview | null }>(
        `/api/cameras/${encodeURIComponent(cameraId ?? '')}/retention-preview?days=${days ?? 0}`,
      ),
    enabled: isSettled,
  });
  const shown = isSettled ? preview.data : undefined;

  return (
    <form
      className="card stack"
      aria-labelledby="propose"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setTried(true);
        if (wanted === null || shown === undefined || waits || reason.trim().length < shortestReason) return;
        propose.mutate(
          { cameraId: wanted.camera.cameraId, days: wanted.days, reason: reason.trim() },
          {
            onSuccess: () => {
              setCameraId(null);
              setDaysText('');
              setReason('');
              setTried(false);
            },
          },
        );
      }}
    >
      <div>
        <h2 id="propose" style={{ margin: 0 }}>
          {t('retention.changes.form')}
        </h2>
        <p className="soft small" style={{ margin: '4px 0 0' }}>
          {t('retention.changes.formHelp')}
        </p>
      </div>
      <div className="pair">
        <Select
          label={t('retention.changes.camera')}
          required
          allowDeselect={false}
          value={cameraId}
          onChange={setCameraId}
          error={waits ? t('retention.changes.waiting') : tried && camera === undefined ? t('form.required') : null}
          data={cameras.cameras
            .filter(({ substreamOf }) => substreamOf === null)
            .map(({ cameraId: value, label, policy }) => ({
              value,
              label: t('retention.changes.cameraNow', { camera: label, count: policy.retentionDays }),
            }))}
        />
        <TextInput
          label={t('retention.changes.days')}
          description={t('retention.changes.daysHelp', { max })}
          inputWrapperOrder={['label', 'input', 'description', 'error']}
          required
          inputMode="numeric"
          maxLength={4}
          value={daysText}
          error={daysError}
          onChange={(event) => {
            setDaysText(event.currentTarget.value);
          }}
        />
      </div>
      <Textarea
        label={t('retention.changes.reason')}
        description={t('retention.changes.reasonHelp')}
        required
        autosize
        minRows={2}
        maxLength={2000}
        value={reason}
        error={tried && reason.trim().length < shortestReason ? t('retention.changes.reasonShort') : null}
        onChange={(event) => {
          setReason(event.currentTarget.value);
        }}
      />
      <div className="asks" style={{ minHeight: 124 }} aria-live="polite">
        <strong>{t('retention.changes.preview')}</strong>
        <Before camera={wanted?.camera} shown={shown} />
      </div>
      <Trouble error={preview.error ?? propose.error} />
      <Done>{propose.isSuccess ? t('retention.changes.proposed') : null}</Done>
      <div>
        <Button type="submit" loading={propose.isPending} disabled={waits || (wanted !== null && shown === undefined)}>
          {t('retention.changes.submit')}
        </Button>
      </div>
    </form>
  );
}

function Before({
  camera,
  shown,
}: {
  camera: CameraView | undefined;
  shown: { readonly preview: RetentionPreview | null } | undefined;
}): ReactNode {
  const { t } = useTranslation();
  const time = useMinute();
  if (camera === undefined) return <div className="soft">{t('retention.changes.previewWait')}</div>;
  if (shown === undefined) return <div className="soft">{t('app.loading')}</div>;
  if (shown.preview === null) return <div>{t('retention.changes.previewLonger')}</div>;
  return (
    <>
      <div>
        <Preview preview={shown.preview} />
      </div>
      <div className="soft small">{t('retention.changes.previewAt', { time: time(shown.preview.atUs) })}</div>
    </>
  );
}
