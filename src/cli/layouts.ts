import type { Command } from 'commander';
import { assertTimeZone } from '../domain/time.js';
import { systemClock } from '../platform/clock.js';
import { describeLayouts } from '../recordings/layouts/index.js';
import { proposeLayout } from '../recordings/layouts/propose.js';
import { define, table, type CommonOptions } from './command.js';

export function layouts(program: Command): void {
  define<CommonOptions & { timezone: string }>(
    program
      .command('layouts [root]')
      .description('propose a layout for a folder of recordings and say why, or list those there are; changes nothing')
      .option('--timezone <name>', 'of names in local time', 'Europe/Copenhagen'),
    ({ args: [root], options }) => {
      if (root === undefined) {
        const known = describeLayouts();
        const rows = known.map(({ name, example }) => [name, example]);
        return Promise.resolve({ json: { layouts: known }, text: table(['layout', 'such as'], rows) });
      }
      assertTimeZone(options.timezone);
      const proposal = proposeLayout(root, { siteTimezone: options.timezone, nowUs: systemClock.nowUs() });
      const text = [proposal.line ?? 'No layout is proposed.', ...proposal.why.map((why) => `  ${why}`)].join('\n');
      return Promise.resolve({ json: proposal, text, ok: proposal.layout !== null });
    },
  );
}
