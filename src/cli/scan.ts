import type { Command } from 'commander';
import { scanRoots } from '../recordings/scan.js';
import { count, define, progressBar, withGateway } from './command.js';

export function scan(program: Command): void {
  define(program.command('scan').description('index every root once'), ({ options, signal }) =>
    withGateway(options, signal, async (gateway) => {
      const bar = progressBar('files');
      try {
        const result = await scanRoots(gateway.recordings, {
          signal,
          onProgress: ({ done, total }) => {
            bar.update(done, total);
          },
        });
        const { segments, added, unchanged, quarantined, missing, seconds, refused, unreadable, waiting } = result;
        const lines = [
          `${count(segments, 'segment')}: ${added} added, ${unchanged} unchanged, ${missing} missing, ${quarantined.length} quarantined, in ${seconds.toFixed(1)} s`,
          ...quarantined.map(({ path, reason }) => `  quarantined  ${path}: ${reason}`),
          ...waiting.map(({ path }) => `  still being written  ${path}`),
          ...unreadable.map(({ path, reason }) => `  NOT READ  ${path}: ${reason}`),
          ...refused.map(({ rootId, reason }) => `  NOT SCANNED  ${rootId}: ${reason}`),
        ];
        return { json: result, text: lines.join('\n') };
      } finally {
        bar.stop();
      }
    }),
  );
}
