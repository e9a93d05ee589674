/** Who protects what is held: the running gateway in the background, and a command before it says that a hold is placed. */
import type { Gateway } from '../app.js';
import { toGatewayError } from '../errors.js';
import type { VaultResult } from '../retention/vault/context.js';
import { protectHeld } from '../retention/vault/protect.js';
import { count, progressBar } from './command.js';

export interface VaultKeeper {
  /** A run, or one more after the one that is under way: that may have passed by what is held only now. */
  readonly wake: () => void;
  /** Ends when nothing is left that was asked for. Never throws: what fails is said, and tried again. */
  readonly run: () => Promise<void>;
  /** Ends after the run that is under way, which the signal stops. */
  readonly close: () => Promise<void>;
}

export function makeVaultKeeper({ vault, log }: Gateway, signal: AbortSignal): VaultKeeper {
  let running: Promise<void> | null = null;
  const asked = { again: false };
  const once = async (): Promise<void> => {
    try {
      const { copied, waiting, removed } = await protectHeld(vault, { signal });
      if (copied + removed > 0) log.info({ copied, waiting, removed }, 'protected copies of held footage');
    } catch (error) {
      if (!signal.aborted)
        log.error({ err: toGatewayError(error) }, 'protecting held footage failed; it is tried again');
    }
  };
  const all = async (): Promise<void> => {
    while (asked.again && !signal.aborted) {
      asked.again = false;
      await once();
    }
    running = null;
  };
  const run = (): Promise<void> => {
    asked.again = true;
    return (running ??= all());
  };
  return {
    run,
    wake: () => {
      if (!signal.aborted) void run();
    },
    close: () => running ?? Promise.resolve(),
  };
}

export interface Protection {
  readonly json: Pick<VaultResult, 'copied' | 'waiting' | 'waitingBytes' | 'failed' | 'refused'>;
  readonly lines: readonly string[];
}

/** Protects what is held before a command reports. What is left, or is being done by a running gateway, is said. */
export async function protectNow({ vault }: Gateway, signal: AbortSignal): Promise<Protection> {
  const bar = progressBar('protecting');
  try {
    const result = await protectHeld(vault, {
      signal,
      onProgress: ({ copied, waiting }) => {
        bar.update(copied, copied + waiting);
      },
    });
    const { copied, waiting, waitingBytes, failed, refused } = result;
    const why =
      refused === null
        ? 'a running gateway, or "tredive protect", goes on with it'
        : 'a running gateway is at work on it';
    return {
      json: { copied, waiting, waitingBytes, failed, refused },
      lines: [
        ...(copied > 0 ? [`${count(copied, 'recording')} copied into the protected store.`] : []),
        ...(waiting > 0
          ? [`${count(waiting, 'held recording')} (${waitingBytes} bytes) not protected yet: ${why}.`]
          : ['All that is held is protected.']),
        ...failed.slice(0, 5).map(({ path, reason }) => `  ${path}: ${reason}`),
      ],
    };
  } finally {
    bar.stop();
  }
}
