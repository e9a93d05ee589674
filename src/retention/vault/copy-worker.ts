/** The thread that copies and hashes for copy-thread.ts, one file after the other, behind everybody else who uses the disk. */
import { parentPort, workerData } from 'node:worker_threads';
import { toGatewayError } from '../../errors.js';
import { lowerThreadPriority } from '../../platform/native.js';
import { copyHere, hashHere, type CopyHooks } from './copy-here.js';
import type { ThreadReply, ThreadRequest } from './copy-thread.js';

const aborted = workerData as Int32Array;
lowerThreadPriority();

const hooks: CopyHooks = {
  isAborted: () => Atomics.load(aborted, 0) === 1,
  onBytes: (bytes) => {
    parentPort?.postMessage({ what: 'bytes', bytes } satisfies ThreadReply);
  },
};

parentPort?.on('message', ({ task }: ThreadRequest) => {
  let reply: ThreadReply;
  try {
    reply = { what: 'done', answer: task.what === 'copy' ? copyHere(task, hooks) : hashHere(task, hooks) };
  } catch (thrown) {
    const { code, message, remedy, details } = toGatewayError(thrown);
    reply = { what: 'failed', code, message, remedy, details };
  }
  parentPort?.postMessage(reply);
});
