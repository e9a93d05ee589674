import { existsSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { GatewayError } from '../../errors.js';
import { builtInManifest, packageRoot, readManifest } from './index.js';
import type { Detection, DetectorOptions } from './detector.js';
import type { WorkerCommand, WorkerReply, WorkerRequest, WorkerSetup } from './worker.js';

interface DetectorPoolOptions extends DetectorOptions {
  /** Threads, each with a model of its own. Default 2: what the smallest supported machine has in cores. */
  readonly workers?: number | undefined;
  /** Default: the model that the build makes. */
  readonly manifestPath?: string | undefined;
}

export interface DetectorPool {
  readonly name: string;
  /** Of the model file. */
  readonly sha256: string;
  /** Width and height of a frame must be multiples of this. */
  readonly multipleOf: number;
  /** Frames that are worked on at once; more than that wait in line. */
  readonly workers: number;
  /**
   * Detects in one frame (see Detector.detect). The frame's memory is handed to the worker and comes back as `frame` of the
   * result, to be filled again; the array handed in is empty from then on. GatewayError `detector-failed`.
   */
  detect(
    frame: Float32Array<ArrayBuffer>,
    width: number,
    height: number,
  ): Promise<{ detections: Detection[]; frame: Float32Array<ArrayBuffer> }>;
  /** Rejects what is still under way, and ends the threads as soon as each has finished its frame. May be called twice. */
  close(): Promise<void>;
  /** For tests of the failing: one thread ends by itself. */
  crashWorker(): Promise<void>;
}

interface Job {
  readonly request: WorkerRequest;
  readonly resolve: (result: { detections: Detection[]; frame: Float32Array<ArrayBuffer> }) => void;
  readonly reject: (error: GatewayError) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly exited: Promise<void>;
  job: Job | null;
}

/**
 * A thread ends by itself when it is asked, between two frames. Never by `terminate()`: cut off inside ONNX Runtime it takes
 * the whole process with it (an exception that native code cannot deliver any more).
 */
async function end(thread: Thread | undefined, command: WorkerCommand): Promise<void> {
  thread?.worker.postMessage(command);
  await thread?.exited;
}

/**
 * A thread can only start from compiled code. Run from the sources (tests), the compiled worker of the last build is taken,
 * so a change in worker.ts, index.ts or a detector needs `npm run build` before a test of the pool sees it.
 */
function workerPath(): string {
  const beside = path.join(import.meta.dirname, 'worker.js');
  const file = existsSync(beside) ? beside : path.join(packageRoot, 'dist/redaction/detectors/worker.js');
  if (existsSync(file)) return file;
  throw new GatewayError('detector-failed', `The detector's thread ${file} is missing.`, {
    remedy: 'Run "npm run build".',
  });
}

/**
 * Starts the threads; each loads its model by itself, and the first frames wait for that. Fails closed: once one thread has
 * failed, everything under way and everything asked later is rejected, since a frame nobody looked at must never pass for
 * an empty one. GatewayError `detector-failed` at once where the model or the compiled worker is missing.
 */
export function openDetectorPool(options: DetectorPoolOptions): DetectorPool {
  const manifestPath = options.manifestPath ?? builtInManifest;
  const manifest = readManifest(manifestPath);
  const setup: WorkerSetup = {
    manifestPath,
    options: { minScore: options.minScore, vehicles: options.vehicles },
  };
  const waiting: Job[] = [];
  let nextId = 0;
  let broken: GatewayError | null = null;

  const fail = (error: GatewayError): void => {
    broken ??= error;
    for (const thread of threads) {
      thread.job?.reject(broken);
      thread.job = null;
    }
    for (const job of waiting.splice(0)) job.reject(broken);
  };

  const feed = (): void => {
    for (const thread of threads) {
      if (thread.job !== null) continue;
      const job = waiting.shift();
      if (job === undefined) return;
      thread.job = job;
      thread.worker.postMessage(job.request, [job.request.frame.buffer]);
    }
  };

  const start = (): Thread => {
    const worker = new Worker(workerPath(), { workerData: setup });
    const exited = new Promise<void>((resolve) => {
      worker.once('exit', () => {
        resolve();
      });
    });
    const thread: Thread = { worker, exited, job: null };
    thread.worker.on('message', (reply: WorkerReply) => {
      if ('error' in reply) {
        const remedy = reply.remedy ?? 'Try again; if it stays, run "tredive doctor".';
        fail(new GatewayError('detector-failed', `The detector failed: ${reply.error}`, { remedy }));
        return;
      }
      const job = thread.job;
      if (job?.request.id !== reply.id) return; // Already rejected because another thread failed.
      thread.job = null;
      job.resolve({ detections: reply.detections, frame: reply.frame });
      feed();
    });
    thread.worker.on('error', (error) => {
      const remedy = 'Try again; if it stays, check memory and run "tredive doctor".';
      fail(
        new GatewayError('detector-failed', `A detector thread crashed: ${error.message}`, { remedy, cause: error }),
      );
    });
    thread.worker.on('exit', (code) => {
      const remedy = 'Try again; if it stays, check memory and run "tredive doctor".';
      fail(new GatewayError('detector-failed', `A detector thread ended by itself (code ${code}).`, { remedy }));
    });
    return thread;
  };

  const threads = Array.from({ length: options.workers ?? 2 }, start);

  return {
    name: manifest.name,
    sha256: manifest.sha256,
    multipleOf: manifest.input.multipleOf,
    workers: threads.length,
    detect(frame, width, height) {
      return new Promise((resolve, reject) => {
        const fits = (size: number): boolean => size > 0 && size % manifest.input.multipleOf === 0;
        if (broken !== null) {
          reject(broken);
        } else if (!fits(width) || !fits(height) || frame.length !== 3 * width * height) {
          reject(new GatewayError('internal', `A frame of ${frame.length} floats as ${width}x${height} does not fit.`));
        } else {
          waiting.push({ request: { id: nextId++, frame, width, height }, resolve, reject });
          feed();
        }
      });
    },
    async close() {
      fail(new GatewayError('detector-failed', 'The detector was closed.'));
      await Promise.all(threads.map((thread) => end(thread, 'close')));
    },
    async crashWorker() {
      await end(threads[0], 'crash');
    },
  };
}
