import type { Command } from 'commander';
import { scanRoots } from '../recordings/scan.js';
import { count, define, progressBar, withGateway, type CommonOptions } from './command.js';

interface ScanOptions extends CommonOptions {
  readonly acceptVanished?: readonly string[];
  readonly acceptRoot?: readonly string[];
}

export function scan(program: Command): void {
  const command = program
    .command('scan')
    .description('index every root once')
    .option(
      '--accept-vanished <camera...>',
      'the files of these cameras are really gone: mark them as missing though most of them are',
    )
    .option('--accept-root <root...>', 'the folder that is there now is the right one: its disk was replaced');
  define<ScanOptions>(command, ({ options, signal }) =>
    withGateway(options, signal, async (gateway) => {
      const bar = progressBar('files');
      try {
        const result = await scanRoots(gateway.recordings, {
          signal,
          acceptVanished: options.acceptVanished ?? [],
          acceptRoots: options.acceptRoot ?? [],
          onProgress: ({ done, total }) => {
            bar.update(done, total);
          },
        });
        const { segments, added, unchanged, quarantined, missing, seconds, refused, unreadable, waiting } = result;
        const lines = [
          `${count(segments, 'segment')}: ${added} added, ${unchanged} unchanged, ${result.moved} moved, ${missing} missing, ${quarantined.length} quarantined, in ${seconds.toFixed(1)} s`,
          ...quarantined.map(({ path, reason }) => `  quarantined  ${path}: ${reason}`),
          ...waiting.map(({ path }) => `  still being written  ${path}`),
          ...unreadable.map(({ path, reason }) => `  NOT READ  ${path}: ${reason}`),
          ...refused.map(({ rootId, reason }) => `  NOT SCANNED  ${rootId}: ${reason}`),
          ...result.asked.map(
            ({ root, cameraId, gone, of }) =>
              `  NOT JUDGED  ${root}: ${gone} of ${of} segments of camera ${cameraId} are not there. Bring the disk back, or say --accept-vanished ${cameraId}`,
          ),
        ];
        return { json: result, text: lines.join('\n') };
      } finally {
        bar.stop();
      }
    }),
  );
}
