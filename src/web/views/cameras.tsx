import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView as Cameras, CameraView, LimitState, TasksView } from '../../api/views.js';
import { call } from '../api.js';
import { Heading, Tag, Trouble, Waiting, type Tone } from '../parts.js';
import { useTime } from '../session.js';
import { showBytes } from '../time.js';

const dayUs = 86_400_000_000;

/** Worst first: what a person has to see should not be found by scrolling. */
const order: readonly LimitState[] = ['late', 'due', 'held', 'ok', 'empty'];

const sorted = (cameras: readonly CameraView[]): CameraView[] =>
  [...cameras].sort((a, b) => order.indexOf(a.limit.state) - order.indexOf(b.limit.state));

const toneOf: Readonly<Record<LimitState, Tone>> = { ok: 'ok', due: 'warn', late: 'bad', held: 'hold', empty: 'calm' };

export function CamerasView(): ReactNode {
  const { t } = useTranslation();
  const cameras = useQuery({
    queryKey: ['cameras'],
    queryFn: () => call<Cameras>('/api/cameras'),
    refetchInterval: 60_000,
  });
  const tasks = useQuery({ queryKey: ['tasks'], queryFn: () => call<TasksView>('/api/tasks') });
  // Those about a camera stand beside it.
  const known = new Set(cameras.data?.cameras.map((camera) => `camera:${camera.cameraId}`));
  return (
    <div className="stack">
      <div>
        <Heading>{t('cameras.title')}</Heading>
        <p className="soft" style={{ margin: '4px 0 0' }}>
          {t('cameras.intro')}
        </p>
      </div>
      <Trouble error={cameras.error ?? tasks.error} retry={() => void cameras.refetch()} />
      {cameras.isPending && <Waiting />}
      {cameras.data !== undefined && (
        <>
          <Summary cameras={cameras.data.cameras} />
          <Table view={cameras.data} tasks={tasks.data?.tasks ?? []} />
        </>
      )}
      <Tasks tasks={(tasks.data?.tasks ?? []).filter((task) => !known.has(task.subject))} />
    </div>
  );
}

function Summary({ cameras }: { cameras: readonly CameraView[] }): ReactNode {
  const { t } = useTranslation();
  const count = (state: LimitState): number => cameras.filter((camera) => camera.limit.state === state).length;
  if (cameras.length === 0) return null;
  return (
    <div className="tags" role="status">
      {count('late') > 0 && <Tag tone="bad">{t('cameras.sumLate', { count: count('late') })}</Tag>}
      {count('due') > 0 && <Tag tone="warn">{t('cameras.sumDue', { count: count('due') })}</Tag>}
      {count('late') + count('due') === 0 && <Tag tone="ok">{t('cameras.sumOk')}</Tag>}
    </div>
  );
}

function Table({ view, tasks }: { view: Cameras; tasks: TasksView['tasks'] }): ReactNode {
  const { t, i18n } = useTranslation();
  if (view.cameras.length === 0) return <p className="card">{t('cameras.none')}</p>;
  // Rows become cards on a narrow screen, which takes the meaning of a table away unless it is said.
  return (
    <div className="card card-flush">
      <table className="table" role="table">
        <thead role="rowgroup">
          <tr role="row">
            {(['camera', 'class', 'oldest', 'footage', 'tasks'] as const).map((column) => (
              <th key={column} role="columnheader" scope="col">
                {t(`cameras.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {sorted(view.cameras).map((camera) => {
            const own = tasks.filter((task) => task.subject === `camera:${camera.cameraId}`);
            const { footage } = camera;
            return (
              <tr key={camera.cameraId} role="row">
                <td role="cell">
                  <strong>{camera.label}</strong>
                  {camera.label !== camera.cameraId && <div className="soft small">{camera.cameraId}</div>}
                  {camera.substreamOf !== null && (
                    <div className="soft small">{t('cameras.substreamOf', { camera: camera.substreamOf })}</div>
                  )}
                  {!camera.adopted && <Tag tone="warn">{t('cameras.notAdopted')}</Tag>}
                </td>
                <td role="cell" data-label={t('cameras.class')}>
                  {t(`cameras.classes.${camera.policy.class}`)}
                  <div className="soft small">{t('cameras.days', { count: camera.policy.retentionDays })}</div>
                </td>
                <td role="cell" className="wide" data-label={t('cameras.oldest')}>
                  <Limit camera={camera} nowUs={view.nowUs} />
                </td>
                <td role="cell" data-label={t('cameras.footage')}>
                  {t('cameras.segments', { count: footage.segments })}
                  <div className="soft small">{showBytes(footage.sizeBytes, i18n.language)}</div>
                  {footage.missing > 0 && <Tag tone="bad">{t('cameras.missing', { count: footage.missing })}</Tag>}
                  {footage.quarantined > 0 && (
                    <Tag tone="warn">{t('cameras.quarantined', { count: footage.quarantined })}</Tag>
                  )}
                </td>
                <td role="cell" data-label={t('cameras.tasks')}>
                  {own.length === 0 && <span className="soft">{t('cameras.noTasks')}</span>}
                  {own.map((task) => (
                    <div key={task.id} className="small">
                      {task.detail}
                    </div>
                  ))}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Limit({ camera, nowUs }: { camera: CameraView; nowUs: number }): ReactNode {
  const { t, i18n } = useTranslation();
  const time = useTime();
  const { limit, footage } = camera;
  const state = t(`cameras.state.${limit.state}`);
  const tone = toneOf[limit.state];
  if (footage.oldestUs === null || limit.hoursLeft === null) {
    return (
      <>
        <Tag tone={tone}>{state}</Tag>
        <OnDisk camera={camera} />
      </>
    );
  }

  const days = (us: number): string =>
    new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 1 }).format(us / dayUs);
  const ageUs = nowUs - footage.oldestUs;
  const percent = Math.max(0, Math.min(100, Math.round((ageUs / limit.maxAgeUs) * 100)));
  const hours = Math.floor(Math.abs(limit.hoursLeft));
  const span =
    hours < 48
      ? t('cameras.hours', { count: hours })
      : t('cameras.daysHours', { days: Math.floor(hours / 24), hours: hours % 24 });
  return (
    <>
      <div className="tags" style={{ justifyContent: 'space-between' }}>
        <span>{t('cameras.age', { age: days(ageUs), limit: days(limit.maxAgeUs) })}</span>
        <Tag tone={tone}>{state}</Tag>
      </div>
      <div
        className="meter"
        data-tone={tone}
        role="progressbar"
        aria-valuenow={percent}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-label={t('cameras.ageLabel', {
          camera: camera.label,
          age: days(ageUs),
          limit: days(limit.maxAgeUs),
          state,
        })}
      >
        <div style={{ width: `${percent}%` }} />
      </div>
      <div className="soft small">
        {limit.hoursLeft >= 0 ? t('cameras.left', { time: span }) : t('cameras.over', { time: span })}
        {' · '}
        {t('cameras.since', { time: time(footage.oldestUs) })}
      </div>
      <OnDisk camera={camera} />
    </>
  );
}

/** What the disk itself says, beside what the index says. */
function OnDisk({ camera }: { camera: CameraView }): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  const { onDisk } = camera;
  if (onDisk === null) return <div className="soft small">{t('cameras.diskNever')}</div>;
  const { oldestUs, overLimit, notIndexed, lateness } = onDisk;
  return (
    <>
      <div className="soft small">
        {oldestUs === null
          ? t('cameras.diskEmpty', { at: time(onDisk.atUs) })
          : t('cameras.disk', { time: time(oldestUs), at: time(onDisk.atUs) })}
      </div>
      <div className="tags">
        {overLimit > 0 && <Tag tone="bad">{t('cameras.diskOver', { count: overLimit })}</Tag>}
        {notIndexed > 0 && <Tag tone="bad">{t('cameras.diskStray', { count: notIndexed })}</Tag>}
        {(lateness?.misses ?? 0) > 0 && <Tag tone="bad">{t('cameras.misses', { count: lateness?.misses ?? 0 })}</Tag>}
      </div>
      {lateness?.worstUs !== undefined && lateness.worstUs !== null && (
        <div className="soft small">
          {t('cameras.lateness', {
            median: Math.round((lateness.medianUs ?? 0) / 60_000_000),
            worst: Math.round(lateness.worstUs / 60_000_000),
          })}
        </div>
      )}
    </>
  );
}

function Tasks({ tasks }: { tasks: TasksView['tasks'] }): ReactNode {
  const { t } = useTranslation();
  const time = useTime();
  if (tasks.length === 0) return null;
  return (
    <section className="card" aria-labelledby="tasks">
      <h2 id="tasks">{t('tasks.title')}</h2>
      <ul className="list">
        {tasks.map((task) => (
          <li key={task.id}>
            {task.detail} <span className="soft small">{t('tasks.since', { time: time(task.createdUs) })}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
