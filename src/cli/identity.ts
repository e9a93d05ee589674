/** Who is at the command line: a user with a password, as on the page. Nobody is believed for being on the machine. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { authenticate } from '../api/auth.js';
import type { Gateway } from '../app.js';
import type { User } from '../domain/user.js';
import { GatewayError, toGatewayError } from '../errors.js';
import type { CommonOptions } from './command.js';

export interface IdentityOptions extends CommonOptions {
  readonly user?: string;
  readonly passwordFile?: string;
}

export const withIdentity = (command: Command): Command =>
  command
    .option('--user <name>', 'who you are (or TREDIVE_USER)')
    .option(
      '--password-file <file>',
      'file with the password in its first line (or TREDIVE_PASSWORD; asked for on a terminal)',
    );

/** Throws `unauthenticated` unless name and password belong together. */
export async function identify(gateway: Gateway, options: IdentityOptions): Promise<User> {
  const name = options.user ?? process.env['TREDIVE_USER'];
  if (name === undefined || name === '') {
    throw new GatewayError('usage', 'Who is asking?', { remedy: 'Give --user NAME; "tredive user add" makes users.' });
  }
  const password =
    options.passwordFile !== undefined
      ? passwordFrom(options.passwordFile)
      : (process.env['TREDIVE_PASSWORD'] ?? (await askPassword(`Password of ${name}: `)));
  return authenticate(gateway.store, name, password);
}

export function passwordFrom(path: string): string {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0] ?? '';
  } catch (error) {
    throw toGatewayError(error, `reading the password file ${path}`);
  }
}

/** Asks on the terminal without showing what is typed. Throws `usage` where there is no terminal to ask on. */
export async function askPassword(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new GatewayError('usage', 'A password is needed and there is no terminal to ask on.', {
      remedy: 'Give --password-file FILE or set TREDIVE_PASSWORD.',
    });
  }
  process.stderr.write(prompt);
  const silent = new Writable({
    write(_chunk, _encoding, done) {
      done();
    },
  });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await new Promise((answer) => {
      terminal.question('', answer);
    });
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
