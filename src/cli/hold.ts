import type { Command } from 'commander';
import { formatLocal, parseLocalOrInstant } from '../domain/time.js';
import { holdGrounds, type HoldGround } from '../domain/hold.js';
import { dayUs } from '../domain/retention-rules/index.js';
import { lift, placeHold } from '../disclosure/hold.js';
import { listHolds } from '../store/holds.js';
import { define, table, withGateway, type CommonOptions } from './command.js';
import { protectNow } from './vault-keeper.js';
import { identify, withIdentity, type IdentityOptions } from './identity.js';

const list = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

export function hold(program: Command): void {
  const group = program.command('hold').description('longer storage on a ground that the law allows');

  define<
    IdentityOptions & {
      ground: HoldGround;
      reference: string;
      reason: string;
      cameras: string;
      from: string;
      to: string;
      reviewDays: string;
    }
  >(
    withIdentity(
      group
        .command('place')
        .description('hold footage (role legal)')
        .requiredOption(
          '--ground <ground>',
          Object.keys(holdGrounds)
            .filter((ground) => ground !== 'disclosure-request')
            .join(', '),
        )
        .requiredOption('--reference <text>', 'journal or case number, or the provision')
        .requiredOption('--reason <text>', 'why')
        .requiredOption('--cameras <ids>', 'with commas between')
        .requiredOption('--from <time>', 'instant, or local time of the site')
        .requiredOption('--to <time>', 'instant, or local time of the site')
        .option('--review-days <days>', 'when it ends unless placed again, at most 90', '30'),
    ),
    ({ options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const who = await identify(gateway, options);
        const { timezone } = gateway.config.site;
        const placed = placeHold(gateway.disclosure, who, {
          ground: options.ground,
          reference: options.reference,
          reason: options.reason,
          cameraIds: list(options.cameras),
          startUs: parseLocalOrInstant(options.from, timezone),
          endUs: parseLocalOrInstant(options.to, timezone),
          reviewUs: Math.round(gateway.store.clock.nowUs() + Number(options.reviewDays) * dayUs),
        });
        const vault = await protectNow(gateway, signal);
        return {
          json: { ...placed, vault: vault.json },
          text: [
            `Hold ${placed.hold.id} is in force on ${placed.segments} segments.`,
            ...placed.warnings,
            ...vault.lines,
          ].join('\n'),
        };
      }),
  );

  define<IdentityOptions>(
    withIdentity(group.command('lift').description('end a hold (role legal)').argument('<id>')),
    ({ args: [id = ''], options, signal }) =>
      withGateway(options, signal, async (gateway) => {
        const ended = lift(gateway.disclosure, await identify(gateway, options), id);
        return { json: { hold: ended }, text: `Hold ${id} is lifted. What is due goes at the next sweep.` };
      }),
  );

  define<CommonOptions>(group.command('list').description('all holds'), ({ options, signal }) =>
    withGateway(options, signal, (gateway) => {
      const holds = listHolds(gateway.store.db);
      const local = (us: number): string => formatLocal(us, gateway.config.site.timezone);
      const rows = holds.map((one) => [
        one.id,
        one.ground,
        one.reference,
        one.cameraIds.join(','),
        local(one.startUs),
        local(one.endUs),
        one.liftedUs === null ? `until ${local(one.reviewUs)}` : `lifted ${local(one.liftedUs)}`,
      ]);
      return Promise.resolve({
        json: { holds },
        text: table(['id', 'ground', 'reference', 'cameras', 'from', 'to', 'state'], rows),
      });
    }),
  );
}
