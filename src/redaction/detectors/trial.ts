import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { GatewayError } from '../../errors.js';
import { compiledFile } from './compiled.js';

export type TrialReport =
  | {
      readonly ok: true;
      /** Median time of a look, alone on one core, in a size for common cameras. */
      readonly lookMs: number;
      /** People drawn, and how many of them were found. */
      readonly drawn: number;
      readonly seen: number;
    }
  | { readonly ok: false; readonly reason: string };

/** A dozen looks. A model that takes longer is of no use on this machine. */
const longestS = 180;
const keptBytes = 64 * 1024;

/**
 * Loads a model and looks at blank and drawn pictures with it, in a child process that is given nothing else: whatever the
 * file does to the runtime, this process lives on. Never throws for what is wrong with the model: that is a report. Throws
 * `interrupted`, and `detector-failed` where no process can be started.
 */
export async function tryModel(manifestPath: string, signal?: AbortSignal): Promise<TrialReport> {
  const assertGoesOn = (): void => {
    if (signal?.aborted === true) throw new GatewayError('interrupted', 'The trial of the model was stopped.');
  };
  assertGoesOn();
  const child = spawn(process.execPath, [compiledFile('trial-worker.js'), manifestPath], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // No home, no proxy, no path: nothing it could want.
    env: { ORT_DISABLE_TELEMETRY: '1' },
    cwd: '/',
  });
  const [out, complaints] = [keepTail(child.stdout), keepTail(child.stderr)];
  const overdue = new AbortController();
  const kill = (): void => void child.kill('SIGKILL');
  const timer = setTimeout(() => {
    overdue.abort();
    kill();
  }, longestS * 1000);
  signal?.addEventListener('abort', kill, { once: true });
  try {
    if (child.pid !== undefined) {
      try {
        setPriority(child.pid, 10);
      } catch {
        // It has ended already, or may not be niced: neither matters for the result.
      }
    }
    const end = await new Promise<string | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, by) => {
        resolve(code === 0 ? null : (by ?? `exit code ${code ?? '?'}`));
      });
    });
    assertGoesOn();
    if (overdue.signal.aborted)
      return { ok: false, reason: `It was not done with a dozen pictures in ${longestS} seconds.` };
    if (end !== null) {
      const last = complaints().trim().split('\n').at(-1) ?? '';
      return { ok: false, reason: `It brings the runtime down (${end}). ${last}`.trim() };
    }
    return JSON.parse(out().trim().split('\n').at(-1) ?? '') as TrialReport;
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    throw new GatewayError('detector-failed', `The trial of the model failed: ${(error as Error).message}`, {
      remedy: 'Try again; if it stays, run "tredive doctor".',
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
  }
}

function keepTail(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (part: string) => (text = (text + part).slice(-keptBytes)));
  return () => text;
}
