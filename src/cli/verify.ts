import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { verifyPackage } from '../evidence/verify.js';
import { toGatewayError } from '../errors.js';
import { define, type CommonOptions } from './command.js';

export function verify(program: Command): void {
  define<CommonOptions & { key?: string }>(
    program
      .command('verify')
      .description('check an evidence package (folder or ZIP), offline; exit 3 if anything is wrong')
      .argument('<path>', 'the package')
      .option('--key <file>', 'public key (PEM) that must have signed it, got from the facility by another way'),
    async ({ args: [path = ''], options }) => {
      const publicKeyPem = options.key === undefined ? undefined : await readKey(options.key);
      const report = await verifyPackage(path, publicKeyPem === undefined ? {} : { publicKeyPem });
      const lines = report.checks.map(({ name, ok, detail }) => `${ok ? 'ok    ' : 'WRONG '} ${name}: ${detail}`);
      return {
        json: report,
        text: [...lines, report.ok ? 'The package is whole.' : 'The package is NOT whole.'].join('\n'),
        ok: report.ok,
      };
    },
  );
}

async function readKey(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw toGatewayError(error, `reading the key ${path}`);
  }
}
