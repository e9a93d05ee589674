import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, CameraView, RetentionCamera, RetentionOverview } from '../../../api/views.js';
import { Tag } from '../../parts.js';
import { useHours, useMinute, useSpan } from '../../session.js';
import { ageByIndex, ageOnDisk, toneOfAge, type Age } from './age.js';

const dayUs = 86_400_000_000;
const order = ['late', 'due', 'ok'] as const;

interface Row {
  readonly camera: CameraView;
  readonly more: RetentionCamera | undefined;
  readonly disk: Age | null;
  readonly index: Age | null;
}

/** Worst first: by what is wrong, then by how near to the limit. */
function rowsOf(overview: RetentionOverview, { cameras }: CamerasView): Row[] {
  const more = new Map(overview.cameras.map((one) => [one.cameraId, one]));
  const rank = ({ disk, index, more: one, camera }: Row): number => {
    const states = [disk, index].flatMap((age) => (age === null ? [] : [order.indexOf(age.state)]));
    const failing = one?.failing !== null && one?.failing !== undefined;
    const recorded = !camera.policy.mayRecord && camera.footage.segments > 0;
    return failing || recorded ? 0 : Math.min(order.length, ...states);
  };
  const share = ({ disk, index }: Row): number => {
    const age = index ?? disk;
    return age === null ? 0 : age.ageUs / age.limitUs;
  };
  return cameras
    .map((camera) => ({
      camera,
      more: more.get(camera.cameraId),
      disk: ageOnDisk(camera, overview),
      index: ageByIndex(camera, overview),
    }))
    .sort((a, b) => rank(a) - rank(b) || share(b) - share(a));
}

/** Each camera against its limit, and whatever is out of the ordinary. */
export function CameraTable({ overview, cameras }: { overview: RetentionOverview; cameras: CamerasView }): ReactNode {
  const { t } = useTranslation();
  const rows = rowsOf(overview, cameras);
  return (
    <section className="card card-flush" aria-labelledby="by-camera">
      <h2 id="by-camera" style={{ margin: '16px 16px 8px' }}>
        {t('retention.cameras.title')}
      </h2>
      {rows.length === 0 ? (
        <p style={{ margin: '0 16px 16px' }}>{t('retention.cameras.empty')}</p>
      ) : (
        <table className="table by-camera" role="table">
          <thead role="rowgroup">
            <tr role="row">
              {(['camera', 'oldest', 'next', 'punctual', 'exceptions'] as const).map((column) => (
                <th key={column} role="columnheader" scope="col">
                  {t(`retention.cameras.${column}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup">
            {rows.map((row) => (
              <tr key={row.camera.cameraId} role="row">
                <td role="cell">
                  <strong>{row.camera.label}</strong>
                  <div className="soft small">
                    {t(`cameras.classes.${row.camera.policy.class}`)},{' '}
                    {t('cameras.days', { count: row.camera.policy.retentionDays })}
                  </div>
                </td>
                <td role="cell" data-label={t('retention.cameras.oldest')}>
                  <Oldest row={row} />
                </td>
                <td role="cell" data-label={t('retention.cameras.next')}>
                  <Next row={row} overview={overview} />
                </td>
                <td role="cell" data-label={t('retention.cameras.punctual')}>
                  <Punctuality camera={row.camera} />
                </td>
                <td role="cell" data-label={t('retention.cameras.exceptions')}>
                  <Exceptions row={row} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Oldest({ row: { camera, disk, index } }: { row: Row }): ReactNode {
  const { t } = useTranslation();
  const span = useSpan();
  const { onDisk } = camera;
  const age = disk ?? index;
  return (
    <>
      {age !== null && <Tag tone={toneOfAge[age.state]}>{t(`retention.figure.${age.state}`)}</Tag>}
      <div>
        {disk !== null
          ? t('retention.cameras.onDisk', { age: span(disk.ageUs), limit: span(disk.limitUs) })
          : onDisk === null
            ? t('retention.cameras.neverWalked')
            : t('retention.cameras.nothingOnDisk')}
      </div>
      {index !== null && <div className="soft small">{t('retention.cameras.byIndex', { age: span(index.ageUs) })}</div>}
    </>
  );
}

function Next({ row: { camera, more }, overview }: { row: Row; overview: RetentionOverview }): ReactNode {
  const { t } = useTranslation();
  const span = useSpan();
  const time = useMinute();
  const hours = useHours();
  const waits = overview.waiting?.cameras.some(({ cameraId }) => cameraId === camera.cameraId) === true;
  const nextUs = more?.nextDueUs ?? null;
  const { retentionDays, maxRetentionDays } = camera.policy;
  const beforeUs = maxRetentionDays * dayUs - camera.limit.maxAgeUs;
  const due = more?.due ?? null;
  return (
    <>
      {waits ? (
        <Tag tone="warn">{t('retention.cameras.waits')}</Tag>
      ) : due !== null ? (
        t('retention.cameras.now', {
          files: t('retention.sweep.files', { count: due.segments }),
          hours: hours(due.footageUs),
        })
      ) : nextUs === null ? (
        <span className="soft">{t('retention.cameras.nothing')}</span>
      ) : (
        <>
          {time(nextUs)}
          <div className="soft small">
            {t(nextUs > overview.nowUs ? 'retention.cameras.in' : 'retention.cameras.overdue', {
              span: span(nextUs - overview.nowUs),
            })}
          </div>
        </>
      )}
      <div className="soft small">
        {retentionDays < maxRetentionDays
          ? t('retention.cameras.atLimit', { limit: span(retentionDays * dayUs) })
          : t('retention.cameras.margin', { span: span(beforeUs) })}
      </div>
    </>
  );
}

function Punctuality({ camera }: { camera: CameraView }): ReactNode {
  const { t } = useTranslation();
  const span = useSpan();
  const lateness = camera.onDisk?.lateness ?? null;
  if (lateness === null || lateness.medianUs === null || lateness.worstUs === null) {
    return <span className="soft">{t('retention.cameras.noDeletions')}</span>;
  }
  return (
    <>
      {t('retention.cameras.punctuality', { median: span(lateness.medianUs), worst: span(lateness.worstUs) })}
      {lateness.misses > 0 && (
        <div>
          <Tag tone="bad">{t('retention.cameras.misses', { count: lateness.misses })}</Tag>
        </div>
      )}
    </>
  );
}

function Exceptions({ row: { camera, more } }: { row: Row }): ReactNode {
  const { t } = useTranslation();
  const { footage, onDisk } = camera;
  const tags: ReactNode[] = [];
  if (!camera.policy.mayRecord && footage.segments > 0) {
    tags.push(
      <Tag key="live" tone="bad">
        {t('retention.cameras.liveOnly')}
      </Tag>,
    );
  }
  const count = (key: string, tone: 'bad' | 'warn' | 'hold', text: string, number: number | undefined): void => {
    if (number === undefined || number === 0) return;
    tags.push(
      <Tag key={key} tone={tone}>
        {text}
      </Tag>,
    );
  };
  const failing = more?.failing?.segments ?? 0;
  count('failing', 'bad', t('retention.cameras.failing', { count: failing }), failing);
  const over = onDisk?.overLimit ?? 0;
  count('over', 'bad', t('cameras.diskOver', { count: over }), over);
  const stray = onDisk?.notIndexed ?? 0;
  count('stray', 'bad', t('cameras.diskStray', { count: stray }), stray);
  count('missing', 'bad', t('cameras.missing', { count: footage.missing }), footage.missing);
  count('aside', 'warn', t('cameras.quarantined', { count: footage.quarantined }), footage.quarantined);
  const held = more?.held?.segments ?? 0;
  const heldOnDisk = onDisk?.held ?? 0;
  if (held > 0) count('held', 'hold', t('retention.cameras.held', { count: held }), held);
  else count('held', 'hold', t('retention.cameras.heldOnDisk', { count: heldOnDisk }), heldOnDisk);
  if (tags.length === 0) return <span className="soft">{t('retention.cameras.none')}</span>;
  return <div className="tags">{tags}</div>;
}
