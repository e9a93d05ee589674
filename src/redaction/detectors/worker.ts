/**
 * One detector in a thread of its own: a frame comes in, detections and the frame's buffer go back. Anything that goes wrong
 * is an answer with `error`; what cannot even answer (out of memory, a crash of the thread) is noticed by pool.ts as an exit.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openDetector } from './index.js';
import type { Detection, DetectorOptions } from './detector.js';

export interface WorkerSetup {
  readonly manifestPath: string;
  readonly options: DetectorOptions;
}

export interface WorkerRequest {
  readonly id: number;
  readonly frame: Float32Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** Ends the thread once what it computes just now is done; 'crash' as if something had gone wrong. */
export type WorkerCommand = 'close' | 'crash';

export type WorkerReply =
  | { readonly id: number; readonly detections: Detection[]; readonly frame: Float32Array<ArrayBuffer> }
  /** `id` is null where the model did not load. */
  | { readonly id: number | null; readonly error: string; readonly remedy: string | null };

const port = parentPort;
if (port === null) throw new Error('worker.ts is started by pool.ts only.');
const { manifestPath, options } = workerData as WorkerSetup;

const explain = (error: unknown): { error: string; remedy: string | null } => {
  const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : '';
  const remedy = error instanceof Error && 'remedy' in error && typeof error.remedy === 'string' ? error.remedy : null;
  return { error: (error instanceof Error ? error.message : String(error)) + cause, remedy };
};

const opening = openDetector(manifestPath, options);
opening.catch((error: unknown) => {
  port.postMessage({ id: null, ...explain(error) } satisfies WorkerReply);
});

port.on('message', (request: WorkerRequest | WorkerCommand) => {
  if (typeof request === 'string') process.exit(request === 'close' ? 0 : 1);
  const { id, frame, width, height } = request;
  opening
    .then((detector) => detector.detect(frame, width, height))
    .then(
      (detections) => {
        port.postMessage({ id, detections, frame } satisfies WorkerReply, [frame.buffer]);
      },
      (error: unknown) => {
        port.postMessage({ id, ...explain(error) } satisfies WorkerReply);
      },
    );
});
