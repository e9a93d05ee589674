/** The thread that reads files for reader-threads.ts, one at a time. It may be ended at any moment: it only reads. */
import { parentPort, workerData } from 'node:worker_threads';
import { showAsking } from './containers/bounded-file.js';
import { keyFramesHere } from './key-frames/read.js';
import { probeHere } from './probe-here.js';
import type { ReaderReply, ReaderRequest } from './reader-threads.js';

showAsking(workerData as Int32Array);
parentPort?.postMessage('ready');
parentPort?.on('message', ({ id, task }: ReaderRequest) => {
  const reading = task.what === 'probe' ? probeHere(task.path, task.limits, task.init) : keyFramesHere(task);
  void reading.then((answer) => {
    parentPort?.postMessage({ id, answer } satisfies ReaderReply);
  });
});
