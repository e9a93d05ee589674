/**
 * Files of recorders are read in threads of their own. The bytes are hostile and the library is large: there are files that send
 * it in a circle without a single read (a Matroska element with an impossible size does), and no limit inside that thread can end
 * this; and a read waits in the thread that asks. Here the thread is ended, with a bound on its memory too, and the file has its
 * verdict while the gateway goes on.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { GatewayError } from '../errors.js';
import type { ReadLimits } from './containers/bounded-file.js';
import type { KeyFrameAnswer, KeyFrameTask } from './key-frames/read.js';
import type { ProbeFailure, ProbeResult } from './probe-here.js';

export interface ProbeTask {
  readonly what: 'probe';
  readonly path: string;
  readonly limits: ReadLimits;
  readonly init: string | undefined;
}

type Task = ProbeTask | KeyFrameTask;

interface Answers {
  readonly probe: ProbeResult | ProbeFailure;
  readonly 'key-frames': KeyFrameAnswer;
}

export interface ReaderRequest {
  readonly id: number;
  readonly task: Task;
}

export interface ReaderReply {
  readonly id: number;
  readonly answer: Answers[Task['what']];
}

/** The thread was ended over the file, or the disk does not answer. */
export interface Lost {
  readonly lost: 'damaged' | 'unreadable';
  /** One line for a person. */
  readonly detail: string;
}

interface Job {
  readonly request: ReaderRequest;
  readonly answer: (outcome: ReaderReply['answer'] | Lost) => void;
}

interface Thread {
  readonly worker: Worker;
  /** 1 in its first element while it waits for the disk. */
  readonly asking: Int32Array;
  /** Its code is loaded. */
  ready: boolean;
  job: Job | null;
  timer: NodeJS.Timeout | undefined;
}

/** Two, so that one slow file does not hold up the rest. */
const threadsAtMost = 2;
/** An index of 64 MB and what the library makes of it fit; a file that claims a billion samples does not. */
const threadMemoryMb = 512;
/** What the thread may take beyond its own limit before it is held to be running in a circle. */
const graceMs = 1500;

/** Threads that wait for a dead disk. No further ones are sent after so many: the rest waits until the system gives up. */
const hangingAtMost = 6;

const threads: Thread[] = [];
const hanging = new Set<Worker>();
const waiting: Job[] = [];
let lastId = 0;

/**
 * Has a thread do one task: its answer, or that it was lost. Never throws but GatewayError `internal` where the compiled thread
 * is missing. Safe to call for many files at once: they wait for their turn.
 */
export function askReader<What extends Task['what']>(
  task: Extract<Task, { what: What }>,
): Promise<Answers[What] | Lost> {
  const script = threadScript();
  return new Promise((settle) => {
    lastId += 1;
    // A thread answers what it was asked.
    const answer = settle as (outcome: ReaderReply['answer'] | Lost) => void;
    waiting.push({ request: { id: lastId, task }, answer });
    feed(script);
  });
}

/**
 * A thread can only start from compiled code. Run from the sources (tests), the compiled thread of the last build is taken,
 * so a change in it needs `npm run build` before a test of it sees it; tests of containers call what the thread calls.
 */
function threadScript(): string {
  const beside = join(import.meta.dirname, 'reader-worker.js');
  const script = existsSync(beside) ? beside : resolve(import.meta.dirname, '../../dist/recordings/reader-worker.js');
  if (existsSync(script)) return script;
  throw new GatewayError('internal', `The reading thread ${script} is missing.`, { remedy: 'Run "npm run build".' });
}

function feed(script: string): void {
  while (waiting.length > 0) {
    let thread = threads.find((candidate) => candidate.job === null);
    const more = threads.length < threadsAtMost && hanging.size < hangingAtMost;
    if (thread === undefined && more) thread = start(script);
    const job = thread === undefined ? undefined : waiting.shift();
    if (thread === undefined || job === undefined) return;
    give(thread, job, script);
  }
}

function give(thread: Thread, job: Job, script: string): void {
  thread.job = job;
  // Only a thread at work keeps the process alive.
  thread.worker.ref();
  if (thread.ready) limit(thread, job, script);
  thread.worker.postMessage(job.request);
}

/** Counts from when the thread can work: its start takes seconds on a busy machine, and no file is to blame for that. */
function limit(thread: Thread, job: Job, script: string): void {
  const limitMs = Math.max(0, job.request.task.limits.ms) + graceMs;
  thread.timer = setTimeout(() => {
    if (Atomics.load(thread.asking, 0) === 1) drop(thread, script, `no answer within ${limitMs} ms`, 'unreadable');
    else drop(thread, script, `its index keeps the reader busy for more than ${limitMs} ms`);
  }, limitMs);
}

function start(script: string): Thread {
  const asking = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(script, { workerData: asking, resourceLimits: { maxOldGenerationSizeMb: threadMemoryMb } });
  const thread: Thread = { worker, asking, ready: false, job: null, timer: undefined };
  threads.push(thread);
  worker.on('message', (reply: ReaderReply | 'ready') => {
    const { job } = thread;
    if (reply === 'ready') {
      thread.ready = true;
      if (job !== null) limit(thread, job, script);
      return;
    }
    if (job?.request.id !== reply.id) return; // Already answered: the thread was too late.
    rest(thread);
    job.answer(reply.answer);
    feed(script);
  });
  // Out of memory, above all. The thread is gone; the file it was reading is the reason.
  worker.on('error', (error: Error) => {
    drop(thread, script, error.message);
  });
  worker.on('exit', () => {
    // The disk has answered at last: what had to wait for that goes on.
    if (hanging.delete(worker)) feed(script);
    drop(thread, script, 'the reader ended over it');
  });
  worker.unref();
  return thread;
}

function rest(thread: Thread): void {
  clearTimeout(thread.timer);
  thread.job = null;
  thread.worker.unref();
}

/** Ends a thread, gives its file the verdict, and goes on with the others. Called again by the end itself: does nothing. */
function drop(thread: Thread, script: string, detail: string, lost: Lost['lost'] = 'damaged'): void {
  const at = threads.indexOf(thread);
  if (at === -1) return;
  threads.splice(at, 1);
  const { job } = thread;
  rest(thread);
  // Not awaited: its end frees nothing that anybody waits for, and its 'exit' comes back here to a thread no longer listed. One
  // that waits for a dead disk ends when the system gives up.
  if (lost === 'unreadable') hanging.add(thread.worker);
  void thread.worker.terminate();
  job?.answer({ lost, detail });
  feed(script);
}
