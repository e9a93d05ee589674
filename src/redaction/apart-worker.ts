/** The thread of apart.ts: does one job, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { toGatewayError } from '../errors.js';
import { abortCommand, type ApartMessage, type ApartSetup } from './apart.js';
import { redactPart, renderCopy, type RedactionRun } from './redact.js';

/** Progress is for people. */
const progressMs = 100;

const port = parentPort;
if (port !== null) {
  const { job, mostDelayBytes } = workerData as ApartSetup;
  const tell = (message: ApartMessage): void => {
    port.postMessage(message);
  };
  const stop = new AbortController();
  port.on('message', (command: unknown) => {
    if (command === abortCommand) stop.abort();
  });
  let toldAt = -Infinity;
  const run: RedactionRun = {
    signal: stop.signal,
    mostDelayBytes,
    onProgress: (progress) => {
      const now = performance.now();
      if (now - toldAt < progressMs && progress.framesDone !== progress.framesTotal) return;
      toldAt = now;
      tell({ progress });
    },
  };
  try {
    tell({
      result: job.what === 'redact' ? await redactPart({ ...job.job, run }, job.part) : await renderCopy(job.job, run),
    });
  } catch (thrown) {
    const { code, message, remedy, details, cause } = toGatewayError(thrown);
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : undefined;
    tell({ failure: { code, message, remedy, details: plain(details), cause: text } });
  }
  // Nothing else may keep it: it ends when its port closes.
  port.close();
}

/** What can be handed over for certain. */
function plain(details: Readonly<Record<string, unknown>> | undefined): Record<string, unknown> | undefined {
  return details === undefined ? undefined : (JSON.parse(JSON.stringify(details)) as Record<string, unknown>);
}
