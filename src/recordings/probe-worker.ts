/** The thread that probes files for probe.ts, one at a time. It may be ended at any moment: it only reads. */
import { parentPort } from 'node:worker_threads';
import { probeHere } from './probe-here.js';
import type { ProbeReply, ProbeRequest } from './probe.js';

parentPort?.on('message', (request: ProbeRequest) => {
  void probeHere(request.path, request.limits, request.init).then((outcome) => {
    const reply: ProbeReply = { id: request.id, outcome };
    parentPort?.postMessage(reply);
  });
});
