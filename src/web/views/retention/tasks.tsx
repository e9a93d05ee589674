import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { CamerasView, TasksView } from '../../../api/views.js';
import { call } from '../../api.js';
import { Trouble } from '../../parts.js';
import { may, useMinute, useSession } from '../../session.js';
import { labelIn, useAct, useTasks } from './queries.js';

/** Decided by a button of this page, which ends them. */
const decidedHere = ['clock-untrusted', 'mass-deletion-waits', 'retention-change'];
/** Ended by what proves that they were done. */
const proven = ['tell-the-other-party', 'hold-notice-overdue', 'hand-copy', 'approve-hold', 'hold-approval-overdue'];

export function Tasks({ cameras }: { cameras: CamerasView }): ReactNode {
  const { t, i18n } = useTranslation();
  const session = useSession();
  const time = useMinute();
  const tasks = useTasks();
  const done = useAct((id: number) => call(`/api/tasks/${id}/done`, 'POST', {}));
  const nameOf = ({ kind }: TasksView['tasks'][number]): string => {
    const key = `retention.tasks.kinds.${kind}`;
    return i18n.exists(key) ? t(key as 'retention.tasks.other') : t('retention.tasks.other');
  };
  const mayClose = may(session, 'task.close');
  return (
    <section className="card" aria-labelledby="tasks">
      <h2 id="tasks">{t('retention.tasks.title')}</h2>
      <Trouble error={tasks.error ?? done.error} />
      {tasks.data?.tasks.length === 0 && <p style={{ margin: 0 }}>{t('retention.tasks.none')}</p>}
      {tasks.data?.tasks.map((task) => {
        const name = nameOf(task);
        const id = /^camera:(.+)$/.exec(task.subject)?.[1];
        const camera = id === undefined ? null : labelIn(cameras, id);
        return (
          <div key={task.id} className="item task">
            <div>
              <strong>{camera === null ? name : `${name}: ${camera}`}</strong>{' '}
              <span className="soft small">{t('tasks.since', { time: time(task.createdUs) })}</span>
              {!decidedHere.includes(task.kind) && (
                <div className="small" lang="en">
                  {task.detail}
                </div>
              )}
            </div>
            {decidedHere.includes(task.kind) ? (
              <span className="soft small">{t('retention.tasks.here')}</span>
            ) : proven.includes(task.kind) ? (
              <span className="soft small">{t('retention.tasks.proof')}</span>
            ) : (
              mayClose && (
                <Button
                  variant="default"
                  size="xs"
                  aria-label={t('retention.tasks.doneLabel', { what: camera === null ? name : `${name}: ${camera}` })}
                  title={t('retention.tasks.doneHelp')}
                  loading={done.isPending && done.variables === task.id}
                  onClick={() => {
                    done.mutate(task.id);
                  }}
                >
                  {t('retention.tasks.done')}
                </Button>
              )
            )}
          </div>
        );
      })}
    </section>
  );
}
