import type { Command } from 'commander';
import { protectHeld } from '../retention/vault/protect.js';
import { count, define, progressBar, withGateway, type CommonOptions } from './command.js';

export function protect(program: Command): void {
  define<CommonOptions>(
    program
      .command('protect')
      .description(
        'copy what is held into the protected store, and look at what is in it; "serve" does so every minute',
      ),
    ({ options, signal }) =>
      withGateway(options, signal, async ({ vault }) => {
        const bar = progressBar('protecting');
        const result = await protectHeld(vault, {
          signal,
          onProgress: ({ copied, waiting }) => {
            bar.update(copied, copied + waiting);
          },
        }).finally(() => {
          bar.stop();
        });
        const { copied, waiting, waitingBytes, removed, originalsLost, damaged, failed, refused } = result;
        return {
          json: result,
          text: [
            ...(refused === null ? [] : [`Nothing was done: ${refused}.`]),
            `${count(copied, 'recording')} copied, ${waiting} waiting (${waitingBytes} bytes), ${count(removed, 'copy', 'copies')} removed.`,
            ...(originalsLost > 0
              ? [
                  `${originalsLost} held recordings are gone or changed on the recorder's disk; their copies stand for them.`,
                ]
              : []),
            ...(damaged > 0 ? [`${count(damaged, 'copy is', 'copies are')} damaged: see the tasks.`] : []),
            ...failed.slice(0, 20).map(({ path, reason }) => `  ${path}: ${reason}`),
          ].join('\n'),
          ok: damaged === 0,
        };
      }),
  );
}
