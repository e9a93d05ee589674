import type { Command } from 'commander';
import { openGateway } from '../app.js';
import { loadConfig } from '../config.js';
import { makeLog } from '../platform/log.js';
import { said } from '../retention/restore.js';
import { define, type CommonOptions } from './command.js';

export function restore(program: Command): void {
  define<CommonOptions & { acceptLoss?: true }>(
    program
      .command('restore')
      .description(
        'after the database was put back from a backup: apply the deletions and holds again that it does not know; every other command does so too, and none serves anything before',
      )
      .option('--accept-loss', 'go on although the journal does not know everything that was deleted and held since'),
    async ({ options, signal }) => {
      const gateway = await openGateway(loadConfig(options.config), {
        signal,
        log: makeLog('error'),
        acceptLoss: options.acceptLoss === true,
      });
      try {
        const { restored } = gateway;
        const text =
          restored === null
            ? 'The database is the one that was used last; nothing had to be applied again.'
            : `The log had ${restored.entries} entries, and there were ${restored.entriesBefore}. ${said(restored)}`;
        return { json: { restored }, text };
      } finally {
        gateway.close();
      }
    },
  );
}
