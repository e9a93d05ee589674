/** The thread that probes files for probe.ts, one at a time. It may be ended at any moment: it only reads. */
import { parentPort, workerData } from 'node:worker_threads';
import { showAsking } from './containers/bounded-file.js';
import { probeHere } from './probe-here.js';
import type { ProbeReply, ProbeRequest } from './probe.js';

showAsking(workerData as Int32Array);
parentPort?.postMessage('ready');
parentPort?.on('message', (request: ProbeRequest) => {
  void probeHere(request.path, request.limits, request.init).then((outcome) => {
    const reply: ProbeReply = { id: request.id, outcome };
    parentPort?.postMessage(reply);
  });
});
