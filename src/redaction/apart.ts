/**
 * What redact.ts does, in a thread of its own. Two reasons: the gateway answers while a copy is made, and the thread's young
 * memory is bounded, which that of the main thread cannot be once it runs - so that an hour of footage takes no more memory
 * than a minute.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { GatewayError, type ErrorCode } from '../errors.js';
import type { RecordingPart, RedactedFile, RedactFile, RedactionRun, RenderCopy } from './redact.js';

/** What the thread is to do: the arguments without what cannot be handed over. */
export type ApartJob =
  | { readonly what: 'redact'; readonly job: Omit<RedactFile, 'run'>; readonly part: RecordingPart | null }
  | { readonly what: 'render'; readonly job: Omit<RenderCopy, 'beforeNaming'> };

export interface ApartSetup {
  readonly job: ApartJob;
  readonly mostDelayBytes: number | undefined;
}

interface ApartResults {
  readonly redact: RedactedFile | null;
  readonly render: { readonly frames: number; readonly seconds: number };
}

export type ApartMessage =
  | { readonly progress: { readonly framesDone: number; readonly framesTotal: number | null } }
  | { readonly result: ApartResults[ApartJob['what']] }
  | {
      readonly failure: {
        readonly code: ErrorCode;
        readonly message: string;
        readonly remedy: string | undefined;
        readonly details: Record<string, unknown> | undefined;
        /** As text: what was thrown may not be fit to be handed over. */
        readonly cause: string | undefined;
      };
    };

/** To the thread: stop. */
export const abortCommand = 'abort';

/** Three half-spaces of 4 MB: what a frame leaves behind is gone long before the next is read. */
const youngMemoryMb = 12;

/** As in redact.ts. Throws `internal` besides where the thread ends by itself: no copy has its name then. */
export async function redactFile(job: RedactFile): Promise<RedactedFile> {
  const done = await redactPart(job, null);
  if (done !== null) return done;
  throw new GatewayError('internal', 'Of a whole file there is always a copy.');
}

/** As in redact.ts; see `redactFile`. */
export const redactPart = ({ run, ...job }: RedactFile, part: RecordingPart | null): Promise<RedactedFile | null> =>
  apart({ what: 'redact', job, part }, run);

/** As in redact.ts; see `redactFile`. */
export const renderCopy = (
  job: Omit<RenderCopy, 'beforeNaming'>,
  run: RedactionRun = {},
): Promise<{ frames: number; seconds: number }> => apart({ what: 'render', job }, run);

function apart<What extends ApartJob['what']>(
  job: Extract<ApartJob, { what: What }>,
  { signal, onProgress, mostDelayBytes }: RedactionRun = {},
): Promise<ApartResults[What]> {
  const setup: ApartSetup = { job, mostDelayBytes };
  const worker = new Worker(threadScript(), {
    workerData: setup,
    resourceLimits: { maxYoungGenerationSizeMb: youngMemoryMb },
    // Pipes are opened natively, which the thread's own list of open files does not know.
    trackUnmanagedFds: false,
  });
  // It is asked, not terminated: it has children to end, files to remove and a lock to give back.
  const abort = (): void => {
    worker.postMessage(abortCommand);
  };
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return new Promise<ApartResults[What]>((settle, fail) => {
    // Told when the thread has ended, and with it all that it had open.
    let end = (): void => {
      fail(new GatewayError('internal', 'The thread that makes the masked copy ended without a word.', { remedy }));
    };
    worker.on('message', (message: ApartMessage) => {
      if ('progress' in message) onProgress?.(message.progress);
      else if ('result' in message) {
        const { result } = message;
        // It does one job, and that is the one it was given.
        end = () => {
          settle(result as ApartResults[What]);
        };
      } else {
        const { code, message: text, ...more } = message.failure;
        end = () => {
          fail(new GatewayError(code, text, withoutGaps(more)));
        };
      }
    });
    worker.on('error', (error) => {
      const message = `The thread that makes the masked copy crashed: ${error.message}`;
      end = () => {
        fail(new GatewayError('internal', message, { remedy, cause: error }));
      };
    });
    worker.on('exit', () => {
      signal?.removeEventListener('abort', abort);
      end();
    });
  });
}

const remedy = 'Try again; if it stays, look whether memory ran out, and run "tredive doctor".';

const withoutGaps = ({
  remedy: what,
  details,
  cause,
}: {
  remedy: string | undefined;
  details: Record<string, unknown> | undefined;
  cause: string | undefined;
}): ConstructorParameters<typeof GatewayError>[2] => ({
  ...(what !== undefined && { remedy: what }),
  ...(details !== undefined && { details }),
  ...(cause !== undefined && { cause: new Error(cause) }),
});

/**
 * A thread can only start from compiled code. Run from the sources (tests), the compiled thread of the last build is taken,
 * so a change in redaction needs `npm run build` before a test that goes this way sees it; tests of redaction call redact.ts.
 */
function threadScript(): string {
  const beside = join(import.meta.dirname, 'apart-worker.js');
  const script = existsSync(beside) ? beside : resolve(import.meta.dirname, '../../dist/redaction/apart-worker.js');
  if (existsSync(script)) return script;
  throw new GatewayError('internal', `The thread ${script} is missing.`, { remedy: 'Run "npm run build".' });
}
