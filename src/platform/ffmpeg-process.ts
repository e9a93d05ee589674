/** One ffmpeg process: started, niced, listened to, stopped, and its end turned into a result or an error. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { Writable } from 'node:stream';
import { GatewayError } from '../errors.js';
import { childEnvironment, type FfmpegBinary } from './ffmpeg-binary.js';

const defaultNiceness = 10;
const keptStderrBytes = 8192;

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** 0..19; 10 where left out: the recorder on the same machine goes first. */
  readonly niceness?: number | undefined;
}

export interface FfmpegProcess {
  readonly pid: number | undefined;
  /** Resolves with the last 8 KiB of what it complained about ('' when nothing) after exit 0; otherwise rejects. */
  readonly done: Promise<string>;
  /** Where its standard input was asked for as a pipe. What is written after its end is an error of that stream. */
  readonly stdin: Writable | null;
  /** SIGKILL; `done` then rejects with `interrupted`. May be called at any time. */
  stop: () => void;
}

/**
 * Starts it with `fds` as file descriptors 3, 4, …; they are closed here in any case: the child has its own copies, and with
 * ours open the other side would never see an end.
 */
export function startProcess(
  binary: FfmpegBinary,
  args: string[],
  fds: number[],
  doing: string,
  options: RunOptions,
  stdin: 'ignore' | 'pipe' = 'ignore',
): FfmpegProcess {
  if (options.signal?.aborted === true) {
    fds.forEach((fd) => {
      closeSync(fd);
    });
    throw new GatewayError('interrupted', `${doing}: stopped`);
  }
  let child;
  try {
    child = spawn(binary.path, args, {
      stdio: [stdin, 'ignore', 'pipe', ...fds],
      env: childEnvironment(),
      cwd: '/',
      windowsHide: true,
    });
  } finally {
    fds.forEach((fd) => {
      closeSync(fd);
    });
  }
  const { pid } = child;
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    child.kill('SIGKILL');
  };
  if (pid !== undefined) {
    try {
      setPriority(pid, options.niceness ?? defaultNiceness);
    } catch {
      // It has ended already, or it may not be niced: neither matters for the result.
    }
  }
  options.signal?.addEventListener('abort', stop, { once: true });
  let complaints = '';
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (text: string) => {
    complaints = (complaints + text).slice(-keptStderrBytes);
  });
  const done = new Promise<string>((settle, fail) => {
    child.on('error', (error) => {
      fail(
        new GatewayError('ffmpeg-failed', `${doing}: ${binary.path} cannot be started: ${error.message}`, {
          cause: error,
        }),
      );
    });
    child.on('close', (code, killedBy) => {
      options.signal?.removeEventListener('abort', stop);
      if (stopped) fail(new GatewayError('interrupted', `${doing}: stopped`));
      else if (code === 0) settle(complaints.trim());
      else fail(endedBadly(doing, code, killedBy, complaints));
    });
  });
  // Whoever waits for `done` gets the failure; often the reader of the frames has failed first and nobody waits any more.
  done.catch(() => undefined);
  return { pid, done, stdin: child.stdin, stop };
}

/** Lines without the addresses ffmpeg puts into them (`[h264 @ 0x55d0c0]`), which differ from run to run. */
export const tidy = (complaints: string): string[] =>
  complaints
    .replaceAll(/ @ 0x[0-9a-f]+/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

function endedBadly(doing: string, code: number | null, killedBy: string | null, complaints: string): GatewayError {
  const last = tidy(complaints).at(-1) ?? 'it said nothing';
  const details = { exitCode: code, signal: killedBy, stderr: complaints };
  if (/No space left on device|Disk quota exceeded/.test(complaints)) {
    return new GatewayError('disk-full', `${doing}: ${last}`, { remedy: 'Free space on this file system.', details });
  }
  const how = killedBy === null ? `exit code ${String(code)}` : `killed by ${killedBy}`;
  const remedy =
    killedBy === null
      ? 'Try again; if it happens again, "tredive doctor" says which ffmpeg is in use.'
      : 'Somebody or the system ended it: look whether memory ran out, then try again.';
  return new GatewayError('ffmpeg-failed', `${doing}: ffmpeg ended with ${how}: ${last}`, { remedy, details });
}
