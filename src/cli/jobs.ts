/** Long work of the running gateway: one job at a time, because one already keeps every core busy. */
import type { ApiJobs } from '../api/deps.js';
import type { JobView } from '../api/views.js';
import type { Gateway } from '../app.js';
import { packageRequest } from '../disclosure/package.js';
import { prepareRequest } from '../disclosure/prepare.js';
import { setMasks } from '../disclosure/masks.js';
import { toGatewayError } from '../errors.js';
import { listRequests } from '../store/requests.js';

export interface Jobs extends ApiJobs {
  /** Takes up requests that wait to be prepared, or whose preparation a crash cut short. */
  resume(): void;
  /** Ends after the running job has stopped. */
  close(): Promise<void>;
}

type Progress = (progress: { framesDone: number; framesTotal: number | null }) => void;

interface Job {
  readonly requestId: string;
  readonly kind: JobView['kind'];
  readonly work: (onProgress: Progress) => Promise<unknown>;
}

export function makeJobs(gateway: Gateway, signal: AbortSignal): Jobs {
  const { disclosure, log, store } = gateway;
  const waiting: Job[] = [];
  /** What is known of each request's newest job: it runs or waits, or it failed. */
  const views = new Map<string, JobView>();
  let worker: Promise<void> | null = null;

  const carryOut = async (job: Job): Promise<void> => {
    const show = (view: Pick<JobView, 'state'> & Partial<JobView>): void => {
      views.set(job.requestId, { kind: job.kind, progress: null, error: null, ...view });
    };
    show({ state: 'running' });
    try {
      await job.work(({ framesDone, framesTotal }) => {
        show({
          state: 'running',
          progress: framesTotal === null ? null : Math.min(1, framesDone / Math.max(1, framesTotal)),
        });
      });
      views.delete(job.requestId);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      show({ state: 'failed', error: { code: error.code, message: error.message, remedy: error.remedy ?? null } });
      if (!signal.aborted) log.error({ err: error, request: job.requestId, job: job.kind }, 'a job failed');
    }
  };
  const run = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined && !signal.aborted; job = waiting.shift()) await carryOut(job);
    worker = null;
  };
  const add = (job: Job): void => {
    if (signal.aborted || waiting.some((other) => other.requestId === job.requestId && other.kind === job.kind)) return;
    waiting.push(job);
    if (views.get(job.requestId)?.state !== 'running') {
      views.set(job.requestId, { kind: job.kind, state: 'waiting', progress: null, error: null });
    }
    worker ??= run();
  };
  const prepare: ApiJobs['prepare'] = (requestId, actor) => {
    add({
      requestId,
      kind: 'prepare',
      work: (onProgress) => prepareRequest(disclosure, actor, requestId, { signal, onProgress }),
    });
  };

  return {
    prepare,
    setMasks(requestId, user, masks) {
      add({
        requestId,
        kind: 'masks',
        work: (onProgress) => setMasks(disclosure, user, requestId, masks, { signal, onProgress }),
      });
    },
    pack(requestId, user) {
      add({ requestId, kind: 'package', work: () => packageRequest(disclosure, user, requestId, { signal }) });
    },
    of: (requestId) => views.get(requestId) ?? null,
    resume() {
      for (const { id, state } of listRequests(store.db)) {
        if (state === 'requested' || state === 'preparing') prepare(id, 'gateway');
      }
    },
    async close() {
      waiting.length = 0;
      await worker;
    },
  };
}
