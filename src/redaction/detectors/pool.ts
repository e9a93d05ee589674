import { Worker } from 'node:worker_threads';
import { GatewayError } from '../../errors.js';
import { compiledFile } from './compiled.js';
import type { Detection, DetectorOptions } from './detector.js';
import { detectionSize, takesSize } from './input.js';
import { builtInManifest, readManifest } from './manifest.js';
import './no-telemetry.js';
import type { WorkerCommand, WorkerReply, WorkerRequest, WorkerSetup } from './worker.js';

interface DetectorPoolOptions extends DetectorOptions {
  /** Threads at most, each with a model of its own. Default 2: what the smallest supported machine has in cores. */
  readonly workers?: number | undefined;
  /** Default: the model that the build makes. */
  readonly manifestPath?: string | undefined;
}

export interface DetectorPool {
  readonly name: string;
  /** Of the model file. */
  readonly sha256: string;
  /** The size in which it wants to see a picture; what is handed to `detect` must have it. See detectionSize. */
  sizeFor(picture: { readonly width: number; readonly height: number }): { width: number; height: number };
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

/**
 * A thread more is started when at so many answers in a row somebody was waiting: each takes seventy megabytes and half a second
 * to load its model, and where ffmpeg is the slower side one thread is enough.
 */
const crowdedReplies = 6;
/** What a look leaves behind is soon garbage; without a limit each thread would let 48 MB of it gather in an hour of footage. */
const youngMemoryMb = 6;

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
 * Starts the first thread, and more where it does not keep up; each loads its model by itself, and the first frames wait for that. Fails closed: once one thread has
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
  const mostThreads = options.workers ?? 2;
  let crowded = 0;

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
    const worker = new Worker(compiledFile('worker.js'), {
      workerData: setup,
      resourceLimits: { maxYoungGenerationSizeMb: youngMemoryMb },
    });
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
      crowded = waiting.length > 0 ? crowded + 1 : 0;
      if (crowded >= crowdedReplies && threads.length < mostThreads) {
        crowded = 0;
        threads.push(start());
      }
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

  const threads = [start()];

  return {
    name: manifest.name,
    sha256: manifest.sha256,
    sizeFor: (picture) => detectionSize(picture, manifest.input),
    workers: mostThreads,
    detect(frame, width, height) {
      return new Promise((resolve, reject) => {
        if (broken !== null) {
          reject(broken);
        } else if (!takesSize({ width, height }, manifest.input) || frame.length !== 3 * width * height) {
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
