import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { isReport, verifyReport } from '../evidence/report-files.js';
import { verifyPackage } from '../evidence/verify.js';
import { toGatewayError } from '../errors.js';
import { define, type CommonOptions } from './command.js';

export function verify(program: Command): void {
  define<CommonOptions & { key?: string }>(
    program
      .command('verify')
      .description(
        'check an evidence package (folder or ZIP) or a deletion report (folder), offline; exit 3 if anything is wrong',
      )
      .argument('<path>', 'the package or report')
      .option('--key <file>', 'public key (PEM) that must have signed it, got from the facility by another way'),
    async ({ args: [path = ''], options }) => {
      const publicKeyPem = options.key === undefined ? undefined : await readKey(options.key);
      const pin = publicKeyPem === undefined ? {} : { publicKeyPem };
      const what = (await isReport(path)) ? 'report' : 'package';
      const report = what === 'report' ? await verifyReport(path, pin) : await verifyPackage(path, pin);
      const lines = report.checks.map(({ name, ok, detail }) => `${ok ? 'ok    ' : 'WRONG '} ${name}: ${detail}`);
      return {
        json: report,
        text: [...lines, `The ${what} is ${report.ok ? 'whole' : 'NOT whole'}.`].join('\n'),
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
