/** What every command shares: --config and --json, one JSON document on stdout, progress and errors on stderr, exit codes. */
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { loadConfig, type Config } from '../config.js';
import { GatewayError, toGatewayError } from '../errors.js';
import { openGateway, type Gateway } from '../app.js';
import { makeLog } from '../platform/log.js';

export interface CommonOptions {
  readonly config: string;
  readonly json?: true;
}

/** A command's result: `json` for machines, `text` for people; `ok: false` is exit code 3, a verification that failed. */
export interface Result {
  readonly json: object;
  readonly text: string;
  readonly ok?: boolean;
}

/** The work of a command; null where there is nothing to print. */
export type Work<O extends CommonOptions> = (context: {
  readonly args: string[];
  readonly options: O;
  readonly signal: AbortSignal;
}) => Promise<Result | null>;

/** Adds `--config` and `--json`, and turns what `run` gives or throws into output and exit code. */
export function define<O extends CommonOptions>(command: Command, run: Work<O>): Command {
  return command
    .option('--config <file>', 'configuration', 'config/gateway.yaml')
    .option('--json', 'one JSON document on stdout')
    .action(async (...input: unknown[]) => {
      const self = input.at(-1) as Command;
      const options = self.optsWithGlobals<O>();
      const interrupt = new AbortController();
      const stop = (): void => {
        // A second signal finds no handler of ours and ends the process at once.
        process.off('SIGINT', stop).off('SIGTERM', stop);
        interrupt.abort(new GatewayError('interrupted', 'Interrupted. Nothing half-done is left.'));
      };
      process.on('SIGINT', stop).on('SIGTERM', stop);
      try {
        const result = await run({ args: self.args, options, signal: interrupt.signal });
        if (result === null) return;
        await print(options.json === true ? JSON.stringify(result.json, null, 2) : result.text);
        if (result.ok === false) process.exitCode = 3;
      } catch (thrown) {
        await fail(thrown, options.json === true);
      } finally {
        process.off('SIGINT', stop).off('SIGTERM', stop);
      }
    });
}

const print = (text: string): Promise<void> =>
  new Promise((done) => {
    process.stdout.write(`${text}\n`, () => {
      done();
    });
  });

/** The error for a person on stderr, unless that was said already, and as the one JSON document where that was asked for. */
export async function fail(thrown: unknown, json: boolean, { said = false } = {}): Promise<void> {
  const error = toGatewayError(thrown);
  if (!said) process.stderr.write(`${error.message}\n${error.remedy === undefined ? '' : `${error.remedy}\n`}`);
  if (error.code === 'internal' && error.stack !== undefined) process.stderr.write(`${error.stack}\n`);
  if (json) {
    const { code, message, remedy, details } = error;
    await print(
      JSON.stringify({ error: { code, message, ...(remedy && { remedy }), ...(details && { details }) } }, null, 2),
    );
  }
  process.exitCode = error.exitCode;
}

/** Opens the gateway of the configuration for the time of `work`. Quieter than `serve`: a person reads the result. */
export async function withGateway<T>(
  options: CommonOptions,
  signal: AbortSignal,
  work: (gateway: Gateway) => Promise<T>,
): Promise<T> {
  const config: Config = loadConfig(options.config);
  const level = config.log.level === 'info' ? 'warn' : config.log.level;
  const gateway = await openGateway(config, { signal, log: makeLog(level) });
  try {
    return await work(gateway);
  } finally {
    gateway.close();
  }
}

export interface Progress {
  update(done: number, total: number | null): void;
  stop(): void;
}

/** A bar on stderr while a person looks on; nothing otherwise. */
export function progressBar(what: string): Progress {
  if (!process.stderr.isTTY) {
    return { update: () => undefined, stop: () => undefined };
  }
  const bar = new SingleBar({
    format: `${what} {bar} {value}/{total} {eta_formatted}`,
    stream: process.stderr,
    clearOnComplete: true,
  });
  let started = false;
  return {
    update(done, total) {
      if (!started) bar.start(total ?? Math.max(done, 1), done);
      else {
        bar.setTotal(total ?? Math.max(done, 1));
        bar.update(done);
      }
      started = true;
    },
    stop() {
      if (started) bar.stop();
    },
  };
}

/** Rows as aligned columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)].join('\n');
}

export const count = (number: number, one: string, many = `${one}s`): string =>
  `${number} ${number === 1 ? one : many}`;
