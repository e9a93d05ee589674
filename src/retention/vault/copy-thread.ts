/** Copying in a thread of its own: the gateway goes on while a disk is slow, and a disk that does not answer holds up only this. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { GatewayError, toGatewayError, type ErrorCode } from '../../errors.js';
import type { CopyMade, CopyTask, HashMade, HashTask } from './copy-here.js';

export interface ThreadRequest {
  readonly task: CopyTask | HashTask;
}

export type ThreadReply =
  | { readonly what: 'bytes'; readonly bytes: number }
  | { readonly what: 'done'; readonly answer: CopyMade | HashMade }
  | {
      readonly what: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy: string | undefined;
      readonly details: Readonly<Record<string, unknown>> | undefined;
    };

/** One file at a time. */
export interface Copier {
  copy(task: CopyTask): Promise<CopyMade>;
  hash(task: HashTask): Promise<HashMade>;
  close(): Promise<void>;
}

/** A thread can only start from compiled code: run from the sources (tests), the one of the last build is taken. */
function workerScript(): string {
  const beside = join(import.meta.dirname, 'copy-worker.js');
  const script = existsSync(beside)
    ? beside
    : resolve(import.meta.dirname, '../../../dist/retention/vault/copy-worker.js');
  if (existsSync(script)) return script;
  throw new GatewayError('internal', `The copying thread ${script} is missing.`, { remedy: 'Run "npm run build".' });
}

/** A copier that works until `signal`; `onBytes` is told of every megabyte that was read. The thread starts with the first task. */
export function makeCopier(signal: AbortSignal | undefined, onBytes: (bytes: number) => void): Copier {
  const aborted = new Int32Array(new SharedArrayBuffer(4));
  let worker: Worker | null = null;
  let settle: ((reply: Exclude<ThreadReply, { what: 'bytes' }> | GatewayError) => void) | null = null;
  const abort = (): void => {
    Atomics.store(aborted, 0, 1);
  };
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();

  const lost = (error: unknown): void => {
    worker = null;
    settle?.(toGatewayError(error, 'the copying thread ended'));
  };
  const start = (): Worker => {
    const started = new Worker(workerScript(), { workerData: aborted });
    started.on('message', (reply: ThreadReply) => {
      if (reply.what === 'bytes') onBytes(reply.bytes);
      else settle?.(reply);
    });
    started.on('error', lost);
    started.on('exit', (code) => {
      if (worker === started) lost(new Error(`with ${code}`));
    });
    return started;
  };
  const ask = async (task: CopyTask | HashTask): Promise<CopyMade | HashMade> => {
    worker ??= start();
    const asked = worker;
    const reply = await new Promise<Exclude<ThreadReply, { what: 'bytes' }> | GatewayError>((done) => {
      settle = done;
      asked.postMessage({ task } satisfies ThreadRequest);
    });
    settle = null;
    if (reply instanceof GatewayError) throw reply;
    if (reply.what === 'done') return reply.answer;
    const { code, message, remedy, details } = reply;
    throw new GatewayError(code, message, { ...(remedy !== undefined && { remedy }), ...(details && { details }) });
  };
  return {
    copy: (task) => ask(task) as Promise<CopyMade>,
    hash: (task) => ask(task) as Promise<HashMade>,
    async close() {
      signal?.removeEventListener('abort', abort);
      const ending = worker;
      worker = null;
      await ending?.terminate();
    },
  };
}
